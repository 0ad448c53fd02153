//! Tests of the library `struct`; what is expected is what Redis 7.4.1 returns.

use super::library;
use crate::script::native::testing::check;

#[test]
fn integers_are_packed_and_unpacked() {
    check("struct", library, INTEGERS_ARE_PACKED_AND_UNPACKED);
}

const INTEGERS_ARE_PACKED_AND_UNPACKED: &[(&str, &str)] = &[
    (
        "return struct.pack('>bBhHiIlLT', -1, 255, -2, 65535, -3, 4294967295, -4, 5, 6)",
        "<ff><ff><ff><fe><ff><ff><ff><ff><ff><fd><ff><ff><ff><ff><ff><ff><ff><ff><ff><ff><ff><fc><00><00><00><00><00><00><00><05><00><00><00><00><00><00><00><06>",
    ),
    (
        "return struct.pack('<bBhHiIlLT', -1, 255, -2, 65535, -3, 4294967295, -4, 5, 6)",
        "<ff><ff><fe><ff><ff><ff><fd><ff><ff><ff><ff><ff><ff><ff><fc><ff><ff><ff><ff><ff><ff><ff><05><00><00><00><00><00><00><00><06><00><00><00><00><00><00><00>",
    ),
    (
        "return struct.unpack('>bBhHiIlLT', struct.pack('>bBhHiIlLT', -1, 255, -2, 65535, -3, 4294967295, -4, 5, 6))",
        "-1 255 -2 65535 -3 4294967295 -4 5 6 39",
    ),
    (
        "return struct.pack('>i16', -1), struct.pack('<I3', 0x123456), struct.pack('i0', 7), struct.pack('>i32', 1)",
        "<00><00><00><00><00><00><00><00><ff><ff><ff><ff><ff><ff><ff><ff> V4<12>  <00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><01>",
    ),
    (
        "return struct.pack('>L', 0/0), struct.pack('>L', 2^64), struct.pack('>L', 2^63 + 2048), struct.pack('>L', -2^63 - 4096)",
        "<80><00><00><00><00><00><00><00> <00><00><00><00><00><00><00><00> <80><00><00><00><00><00><08><00> <80><00><00><00><00><00><00><00>",
    ),
    (
        "return struct.pack('>L', 1/0), struct.pack('>L', -1/0), struct.pack('>i', 3.99), struct.pack('>i', -3.99)",
        "<00><00><00><00><00><00><00><00> <80><00><00><00><00><00><00><00> <00><00><00><03> <ff><ff><ff><fd>",
    ),
    (r"return struct.unpack('>i9', string.rep('\255', 9))", "-1 10"),
    (r"return struct.unpack('>i9', string.rep('\0', 8) .. '\128')", "-128 10"),
    (r"return struct.unpack('>i10', string.rep('\0', 8) .. '\128\0')", "-32768 11"),
    (r"return struct.unpack('<i12', string.rep('\200', 12))", "-926365496 13"),
    (r"return struct.unpack('<i16>I20', string.rep('\200', 40))", "-3.9787095060942172e+18 1.4468034567615334e+19 37"),
    (r"return struct.unpack('>i32', string.rep('\200', 40))", "-3.9787095060942172e+18 33"),
    ("return struct.unpack('i0', '')", "0 1"),
    ("return struct.pack('b', '0x10'), struct.pack('b', ' 7 '), struct.pack('>i2', 258.5)", "<10> <07> <01><02>"),
];

#[test]
fn floating_point_numbers_and_strings() {
    check("struct", library, FLOATING_POINT_NUMBERS_AND_STRINGS);
}

