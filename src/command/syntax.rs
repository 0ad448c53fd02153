//! The notation of the rows' `syntax`, and its parser: from it comes the argument tree that COMMAND DOCS prints.
//!
//! Close to how Redis' manual writes a command's synopsis, and complete: every argument tree of Redis 7.4 can be written.
//!
//! ```text
//! sequence = item…                            items are separated by spaces
//! item     = part, followed by any of
//!              "..."                          may be repeated
//!              "@" version                    came with this version (`[GET]@6.2.0`)
//!              "!" version                    deprecated since this version
//! part     = "[" item "]"                     may be left out
//!          | [token] argument                 `EX seconds:integer`, `LIMIT limit{offset:integer count:integer}`
//!          | token                            nothing but a word; its argument's name is the token in lower case
//!          | name "=" token                   likewise, with another name: `change=CH`
//! argument = name ["<" display ">"] [":" type] ["#" key specification]
//!          | name "(" item "|" item … ")"     one of them
//!          | name "{" sequence "}"            all of them in this order
//! token    = UPPER-CASE | "'" any text "'"    `'two words'`, `approximately='~'`
//! name     = lower-case | "`" any text "`"    `` `ID`... ``
//! type     = string (when not said) | key | integer | double | pattern | unix-time
//! ```
//!
//! * An argument named exactly `key` is a key without saying so.
//! * Keys count through the row's key specifications in their order; `#n` names another one, and counting goes on behind it.
//!   Every key has one.
//! * `[TOKEN x...]` repeats what follows the token, `[TOKEN x]...` the token too.
//!
//! Rows are constants, and the test below parses all of them; so nobody meets a `SyntaxError` at run time.

use std::borrow::Cow;

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentType {
    /// Any bytes.
    String,
    /// A 64-bit integer.
    Integer,
    /// A floating point number.
    Double,
    /// A key.
    Key,
    /// A glob.
    Pattern,
    /// Unix time; seconds or milliseconds, as its name says.
    UnixTime,
    /// Only a word.
    PureToken,
    /// One of its arguments.
    OneOf,
    /// All of its arguments in order.
    Block,
}

impl ArgumentType {
    /// The name that COMMAND DOCS prints.
    pub fn name(self) -> &'static str {
        match self {
            ArgumentType::String => "string",
            ArgumentType::Integer => "integer",
            ArgumentType::Double => "double",
            ArgumentType::Key => "key",
            ArgumentType::Pattern => "pattern",
            ArgumentType::UnixTime => "unix-time",
            ArgumentType::PureToken => "pure-token",
            ArgumentType::OneOf => "oneof",
            ArgumentType::Block => "block",
        }
    }

    /// The types that can be written behind a colon.
    fn of_name(name: &str) -> Option<ArgumentType> {
        use ArgumentType::{Double, Integer, Key, Pattern, String, UnixTime};
        [String, Integer, Double, Key, Pattern, UnixTime].into_iter().find(|kind| kind.name() == name)
    }
}

/// One argument with what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it is.
    pub kind: ArgumentType,
    /// How a synopsis shows it, when not by its name.
    pub display: Option<&'a str>,
    /// The word before it.
    pub token: Option<&'a str>,
    /// Which of the command's key specifications it belongs to.
    pub key_spec: Option<usize>,
    /// The version it came with, when later than the command.
    pub since: Option<&'a str>,
    /// The version that deprecated it.
    pub deprecated_since: Option<&'a str>,
    /// It may be left out.
    pub optional: bool,
    /// It may be repeated.
    pub multiple: bool,
    /// Its token is repeated with it.
    pub multiple_token: bool,
    /// The arguments below a one-of or a block.
    pub arguments: Vec<Argument<'a>>,
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte of the text.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

/// Levels of brackets. Beyond: an error. Redis' deepest command has five.
const DEPTH_MAX: usize = 16;

