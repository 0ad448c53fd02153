//! The log, in Redis' shape: `pid:M 21 Nov 2026 10:15:00.123 * message`, to standard output or a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, reload};

use crate::config::{Changed, Config};

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

/// Where lines go. A file is opened for each line, as Redis does, so that whoever rotates logs may move it away.
enum Output {
    Standard,
    File(PathBuf),
}

impl Output {
    fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(path)
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Box<dyn Write>;

    fn make_writer(&'a self) -> Box<dyn Write> {
        match self {
            Output::Standard => Box::new(io::stdout()),
            Output::File(path) => match Output::open(path) {
                Ok(file) => Box::new(file),
                // There is nowhere left to say so.
                Err(_) => Box::new(io::sink()),
            },
        }
    }
}

/// The running log: its level can be changed.
pub struct Log {
    level: reload::Handle<LevelFilter, Registry>,
}

impl Log {
    /// Starts logging as `loglevel` and `logfile` say. Called once.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn start(config: &Config) -> io::Result<Log> {
        let path = config.get_path(crate::param!("logfile"));
        let output = if path.as_os_str().is_empty() {
            Output::Standard
        } else {
            // CONFIG SET dir must not move it.
            let path = std::path::absolute(path)?;
            Output::open(&path)?;
            Output::File(path)
        };
        let (subscriber, log) = Log::to(level_of(config), output);
        // A second start in one process (tests) keeps the first log.
        let _ = subscriber.try_init();
        Ok(log)
    }

    fn to(level: LevelFilter, output: Output) -> (impl Subscriber + Send + Sync, Log) {
        let (filter, level) = reload::Layer::new(level);
        let lines = tracing_subscriber::fmt::layer().event_format(RedisFormat).with_writer(output);
        (tracing_subscriber::registry().with(filter).with(lines), Log { level })
    }

    /// Does what CONFIG SET loglevel asks for.
    pub fn apply(&self, config: &Config, changed: &Changed) {
        if changed.includes(crate::param!(index of "loglevel")) {
            self.set(level_of(config));
        }
    }

    fn set(&self, level: LevelFilter) {
        // Fails only without a subscriber, and then nothing is logged anyway.
        let _ = self.level.reload(level);
    }
}

fn level_of(config: &Config) -> LevelFilter {
    match config.get_word(crate::param!("loglevel")) {
        "debug" => LevelFilter::TRACE,
        "verbose" => LevelFilter::DEBUG,
        "notice" => LevelFilter::INFO,
        "warning" => LevelFilter::WARN,
        _ => LevelFilter::OFF,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_can_be_changed_and_the_file_moved() {
        let folder = std::env::temp_dir().join(format!("ringfort-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let (path, moved) = (folder.join("log"), folder.join("log.1"));
        let (subscriber, log) = Log::to(LevelFilter::WARN, Output::File(path.clone()));
        let say = |text: &str| tracing::info!("{text}");
        tracing::subscriber::with_default(subscriber, || {
            say("one");
            tracing::warn!("two");
            log.set(LevelFilter::INFO);
            say("three");
            std::fs::rename(&path, &moved).expect("the file is there");
            say("four");
            log.set(LevelFilter::OFF);
            tracing::warn!("five");
        });
        let lines = |path: &Path| std::fs::read_to_string(path).expect("lines were written");
        let (before, after) = (lines(&moved), lines(&path));
        assert!(before.contains(" # two\n") && before.contains(" * three\n") && before.lines().count() == 2, "{before}");
        assert!(after.ends_with(" * four\n") && after.lines().count() == 1, "{after}");
        std::fs::remove_dir_all(&folder).expect("the folder is ours");
    }
}
