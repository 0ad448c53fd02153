//! Rules for single parameters beyond kind and range. Each returns Redis' text for the refusal.
//!
//! Private to `config`: rows name them, `value` calls them.

use super::value::Value;
use crate::stdx::limits::HOST_NAME_BYTES_MAX;

type Verdict = Result<(), &'static str>;

fn text(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) => text.as_deref().unwrap_or_default(),
        _ => b"",
    }
}

fn refuse_if(refused: bool, why: &'static str) -> Verdict {
    if refused { Err(why) } else { Ok(()) }
}

fn is_path(value: &Value) -> bool {
    text(value).iter().any(|byte| matches!(byte, b'/' | b'\\'))
}

pub fn no_active_defrag(value: &Value) -> Verdict {
    refuse_if(
        *value == Value::YesNo(true),
        "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc \
         like the one shipped by default with the Redis source distribution",
    )
}

const NO_TLS: &str = "Unable to update TLS configuration. Check server logs.";

/// A Redis without certificates refuses with the same words.
pub fn no_tls_port(value: &Value) -> Verdict {
    refuse_if(*value != Value::Number(0), NO_TLS)
}

pub fn no_tls(value: &Value) -> Verdict {
    refuse_if(*value != Value::YesNo(false), NO_TLS)
}

pub fn dbfilename_is_a_name(value: &Value) -> Verdict {
    refuse_if(
        is_path(value),
        "dbfilename can't be a path, just a filename",
    )
}

pub fn appendfilename_is_a_name(value: &Value) -> Verdict {
    refuse_if(text(value).is_empty(), "appendfilename can't be empty")?;
    refuse_if(
        is_path(value),
        "appendfilename can't be a path, just a filename",
    )
}

pub fn appenddirname_is_a_name(value: &Value) -> Verdict {
    refuse_if(text(value).is_empty(), "appenddirname can't be empty")?;
    refuse_if(
        is_path(value),
        "appenddirname can't be a path, just a dirname",
    )
}

/// Bits of `save` and `nosave` in the list of shutdown options.
const SAVE_AND_NOSAVE: i32 = 1 | 2;

pub fn shutdown_options_agree(value: &Value) -> Verdict {
    let both =
        matches!(value, Value::Word(options) if options & SAVE_AND_NOSAVE == SAVE_AND_NOSAVE);
    refuse_if(
        both,
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    )
}

pub fn node_name_is_plain(value: &Value) -> Verdict {
    let odd = |byte: &u8| b"\0!#$%&()*+:;<>?@[]^{|}~".contains(byte);
    refuse_if(
        text(value).iter().any(odd),
        "Announced human node name contained invalid character",
    )
}

pub fn host_name_is_plain(value: &Value) -> Verdict {
    let name = text(value);
    refuse_if(
        name.len() >= HOST_NAME_BYTES_MAX,
        "Hostnames must be less than 256 characters",
    )?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    refuse_if(
        !name.iter().all(plain),
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    )
}

/// Variables a process title may contain.
const TITLE_VARIABLES: [&[u8]; 7] = [
    b"title",
    b"listen-addr",
    b"server-mode",
    b"port",
    b"tls-port",
    b"unixsocket",
    b"config-file",
];

pub fn title_template_is_valid(value: &Value) -> Verdict {
    refuse_if(
        !is_title_template(text(value)),
        "template format is invalid or contains unknown variables",
    )
}

/// Whether every `{…}` is a known variable (`{{` is a brace) and something other than blanks is left.
fn is_title_template(mut rest: &[u8]) -> bool {
    let mut says_something = false;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        says_something |= rest[..open].iter().any(|byte| *byte != b' ');
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix(b"{") {
            (says_something, rest) = (true, after);
            continue;
        }
        let Some(close) = rest.iter().position(|byte| *byte == b'}') else {
            return false;
        };
        if !TITLE_VARIABLES.contains(&&rest[..close]) {
            return false;
        }
        // Redis tries the template with an empty title; mode and socket are empty, too, unless they are configured.
        says_something |= !matches!(&rest[..close], b"title" | b"server-mode" | b"unixsocket");
        rest = &rest[close + 1..];
    }
    says_something || rest.iter().any(|byte| *byte != b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_value(text: &str) -> Value {
        Value::Text(Some(text.as_bytes().into()))
    }

    #[test]
    fn title_templates() {
        for (template, valid) in [
            ("{title} {listen-addr} {server-mode}", true),
            ("redis {{", true),
            ("{port}", true),
            ("", false),
            ("  ", false),
            ("{title}", false),
            ("{title} {server-mode}", false),
            ("{x}", false),
            ("{title", false),
            ("a {", false),
        ] {
            assert_eq!(
                title_template_is_valid(&text_value(template)).is_ok(),
                valid,
                "{template}"
            );
        }
    }

    #[test]
    fn announced_names() {
        for (name, host, node) in [
            ("a-b.C9", true, true),
            ("a b", false, true),
            ("a_b", false, true),
            ("a@b", false, false),
            ("", true, true),
        ] {
            assert_eq!(
                host_name_is_plain(&text_value(name)).is_ok(),
                host,
                "{name}"
            );
            assert_eq!(
                node_name_is_plain(&text_value(name)).is_ok(),
                node,
                "{name}"
            );
        }
        assert!(host_name_is_plain(&text_value(&"a".repeat(256))).is_err());
        assert!(host_name_is_plain(&text_value(&"a".repeat(255))).is_ok());
    }
}
