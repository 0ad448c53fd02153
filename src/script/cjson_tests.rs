//! Tests of the library `cjson`; what is expected is what Redis 7.4.1 returns.

use super::library;
use crate::script::native::testing::check;

#[test]
fn values_are_encoded() {
    check("cjson", library, VALUES_ARE_ENCODED);
}

const VALUES_ARE_ENCODED: &[(&str, &str)] = &[
    (
        "return cjson.encode({{}, {a = 1}, 'x', true, false, cjson.null}), cjson.encode(nil), cjson.encode({})",
        r#"[{},{"a":1},"x",true,false,null] null {}"#,
    ),
    (
        "return cjson.encode({a = {b = {c = {1, {}}}}}), cjson.encode({{{}, {}}, {1}})",
        r#"{"a":{"b":{"c":[1,{}]}}} [[{},{}],[1]]"#,
    ),
    (
        r#"return cjson.encode('a\0b/"\\\127\255\n\t\r\b\f\11\195\169')"#,
        r#""a\u0000b\/\"\\\u007f<ff>\n\t\r\b\f\u000b<c3><a9>""#,
    ),
    (
        "return cjson.encode({1, 1.5, -0.0, 1e15, 1e14, 123456789012345678, 0.1, 1/3, 1e-5, 1e-4, 2^53, 1e100, -1e-300})",
        "[1,1.5,-0,1e+15,1e+14,1.2345678901235e+17,0.1,0.33333333333333,1e-05,0.0001,9.007199254741e+15,1e+100,-1e-300]",
    ),
    (
        "return cjson.encode({[1] = 1, [3] = 3}), cjson.encode({[10] = 3}), cjson.encode({[0] = 3})",
        r#"[1,null,3] [null,null,null,null,null,null,null,null,null,3] {"0":3}"#,
    ),
    (
        "return cjson.encode({[1.5] = 1}), cjson.encode({[-1] = 1}), cjson.encode({['1'] = 'a'}), cjson.encode({[-0.5] = {}})",
        r#"{"1.5":1} {"-1":1} {"1":"a"} {"-0.5":{}}"#,
    ),
    ("return cjson.encode({[2^31] = 3}), cjson.encode({[2^40] = 3})", r#"{"2147483648":3} {"1099511627776":3}"#),
    (
        "local t = {} for i = 1, 21 do t[i] = i end for i = 2, 11 do t[i] = nil end return cjson.encode(t)",
        "[1,null,null,null,null,null,null,null,null,null,null,12,13,14,15,16,17,18,19,20,21]",
    ),
    ("return cjson.encode(setmetatable({}, {__index = function() return 1 end}))", "{}"),
    ("local t = {} for i = 1, 999 do t = {t} end return #cjson.encode(t)", "2000"),
    ("local t = {} for i = 1, 999 do t = {a = t} end return #cjson.encode(t)", "5996"),
    (
        "return cjson.encode(1e13), cjson.encode(99999999999999), cjson.encode(-99999999999999), cjson.encode(12345678.9)",
        "10000000000000 99999999999999 -99999999999999 12345678.9",
    ),
    (
        "local t = cjson.encode({a = 1, b = {1}, c = {d = 'x'}}) local r = cjson.decode(t) return r.a, r.b, r.c.d, #t",
        "1 [1] x 29",
    ),
];

#[test]
fn what_has_no_encoding_is_an_error() {
    check("cjson", library, WHAT_HAS_NO_ENCODING_IS_AN_ERROR);
}

const WHAT_HAS_NO_ENCODING_IS_AN_ERROR: &[(&str, &str)] = &[
    ("return cjson.encode()", "error: user_script:1: bad argument #1 to 'encode' (expected 1 argument)"),
    ("return cjson.encode(1, 2)", "error: user_script:1: bad argument #1 to 'encode' (expected 1 argument)"),
    ("return cjson.encode(function() end)", "error: user_script:1: Cannot serialise function: type not supported"),
    (
        "return cjson.encode({a = function() end})",
        "error: user_script:1: Cannot serialise function: type not supported",
    ),
    (
        "return cjson.encode({[true] = 1})",
        "error: user_script:1: Cannot serialise boolean: table key must be a number or string",
    ),
    (
        "return cjson.encode({[true] = {}})",
        "error: user_script:1: Cannot serialise boolean: table key must be a number or string",
    ),
    (
        "return cjson.encode({[{}] = 1})",
        "error: user_script:1: Cannot serialise table: table key must be a number or string",
    ),
    (
        "return cjson.encode({[1] = 1, [true] = 2})",
        "error: user_script:1: Cannot serialise boolean: table key must be a number or string",
    ),
    (
        "return cjson.encode({[1] = 1, [11] = 3})",
        "error: user_script:1: Cannot serialise table: excessively sparse array",
    ),
    ("return cjson.encode({[11] = 3})", "error: user_script:1: Cannot serialise table: excessively sparse array"),
    ("return cjson.encode({{[1000] = 3}})", "error: user_script:1: Cannot serialise table: excessively sparse array"),
    ("return cjson.encode(0/0)", "error: user_script:1: Cannot serialise number: must not be NaN or Inf"),
    ("return cjson.encode({a = -1/0})", "error: user_script:1: Cannot serialise number: must not be NaN or Inf"),
    ("return cjson.encode({[1/0] = 1})", "error: user_script:1: Cannot serialise number: must not be NaN or Inf"),
    (
        "local t = {} for i = 1, 1000 do t = {t} end return cjson.encode(t)",
        "error: user_script:1: Cannot serialise, excessive nesting (1001)",
    ),
    (
        "local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
        "error: user_script:1: Cannot serialise, excessive nesting (1001)",
    ),
    (
        "local t = {a = 1} t.t = t return cjson.encode(t)",
        "error: user_script:1: Cannot serialise, excessive nesting (1001)",
    ),
];

#[test]
fn texts_are_decoded() {
    check("cjson", library, TEXTS_ARE_DECODED);
}

const TEXTS_ARE_DECODED: &[(&str, &str)] = &[
    (
        r#"return cjson.decode(5), cjson.decode('[1,"a",true,false,null,[[]],{}]'), cjson.decode(' \t\r\n [ 1 , 2 ] ')"#,
        "5 [1 a true false null [[]] []] [1 2]",
    ),
    (r#"local t = cjson.decode('{"a":1,"b":{"c":[1,2]},"a":3,"":null}') return t.a, t.b.c, t['']"#, "3 [1 2] null"),
    (
        r#"return cjson.decode('"ab\\ud83d\\ude00\\u00e9\\u20AC\\u0000x\\/\\"\\\\\\b\\f\\n\\r\\t"')"#,
        r#"ab<f0><9f><98><80><c3><a9><e2><82><ac><00>x/"\<08><0c><0a><0d><09>"#,
    ),
    (
        r#"return cjson.decode('"\\ud800\\udc00\\udbff\\udfff\\uffff\255\1"')"#,
        "<f0><90><80><80><f4><8f><bf><bf><ef><bf><bf><ff><01>",
    ),
    (
        "return cjson.decode('[1e3,-0.5,1E-2,1e+2,123456789012345678901234567890,5e-324,0,-0]')",
        "[1000 -0.5 0.01 100 1.2345678901234568e+29 4.9406564584124654e-324 0 -0]",
    ),
    (
        "return cjson.decode('+5'), cjson.decode('01.5e3'), cjson.decode('1.'), cjson.decode('-0x10'), cjson.decode('0x1.8p1')",
        "5 1500 1 -16 3",
    ),
    (
        "return cjson.decode('[0x1p-1,0xA.8,0x.8p+4,0xffffffffffffffffff,-.5,1e400,-1e400]')",
        "[0.5 10.5 8 4.7223664828696452e+21 -0.5 inf -inf]",
    ),
    ("return cjson.decode('[-inf,inf,INFINITY,Infinity]')", "[-inf inf inf inf]"),
    (
        "local n = cjson.decode('nan') local m = cjson.decode('[NaN,nan(12_a)]') return n ~= n, m[1] ~= m[1], m[2] ~= m[2]",
        "true true true",
    ),
    (r"return cjson.decode('55\0garbage')", "55"),
    ("return #cjson.decode(string.rep('[', 1000) .. string.rep(']', 1000))", "1"),
    (
        "return cjson.decode('9007199254740993'), cjson.decode('0.1'), cjson.decode('0x1.00000000000008p0')",
        "9007199254740992 0.10000000000000001 1",
    ),
];

#[test]
fn wrong_texts_are_errors() {
    check("cjson", library, WRONG_TEXTS_ARE_ERRORS);
}

const WRONG_TEXTS_ARE_ERRORS: &[(&str, &str)] = &[
    ("return cjson.decode()", "error: user_script:1: bad argument #1 to 'decode' (expected 1 argument)"),
    ("return cjson.decode(nil)", "error: user_script:1: bad argument #1 to 'decode' (string expected, got nil)"),
    ("return cjson.decode({})", "error: user_script:1: bad argument #1 to 'decode' (string expected, got table)"),
    ("return cjson.decode('1', 2)", "error: user_script:1: bad argument #1 to 'decode' (expected 1 argument)"),
    ("return cjson.decode('[')", "error: user_script:1: Expected value but found T_END at character 2"),
    (
        "return cjson.decode('{1:2}')",
        "error: user_script:1: Expected object key string but found T_NUMBER at character 2",
    ),
    (r#"return cjson.decode('{"a"}')"#, "error: user_script:1: Expected colon but found T_OBJ_END at character 5"),
    (
        r#"return cjson.decode('{"a":1')"#,
        "error: user_script:1: Expected comma or object end but found T_END at character 7",
    ),
    (
        r#"return cjson.decode('{"a":1]')"#,
        "error: user_script:1: Expected comma or object end but found T_ARR_END at character 7",
    ),
    (
        "return cjson.decode('[1 2')",
        "error: user_script:1: Expected comma or array end but found T_NUMBER at character 4",
    ),
    ("return cjson.decode('[1,]')", "error: user_script:1: Expected value but found T_ARR_END at character 4"),
    (
        r#"return cjson.decode('{"a":1,}')"#,
        "error: user_script:1: Expected object key string but found T_OBJ_END at character 8",
    ),
    (r#"return cjson.decode('{"a" 1}')"#, "error: user_script:1: Expected colon but found T_NUMBER at character 6"),
    ("return cjson.decode('{,}')", "error: user_script:1: Expected object key string but found T_COMMA at character 2"),
    ("return cjson.decode('truf')", "error: user_script:1: Expected value but found invalid token at character 1"),
    ("return cjson.decode('true x')", "error: user_script:1: Expected the end but found invalid token at character 6"),
    ("return cjson.decode('true 1')", "error: user_script:1: Expected the end but found T_NUMBER at character 6"),
    ("return cjson.decode('[] []')", "error: user_script:1: Expected the end but found T_ARR_BEGIN at character 4"),
    (
        r#"return cjson.decode('"abc')"#,
        "error: user_script:1: Expected value but found unexpected end of string at character 5",
    ),
    (
        r#"return cjson.decode('"ab\\')"#,
        "error: user_script:1: Expected value but found invalid escape code at character 4",
    ),
    (
        r#"return cjson.decode('"ab\\q"')"#,
        "error: user_script:1: Expected value but found invalid escape code at character 4",
    ),
    (
        r#"return cjson.decode('"ab\\ud800"')"#,
        "error: user_script:1: Expected value but found invalid unicode escape code at character 4",
    ),
    (
        r#"return cjson.decode('"\\udc00\\ud800"')"#,
        "error: user_script:1: Expected value but found invalid unicode escape code at character 2",
    ),
    (
        r#"return cjson.decode('"\\ud800\\ud800"')"#,
        "error: user_script:1: Expected value but found invalid unicode escape code at character 2",
    ),
    (
        r#"return cjson.decode('"ab\\u12"')"#,
        "error: user_script:1: Expected value but found invalid unicode escape code at character 4",
    ),
    (
        r#"return cjson.decode('"\\u12g4"')"#,
        "error: user_script:1: Expected value but found invalid unicode escape code at character 2",
    ),
    ("return cjson.decode('+')", "error: user_script:1: Expected value but found invalid number at character 1"),
    ("return cjson.decode('-')", "error: user_script:1: Expected value but found invalid number at character 1"),
    ("return cjson.decode('-x')", "error: user_script:1: Expected value but found invalid number at character 1"),
    ("return cjson.decode('+x')", "error: user_script:1: Expected value but found invalid number at character 1"),
    ("return cjson.decode('0x')", "error: user_script:1: Expected the end but found invalid token at character 2"),
    ("return cjson.decode('0xg')", "error: user_script:1: Expected the end but found invalid token at character 2"),
    ("return cjson.decode('1e')", "error: user_script:1: Expected the end but found invalid token at character 2"),
    ("return cjson.decode('1e+')", "error: user_script:1: Expected the end but found invalid token at character 2"),
    ("return cjson.decode('.5')", "error: user_script:1: Expected value but found invalid token at character 1"),
    ("return cjson.decode('nullx')", "error: user_script:1: Expected the end but found invalid token at character 5"),
    ("return cjson.decode('None')", "error: user_script:1: Expected value but found invalid token at character 1"),
    ("return cjson.decode('infi')", "error: user_script:1: Expected the end but found invalid token at character 4"),
    ("return cjson.decode('nan(')", "error: user_script:1: Expected the end but found invalid token at character 4"),
    (r"return cjson.decode('a\0')", "error: user_script:1: JSON parser does not support UTF-16 or UTF-32"),
    (r"return cjson.decode('5\0')", "error: user_script:1: JSON parser does not support UTF-16 or UTF-32"),
    (r"return cjson.decode('\0\0')", "error: user_script:1: JSON parser does not support UTF-16 or UTF-32"),
    (r"return cjson.decode('\0')", "error: user_script:1: Expected value but found T_END at character 1"),
    ("return cjson.decode('')", "error: user_script:1: Expected value but found T_END at character 1"),
    ("return cjson.decode('  ')", "error: user_script:1: Expected value but found T_END at character 3"),
    (r"return cjson.decode('\200')", "error: user_script:1: Expected value but found invalid token at character 1"),
    (r"return cjson.decode('[\0]')", "error: user_script:1: JSON parser does not support UTF-16 or UTF-32"),
    (
        "return cjson.decode(string.rep('[', 1001))",
        "error: user_script:1: Found too many nested data structures (1001) at character 1001",
    ),
    (
        "return cjson.decode(string.rep('[', 100000))",
        "error: user_script:1: Found too many nested data structures (1001) at character 1001",
    ),
    (
        r#"return cjson.decode(string.rep('{"a":', 1001))"#,
        "error: user_script:1: Found too many nested data structures (1001) at character 5001",
    ),
    (
        r#"return cjson.decode(string.rep('[{"a":', 501))"#,
        "error: user_script:1: Found too many nested data structures (1001) at character 3001",
    ),
];

#[test]
fn settings_are_changed_and_returned() {
    check("cjson", library, SETTINGS_ARE_CHANGED_AND_RETURNED);
}

const SETTINGS_ARE_CHANGED_AND_RETURNED: &[(&str, &str)] = &[
    ("return cjson.encode_sparse_array()", "false 2 10"),
    (
        "return cjson.encode_max_depth(), cjson.decode_max_depth(), cjson.encode_number_precision(), cjson.encode_keep_buffer()",
        "1000 1000 14 true",
    ),
    ("return cjson.encode_invalid_numbers(), cjson.decode_invalid_numbers()", "false true"),
    (
        "local c = cjson.new() c.encode_invalid_numbers(true) return c.encode({1/0, -1/0, 0/0, -(0/0)}), c.encode({[1/0] = 1})",
        r#"[inf,-inf,nan,nan] {"inf":1}"#,
    ),
    (
        "local c = cjson.new() local r = c.encode_invalid_numbers('null') return r, c.encode({1/0, -1/0, 0/0}), c.encode_invalid_numbers('on'), c.encode_invalid_numbers('off')",
        "null [null,null,null] true false",
    ),
    (
        "local c = cjson.new() return c.encode_sparse_array(true), c.encode({[1000] = 1}), c.encode_sparse_array('off', 0, 5)",
        r#"true {"1000":1} false 0 5"#,
    ),
    (
        "local c = cjson.new() c.encode_sparse_array(false, 0) return c.encode({[20] = 1})",
        "[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,1]",
    ),
    (
        "local c = cjson.new() c.encode_sparse_array(false, 1, 0) return c.encode({1, 2}), pcall(c.encode, {1, nil, 3})",
        "[1,2] false Cannot serialise table: excessively sparse array",
    ),
    (
        "local c = cjson.new() c.encode_number_precision(3) return c.encode({3.14159, 123456, 0.00012345, 999.5}), cjson.encode(3.14159)",
        "[3.14,1.23e+05,0.000123,1e+03] 3.14159",
    ),
    (
        "local c = cjson.new() return c.encode_number_precision(2^32 + 7), c.encode_number_precision('3'), c.encode_number_precision(4.9)",
        "7 3 4",
    ),
    (
        "local c = cjson.new() c.encode_max_depth(2) return c.encode({{}}), pcall(c.encode, {{{}}})",
        "[{}] false Cannot serialise, excessive nesting (3)",
    ),
    (
        "local c = cjson.new() c.decode_max_depth(2) return #c.decode('[[]]'), pcall(c.decode, '[[[]]]')",
        "1 false Found too many nested data structures (3) at character 3",
    ),
    ("local c = cjson.new(1, 2) c.x = 1 return c.x, c._NAME, c._VERSION, c.null == cjson.null", "1 cjson 2.1.0 true"),
    (
        "local c = cjson.new() c.decode_invalid_numbers(false) local r = {} for i, t in ipairs({'0x10', '01', '-inf', 'nan', '+1', '-', '1e400', '-x', '-00', '0.5', '-nan'}) do r[i] = tostring(select(2, pcall(c.decode, t))) end return r",
        "[Expected value but found invalid number at character 1 Expected value but found invalid number at character 1 Expected value but found invalid number at character 1 Expected value but found invalid token at character 1 Expected value but found invalid token at character 1 Expected value but found invalid number at character 1 inf Expected value but found invalid number at character 1 Expected value but found invalid number at character 1 0.5 Expected value but found invalid number at character 1]",
    ),
    ("return cjson.encode_keep_buffer('off'), cjson.encode_keep_buffer('on')", "false true"),
];

#[test]
fn wrong_settings_are_errors() {
    check("cjson", library, WRONG_SETTINGS_ARE_ERRORS);
}

const WRONG_SETTINGS_ARE_ERRORS: &[(&str, &str)] = &[
    (
        "return cjson.encode_invalid_numbers('x')",
        "error: user_script:1: bad argument #1 to 'encode_invalid_numbers' (invalid option 'x')",
    ),
    (
        "return cjson.encode_invalid_numbers(5)",
        "error: user_script:1: bad argument #1 to 'encode_invalid_numbers' (invalid option '5')",
    ),
    (
        "return cjson.encode_invalid_numbers({})",
        "error: user_script:1: bad argument #1 to 'encode_invalid_numbers' (string expected, got table)",
    ),
    (
        "return cjson.encode_invalid_numbers(true, 1)",
        "error: user_script:1: bad argument #2 to 'encode_invalid_numbers' (found too many arguments)",
    ),
    (
        "return cjson.decode_invalid_numbers('null')",
        "error: user_script:1: bad argument #1 to 'decode_invalid_numbers' (invalid option 'null')",
    ),
    (
        "return cjson.encode_sparse_array(true, -1)",
        "error: user_script:1: bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)",
    ),
    (
        "return cjson.encode_sparse_array(false, 2, -1)",
        "error: user_script:1: bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)",
    ),
    (
        "return cjson.encode_sparse_array(false, 2, 'x')",
        "error: user_script:1: bad argument #3 to 'encode_sparse_array' (number expected, got string)",
    ),
    (
        "return cjson.encode_sparse_array(false, 2, 10, 1)",
        "error: user_script:1: bad argument #4 to 'encode_sparse_array' (found too many arguments)",
    ),
    (
        "return cjson.encode_max_depth(0)",
        "error: user_script:1: bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)",
    ),
    (
        "return cjson.decode_max_depth(2^31)",
        "error: user_script:1: bad argument #1 to 'decode_max_depth' (expected integer between 1 and 2147483647)",
    ),
    (
        "return cjson.encode_number_precision(15)",
        "error: user_script:1: bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)",
    ),
    ("cjson.encode_sparse_array(false, 2, 10) cjson.encode_max_depth(1000) return cjson.encode_max_depth()", "1000"),
];

#[test]
fn nesting_ends_where_the_stack_of_redis_does() {
    check("cjson", library, NESTING_ENDS_WHERE_THE_STACK_OF_REDIS_DOES);
}

const NESTING_ENDS_WHERE_THE_STACK_OF_REDIS_DOES: &[(&str, &str)] = &[
    (
        "local c = cjson.new() c.decode_max_depth(2^31 - 1) return c.decode(string.rep('[', 100000))",
        "error: user_script:1: Found too many nested data structures (7999) at character 7999",
    ),
    (
        r#"local c = cjson.new() c.decode_max_depth(2^31 - 1) return c.decode(string.rep('{"a":', 100000))"#,
        "error: user_script:1: Found too many nested data structures (4000) at character 19996",
    ),
    (
        "local c = cjson.new() c.decode_max_depth(2^31 - 1) return #c.decode(string.rep('[', 7998) .. string.rep(']', 7998))",
        "1",
    ),
    (
        "local c = cjson.new() c.encode_max_depth(2^31 - 1) local t = {} for i = 1, 10000 do t = {t} end return c.encode(t)",
        "error: user_script:1: Cannot serialise, excessive nesting (7998)",
    ),
    (
        "local c = cjson.new() c.encode_max_depth(2^31 - 1) local t = {} for i = 1, 10000 do t = {a = t} end return c.encode(t)",
        "error: user_script:1: Cannot serialise, excessive nesting (4000)",
    ),
    (
        "local c = cjson.new() c.encode_max_depth(2^31 - 1) local t = {} for i = 1, 7996 do t = {t} end return #c.encode(t)",
        "15994",
    ),
];

/// Redis has no such limit: it would write 10 GB of nulls.
#[test]
fn an_array_that_is_too_long_is_refused_at_once() {
    let script = "local c = cjson.new() c.encode_sparse_array(false, 0) return c.encode({[2^31 - 1] = 1})";
    check("cjson", library, &[(script, "error: user_script:1: result is longer than 536870912 bytes")]);
}

#[test]
fn no_text_makes_it_panic() {
    let script = "local parts = {'[', ']', '{', '}', ',', ':', '\"', '\\\\', '\\\\u', 'd83d', '1', '-', '.', 'e', '0x', 'p-', 'nan(', 'inf', 'tru', 'null', ' ', '\\0', '\\255'}
        for round = 1, 20000 do
            local text = {}
            for index = 1, math.random(8) do text[index] = parts[math.random(#parts)] end
            local ok, value = pcall(cjson.decode, table.concat(text))
            if ok then pcall(cjson.encode, value) end
        end
        return true";
    check("cjson", library, &[(script, "true")]);
}
