//! The connection of a command line: connects when needed, runs commands, shows replies, and keeps track of what the
//! commands change — database, transaction, protocol, subscriptions.

use std::os::fd::AsFd;

use super::arguments::Settings;
use super::format::{self, Format, text_of};
use super::terminal::{self, Interrupts, Woken};
use crate::remote::{Address, Client, Error, Options, Value};

/// Why a command could not be finished.
#[derive(Debug)]
pub enum Failure {
    /// What there was to say has been said.
    Told,
    /// The connection failed.
    Lost(Error),
    /// Ctrl-C.
    Interrupted,
    /// `-e`: the server replied an error, which was shown.
    ErrorReply,
}

/// See the module's head.
pub struct Link {
    settings: Settings,
    client: Option<Client>,
    /// The database to be in after a reconnection.
    wanted_database: u32,
    /// The database the server has selected.
    database: u32,
    before_transaction: Option<u32>,
    subscribed: bool,
    resp3: bool,
    shutting_down: bool,
    asking: bool,
    /// Whether a person is at the other end: then Ctrl-C ends waiting, not the program.
    interrupts: Option<Interrupts>,
}

impl Link {
    /// Not connected yet.
    pub fn new(settings: Settings) -> Link {
        let wanted_database = settings.options.database;
        Link {
            settings,
            client: None,
            wanted_database,
            database: 0,
            before_transaction: None,
            subscribed: false,
            resp3: false,
            shutting_down: false,
            asking: false,
            interrupts: None,
        }
    }

    /// From now on Ctrl-C ends what is being waited for.
    pub fn catch_interrupts(&mut self) {
        self.interrupts = Interrupts::catch().ok();
    }

    /// What the command line said.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the connection receives messages.
    pub fn is_subscribed(&self) -> bool {
        self.subscribed
    }

    /// The connection itself, for modes that speak on their own.
    pub fn client(&mut self) -> Option<&mut Client> {
        self.client.as_mut()
    }

    /// Another server from now on.
    pub fn go_to(&mut self, address: Address) {
        self.settings.options.address = address;
        self.drop_connection();
    }

    /// `127.0.0.1:6379[1](TX)> `.
    pub fn prompt(&self) -> String {
        if self.client.is_none() {
            return "not connected> ".into();
        }
        let place = match &self.settings.options.address {
            Address::Unix(path) => format!("redis {}", path.display()),
            tcp => tcp.to_string(),
        };
        let database = if self.database == 0 { String::new() } else { format!("[{}]", self.database) };
        let transaction = if self.before_transaction.is_some() { "(TX)" } else { "" };
        let mode = if self.subscribed { "(subscribed mode)" } else { "" };
        format!("{place}{database}{transaction}{mode}> ")
    }

    fn drop_connection(&mut self) {
        self.client = None;
        self.database = 0;
        self.before_transaction = None;
        self.subscribed = false;
        self.resp3 = false;
    }

    /// Connects anew and says who calls. Failures are told on standard error unless `quiet`; a refused password leaves a
    /// connection, as in redis-cli.
    ///
    /// # Errors
    /// `Failure::Told`.
    pub fn connect(&mut self, quiet: bool) -> Result<(), Failure> {
        self.drop_connection();
        let client = Client::open_silent(&self.settings.options).map_err(|error| {
            if !quiet {
                terminal::complain(&error.to_string());
            }
            Failure::Told
        })?;
        let client = self.client.insert(client);
        let Options { user, password, .. } = &self.settings.options;
        let authentication: Option<Vec<&str>> = match (password, user) {
            (Some(password), Some(user)) => Some(vec!["AUTH", user, password]),
            (Some(password), None) => Some(vec!["AUTH", password]),
            (None, _) => None,
        };
        if let Some(words) = authentication {
            introduced(client, &words, "AUTH")?;
        }
        self.select()?;
        if self.settings.options.resp3 {
            let client = self.client.as_mut().ok_or(Failure::Told)?;
            match introduced(client, &["HELLO", "3"], "HELLO 3") {
                Err(_) if self.settings.resp3_is_optional => {}
                result => {
                    result?;
                    self.resp3 = true;
                }
            }
        }
        Ok(())
    }

    /// Goes to the wanted database, if another one is selected.
    fn select(&mut self) -> Result<(), Failure> {
        let wanted = self.wanted_database;
        if let Some(client) = self.client.as_mut().filter(|_| wanted != self.database) {
            let number = wanted.to_string();
            introduced(client, &["SELECT", &number], &["SELECT", &number].join(" "))?;
            self.database = wanted;
        }
        Ok(())
    }

