//! Who we are, told to the registry and to nobody else.

use crate::common::registry::{Reply, StandIn};
use crate::place::{fails, known, number, registry, secret_file, settings};
use base64::prelude::{BASE64_STANDARD, Engine};
use lakectl::decode::registry::Registry;
use serde_json::{Value, json};

const CANARY: &str = "hunter2-canary";

/// Lines that log in to this server by a password, and by a token.
fn logins(folder: &std::path::Path, urls: &str) -> [String; 2] {
    let file = secret_file(folder, "secret", &format!("{CANARY}\n"));
    let basic = format!("url = \"{urls}\"\nuser = \"me\"\npassword_file = \"{file}\"");
    [
        basic,
        format!(
            "url = \"{urls}\"\ntoken_file = \"{file}\"\nheaders = {{ target-sr-cluster = \"lsrc-1\", X-Secret = \"{CANARY}3\" }}"
        ),
    ]
}

fn sent() -> [String; 2] {
    let basic = BASE64_STANDARD.encode(format!("me:{CANARY}"));
    [format!("Basic {basic}"), format!("Bearer {CANARY}")]
}

#[test]
fn login_and_headers_are_sent_with_each_request() {
    let dir = tempfile::tempdir().unwrap();
    for (lines, authorization) in [0, 1].map(|at| (at, sent()[at].clone())) {
        let server = StandIn::start();
        server.has_schema(
            1,
            "x",
            &json!({"references": [{"name": "a", "subject": "A", "version": 1}]}),
        );
        server.has_version("A", 1, "a", &Value::Null);
        let registry = registry(&logins(dir.path(), &server.url())[lines]);
        known(&registry, number(1));
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        for asked in asked {
            assert_eq!(asked.header("authorization"), [&authorization]);
            let more: &[&str] = if lines == 1 { &["lsrc-1"] } else { &[] };
            assert_eq!(asked.header("target-sr-cluster"), more);
        }
    }
}

#[test]
fn no_other_server_sees_them() {
    let dir = tempfile::tempdir().unwrap();
    for at in 0..2 {
        let (server, other) = (StandIn::start(), StandIn::start());
        other.has_schema(1, "x", &Value::Null);
        let location = format!("{}/schemas/ids/1", other.url());
        server.answers(
            "/schemas/ids/1",
            [Reply::http(307, &[("location", &location)], b"")],
        );
        let error = fails(&registry(&logins(dir.path(), &server.url())[at]), number(1));
        assert!(error.contains("it redirects to http://127.0.0.1; "), "{error}");
        assert!(other.asked().is_empty());
    }
}

#[test]
fn secrets_are_never_shown_even_if_the_registry_repeats_them() {
    let dir = tempfile::tempdir().unwrap();
    for (at, sent) in sent().iter().enumerate() {
        let said = format!("{sent} of {CANARY} and {CANARY}3");
        for (status, code) in [
            (401, 40101),
            (403, 40301),
            (404, 40403),
            (404, 40401),
            (404, 0),
            (503, 1),
            (200, 0),
        ] {
            let server = StandIn::start();
            let reply = if status == 200 {
                Reply::json(200, &json!({"schema": {"x": said}, "schemaType": said}))
            } else {
                Reply::error(status, code, &said)
            };
            server.answers("/schemas/ids/1", [reply]);
            server.has_schema(2, "x", &json!({"schemaType": said}));
            let settings = settings(&logins(dir.path(), &server.url())[at]).unwrap();
            let registry = Registry::new(Some(&settings)).unwrap();
            let encoded = BASE64_STANDARD.encode(format!("me:{CANARY}"));
            let shown = format!(
                "{settings:?} {registry:?} {:?} {:?}",
                registry.schema(number(1)),
                registry.schema(number(2))
            );
            assert!(!shown.contains(CANARY) && !shown.contains(&encoded), "{shown}");
            assert!(shown.contains("***") && shown.contains(&server.url()), "{shown}");
            // All that was learnt by then is shown too.
            assert!(!format!("{registry:?}").contains(CANARY));
        }
    }
}

#[test]
fn a_refused_login_names_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let server = StandIn::start();
    let [basic, bearer] = logins(dir.path(), &server.url());
    let none = format!("url = \"{}\"", server.url());
    for (lines, status, told) in [
        (&basic, 401, "; check schema_registry.user and its password"),
        (&bearer, 401, "; check schema_registry.token_file"),
        (
            &none,
            401,
            "; write schema_registry.user with password_file, or token_file",
        ),
        (&basic, 403, "; let schema_registry.user read"),
        (&bearer, 403, "; let the owner of schema_registry.token_file read"),
    ] {
        // Gateways often send no body.
        server.answers("/schemas/ids/1", [Reply::http(status, &[], b"")]);
        let error = fails(&registry(lines), number(1));
        assert!(
            error.contains(&format!("HTTP {status}")) && error.contains(told),
            "{error}"
        );
    }
}
