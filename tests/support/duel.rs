//! Two servers side by side: every move is made on both, and their replies and states are compared.

use super::client::Client;
use super::compare::{LIST_ENCODINGS, SET_ENCODINGS, SORTED_SET_ENCODINGS, Tolerance, agree, within};
use super::generate::{CONNECTIONS, DATABASES, Move, Request};
use super::server::{Server, Target};
use super::text::command_line;
use super::value::{Value, parse};
use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

/// Bound on the steps of one full SCAN.
const SCAN_STEPS_MAX: usize = 100_000;

/// Longest time an expired key may be counted by DBSIZE.
const EXPIRED_FOUND_MAX: Duration = Duration::from_secs(5);

/// Alters a reply of our side on purpose, to show that the comparison notices.
pub type Fault = fn(&Request, &mut [u8]);

/// How a value of each type is read whole, in one or more parts, and how the replies may differ.
const READERS: &[(&str, &[&str], &[&str], Option<Tolerance>)] = &[
    ("string", &["GET"], &[], None),
    ("list", &["LRANGE"], &["0", "-1"], None),
    ("set", &["SMEMBERS"], &[], Some(Tolerance::AnyOrder)),
    ("hash", &["HGETALL"], &[], Some(Tolerance::AnyOrder)),
    ("zset", &["ZRANGE"], &["0", "-1", "WITHSCORES"], Some(Tolerance::SameNumbers)),
    ("stream", &["XRANGE"], &["-", "+"], None),
    ("stream", &["XINFO", "STREAM"], &[], None),
    ("stream", &["XINFO", "GROUPS"], &[], Some(Tolerance::EachExceptFields(&["consumers"]))),
    ("stream", &["XPENDING"], &["G1"], None),
    ("stream", &["XPENDING"], &["G2"], None),
];

/// A server with its connections.
struct Side {
    target: Target,
    server: Server,
    clients: Vec<Client>,
    /// Of the comparison itself; the moves do not use it.
    control: Client,
}

/// The two servers.
pub struct Duel {
    ours: Side,
    theirs: Side,
    fault: Option<Fault>,
}

/// The first difference found: at which move, and what it is.
#[derive(Debug)]
pub struct Mismatch {
    pub at: usize,
    pub what: String,
}

impl Side {
    fn start(target: Target) -> Side {
        let server = Server::start(target);
        let control = server.connect();
        Side { target, server, clients: Vec::new(), control }
    }

    /// Empties the server and opens new connections.
    fn reset(&mut self) -> io::Result<()> {
        self.control = Client::connect(self.server.address())?;
        self.control.try_call(&["FLUSHALL"])?;
        self.clients.clear();
        for connection in 0..CONNECTIONS {
            let mut client = Client::connect(self.server.address())?;
            if connection >= CONNECTIONS / 2 {
                client.try_call(&["HELLO", "3"])?;
            }
            self.clients.push(client);
        }
        Ok(())
    }

    /// Sends a pipeline in pieces.
    fn send(&mut self, connection: usize, bytes: &[u8], cuts: &[u64]) -> io::Result<()> {
        let mut from = 0;
        for cut in cuts {
            let to = (bytes.len() as u64 * cut / 1000) as usize;
            self.clients[connection].send_raw(&bytes[from..to.max(from)])?;
            from = to.max(from);
        }
        self.clients[connection].send_raw(&bytes[from..])
    }

    /// Sends several commands over the control connection and reads all replies.
    fn ask(&mut self, commands: &[Vec<Vec<u8>>]) -> io::Result<Vec<Value>> {
        for command in commands {
            self.control.send(command)?;
        }
        commands.iter().map(|_| self.control.read()).collect()
    }
}

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

impl Duel {
    /// Starts both servers; `fault` alters replies of ours.
    pub fn start(target: Target, fault: Option<Fault>) -> Duel {
        let mut duel = Duel { ours: Side::start(target), theirs: Side::start(Target::Redis), fault };
        duel.reset();
        duel
    }