    /// Runs a command `repeat` times and shows its replies; connects first if there is no connection.
    ///
    /// # Errors
    /// See `Failure`; the connection is gone when it was lost.
    pub fn run(&mut self, words: &[Vec<u8>], repeat: i64) -> Result<(), Failure> {
        // A server that was sent to by MOVED may send on; a circle must end.
        const REDIRECTIONS_MAX: usize = 16;
        for _ in 0..REDIRECTIONS_MAX {
            if self.client.is_none() {
                self.connect(false)?;
            }
            if std::mem::take(&mut self.asking)
                && let Some(client) = self.client.as_mut()
            {
                introduced(client, &["ASKING"], "ASKING")?;
            }
            match self.send(words, repeat) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Failure::Lost(error)) => {
                    self.drop_connection();
                    return Err(Failure::Lost(error));
                }
                Err(Failure::Interrupted) => {
                    // The reply may still come: only a new connection knows what belongs to what.
                    self.connect(false)?;
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            }
        }
        terminal::complain("Redirected too often.");
        Err(Failure::Told)
    }

    /// Whether it must be sent again, to another server.
    fn send(&mut self, words: &[Vec<u8>], repeat: i64) -> Result<bool, Failure> {
        let command = Sent::new(words);
        self.shutting_down |= command.name == "shutdown";
        let mut left = repeat;
        while left != 0 {
            left -= i64::from(left > 0);
            let result = self.client.as_mut().map(|client| client.send(words));
            result.unwrap_or(Err(Error::Closed)).map_err(Failure::Lost)?;
            let reply = if command.name == "monitor" {
                self.watch(&command)?;
                return Ok(false);
            } else {
                self.answer(&command)?
            };
            match reply {
                Some(reply) if self.redirected(&reply) => return Ok(true),
                Some(reply) => self.note(&command, &reply),
                None => return Ok(false),
            }
            terminal::pause(self.settings.interval);
        }
        Ok(false)
    }

    /// MONITOR: shows what comes until it fails or Ctrl-C ends it.
    fn watch(&mut self, command: &Sent) -> Result<(), Failure> {
        loop {
            let reply = self.next(true)?;
            self.show(&reply, command)?;
            if matches!(reply, Value::Error(_)) {
                return Ok(());
            }
        }
    }

    /// Shows the command's reply and everything that comes before it. None when the server shut down, as it was told to.
    fn answer(&mut self, command: &Sent) -> Result<Option<Value>, Failure> {
        let mut confirmations = if command.subscribes || command.unsubscribes { command.channels } else { 0 };
        loop {
            let in_band = self.subscribed || confirmations > 0;
            let reply = match self.next(in_band) {
                Err(Failure::Lost(Error::Closed)) if self.shutting_down => {
                    self.drop_connection();
                    return Ok(None);
                }
                result => result?,
            };
            if self.settings.cluster && redirection(&reply).is_some() {
                return Ok(Some(reply));
            }
            self.show(&reply, command)?;
            if !in_band {
                return Ok(Some(reply));
            }
            match message_kind(&reply, self.resp3) {
                Some(kind) if confirmations > 0 && kind.eq_ignore_ascii_case(command.name.as_bytes()) => {
                    self.subscribed = subscriptions_left(&reply);
                    confirmations -= 1;
                    if confirmations == 0 {
                        return Ok(Some(reply));
                    }
                }
                Some(_) => {}
                None if matches!(reply, Value::Push(_)) => {}
                None => return Ok(Some(reply)),
            }
        }
    }

    /// The next reply, or message when `in_band`; messages that come before a reply are shown.
    pub fn next(&mut self, in_band: bool) -> Result<Value, Failure> {
        loop {
            let client = self.client.as_mut().ok_or(Failure::Lost(Error::Closed))?;
            let mut value = client.message_now(false).map_err(Failure::Lost)?;
            if value.is_none() {
                let woken = terminal::wait(Some(client.as_fd()), self.interrupts.as_ref(), false, None);
                match woken.map_err(|error| Failure::Lost(error.into()))? {
                    Woken::Interrupt => {
                        self.clear_interrupts();
                        return Err(Failure::Interrupted);
                    }
                    _ => value = client.message_now(true).map_err(Failure::Lost)?,
                }
            }
            match value {
                Some(Value::Push(values)) if !in_band => {
                    self.show_push(values);
                }
                Some(value) => return Ok(value),
                None => {}
            }
        }
    }

    fn show_push(&self, values: Vec<Value>) {
        if !self.settings.show_pushes {
            return;
        }
        let line = format::invalidation(&values).filter(|_| self.settings.format == Format::Standard);
        terminal::print(&line.unwrap_or_else(|| self.text(&Value::Push(values), false)));
    }

    /// Shows the messages that are here; reads once from the socket when `readable`.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn show_messages(&mut self, mut readable: bool) -> Result<(), Failure> {
        let client = self.client.as_mut().ok_or(Failure::Lost(Error::Closed))?;
        while let Some(value) = client.message_now(std::mem::take(&mut readable)).map_err(Failure::Lost)? {
            terminal::print(&format::reply(&value, self.settings.format, false, &self.settings.delimiters));
        }
        Ok(())
    }

    /// Waits for the socket, a key or Ctrl-C.
    ///
    /// # Errors
    /// When there is no connection, or the system refuses to wait.
    pub fn wait_for_message_or_key(&mut self) -> Result<Woken, Failure> {
        let client = self.client.as_ref().ok_or(Failure::Lost(Error::Closed))?;
        let woken = terminal::wait(Some(client.as_fd()), self.interrupts.as_ref(), true, None);
        if matches!(woken, Ok(Woken::Interrupt)) {
            self.clear_interrupts();
        }
        woken.map_err(|error| Failure::Lost(error.into()))
    }

    fn clear_interrupts(&mut self) {
        if let Some(interrupts) = &mut self.interrupts {
            interrupts.clear();
        }
    }

    fn text(&self, value: &Value, verbatim: bool) -> Vec<u8> {
        format::reply(value, self.settings.format, verbatim, &self.settings.delimiters)
    }

    fn show(&self, reply: &Value, command: &Sent) -> Result<(), Failure> {
        if let (Value::Error(text), true) = (reply, self.settings.fail_on_error) {
            terminal::complain(&String::from_utf8_lossy(text));
            return Err(Failure::ErrorReply);
        }
        terminal::print(&self.text(reply, command.verbatim));
        Ok(())
    }

    /// MOVED and ASK, when they are to be followed: the next attempt goes there.
    fn redirected(&mut self, reply: &Value) -> bool {
        let Some((slot, host, port, ask)) = redirection(reply).filter(|_| self.settings.cluster) else { return false };
        let host = match &self.settings.options.address {
            Address::Tcp(old, _) if host.is_empty() => old.clone(),
            _ => host,
        };
        if self.interrupts.is_some() {
            terminal::print(format!("-> Redirected to slot [{slot}] located at {host}:{port}\n").as_bytes());
        }
        self.go_to(Address::Tcp(host, port));
        self.asking = ask;
        true
    }

    /// What the command changed about the connection.
    fn note(&mut self, command: &Sent, reply: &Value) {
        let failed = matches!(reply, Value::Error(_));
        match (command.name.as_str(), command.count) {
            ("select", 2) if !failed => {
                if let Some(number) = command.second.as_deref().and_then(|text| text.parse().ok()) {
                    self.database = number;
                    self.wanted_database = number;
                }
            }
            // Failures were told.
            ("auth", 2 | 3) if !failed => {
                let _ = self.select();
            }
            ("multi", 1) if !failed => self.before_transaction = Some(self.database),
            ("exec", 1) => {
                let undone = failed || matches!(reply, Value::Null | Value::NullArray);
                self.end_transaction(undone);
            }
            ("discard", 1) if !failed => self.end_transaction(true),
            ("reset", 1) if !failed => {
                self.wanted_database = 0;
                (self.database, self.before_transaction) = (0, None);
                (self.subscribed, self.resp3) = (false, false);
            }
            ("hello", _) => match reply {
                Value::Map(_) => self.resp3 = true,
                Value::Array(_) => self.resp3 = false,
                _ => {}
            },
            _ => {}
        }
    }

    fn end_transaction(&mut self, undone: bool) {
        if let Some(database) = self.before_transaction.take().filter(|_| undone) {
            self.database = database;
            self.wanted_database = database;
        }
    }
}

