//! Rows about TLS, which this build does not have, by name.

use crate::config::check::{no_tls, no_tls_port};
use crate::config::row::{INT_MAX, Kind, OPTIONAL_TEXT, Parameter, integer, row};

const TLS_AUTH_CLIENTS: &[(&str, i32)] = &[("no", 0), ("yes", 1), ("optional", 2)];

pub(super) const TLS: &[Parameter] = &[
    row("tls-auth-clients", Kind::Choice(TLS_AUTH_CLIENTS), "yes")
        .stored("there is no TLS in this build")
        .about("Whether TLS clients must show a certificate."),
    row("tls-ca-cert-dir", OPTIONAL_TEXT, "")
        .reread()
        .stored("there is no TLS in this build")
        .about("Folder with the certificates of trusted authorities."),
    row("tls-ca-cert-file", OPTIONAL_TEXT, "")
        .reread()
        .stored("there is no TLS in this build")
        .about("File with the certificates of trusted authorities."),
    row("tls-cert-file", OPTIONAL_TEXT, "")
        .reread()
        .stored("there is no TLS in this build")
        .about("Certificate shown to clients, in PEM."),
    row("tls-ciphers", OPTIONAL_TEXT, "")
        .stored("there is no TLS in this build")
        .about("Ciphers offered up to TLS 1.2."),
    row("tls-ciphersuites", OPTIONAL_TEXT, "")
        .stored("there is no TLS in this build")
        .about("Ciphers offered from TLS 1.3 on."),
    row("tls-client-cert-file", OPTIONAL_TEXT, "")
        .reread()
        .stored("there is no TLS in this build")
        .about("Certificate shown when this server is the client (replication, cluster bus)."),
    row("tls-client-key-file", OPTIONAL_TEXT, "")
        .reread()
        .stored("there is no TLS in this build")
        .about("Private key of the client certificate."),
    row("tls-client-key-file-pass", OPTIONAL_TEXT, "")
        .sensitive()
        .stored("there is no TLS in this build")
        .about("Passphrase of the client private key."),
    row("tls-cluster", Kind::YesNo, "no")
        .check(no_tls)
        .stored("there is no TLS in this build")
        .about("Use TLS on the cluster bus. This build has no TLS, so only 'no' is accepted."),
    row("tls-dh-params-file", OPTIONAL_TEXT, "")
        .reread()
        .stored("there is no TLS in this build")
        .about("Diffie-Hellman parameters for old OpenSSL versions."),
    row("tls-key-file", OPTIONAL_TEXT, "")
        .reread()
        .stored("there is no TLS in this build")
        .about("Private key of the certificate, in PEM."),
    row("tls-key-file-pass", OPTIONAL_TEXT, "")
        .sensitive()
        .stored("there is no TLS in this build")
        .about("Passphrase of the private key."),
    row("tls-port", integer(0, 65535), "0")
        .check(no_tls_port)
        .about("TCP port for TLS connections; 0 listens on none. This build has no TLS, so only 0 is accepted."),
    row("tls-prefer-server-ciphers", Kind::YesNo, "no")
        .stored("there is no TLS in this build")
        .about("Choose ciphers by the server's order instead of the client's."),
    row("tls-protocols", OPTIONAL_TEXT, "")
        .stored("there is no TLS in this build")
        .about("TLS versions to offer."),
    row("tls-replication", Kind::YesNo, "no")
        .check(no_tls)
        .stored("there is no TLS in this build")
        .about("Use TLS towards the master. This build has no TLS, so only 'no' is accepted."),
    row("tls-session-cache-size", integer(0, INT_MAX), "20480")
        .stored("there is no TLS in this build")
        .about("TLS sessions remembered for resumption."),
    row("tls-session-cache-timeout", integer(0, INT_MAX), "300")
        .stored("there is no TLS in this build")
        .about("Seconds a TLS session may be resumed."),
    row("tls-session-caching", Kind::YesNo, "yes")
        .stored("there is no TLS in this build")
        .about("Whether TLS sessions can be resumed."),
];