    /// Empties both servers and opens new connections; a server that has died is started again.
    pub fn reset(&mut self) {
        for side in [&mut self.ours, &mut self.theirs] {
            if side.reset().is_err() {
                *side = Side::start(side.target);
                side.reset().unwrap_or_else(|error| panic!("a new {:?} does not work: {error}", side.target));
            }
        }
    }

    /// What our server has written to its output.
    pub fn our_log(&self) -> String {
        self.ours.server.log()
    }

    /// A connection to our server alone, to make it different on purpose.
    pub fn our_client(&mut self, connection: usize) -> &mut Client {
        &mut self.ours.clients[connection]
    }

    /// Makes the moves until the first difference.
    pub fn play(&mut self, moves: &[Move]) -> Result<(), Mismatch> {
        moves.iter().enumerate().try_for_each(|(at, step)| self.make(step).map_err(|what| Mismatch { at, what }))
    }

    /// Makes one move; the error says how the servers differ.
    pub fn make(&mut self, step: &Move) -> Result<(), String> {
        match step {
            Move::Pipeline { connection, requests, cuts } => self.pipeline(*connection, requests, cuts),
            Move::CompareState => self.compare_state(),
        }
    }

    fn pipeline(&mut self, connection: usize, requests: &[Request], cuts: &[u64]) -> Result<(), String> {
        let mut bytes = Vec::new();
        requests.iter().for_each(|request| request.encode(&mut bytes));
        for side in [&mut self.ours, &mut self.theirs] {
            side.send(connection, &bytes, cuts).map_err(|error| format!("{:?}: sending: {error}", side.target))?;
        }
        for request in requests {
            let failed =
                |who: &str, error: io::Error| format!("{}\n  {who}: {error}", command_line(&request.arguments));
            let (mut our_bytes, mut our_value) =
                self.ours.clients[connection].read_both().map_err(|error| failed("ours", error))?;
            let (their_bytes, their_value) =
                self.theirs.clients[connection].read_both().map_err(|error| failed("theirs", error))?;
            if let Some(fault) = self.fault {
                fault(request, &mut our_bytes);
                our_value = parse(&our_bytes)?.ok_or("the fault made half a reply")?.0;
            }
            if our_bytes != their_bytes && !agree(request, &our_value, &their_value) {
                return Err(difference(&command_line(&request.arguments), &our_value, &their_value));
            }
        }
        Ok(())
    }

    /// Compares all databases: keys, types, encodings, expiries, values, a whole SCAN, and the number of keys.
    pub fn compare_state(&mut self) -> Result<(), String> {
        for db in 0..DATABASES {
            self.compare_db(db).map_err(|what| format!("state of database {db}: {what}"))?;
        }
        Ok(())
    }

    fn ask_both(&mut self, commands: &[Vec<Vec<u8>>]) -> Result<(Vec<Value>, Vec<Value>), String> {
        let ours = self.ours.ask(commands).map_err(|error| format!("ours: {error}"))?;
        let theirs = self.theirs.ask(commands).map_err(|error| format!("theirs: {error}"))?;
        Ok((ours, theirs))
    }

    /// Asks both and compares each reply, with the tolerance given for it.
    fn ask_and_compare(&mut self, questions: &[(Vec<Vec<u8>>, Option<Tolerance>)]) -> Result<Vec<Value>, String> {
        let commands: Vec<_> = questions.iter().map(|(command, _)| command.clone()).collect();
        let (ours, theirs) = self.ask_both(&commands)?;
        for (index, (command, tolerance)) in questions.iter().enumerate() {
            let (our, their) = (&ours[index], &theirs[index]);
            if our != their && !tolerance.is_some_and(|tolerance| within(tolerance, our, their)) {
                return Err(difference(&command_line(command), our, their));
            }
        }
        Ok(theirs)
    }

