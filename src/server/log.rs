//! The log, in Redis' shape: `pid:M 21 Nov 2026 10:15:00.123 * message`, to standard output or a file.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::Config;

struct RedisFormat;

struct Message<'a, 'w>(&'a mut Writer<'w>, fmt::Result);

impl Visit for Message<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.1 = write!(self.0, "{value:?}");
        }
    }
}

impl<S, N> FormatEvent<S, N> for RedisFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mark = match *event.metadata().level() {
            Level::TRACE => '.',
            Level::DEBUG => '-',
            Level::INFO => '*',
            Level::WARN | Level::ERROR => '#',
        };
        let now = chrono::Local::now().format("%d %b %Y %H:%M:%S%.3f");
        write!(writer, "{}:M {now} {mark} ", std::process::id())?;
        let mut message = Message(&mut writer, Ok(()));
        event.record(&mut message);
        message.1?;
        writeln!(writer)
    }
}

/// Starts logging as `loglevel` and `logfile` say. Called once.
pub fn start(config: &Config) -> io::Result<()> {
    let level = match config.get_word(crate::param!("loglevel")) {
        "debug" => LevelFilter::TRACE,
        "verbose" => LevelFilter::DEBUG,
        "notice" => LevelFilter::INFO,
        "warning" => LevelFilter::WARN,
        _ => LevelFilter::OFF,
    };
    let path = config.get_path(crate::param!("logfile"));
    let builder = tracing_subscriber::fmt().with_max_level(level).event_format(RedisFormat);
    // A second start in one process (tests) keeps the first log.
    let _ = if path.as_os_str().is_empty() {
        builder.with_writer(io::stdout).try_init()
    } else {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        builder.with_writer(Mutex::new(file)).try_init()
    };
    Ok(())
}
