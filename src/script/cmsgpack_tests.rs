//! Tests of the library `cmsgpack`; what is expected is what Redis 7.4.1 returns.

use super::library;
use crate::script::native::testing::check;

#[test]
fn values_are_packed() {
    check("cmsgpack", library, VALUES_ARE_PACKED);
}

const VALUES_ARE_PACKED: &[(&str, &str)] = &[
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack(0, 1, 127, 128, 255, 256, 65535, 65536, 2^32 - 1, 2^32, 2^53, 2^62, 2^63, 2^64))",
        "00017fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf0020000000000000cf4000000000000000ca5f000000ca5f800000",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack(-1, -32, -33, -128, -129, -32768, -32769, -2^31, -2^31 - 1, -2^63, -2^63 - 2048))",
        "ffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffd38000000000000000cbc3e0000000000001",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack(0.5, 0.1, 1/0, -1/0, -0.0, 1e300, 1e39, 16777217.5))",
        "ca3f000000cb3fb999999999999aca7f800000caff80000000cb7e37e43c8800759ccb48078287f49c4a1dcb4170000018000000",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack(nil, true, false, function() end))",
        "c0c3c2c0",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack('', 'abc', string.rep('x', 31), string.rep('y', 32)))",
        "a0a3616263bf78787878787878787878787878787878787878787878787878787878787878d9207979797979797979797979797979797979797979797979797979797979797979",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack(string.rep('x', 255)):sub(1, 8)), h(cmsgpack.pack(string.rep('x', 256)):sub(1, 8))",
        "d9ff787878787878 da01007878787878",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack(string.rep('x', 65535)):sub(1, 8)), h(cmsgpack.pack(string.rep('x', 65536)):sub(1, 8))",
        "daffff7878787878 db00010000787878",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack({}, {1, 2, 3}, {a = 1}, {[0] = 1}, {[1.5] = 2}, {[true] = 1}, {[2] = 1}, {[2^31] = 1}))",
        "909301020381a1610181000181ca3fc000000281c30181020181ce8000000001",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end local t = {} for i = 1, 16 do t[i] = i end return h(cmsgpack.pack(t))",
        "dc00100102030405060708090a0b0c0d0e0f10",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end local t = {} for i = 1, 65536 do t[i] = i end return h(cmsgpack.pack(t):sub(1, 8))",
        "dd00010000010203",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end local t = {} for i = 1, 16 do t['k' .. i] = i end return h(cmsgpack.pack(t):sub(1, 3)), #cmsgpack.pack(t)",
        "de0010 74",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end local t = {} for i = 1, 20 do t = {t} end return h(cmsgpack.pack(t))",
        "91919191919191919191919191919191c0",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end local t = {} for i = 1, 15 do t = {t} end return h(cmsgpack.pack(t))",
        "91919191919191919191919191919190",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end local t = {} t.x = t return h(cmsgpack.pack(t))",
        "81a17881a17881a17881a17881a17881a17881a17881a17881a17881a17881a17881a17881a17881a17881a17881a178c0",
    ),
    (
        "local function h(s) return (s:gsub('.', function(c) return string.format('%02x', c:byte()) end)) end return h(cmsgpack.pack(setmetatable({}, {__index = function() return 1 end})))",
        "90",
    ),
];

#[test]
fn values_are_unpacked() {
    check("cmsgpack", library, VALUES_ARE_UNPACKED);
}

