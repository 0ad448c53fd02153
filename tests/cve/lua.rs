//! The attacks of `tests/cve.rs` that are made of Lua. Besides what is asked there, the scripts of the next client must see
//! nothing of the attack.

use super::support::client::Client;
use super::{RESIDENT_MIB_MAX, Victim};

/// What a script puts into a line of a reply does not become a reply of its own.
#[test]
fn cve_2025_67733_replies_with_line_ends() {
    let mut victim = Victim::new();
    for protocol in ["2", "3"] {
        victim.attacker.call(&["HELLO", protocol]);
        for script in [
            "return redis.error_reply('x\\r\\n+OK\\r\\n')",
            "return redis.error_reply('-x\\n$1\\r\\nA\\r\\n')",
            "return redis.status_reply('x\\r\\n+OK\\r\\n')",
            "return {err = 'x\\r\\n:1'}",
            "return {ok = 'x\\r\\n:1'}",
            "return {{ok = 'x\\r\\n:1'}, {err = 'x\\n:1'}}",
            "error('x\\r\\n+OK\\r\\n')",
            "error({err = 'x\\r\\n+OK\\r\\n'})",
            "redis.setresp(3) return {big_number = '1\\r\\n+OK\\r\\n'}",
            "redis.setresp(3) return {verbatim_string = {format = 't\\r\\n', string = '+OK\\r\\n'}}",
            "redis.setresp(3) return {verbatim_string = {format = 'long\\r\\n', string = 'x'}}",
            "redis.setresp(3) return {map = {['x\\r\\n'] = {ok = '\\r\\n:1'}}}",
            "return redis.call('x\\r\\n+OK')",
            "return redis.pcall('SET', 'k\\r\\n')",
            "return loadstring('x\\r\\n+OK\\r\\n')()",
            "redis.log(redis.LOG_WARNING, 'x\\r\\n+OK\\r\\n') return 1",
            "x\r\n+OK\r\n",
        ] {
            victim.attacker.send(&["EVAL", script, "0"]).expect("sent");
            victim.attacker.send(&["ECHO", "next"]).expect("sent");
            victim.attacker.read().expect("a reply");
            assert_eq!(victim.attacker.read().expect("a reply").to_string(), "\"next\"", "{protocol} {script}");
        }
    }
    victim.attacker.call(&["HELLO", "2"]);
    victim.scripts(&[
        ("return redis.error_reply('x\\r\\n+OK\\r\\n')", "(error) ERR x  +OK"),
        ("return redis.status_reply('x\\r\\n+OK')", "x  +OK"),
    ]);
    victim.unharmed();
}

/// The parser is given much to do while memory is short and the collector runs.
#[test]
fn cve_2025_49844_sources_that_are_huge() {
    let mut victim = Victim::new();
    let many = |piece: &str, count: usize| piece.repeat(count);
    for source in [
        format!("return {}1{}", many("(", 100_000), many(")", 100_000)),
        format!("return {}{}", many("{", 100_000), many("}", 100_000)),
        format!("return {}1", many("not ", 100_001)),
        format!("return {}'x'", many("'x' .. ", 100_000)),
        many("local function f() ", 10_000),
        many("local a = KEYS ", 1_000),
        format!("return {{{}}}", many("'abc',", 100_000)),
        format!("local function f({}) end", many("a,", 10_000)),
        format!("return {}", many("a.", 200_000)),
        many("if x then ", 50_000),
        format!("--[{}[", many("=", 1_000_000)),
    ] {
        let reply = victim.eval(&source);
        let is_right = reply.starts_with("(error) ERR Error compiling script") || reply.starts_with("\"xxx");
        assert!(is_right || source.contains("abc"), "{}: {}", &source[..30], &reply[..reply.len().min(200)]);
    }
    victim.scripts(&[(
        "for i = 1, 300 do loadstring('return {' .. string.rep(\"'x\" .. i .. \"',\", 2000) .. '}') collectgarbage() end return 1",
        "(integer) 1",
    )]);
    victim.unharmed_within(2 * RESIDENT_MIB_MAX);
}

