//! The engine with a host that is a map: what ends a script cannot be caught, what stands still goes on, and no script
//! leaves anything to the next.

use std::collections::HashMap;

use super::*;
use crate::script::{Arguments, LogLevel, Poll, Stop};

/// A host with SET and GET over a map, and commands that end the script.
#[derive(Default)]
struct FakeHost {
    keys: HashMap<Vec<u8>, Vec<u8>>,
    calls: usize,
    /// Times it lets the script go on before it says `then`.
    patience: usize,
    then: Option<Poll>,
}

impl Host for FakeHost {
    fn call(&mut self, arguments: &Arguments, _: Protocol, reply: &mut Reply) -> Result<(), Stop> {
        self.calls += 1;
        let args: Vec<&[u8]> = arguments
            .ranges
            .iter()
            .map(|range| &arguments.buffer[range.start as usize..(range.start + range.len) as usize])
            .collect();
        match args[..] {
            [b"stop"] => return Err(Stop),
            [b"set", key, value] => {
                self.keys.insert(key.to_vec(), value.to_vec());
                reply.ok();
            }
            [b"get", key] => match self.keys.get(key) {
                Some(value) => reply.bulk(value),
                None => reply.null(),
            },
            _ => reply.error("ERR Unknown Redis command called from script"),
        }
        Ok(())
    }

    fn may_call(&mut self, _: &Arguments) -> Result<bool, Stop> {
        Ok(true)
    }

    fn poll(&mut self) -> Poll {
        if self.patience > 0 {
            self.patience -= 1;
            return Poll::Continue;
        }
        self.then.unwrap_or(Poll::Continue)
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}
}

fn shown(ended: Ended, reply: &Reply) -> String {
    match ended {
        Ended::Done => String::from_utf8_lossy(&reply.to_vec()).into_owned(),
        Ended::Failed(text, _) => format!("-{}", String::from_utf8_lossy(&text)),
        other => format!("{other:?}"),
    }
}

/// Runs a script to its end or to where it stands still.
fn eval(engine: &mut Engine, host: &mut FakeHost, source: &str) -> String {
    let script = match engine.compile(source.as_bytes()) {
        Ok(script) => script,
        Err(text) => return format!("-{text}"),
    };
    let mut reply = Reply::new(Protocol::Resp2);
    let ended = engine.run_script(host, (&script, b"SHA"), (&[b"k1", b"k2"], &[b"a1"]), &mut reply);
    shown(ended, &reply)
}

/// The next script finds everything as the first one did.
fn is_as_new(engine: &mut Engine, after: &str) {
    let source = "return {#KEYS, KEYS[1], #ARGV, ('x'):upper(), tostring(1), redis.call('get', 'nothing'), KEYS.left}";
    let reply = eval(engine, &mut FakeHost::default(), source);
    assert_eq!(reply, "*6\r\n:2\r\n$2\r\nk1\r\n:1\r\n$1\r\nX\r\n$1\r\n1\r\n$-1\r\n", "after {after}");
}

#[test]
fn nothing_catches_the_end_of_a_script() {
    let mut engine = Engine::new().expect("an engine");
    for source in [
        "redis.call('stop') return 1",
        "pcall(redis.call, 'stop') redis.call('set', 'a', 'b') return 1",
        "while true do pcall(redis.call, 'stop') end",
        "return redis.pcall('stop')",
        "xpcall(function() redis.call('stop') end, function(e) redis.call('set', 'a', 'b') return e end) return 1",
        "local co = coroutine.wrap(function() redis.call('stop') end) pcall(co) redis.call('set', 'a', 'b') return 1",
        "coroutine.resume(coroutine.create(function() pcall(redis.call, 'stop') end)) redis.call('set', 'a', 'b')",
        "table.sort({3, 2, 1}, function(a, b) pcall(redis.call, 'stop') return a < b end) redis.call('set', 'a', 'b')",
        "string.gsub('abc', '.', function() pcall(redis.call, 'stop') end) redis.call('set', 'a', 'b')",
        "local t = setmetatable({}, {__index = function() pcall(redis.call, 'stop') end}) return t.x, redis.call('set', 'a', 'b')",
    ] {
        let mut host = FakeHost::default();
        assert_eq!(eval(&mut engine, &mut host, source), "Stopped", "{source}");
        assert!(host.keys.is_empty() && host.calls == 1, "{source}: {} calls", host.calls);
        is_as_new(&mut engine, source);
    }
}

#[test]
fn a_script_that_is_killed_ends_wherever_it_is() {
    const KILL: Poll = Poll::Kill("Script killed by user with SCRIPT KILL...");
    let mut engine = Engine::new().expect("an engine");
    for source in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return xpcall(f, f) end while true do f() end",
        "table.sort({2, 1}, function() while true do pcall(error) end end)",
        "string.gsub('x', '.', function() while true do end end)",
        "coroutine.wrap(function() while true do pcall(function() while true do end end) end end)()",
        "repeat coroutine.resume(coroutine.create(function() while true do end end)) until false",
        "setmetatable({}, {__index = function() while true do end end}).x = nil while true do end",
    ] {
        let mut host = FakeHost { patience: 3, then: Some(KILL), ..FakeHost::default() };
        let reply = eval(&mut engine, &mut host, source);
        assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL... script: SHA"), "{source}: {reply}");
        is_as_new(&mut engine, source);
    }
}