const VALUES_ARE_UNPACKED: &[(&str, &str)] = &[
    (
        r"return cmsgpack.unpack('\208\128\209\128\001\210\128\0\0\0\224\202\063\0\0\0\255\192\195\194')",
        "-128 -32767 -2147483648 -32 0.5 -1 nil true false",
    ),
    (
        r"return cmsgpack.unpack('\217\001a\218\0\001b\219\0\0\0\001c\220\0\002\001\002\221\0\0\0\001\003')",
        "a b c [1 2] [3]",
    ),
    (r"local m = cmsgpack.unpack('\130\161a\001\162bb\002') return m.a, m.bb", "1 2"),
    (r"local m = cmsgpack.unpack('\222\0\002\001\161x\195\146\001\002') return m[1], m[true]", "x [1 2]"),
    (r"local m = cmsgpack.unpack('\223\0\0\0\001\001\161x') return m[1]", "x"),
    (r"return cmsgpack.unpack('\207\255\255\255\255\255\255\255\255\211\255\255\255\255\255\255\255\255')", "-1 -1"),
    (
        r"return cmsgpack.unpack('\207\001\0\0\0\0\0\0\001\206\255\255\255\255\205\255\255\204\255')",
        "72057594037927936 4294967295 65535 255",
    ),
    (r"return cmsgpack.unpack('\203\063\185\153\153\153\153\153\154')", "0.10000000000000001"),
    ("return cmsgpack.unpack(''), cmsgpack.unpack(5)", "nil 53"),
    (r"return cmsgpack.unpack('\147\001\192\003')[3]", "3"),
    ("return cmsgpack.unpack(cmsgpack.pack({1, {2, {3, {}}}, 'x'}))", "[1 [2 [3 []]] x]"),
    (r"return cmsgpack.unpack_one('\001\002\003')", "1 1"),
    (r"return cmsgpack.unpack_one('\001\002\003', 1)", "2 2"),
    (r"return cmsgpack.unpack_one('\001\002\003', 2)", "-1 3"),
    (r"return cmsgpack.unpack_one('\001\002\003', 3)", "-1"),
    (r"return cmsgpack.unpack_one('\001\002\003', nil)", "1 1"),
    (r"return cmsgpack.unpack_limit('\001\002\003', 2)", "2 1 2"),
    (r"return cmsgpack.unpack_limit('\001\002\003', 2, 1)", "-1 2 3"),
    (r"return cmsgpack.unpack_limit('\001\002\003', 0)", "1 2 3"),
    (r"return cmsgpack.unpack_limit('\001\002\003', 0, 1)", "1"),
    (r"return cmsgpack.unpack_limit('\001\002\003', '2', '0x1')", "-1 2 3"),
];

#[test]
fn wrong_calls_and_data_are_errors() {
    check("cmsgpack", library, WRONG_CALLS_AND_DATA_ARE_ERRORS);
}

const WRONG_CALLS_AND_DATA_ARE_ERRORS: &[(&str, &str)] = &[
    ("return cmsgpack.pack()", "error: user_script:1: bad argument #0 to 'pack' (MessagePack pack needs input.)"),
    ("return cmsgpack.unpack()", "error: user_script:1: bad argument #1 to 'unpack' (string expected, got no value)"),
    ("return cmsgpack.unpack({})", "error: user_script:1: bad argument #1 to 'unpack' (string expected, got table)"),
    (r"return cmsgpack.unpack('\205')", "error: user_script:1: Missing bytes in input."),
    (r"return cmsgpack.unpack('\205\001')", "error: user_script:1: Missing bytes in input."),
    (r"return cmsgpack.unpack('\193')", "error: user_script:1: Bad data format in input."),
    (r"return cmsgpack.unpack('\001\199')", "error: user_script:1: Bad data format in input."),
    (r"return cmsgpack.unpack('\162a')", "error: user_script:1: Missing bytes in input."),
    (r"return cmsgpack.unpack('\221\255\255\255\255')", "error: user_script:1: Missing bytes in input."),
    (r"return cmsgpack.unpack('\223\255\255\255\255')", "error: user_script:1: Missing bytes in input."),
    (r"return cmsgpack.unpack('\219\255\255\255\255')", "error: user_script:1: Missing bytes in input."),
    (r"return cmsgpack.unpack('\129\192\001')", "error: table index is nil"),
    (r"return cmsgpack.unpack('\129\203\127\248\0\0\0\0\0\0\001')", "error: table index is NaN"),
    (
        r"return cmsgpack.unpack_one('\001\002\003', 4)",
        "error: user_script:1: Start offset 4 greater than input length 3.",
    ),
    (
        r"return cmsgpack.unpack_one('\001\002\003', -1)",
        "error: user_script:1: Invalid request to unpack with offset of -1 and limit of 3.",
    ),
    (
        r"return cmsgpack.unpack_one('\001\002\003', 'x')",
        "error: user_script:1: bad argument #2 to 'unpack_one' (number expected, got string)",
    ),
    (
        "return cmsgpack.unpack_one()",
        "error: user_script:1: bad argument #1 to 'unpack_one' (string expected, got no value)",
    ),
    (
        r"return cmsgpack.unpack_limit('\001\002\003', -2)",
        "error: user_script:1: Invalid request to unpack with offset of 0 and limit of 3.",
    ),
    (
        r"return cmsgpack.unpack_limit('\001\002\003')",
        "error: user_script:1: bad argument #2 to 'unpack_limit' (number expected, got no value)",
    ),
    (
        r"return cmsgpack.unpack_limit('\001\002\003', 1, 2^40)",
        "error: user_script:1: Start offset 0 greater than input length 3.",
    ),
];

