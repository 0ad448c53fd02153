//! Tests of `Stream` against a plain list of entries, and of what files may say.

use super::group::{Group, Pending};
use super::id::StreamId;
use super::load::{Damaged, Facts, LoadingGroup, NewerFacts};
use super::log::{Keep, Log, NodeLimits, Trim};
use super::*;
use crate::stdx::random::Random;
use crate::value::listpack::{Element, Listpack};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

const LIMITS: NodeLimits = NodeLimits { bytes_max: 200, entries_max: 7 };

fn id(ms: u64, sequence: u64) -> StreamId {
    StreamId::new(ms, sequence)
}

fn append(log: &mut Log, id: StreamId, pairs: &Pairs, limits: NodeLimits) {
    log.append(id, pairs.iter().map(|(field, value)| (&field[..], &value[..])), limits);
}

fn read(entry: &Entry<'_>) -> (StreamId, Pairs) {
    let text = |element: Element<'_>| element.to_text().into_owned();
    (entry.id, entry.fields().map(|(field, value)| (text(field), text(value))).collect())
}

fn small(id: StreamId) -> Pairs {
    vec![(b"f".to_vec(), id.ms.to_string().into_bytes())]
}

/// A stream of entries 1-0 to `count`-0.
fn stream_of(count: u64, limits: NodeLimits) -> Stream {
    let mut stream = Stream::default();
    for ms in 1..=count {
        append(stream.log_mut(), id(ms, 0), &small(id(ms, 0)), limits);
    }
    stream
}

/// What is written to files, read again.
fn reload(stream: &Stream) -> Result<Stream, Damaged> {
    let (mut loaded, log) = (Stream::default(), stream.log());
    for (master_id, listpack) in log.nodes() {
        loaded.load_node(master_id, listpack.to_vec())?;
    }
    let newer = NewerFacts {
        first_id: log.first_id(),
        max_deleted_id: log.max_deleted_id(),
        entries_added: log.entries_added(),
    };
    loaded.load_facts(Facts { length: log.len(), last_id: log.last_id(), since_7_0: Some(newer) })?;
    for group in stream.groups() {
        let mut loading = LoadingGroup::new(group.name(), group.last_id, group.entries_read);
        for (id, pending) in group.all_pending() {
            loading.pending(id, pending.delivered_ms, pending.deliveries)?;
        }
        for consumer in group.consumers() {
            let index = loading.consumer(consumer.name(), consumer.seen_ms, consumer.active_ms)?;
            for id in consumer.pending_ids() {
                loading.consumer_pending(index, id)?;
            }
        }
        loaded.load_group(loading)?;
    }
    Ok(loaded)
}

/// Compares a log with the list of entries it should have, by every way of reading.
fn compare(log: &Log, model: &[(StreamId, Pairs)], random: &mut Random) {
    assert_eq!(log.len(), model.len() as u64);
    assert_eq!(log.iter().map(|entry| read(&entry)).collect::<Vec<_>>(), model);
    let reversed: Vec<_> = log.range_reversed(StreamId::MIN, StreamId::MAX).map(|entry| read(&entry)).collect();
    assert!(reversed.iter().rev().eq(model));
    assert_eq!(log.first_id(), model.first().map_or(StreamId::MIN, |(id, _)| *id));
    assert_eq!(log.last_live_id(), model.last().map(|(id, _)| *id));
    let last = log.last_id().ms + 2;
    for _ in 0..5 {
        let start = id(random.below(last), random.below(3));
        let end = if random.below(2) == 0 { id(random.below(last), random.below(3)) } else { StreamId::MAX };
        let expected: Vec<StreamId> = model.iter().map(|(id, _)| *id).filter(|id| (start..=end).contains(id)).collect();
        assert_eq!(log.range(start, end).map(|entry| entry.id).collect::<Vec<_>>(), expected, "{start:?} {end:?}");
        let reversed: Vec<StreamId> = log.range_reversed(start, end).map(|entry| entry.id).collect();
        assert!(reversed.iter().rev().eq(&expected), "{start:?} {end:?}");
        let found = log.get(start).map(|entry| read(&entry));
        assert_eq!(found.as_ref(), model.iter().find(|(id, _)| *id == start));
    }
}

