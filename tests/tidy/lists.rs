//! The lists that `tests/tidy.rs` enforces, all in one place: edit here, nowhere else.
//!
//! Paths are relative to the package root with `/` between parts. An entry that ends in `/` names a folder and everything
//! in it; any other entry names one file, which must still need the exception if it exists
//! (so the lists cannot rot).

/// Longest file, in lines, tests included.
pub const FILE_LINES_MAX: usize = 1_000;

/// Longest function, in lines, from the line with `fn` to the closing brace.
pub const FUNCTION_LINES_MAX: usize = 70;

/// Folders searched for `.rs` files.
pub const FOLDERS: &[&str] = &["src", "tests", "benches", "examples"];

/// The layers of the house plan (architecture.md §5), lowest first. A folder may import folders of earlier lines only;
/// folders on one line do not see each other. A folder of `src/` that is not named here is an error.
pub const LAYERS: &[&[&str]] = &[
    &["stdx"],
    &["config", "stats"],
    &["resp", "value", "runtime"],
    &["acl"],
    &["keyspace", "pubsub", "script", "client", "remote"],
    &["persist"],
    &["command"],
    &["shard"],
    &["replica", "cluster"],
    &["session"],
    &["server"],
    &["embedded"],
    &["cli"],
];

/// Files of `src/` that belong to no layer and may name every folder.
pub const LAYERLESS: &[&str] = &["src/lib.rs", "src/main.rs", "src/bin/ringfort-cli.rs"];

/// Macros that `#[macro_export]` puts at the crate root, with the folder that owns each: using one is importing the folder.
pub const CRATE_MACROS: &[(&str, &str)] = &[("param", "config")];

/// Which part of the sources a ban looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// `src/` without `#[cfg(test)]` items and test files.
    Production,
    /// `tests/`, `benches/`, `#[cfg(test)]` items and test files of `src/`.
    Tests,
    /// Everything.
    All,
}

/// Words that may not occur in code (comments and string literals are not looked at).
pub struct Ban {
    /// Whole words or paths, e.g. `Instant::now`.
    pub words: &'static [&'static str],
    /// Where the ban holds.
    pub scope: Scope,
    /// If not empty: the ban holds only in these folders and files.
    pub only_in: &'static [&'static str],
    /// Folders and files that may use the words.
    pub except: &'static [&'static str],
    /// What to use instead; printed with each finding.
    pub instead: &'static str,
}

/// Files that may hold `unsafe` outside `runtime/`; each needs `// SAFETY:` notes, which clippy checks.
const UNSAFE_FILES: &[&str] = &[
    "src/runtime/",
    "src/stats/memory.rs",
    "src/keyspace/entry.rs",
    "src/keyspace/database.rs",
    "src/keyspace/write.rs",
    "src/keyspace/evict.rs",
    "src/keyspace/expire.rs",
    "src/keyspace/fields.rs",
    "src/keyspace/free.rs",
    "src/keyspace/prefetch.rs",
    "src/keyspace/snapshot.rs",
    "src/script/engine.rs",
    "src/script/machine.rs",
    "src/script/stack.rs",
    "src/value/member_table.rs",
    "src/value/member_table_tests.rs",
    "src/value/sorted_set/large.rs",
    "src/value/table.rs",
    "src/value/table_segment.rs",
    "benches/keyspace.rs",
    // A seccomp filter is installed between fork and exec.
    "tests/no_io_uring.rs",
];

/// Files that may hold a lock. The data path has none: ownership is the lock (architecture.md §1).
/// Those outside `server/`: CONFIG SET replaces the shared configuration; error kinds are counted per core, read by INFO;
/// scripts and libraries are shared as sources, which a core reads when it meets one for the first time;
/// channels are looked up by PUBLISH and SUBSCRIBE, for some instructions under one of many locks;
/// users are changed by ACL commands and looked up by AUTH, each core follows once after a change.
const LOCK_FILES: &[&str] = &["src/server/", "src/config/shared.rs", "src/stats/core.rs", "src/stats/slow_log.rs", "src/script/shared.rs", "src/stats/scripts.rs", "src/pubsub/registry.rs", "src/acl/users.rs"];

/// All bans, each with its replacement.
pub const BANS: &[Ban] = &[
    Ban {
        words: &["Instant::now", "SystemTime::now"],
        scope: Scope::Production,
        only_in: &[],
        except: &["src/runtime/", "src/server/", "src/cli/"],
        instead: "take the time as a number from the context; runtime/clock is the only reader, so that a seed can replay it",
    },
    Ban {
        words: &["thread::spawn", "thread::Builder", "thread::scope"],
        scope: Scope::Production,
        only_in: &[],
        except: &["src/runtime/", "src/server/", "src/cli/"],
        instead: "ask runtime/ to start threads: one per core plus the named helpers",
    },
    Ban {
        words: &["std::fs", "File::open", "File::create", "OpenOptions"],
        scope: Scope::Production,
        only_in: &[],
        except: &[
            "src/runtime/",
            "src/persist/",
            // They load the log's files: with the cores' boxes, so above persist/.
            "src/session/replay.rs",
            "src/session/log_jobs.rs",
            "src/server/",
            "src/config/",
            "src/cli/",
            "src/embedded/",
        ],
        instead: "go through runtime/file, so that failing and slow files can be simulated",
    },
    Ban {
        words: &["Mutex", "RwLock", "Condvar"],
        scope: Scope::Production,
        only_in: &[],
        except: LOCK_FILES,
        instead: "move ownership: take the box, send a batch, or ask for a loan",
    },
    Ban {
        words: &["format!"],
        scope: Scope::Production,
        only_in: &["src/resp/", "src/keyspace/"],
        except: &[],
        instead: "write into the reply or a stack buffer (stdx has the number writers); these files allocate nothing per command",
    },
    Ban {
        words: &["unsafe"],
        scope: Scope::All,
        only_in: &[],
        except: UNSAFE_FILES,
        instead: "write it safely, or add the file to UNSAFE_FILES in tests/tidy/lists.rs with a reason in its header",
    },
    Ban {
        words: &["todo!", "unimplemented!", "dbg!"],
        scope: Scope::All,
        only_in: &[],
        except: &[],
        instead: "finish it, or return the error a client should see",
    },
    Ban {
        words: &["println!", "eprintln!", "print!", "eprint!"],
        scope: Scope::Production,
        only_in: &[],
        except: &["src/server/cli.rs"],
        instead: "use tracing, which follows loglevel and logfile",
    },
    Ban {
        words: &["sleep(", "sleep_ms("],
        scope: Scope::All,
        only_in: &["tests/", "benches/", "src/"],
        except: &["src/runtime/", "src/server/acceptors.rs", "src/server/worker.rs"],
        instead: "wait for the condition itself (readiness, a reply, recv_timeout, a counter) with a deadline",
    },
];

/// Files longer than `FILE_LINES_MAX`, each with its present number of lines. Numbers may only shrink.
pub const LONG_FILES: &[(&str, usize)] = &[];

/// Functions longer than `FUNCTION_LINES_MAX`: file, function, present number of lines. Numbers may only shrink.
pub const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];