/// Sends a request of the introduction; an error reply is told.
fn introduced(client: &mut Client, words: &[&str], name: &str) -> Result<(), Failure> {
    match client.command(words) {
        Ok(Value::Error(text)) => {
            terminal::complain(&format!("{name} failed: {}", String::from_utf8_lossy(&text)));
            Err(Failure::Told)
        }
        Ok(_) => Ok(()),
        Err(error) => {
            terminal::complain(&format!("Error: {error}"));
            Err(Failure::Told)
        }
    }
}

/// What there is to know about a command that is sent.
struct Sent {
    name: String,
    second: Option<String>,
    count: usize,
    /// Confirmations that a (un)subscription brings.
    channels: usize,
    subscribes: bool,
    unsubscribes: bool,
    /// The reply is a text for people.
    verbatim: bool,
}

impl Sent {
    fn new(words: &[Vec<u8>]) -> Sent {
        let word = |index: usize| words.get(index).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
        let name = word(0).unwrap_or_default();
        let second = word(1);
        Sent {
            verbatim: is_text_for_people(&name, second.as_deref(), words.len()),
            channels: words.len().saturating_sub(1).max(1),
            subscribes: matches!(name.as_str(), "subscribe" | "psubscribe" | "ssubscribe"),
            unsubscribes: matches!(name.as_str(), "unsubscribe" | "punsubscribe" | "sunsubscribe"),
            count: words.len(),
            name,
            second,
        }
    }
}

