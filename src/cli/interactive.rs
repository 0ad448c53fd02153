//! The conversation: a prompt, line editing with history, completion and hints, and lines from a pipe without all that.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::arguments::Settings;
use super::documentation::Documentation;
use super::format::Format;
use super::link::{Failure, Link};
use super::terminal::{self, InputLines, KeyMode, Woken};
use crate::remote::Address;
use crate::stdx::quote::split_arguments;

/// Lines kept in the history.
const HISTORY_LINES_MAX: usize = 1000;
/// A command that takes so long is told its time.
const WORTH_TELLING: Duration = Duration::from_millis(500);

/// Talks until the input ends or the user leaves. `name` is what the program was called as.
pub fn run(name: &str, settings: Settings) -> ExitCode {
    let mut link = Link::new(settings);
    // Told; each command tries again.
    let _ = link.connect(false);
    if terminal::input_is_terminal() {
        at_terminal(name, &mut link)
    } else {
        from_pipe(&mut link);
        ExitCode::SUCCESS
    }
}

/// What becomes of the conversation after a line.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Leave,
    Clear,
    Hints(bool),
}

fn from_pipe(link: &mut Link) {
    let mut lines = InputLines::default();
    while let Some(line) = lines.next() {
        if obey(link, &line, &mut |_| String::new()) == Next::Leave {
            return;
        }
        // Messages are shown until the next line comes.
        if link.is_subscribed() && !lines.has_line() {
            listen(link);
        }
    }
}