/// Reads the notation.
pub fn parse(text: &str) -> Result<Vec<Argument<'_>>, SyntaxError> {
    let mut parser = Parser { text, at: 0, next_key_spec: 0, depth: 0 };
    let arguments = parser.sequence()?;
    if parser.at < text.len() { parser.fail("an argument, a token or `[`") } else { Ok(arguments) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    next_key_spec: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self, expected: &'static str) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at, expected })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn expect(&mut self, word: &str, expected: &'static str) -> Result<(), SyntaxError> {
        if self.take(word) { Ok(()) } else { self.fail(expected) }
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// The text as long as its bytes pass.
    fn take_while(&mut self, passes: impl Fn(u8) -> bool) -> &'a str {
        let from = self.at;
        while self.peek().is_some_and(&passes) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    /// The text up to `end`, which is one byte of ASCII and is taken too.
    fn take_until(&mut self, end: char) -> Result<&'a str, SyntaxError> {
        let rest = &self.text[self.at..];
        match rest.find(end) {
            Some(length) => {
                self.at += length + 1;
                Ok(&rest[..length])
            }
            None => self.fail("the end of what is quoted"),
        }
    }

    /// Items up to a closing bracket or the end.
    fn sequence(&mut self) -> Result<Vec<Argument<'a>>, SyntaxError> {
        let mut arguments = Vec::new();
        self.skip_spaces();
        while !matches!(self.peek(), None | Some(b']' | b')' | b'}' | b'|')) {
            arguments.push(self.item()?);
            self.skip_spaces();
        }
        Ok(arguments)
    }

    fn item(&mut self) -> Result<Argument<'a>, SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail("fewer levels");
        }
        let bracket = self.take("[");
        let mut argument = if bracket {
            self.skip_spaces();
            let mut inner = self.item()?;
            self.skip_spaces();
            self.expect("]", "`]` (several arguments need a name around them: `name{…}`)")?;
            inner.optional = true;
            inner
        } else {
            self.part()?
        };
        loop {
            if self.take("...") {
                argument.multiple = true;
                argument.multiple_token |= bracket && argument.token.is_some();
            } else if self.take("@") {
                argument.since = Some(self.version()?);
            } else if self.take("!") {
                argument.deprecated_since = Some(self.version()?);
            } else {
                self.depth -= 1;
                return Ok(argument);
            }
        }
    }

    /// Digits with dots between them; dots that begin an ellipsis stay.
    fn version(&mut self) -> Result<&'a str, SyntaxError> {
        let from = self.at;
        loop {
            if self.take_while(|byte| byte.is_ascii_digit()).is_empty() {
                return self.fail("a version");
            }
            let rest = &self.text.as_bytes()[self.at..];
            if !(rest.first() == Some(&b'.') && rest.get(1).is_some_and(u8::is_ascii_digit)) {
                return Ok(&self.text[from..self.at]);
            }
            self.at += 1;
        }
    }

    fn part(&mut self) -> Result<Argument<'a>, SyntaxError> {
        let Some(token) = self.token()? else { return self.argument() };
        let after_token = self.at;
        self.skip_spaces();
        if self.at > after_token && matches!(self.peek(), Some(b'a'..=b'z' | b'`')) {
            let argument = self.argument()?;
            // A name with a token of its own cannot take another one: then the first token stands alone.
            if argument.token.is_some() {
                return self.fail("an argument behind its token (write the first as `name=TOKEN`)");
            }
            return Ok(Argument { token: Some(token), ..argument });
        }
        self.at = after_token;
        Ok(pure_token(Cow::Owned(token.to_lowercase()), token))
    }

    fn token(&mut self) -> Result<Option<&'a str>, SyntaxError> {
        if self.take("'") {
            return self.take_until('\'').map(Some);
        }
        if !self.peek().is_some_and(|byte| byte.is_ascii_uppercase()) {
            return Ok(None);
        }
        let token = self.take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
        Ok(Some(token))
    }

    fn name(&mut self) -> Result<&'a str, SyntaxError> {
        if self.take("`") {
            return self.take_until('`');
        }
        let name = self.take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
        if name.is_empty() { self.fail("an argument, a token or `[`") } else { Ok(name) }
    }

    fn argument(&mut self) -> Result<Argument<'a>, SyntaxError> {
        let name = self.name()?;
        if self.take("=") {
            return match self.token()? {
                Some(token) => Ok(pure_token(Cow::Borrowed(name), token)),
                None => self.fail("a token"),
            };
        }
        if self.take("(") {
            let arguments = self.alternatives()?;
            self.expect(")", "`|` or `)`")?;
            return Ok(Argument { arguments, ..plain(Cow::Borrowed(name), ArgumentType::OneOf) });
        }
        if self.take("{") {
            let arguments = self.sequence()?;
            self.expect("}", "`}`")?;
            return Ok(Argument { arguments, ..plain(Cow::Borrowed(name), ArgumentType::Block) });
        }
        self.leaf(name)
    }

    fn alternatives(&mut self) -> Result<Vec<Argument<'a>>, SyntaxError> {
        let mut arguments = Vec::new();
        loop {
            self.skip_spaces();
            arguments.push(self.item()?);
            self.skip_spaces();
            if !self.take("|") {
                return Ok(arguments);
            }
        }
    }

    fn leaf(&mut self, name: &'a str) -> Result<Argument<'a>, SyntaxError> {
        let display = if self.take("<") { Some(self.take_until('>')?) } else { None };
        let mut kind = if name == "key" { ArgumentType::Key } else { ArgumentType::String };
        if self.take(":") {
            let written = self.take_while(|byte| byte.is_ascii_lowercase() || byte == b'-');
            match ArgumentType::of_name(written) {
                Some(known) => kind = known,
                None => return self.fail("a type"),
            }
        }
        let mut key_spec = None;
        if self.take("#") {
            match self.take_while(|byte| byte.is_ascii_digit()).parse() {
                Ok(index) => key_spec = Some(index),
                Err(_) => return self.fail("the number of a key specification"),
            }
        } else if kind == ArgumentType::Key {
            key_spec = Some(self.next_key_spec);
        }
        if let Some(index) = key_spec {
            self.next_key_spec = index + 1;
        }
        Ok(Argument { display, key_spec, ..plain(Cow::Borrowed(name), kind) })
    }
}