#[test]
fn nesting_and_results_end_where_the_stack_of_redis_does() {
    check("cmsgpack", library, NESTING_AND_RESULTS_END_WHERE_THE_STACK_OF_REDIS_DOES);
}

const NESTING_AND_RESULTS_END_WHERE_THE_STACK_OF_REDIS_DOES: &[(&str, &str)] = &[
    (
        r"return cmsgpack.unpack(string.rep('\145', 100000))",
        "error: user_script:1: stack overflow (in function mp_decode_to_lua_array)",
    ),
    (r"return cmsgpack.unpack(string.rep('\145', 3999))", "error: user_script:1: Missing bytes in input."),
    (
        r"return cmsgpack.unpack(string.rep('\145', 4000))",
        "error: user_script:1: stack overflow (in function mp_decode_to_lua_array)",
    ),
    (r"return cmsgpack.unpack(string.rep('\129', 7999))", "error: user_script:1: Missing bytes in input."),
    (
        r"return cmsgpack.unpack(string.rep('\129', 8000) .. '\001')",
        "error: user_script:1: stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
    ),
    (
        r"return cmsgpack.unpack(string.rep('\129\001', 7999))",
        "error: user_script:1: stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
    ),
    (r"return select('#', cmsgpack.unpack(string.rep('\001', 7999)))", "7999"),
    (
        r"return cmsgpack.unpack(string.rep('\001', 8000))",
        "error: user_script:1: stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
    ),
    (r"return select('#', cmsgpack.unpack_limit(string.rep('\001', 8000), 7998))", "7999"),
    (
        r"return cmsgpack.unpack_limit(string.rep('\001', 8000), 7999)",
        "error: user_script:1: stack overflow (in function mp_unpack_full)",
    ),
];

#[test]
fn the_library_names_itself() {
    check("cmsgpack", library, THE_LIBRARY_NAMES_ITSELF);
}

const THE_LIBRARY_NAMES_ITSELF: &[(&str, &str)] = &[(
    "return cmsgpack._NAME, cmsgpack._VERSION, cmsgpack._COPYRIGHT, cmsgpack._DESCRIPTION",
    "cmsgpack lua-cmsgpack 0.4.0 Copyright (C) 2012, Salvatore Sanfilippo MessagePack C implementation for Lua",
)];

#[test]
fn no_bytes_make_it_panic() {
    let script = "for round = 1, 20000 do
            local bytes = {}
            for index = 1, math.random(12) do bytes[index] = string.char(math.random(0, 255)) end
            pcall(cmsgpack.unpack, table.concat(bytes))
            pcall(cmsgpack.unpack_limit, table.concat(bytes), math.random(-1, 3), math.random(-1, 12))
        end
        return true";
    check("cmsgpack", library, &[(script, "true")]);
}