/// Commands whose replies are texts, which quotes would spoil.
fn is_text_for_people(name: &str, second: Option<&str>, count: usize) -> bool {
    match (name, second) {
        ("info" | "lolwut", _) => true,
        ("debug", Some("htstats" | "htstats-key" | "client-eviction")) => true,
        ("memory", Some("malloc-stats" | "doctor")) => true,
        ("cluster", Some("nodes" | "info")) => count == 2,
        ("client", Some("list" | "info")) => true,
        ("latency", Some("graph")) => count == 3,
        ("latency", Some("doctor")) => count == 2,
        _ => false,
    }
}

/// The first word of a message or confirmation of publish/subscribe.
fn message_kind(reply: &Value, resp3: bool) -> Option<&[u8]> {
    let values = match reply {
        Value::Push(values) => values,
        Value::Array(values) if !resp3 => values,
        _ => return None,
    };
    let kind = values.first().and_then(text_of).filter(|_| values.len() >= 3)?;
    (kind.ends_with(b"message") || kind.ends_with(b"subscribe")).then_some(kind)
}

/// Whether the confirmation counts any subscription.
fn subscriptions_left(reply: &Value) -> bool {
    let (Value::Push(values) | Value::Array(values)) = reply else { return false };
    !matches!(values.last(), Some(Value::Integer(0)))
}

/// Slot, host and port of a MOVED or ASK error, and whether it is ASK.
fn redirection(reply: &Value) -> Option<(u16, String, u16, bool)> {
    let Value::Error(text) = reply else { return None };
    let text = str::from_utf8(text).ok()?;
    let mut words = text.split(' ');
    let ask = match words.next()? {
        "MOVED" => false,
        "ASK" => true,
        _ => return None,
    };
    let slot = words.next()?.parse().ok()?;
    let (host, port) = words.next()?.rsplit_once(':')?;
    Some((slot, host.to_string(), port.parse().ok()?, ask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_read() {
        let error = |text: &str| Value::Error(text.as_bytes().to_vec());
        assert_eq!(redirection(&error("MOVED 3999 127.0.0.1:6381")), Some((3999, "127.0.0.1".into(), 6381, false)));
        assert_eq!(redirection(&error("ASK 1 ::1:7")), Some((1, "::1".into(), 7, true)));
        assert_eq!(redirection(&error("MOVED 1 :6381")), Some((1, String::new(), 6381, false)));
        assert_eq!(redirection(&error("ERR x")), None);
    }

    #[test]
    fn messages_and_confirmations_are_told_from_replies() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        let message = vec![bulk("message"), bulk("channel"), bulk("text")];
        assert_eq!(message_kind(&Value::Array(message.clone()), false), Some(&b"message"[..]));
        assert_eq!(message_kind(&Value::Array(message.clone()), true), None);
        assert_eq!(message_kind(&Value::Push(message), true), Some(&b"message"[..]));
        assert_eq!(message_kind(&Value::Push(vec![bulk("invalidate"), Value::Null]), true), None);
        let left =
            |count| subscriptions_left(&Value::Push(vec![bulk("unsubscribe"), bulk("a"), Value::Integer(count)]));
        assert!(left(1) && !left(0));
    }
}
