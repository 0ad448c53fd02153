//! `ringfort-cli --tls` against stock redis-server, with certificates made for the occasion.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use support::client::Address;
use support::server::{Server, Target, Transport, skip_without_redis};

/// An authority, its own certificate in `NAME.crt`, and what it issues in further files of the folder.
struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(directory: &Path, name: &str) -> Authority {
        let key = KeyPair::generate().expect("there is randomness");
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names are fine");
        // An authority with the name of what it issued would look like one certificate that signed itself.
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("the key can sign");
        std::fs::write(directory.join(format!("{name}.crt")), certificate.pem()).expect("the folder is writable");
        Authority { directory: directory.to_path_buf(), issuer: Issuer::new(parameters, key) }
    }

    /// Issues `NAME.crt` and `NAME.key` for the names of a host.
    fn issue(&self, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().expect("there is randomness");
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let parameters = CertificateParams::new(hosts).expect("the names are names");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("the key can sign");
        for (ending, text) in [("crt", certificate.pem()), ("key", key.serialize_pem())] {
            std::fs::write(self.directory.join(format!("{name}.{ending}")), text).expect("the folder is writable");
        }
    }
}

/// The certificates' folder; removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rf-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A redis-server with TLS on a port of its own, beside the plain one that tests wait for; and that port.
fn server(folder: &Folder, clients: &str) -> Option<(Server, String)> {
    // A build without TLS does not know the parameter; one with it complains of the value. Either way it ends at once.
    let asked = Command::new("redis-server").args(["--tls-port", "nonumber"]).output().expect("it is installed");
    if String::from_utf8_lossy(&[asked.stdout, asked.stderr].concat()).contains("Bad directive") {
        eprintln!("skipped: this redis-server was built without TLS");
        return None;
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    drop(listener);
    let (certificate, key, authority) = (folder.file("server.crt"), folder.file("server.key"), folder.file("ca.crt"));
    let parameters = [
        ["--tls-port", &port],
        ["--tls-cert-file", &certificate],
        ["--tls-key-file", &key],
        ["--tls-ca-cert-file", &authority],
        ["--tls-auth-clients", clients],
    ];
    Some((Server::start_with(Target::Redis, Transport::Tcp, parameters.as_flattened()), port))
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfort-cli"));
    command.args(arguments).env_remove("REDISCLI_AUTH").env_remove("FAKETTY");
    let (reader, mut writer) = std::io::pipe().expect("there are descriptors");
    std::io::Write::write_all(&mut writer, input.as_bytes()).expect("it fits the pipe");
    drop(writer);
    command.stdin(reader).output().expect("the program runs")
}

/// Exit code, standard output, standard error.
fn said(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let output = run(arguments, input);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn pong() -> (Option<i32>, String, String) {
    (Some(0), "PONG\n".into(), String::new())
}

#[test]
fn the_server_is_checked_unless_told_otherwise() {
    if skip_without_redis() {
        return;
    }
    let folder = Folder::new("server");
    Authority::new(&folder.0, "ca").issue("server", &["127.0.0.1", "redis.example"]);
    Authority::new(&folder.0, "other");
    let Some((server, port)) = server(&folder, "no") else { return };
    let (ca, other, url) = (folder.file("ca.crt"), folder.file("other.crt"), format!("rediss://127.0.0.1:{port}"));
    assert_eq!(said(&["--tls", "--cacert", &ca, "-p", &port, "PING"], ""), pong());
    assert_eq!(said(&["-u", &url, "--cacert", &ca, "PING"], ""), pong());
    assert_eq!(said(&["--tls", "--cacert", &ca, "--sni", "redis.example", "-p", &port, "PING"], ""), pong());
    assert_eq!(said(&["--tls", "--insecure", "-p", &port, "PING"], ""), pong());
    let Address::Tcp(plain) = server.address() else { panic!("it listens on TCP") };
    let plain = plain.port().to_string();
    for (arguments, hint) in [
        (&["--tls", "--cacert", &other, "-p", &port, "PING"][..], "--cacert"),
        (&["--tls", "--cacert", &ca, "--sni", "no.example", "-p", &port, "PING"], "--sni"),
        (&["--tls", "--cacert", "/nosuch/file", "-p", &port, "PING"], "/nosuch/file"),
        (&["--tls", "--cacert", &ca, "-t", "0.5", "-p", &plain, "PING"], "without TLS"),
    ] {
        let (code, out, error) = said(arguments, "");
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}: {error}");
        assert!(error.starts_with("Could not negotiate a TLS connection: ") && error.contains(hint), "{error}");
    }
}

#[test]
fn long_values_and_many_replies_come_whole() {
    if skip_without_redis() {
        return;
    }
    let folder = Folder::new("long");
    Authority::new(&folder.0, "ca").issue("server", &["127.0.0.1"]);
    let Some((_server, port)) = server(&folder, "no") else { return };
    let ca = folder.file("ca.crt");
    let tls = ["--tls", "--cacert", &ca, "-p", &port];
    let long = format!("{}{}", "x".repeat(1_000_000), "end");
    assert_eq!(
        said(&[&tls[..], &["EVAL", "return string.rep('x', 1000000) .. 'end'", "0"]].concat(), "").1,
        long + "\n"
    );
    let counts = (1..=200).map(|count| format!("{count}\n")).collect::<String>();
    assert_eq!(said(&[&tls[..], &["-r", "200", "INCR", "counter"]].concat(), "").1, counts);
    let (code, _, error) = said(&[&tls[..], &["--pipe"]].concat(), "PING\r\n");
    assert!(code == Some(1) && error.contains("without TLS"), "{error}");
}

#[test]
fn clients_show_their_certificate() {
    if skip_without_redis() {
        return;
    }
    let folder = Folder::new("client");
    let authority = Authority::new(&folder.0, "ca");
    authority.issue("server", &["127.0.0.1"]);
    authority.issue("client", &["client.example"]);
    let Some((_server, port)) = server(&folder, "yes") else { return };
    let (ca, certificate, key) = (folder.file("ca.crt"), folder.file("client.crt"), folder.file("client.key"));
    let tls = ["--tls", "--cacert", &ca, "-p", &port];
    assert_eq!(said(&[&tls[..], &["--cert", &certificate, "--key", &key, "PING"]].concat(), ""), pong());
    let (code, out, error) = said(&[&tls[..], &["PING"]].concat(), "");
    assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
    assert!(!error.is_empty());
}