const FLOATING_POINT_NUMBERS_AND_STRINGS: &[(&str, &str)] = &[
    (
        "return struct.pack('>fd', 0.1, -0.0), struct.pack('<fd', 1e300, 0.1)",
        "=<cc><cc><cd><80><00><00><00><00><00><00><00> <00><00><80><7f><9a><99><99><99><99><99><b9>?",
    ),
    (r"return struct.unpack('>f<d', '\063\128\0\0\0\0\0\0\0\0\248\063')", "1 1.5 13"),
    (r"return struct.pack('sc0c2x', 'a\0b', 'cd', 'xyz')", "a<00>b<00>cdxy<00>"),
    (r"return struct.unpack('ssx', 'ab\0\0cd')", "ab  6"),
    (r"return struct.unpack('bc0', '\002abc')", "ab 4"),
    (r"return struct.unpack('sc0', '2\0abc')", "ab 5"),
    ("return struct.unpack('c2c1', 'abc')", "ab c 4"),
    ("return struct.unpack('dc0', struct.pack('d', 1.9) .. 'xyz')", "x 10"),
    ("return struct.pack('s', 3.5), struct.pack('c2', 12)", "3.5<00> 12"),
    (r"return struct.unpack('b \0b', 'abc')", "97 2"),
    ("return struct.unpack('b', 'abc', '2')", "98 3"),
    ("return struct.unpack('', 'abc', -5)", "-5"),
];

#[test]
fn items_are_aligned() {
    check("struct", library, ITEMS_ARE_ALIGNED);
}