fn random_pairs(random: &mut Random) -> Pairs {
    const FIELDS: [&[u8]; 4] = [b"a", b"17", b"a longer field", b""];
    let count = 1 + random.below(3) as usize;
    let first = random.below(8) as usize;
    let value = |random: &mut Random| match random.below(4) {
        0 => random.next_u64().to_string().into_bytes(),
        1 => b"-5".to_vec(),
        2 => vec![b'x'; random.below(100) as usize],
        _ => b"007".to_vec(),
    };
    (0..count).map(|at| (FIELDS[first.saturating_sub(4 - at) % 4].to_vec(), value(random))).collect()
}

fn random_step(log: &mut Log, model: &mut Vec<(StreamId, Pairs)>, random: &mut Random) {
    match random.below(20) {
        0..=12 => {
            let last = log.last_id();
            let next = if random.below(2) == 0 { id(last.ms, last.sequence + 1) } else { id(last.ms + 1, 0) };
            let pairs = random_pairs(random);
            let limits = NodeLimits { bytes_max: [0, 200][random.below(2) as usize], ..LIMITS };
            append(log, next, &pairs, limits);
            model.push((next, pairs));
        }
        13..=16 => {
            let wanted = match model.len() as u64 {
                0 => id(1, 1),
                count => model[random.below(count) as usize].0,
            };
            let place = model.iter().position(|(id, _)| *id == wanted);
            assert_eq!(log.delete(wanted), place.is_some());
            assert!(!log.delete(wanted));
            if let Some(place) = place {
                model.remove(place);
            }
        }
        17 | 18 => {
            let keep = match random.below(2) {
                0 => Keep::Newest(random.below(model.len() as u64 + 3)),
                _ => Keep::From(id(random.below(log.last_id().ms + 2), 0)),
            };
            let removed = match keep {
                Keep::Newest(count) => model.len().saturating_sub(count as usize),
                Keep::From(least) => model.iter().filter(|(id, _)| *id < least).count(),
            };
            let whole_nodes = random.below(2) == 0;
            let trimmed = log.trim(&Trim { keep, whole_nodes, limit: 0 }) as usize;
            assert!(trimmed == removed || (whole_nodes && trimmed < removed));
            model.drain(..trimmed);
        }
        _ => {
            log.set_ids(id(log.last_id().ms + 1, 0), None, None);
        }
    }
}

#[test]
fn a_log_behaves_like_a_list() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let (mut stream, mut model) = (Stream::default(), Vec::new());
        for _ in 0..400 {
            random_step(stream.log_mut(), &mut model, &mut random);
            if random.below(8) == 0 {
                compare(stream.log(), &model, &mut random);
            }
            if random.below(50) == 0 {
                let copy = stream.copy();
                compare(copy.log(), &model, &mut random);
                stream = if random.below(2) == 0 { copy } else { reload(&stream).expect("what we write we read") };
            }
        }
        compare(stream.log(), &model, &mut random);
        let bytes: usize = stream.log().nodes().map(|(_, listpack)| listpack.len()).sum();
        assert!(stream.memory_bytes() >= bytes);
        stream.log_mut().trim(&Trim { keep: Keep::Newest(0), whole_nodes: false, limit: 0 });
        assert_eq!(stream.log().memory_bytes(), 0);
    }
}

/// The bytes of a node as stock Redis 7.0 has it after XADD k 1-0 f v; XADD k 1-1 f w; XADD k 2-0 g 1; XDEL k 1-1.
#[test]
fn nodes_have_the_layout_of_redis() {
    let mut log = Log::default();
    let limits = NodeLimits { bytes_max: 4096, entries_max: 100 };
    append(&mut log, id(1, 0), &vec![(b"f".to_vec(), b"v".to_vec())], limits);
    append(&mut log, id(1, 1), &vec![(b"f".to_vec(), b"w".to_vec())], limits);
    append(&mut log, id(2, 0), &vec![(b"g".to_vec(), b"1".to_vec())], limits);
    log.delete(id(1, 1));
    let nodes: Vec<_> = log.nodes().collect();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0].0, id(1, 0));
    let mut expected = Listpack::new();
    let integers = |pack: &mut Listpack, integers: &[i64]| pack.extend(integers.iter().map(|i| Element::Integer(*i)));
    integers(&mut expected, &[2, 1, 1]);
    expected.push_back(Element::Bytes(b"f"));
    integers(&mut expected, &[0, 2, 0, 0]);
    expected.push_back(Element::Bytes(b"v"));
    integers(&mut expected, &[4, 3, 0, 1]);
    expected.push_back(Element::Bytes(b"w"));
    integers(&mut expected, &[4, 0, 1, 0, 1]);
    expected.push_back(Element::Bytes(b"g"));
    integers(&mut expected, &[1, 6]);
    assert_eq!(nodes[0].1, expected.as_bytes());
}