fn at_terminal(name: &str, link: &mut Link) -> ExitCode {
    let config = Config::builder().completion_type(CompletionType::Circular).auto_add_history(false);
    let config = config.max_history_size(HISTORY_LINES_MAX).map(rustyline::config::Builder::build);
    let editor = config.and_then(Editor::<Assistant, FileHistory>::with_config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => {
            terminal::complain(&format!("The terminal cannot be used: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // The editor has put a handler of its own in place, which would swallow Ctrl-C.
    link.catch_interrupts();
    let history = history_file(name);
    if let Some(path) = &history {
        // A first start has none.
        let _ = editor.load_history(path);
    }
    editor.set_helper(Some(Assistant { documentation: Rc::default(), hints: true }));
    loop {
        learn(link, &mut editor);
        match editor.readline(&link.prompt()) {
            Ok(line) => {
                remember(&mut editor, &line, history.as_ref());
                let documentation = editor.helper().map(|helper| helper.documentation.clone()).unwrap_or_default();
                match obey(link, &line, &mut |words| documentation.help(words)) {
                    Next::Leave => return ExitCode::SUCCESS,
                    Next::Clear => {
                        // A terminal that cannot be cleared stays as it is.
                        let _ = editor.clear_screen();
                    }
                    Next::Hints(wanted) => {
                        if let Some(helper) = editor.helper_mut() {
                            helper.hints = wanted;
                        }
                    }
                    Next::Continue => {}
                }
                if link.is_subscribed() {
                    listen(link);
                }
            }
            // Ctrl-C takes the line back; on an empty line it leaves, as Ctrl-D does.
            Err(ReadlineError::Interrupted) if link.is_subscribed() => {
                let _ = link.connect(false);
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return ExitCode::SUCCESS,
            Err(error) => {
                terminal::complain(&format!("The terminal failed: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }
}

/// Asks the server once what commands it has.
fn learn(link: &mut Link, editor: &mut Editor<Assistant, FileHistory>) {
    let Some(helper) = editor.helper_mut().filter(|helper| helper.documentation.is_empty()) else { return };
    if link.is_subscribed() {
        return;
    }
    if let Some(client) = link.client()
        && let Ok(reply) = client.command(&["COMMAND", "DOCS"])
    {
        helper.documentation = Rc::new(Documentation::read(&reply));
    }
}

/// Keeps the line for the arrow keys and the next session, unless it holds a password.
fn remember(editor: &mut Editor<Assistant, FileHistory>, line: &str, history: Option<&PathBuf>) {
    if line.trim().is_empty() || is_secret(line) || !editor.add_history_entry(line).unwrap_or(false) {
        return;
    }
    if let Some(path) = history {
        // A read-only home is no reason to stop.
        let _ = editor.append_history(path);
    }
}

/// Whether a line holds a password.
fn is_secret(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let mut words = lower.split_whitespace().skip_while(|word| word.parse::<u32>().is_ok());
    match (words.next(), words.next(), words.next()) {
        (Some("auth"), ..) => true,
        (Some("hello" | "migrate"), ..) => lower.split_whitespace().any(|word| matches!(word, "auth" | "auth2")),
        (Some("acl"), Some("setuser" | "deluser"), _) => true,
        (Some("config"), Some("set"), Some(_)) => ["requirepass", "masterauth", "key-file-pass"]
            .iter()
            .any(|name| lower.split_whitespace().any(|word| word.contains(name))),
        _ => false,
    }
}

fn history_file(name: &str) -> Option<PathBuf> {
    let variables = ["RINGFORT_CLI_HISTFILE", "REDISCLI_HISTFILE"];
    if let Some(path) = variables.iter().find_map(std::env::var_os) {
        return (path != "/dev/null").then(|| path.into());
    }
    let file = if name == "redis-cli" { ".rediscli_history" } else { ".ringfort_cli_history" };
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(file))
}

/// Does what a line says.
fn obey(link: &mut Link, line: &str, help: &mut dyn FnMut(&[&str]) -> String) -> Next {
    let Ok(mut words) = split_arguments(line.as_bytes()) else {
        terminal::print(b"Invalid argument(s)\n");
        return Next::Continue;
    };
    let Some(first) = words.first() else { return Next::Continue };
    let text: Vec<String> = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let words_text: Vec<&str> = text.iter().map(String::as_str).collect();
    let name = text[0].to_ascii_lowercase();
    let mut repeat = 1;
    match (name.as_str(), words.len()) {
        ("quit" | "exit", _) => return Next::Leave,
        ("clear", 1) => return Next::Clear,
        ("help" | "?", _) => {
            terminal::print(help(&words_text[1..]).as_bytes());
            return Next::Continue;
        }
        ("connect", 3) => {
            match text[2].parse() {
                Ok(port) => link.go_to(Address::Tcp(text[1].clone(), port)),
                Err(_) => terminal::print(b"Invalid server port.\n"),
            }
            let _ = link.connect(false);
            return Next::Continue;
        }
        (setting, _) if setting.starts_with(':') => return preference(&words_text),
        (_, 2..) if str::from_utf8(first).is_ok_and(|word| word.parse::<i64>().is_ok()) => {
            repeat = text[0].parse().unwrap_or(0);
            if repeat <= 0 {
                terminal::print(b"Invalid redis-cli repeat command option value.\n");
                return Next::Continue;
            }
            words.remove(0);
        }
        _ => {}
    }
    let start = Instant::now();
    if let Err(Failure::Lost(error)) = link.run(&words, repeat) {
        terminal::complain(&format!("Error: {error}"));
    }
    let elapsed = start.elapsed();
    if elapsed >= WORTH_TELLING && link.settings().format == Format::Standard {
        terminal::print(format!("({:.2}s)\n", elapsed.as_secs_f64()).as_bytes());
    }
    Next::Continue
}

fn preference(words: &[&str]) -> Next {
    match words {
        [":set", "hints"] => Next::Hints(true),
        [":set", "nohints"] => Next::Hints(false),
        _ => {
            terminal::print(b"unknown redis-cli preference; there are ':set hints' and ':set nohints'\n");
            Next::Continue
        }
    }
}

/// Shows messages until a key is pressed (then a command may be typed) or Ctrl-C ends the subscription.
fn listen(link: &mut Link) {
    let _keys = KeyMode::enter();
    let tell = link.settings().format != Format::Raw;
    let mut readable = false;
    loop {
        let woken = link.show_messages(readable).and_then(|()| {
            if tell {
                terminal::print(b"Reading messages... (press Ctrl-C to quit or any key to type command)\r");
            }
            let woken = link.wait_for_message_or_key();
            if tell {
                terminal::print(b"\x1b[K");
            }
            woken
        });
        readable = match woken {
            Ok(Woken::Socket) => true,
            Ok(Woken::Timeout) => false,
            Ok(Woken::Key) => return,
            Ok(Woken::Interrupt) | Err(_) => {
                if let Err(Failure::Lost(error)) = woken {
                    terminal::complain(&format!("Error: {error}"));
                }
                let _ = link.connect(false);
                return;
            }
        };
    }
}

/// What rustyline asks while a line is typed.
struct Assistant {
    documentation: Rc<Documentation>,
    hints: bool,
}

/// Grey text behind the line; it cannot be accepted, since it holds names of arguments and no values.
struct Remark(String);

impl Hint for Remark {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assistant {
    type Hint = Remark;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<Remark> {
        if !self.hints || position < line.len() {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().skip_while(|word| word.parse::<i64>().is_ok()).collect();
        let text = self.documentation.hint(&words);
        let between = if line.ends_with(' ') { "" } else { " " };
        (!text.is_empty()).then(|| Remark([between, &text].concat()))
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..position];
        match typed.to_ascii_lowercase().strip_prefix("help ") {
            Some(topic) if topic.starts_with('@') || topic.is_empty() => {
                let mut found = self.documentation.group_completions(&typed[5..]);
                found.extend(self.documentation.completions(&typed[5..]));
                Ok((5, found))
            }
            Some(_) => Ok((5, self.documentation.completions(&typed[5..]))),
            None => Ok((0, self.documentation.completions(typed))),
        }
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'hint>(&self, hint: &'hint str) -> Cow<'hint, str> {
        Cow::Owned(format!("\x1b[90m{hint}\x1b[0m"))
    }
}

impl Validator for Assistant {}
impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_passwords_are_not_kept() {
        for line in ["auth p", "2 AUTH u p", "hello 3 auth u p", "ACL SETUSER a >p", "config set requirepass p"] {
            assert!(is_secret(line), "{line}");
        }
        for line in ["get auth", "hello 3", "acl list", "config set maxmemory 1", "config get requirepass", ""] {
            assert!(!is_secret(line), "{line}");
        }
    }
}
