//! Texts of errors: Luau's in the words of Lua 5.1, and the form of error replies.

/// The error reply for the text of an error table: a leading minus is dropped, as the reply has its own.
pub(super) fn error_line(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"-").unwrap_or(text)
}

/// Where the message begins behind a place, as "user_script:12: ".
fn message_start(text: &str) -> usize {
    let Some(first) = text.find(':').filter(|_| text.starts_with("user_")) else { return 0 };
    let digits = text[first + 1..].bytes().take_while(u8::is_ascii_digit).count();
    let end = first + 1 + digits;
    if digits > 0 && text[end..].starts_with(": ") { end + 2 } else { 0 }
}

/// A run-time error in the words of Lua 5.1, as far as scripts are known to look at them. Where Lua 5.1 would name the
/// variable, the words are those it has for a value without a name.
pub(super) fn as_lua51(text: &str) -> String {
    let (place, message) = text.split_at(message_start(text));
    let translated = match message {
        "attempt to modify a readonly table" | "cannot change a protected metatable" => {
            Some("Attempt to modify a readonly table".to_string())
        }
        _ => argument(message)
            .or_else(|| index_of(message))
            .or_else(|| arithmetic_on(message))
            .or_else(|| compare(message))
            .or_else(|| call_or_loop(message)),
    };
    [place, translated.as_deref().unwrap_or(message)].concat()
}

/// "invalid argument #1 to 'x' (…)", "missing argument #1 to 'x' (number expected)", "missing argument #1"
fn argument(message: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("invalid argument #") {
        return Some(["bad argument #", rest].concat());
    }
    let rest = message.strip_prefix("missing argument #")?;
    Some(match rest.strip_suffix(" expected)") {
        Some(rest) => ["bad argument #", rest, " expected, got no value)"].concat(),
        None => ["bad argument #", rest, " to '?' (value expected)"].concat(),
    })
}

/// "attempt to index nil with 'x'"
fn index_of(message: &str) -> Option<String> {
    let rest = message.strip_prefix("attempt to index ")?;
    // Lua 5.1 would name the variable; Luau names the key.
    let (kind, _) = rest.split_once(" with ")?;
    Some(["attempt to index a ", kind, " value"].concat())
}

/// "attempt to perform arithmetic (add) on nil and number", "attempt to concatenate nil with string"
fn arithmetic_on(message: &str) -> Option<String> {
    let (start, kinds, good) = if let Some(rest) = message.strip_prefix("attempt to perform arithmetic (") {
        let (_, kinds) = rest.split_once(") on ")?;
        ("attempt to perform arithmetic on a ", kinds.replace(" and ", " "), &["number"][..])
    } else {
        let rest = message.strip_prefix("attempt to concatenate ")?;
        ("attempt to concatenate a ", rest.replace(" with ", " "), &["number", "string"][..])
    };
    let culprit = kinds.split(' ').find(|kind| !good.contains(kind))?;
    Some([start, culprit, " value"].concat())
}

/// "attempt to compare number < nil"
fn compare(message: &str) -> Option<String> {
    let rest = message.strip_prefix("attempt to compare ")?;
    let mut words = rest.split(' ');
    let (one, sign, other) = (words.next()?, words.next()?, words.next()?);
    if !["<", "<=", ">", ">="].contains(&sign) {
        return None;
    }
    Some(if one == other {
        ["attempt to compare two ", one, " values"].concat()
    } else {
        ["attempt to compare ", one, " with ", other].concat()
    })
}

/// "attempt to call missing method 'x' of table", "attempt to iterate over a number value", "invalid 'for' limit (…)"
fn call_or_loop(message: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("attempt to call missing method ") {
        let (name, _) = rest.split_once(" of ")?;
        return Some(["attempt to call method ", name, " (a nil value)"].concat());
    }
    if let Some(rest) = message.strip_prefix("attempt to iterate over ") {
        return Some(["attempt to call ", rest].concat());
    }
    let (what, _) = message.strip_prefix("invalid 'for' ")?.split_once(" (number expected")?;
    Some(["'for' ", what, " must be a number"].concat())
}

