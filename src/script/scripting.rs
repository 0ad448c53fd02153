//! The scripts of one core: its engine, what it has compiled of the scripts and libraries that all cores share, and what it
//! has learned about them. The engine is made when the first script comes.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use ahash::AHashMap;
use sha1::{Digest, Sha1};

use crate::resp::reply::{Protocol, Reply};
use crate::runtime::clock::Clock;
use crate::stdx::limits::{FUNCTION_LOAD_MS_MAX, SCRIPTS_COMPILED_MAX};

use super::engine::{Ended, Engine, Script};
use super::libraries::{Function, Libraries, Library};
use super::shared::{Sha, SharedScripts};
use super::source::{split_library, split_script};
use super::{Arguments, Host, LogLevel, Poll, ScriptFlags, Stop};

/// A script or function that can be run on this core.
#[derive(Clone)]
pub struct Callee {
    /// What it says of itself.
    pub flags: ScriptFlags,
    script: Script,
    is_function: bool,
    name: Rc<[u8]>,
    /// How often it had to begin anew, less the runs that kept to the keys they declared.
    misses: Rc<Cell<u32>>,
}

impl Callee {
    /// The SHA-1 of a script, the name of a function.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How often it had to begin anew, less the runs that kept to the keys they declared.
    pub fn misses(&self) -> u32 {
        self.misses.get()
    }

    /// It had to begin anew.
    pub fn missed(&self) {
        self.misses.set(self.misses.get().saturating_add(2).min(1 << 10));
    }

    /// It kept to the keys it declared.
    pub fn kept_to_its_keys(&self) {
        self.misses.set(self.misses.get().saturating_sub(1));
    }
}

/// See the file's head.
pub struct Scripting {
    /// What all cores have in common.
    pub shared: Arc<SharedScripts>,
    clock: Clock,
    engine: Option<Engine>,
    scripts: AHashMap<Sha, Callee>,
    scripts_generation: u64,
    /// Evictions of the catalogue that were heeded here.
    evictions: u64,
    /// The last script that came as its source: pipelines repeat themselves.
    last_source: Option<(Box<[u8]>, Callee)>,
    /// By their names in lower case: FCALL does not heed it. With the library that they came from.
    functions: AHashMap<Vec<u8>, (Arc<Library>, Callee)>,
    /// Functions may be there that are not any more, or others, unless this is the catalogue's.
    libraries_generation: u64,
    lower_case: Vec<u8>,
}

/// Hexadecimal digits in lower case.
pub(super) fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

fn sha_of(source: &[u8]) -> Sha {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha1::digest(source);
    std::array::from_fn(|at| DIGITS[usize::from(digest[at / 2] >> (4 * (1 - at % 2)) & 15)])
}

/// What a library can do while it is loaded: nothing, and not for long.
struct LoadHost<'a> {
    clock: &'a Clock,
    deadline_ns: u64,
}

impl Host for LoadHost<'_> {
    fn call(&mut self, _: &Arguments, _: Protocol, _: &mut Reply) -> Result<(), Stop> {
        Err(Stop)
    }

    fn may_call(&mut self, _: &Arguments) -> Result<bool, Stop> {
        Err(Stop)
    }

    fn poll(&mut self) -> Poll {
        if self.clock.monotonic_ns() > self.deadline_ns { Poll::Kill("FUNCTION LOAD timeout") } else { Poll::Continue }
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        log_line(level, line);
    }
}

/// Writes a line of a script into the server's log.
pub fn log_line(level: LogLevel, line: &[u8]) {
    let line = String::from_utf8_lossy(line);
    match level {
        LogLevel::Debug => tracing::trace!("{line}"),
        LogLevel::Verbose => tracing::debug!("{line}"),
        LogLevel::Notice => tracing::info!("{line}"),
        LogLevel::Warning => tracing::warn!("{line}"),
    }
}

