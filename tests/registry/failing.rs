//! Registries that are down, busy, or something else.

use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

use crate::common::registry::{Reply, StandIn};
use crate::place::{at, fails, known, number, registry, unknown};

const TARGET: &str = "/schemas/ids/1";

/// An address where nothing listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn schema() -> Reply {
    Reply::json(200, &json!({"schema": "\"long\""}))
}

/// A server that answers each request for schema 1 so.
fn saying(reply: Reply) -> StandIn {
    let server = StandIn::start();
    server.answers(TARGET, [reply]);
    server
}

#[test]
fn the_next_address_is_asked_where_one_is_down() {
    let (busy, good) = (
        saying(Reply::error(500, 50001, "Error in the backend data store")),
        saying(schema()),
    );
    good.has_schema(2, "\"int\"", &Value::Null);
    let registry = at(&[nobody(), busy.url(), good.url()]);
    assert_eq!(known(&registry, number(1)).text, "\"long\"");
    // The one that answered is asked first from then on.
    assert_eq!(known(&registry, number(2)).text, "\"int\"");
    assert_eq!(
        (busy.targets(), good.targets()),
        (
            vec![TARGET.to_owned()],
            vec![TARGET.to_owned(), "/schemas/ids/2".to_owned()]
        )
    );
}

#[test]
fn only_a_server_that_is_down_is_passed_over() {
    for (status, code, told) in [
        (401, 40101, "schema_registry.user"),
        (403, 40301, "schema_registry.user"),
        (404, 404, "/apis/ccompat/v7"),
        (404, 40400, "does not have schema 1"),
        (404, 40401, "does not have schema 1"),
        (422, 42201, "HTTP 422"),
    ] {
        let (first, second) = (
            saying(Reply::error(status, code, "their words")),
            saying(schema()),
        );
        let error = fails(&at(&[first.url(), second.url()]), number(1));
        assert!(error.contains(told) && error.contains(&first.url()), "{error}");
        assert!(
            error.contains(&format!("their words (error_code {code})")),
            "{error}"
        );
        assert_eq!((first.targets().len(), second.targets().len()), (1, 0), "{error}");
    }
    let (first, second) = (
        saying(Reply::error(404, 40403, "Schema 1 not found")),
        saying(schema()),
    );
    assert!(unknown(&at(&[first.url(), second.url()]), number(1)).contains("Schema 1 not found"));
    assert!(second.targets().is_empty());
}

#[test]
fn a_busy_registry_is_asked_again() {
    for status in [429, 500, 503] {
        let server = StandIn::start();
        let busy = Reply::error(status, 50003, "busy");
        server.answers(TARGET, [busy.clone(), busy, schema()]);
        assert_eq!(known(&at(&[server.url()]), number(1)).text, "\"long\"");
        assert_eq!(server.targets().len(), 3);
    }
}

#[test]
fn a_busy_registry_is_given_up_soon() {
    let body = json!({"error_code": 42901, "message": "Too many requests"}).to_string();
    let server = saying(Reply::http(429, &[("retry-after", "9999")], body.as_bytes()));
    let began = Instant::now();
    let registry = registry(&format!("url = \"{}\"\ntimeout = \"300ms\"", server.url()));
    let error = fails(&registry, number(1));
    assert!(
        error.contains("HTTP 429: Too many requests (error_code 42901)"),
        "{error}"
    );
    assert_eq!(server.targets().len(), 3);
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    // The topics after it don't wait again.
    assert_eq!(fails(&registry, number(2)), error);
    assert_eq!(registry.subjects().unwrap_err().to_string(), error);
    assert_eq!(server.targets().len(), 3);
}

