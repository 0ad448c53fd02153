//! `ringfort --check-rdb FILE`, also as redis-check-rdb: looks through a snapshot and says where it is damaged, in the words
//! and with the exit codes of Redis' tool. Every value is made, as for loading, and dropped again.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::command::load_limits::load_limits;
use crate::config::Config;
use crate::persist::rdb::error::{Cause, LoadError, ModuleName};
use crate::persist::rdb::file_read::{FileReader, Item, Part, key_form, key_name, read_key};
use crate::persist::rdb::reader::Text;
use crate::persist::rdb::value_read::{LoadLimits, Loaded};
use crate::runtime::clock::Clock;
use crate::stats::server::{REDIS_VERSION, RINGFORT_VERSION, ServerFacts};
use crate::stdx::limits::RDB_CHUNK_BYTES;
use crate::value::object::Value;

/// Redis' names of the forms of values, by number.
const FORM_NAMES: [&str; 26] = [
    "string",
    "list-linked",
    "set-hashtable",
    "zset-v1",
    "hash-hashtable",
    "zset-v2",
    "module-pre-release",
    "module-value",
    "",
    "hash-zipmap",
    "list-ziplist",
    "set-intset",
    "zset-ziplist",
    "hash-ziplist",
    "quicklist",
    "stream",
    "hash-listpack",
    "zset-listpack",
    "quicklist-v2",
    "stream-v2",
    "set-listpack",
    "stream-v3",
    "hash-hashtable-md-pre-release",
    "hash-listpack-md-pre-release",
    "hash-hashtable-md",
    "hash-listpack-md",
];

/// The program; the words behind `--check-rdb`.
pub fn run(words: &[OsString]) -> ExitCode {
    let [file] = words else {
        return told(&mut io::stderr(), "Usage: redis-check-rdb <rdb-file-name>\n", false);
    };
    if file == "-v" || file == "--version" {
        let text = format!("redis-check-rdb v={REDIS_VERSION} ringfort={RINGFORT_VERSION}\n");
        return told(&mut io::stdout(), &text, true);
    }
    let (is_sound, text) = check(Path::new(file));
    told(&mut io::stdout(), &text, is_sound)
}

