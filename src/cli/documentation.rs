//! What the server says about its commands (COMMAND DOCS), as help texts, hints and completions.
//!
//! Pure: a reply in, texts out. Servers before 7.0 have no COMMAND DOCS; then nothing is known and nothing is shown.

use crate::remote::Value;

use super::format::text_of;

/// One command or subcommand.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// "SET", "CLIENT LIST".
    pub name: String,
    /// What it does.
    pub summary: String,
    /// The version it came with.
    pub since: String,
    /// The group it belongs to.
    pub group: String,
    arguments: Vec<Argument>,
}

#[derive(Clone, Debug, Default)]
struct Argument {
    name: String,
    kind: String,
    token: Option<String>,
    optional: bool,
    multiple: bool,
    multiple_token: bool,
    inner: Vec<Argument>,
}

/// All commands, sorted by name; subcommands follow their containers.
#[derive(Clone, Debug, Default)]
pub struct Documentation {
    commands: Vec<Command>,
}

/// The keys and values of a map, or of an array that stands for one.
fn pairs(value: &Value) -> Vec<(&Value, &Value)> {
    match value {
        Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
        Value::Array(values) => values.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect(),
        _ => Vec::new(),
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) | Value::Set(values) => values,
        _ => &[],
    }
}

fn string(value: &Value) -> String {
    text_of(value).map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
}

impl Documentation {
    /// From the reply to COMMAND DOCS.
    pub fn read(reply: &Value) -> Documentation {
        let mut commands = Vec::new();
        for (name, facts) in pairs(reply) {
            read_command(&string(name), facts, &mut commands);
        }
        commands.sort_by(|one, other| one.name.cmp(&other.name));
        Documentation { commands }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The command that these words begin with, and how many of them are its name.
    pub fn find(&self, words: &[&str]) -> Option<(&Command, usize)> {
        let named = |count: usize| {
            let name = words.get(..count)?.join(" ").to_ascii_uppercase();
            let index = self.commands.binary_search_by(|command| command.name.as_str().cmp(&name)).ok()?;
            Some((&self.commands[index], count))
        };
        named(2).or_else(|| named(1))
    }

    /// Names that begin with what was typed, in the case it was typed in.
    pub fn completions(&self, typed: &str) -> Vec<String> {
        let wanted = typed.to_ascii_uppercase();
        let lower = typed.bytes().any(|byte| byte.is_ascii_lowercase());
        let names = self.commands.iter().filter(|command| command.name.starts_with(&wanted));
        names.map(|command| if lower { command.name.to_ascii_lowercase() } else { command.name.clone() }).collect()
    }

    /// The groups that begin with what was typed, "@string".
    pub fn group_completions(&self, typed: &str) -> Vec<String> {
        let mut groups: Vec<String> = self.commands.iter().map(|command| format!("@{}", command.group)).collect();
        groups.sort();
        groups.dedup();
        groups.retain(|group| group.starts_with(&typed.to_ascii_lowercase()));
        groups
    }

    /// What may follow the words that were typed.
    pub fn hint(&self, words: &[&str]) -> String {
        let Some((command, count)) = self.find(words) else { return String::new() };
        let mut left = Vec::new();
        rest(&command.arguments, &words[count..], &mut left);
        left.join(" ")
    }

    /// HELP's text about a command, a group, or itself.
    pub fn help(&self, words: &[&str]) -> String {
        match words {
            [] => GENERAL.to_string(),
            [group] if group.starts_with('@') => {
                let wanted = group[1..].to_ascii_lowercase();
                self.help_about(|command| command.group == wanted)
            }
            words => {
                let name = words.join(" ").to_ascii_uppercase();
                let inner = format!("{name} ");
                self.help_about(|command| command.name == name || command.name.starts_with(&inner))
            }
        }
    }

    fn help_about(&self, wanted: impl Fn(&Command) -> bool) -> String {
        let mut text = String::new();
        for command in self.commands.iter().filter(|command| wanted(command)) {
            let syntax: Vec<String> = command.arguments.iter().map(Argument::text).collect();
            text.push_str(&format!(
                "\n  \x1b[1m{}\x1b[0m \x1b[90m{}\x1b[0m\n  \x1b[33msummary:\x1b[0m {}\n  \x1b[33msince:\x1b[0m {}\n  \
                 \x1b[33mgroup:\x1b[0m {}\n",
                command.name,
                syntax.join(" "),
                command.summary,
                command.since,
                command.group
            ));
        }
        text.push('\n');
        text
    }
}

const GENERAL: &str = "ringfort-cli
To get help about Redis commands type:
      \"help @<group>\" to get a list of commands in <group>
      \"help <command>\" for help on <command>
      \"help <tab>\" to get a list of possible help topics
      \"quit\" to exit

To change what is shown while you type:
      \":set hints\" enable online hints
      \":set nohints\" disable online hints
";

fn read_command(name: &str, facts: &Value, commands: &mut Vec<Command>) {
    let mut command = Command { name: name.replace('|', " ").to_ascii_uppercase(), ..Command::default() };
    let mut inner = Vec::new();
    for (key, value) in pairs(facts) {
        match string(key).as_str() {
            "summary" => command.summary = string(value),
            "since" => command.since = string(value),
            "group" => command.group = string(value),
            "arguments" => command.arguments = elements(value).iter().map(Argument::read).collect(),
            "subcommands" => {
                for (name, facts) in pairs(value) {
                    read_command(&string(name), facts, &mut inner);
                }
            }
            _ => {}
        }
    }
    commands.push(command);
    commands.append(&mut inner);
}

impl Argument {
    fn read(facts: &Value) -> Argument {
        let mut argument = Argument::default();
        let mut shown = None;
        for (key, value) in pairs(facts) {
            match string(key).as_str() {
                "name" => argument.name = string(value),
                "display_text" => shown = Some(string(value)),
                "type" => argument.kind = string(value),
                "token" => argument.token = Some(string(value)),
                "flags" => {
                    for flag in elements(value) {
                        match string(flag).as_str() {
                            "optional" => argument.optional = true,
                            "multiple" => argument.multiple = true,
                            "multiple_token" => argument.multiple_token = true,
                            _ => {}
                        }
                    }
                }
                "arguments" => argument.inner = elements(value).iter().map(Argument::read).collect(),
                _ => {}
            }
        }
        argument.name = shown.unwrap_or(argument.name);
        argument
    }

