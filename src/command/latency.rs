//! LATENCY: how long commands took. The histograms are kept by the cores (`stats/latency.rs`).

use crate::stats::latency::LatencySum;
use crate::stats::server::ServerFacts;

use super::context::SessionContext;
use super::error::CommandError;
use super::help::reply_help;
use super::spec::{Command, Flags, Run};
use super::table::{Row, TABLE};

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "latency",
    arity: -2,
    run: Run::Container,
    since: "2.8.13",
    summary: "Commands about how long things take.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Command::BASE
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "histogram",
        arity: -2,
        run: Run::Session(histogram),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
        since: "7.0.0",
        summary: "Returns how many calls of commands took how long.",
        complexity: "O(N), N commands that are shown",
        syntax: "[command...]",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Command::BASE
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        since: "2.8.13",
        summary: "Explains the subcommands.",
        ..Command::BASE
    },
];

/// How long the commands of a row took on all cores; none when it has not run since the start or CONFIG RESETSTAT.
pub(super) fn of_row(server: &ServerFacts, row: &'static Row) -> Option<LatencySum> {
    let mut histograms = row.counted_with().flat_map(|row| {
        server.cores.iter().filter_map(|core| core.per_command[row.id].latency.get()).map(|latency| &**latency)
    });
    let first = histograms.next()?;
    let sum = LatencySum::of(std::iter::once(first).chain(histograms));
    (sum.calls() > 0).then_some(sum)
}

fn histogram(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let all = context.reply.deferred();
    let mut shown = 0;
    if context.args.len() == 2 {
        for row in TABLE.visible_rows() {
            shown += show(context, row);
        }
    }
    // Names that nobody has are passed over, and a container stands for its subcommands.
    for row in context.args.iter_from(2).filter_map(|name| TABLE.find_full(name)) {
        shown += show(context, row);
        for sub in row.visible_subcommands() {
            shown += show(context, sub);
        }
    }
    context.reply.finish_map(all, shown);
    Ok(())
}

/// Writes one command's histogram, if it has one; returns how many were written.
fn show(context: &mut SessionContext<'_>, row: &'static Row) -> usize {
    let Some(latency) = of_row(context.server, row) else { return 0 };
    let reply = &mut *context.reply;
    reply.bulk(row.full_name.as_bytes());
    reply.map(2);
    reply.bulk(b"calls");
    reply.integer(latency.calls() as i64);
    reply.bulk(b"histogram_usec");
    let pairs = latency.cumulative_us();
    reply.map(pairs.len());
    for (time_us, calls) in pairs {
        reply.integer(time_us as i64);
        reply.integer(calls as i64);
    }
    1
}

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "LATENCY", &[
        "HISTOGRAM [COMMAND ...]",
        "    How many calls of each command took no longer than so many microseconds. The calls of a pipeline that run",
        "    together share their time evenly.",
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Harness;

    fn two_cores() -> Harness {
        let mut harness = Harness::new(2);
        harness.server = ServerFacts::new(2, TABLE.count(), String::new(), 0);
        harness
    }

    fn ran(harness: &Harness, name: &str, core: usize, times_us: &[u64]) {
        let row = TABLE.find_full(name.as_bytes()).expect("a command");
        for time_us in times_us {
            harness.server.cores[core].spent(std::iter::once(row.id), time_us * 1000, true);
        }
    }

    #[test]
    fn histograms_of_all_cores_together() {
        let mut harness = two_cores();
        assert_eq!(harness.run("LATENCY HISTOGRAM"), "*0\r\n");
        ran(&harness, "get", 0, &[1, 9]);
        ran(&harness, "get", 1, &[9, 200]);
        ran(&harness, "config|get", 1, &[12]);
        let get = "$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:4\r\n$14\r\nhistogram_usec\r\n*6\r\n:1\r\n:1\r\n:16\r\n:3\r\n:264\r\n:4\r\n";
        let config = "$10\r\nconfig|get\r\n*4\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n*2\r\n:16\r\n:1\r\n";
        for (line, expected) in [
            ("LATENCY HISTOGRAM GET", format!("*2\r\n{get}")),
            ("LATENCY HISTOGRAM bogus get set", format!("*2\r\n{get}")),
            ("LATENCY HISTOGRAM config", format!("*2\r\n{config}")),
            ("LATENCY HISTOGRAM CONFIG|GET", format!("*2\r\n{config}")),
            ("LATENCY HISTOGRAM", format!("*4\r\n{config}{get}")),
            ("LATENCY HISTOGRAM bogus", "*0\r\n".into()),
        ] {
            assert_eq!(harness.run(line), expected, "{line}");
        }
        harness.server.reset();
        assert_eq!(harness.run("LATENCY HISTOGRAM"), "*0\r\n");
    }

    #[test]
    fn percentiles_in_info() {
        let mut harness = two_cores();
        ran(&harness, "get", 0, &[9; 99]);
        ran(&harness, "get", 1, &[200]);
        let info = |harness: &mut Harness| harness.run("INFO latencystats");
        let text = info(&mut harness);
        assert!(text.contains("latency_percentiles_usec_get:p50=9.215,p99=9.215,p99.9=204.799\r\n"), "{text}");
        harness.configure("latency-tracking-info-percentiles", "100");
        assert!(info(&mut harness).contains("latency_percentiles_usec_get:p100=204.799\r\n"));
    }
}
