//! Tests of `Merger`: histories of single, joint and scattered writes, given to it in any order of arrival, and the simple
//! cases by hand.

use crate::keyspace::journal::{Joint, Journal, Shipment};
use crate::keyspace::records::Records;
use crate::runtime::log_marks::LogMarks;
use crate::stdx::random::Random;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

const SHARDS: usize = 3;
const KEYS: u64 = 4;

/// A scattered write that has taken its ticket.
struct Scattered {
    name: u64,
    joint: Joint,
    keys: [Option<u64>; SHARDS],
}

/// Shards in which keys are written, and what each key was written by, in order.
struct Model {
    random: Random,
    journals: Vec<Journal>,
    marks: Arc<LogMarks>,
    held: Vec<(usize, u64)>,
    under_way: Vec<Scattered>,
    written: BTreeMap<(usize, u64), Vec<u64>>,
    together: Vec<Vec<(usize, u64, u64)>>,
    next: u64,
    shipments: Vec<Shipment>,
}

impl Model {
    fn new(seed: u64) -> Model {
        let marks = Arc::new(LogMarks::new(SHARDS));
        let journals = (0..SHARDS).map(|_| {
            let mut journal = Journal::default();
            journal.switch(Some(marks.clone()));
            journal
        });
        Model {
            random: Random::new(seed),
            journals: journals.collect(),
            marks,
            held: Vec::new(),
            under_way: Vec::new(),
            written: BTreeMap::new(),
            together: Vec::new(),
            next: 0,
            shipments: Vec::new(),
        }
    }

