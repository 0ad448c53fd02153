//! Which commands are written into the slow log, and how: what is secret is left out.

use crate::command::args::Args;
use crate::command::redact::is_secret;
use crate::command::spec::{Flags, Run, Step};
use crate::command::table::Row;
use crate::shard::call;
use crate::stats::slow_log::{SlowCommand, shortened};

use super::core::Core;
use super::state::Session;

impl Core {
    /// Whether a command of a window is timed by itself.
    #[inline]
    pub(super) fn is_timed(&self, row: &Row) -> bool {
        call::is_timed(self.config.get_i64(crate::param!("slowlog-log-slower-than")), row)
    }

    /// A command took so long: it is written down if that was long.
    #[inline]
    pub(super) fn note_spent(&self, session: &Session, row: &'static Row, args: Args<'_>, spent_ns: u64) {
        let threshold_us = self.config.get_i64(crate::param!("slowlog-log-slower-than"));
        if threshold_us >= 0 && spent_ns / 1_000 >= threshold_us as u64 {
            self.write_down(session, row, args, spent_ns);
        }
    }

    #[cold]
    fn write_down(&self, session: &Session, row: &'static Row, args: Args<'_>, spent_ns: u64) {
        // What is not executed but queued, or runs others, is not meant.
        if row.flags.has(Flags::SKIP_SLOWLOG) || matches!(row.command.run, Run::Transaction(Step::Exec)) {
            return;
        }
        const REDACTED: &[u8] = b"(redacted)";
        let shown = (0..args.len()).map(|at| if is_secret(row, args, at) { REDACTED } else { args.get(at) });
        let command = SlowCommand {
            number: 0,
            at_s: self.now_ms() / 1000,
            spent_us: spent_ns / 1_000,
            arguments: shortened(args.len(), shown),
            address: session.client.address.clone(),
            name: session.client.name.as_ref().map(|name| name.to_vec()).unwrap_or_default(),
        };
        let max = self.config.get_u64(crate::param!("slowlog-max-len")) as usize;
        self.server.slow_log.push(command, max);
    }
}