fn plain(name: Cow<'_, str>, kind: ArgumentType) -> Argument<'_> {
    Argument {
        name,
        kind,
        display: None,
        token: None,
        key_spec: None,
        since: None,
        deprecated_since: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        arguments: Vec::new(),
    }
}

fn pure_token<'a>(name: Cow<'a, str>, token: &'a str) -> Argument<'a> {
    Argument { token: Some(token), ..plain(name, ArgumentType::PureToken) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::TABLE;

    /// One line per argument: `name type`, then what else is said of it; arguments below are indented.
    fn shown(arguments: &[Argument<'_>], indent: usize, out: &mut String) {
        for argument in arguments {
            out.push_str(&format!("{:indent$}{} {}", "", argument.name, argument.kind.name()));
            for (label, text) in [
                ("display", argument.display),
                ("token", argument.token),
                ("since", argument.since),
                ("deprecated", argument.deprecated_since),
            ] {
                text.into_iter().for_each(|text| out.push_str(&format!(" {label}={text}")));
            }
            argument.key_spec.into_iter().for_each(|index| out.push_str(&format!(" #{index}")));
            for (set, flag) in [
                (argument.optional, "optional"),
                (argument.multiple, "multiple"),
                (argument.multiple_token, "multiple_token"),
            ] {
                out.push_str(&[" ", flag].concat()[..if set { flag.len() + 1 } else { 0 }]);
            }
            out.push('\n');
            shown(&argument.arguments, indent + 1, out);
        }
    }

    #[test]
    fn notation() {
        let table: &[(&str, &str)] = &[
            ("", ""),
            ("key", "key key #0\n"),
            ("key value", "key key #0\nvalue string\n"),
            ("source:key destination:key", "source key #0\ndestination key #1\n"),
            (
                "key1:key key2:key#0 [STORE destination:key#2] key",
                "key1 key #0\nkey2 key #0\n\
                destination key token=STORE #2 optional\nkey key #3\n",
            ),
            ("[message]", "message string optional\n"),
            ("key...", "key key #0 multiple\n"),
            ("data{key value}...", "data block multiple\n key key #0\n value string\n"),
            (
                "[condition(NX | XX)]@2.6.12 [GET]@6.2.0",
                "condition oneof since=2.6.12 optional\n nx pure-token token=NX\n \
                xx pure-token token=XX\nget pure-token token=GET since=6.2.0 optional\n",
            ),
            (
                "[expiration(EX seconds:integer@2.6.12 | KEEPTTL)]",
                "expiration oneof optional\n \
                seconds integer token=EX since=2.6.12\n keepttl pure-token token=KEEPTTL\n",
            ),
            ("[ID client-id:integer...@6.2.0]", "client-id integer token=ID since=6.2.0 optional multiple\n"),
            ("[PREFIX prefix]...", "prefix string token=PREFIX optional multiple multiple_token\n"),
            (
                "[GET get-block{encoding offset:integer}]...",
                "get-block block token=GET optional multiple multiple_token\n \
                encoding string\n offset integer\n",
            ),
            ("`ID`... [`BCAST`=BCAST]", "ID string multiple\nBCAST pure-token token=BCAST optional\n"),
            ("[change=CH]", "change pure-token token=CH optional\n"),
            ("unit('m' | 'km')", "unit oneof\n m pure-token token=m\n km pure-token token=km\n"),
            (
                "[operator(equal='=' | approximately='~')]",
                "operator oneof optional\n equal pure-token token==\n \
                approximately pure-token token=~\n",
            ),
            (
                "args(no-one{NO ONE} | host)",
                "args oneof\n no-one block\n  no pure-token token=NO\n  \
                one pure-token token=ONE\n host string\n",
            ),
            ("[BY by-pattern<pattern>:pattern#1]", "by-pattern pattern display=pattern token=BY #1 optional\n"),
            ("old-format<ip:port>!2.8.12", "old-format string display=ip:port deprecated=2.8.12\n"),
            ("[NO-EVICT on_1:unix-time]", "on_1 unix-time token=NO-EVICT optional\n"),
        ];
        for (text, tree) in table {
            let mut out = String::new();
            shown(&parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")), 0, &mut out);
            assert_eq!(out, *tree, "{text}");
        }
    }

    #[test]
    fn what_is_not_notation_is_refused_where_it_begins() {
        let table: &[(&str, usize)] = &[
            ("[", 1),
            ("]", 0),
            ("a]", 1),
            ("[a b]", 3),
            ("[a | b]", 3),
            ("a(b | )", 6),
            ("a(b c)", 4),
            ("a{b", 3),
            ("a:no", 4),
            ("a#", 2),
            ("a@", 2),
            ("a@1..", 3),
            ("a=b", 2),
            ("a='b", 3),
            ("A b=C", 5),
            ("a<b", 2),
            ("a.. b", 1),
            ("é", 0),
        ];
        for (text, at) in table {
            assert_eq!(parse(text).map_err(|error| error.at), Err(*at), "{text}");
        }
        let deep = ["[".repeat(1000), "a".to_owned(), "]".repeat(1000)].concat();
        assert_eq!(parse(&deep).map_err(|error| error.expected), Err("fewer levels"));
    }

    #[test]
    fn any_text_is_parsed_or_refused() {
        bolero::check!().with_type::<String>().for_each(|text| {
            let _ = parse(text);
        });
    }

    #[test]
    fn every_row_has_valid_syntax_and_its_keys_have_specifications() {
        fn check_keys(name: &str, specs: usize, arguments: &[Argument<'_>]) {
            for argument in arguments {
                assert!(
                    argument.key_spec.is_none_or(|index| index < specs),
                    "{name}: `{}` has no key spec",
                    argument.name
                );
                check_keys(name, specs, &argument.arguments);
            }
        }
        let mut wrong = String::new();
        for row in TABLE.all_rows() {
            match parse(row.command.syntax) {
                Ok(arguments) => check_keys(row.full_name, row.command.keys.len(), &arguments),
                Err(error) => {
                    wrong.push_str(&format!(
                        "{}: `{}` at {}: expected {}\n",
                        row.full_name, row.command.syntax, error.at, error.expected
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "\n{wrong}");
    }
}