    fn compare_db(&mut self, db: usize) -> Result<(), String> {
        let opening = [(words(&["SELECT", &db.to_string()]), None), (words(&["KEYS", "*"]), Some(Tolerance::AnyOrder))];
        let replies = self.ask_and_compare(&opening)?;
        let keys: BTreeSet<Vec<u8>> = replies[1].items().iter().map(Value::plain).collect();
        for side in [&mut self.ours, &mut self.theirs] {
            let scanned = scan(side).map_err(|error| format!("{:?}: SCAN: {error}", side.target))?;
            if scanned != keys {
                return Err(format!(
                    "a whole SCAN of {:?} gives {} keys, KEYS * gives {}",
                    side.target,
                    scanned.len(),
                    keys.len()
                ));
            }
            await_size(side, keys.len())?;
        }
        let questions: Vec<_> = keys.iter().map(|key| (with_key(&["TYPE"], key, &[]), None)).collect();
        let types = self.ask_and_compare(&questions)?;
        let mut questions = Vec::new();
        for (key, kind) in keys.iter().zip(&types) {
            let kind = kind.plain();
            let encodings = match &kind[..] {
                b"list" => Some(LIST_ENCODINGS),
                b"set" => Some(SET_ENCODINGS),
                b"zset" => Some(SORTED_SET_ENCODINGS),
                _ => None,
            };
            questions.push((with_key(&["OBJECT", "ENCODING"], key, &[]), encodings));
            questions.push((with_key(&["PEXPIRETIME"], key, &[]), Some(Tolerance::Near(5000))));
            for (_, command, rest, tolerance) in READERS.iter().filter(|(name, ..)| name.as_bytes() == kind) {
                questions.push((with_key(command, key, rest), *tolerance));
            }
        }
        self.ask_and_compare(&questions).map(|_| ())
    }
}

fn with_key(command: &[&str], key: &[u8], rest: &[&str]) -> Vec<Vec<u8>> {
    let mut arguments = words(command);
    arguments.push(key.to_vec());
    arguments.extend(words(rest));
    arguments
}

/// Waits until DBSIZE is `keys`: expired keys count until the server finds them, which it must do by itself and soon.
fn await_size(side: &mut Side, keys: usize) -> Result<(), String> {
    let deadline = Instant::now() + EXPIRED_FOUND_MAX;
    loop {
        let size = side.control.try_call(&["DBSIZE"]).map_err(|error| format!("DBSIZE: {error}"))?;
        if size == Value::Integer(keys as i64) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("DBSIZE of {:?} stays at {size}, KEYS * gives {keys}", side.target));
        }
    }
}

/// All keys that a full SCAN in small steps returns.
fn scan(side: &mut Side) -> io::Result<BTreeSet<Vec<u8>>> {
    let mut keys = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    for _ in 0..SCAN_STEPS_MAX {
        let reply = side.control.try_call(&[&b"SCAN"[..], &cursor, b"COUNT", b"7"])?;
        let Value::Array(parts) = &reply else {
            return Err(io::Error::other(format!("SCAN answered {reply}")));
        };
        let [next, found] = &parts[..] else {
            return Err(io::Error::other(format!("SCAN answered {reply}")));
        };
        keys.extend(found.items().iter().map(Value::plain));
        cursor = next.plain();
        if cursor == b"0" {
            return Ok(keys);
        }
    }
    Err(io::Error::other("SCAN does not end"))
}

/// Both replies as text; long ones from a little before the first difference.
fn difference(command: &str, ours: &Value, theirs: &Value) -> String {
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let common = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
    let from = common.saturating_sub(60);
    let part = |text: &str| {
        let shown: String = text.bytes().skip(from).take(400).map(char::from).collect();
        if from > 0 { format!("… {shown}") } else { shown }
    };
    format!("{command}\n  ours:   {}\n  theirs: {}", part(&ours), part(&theirs))
}
