//! Command tables: text files of commands and the replies they must give. The same file runs against stock redis-server,
//! which proves each expectation, and against Ringfort. `tests/tables/README.md` describes the format.

use super::client::{Client, IO_TIMEOUT};
use super::server::{Server, Target, redis_version};
use super::text::{split_arguments, unescape};
use super::value::Value;
use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

/// Expected line for a command that is not answered; the next reply on the connection must be that of a later command.
const NO_REPLY: &str = "(no reply)";

/// Expected line for a connection that the server closes.
const CLOSED: &str = "(closed)";

/// Bound on the polls of `@await-blocked`; each is a round trip, so this is seconds.
const POLLS_MAX: usize = 200_000;

/// One file.
pub struct Table {
    pub name: String,
    pub sections: Vec<Section>,
}

/// Steps that start from an empty server with new connections.
pub struct Section {
    pub title: String,
    condition: Condition,
    steps: Vec<Step>,
}

/// Which servers a section or step is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condition {
    Everyone,
    RingfortOnly,
    RedisOnly,
    /// Ringfort, and redis-server from this version on.
    Since(u32, u32),
    /// redis-server, and Ringfort as soon as it has this command: such a step cannot be forgotten when the command lands.
    Needs(&'static str),
}

#[derive(Clone, Debug)]
struct Step {
    /// Line in the file, from 1.
    line: usize,
    text: String,
    condition: Condition,
    connection: usize,
    action: Action,
    sorted: bool,
    save: Option<String>,
    expected: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    /// `> …`: a command, and its replies.
    Command(String),
    /// `@raw …`: bytes, and their replies.
    Raw(String),
    /// `@send …`: a command whose reply is read later.
    Send(String),
    /// `@read`: replies to what was sent before.
    Read,
    /// `@resp3`: HELLO 3, its reply not looked at.
    Resp3,
    /// `@await-blocked N`: until N clients are blocked.
    AwaitBlocked(usize),
    /// `@close`: closes the connection from our side.
    Close,
}

impl Condition {
    fn holds(self, target: Target) -> bool {
        match (self, target) {
            (Condition::Everyone, _) => true,
            (Condition::RingfortOnly, target) => target != Target::Redis,
            (Condition::RedisOnly, target) => target == Target::Redis,
            (Condition::Since(..), Target::Ringfort { .. }) => true,
            (Condition::Needs(command), Target::Ringfort { .. }) => {
                ringfort::command::table::TABLE.find(command.as_bytes()).is_some()
            }
            (Condition::Needs(_), Target::Redis) => true,
            (Condition::Since(major, minor), Target::Redis) => {
                redis_version().is_some_and(|version| version >= (major, minor))
            }
        }
    }

    /// Reads `since 7.4: reason`, `ringfort-only: reason` or `redis-only: reason`; the reason is required. `needs command`
    /// is its own reason.
    fn parse(text: &str) -> Option<Condition> {
        if let Some(command) = text.strip_prefix("needs ") {
            return Some(Condition::Needs(Box::leak(command.trim().to_owned().into_boxed_str())));
        }
        let (what, reason) = text.split_once(':')?;
        if reason.trim().is_empty() {
            return None;
        }
        match what {
            "ringfort-only" => Some(Condition::RingfortOnly),
            "redis-only" => Some(Condition::RedisOnly),
            _ => {
                let (major, minor) = what.strip_prefix("since ")?.split_once('.')?;
                Some(Condition::Since(major.parse().ok()?, minor.parse().ok()?))
            }
        }
    }
}

// ---- reading ----

/// What the parser carries from line to line: attributes of the next step, and the current connection.
struct Pending {
    condition: Condition,
    sorted: bool,
    save: Option<String>,
}

impl Pending {
    const NONE: Pending = Pending { condition: Condition::Everyone, sorted: false, save: None };
}