#[test]
fn cve_2025_46819_long_brackets() {
    let mut victim = Victim::new();
    let level = "=".repeat(1 << 20);
    for source in [
        format!("return [{level}["),
        format!("return [{level}"),
        format!("return [{level}[x]{}]", "=".repeat((1 << 20) - 1)),
        format!("--[{level}[ x"),
    ] {
        let reply = victim.eval(&source);
        assert!(reply.starts_with("(error) ERR Error compiling script"), "{}", &reply[..reply.len().min(200)]);
    }
    assert_eq!(victim.eval(&format!("return [{level}[x]{level}]")), "\"x\"");
    victim.scripts_find_all_as_ever("long brackets");
    victim.unharmed();
}

/// Metatables that all scripts share: what one puts there would be run by the next, of another user.
#[test]
fn cve_2025_46818_shared_metatables() {
    const CLOSED: &str = "(error) ERR user_script:1: Attempt to modify a readonly table";
    let mut victim = Victim::new();
    victim.scripts(&[
        ("getmetatable('').__index = function() return function() return 'left' end end", CLOSED),
        ("getmetatable('').__index.upper = function() return 'left' end", CLOSED),
        ("getmetatable('').__add = function() return 'left' end", CLOSED),
        ("string.upper = function() return 'left' end", CLOSED),
        ("getmetatable(_G).__index = function() return 'left' end", CLOSED),
        (
            "setmetatable(_G, {__index = function() return 'left' end})",
            "(error) ERR Attempt to modify a readonly table",
        ),
        (
            "return getmetatable(redis.call) == nil and getmetatable(1) == nil and getmetatable(nil) == nil",
            "(integer) 1",
        ),
    ]);
    let reply = victim.eval("rawset(getmetatable(''), '__index', nil)");
    assert!(reply.starts_with("(error) ERR"), "{reply}");
    victim.scripts_find_all_as_ever("rawset");
    victim.unharmed();
}

#[test]
fn cve_2025_46817_unpack_of_ranges_that_overflow() {
    let mut victim = Victim::new();
    for script in [
        "return {unpack({}, 0, 2147483647)}",
        "return {unpack({}, 1, 2147483647)}",
        "return {unpack({}, -2147483648, 2147483647)}",
        "return {unpack({}, -2147483648, 0)}",
        "return {unpack({}, 2147483647 - 8000000, 2147483647)}",
        "return select('#', unpack({}, 1, 1e7))",
        "return table.concat({}, 'x', -2147483648, 2147483647)",
        "return table.concat({}, 'x', 1, 2147483647)",
        "return string.byte(string.rep('x', 10000000), 1, 10000000)",
        "return string.char(unpack({}, 1, 1e8))",
        "return math.max(unpack({}, 1, 1e8))",
    ] {
        let reply = victim.eval(script);
        assert!(reply.starts_with("(error) ERR"), "{script}: {reply}");
        victim.scripts_find_all_as_ever(script);
    }
    victim.unharmed();
}

/// The collector at work while scripts are forgotten.
#[test]
fn cve_2024_46981_garbage_and_script_flush() {
    let mut victim = Victim::new();
    let address = victim.server.address().clone();
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let address = address.clone();
            std::thread::spawn(move || {
                let mut connection = Client::connect(&address).expect("it connects");
                for round in 0..100 {
                    let script = format!(
                        "local t = setmetatable({{}}, {{__gc = function() end, __mode = 'kv'}})
                         for i = 1, 500 do t[i] = {{string.rep('x', i)}} end collectgarbage() return {client} * 1000 + {round}"
                    );
                    let reply = connection.call(&["EVAL", &script, "0"]).to_string();
                    assert_eq!(reply, format!("(integer) {}", client * 1000 + round));
                }
            })
        })
        .collect();
    for _ in 0..100 {
        victim.lines(&[("SCRIPT FLUSH", "OK"), ("FUNCTION FLUSH", "OK")]);
    }
    clients.into_iter().for_each(|client| client.join().expect("all replies were right"));
    victim.scripts_find_all_as_ever("garbage");
    victim.unharmed_within(2 * RESIDENT_MIB_MAX);
}