#[test]
fn nodes_end_by_entries_and_by_bytes() {
    let nodes = |limits| stream_of(20, limits).log().nodes_count();
    assert_eq!(nodes(NodeLimits { bytes_max: 4096, entries_max: 5 }), 4);
    assert_eq!(nodes(NodeLimits { bytes_max: 0, entries_max: 0 }), 1);
    assert_eq!(nodes(NodeLimits { bytes_max: 1, entries_max: 100 }), 20);
}

#[test]
fn nodes_of_a_long_stream_have_their_room_at_once() {
    let limits = NodeLimits { bytes_max: 4096, entries_max: 0 };
    let mut stream = Stream::default();
    let (mut few, mut jumps, mut before) = (0, 0, 0);
    for ms in 1..=2000 {
        let pairs = vec![(b"field".to_vec(), vec![b'v'; 64])];
        append(stream.log_mut(), id(ms, 0), &pairs, limits);
        let (log, bytes) = (stream.log(), stream.log().memory_bytes());
        if log.nodes_count() <= 2 {
            few = bytes;
        } else if log.nodes_count() > 10 {
            jumps += usize::from(bytes != before);
        }
        before = bytes;
    }
    assert!(few < 3 * 4096, "{few} bytes for two nodes");
    let (nodes, packed) = (stream.log().nodes_count(), stream.log().nodes().map(|(_, pack)| pack.len()).sum::<usize>());
    assert!(jumps <= 2 * nodes, "memory was taken {jumps} times for {nodes} nodes");
    assert!(before < packed * 5 / 4 + 4096, "{before} bytes of memory for {packed}");

    // One that was large does not make all others so.
    let mut stream = stream_of(20, NodeLimits { bytes_max: 0, entries_max: 2 });
    let large = vec![(b"field".to_vec(), vec![b'v'; 1_000_000])];
    append(stream.log_mut(), id(21, 0), &large, NodeLimits { bytes_max: 0, entries_max: 1 });
    append(stream.log_mut(), id(22, 0), &small(id(22, 0)), NodeLimits { bytes_max: 0, entries_max: 1 });
    assert!(stream.log().memory_bytes() < 1_020_000, "{}", stream.log().memory_bytes());
}

#[test]
fn trimming_whole_nodes_stops_where_one_would_be_cut() {
    let limits = NodeLimits { bytes_max: 0, entries_max: 10 };
    let trim = |keep, whole_nodes, limit| {
        let mut stream = stream_of(100, limits);
        stream.log_mut().trim(&Trim { keep, whole_nodes, limit })
    };
    assert_eq!(trim(Keep::Newest(55), true, 0), 40);
    assert_eq!(trim(Keep::Newest(55), false, 0), 45);
    assert_eq!(trim(Keep::Newest(0), true, 35), 30);
    assert_eq!(trim(Keep::Newest(0), true, 9), 0);
    assert_eq!(trim(Keep::From(id(26, 0)), true, 0), 20);
    assert_eq!(trim(Keep::From(id(26, 0)), false, 0), 25);
    assert_eq!(trim(Keep::From(id(1000, 0)), true, 0), 100);
}

#[test]
fn the_next_id() {
    let mut log = Log::default();
    assert_eq!(log.next_id(0), Some(id(0, 1)));
    assert_eq!(log.next_id(7), Some(id(7, 0)));
    log.set_ids(id(7, 3), None, None);
    assert_eq!((log.next_id(7), log.next_id(6), log.next_id(8)), (Some(id(7, 4)), Some(id(7, 4)), Some(id(8, 0))));
    assert_eq!((log.next_id_at(7), log.next_id_at(9)), (Some(id(7, 4)), Some(id(9, 0))));
    log.set_ids(id(7, u64::MAX), None, None);
    assert_eq!((log.next_id(7), log.next_id_at(7)), (Some(id(8, 0)), None));
    log.set_ids(StreamId::MAX, None, None);
    assert_eq!(log.next_id(7), None);
}