#[test]
fn a_script_stands_still_and_goes_on() {
    let loops = "local n = 0 for i = 1, 100000 do n = n + i % 7 end";
    let mut engine = Engine::new().expect("an engine");
    for (source, slices_min) in [
        (format!("{loops} return n"), 10),
        (format!("pcall(function() {loops} end) {loops} return n"), 20),
        // Within these it does not stand still, and comes to the right end.
        (format!("return coroutine.wrap(function() {loops} return n end)()"), 0),
        (format!("local m table.sort({{2, 1}}, function() {loops} m = n return false end) return m"), 0),
    ] {
        let script = engine.compile(source.as_bytes()).expect("it compiles");
        let mut reply = Reply::new(Protocol::Resp2);
        let mut host = FakeHost { patience: 1, then: Some(Poll::Stand), ..FakeHost::default() };
        let mut ended = engine.run_script(&mut host, (&script, b"SHA"), (&[], &[]), &mut reply);
        let mut slices = 0;
        while ended == Ended::Standing {
            slices += 1;
            host.patience = 1;
            ended = engine.resume(&mut host, &mut reply);
        }
        assert!(slices >= slices_min, "{source}: {slices}");
        assert_eq!(shown(ended, &reply), ":300000\r\n", "{source}");
        is_as_new(&mut engine, &source);
    }
    let mut reply = Reply::new(Protocol::Resp2);
    let ended = engine.resume(&mut FakeHost::default(), &mut reply);
    assert_eq!(shown(ended, &reply), "-ERR no script stands still");
}

#[test]
fn a_script_cannot_stand_still_by_itself() {
    let mut engine = Engine::new().expect("an engine");
    let reply = eval(&mut engine, &mut FakeHost::default(), "coroutine.yield(1) return 2");
    assert!(reply.starts_with("-ERR attempt to yield across metamethod/C-call boundary"), "{reply}");
    let reply = eval(&mut engine, &mut FakeHost::default(), "return select(2, pcall(coroutine.yield))");
    assert!(reply.contains("attempt to yield"), "{reply}");
    is_as_new(&mut engine, "a yield");
}

#[test]
fn memory_is_limited_and_comes_back() {
    let mut engine = Engine::new().expect("an engine");
    for source in [
        "local t = {} for i = 1, 1000 do t[i] = string.rep('x', 2 ^ 20) .. i end return #t",
        "local t = {} for i = 1, 1000 do pcall(function() t[i] = string.rep('x', 2 ^ 20) .. i end) end error('end')",
    ] {
        let reply = eval(&mut engine, &mut FakeHost::default(), source);
        assert!(reply.starts_with("-ERR"), "{source}: {}", &reply[..reply.len().min(200)]);
        is_as_new(&mut engine, source);
        let bytes = engine.memory_bytes();
        assert!(bytes < SCRIPT_MEMORY_BYTES_MAX / 8, "{source}: {bytes} are left");
    }
}

#[test]
fn nothing_is_left_of_a_script() {
    let mut engine = Engine::new().expect("an engine");
    for source in [
        "KEYS.left = 1 ARGV[2] = 'left'",
        "table.freeze(KEYS) table.freeze(ARGV)",
        "setmetatable(KEYS, {__index = function() return 'left' end})",
        "KEYS[3] = 'left' KEYS[2] = nil",
        "for i = 1, 100000 do KEYS[i] = i end",
        "_G.left = 1",
        "left = 1",
        "rawset(_G, 'left', 1)",
        "setmetatable(_G, {})",
        "getmetatable(_G).__index = nil",
        "getmetatable('').__index = nil",
        "getmetatable('').__index.upper = nil",
        "string.upper = nil",
        "redis.call = nil",
        "tostring = nil",
        "getfenv(0).left = 1",
        "table.insert(string, 1)",
        "error({err = 'LEFT'})",
        "redis.setresp(3)",
        "local function f() return 1 + f() end return f()",
        "return string.rep('x', 1e10)",
    ] {
        eval(&mut engine, &mut FakeHost::default(), source);
        is_as_new(&mut engine, source);
    }
}

#[test]
fn a_library_that_does_not_come_to_an_end_is_not_loaded() {
    let mut engine = Engine::new().expect("an engine");
    let mut load = |code: &str, then| {
        let mut host = FakeHost { patience: 2, then: Some(then), ..FakeHost::default() };
        let names = engine.load_library(&mut host, code.as_bytes());
        names.map(|functions| functions.len()).map_err(|error| String::from_utf8_lossy(&error).into_owned())
    };
    const LATE: Poll = Poll::Kill("FUNCTION LOAD timeout");
    let register = "redis.register_function('f', function(keys) return #keys end)";
    let error = load(&format!("{register} while true do end"), LATE);
    assert_eq!(error, Err("ERR Error registering functions: ERR FUNCTION LOAD timeout".into()));
    assert_eq!(load(register, LATE), Ok(1));
    // Loading is one step: it does not stand still for others.
    assert_eq!(load(&format!("for i = 1, 100000 do end {register}"), Poll::Stand), Ok(1));
    assert_eq!(load("local x = 1", LATE), Err("ERR No functions registered".into()));
    is_as_new(&mut engine, "libraries");
}