#[test]
fn cve_2024_31449_bits_in_hexadecimal() {
    let mut victim = Victim::new();
    victim.scripts(&[
        ("return bit.tohex(65535, -2147483648)", "\"0000FFFF\""),
        ("return bit.tohex(65535, 2147483647)", "\"0000ffff\""),
        ("return bit.tohex(-1, 0)", "\"\""),
        ("return bit.lshift(1, 2147483648) + bit.rol(1, -2147483648)", "(integer) 2"),
    ]);
    victim.unharmed();
}

/// Buffers that grow, nesting, and payloads that are cut short.
#[test]
fn cve_2022_24834_libraries_of_json_and_message_pack() {
    let mut victim = Victim::new();
    victim.scripts(&[
        ("return #cjson.encode(string.rep('\\0', 2000000))", "(integer) 12000002"),
        (
            "local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
            "(error) ERR user_script:1: Cannot serialise, excessive nesting (1001)",
        ),
        (
            "local t = {} t[1] = t return cjson.encode(t)",
            "(error) ERR user_script:1: Cannot serialise, excessive nesting (1001)",
        ),
    ]);
    for script in [
        "return cjson.decode(string.rep('[', 100000))",
        "return cjson.decode(string.rep('{\"a\":', 100000))",
        "return cjson.encode({[2147483647] = 1})",
        "return cmsgpack.unpack('\\223')",
        "return cmsgpack.unpack('\\221')",
        "return cmsgpack.unpack('\\220\\147')",
        "return cmsgpack.unpack('\\198\\255\\255\\255\\255x')",
        "return cmsgpack.unpack('\\219\\255\\255\\255\\255x')",
        "return cmsgpack.unpack_limit('\\001', -1, 0)",
        "return cmsgpack.unpack_limit('\\001', 1, 2147483647)",
    ] {
        let reply = victim.eval(script);
        assert!(reply.starts_with("(error) ERR"), "{script}: {reply}");
        victim.scripts_find_all_as_ever(script);
    }
    // Deep nesting ends with nil; arrays that claim much are cut short.
    for script in [
        "local t = {} for i = 1, 100000 do t = {t} end return #cmsgpack.pack(t) < 1000",
        "return {pcall(cmsgpack.unpack, '\\221\\255\\255\\255\\255')}",
        "return {pcall(cmsgpack.unpack, '\\223\\255\\255\\255\\255')}",
        "return {pcall(cmsgpack.unpack, string.rep('\\145', 100000))}",
    ] {
        victim.eval(script);
        victim.scripts_find_all_as_ever(script);
    }
    victim.unharmed_within(2 * RESIDENT_MIB_MAX);
}

/// Also CVE-2022-24736: what a script leaves in the interpreter, for the next ones to fall over or to run.
#[test]
fn cve_2022_24735_what_scripts_leave_behind() {
    let mut victim = Victim::new();
    for script in [
        "left = 1",
        "_G.left = 1",
        "rawset(_G, 'left', 1)",
        "rawset(_G, 'redis', nil)",
        "getfenv(0).left = 1",
        "getfenv(1).redis = nil",
        "redis.call = function() return 'left' end",
        "rawset(redis, 'call', nil)",
        "table.insert(redis, 1)",
        "table.clear(string)",
        "table.clear(_G)",
        "table.freeze(KEYS) table.freeze(ARGV)",
        "KEYS.left = 1 ARGV[1] = 'left'",
        "setmetatable(KEYS, {__index = function() return 'left' end, __len = function() return 7 end})",
        "KEYS = nil",
        "for name in pairs(_G) do _G[name] = nil end",
        "cjson.encode = nil",
        "rawset(cjson, 'encode', nil)",
        "table.concat = nil",
        "tostring = nil",
        "loadstring('left = 1')()",
        "setmetatable(string, {__index = function() return 'left' end})",
        "redis.setresp(3)",
        "cjson.encode_keep_buffer(false)",
        "coroutine.yield(1)",
        "coroutine.wrap(function() coroutine.yield() end)() error()",
        "error()",
        "error(nil)",
        "error({})",
        "error(setmetatable({}, {__index = function() error({}) end, __tostring = function() error({}) end}))",
        "return setmetatable({}, {__index = function() error({}) end})",
        "return xpcall(error, error)",
        "return loadstring('\\27LJ')",
        "return load(function() return nil end)()",
        "return redis.call()",
        "return redis.pcall({})",
        "return redis.sha1hex()",
        "return redis.error_reply()",
        "return redis.call('EVAL', 'return 1', '0')",
        "return redis.call('SCRIPT', 'FLUSH')",
        "return redis.register_function('f', print)",
    ] {
        victim.eval(script);
        victim.scripts_find_all_as_ever(script);
    }
    victim.unharmed();
}

