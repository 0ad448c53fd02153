//! Texts of errors: Luau's in the words of Lua 5.1, and the form of error replies.

/// The error reply for the text of an error table: a leading minus is dropped, as the reply has its own.
pub(super) fn error_line(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"-").unwrap_or(text)
}

/// An error in the words of Lua 5.1, as far as scripts are known to look at them.
pub(super) fn as_lua51(text: &str) -> String {
    let (place, message) = match text.find(": ") {
        Some(at) if text[..at].starts_with("user_") => text.split_at(at + 2),
        _ => ("", text),
    };
    let translated = match message {
        "attempt to modify a readonly table" => "Attempt to modify a readonly table".to_string(),
        _ => index_of(message).or_else(|| arithmetic_on(message)).or_else(|| compare(message)).unwrap_or_else(|| message.to_string()),
    };
    [place, &translated].concat()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_lua_51() {
        for (luau, lua) in [
            ("attempt to modify a readonly table", "Attempt to modify a readonly table"),
            ("user_script:3: attempt to index nil with 'x'", "user_script:3: attempt to index a nil value"),
            ("attempt to perform arithmetic (add) on nil and number", "attempt to perform arithmetic on a nil value"),
            ("attempt to perform arithmetic (sub) on number and table", "attempt to perform arithmetic on a table value"),
            ("attempt to concatenate string with nil", "attempt to concatenate a nil value"),
            ("attempt to compare number < nil", "attempt to compare number with nil"),
            ("attempt to compare nil < nil", "attempt to compare two nil values"),
            ("anything: else", "anything: else"),
        ] {
            assert_eq!(as_lua51(luau), lua);
        }
    }
}
