//! Records for the log what commands did, in the boxes they did it in. Called by `call`, by the home side for parts of
//! scattered commands, and by whoever runs several commands as one (EXEC, scripts).
//!
//! A command that changed something is recorded as it was sent, unless its handler named other *effects* (what depends on
//! chance, on the clock, or on who was served). What concerned one shard stands in that shard's journal. What concerned
//! several becomes a joint chunk: the boxes of all its keys are in hand, so its place among the changes of each shard is
//! the same everywhere.
//!
//! A *unit* (`begin_unit`, `end_unit`) collects the records of several commands in the order in which they ran; what keys
//! went meanwhile because their time had come stands among them where it happened. Units do not nest.

use crate::command::args::Args;
use crate::command::context::{Context, Keyspaces};
use crate::command::keys;
use crate::command::spec::Flags;
use crate::command::table::Row;
use crate::keyspace::journal::{Joint, Journal};
use crate::keyspace::records::Records;
use crate::keyspace::{KeyHasher, Keyspace};
use crate::stdx::limits::JOURNAL_BYTES_KEPT_MAX;

use super::exchange::bits;

/// Boxes, some of them in hand.
type Boxes = [Option<Box<Keyspace>>];

/// Before a command runs: notes what has been changed so far. False when nothing is recorded.
#[inline]
pub fn before(keyspaces: &mut Keyspaces<'_>) -> bool {
    let only = keyspaces.only();
    let boxes = keyspaces.boxes().0;
    match only {
        Some(shard) => match &mut boxes[shard] {
            Some(keyspace) if keyspace.journal.is_on() => {
                keyspace.journal.changes_before = keyspace.journal.changes;
                true
            }
            _ => false,
        },
        None => {
            let mut on = false;
            for keyspace in boxes.iter_mut().flatten() {
                keyspace.journal.changes_before = keyspace.journal.changes;
                on |= keyspace.journal.is_on();
            }
            on
        }
    }
}

/// After a command ran, when `before` said so. `failed`: its reply is an error.
#[inline]
pub fn after(row: &'static Row, context: &mut Context<'_>, failed: bool) {
    let (args, database, only) = (context.args, context.database, context.keyspaces.only());
    let (boxes, hasher) = context.keyspaces.boxes();
    if let Some(shard) = only
        && let Some(keyspace) = boxes[shard].as_deref_mut()
        && !keyspace.journal.in_unit
    {
        after_one(row, &mut keyspace.journal, database, args, failed);
    } else {
        after_several(row, boxes, hasher, database, args, failed);
    }
}

/// A command of one shard by itself.
#[inline]
fn after_one(row: &'static Row, journal: &mut Journal, database: u32, args: Args<'_>, failed: bool) {
    if failed {
        journal.forget_effects();
    } else if !journal.effects.is_empty() {
        journal.record_effects();
    } else if journal.changes != journal.changes_before && is_recorded(row) {
        journal.open().push(database, args.len(), args.iter_from(0));
    }
    journal.changes_before = journal.changes;
}

/// What the command changed is recorded as the command itself. Not what only moves data about (DEBUG RELOAD), nor what runs
/// other commands, which are recorded.
fn is_recorded(row: &Row) -> bool {
    row.flags.has(Flags::WRITE) || row.full_name == "pfcount"
}

/// A command of several shards, or one of a unit.
fn after_several(
    row: &'static Row,
    boxes: &mut Boxes,
    hasher: &KeyHasher,
    database: u32,
    args: Args<'_>,
    failed: bool,
) {
    let leader = leader(boxes);
    let in_unit = leader.is_some();
    let Some(first) = leader.or_else(|| boxes.iter().position(Option::is_some)) else { return };
    let mut records = std::mem::take(&mut journal(boxes, first).unit);
    let mut expired = std::mem::take(&mut journal(boxes, first).unit_expired);
    let (mut shards, mut has_effects, mut changed) = (0u64, false, 0u64);
    for (shard, keyspace) in boxes.iter_mut().enumerate() {
        let Some(keyspace) = keyspace.as_deref_mut() else { continue };
        let journal = &mut keyspace.journal;
        if journal.in_unit && !journal.open().is_empty() {
            // What went because its time had come, while this command ran.
            records.append(journal.open());
            expired.append(journal.open());
            journal.open().clear(JOURNAL_BYTES_KEPT_MAX);
            shards |= 1 << shard;
        }
        has_effects |= !journal.effects.is_empty();
        changed |= u64::from(journal.changes != journal.changes_before || !journal.effects.is_empty()) << shard;
        journal.changes_before = journal.changes;
    }
    if failed {
        in_hand(boxes).for_each(Journal::forget_effects);
    } else if has_effects {
        shards |= changed;
        for journal in in_hand(boxes) {
            records.append(&journal.effects);
            journal.forget_effects();
        }
    } else if changed != 0 && is_recorded(row) {
        shards |= changed | shards_of_keys(row, args, boxes, hasher);
        records.push(database, args.len(), args.iter_from(0));
    }
    let journal = journal(boxes, first);
    (journal.unit, journal.unit_expired) = (records, expired);
    journal.unit_shards |= shards;
    if !in_unit {
        record_unit(boxes, first);
    }
}