#[test]
fn lags() {
    let mut stream = stream_of(10, LIMITS);
    let group = |last: u64, read| Group::new(b"g", id(last, 0), read);
    let lag = |stream: &Stream, last, read| group(last, read).lag(stream.log());
    assert_eq!(lag(&stream, 0, None), Some(10));
    assert_eq!(lag(&stream, 1, None), Some(9));
    assert_eq!(lag(&stream, 10, None), Some(0));
    assert_eq!(lag(&stream, 5, None), None);
    assert_eq!(lag(&stream, 11, None), None);
    assert_eq!(lag(&stream, 5, Some(5)), Some(5));
    stream.log_mut().delete(id(7, 0));
    assert_eq!(lag(&stream, 5, Some(5)), None, "a deleted entry lies ahead");
    assert_eq!(lag(&stream, 8, Some(8)), Some(2), "it lies behind");
    let mut reader = group(5, Some(5));
    reader.advance(stream.log(), id(6, 0));
    assert_eq!((reader.last_id, reader.entries_read), (id(6, 0), None));
    reader.advance(stream.log(), id(8, 0));
    reader.advance(stream.log(), id(9, 0));
    assert_eq!(reader.entries_read, None);
    reader.advance(stream.log(), id(10, 0));
    assert_eq!(reader.entries_read, Some(10));
    assert_eq!(Group::new(b"g", id(3, 0), None).lag(Stream::default().log()), Some(0));
}

#[test]
fn what_is_pending_stands_in_group_and_consumer() {
    let mut group = Group::new(b"g", StreamId::MIN, None);
    let mut model: Vec<(StreamId, Vec<u8>)> = Vec::new();
    let mut random = Random::new(7);
    for step in 0..3000 {
        let wanted = id(random.below(60), 0);
        let name = [b'a' + random.below(6) as u8];
        match random.below(12) {
            0 => {
                let known = group.find_consumer(&name);
                assert_eq!(group.create_consumer(&name, step).is_none(), known.is_some());
            }
            1 => {
                if let Some(index) = group.find_consumer(&name) {
                    let deleted = group.delete_consumer(index);
                    let before = model.len();
                    model.retain(|(_, owner)| owner[..] != name);
                    assert_eq!(deleted, before - model.len());
                }
            }
            2..=4 => {
                let known = model.iter().position(|(id, _)| *id == wanted);
                assert_eq!(group.acknowledge(wanted), known.is_some());
                known.map(|place| model.remove(place));
            }
            _ => {
                if let Some(consumer) = group.find_consumer(&name) {
                    group.assign(wanted, Pending { consumer, delivered_ms: step, deliveries: 1 });
                    model.retain(|(id, _)| *id != wanted);
                    model.push((wanted, name.to_vec()));
                }
            }
        }
        model.sort();
        let all: Vec<_> =
            group.all_pending().map(|(id, of)| (id, group.consumer(of.consumer).name().to_vec())).collect();
        assert_eq!(all, model);
        let mut names = Vec::new();
        for consumer in group.consumers() {
            names.push(consumer.name().to_vec());
            let own: Vec<_> = model.iter().filter(|(_, owner)| *owner == consumer.name()).map(|(id, _)| *id).collect();
            assert_eq!(consumer.pending_ids().collect::<Vec<_>>(), own);
        }
        assert!(names.is_sorted());
    }
}

#[test]
fn delivering_again_counts_what_is_still_there() {
    let mut group = Group::new(b"g", StreamId::MIN, None);
    let consumer = group.create_consumer(b"c", 0).expect("new");
    for ms in 1..=4 {
        group.assign(id(ms, 0), Pending { consumer, delivered_ms: 5, deliveries: 1 });
    }
    let mut seen = Vec::new();
    group.deliver_again(consumer, id(2, 0), 9, |id| {
        seen.push(id.ms);
        (id.ms < 4).then_some(id.ms == 2)
    });
    assert_eq!(seen, [2, 3, 4]);
    let counts: Vec<_> = group.all_pending().map(|(_, pending)| (pending.delivered_ms, pending.deliveries)).collect();
    assert_eq!(counts, [(5, 1), (9, 2), (5, 1), (5, 1)]);
}