impl Scripting {
    /// The scripts of a core that knows none yet.
    pub fn new(shared: Arc<SharedScripts>, clock: Clock) -> Scripting {
        Scripting {
            shared,
            clock,
            engine: None,
            scripts: AHashMap::new(),
            scripts_generation: 0,
            evictions: 0,
            last_source: None,
            functions: AHashMap::new(),
            libraries_generation: 0,
            lower_case: Vec::new(),
        }
    }

    /// Bytes of memory the interpreter takes.
    pub fn memory_bytes(&self) -> usize {
        self.engine.as_ref().map_or(0, Engine::memory_bytes)
    }

    fn engine(&mut self) -> Result<&mut Engine, Vec<u8>> {
        match &mut self.engine {
            Some(engine) => Ok(engine),
            slot @ None => {
                let engine = Engine::new().map_err(|error| ["ERR ", &error].concat().into_bytes())?;
                Ok(slot.insert(engine))
            }
        }
    }

    fn refresh_scripts(&mut self) {
        let generation = self.shared.scripts_generation();
        if generation != self.scripts_generation || self.scripts.len() > SCRIPTS_COMPILED_MAX {
            self.scripts.clear();
            self.last_source = None;
            self.scripts_generation = generation;
        }
        if self.shared.evictions() != self.evictions {
            self.forget_evicted();
        }
    }

    fn forget_evicted(&mut self) {
        self.last_source = None;
        let scripts = &mut self.scripts;
        let seen = self.shared.evicted_since(self.evictions, |sha| drop(scripts.remove(sha)));
        if seen.is_none() {
            self.scripts.clear();
        }
        self.evictions = seen.unwrap_or_else(|| self.shared.evictions());
    }

    fn compile(&mut self, sha: Sha, source: &[u8]) -> Result<Callee, Vec<u8>> {
        let (flags, code) = split_script(source)?;
        let script = self
            .engine()?
            .compile(code)
            .map_err(|error| ["ERR Error compiling script (new function): ", &error].concat().into_bytes())?;
        let callee = Callee { flags, script, is_function: false, name: sha.into(), misses: Rc::default() };
        self.scripts.insert(sha, callee.clone());
        Ok(callee)
    }

    /// The script with this source, which becomes known to all cores. The error is the reply's text.
    pub fn source(&mut self, source: &[u8]) -> Result<Callee, Vec<u8>> {
        self.refresh_scripts();
        if let Some((last, callee)) = &self.last_source
            && **last == *source
        {
            return Ok(callee.clone());
        }
        let sha = sha_of(source);
        let callee = match self.scripts.get(&sha) {
            Some(callee) => callee.clone(),
            None => {
                let callee = self.compile(sha, source)?;
                self.shared.insert(sha, &source.into(), true);
                callee
            }
        };
        self.last_source = Some((source.into(), callee.clone()));
        Ok(callee)
    }

    /// SCRIPT LOAD.
    pub fn define(&mut self, source: &[u8]) -> Result<Sha, Vec<u8>> {
        let sha = sha_of(source);
        self.refresh_scripts();
        if !self.scripts.contains_key(&sha) {
            self.compile(sha, source)?;
        }
        self.shared.insert(sha, &source.into(), false);
        Ok(sha)
    }

    /// The script with this SHA-1, in digits of either case.
    pub fn script(&mut self, name: &[u8]) -> Result<Option<Callee>, Vec<u8>> {
        let Ok(mut sha) = Sha::try_from(name) else { return Ok(None) };
        sha.make_ascii_lowercase();
        self.refresh_scripts();
        if let Some(callee) = self.scripts.get(&sha) {
            return Ok(Some(callee.clone()));
        }
        match self.shared.source(&sha) {
            None => Ok(None),
            Some(source) => self.compile(sha, &source).map(Some),
        }
    }