const ITEMS_ARE_ALIGNED: &[(&str, &str)] = &[
    (
        r"return struct.pack('!ibdxhs', 1, 2, 3.25, 4, 'ab\0c')",
        "<01><00><00><00><02><00><00><00><00><00><00><00><00><00><0a>@<00><00><04><00>ab<00>c<00>",
    ),
    ("return struct.pack('>!4i3bi5', 1, 2, 3)", "<00><00><00><00><01><02><00><00><00><00><00><00><03>"),
    (
        "return struct.pack('b!16d', 1, 2), struct.pack('b!2d', 1, 2), struct.pack('!b!1l', 1, 2)",
        "<01><00><00><00><00><00><00><00><00><00><00><00><00><00><00>@ <01><00><00><00><00><00><00><00><00>@ <01><02><00><00><00><00><00><00><00>",
    ),
    (
        "return struct.pack('b!32i32', 1, 2), struct.pack('bb!32i31', 1, 2, 3)",
        "<01><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><02><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00> <01><02><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><03><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00><00>",
    ),
    ("return struct.unpack('!4bih', struct.pack('!4bih', 1, -2, 3))", "1 -2 3 11"),
    (
        "return struct.unpack('!bd', 'x', -1)",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    (
        "return struct.unpack('!8b!8l', string.rep('a', 8), -3)",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    ("return struct.size('!bdi'), struct.size('zz4'), struct.size('>!4 bi3hc7T'), struct.size('')", "20 0 24 0"),
];

#[test]
fn wrong_calls_are_errors() {
    check("struct", library, WRONG_CALLS_ARE_ERRORS);
}

const WRONG_CALLS_ARE_ERRORS: &[(&str, &str)] = &[
    ("return struct.unpack('c0', 'abc')", "error: user_script:1: format 'c0' needs a previous size"),
    (
        r"return struct.unpack('bc0', '\255abc')",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    (
        r"return struct.unpack('bc0', '\004abc')",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    (r"return struct.unpack('sc0', 'x\0abc')", "error: user_script:1: format 'c0' needs a previous size"),
    ("return struct.unpack('s', 'abc')", "error: user_script:1: unfinished string in data"),
    (
        "return struct.unpack('b', 'abc', 0)",
        "error: user_script:1: bad argument #3 to 'unpack' (offset must be 1 or greater)",
    ),
    (
        "return struct.unpack('b', 'abc', 4)",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    (
        "return struct.unpack('b', 'abc', -1)",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    (
        "return struct.unpack(' ', 'abc', 5)",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    (
        "return struct.unpack('b', 'abc', 'x')",
        "error: user_script:1: bad argument #3 to 'unpack' (number expected, got string)",
    ),
    ("return struct.unpack('b')", "error: user_script:1: bad argument #2 to 'unpack' (string expected, got no value)"),
    ("return struct.unpack('I2147483648', 'abc')", "error: user_script:1: integral size overflow"),
    ("return struct.unpack('>I2147483648', 'abc')", "error: user_script:1: integral size overflow"),
    (
        "return struct.unpack('>I2147483647', 'abc')",
        "error: user_script:1: integral size 2147483647 is larger than limit of 32",
    ),
    (
        "return struct.unpack('c2147483647', 'abc')",
        "error: user_script:1: bad argument #2 to 'unpack' (data string too short)",
    ),
    ("return struct.unpack('c2147483648', 'abc')", "error: user_script:1: integral size overflow"),
    ("return struct.unpack('c99999999999999999999', 'abc')", "error: user_script:1: integral size overflow"),
    ("return struct.pack('>I33', 1)", "error: user_script:1: integral size 33 is larger than limit of 32"),
    ("return struct.pack('c5', 'abc')", "error: user_script:1: bad argument #3 to 'pack' (string too short)"),
    ("return struct.pack('i', 'abc')", "error: user_script:1: bad argument #2 to 'pack' (number expected, got string)"),
    ("return struct.pack('i')", "error: user_script:1: bad argument #2 to 'pack' (number expected, got nil)"),
    ("return struct.pack('bs', 1)", "error: user_script:1: bad argument #3 to 'pack' (string expected, got nil)"),
    ("return struct.pack('i', {})", "error: user_script:1: bad argument #2 to 'pack' (number expected, got table)"),
    ("return struct.pack('z', 1)", "error: user_script:1: bad argument #1 to 'pack' (invalid format option 'z')"),
    (
        r"return struct.pack('\200', 1)",
        "error: user_script:1: bad argument #1 to 'pack' (invalid format option '<c8>')",
    ),
    ("return struct.pack('!3', 1)", "error: user_script:1: alignment 3 is not a power of 2"),
    ("return struct.pack('!0', 1)", "error: user_script:1: alignment 0 is not a power of 2"),
    ("return struct.pack('!2147483648', 1)", "error: user_script:1: integral size overflow"),
    ("return struct.pack()", "error: user_script:1: bad argument #1 to 'pack' (string expected, got no value)"),
    ("return struct.pack({})", "error: user_script:1: bad argument #1 to 'pack' (string expected, got table)"),
    ("return struct.size('s')", "error: user_script:1: bad argument #1 to 'size' (option 's' has no fixed size)"),
    ("return struct.size('c0')", "error: user_script:1: bad argument #1 to 'size' (option 'c0' has no fixed size)"),
    (r"return struct.size('\200')", "error: user_script:1: bad argument #1 to 'size' (invalid format option '<c8>')"),
    ("return struct.size('bb=')", "error: user_script:1: bad argument #1 to 'size' (invalid format option '=')"),
    (
        "return struct.unpack(string.rep('b', 9000), string.rep('x', 9000))",
        "error: user_script:1: stack overflow (too many results)",
    ),
    ("return select('#', struct.unpack(string.rep('b', 7997), string.rep('x', 9000)))", "7998"),
    (
        "return struct.unpack(string.rep('b', 7998), string.rep('x', 9000))",
        "error: user_script:1: stack overflow (too many results)",
    ),
];

#[test]
fn no_format_makes_it_panic() {
    let script = "local options = {'b', 'H', 'i', 'I', 'l', 'T', 'f', 'd', 's', 'x', 'c', '!', '>', '<', ' ', '0', '3', '16', '2147483647'}
        for round = 1, 20000 do
            local format, bytes = {}, {}
            for index = 1, math.random(8) do format[index] = options[math.random(#options)] end
            for index = 1, math.random(30) do bytes[index] = string.char(math.random(0, 255)) end
            format, bytes = table.concat(format), table.concat(bytes)
            pcall(struct.size, format)
            pcall(struct.pack, format, -1, bytes, 1e300, 0/0, 5, '7')
            pcall(struct.unpack, format, bytes, math.random(-20, 30))
        end
        return true";
    check("struct", library, &[(script, "true")]);
}
