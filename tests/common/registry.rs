//! A registry of our own, which says what a test wants, and keeps what it was asked; and what the real one has to be told.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A stand-in for a schema registry. What it was not told it answers as Confluent's does: it doesn't have it.
pub struct StandIn {
    scheme: &'static str,
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// By path and query: each answer once, the last one from then on.
    answers: Mutex<HashMap<String, Vec<Reply>>>,
    asked: Mutex<Vec<Asked>>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    /// In small letters, in their order.
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    /// All headers of this name.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let all = self.headers.iter().filter(|(own, _)| own == name);
        all.map(|(_, value)| value.as_str()).collect()
    }
}

/// What the stand-in does with a request.
#[derive(Clone)]
pub enum Reply {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// Nothing: the connection stays open until the other side gives up.
    Silence,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply::http(
            status,
            &[("content-type", "application/vnd.schemaregistry.v1+json")],
            body.to_string().as_bytes(),
        )
    }

    pub fn error(status: u16, code: i64, message: &str) -> Reply {
        Reply::json(status, &json!({"error_code": code, "message": message}))
    }

    pub fn http(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut bytes =
            format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len()).into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Reply::Raw(bytes)
    }
}

impl StandIn {
    pub fn start() -> StandIn {
        StandIn::listen("http", Ok)
    }

    /// With the server's certificate of that folder; it may want one of ours, signed by the CA there.
    pub fn start_tls(certificates: &Certificates, wants_client: bool) -> StandIn {
        let server = Arc::new(certificates.server(wants_client));
        StandIn::listen("https", move |mut tcp| {
            let mut connection = ServerConnection::new(Arc::clone(&server)).map_err(std::io::Error::other)?;
            while connection.is_handshaking() {
                if let Err(error) = connection.complete_io(&mut tcp) {
                    // It has sent an alert: a reset must not overtake that.
                    std::io::copy(&mut tcp, &mut std::io::sink())?;
                    return Err(error);
                }
            }
            Ok(StreamOwned::new(connection, tcp))
        })
    }

    fn listen<S: Read + Write>(
        scheme: &'static str,
        wrap: impl Fn(TcpStream) -> std::io::Result<S> + Send + Sync + 'static,
    ) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let (shared, wrap) = (Arc::clone(&state), Arc::new(wrap));
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let (state, wrap) = (Arc::clone(&shared), Arc::clone(&wrap));
                // A client that goes away in the middle is what some tests are about.
                std::thread::spawn(move || state.serve(wrap(tcp)?));
            }
        });
        StandIn { scheme, port, state }
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Each answer once, the last one from then on.
    pub fn answers(&self, target: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.state
            .answers
            .lock()
            .unwrap()
            .insert(target.to_owned(), replies);
    }

    /// It has this schema under an id. `more` are more fields of the answer: schemaType, references, ruleSet.
    pub fn has_schema(&self, id: u32, text: &str, more: &Value) {
        self.has_schema_at(&format!("/schemas/ids/{id}"), text, more);
    }

    /// The same under any path.
    pub fn has_schema_at(&self, target: &str, text: &str, more: &Value) {
        self.answers(target, [Reply::json(200, &schema(text, more))]);
    }

    /// It has this version of a subject, whose name needs no encoding.
    pub fn has_version(&self, subject: &str, version: i64, text: &str, more: &Value) {
        let target = format!("/subjects/{subject}/versions/{version}");
        self.has_schema_at(&target, text, more);
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Their paths.
    pub fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }
}

fn schema(text: &str, more: &Value) -> Value {
    let mut schema = json!({"schema": text});
    for (name, value) in more.as_object().into_iter().flatten() {
        schema[name] = value.clone();
    }
    schema
}

impl State {
    fn serve(&self, stream: impl Read + Write) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let Ok(length) = stream.read_line(&mut line) else {
                // Somebody speaks TLS, where none is spoken.
                return stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            };
            if length == 0 || line.trim().is_empty() {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let Some(target) = lines.first().and_then(|line| line.split(' ').nth(1)) else {
            return Ok(());
        };
        let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let asked = Asked {
            target: target.to_owned(),
            headers: headers.collect(),
            body: String::new(),
        };
        let length = asked
            .header("content-length")
            .first()
            .map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        let statement = statement(&body);
        self.asked.lock().unwrap().push(Asked { body, ..asked });
        match self.reply(&format!("{target}{statement}")) {
            Reply::Raw(bytes) => {
                stream.get_mut().write_all(&bytes)?;
                stream.get_mut().flush()
            }
            Reply::Silence => stream.read_to_end(&mut Vec::new()).map(drop),
        }
    }

    /// What is asked is the path, and behind it the statement for ksqlDB.
    fn reply(&self, target: &str) -> Reply {
        match self.answers.lock().unwrap().get_mut(target) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) => replies[0].clone(),
            None if target.starts_with("/schemas/") => Reply::error(404, 40403, "Schema not found"),
            None if target.starts_with("/subjects/") => Reply::error(404, 40401, "Subject not found"),
            None => Reply::error(404, 404, "HTTP 404 Not Found"),
        }
    }
}

/// A blank and the statement in a request to ksqlDB.
fn statement(body: &str) -> String {
    let question: Value = serde_json::from_str(body).unwrap_or_default();
    question["ksql"]
        .as_str()
        .map_or_else(String::new, |statement| format!(" {statement}"))
}

/// Certificates of a CA of our own, and the CA of a stranger.
pub struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    /// As `scripts/services up --tls` makes them: the server's is for 127.0.0.1 and no other name.
    pub fn make() -> Certificates {
        let dir = tempfile::tempdir().unwrap();
        let script = "source \"$1\"; dir=$2; begin_tls";
        let services = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services");
        let made = Command::new("bash")
            .args(["-c", script, "bash", services])
            .arg(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Certificates { dir }
    }

    /// ca.pem, stranger-ca.pem, client.pem, client.key, …
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("tls").join(name)
    }

    fn server(&self, wants_client: bool) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(certificate(&self.file("ca.pem"))).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_file(self.file("server.key")).unwrap();
        let chain = vec![certificate(&self.file("server.pem"))];
        builder.with_single_cert(chain, key).unwrap()
    }
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

/// Registers a schema with a real registry; returns its id. `more` are more fields of the request: schemaType, references.
pub fn register(url: &str, subject: &str, text: &str, more: &Value) -> u32 {
    let mut response = ureq::post(format!("{url}/subjects/{subject}/versions"))
        .config()
        .http_status_as_error(false)
        .build()
        .header("content-type", "application/vnd.schemaregistry.v1+json")
        .send(schema(text, more).to_string().as_bytes())
        .unwrap();
    let body = response.body_mut().read_to_string().unwrap();
    let answer: Value = serde_json::from_str(&body).unwrap();
    let id = answer["id"]
        .as_u64()
        .unwrap_or_else(|| panic!("{subject}: {body}"));
    u32::try_from(id).unwrap()
}