/// The shards in hand that a command's keys belong to; all in hand when it names none: it concerns all there is.
fn shards_of_keys(row: &'static Row, args: Args<'_>, boxes: &Boxes, hasher: &KeyHasher) -> u64 {
    let in_hand = boxes.iter().enumerate().fold(0, |all, (shard, slot)| all | u64::from(slot.is_some()) << shard);
    let mut shards = 0;
    keys::visit_keys(row.command, args, |at| shards |= 1 << hasher.shard_of(&hasher.key(args.get(at))));
    if shards == 0 { in_hand } else { shards & in_hand }
}

/// What follows, up to `end_unit` or `forget_unit`, is one for the log. These boxes are in hand until then.
pub fn begin_unit(boxes: &mut Boxes, shards: u64) {
    for shard in bits(shards) {
        if let Some(keyspace) = boxes[shard].as_deref_mut().filter(|keyspace| keyspace.journal.is_on()) {
            keyspace.journal.close();
            keyspace.journal.in_unit = true;
        }
    }
    if leader(boxes).is_none()
        && let Some(journal) = in_hand(boxes).find(|journal| journal.in_unit)
    {
        journal.leads_unit = true;
    }
}

/// Further boxes came to hand within a unit.
pub fn join_unit(boxes: &mut Boxes, shards: u64) {
    if bits(shards).any(|shard| boxes[shard].as_ref().is_some_and(|keyspace| !keyspace.journal.in_unit)) {
        begin_unit(boxes, shards);
    }
}

/// Ends a unit, if there is one.
pub fn end_unit(boxes: &mut Boxes) {
    if let Some(first) = leave_unit(boxes) {
        record_unit(boxes, first);
    }
}

/// Ends a unit whose writes were taken back. What had expired is gone for good.
pub fn forget_unit(boxes: &mut Boxes) {
    let Some(first) = leave_unit(boxes) else { return };
    let journal = journal(boxes, first);
    std::mem::swap(&mut journal.unit, &mut journal.unit_expired);
    record_unit(boxes, first);
}

/// The boxes are in no unit any more; the one in which it was collected.
fn leave_unit(boxes: &mut Boxes) -> Option<usize> {
    let first = leader(boxes)?;
    for journal in in_hand(boxes) {
        (journal.in_unit, journal.leads_unit) = (false, false);
    }
    Some(first)
}

/// The box in which a unit is collected.
fn leader(boxes: &Boxes) -> Option<usize> {
    boxes.iter().position(|slot| slot.as_ref().is_some_and(|keyspace| keyspace.journal.leads_unit))
}

/// Records what was collected in this box.
fn record_unit(boxes: &mut Boxes, first: usize) {
    let mut records = std::mem::take(&mut journal(boxes, first).unit);
    let shards = std::mem::take(&mut journal(boxes, first).unit_shards);
    if !records.is_empty() {
        let main = shards.trailing_zeros() as usize;
        if shards.is_power_of_two() {
            journal(boxes, main).open().append_whole(&records);
        } else {
            let Some(log) = journal(boxes, first).log() else { return };
            let joint = Joint { ticket: log.take_ticket(), shards, is_sign: false };
            let nothing = Records::default();
            for shard in bits(shards) {
                journal(boxes, shard).push_joint(if shard == main { &records } else { &nothing }, joint);
            }
        }
        records.clear(JOURNAL_BYTES_KEPT_MAX);
    }
    // The buffer is used again.
    let journal = journal(boxes, first);
    journal.unit = records;
    journal.unit_expired.clear(JOURNAL_BYTES_KEPT_MAX);
}

/// A command that changed what is in no box, function libraries: its place is in the history of the first shard, whose box
/// is in hand. False when there was nothing to record.
pub fn besides(row: &Row, boxes: &mut Boxes, args: Args<'_>) -> bool {
    let first = 0;
    let is_on = |keyspace: &Box<Keyspace>| keyspace.journal.is_on();
    if !row.flags.has(Flags::WRITE) || !boxes[first].as_ref().is_some_and(is_on) {
        return false;
    }
    match leader(boxes) {
        Some(leader) => {
            let journal = journal(boxes, leader);
            journal.unit.push(0, args.len(), args.iter_from(0));
            journal.unit_shards |= 1 << first;
        }
        None => journal(boxes, first).open().push(0, args.len(), args.iter_from(0)),
    }
    true
}

/// A sign for the log between what was changed before and what is changed after. With all boxes in hand, none of them held.
pub fn sign(boxes: &mut Boxes, ticket: u64) {
    let shards = boxes.iter().enumerate().fold(0, |all, (shard, slot)| all | u64::from(slot.is_some()) << shard);
    let joint = Joint { ticket, shards, is_sign: true };
    in_hand(boxes).for_each(|journal| journal.push_joint(&Records::default(), joint));
}

/// Before a part of a scattered command is applied.
pub fn before_part(journal: &mut Journal) {
    journal.close();
    journal.changes_before = journal.changes;
}

/// After it was applied: even a part that changed nothing tells the log that it was done.
pub fn after_part(journal: &mut Journal, joint: Option<Joint>, database: u32, args: Args<'_>) {
    let Some(joint) = joint.filter(|_| journal.is_on()) else { return };
    if journal.changes != journal.changes_before {
        journal.open().push(database, args.len(), args.iter_from(0));
    }
    journal.close_joint(joint);
}

fn in_hand(boxes: &mut Boxes) -> impl Iterator<Item = &mut Journal> {
    boxes.iter_mut().flatten().map(|keyspace| &mut keyspace.journal)
}

fn journal(boxes: &mut Boxes, shard: usize) -> &mut Journal {
    &mut boxes[shard].as_deref_mut().expect("what is recorded concerns boxes in hand").journal
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