#[test]
fn huge_streams_are_freed_in_slices() {
    let mut stream = stream_of(50_000, NodeLimits { bytes_max: 0, entries_max: 5 });
    let mut group = Group::new(b"g", StreamId::MIN, None);
    for name in 0..3000_u32 {
        let consumer = group.create_consumer(&name.to_be_bytes(), 0).expect("new");
        for ms in 0..20 {
            group.assign(id(u64::from(name), ms), Pending { consumer, delivered_ms: 5, deliveries: 1 });
        }
    }
    stream.add_group(group);
    let expected = stream.allocations() / ALLOCATIONS_PER_SLICE;
    let mut slices = 1;
    while stream.free_slice() {
        slices += 1;
    }
    assert!((expected..=expected + 20).contains(&slices), "{slices} of {expected}");
    assert_eq!((stream.groups().len(), stream.log().nodes_count()), (0, 0));
}

#[test]
fn damaged_files_are_refused() {
    let stream = stream_of(3, LIMITS);
    let (master_id, good) = stream.log().nodes().next().map(|(id, bytes)| (id, bytes.to_vec())).expect("one node");
    let mut loaded = Stream::default();
    assert_eq!(loaded.load_node(master_id, good.clone()), Ok(()));
    assert!(loaded.load_node(master_id, good.clone()).is_err(), "the same node again");
    let facts = Facts { length: 4, last_id: id(3, 0), since_7_0: None };
    assert!(loaded.load_facts(facts).is_err());
    assert_eq!(loaded.load_facts(Facts { length: 3, ..facts }), Ok(()));
    assert_eq!((loaded.log().first_id(), loaded.log().entries_added()), (id(1, 0), 3));
    let integers = |numbers: &[i64]| {
        let mut pack = Listpack::new();
        pack.extend(numbers.iter().map(|number| Element::Integer(*number)));
        Stream::default().load_node(id(1, 0), pack.as_bytes().to_vec()).is_ok()
    };
    assert!(integers(&[1, 0, 1, 9, 0, 2, 0, 0, 8, 4]));
    assert!(integers(&[1, 1, 1, 9, 0, 0, 0, 0, 1, 9, 8, 6, 3, 0, 1, 8, 4]));
    for bad in [
        &[1, 0, 1, 9, 0][..],
        &[0, 0, 1, 9],
        &[0, 0, 1, 9, 1],
        &[-1, 0, 1, 9, 0],
        &[1, 0, i64::MAX, 9, 0, 2, 0, 0, 8, 4],
        &[1, 0, 1, 9, 0, 2, 0, 0, 8, 5],
        &[1, 0, 1, 9, 0, 3, 0, 0, 8, 4],
        &[1, 0, 1, 9, 0, 0, 0, 0, i64::MAX, 8, 4],
        &[1, 0, 1, 9, 0, 2, 0, 0, 8],
        &[1, 0],
        &[],
    ] {
        assert!(!integers(bad), "{bad:?}");
    }
    let mut loading = LoadingGroup::new(b"g", id(1, 0), None);
    assert!(loading.pending(id(1, 0), 5, 1).is_ok());
    assert!(loading.pending(id(1, 0), 5, 1).is_err());
    let consumer = loading.consumer(b"c", 1, 1).expect("new");
    assert!(loading.consumer(b"c", 1, 1).is_err());
    assert!(loading.consumer_pending(consumer, id(2, 0)).is_err());
    assert!(Stream::default().load_group(loading).is_err(), "nobody owns 1-0");
}

#[test]
fn any_bytes_load_or_are_refused() {
    let good = stream_of(3, LIMITS).log().nodes().next().map(|(_, bytes)| bytes.to_vec()).expect("one node");
    let mut random = Random::new(3);
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = 6 + random.below(bytes.len() as u64 - 7) as usize;
            bytes[at] = random.next_u64() as u8;
        }
        let mut stream = Stream::default();
        if stream.load_node(id(random.below(9), 0), bytes).is_err() {
            continue;
        }
        let log = stream.log_mut();
        let count = log.iter().map(|entry| entry.fields().count()).sum::<usize>();
        assert!(count <= good.len());
        log.range_reversed(StreamId::MIN, StreamId::MAX).for_each(drop);
        log.delete(id(2, 0));
        log.trim(&Trim { keep: Keep::Newest(1), whole_nodes: false, limit: 0 });
        log.trim(&Trim { keep: Keep::From(id(3, 0)), whole_nodes: false, limit: 0 });
    }
}