/// A syntax error in the words of Lua 5.1, where Luau says enough to know them.
pub(super) fn syntax_as_lua51(text: &str) -> String {
    let (place, message) = text.split_at(message_start(text));
    let translated = if message.starts_with("Malformed string") {
        Some("unfinished string near '<eof>'".to_string())
    } else if message == "Malformed number" {
        Some("malformed number".to_string())
    } else if message.starts_with("Incomplete statement") {
        Some("'=' expected".to_string())
    } else {
        expected(message)
    };
    [place, translated.as_deref().unwrap_or(message)].concat()
}

/// "Expected 'x' when parsing …, got 'y'"
fn expected(message: &str) -> Option<String> {
    let (expected, got) = message.strip_prefix("Expected ")?.rsplit_once(", got ")?;
    let near = match (got, got.strip_prefix('"').and_then(|got| got.strip_suffix('"'))) {
        ("<eof>", _) => "'<eof>'".to_string(),
        (_, Some(inner)) => ["''", inner, "''"].concat(),
        (got, None) => got.split(';').next().unwrap_or(got).to_string(),
    };
    if expected.starts_with("identifier when parsing expression") {
        return Some(["unexpected symbol near ", &near].concat());
    }
    let closes = expected.split_once(" (to close ").map(|(_, closes)| closes);
    let what = match expected.split(" when parsing").next()?.split(" (to close").next()? {
        "<eof>" => "'<eof>'",
        "identifier" => "'<name>'",
        what => what,
    };
    let Some((opened, line)) = closes.and_then(|closes| closes.split_once(" at line ")) else {
        return Some([what, " expected near ", &near].concat());
    };
    let line: String = line.chars().take_while(char::is_ascii_digit).collect();
    let opened = if opened == "'then'" { "'if'" } else { opened };
    Some([what, " expected (to close ", opened, " at line ", &line, ") near ", &near].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_lua_51() {
        for (luau, lua) in [
            ("attempt to modify a readonly table", "Attempt to modify a readonly table"),
            ("user_script:3: attempt to index nil with 'x'", "user_script:3: attempt to index a nil value"),
            ("attempt to perform arithmetic (add) on nil and number", "attempt to perform arithmetic on a nil value"),
            (
                "attempt to perform arithmetic (sub) on number and table",
                "attempt to perform arithmetic on a table value",
            ),
            ("attempt to concatenate string with nil", "attempt to concatenate a nil value"),
            ("attempt to compare number < nil", "attempt to compare number with nil"),
            ("attempt to compare nil < nil", "attempt to compare two nil values"),
            ("user_script:1: invalid argument #1 to 'x' (y)", "user_script:1: bad argument #1 to 'x' (y)"),
            ("missing argument #2 to 'x' (number expected)", "bad argument #2 to 'x' (number expected, got no value)"),
            ("attempt to call missing method 'b' of table", "attempt to call method 'b' (a nil value)"),
            ("attempt to iterate over a nil value", "attempt to call a nil value"),
            ("invalid 'for' limit (number expected, got nil)", "'for' limit must be a number"),
            ("anything: else", "anything: else"),
        ] {
            assert_eq!(as_lua51(luau), lua);
        }
    }

    #[test]
    fn the_words_of_lua_51_for_syntax_errors() {
        for (luau, lua) in [
            ("user_script:1: Expected <eof>, got 'end'", "user_script:1: '<eof>' expected near 'end'"),
            ("Expected identifier when parsing expression, got <eof>", "unexpected symbol near '<eof>'"),
            (
                "user_script:3: Expected 'end' (to close 'then' at line 1), got <eof>",
                "user_script:3: 'end' expected (to close 'if' at line 1) near '<eof>'",
            ),
            ("Expected 'end' (to close 'then' at column 9), got <eof>", "'end' expected near '<eof>'"),
            ("Expected <eof>, got \"b\"", "'<eof>' expected near ''b''"),
            ("something new", "something new"),
        ] {
            assert_eq!(syntax_as_lua51(luau), lua);
        }
    }
}