impl Table {
    /// Reads a table; the error names the line.
    pub fn parse(name: &str, text: &str) -> Result<Table, String> {
        let mut sections: Vec<Section> = Vec::new();
        let (mut connection, mut pending) = (1, Pending::NONE);
        for (index, line) in text.lines().enumerate() {
            let fail = |what: &str| format!("{name}:{}: {what}: {line}", index + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(title) = line.strip_prefix("== ") {
                sections.push(Section::parse(title).ok_or_else(|| fail("bad condition"))?);
                (connection, pending) = (1, Pending::NONE);
                continue;
            }
            let section = sections.last_mut().ok_or_else(|| fail("before the first section"))?;
            if let Some(number) = line.strip_prefix("@conn ") {
                connection = number.parse().map_err(|_| fail("bad connection"))?;
            } else if !pending.read(line) {
                match Action::parse(line) {
                    Ok(Some(action)) => {
                        let Pending { condition, sorted, save } = std::mem::replace(&mut pending, Pending::NONE);
                        let (line, text) = (index + 1, line.to_owned());
                        section.steps.push(Step {
                            line,
                            text,
                            condition,
                            connection,
                            action,
                            sorted,
                            save,
                            expected: Vec::new(),
                        });
                    }
                    Ok(None) => section
                        .steps
                        .last_mut()
                        .ok_or_else(|| fail("reply before a command"))?
                        .expected
                        .push(line.to_owned()),
                    Err(()) => return Err(fail("unknown directive")),
                }
            }
        }
        let table = Table { name: name.to_owned(), sections };
        table.check()?;
        Ok(table)
    }

    /// A `(no reply)` proves something only if a later command on the connection is answered.
    fn check(&self) -> Result<(), String> {
        for section in &self.sections {
            for (index, step) in section.steps.iter().enumerate() {
                let unproven = |later: &Step| {
                    later.connection != step.connection || later.expected.iter().all(|line| line == NO_REPLY)
                };
                if step.expected.iter().any(|line| line == NO_REPLY) && section.steps[index + 1..].iter().all(unproven)
                {
                    return Err(format!(
                        "{}:{}: {NO_REPLY} needs a later command that is answered",
                        self.name, step.line
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Section {
    fn parse(title: &str) -> Option<Section> {
        let (title, condition) = match title.split_once(" @") {
            None => (title, Condition::Everyone),
            Some((title, condition)) => (title, Condition::parse(condition)?),
        };
        Some(Section { title: title.to_owned(), condition, steps: Vec::new() })
    }
}

impl Pending {
    /// Takes a line that describes the next step; false if the line is something else.
    fn read(&mut self, line: &str) -> bool {
        if line == "@sorted" {
            self.sorted = true;
        } else if let Some(name) = line.strip_prefix("@save ") {
            self.save = Some(name.to_owned());
        } else if let Some(condition) = line.strip_prefix('@').and_then(Condition::parse) {
            self.condition = condition;
        } else {
            return false;
        }
        true
    }
}

impl Action {
    /// `Ok(None)` is a line of a reply.
    fn parse(line: &str) -> Result<Option<Action>, ()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(Some(match word {
            ">" => Action::Command(rest.to_owned()),
            "@raw" => Action::Raw(rest.to_owned()),
            "@send" => Action::Send(rest.to_owned()),
            "@read" => Action::Read,
            "@resp3" => Action::Resp3,
            "@close" => Action::Close,
            "@await-blocked" => Action::AwaitBlocked(rest.parse().map_err(|_| ())?),
            _ if line.starts_with('@') => return Err(()),
            _ => return Ok(None),
        }))
    }

    /// Whether replies belong under the step.
    fn is_answered(&self) -> bool {
        matches!(self, Action::Command(_) | Action::Raw(_) | Action::Read)
    }
}

// ---- matching ----

/// Splits expected lines into replies. A line opens a reply unless it continues a list: it is indented, or numbered 2 or more.
fn replies(expected: &[String]) -> Vec<String> {
    let mut replies: Vec<String> = Vec::new();
    for line in expected {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let numbered = line[digits..].starts_with([')', '#', '~', '>']) && digits > 0 && line[..digits] != *"1";
        match replies.last_mut() {
            Some(last) if line.starts_with(' ') || numbered => {
                last.push('\n');
                last.push_str(line);
            }
            _ => replies.push(line.clone()),
        }
    }
    replies
}

/// Whether `text` is what `pattern` says: literal except `<*>` (anything on the line), `<int>` and `<int LOW..HIGH>`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let token = ["<*>", "<int>", "<int "].iter().filter_map(|token| pattern.find(token)).min();
    let Some(at) = token else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(&pattern[..at]) else {
        return false;
    };
    let Some(end) = pattern[at..].find('>') else {
        return false;
    };
    let (token, rest) = (&pattern[at + 1..at + end], &pattern[at + end + 1..]);
    if token == "*" {
        let line = text.find('\n').unwrap_or(text.len());
        return (0..=line).filter(|&n| text.is_char_boundary(n)).any(|n| matches(rest, &text[n..]));
    }
    let sign = usize::from(text.starts_with('-'));
    let length = sign + text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let Ok(number) = text[..length].parse::<i128>() else {
        return false;
    };
    let range = token.strip_prefix("int ").and_then(|range| range.split_once(".."));
    let fits = range.is_none_or(|(low, high)| match (low.parse::<i128>(), high.parse::<i128>()) {
        (Ok(low), Ok(high)) => (low..=high).contains(&number),
        _ => false,
    });
    fits && matches(rest, &text[length..])
}

/// Replaces `{{name}}` by the saved value and `{{x*N}}` by N times x.
fn expand(text: &str, saved: &BTreeMap<String, String>) -> Result<String, String> {
    let (mut expanded, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").ok_or("{{ without }}")?;
        expanded.push_str(before);
        match inside.rsplit_once('*') {
            Some((piece, count)) => {
                expanded.push_str(&piece.repeat(count.parse().map_err(|_| format!("bad count in {inside}"))?))
            }
            None => expanded.push_str(saved.get(inside).ok_or_else(|| format!("nothing saved as {inside}"))?),
        }
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

// ---- running ----

/// A section in progress: its connections and what it has saved.
struct Run<'a> {
    server: &'a Server,
    clients: BTreeMap<usize, Client>,
    saved: BTreeMap<String, String>,
}

/// Runs every section that is for this target; returns one text per step that went wrong.
pub fn run(table: &Table, target: Target) -> Vec<String> {
    let server = Server::start(target);
    let mut failures = Vec::new();
    for section in table.sections.iter().filter(|section| section.condition.holds(target)) {
        let mut run = Run::new(&server);
        for step in section.steps.iter().filter(|step| step.condition.holds(target)) {
            let result = run.step(step);
            if let Err(failure) = &result {
                failures.push(format!("{}:{}: [{}] {}\n{failure}", table.name, step.line, section.title, step.text));
            }
            if matches!(result, Err(Failure::Broken(_))) {
                break; // The connection is of no more use; the next section opens new ones.
            }
        }
    }
    failures
}

/// Why a step went wrong.
enum Failure {
    /// The replies differ; later steps still make sense.
    Differs(String),
    /// The connection failed or the step cannot run.
    Broken(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Failure::Differs(text) | Failure::Broken(text)) = self;
        f.write_str(text)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Broken(format!("  connection: {error}"))
    }
}

impl<'a> Run<'a> {
    /// Empties the server and begins with no connections.
    fn new(server: &'a Server) -> Run<'a> {
        let reply = server.connect().call(&["FLUSHALL"]);
        assert_eq!(reply.to_string(), "OK", "FLUSHALL before a section");
        Run { server, clients: BTreeMap::new(), saved: BTreeMap::new() }
    }

    fn client(&mut self, connection: usize) -> &mut Client {
        let server = self.server;
        self.clients.entry(connection).or_insert_with(|| server.connect())
    }

    /// Sends what the step says.
    fn send(&mut self, step: &Step) -> Result<(), Failure> {
        let broken = |reason: String| Failure::Broken(format!("  {reason}"));
        match &step.action {
            Action::Command(line) | Action::Send(line) => {
                let arguments = split_arguments(&expand(line, &self.saved).map_err(broken)?).map_err(broken)?;
                self.client(step.connection).send(&arguments)?;
            }
            Action::Raw(text) => {
                let bytes = unescape(&expand(text, &self.saved).map_err(broken)?);
                self.client(step.connection).send_raw(&bytes)?;
            }
            Action::Resp3 => {
                let reply = self.client(step.connection).try_call(&["HELLO", "3"])?;
                if !matches!(reply, Value::Map(_)) {
                    return Err(Failure::Broken(format!("  HELLO 3 answered {reply}")));
                }
            }
            Action::AwaitBlocked(count) => self.await_blocked(*count)?,
            Action::Close => drop(self.clients.remove(&step.connection)),
            Action::Read => {}
        }
        Ok(())
    }

    /// Polls INFO until `count` clients are blocked. Every poll is a round trip, so nothing sleeps and nothing spins.
    fn await_blocked(&mut self, count: usize) -> Result<(), Failure> {
        let wanted = format!("blocked_clients:{count}\r\n");
        let mut client = self.server.connect();
        let deadline = Instant::now() + IO_TIMEOUT;
        for _ in 0..POLLS_MAX {
            let info = client.try_call(&["INFO", "clients"])?.plain();
            if String::from_utf8_lossy(&info).contains(&wanted) {
                return Ok(());
            }
            if Instant::now() > deadline {
                break;
            }
        }
        Err(Failure::Broken(format!("  never were {count} clients blocked")))
    }

    fn step(&mut self, step: &Step) -> Result<(), Failure> {
        self.send(step)?;
        if step.action.is_answered() && step.expected.is_empty() {
            return Err(Failure::Broken("  no expected reply is written".to_owned()));
        }
        let mut differences = String::new();
        for pattern in replies(&step.expected) {
            if pattern == NO_REPLY {
                continue;
            }
            if pattern == CLOSED {
                if !self.client(step.connection).is_closed()? {
                    let unread = String::from_utf8_lossy(self.client(step.connection).unread()).into_owned();
                    return Err(Failure::Broken(format!("  expected: {CLOSED}\n       got: {unread}")));
                }
                self.clients.remove(&step.connection);
                continue;
            }
            let pattern = expand(&pattern, &self.saved).map_err(Failure::Broken)?;
            let shown = self.read(step).map_err(|failure| Failure::Broken(format!("{differences}{failure}")))?;
            if !matches(&pattern, &shown) {
                let indented = |text: &str| text.replace('\n', "\n            ");
                differences.push_str(&format!(
                    "  expected: {}\n       got: {}\n",
                    indented(&pattern),
                    indented(&shown)
                ));
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(Failure::Differs(differences)) }
    }

    /// Reads a reply of the step as text, and saves it if the step says so.
    fn read(&mut self, step: &Step) -> Result<String, Failure> {
        let value = self.client(step.connection).read()?;
        let value = if step.sorted { value.sorted() } else { value };
        if let Some(name) = &step.save {
            self.saved.insert(name.clone(), String::from_utf8_lossy(&value.plain()).into_owned());
        }
        Ok(value.to_string())
    }
}

// ---- filling in ----

/// Runs the table on stock redis-server and writes its replies below the commands that have none yet; returns the new text.
/// A tool for authors: what it wrote must be read before it is believed.
pub fn fill(table: &Table, text: &str) -> String {
    let server = Server::start(Target::Redis);
    let mut additions: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for section in table.sections.iter().filter(|section| section.condition.holds(Target::Redis)) {
        let mut run = Run::new(&server);
        for step in section.steps.iter().filter(|step| step.condition.holds(Target::Redis)) {
            if !step.expected.is_empty() || !step.action.is_answered() {
                let _ = run.step(step);
            } else if run.send(step).is_ok() {
                additions.insert(step.line, run.read_all(step));
            }
        }
    }
    let mut filled = String::new();
    for (index, line) in text.lines().enumerate() {
        for line in std::iter::once(line).chain(additions.get(&(index + 1)).into_iter().flatten().map(String::as_str)) {
            filled.push_str(line);
            filled.push('\n');
        }
    }
    filled
}

impl Run<'_> {
    /// The reply of a command; after raw bytes, all replies up to that of an ECHO sent behind them.
    fn read_all(&mut self, step: &Step) -> Vec<String> {
        const MARK: &str = "end-of-replies";
        let mut lines = Vec::new();
        let pipelined = matches!(step.action, Action::Raw(_));
        if pipelined {
            let _ = self.client(step.connection).send(&["ECHO", MARK]);
        }
        while pipelined || lines.is_empty() {
            match self.read(step) {
                Ok(text) if text == format!("\"{MARK}\"") => break,
                Ok(text) => lines.extend(text.lines().map(str::to_owned)),
                Err(_) => {
                    self.clients.remove(&step.connection);
                    lines.push(CLOSED.to_owned());
                    break;
                }
            }
        }
        if lines.is_empty() {
            lines.push(NO_REPLY.to_owned());
        }
        lines
    }
}