    fn name(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn write(&mut self, shard: usize, key: u64, name: u64) -> Records {
        self.written.entry((shard, key)).or_default().push(name);
        let mut records = Records::default();
        records
            .push_words(0, &[format!("{shard}").as_bytes(), format!("{key}").as_bytes(), format!("{name}").as_bytes()]);
        records
    }

    fn free_key(&mut self, shard: usize) -> Option<u64> {
        let key = self.random.below(KEYS);
        (!self.held.contains(&(shard, key))).then_some(key)
    }

    fn ship(&mut self, shard: usize) {
        let mut shipment = Shipment::default();
        self.journals[shard].ship(shard, &mut shipment);
        if !shipment.heads.is_empty() {
            self.shipments.push(shipment);
        }
    }

    fn step(&mut self) {
        let shard = self.random.below(SHARDS as u64) as usize;
        match self.random.below(6) {
            0 | 1 => {
                let Some(key) = self.free_key(shard) else { return };
                let name = self.name();
                let records = self.write(shard, key, name);
                self.journals[shard].open().append(&records);
            }
            2 => self.ship(shard),
            3 if self.held.is_empty() => self.loan(),
            4 => self.scatter(),
            _ => self.apply(shard),
        }
    }

    /// Two shards at once.
    fn loan(&mut self) {
        let one = self.random.below(SHARDS as u64) as usize;
        let (name, shards) = (self.name(), [one, (one + 1) % SHARDS]);
        let joint = Joint {
            ticket: self.marks.take_ticket(),
            shards: shards.iter().fold(0, |all, shard| all | 1 << shard),
            is_sign: false,
        };
        let mut all = Records::default();
        let mut parts = Vec::new();
        for shard in shards {
            let key = self.random.below(KEYS);
            all.append(&self.write(shard, key, name));
            parts.push((shard, key, name));
        }
        self.journals[shards[0]].push_joint(&all, joint);
        self.journals[shards[1]].push_joint(&Records::default(), joint);
        self.together.push(parts);
    }

    /// Keys of several shards are held, and the ticket is taken.
    fn scatter(&mut self) {
        let mut keys = [None; SHARDS];
        for (shard, key) in keys.iter_mut().enumerate() {
            if self.random.below(3) > 0 {
                *key = self.free_key(shard);
            }
        }
        let shards = keys.iter().enumerate().fold(0u64, |all, (shard, key)| all | u64::from(key.is_some()) << shard);
        if shards.count_ones() < 2 {
            return;
        }
        self.held.extend(keys.iter().enumerate().filter_map(|(shard, key)| Some((shard, (*key)?))));
        let name = self.name();
        let parts = keys.iter().enumerate().filter_map(|(shard, key)| Some((shard, (*key)?, name)));
        self.together.push(parts.collect());
        let joint = Joint { ticket: self.marks.take_ticket(), shards, is_sign: false };
        self.under_way.push(Scattered { name, joint, keys });
    }

    /// A shard applies its part of one of the scattered writes.
    fn apply(&mut self, shard: usize) {
        let waiting: Vec<usize> =
            (0..self.under_way.len()).filter(|&at| self.under_way[at].keys[shard].is_some()).collect();
        if waiting.is_empty() {
            return;
        }
        let at = waiting[self.random.below(waiting.len() as u64) as usize];
        let (name, joint) = (self.under_way[at].name, self.under_way[at].joint);
        let Some(key) = self.under_way[at].keys[shard].take() else { return };
        self.held.retain(|held| *held != (shard, key));
        let records = self.write(shard, key, name);
        self.journals[shard].push_joint(&records, joint);
        if self.under_way[at].keys.iter().all(Option::is_none) {
            self.under_way.swap_remove(at);
        }
    }

    fn finish(&mut self) {
        while !self.under_way.is_empty() {
            (0..SHARDS).for_each(|shard| self.apply(shard));
        }
        (0..SHARDS).for_each(|shard| self.ship(shard));
    }
}

/// The records as lists of words, with `MULTI` and `EXEC` among them.
fn lines(bytes: &[u8]) -> Vec<Vec<String>> {
    let (mut at, mut ranges, mut lines) = (0, Vec::new(), Vec::new());
    while at < bytes.len() {
        let step = crate::persist::aof::reader::next(&bytes[at..], &mut ranges);
        let crate::persist::aof::reader::Step::Command { bytes_len } = step else { panic!("{step:?}") };
        let words = ranges.iter().map(|range| String::from_utf8_lossy(range.of(&bytes[at..], &[])).into_owned());
        lines.push(words.collect());
        at += bytes_len;
    }
    lines
}

#[test]
fn every_key_has_its_writes_in_order_and_what_belongs_together_stands_together() {
    for seed in 0..2_000 {
        let mut model = Model::new(seed);
        for _ in 0..60 {
            model.step();
        }
        model.finish();
        let (mut merger, mut out) = (Merger::new(SHARDS), Records::default());
        let mut shipments = std::mem::take(&mut model.shipments);
        while !shipments.is_empty() {
            let at = model.random.below(shipments.len().min(8) as u64) as usize;
            merger.accept(&shipments.remove(at), &mut out, |_, _| panic!("no sign was sent"));
        }
        assert_eq!(merger.waiting(), 0, "seed {seed}: something waits for good");
        let (mut written, mut groups, mut group) = (BTreeMap::<(usize, u64), Vec<u64>>::new(), Vec::new(), None);
        for line in lines(out.bytes()) {
            match line[0].as_str() {
                "MULTI" => group = Some(Vec::new()),
                "EXEC" => groups.push(group.take().expect("a group was open")),
                _ => {
                    let number = |at: usize| line[at].parse::<u64>().expect("a number");
                    let (shard, key, name) = (number(0) as usize, number(1), number(2));
                    written.entry((shard, key)).or_default().push(name);
                    if let Some(group) = &mut group {
                        group.push((shard, key, name));
                    }
                }
            }
        }
        assert_eq!(written, model.written, "seed {seed}");
        let mut together = std::mem::take(&mut model.together);
        together.iter_mut().chain(&mut groups).for_each(|group| group.sort_unstable());
        together.sort_unstable();
        groups.sort_unstable();
        assert_eq!(groups, together, "seed {seed}");
        for shard in 0..SHARDS {
            assert_eq!(merger.emitted(shard), model.journals[shard].chunks(), "seed {seed}");
        }
    }
}

#[test]
fn a_sign_stands_between_what_was_before_and_what_is_after() {
    let mut model = Model::new(1);
    let mut shipment = Shipment::default();
    for shard in 0..SHARDS {
        let records = model.write(shard, 0, 1);
        model.journals[shard].open().append(&records);
        let joint = Joint { ticket: 7, shards: (1 << SHARDS) - 1, is_sign: true };
        model.journals[shard].push_joint(&Records::default(), joint);
        let records = model.write(shard, 0, 2);
        model.journals[shard].open().append(&records);
        model.journals[shard].ship(shard, &mut shipment);
    }
    let (mut merger, mut out, mut before) = (Merger::new(SHARDS), Records::default(), None);
    merger.accept(&shipment, &mut out, |ticket, out| {
        assert_eq!(ticket, 7);
        before = Some(out.bytes().len());
        out.forget_database();
    });
    let before = before.expect("the sign was told of");
    let names = |bytes| lines(bytes).into_iter().filter(|line| line.len() == 3).map(|line| line[2].clone());
    assert_eq!(names(&out.bytes()[..before]).collect::<Vec<_>>(), ["1", "1", "1"]);
    assert_eq!(names(&out.bytes()[before..]).collect::<Vec<_>>(), ["2", "2", "2"]);
    assert_eq!(lines(&out.bytes()[before..])[0], ["SELECT", "0"]);
}