    /// The value without token and brackets.
    fn value(&self) -> String {
        let inner = |separator: &str| self.inner.iter().map(Argument::text).collect::<Vec<_>>().join(separator);
        match self.kind.as_str() {
            "oneof" => inner("|"),
            "block" => inner(" "),
            "pure-token" => String::new(),
            _ => self.name.clone(),
        }
    }

    /// Once, without the brackets of what is optional.
    fn once(&self) -> String {
        let value = self.value();
        match &self.token {
            Some(token) if value.is_empty() => token.clone(),
            Some(token) => format!("{} {value}", if token.is_empty() { "\"\"" } else { token }),
            None => value,
        }
    }

    fn text(&self) -> String {
        let mut text = self.once();
        if self.multiple {
            let again = if self.multiple_token { text.clone() } else { self.value() };
            text = format!("{text} [{again} ...]");
        }
        if self.optional { format!("[{text}]") } else { text }
    }

    /// How many of the words are this argument, once; what is missing of it goes to `left`.
    fn take(&self, words: &[&str], left: &mut Vec<String>) -> usize {
        let mut taken = 0;
        if let Some(token) = &self.token {
            if !words.first().is_some_and(|word| word.eq_ignore_ascii_case(token)) {
                return 0;
            }
            taken = 1;
        }
        let words = &words[taken..];
        match self.kind.as_str() {
            "pure-token" => taken,
            "oneof" => {
                let mut found = self.inner.iter().map(|inner| inner.take(words, left)).find(|count| *count > 0);
                if found.is_none() && taken > 0 && words.is_empty() {
                    left.push(self.value());
                    found = Some(0);
                }
                found.map_or(0, |count| taken + count)
            }
            "block" => {
                let mut missing = Vec::new();
                let count = rest(&self.inner, words, &mut missing);
                if taken + count > 0 {
                    left.append(&mut missing);
                }
                taken + count
            }
            _ if words.is_empty() => {
                if taken > 0 {
                    left.push(self.name.clone());
                }
                taken
            }
            _ => taken + 1,
        }
    }
}

/// Takes words for one argument after the other; what may still follow goes to `left`. How many were taken.
fn rest(arguments: &[Argument], words: &[&str], left: &mut Vec<String>) -> usize {
    let mut taken = 0;
    let mut open: Vec<&Argument> = arguments.iter().collect();
    while taken < words.len() && !open.is_empty() {
        // Optional arguments may come in any order; the first one that is not optional must be next.
        let end = open.iter().position(|argument| !argument.optional).map_or(open.len(), |index| index + 1);
        let mut missing = Vec::new();
        let fits = (0..end).find_map(|index| {
            missing.clear();
            let count = open[index].take(&words[taken..], &mut missing);
            (count > 0).then_some((index, count))
        });
        let Some((index, count)) = fits else { break };
        taken += count;
        let argument = open[index];
        let first_needed = !argument.optional;
        if argument.multiple {
            while taken < words.len() {
                let without_token =
                    Argument { token: argument.token.clone().filter(|_| argument.multiple_token), ..argument.clone() };
                missing.clear();
                // Words that later arguments wait for end the list.
                let wanted_later = open[index + 1..]
                    .iter()
                    .any(|later| later.token.as_ref().is_some_and(|token| token.eq_ignore_ascii_case(words[taken])));
                let count = if wanted_later { 0 } else { without_token.take(&words[taken..], &mut missing) };
                if count == 0 {
                    break;
                }
                taken += count;
            }
        }
        left.append(&mut missing);
        if argument.multiple && taken == words.len() {
            let again = if argument.multiple_token { argument.once() } else { argument.value() };
            left.push(format!("[{again} ...]"));
        }
        if first_needed {
            open.drain(..=index);
        } else {
            open.remove(index);
        }
    }
    left.extend(open.iter().map(|argument| argument.text()));
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    fn map(pairs: Vec<(&str, Value)>) -> Value {
        Value::Array(pairs.into_iter().flat_map(|(key, value)| [bulk(key), value]).collect())
    }

    fn argument(name: &str, kind: &str, token: Option<&str>, flags: &[&str], inner: Vec<Value>) -> Value {
        let mut facts = vec![("name", bulk(name)), ("type", bulk(kind))];
        if let Some(token) = token {
            facts.push(("token", bulk(token)));
        }
        facts.push(("flags", Value::Array(flags.iter().map(|flag| Value::Simple(flag.as_bytes().to_vec())).collect())));
        if !inner.is_empty() {
            facts.push(("arguments", Value::Array(inner)));
        }
        map(facts)
    }

    fn documentation() -> Documentation {
        let set = vec![
            argument("key", "key", None, &[], vec![]),
            argument("value", "string", None, &[], vec![]),
            argument(
                "condition",
                "oneof",
                None,
                &["optional"],
                vec![
                    argument("nx", "pure-token", Some("NX"), &[], vec![]),
                    argument("xx", "pure-token", Some("XX"), &[], vec![]),
                ],
            ),
            argument("get", "pure-token", Some("GET"), &["optional"], vec![]),
            argument("seconds", "integer", Some("EX"), &["optional"], vec![]),
        ];
        let pair =
            vec![argument("score", "double", None, &[], vec![]), argument("member", "string", None, &[], vec![])];
        let zadd = vec![
            argument("key", "key", None, &[], vec![]),
            argument("nx", "pure-token", Some("NX"), &["optional"], vec![]),
            argument("data", "block", None, &["multiple"], pair),
        ];
        let facts = |group: &str, arguments: Vec<Value>| {
            map(vec![
                ("summary", bulk("Does it.")),
                ("since", bulk("1.0.0")),
                ("group", bulk(group)),
                ("arguments", Value::Array(arguments)),
            ])
        };
        let list = map(vec![("client|list", facts("connection", vec![]))]);
        Documentation::read(&map(vec![
            ("set", facts("string", set)),
            ("zadd", facts("sorted-set", zadd)),
            (
                "client",
                map(vec![("summary", bulk("A container.")), ("group", bulk("connection")), ("subcommands", list)]),
            ),
        ]))
    }

    #[test]
    fn hints_shrink_while_words_are_typed() {
        let documentation = documentation();
        for (line, hint) in [
            ("set", "key value [NX|XX] [GET] [EX seconds]"),
            ("SET a", "value [NX|XX] [GET] [EX seconds]"),
            ("set a b", "[NX|XX] [GET] [EX seconds]"),
            ("set a b get", "[NX|XX] [EX seconds]"),
            ("set a b ex", "seconds [NX|XX] [GET]"),
            ("set a b ex 10 xx", "[GET]"),
            ("zadd", "key [NX] score member [score member ...]"),
            ("zadd z 1", "member [score member ...]"),
            ("zadd z nx 1 a", "[score member ...]"),
            ("zadd z 1 a 2", "member [score member ...]"),
            ("client list", ""),
            ("nosuch", ""),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(documentation.hint(&words), hint, "{line}");
        }
    }

    #[test]
    fn completions_keep_the_case() {
        let documentation = documentation();
        assert_eq!(documentation.completions("s"), ["set"]);
        assert_eq!(documentation.completions("CLIENT"), ["CLIENT", "CLIENT LIST"]);
        assert_eq!(documentation.group_completions("@s"), ["@sorted-set", "@string"]);
        assert!(documentation.completions("q").is_empty());
    }

    #[test]
    fn help_tells_syntax_summary_and_group() {
        let documentation = documentation();
        let text = documentation.help(&["set"]);
        for part in ["SET", "key value [NX|XX] [GET] [EX seconds]", "Does it.", "1.0.0", "string"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(documentation.help(&["client"]).contains("CLIENT LIST"));
        assert!(documentation.help(&["@sorted-set"]).contains("ZADD"));
        assert!(documentation.help(&[]).contains("help @<group>"));
    }
}