/// The way out that Debian's and Ubuntu's build had: `package` was there.
#[test]
fn cve_2022_0543_what_leads_out_of_the_sandbox() {
    let mut victim = Victim::new();
    for name in [
        "package", "io", "debug", "require", "module", "dofile", "loadfile", "loadlib", "print", "ffi", "jit",
        "vector", "buffer",
    ] {
        assert_eq!(victim.eval(&format!("return type(rawget(_G, '{name}'))")), "\"nil\"", "{name}");
    }
    victim.scripts(&[
        ("local names = {} for name in pairs(os) do names[#names + 1] = name end return names", "1) \"clock\""),
        ("return type(string.dump)", "\"nil\""),
        ("return {loadstring('\\27Lua')}", "(empty array)"),
        ("return {loadstring('\\6\\3\\0')}", "(empty array)"),
        ("return getfenv(0) == _G and getfenv(1) == _G and getfenv(redis.call) == _G", "(integer) 1"),
    ]);
    victim.lines(&[("SCRIPT DEBUG YES", "(error) ERR the Lua debugger is not part of Ringfort")]);
    victim.unharmed();
}

/// Recursion, formats and patterns beyond what a stack or the memory holds.
#[test]
fn cve_2021_32626_stacks_and_sizes() {
    let mut victim = Victim::new();
    for script in [
        "local function f() return 1 + f() end return f()",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, key) return t[key .. 'x'] end return t.x",
        "local function f() return coroutine.wrap(f)() end return f()",
        "return string.rep('x', 2e9)",
        "return string.rep(string.rep('x', 1e6), 1e6)",
        "return string.find(string.rep('a', 100), string.rep('(', 1000000))",
        "return string.format('%999999999d', 1)",
        "return string.format(string.rep('%99999d', 100000))",
        "local s = 'x' while true do s = s .. s end",
    ] {
        let reply = victim.eval(script);
        assert!(reply.starts_with("(error) ERR"), "{script}: {}", &reply[..reply.len().min(200)]);
        victim.scripts_find_all_as_ever(script);
    }
    // Whatever comes of these.
    for script in [
        "return string.gsub('x', string.rep('(x)', 1000000), '')",
        "return string.gsub(string.rep('x', 100), string.rep('x?', 1000000), '')",
        "local function f(n) return n == 0 and 1 or f(n - 1) end return f(1000000)",
    ] {
        victim.eval(script);
        victim.scripts_find_all_as_ever(script);
    }
    // Deeper than the client reads.
    victim.attacker.send(&["EVAL", "local t = {} t[1] = t return t", "0"]).expect("sent");
    assert!(victim.attacker.read().is_err());
    assert!(memchr::memmem::find(victim.attacker.unread(), b"reached lua stack limit").is_some());
    victim.attacker = victim.server.connect();
    victim.scripts_find_all_as_ever("a table in itself");
    // An interpreter may have 512 MiB, and there are two.
    victim.unharmed_within(2048);
}

#[test]
fn cve_2020_14147_sizes_of_packed_structures() {
    let mut victim = Victim::new();
    for script in [
        "return struct.pack('>I2147483648', 1)",
        "return struct.pack('>I4294967297', 1)",
        "return struct.pack('!2147483648i', 1)",
        "return struct.pack('i99999999999999999999', 1)",
        "return struct.unpack('>I2147483648', '1')",
        "return struct.unpack('c2147483647', 'x')",
        "return struct.unpack('i', 'xxxx', 2147483647)",
        "return struct.unpack('i', 'xxxx', -2147483648)",
        "return struct.pack('c2147483647', 'x')",
        "return struct.size('>I2147483648')",
    ] {
        let reply = victim.eval(script);
        assert!(reply.starts_with("(error) ERR"), "{script}: {reply}");
        victim.scripts_find_all_as_ever(script);
    }
    victim.unharmed();
}
