//! Users on several cores: nobody who learned that users were changed is served by the old permissions, wherever his
//! connection is. And users from files: lines of the configuration, the ACL file, CONFIG REWRITE.

mod support;

use std::io::ErrorKind;

use support::client::Client;
use support::server::{Server, Target, Transport};
use support::value::Value;

/// Enough connections that every core has some.
const CONNECTIONS: usize = 12;

const NIL: Value = Value::Nil { resp3: false };

fn server(parameters: &[&str]) -> Server {
    Server::start_with(Target::Ringfort { shards: 4 }, Transport::Unix, parameters)
}

fn error(text: &str) -> Value {
    Value::Error(text.as_bytes().to_vec())
}

fn ok() -> Value {
    Value::Status(b"OK".to_vec())
}

fn as_user(server: &Server, name: &str) -> Client {
    let mut client = server.connect();
    assert_eq!(client.call(&["AUTH", name, "x"]), ok());
    client
}

fn is_closed(client: &mut Client) -> bool {
    match client.try_call(&["PING"]) {
        Ok(_) => false,
        Err(failure) => {
            let kinds = [ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(kinds.contains(&failure.kind()), "{failure}");
            true
        }
    }
}

#[test]
fn a_change_holds_for_every_connection_once_it_is_answered() {
    let server = server(&[]);
    let mut owner = server.connect();
    owner.call(&["ACL", "SETUSER", "anna", "on", "nopass", "~*", "+@all"]);
    let mut users: Vec<Client> = (0..CONNECTIONS).map(|_| as_user(&server, "anna")).collect();
    for round in 0..20 {
        owner.call(&["ACL", "SETUSER", "anna", "-get"]);
        for user in &mut users {
            let denied = error("NOPERM User anna has no permissions to run the 'get' command");
            assert_eq!(user.call(&["GET", "a"]), denied, "round {round}");
        }
        owner.call(&["MULTI"]);
        owner.call(&["ACL", "SETUSER", "anna", "+get"]);
        owner.call(&["EXEC"]);
        for user in &mut users {
            assert_eq!(user.call(&["GET", "a"]), NIL, "round {round}");
        }
    }
    assert_eq!(owner.call(&["ACL", "DELUSER", "anna"]), Value::Integer(1));
    assert!(users.iter_mut().all(is_closed));
}

#[test]
fn a_pipeline_sees_its_own_changes() {
    let server = server(&[]);
    let mut client = server.connect();
    let pipeline =
        "ACL SETUSER default -get\r\nGET a\r\nMULTI\r\nACL SETUSER default +get\r\nGET a\r\nEXEC\r\nGET a\r\n";
    client.send_raw(pipeline.as_bytes()).expect("it listens");
    let replies: Vec<Value> = (0..7).map(|_| client.read().expect("it answers")).collect();
    let queued = Value::Status(b"QUEUED".to_vec());
    let denied = error("NOPERM User default has no permissions to run the 'get' command");
    assert_eq!(replies[..4], [ok(), denied.clone(), ok(), queued]);
    // The check of the queue comes before the change.
    let aborted = error("EXECABORT Transaction discarded because of previous errors.");
    assert_eq!(replies[4..], [denied.clone(), aborted, denied]);
    client.call(&["ACL", "SETUSER", "default", "+get"]);
    client.call(&["MULTI"]);
    client.call(&["ACL", "SETUSER", "default", "-get"]);
    client.call(&["GET", "a"]);
    let replies = client.call(&["EXEC"]);
    assert_eq!(replies.items()[0], ok());
    assert!(replies.items()[1].to_string().contains("no permission to execute the command or subcommand"), "{replies}");
}

#[test]
fn who_removes_himself_is_answered_first() {
    let server = server(&[]);
    let mut owner = server.connect();
    owner.call(&["ACL", "SETUSER", "anna", "on", "nopass", "~*", "+@all", "&a"]);
    let mut anna = as_user(&server, "anna");
    let mut listening = as_user(&server, "anna");
    let mut waiting = as_user(&server, "anna");
    listening.call(&["SUBSCRIBE", "a"]);
    waiting.send(&["BLPOP", "list", "0"]).expect("it listens");
    while !owner.call(&["INFO", "clients"]).to_string().contains("blocked_clients:1") {}
    assert_eq!(anna.call(&["ACL", "SETUSER", "anna", "resetchannels", "-blpop"]), ok());
    assert!(listening.read().is_err(), "it may hear this no more");
    let denied = error("NOPERM User anna has no permissions to run the 'blpop' command");
    assert_eq!(waiting.read().expect("it is told"), denied);
    assert!(!is_closed(&mut waiting));
    assert_eq!(anna.call(&["ACL", "DELUSER", "anna"]), Value::Integer(1));
    assert!(is_closed(&mut anna) && is_closed(&mut waiting));
    let stats = owner.call(&["INFO", "stats"]).to_string();
    assert!(stats.contains("acl_access_denied_cmd:1"), "{stats}");
}

#[test]
fn scripts_run_with_the_permissions_of_their_client() {
    let server = server(&[]);
    let mut owner = server.connect();
    owner.call(&["ACL", "SETUSER", "anna", "on", "nopass", "~a*", "+eval", "+set", "+get"]);
    let mut anna = as_user(&server, "anna");
    // Keys of several shards, which the script did not declare: it begins anew, and is counted and logged once.
    let script = "for n = 1, 20 do redis.call('set', 'a' .. n, n) end return redis.pcall('get', 'b1')['err']";
    let reply = anna.call(&["EVAL", script, "0"]).to_string();
    assert!(reply.contains("ACL failure in script: No permissions to access a key"), "{reply}");
    assert_eq!(owner.call(&["GET", "a20"]).to_string(), "\"20\"");
    let log = owner.call(&["ACL", "LOG"]);
    let entry = &log.items()[0];
    let field = |name: &str| {
        let items = entry.items();
        let at = items.iter().position(|item| item.plain() == name.as_bytes()).expect("the entry has it");
        String::from_utf8_lossy(&items[at + 1].plain()).into_owned()
    };
    assert_eq!((field("count"), field("context"), field("object")), ("1".into(), "lua".into(), "b1".into()));
    assert!(field("client-info").contains(" cmd=eval user=anna "), "{}", field("client-info"));
}

#[test]
fn users_in_the_acl_file() {
    let folder = std::env::temp_dir().join(format!("rf-acl-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("users.acl");
    std::fs::write(&file, "user anna on nopass ~a* +get\n\nuser default on nopass ~* &* +@all\n").expect("a file");
    let path = file.to_str().expect("text");
    let server = server(&["--aclfile", path]);
    let mut owner = server.connect();
    let mut anna = as_user(&server, "anna");
    assert_eq!(anna.call(&["GET", "a"]), NIL);
    owner.call(&["ACL", "SETUSER", "otto", "on", "nopass", "+ping"]);
    let mut otto = as_user(&server, "otto");
    assert_eq!(owner.call(&["ACL", "LOAD"]), ok());
    assert!(is_closed(&mut otto), "the file does not know him");
    assert_eq!(anna.call(&["GET", "a"]), NIL);
    owner.call(&["ACL", "SETUSER", "otto", "on", ">secret", "+ping", "(%R~o* +get)"]);
    assert_eq!(owner.call(&["ACL", "SAVE"]), ok());
    let saved = std::fs::read_to_string(&file).expect("it is there");
    assert_eq!(saved.lines().count(), 3, "{saved}");
    assert!(saved.ends_with("-@all +ping (%R~o* resetchannels -@all +get)\n"), "{saved}");
    std::fs::write(&file, format!("{saved}user otto on\n")).expect("a file");
    let refused = owner.call(&["ACL", "LOAD"]).to_string();
    assert!(refused.contains("Duplicate user 'otto' found on line 4") && refused.contains("no change"), "{refused}");
    assert_eq!(owner.call(&["ACL", "USERS"]).items().len(), 3);
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn users_on_the_command_line_and_the_default_users_password() {
    let line = "--user anna on >secret +@all ~* --user default on nopass +@all -flushall ~* --requirepass x";
    let users: Vec<&str> = line.split(' ').collect();
    let server = server(&users);
    let mut client = server.connect();
    let denied = error("NOPERM User default has no permissions to run the 'flushall' command");
    assert_eq!(client.call(&["FLUSHALL"]), denied, "users of the configuration win over requirepass");
    assert_eq!(client.call(&["AUTH", "anna", "secret"]), ok());
    assert_eq!(client.call(&["CONFIG", "SET", "requirepass", "y"]), ok());
    let mut others: Vec<Client> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    for other in &mut others {
        assert_eq!(other.call(&["PING"]), error("NOAUTH Authentication required."));
        assert_eq!(other.call(&["AUTH", "y"]), ok());
    }
    assert_eq!(client.call(&["CONFIG", "SET", "requirepass", ""]), ok());
    assert_eq!(server.connect().call(&["PING"]), Value::Status(b"PONG".to_vec()));
}

#[test]
fn renamed_commands_are_called_by_their_new_names() {
    let long = "b840fc02d524045429941cc15f59e41cb7be6c52";
    let folder = std::env::temp_dir().join(format!("rf-renamed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.to_str().expect("text");
    let line = "--rename-command flushdb --rename-command GET Fetch --rename-command SET get --rename-command debug";
    let mut parameters: Vec<&str> = line.split(' ').collect();
    parameters.insert(2, "");
    parameters.extend([long, "--user", "anna", "on", "nopass", "~*", "-@all", "+get", "+flushdb"]);
    parameters.extend(["--appendonly", "yes", "--dir", path]);
    for round in 0..2 {
        let server = server(&parameters);
        let mut client = server.connect();
        let unknown = |reply: Value| assert!(reply.to_string().contains("ERR unknown command"), "{reply}");
        unknown(client.call(&["FLUSHDB"]));
        unknown(client.call(&["SET", "a", "1"]));
        unknown(client.call(&[""]));
        unknown(client.call(&["DEBUG", "HELP"]));
        assert!(client.call(&[long, "HELP"]).items().len() > 10);
        if round == 0 {
            assert_eq!(client.call(&["GET", "a", "1"]), ok());
            assert_eq!(client.call(&["INCR", "a"]), Value::Integer(2));
            assert_eq!(client.call(&["PEXPIRE", "a", "100000000"]), Value::Integer(1));
        }
        assert_eq!(client.call(&["FETCH", "a"]).plain(), b"2", "round {round}: the log knows what clients called it");
        assert_eq!(client.call(&["EVAL", "return redis.call('fetch', KEYS[1])", "1", "a"]).plain(), b"2");
        assert_eq!(client.call(&["COMMAND", "INFO", "set", "fetch"]).items()[0], NIL);
        let names = client.call(&["COMMAND", "LIST"]).items().iter().map(Value::plain).collect::<Vec<_>>();
        assert!(names.contains(&b"get".to_vec()) && !names.contains(&b"flushdb".to_vec()));
        let counted = client.call(&["INFO", "commandstats"]).plain();
        assert!(String::from_utf8_lossy(&counted).contains("cmdstat_get:calls=2,"), "the own name counts");
        // Rules of users hold for the command, whatever it is called.
        let mut anna = as_user(&server, "anna");
        assert_eq!(anna.call(&["fetch", "a"]).plain(), b"2");
        let denied = error("NOPERM User anna has no permissions to run the 'set' command");
        assert_eq!(anna.call(&["GET", "a", "2"]), denied);
        let user = client.call(&["ACL", "LIST"]).to_string();
        assert!(user.contains("+get +flushdb"), "{user}");
    }
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