fn told(stream: &mut dyn Write, text: &str, is_good: bool) -> ExitCode {
    // Nobody reads it when this fails.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Looks through a file: whether it can be loaded, and what is to be said about it.
pub fn check(path: &Path) -> (bool, String) {
    let config = Config::new();
    let limits = load_limits(&config, &ServerFacts::new(1, 0, String::new(), 0));
    let mut check = Check {
        text: format!("[offset 0] Checking RDB file {}\n", path.display()),
        reader: FileReader::new(true),
        limits,
        now_ms: Clock::real().unix_ms(),
        counts: Counts::default(),
    };
    // Redis says nothing of a file that cannot be opened.
    let Ok(file) = File::open(path) else { return (false, check.text) };
    let is_sound = check.all(file);
    if is_sound {
        check.info("\\o/ RDB looks OK! \\o/");
        check.text += &check.counts.text();
    }
    (is_sound, check.text)
}

#[derive(Default)]
struct Counts {
    keys: u64,
    expires: u64,
    expired: u64,
    field_expires: u64,
}

impl Counts {
    fn text(&self) -> String {
        format!(
            "[info] {} keys read\n[info] {} expires\n[info] {} already expired\n[info] {} subexpires\n",
            self.keys, self.expires, self.expired, self.field_expires
        )
    }
}

struct Check {
    text: String,
    reader: FileReader,
    limits: LoadLimits,
    now_ms: i64,
    counts: Counts,
}

impl Check {
    fn info(&mut self, text: &str) {
        self.text += &format!("[offset {}] {text}\n", self.reader.consumed());
    }

    /// Goes through the whole file; false when something is wrong, which has been said.
    fn all(&mut self, mut file: File) -> bool {
        let (mut bytes, mut from) = (Vec::new(), 0);
        loop {
            match self.reader.next_part(&bytes[from..]) {
                Ok(Part::NeedMore) => {
                    bytes.drain(..from);
                    from = 0;
                    match more(&mut file, &mut bytes) {
                        Ok(0) => {
                            self.counts.keys += u64::from(key_name(&bytes, self.reader.version()).is_some());
                            return self.wrong(&bytes, bytes.len(), "Unexpected EOF reading RDB file");
                        }
                        Ok(_) => {}
                        Err(error) => return self.wrong(&bytes, bytes.len(), &error.to_string()),
                    }
                }
                Ok(Part::Key(_, len)) => {
                    let at = self.reader.consumed() - len as u64;
                    let result = read_key(&bytes[from..from + len], at, self.reader.version(), &self.limits);
                    if let Err(error) = self.key(result) {
                        let offset = (error.at as u64).saturating_sub(at) as usize;
                        return self.wrong_behind(
                            &bytes[from..],
                            at + offset.min(len) as u64,
                            &error.cause.to_string(),
                        );
                    }
                    from += len;
                }
                Ok(Part::Item(item, len)) => {
                    let is_end = matches!(item, Item::End);
                    let line = said(&item, &bytes[from..from + len], self.reader.version());
                    if let Some(line) = line {
                        self.info(&line);
                    }
                    if is_end {
                        return true;
                    }
                    from += len;
                }
                Err(error) => {
                    let offset = (error.at as u64).saturating_sub(self.reader.consumed()) as usize;
                    let text = match error.cause {
                        Cause::Sum { .. } => "RDB CRC error".to_owned(),
                        Cause::UnknownForm(number) => format!("Invalid object type: {number}"),
                        cause => cause.to_string(),
                    };
                    return self.wrong(&bytes[from..], offset, &text);
                }
            }
        }
    }

    /// Counts a key. What only a module can make is passed over.
    fn key(&mut self, result: Result<Item<'_>, LoadError>) -> Result<(), LoadError> {
        self.counts.keys += 1;
        match result {
            Ok(Item::Key(item)) => {
                self.counts.expires += u64::from(item.expire_at_ms.is_some());
                self.counts.expired += u64::from(item.expire_at_ms.is_some_and(|at_ms| at_ms < self.now_ms));
                let has_times = matches!(&item.value, Loaded::Value(Value::Hash(hash)) if hash.first_time().is_some());
                self.counts.field_expires += u64::from(has_times);
                Ok(())
            }
            Err(LoadError { cause: Cause::Module(_), .. }) => Ok(()),
            // The server passes over it, but says so; here it is the file that matters.
            Ok(_) => Err(LoadError { at: self.reader.consumed() as usize, cause: Cause::Empty }),
            Err(error) => Err(error),
        }
    }

    /// Says what is wrong `offset` bytes behind the beginning of an item that begins with these bytes.
    fn wrong(&mut self, item: &[u8], offset: usize, text: &str) -> bool {
        self.wrong_behind(item, self.reader.consumed() + offset as u64, text)
    }

    /// The same at an offset of the file.
    fn wrong_behind(&mut self, item: &[u8], at: u64, text: &str) -> bool {
        let version = self.reader.version();
        let key = key_form(item, version);
        let doing = match (item.first(), key) {
            _ if version == 0 => "start",
            (None, _) => "read-type",
            (Some(250), _) => "read-aux",
            (Some(247), _) => "read-module-aux",
            (Some(245 | 246), _) => "read-functions",
            (Some(255), _) => "check-sum",
            (Some(251 | 254), _) => "read-len",
            (_, None) => "read-type",
            _ => "read-object-value",
        };
        self.text += &format!("--- RDB ERROR DETECTED ---\n[offset {at}] {text}\n");
        self.text += &format!("[additional info] While doing: {doing}\n");
        if let Some(form) = key {
            if let Some(name) = key_name(item, version) {
                self.text += &format!("[additional info] Reading key '{}'\n", shown(name));
            }
            let name = FORM_NAMES.get(form as usize).copied().unwrap_or("unknown");
            self.text += &format!("[additional info] Reading type {} ({name})\n", form as u8);
        }
        self.text += &self.counts.text();
        false
    }
}

fn shown(text: Text<'_>) -> String {
    String::from_utf8_lossy(&text.into_vec()).into_owned()
}

/// The line about an item that is no key.
fn said(item: &Item<'_>, bytes: &[u8], version: u16) -> Option<String> {
    /// The first version with a checksum.
    const VERSION_WITH_SUM: u16 = 5;
    match item {
        Item::Aux { name, value } => Some(format!("AUX FIELD {} = '{}'", shown(name.clone()), shown(value.clone()))),
        Item::Database(number) => Some(format!("Selecting DB ID {number}")),
        Item::ModuleData(id) => Some(format!("MODULE AUX for: {}", ModuleName(*id))),
        Item::End if version < VERSION_WITH_SUM => None,
        Item::End if bytes.ends_with(&[0; 8]) => {
            Some("RDB file was saved with checksum disabled: no check performed.".to_owned())
        }
        Item::End => Some("Checksum OK".to_owned()),
        _ => None,
    }
}

/// Reads on, twice as much as is there already.
fn more(file: &mut File, bytes: &mut Vec<u8>) -> io::Result<u64> {
    let wanted = RDB_CHUNK_BYTES.max(bytes.len()) as u64;
    file.take(wanted).read_to_end(bytes).map(|count| count as u64)
}
