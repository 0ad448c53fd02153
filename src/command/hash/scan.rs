//! HSCAN: a walk over the fields of a hash, a few with each call. A packed hash is shown whole at once.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::scan_options::{self, Page, ScanOptions, Walked};
use crate::command::spec::{self, Command, Flags, Run};
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::hash::Hash;

use super::{HASH, reply_element};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "hscan",
    arity: -3,
    run: Run::Keyed(hscan),
    flags: Flags::READONLY,
    keys: spec::KEY_READ,
    since: "2.8.0",
    summary: "Walks over the fields of a hash, a few with each call.",
    complexity: "O(1) a call; O(N) for the whole walk, N fields in the hash",
    syntax: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [NOVALUES]",
    tips: &["nondeterministic_output"],
    ..HASH
}];

fn hscan(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let cursor = scan_options::cursor(args, 2)?;
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    let mut page = Page::new(reply);
    let mut next = 0;
    // Options are not even looked at when there is no hash.
    if let Some(hash) = hash {
        let options = ScanOptions::parse(args, 3, Walked::Hash)?;
        next = options.walk(&mut page, cursor, |cursor, page| {
            hash.scan(cursor, now_ms, |field, value| {
                page.met += 1;
                if options.accepts(field.text(&mut [0; INTEGER_TEXT_BYTES_MAX])) {
                    reply_element(page.item(), field);
                    if !options.no_values {
                        reply_element(page.item(), value);
                    }
                }
            })
        });
    }
    page.finish(reply, next);
    Ok(())
}