    /// Runs a library's code and tells what it registered; `is_taken` tells names that are not to be had. Changes nothing.
    pub fn make_library(&mut self, code: &[u8], is_taken: &dyn Fn(&[u8]) -> bool) -> Result<Library, Vec<u8>> {
        let (name, rest) = split_library(code)?;
        if is_taken(&name) {
            return Err([b"ERR Library '", &name[..], b"' already exists"].concat());
        }
        let loaded = self.load(rest)?;
        let mut functions: Vec<Function> = loaded.into_iter().map(|(facts, _)| facts).collect();
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Library { name, code: bytes::Bytes::copy_from_slice(code), functions })
    }

    fn load(&mut self, code: &[u8]) -> Result<Vec<(Function, Script)>, Vec<u8>> {
        let clock = self.clock.clone();
        let deadline_ns = clock.monotonic_ns() + FUNCTION_LOAD_MS_MAX * 1_000_000;
        self.engine()?.load_library(&mut LoadHost { clock: &clock, deadline_ns }, code)
    }

    /// Takes libraries that a file brought into the catalogue; they take the place of all others.
    pub fn adopt_loaded(&mut self) {
        let Some(sources) = self.shared.take_loaded() else { return };
        let mut adopted = Libraries::default();
        for source in sources {
            let put = match self.make_library(&source, &|name| adopted.contains(name)) {
                Ok(library) => adopted.put(Arc::new(library)).map_err(|taken| taken.0),
                Err(error) => Err(error),
            };
            if let Err(error) = put {
                tracing::warn!("Failed loading a library from a file: {}", String::from_utf8_lossy(&error));
            }
        }
        let Ok(()) = self.shared.change_libraries(|libraries| {
            *libraries = adopted;
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// The function of this name.
    pub fn function(&mut self, name: &[u8]) -> Option<Callee> {
        self.adopt_loaded();
        self.lower_case.clear();
        self.lower_case.extend(name.iter().map(u8::to_ascii_lowercase));
        let generation = self.shared.libraries_generation();
        if generation == self.libraries_generation
            && let Some((_, callee)) = self.functions.get(&self.lower_case)
        {
            return Some(callee.clone());
        }
        let Some(library) = self.shared.library_of(&self.lower_case) else {
            self.functions.remove(&self.lower_case);
            return None;
        };
        if generation != self.libraries_generation {
            // Those whose library is still there stay: their functions share what the library keeps for itself.
            self.libraries_generation = generation;
            let catalogue = self.shared.libraries();
            self.functions.retain(|name, (known, _)| {
                catalogue.of_function(name).is_some_and(|library| Arc::ptr_eq(known, library))
            });
        }
        if !self.functions.contains_key(&self.lower_case) {
            self.load_functions(&library);
        }
        self.functions.get(&self.lower_case).map(|(_, callee)| callee.clone())
    }

    fn load_functions(&mut self, library: &Arc<Library>) {
        let Ok((_, code)) = split_library(&library.code) else { return };
        match self.load(code) {
            Ok(functions) => self.functions.extend(functions.into_iter().map(|(facts, script)| {
                let name: Rc<[u8]> = facts.name.as_slice().into();
                let callee = Callee { flags: facts.flags, script, is_function: true, name, misses: Rc::default() };
                (facts.name.to_ascii_lowercase(), (library.clone(), callee))
            })),
            Err(error) => tracing::warn!("a library that loaded before does not: {}", String::from_utf8_lossy(&error)),
        }
    }

    /// Runs a script or function.
    pub fn run(
        &mut self,
        host: &mut dyn Host,
        callee: &Callee,
        arguments: (&[&[u8]], &[&[u8]]),
        reply: &mut Reply,
    ) -> Ended {
        let engine = match self.engine() {
            Ok(engine) => engine,
            Err(text) => return Ended::Failed(text, false),
        };
        let script = (&callee.script, &*callee.name);
        if callee.is_function {
            engine.run_function(host, script, arguments, reply)
        } else {
            engine.run_script(host, script, arguments, reply)
        }
    }

    /// Goes on with the script that stands still.
    pub fn resume(&mut self, host: &mut dyn Host, reply: &mut Reply) -> Ended {
        match self.engine() {
            Ok(engine) => engine.resume(host, reply),
            Err(text) => Ended::Failed(text, false),
        }
    }
}