#[test]
fn a_registry_says_when_to_come_back() {
    let server = StandIn::start();
    server.answers(
        TARGET,
        [Reply::http(503, &[("retry-after", "2")], b"later"), schema()],
    );
    let began = Instant::now();
    assert_eq!(known(&at(&[server.url()]), number(1)).text, "\"long\"");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_registry_that_is_down_is_named_with_all_its_addresses() {
    let (one, other) = (nobody(), nobody());
    let silent = saying(Reply::Silence);
    let cut = saying(Reply::Raw(
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec(),
    ));
    let gone = saying(Reply::Raw(Vec::new()));
    let urls = [one.clone(), silent.url(), cut.url(), gone.url(), other.clone()].join(",");
    let began = Instant::now();
    let registry = registry(&format!("url = \"{urls}\"\ntimeout = \"500ms\""));
    let error = fails(&registry, number(1));
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert!(error.contains(&format!("{one}: Connection refused")), "{error}");
    assert!(error.contains(&format!("{other}: Connection refused")), "{error}");
    assert!(
        error.contains(&format!("{}: no answer within 500ms", silent.url())),
        "{error}"
    );
    for url in [cut.url(), gone.url()] {
        assert!(error.contains(&format!("{url}: ")), "{error}");
    }
    assert!(error.contains("; check schema_registry.url"), "{error}");
}

#[test]
fn an_answer_that_never_ends_ends() {
    // A byte now and then: no single read takes long.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n\"");
        while stream.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    });
    let began = Instant::now();
    let error = fails(
        &registry(&format!("url = \"{url}\"\ntimeout = \"500ms\"")),
        number(1),
    );
    assert!(error.contains("no answer within 500ms"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

#[test]
fn what_is_no_registry_is_said_to_be_none() {
    let html = Reply::http(200, &[("content-type", "text/html")], b"<html>hunter2</html>");
    for (reply, told) in [
        (html, "the answer is not JSON; is this a schema registry?"),
        (Reply::http(200, &[], b""), "the answer is not JSON"),
        (
            Reply::http(200, &[], b"{\"schema\": \"x\""),
            "the answer is not JSON",
        ),
        (
            Reply::http(200, &[], &[b'['; 10_000]),
            "JSON, but not that of a schema registry",
        ),
        (
            Reply::http(200, &[], b"{}"),
            "JSON, but not that of a schema registry: missing field `schema`",
        ),
        (
            Reply::http(200, &[], b"[]"),
            "JSON, but not that of a schema registry",
        ),
        (
            Reply::http(404, &[], b"<html>"),
            "HTTP 404, and the answer is not JSON; is this a schema registry?",
        ),
        (
            Reply::http(405, &[], b"no"),
            "HTTP 405, and the answer is not JSON; is this a schema registry?",
        ),
        (Reply::http(204, &[], b""), "HTTP 204"),
        (
            Reply::http(301, &[("location", "https://u:hunter2@other/x?hunter2")], b""),
            "it redirects to https://other; ",
        ),
        (Reply::http(301, &[], b""), "it redirects to another address"),
        (
            Reply::http(302, &[("location", TARGET)], b""),
            "it redirects in a circle",
        ),
        (
            Reply::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec()),
            "the answer is not HTTP",
        ),
    ] {
        let server = saying(reply);
        let error = fails(&at(&[server.url()]), number(1));
        assert!(
            error.contains(told) && error.contains(&server.url()),
            "{told}: {error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn an_answer_has_an_end() {
    // 80 MiB of zeros are 80 kB on the wire.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..80 {
        gzip.write_all(&[b' '; 1 << 20]).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    let server = saying(Reply::http(200, &[("content-encoding", "gzip")], &bomb));
    let error = fails(&at(&[server.url()]), number(1));
    assert!(
        error.contains("the answer has more than 67108864 bytes"),
        "{error}"
    );
    assert_eq!(server.targets().len(), 1);
}

#[test]
fn a_redirect_within_the_server_is_followed() {
    let server = saying(Reply::http(308, &[("location", "/elsewhere?x=1")], b""));
    server.answers("/elsewhere?x=1", [schema()]);
    assert_eq!(known(&at(&[server.url()]), number(1)).text, "\"long\"");
}

#[test]
fn a_fault_of_one_schema_is_no_fault_of_the_next() {
    let server = saying(Reply::error(422, 42201, "no"));
    server.has_schema(2, "\"int\"", &Value::Null);
    let registry = at(&[server.url()]);
    fails(&registry, number(1));
    assert_eq!(known(&registry, number(2)).text, "\"int\"");
}

/// The environment counts when a process begins: this test runs itself again behind a proxy.
#[test]
fn a_proxy_of_the_environment_is_used_and_named() {
    const BEHIND: &str = "LAKECTL_TEST_BEHIND_A_PROXY";
    if std::env::var_os(BEHIND).is_some() {
        let error = fails(&at(&["http://registry.invalid:8081".to_owned()]), number(1));
        println!("told: {error}");
        return;
    }
    let proxy = StandIn::start();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "--nocapture",
        "failing::a_proxy_of_the_environment_is_used_and_named",
    ]);
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let address = format!("http://me:hunter2@127.0.0.1:{}", proxy.port());
    let output = command
        .env(BEHIND, "1")
        .env("HTTP_PROXY", address)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let named = format!("(by the proxy 127.0.0.1:{})", proxy.port());
    assert!(output.status.success() && told.contains(&named), "{output:?}");
    assert!(!told.contains("hunter2"), "{told}");
    assert_eq!(proxy.targets(), ["registry.invalid:8081"]);
}
