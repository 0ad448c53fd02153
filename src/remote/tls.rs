//! TLS for the blocking client: what a caller may say about it, and a stream that speaks it over TCP.
//!
//! The server's certificate is checked against roots (a file, a folder, or the system's) and against the name that was
//! asked for, unless the caller wants neither. The stream has one owner: there is no second handle to send or receive with.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Bytes read from the socket at once; what they decrypt to, with the rest of an earlier record, fits the client's buffer.
const READ_BYTES: usize = 16 * 1024;

/// How to secure a connection. The default trusts the system's roots and shows no certificate of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The name the server's certificate must have; without one, that of the address.
    pub server_name: Option<String>,
    /// A file with the certificates to trust, in PEM.
    pub authority_file: Option<PathBuf>,
    /// A folder with the certificates to trust, under the names that `openssl rehash` gives.
    pub authority_directory: Option<PathBuf>,
    /// Trust any server: what is sent can be read by whoever stands between.
    pub insecure: bool,
    /// The client's own certificate and those it was issued with, in PEM; with `key`.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

impl Tls {
    /// The server's name and everything else a session needs, or what is wrong in words.
    fn prepared(&self, host: &str) -> Result<(ServerName<'static>, ClientConfig), String> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let server_name =
            ServerName::try_from(name.to_string()).map_err(|_| format!("'{name}' is no name of a server"))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyServer(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let config = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let told = |path: &PathBuf, error: String| format!("{}: {error}", path.display());
                let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                let chain = chain.map_err(|error| told(certificate, error.to_string()))?;
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| told(key, error.to_string()))?;
                builder.with_client_auth_cert(chain, secret).map_err(|error| told(certificate, error.to_string()))?
            }
            _ => return Err("a client certificate and its key must be given together".into()),
        };
        Ok((server_name, config))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let (file, directory) = (self.authority_file.as_deref(), self.authority_directory.as_deref());
        let ours = file.is_some() || directory.is_some();
        let found = if ours {
            rustls_native_certs::load_certs_from_paths(file, directory)
        } else {
            rustls_native_certs::load_native_certs()
        };
        if let Some(error) = found.errors.first().filter(|_| ours || found.certs.is_empty()) {
            return Err(format!("No certificates to trust: {error}"));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        match roots.is_empty() {
            true => Err("No certificates to trust were found; name them with --cacert or --cacertdir".into()),
            false => Ok(roots),
        }
    }
}

/// For `Tls::insecure`: the certificate may be anyone's; the server must still hold its key.
#[derive(Debug)]
struct TrustAnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyServer {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _revocation: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The session, and what it has decrypted that nobody has taken yet.
struct Session {
    connection: ClientConnection,
    plain: Vec<u8>,
    taken: usize,
}

impl Session {
    /// What has come, as much as fits.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.plain.len() - self.taken);
        buffer[..count].copy_from_slice(&self.plain[self.taken..self.taken + count]);
        self.taken += count;
        if self.taken == self.plain.len() {
            self.plain.clear();
            self.taken = 0;
        }
        count
    }

    /// Decrypts what came from the socket. Whether the server has said that nothing more will come.
    fn decrypt(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            if self.connection.read_tls(&mut bytes)? == 0 {
                return Ok(true);
            }
            let state = self.connection.process_new_packets().map_err(told)?;
            let count = state.plaintext_bytes_to_read();
            let start = self.plain.len();
            self.plain.resize(start + count, 0);
            self.connection.reader().read_exact(&mut self.plain[start..])?;
            if state.peer_has_closed() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A TLS connection.
pub(super) struct TlsStream {
    socket: TcpStream,
    session: Session,
}

impl TlsStream {
    /// Agrees with the server on the other end.
    pub(super) fn open(mut socket: TcpStream, host: &str, tls: &Tls) -> Result<TlsStream, String> {
        let (name, config) = tls.prepared(host)?;
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| negotiation_text(&error))?;
        }
        Ok(TlsStream { socket, session: Session { connection, plain: Vec::new(), taken: 0 } })
    }

    /// The socket below: to wait for it and to set its limits.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Reads once from the socket, if nothing is here already: a count, zero at the end, or none when what came was about
    /// the connection only.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let count = self.session.take(buffer);
        if count > 0 {
            return Ok(Some(count));
        }
        let mut raw = [0; READ_BYTES];
        let length = self.socket.read(&mut raw)?;
        let ended = self.session.decrypt(&raw[..length])? || length == 0;
        let count = self.session.take(buffer);
        Ok((count > 0 || ended).then_some(count))
    }

    /// Says that nothing more will be sent.
    pub(super) fn finish_sending(&mut self) -> io::Result<()> {
        self.session.connection.send_close_notify();
        self.write_all(&[])?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Encrypts and writes all of it.
    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let connection = &mut self.session.connection;
        loop {
            let accepted = connection.writer().write(bytes)?;
            bytes = &bytes[accepted..];
            while connection.wants_write() {
                connection.write_tls(&mut self.socket)?;
            }
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }
}

fn told(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}"))
}

/// Why there was no agreement, with what to do about it where that is known.
fn negotiation_text(error: &io::Error) -> String {
    use rustls::{CertificateError, Error};
    let text = super::error::Error::system_text(error);
    let hint = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "name the certificate of its authority with --cacert"
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "say with --sni which name it has",
        Some(Error::InvalidMessage(_)) => "the port may be one without TLS",
        None if error.kind() == io::ErrorKind::UnexpectedEof || error.kind() == io::ErrorKind::ConnectionReset => {
            "the port may be one without TLS"
        }
        None if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            return "the server did not answer in time (the port may be one without TLS)".into();
        }
        _ => return text,
    };
    format!("{text} ({hint})")
}
