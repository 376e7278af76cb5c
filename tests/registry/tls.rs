//! Registries that speak TLS: certificates are verified, ours are shown.

use std::path::Path;
use std::sync::OnceLock;

use lakectl::config::PemFile;
use lakectl::decode::registry::Registry;
use lakectl::exit;
use serde_json::Value;

use crate::common::registry::{Certificates, StandIn};
use crate::place::{fails, known, number, registry, secret_file, settings};

fn certificates() -> &'static Certificates {
    static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
    CERTIFICATES.get_or_init(Certificates::make)
}

fn file(name: &str) -> String {
    certificates().file(name).display().to_string()
}

fn server(wants_client: bool) -> StandIn {
    let server = StandIn::start_tls(certificates(), wants_client);
    server.has_schema(1, "\"long\"", &Value::Null);
    server
}

fn lines(url: &str, ca: &str, more: &str) -> String {
    format!("url = \"{url}\"\ntls_ca_file = \"{}\"\n{more}", file(ca))
}

fn ours() -> String {
    format!(
        "tls_cert_file = \"{}\"\ntls_key_file = \"{}\"",
        file("client.pem"),
        file("client.key")
    )
}

#[test]
fn a_ca_of_ones_own_is_enough() {
    let server = server(false);
    let registry = registry(&lines(&server.url(), "ca.pem", ""));
    assert_eq!(known(&registry, number(1)).text, "\"long\"");
}

#[test]
fn a_certificate_of_ours_is_shown() {
    let server = server(true);
    let url = server.url();
    let error = fails(&registry(&lines(&url, "ca.pem", "")), number(1));
    assert!(error.contains("tls_cert_file"), "{error}");
    assert!(server.asked().is_empty());
    let registry = registry(&lines(&url, "ca.pem", &ours()));
    assert_eq!(known(&registry, number(1)).text, "\"long\"");
}

#[test]
fn what_can_not_be_trusted_gets_no_request() {
    let (tls, plain) = (server(false), StandIn::start());
    let localhost = tls.url().replace("127.0.0.1", "localhost");
    let to_plain = plain.url().replace("http", "https");
    let to_tls = tls.url().replace("https", "http");
    for (lines, told) in [
        (lines(&tls.url(), "stranger-ca.pem", ""), "tls_ca_file"),
        (format!("url = \"{}\"", tls.url()), "tls_ca_file"),
        (lines(&localhost, "ca.pem", ""), "as its certificate does"),
        (lines(&to_plain, "ca.pem", ""), "may speak no TLS"),
        (format!("url = \"{to_tls}\""), "https://"),
    ] {
        let error = fails(&registry(&lines), number(1));
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(tls.asked().is_empty());
}

#[test]
fn files_that_do_not_fit_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| secret_file(dir.path(), name, text);
    let text = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    let garbage = secret("garbage", "hunter2");
    let broken = secret(
        "broken",
        "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n",
    );
    let locked = secret(
        "locked",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\naHVudGVyMg==\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let odd_key = secret(
        "odd",
        "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
    );
    let url = "url = \"https://127.0.0.1:1\"\n";
    let pair = |certificate: &str, key: &str| {
        format!("{url}tls_cert_file = \"{certificate}\"\ntls_key_file = \"{key}\"")
    };
    let client = file("client.pem");
    for (lines, setting, told) in [
        (
            format!("{url}tls_ca_file = \"{garbage}\""),
            "tls_ca_file",
            "holds no certificate",
        ),
        (
            format!("{url}tls_ca_file = \"{broken}\""),
            "tls_ca_file",
            "can't be used",
        ),
        (
            pair(&garbage, &file("client.key")),
            "tls_cert_file",
            "holds no certificate",
        ),
        (
            pair(&broken, &file("client.key")),
            "tls_key_file",
            "is not a key for",
        ),
        (pair(&client, &garbage), "tls_key_file", "holds no private key"),
        (
            pair(&client, &client_key_copy(dir.path(), &text("client.pem"))),
            "tls_key_file",
            "holds no private key",
        ),
        (pair(&client, &locked), "tls_key_file", "holds no private key"),
        (pair(&client, &odd_key), "tls_key_file", "is not a key for"),
        (
            pair(&client, &file("server.key")),
            "tls_key_file",
            "is not a key for",
        ),
    ] {
        let settings = settings(&lines).unwrap();
        let error = Registry::new(Some(&settings)).unwrap_err();
        assert_eq!(exit::code_of(&error), exit::USAGE, "{error:#}");
        let error = format!("{error:#}");
        assert!(
            error.contains(&format!("schema_registry.{setting}: ")) && error.contains(told),
            "{told}: {error}"
        );
        assert!(
            !error.contains("hunter2") && !error.contains("aHVudGVyMg"),
            "{error}"
        );
    }
}

fn client_key_copy(folder: &Path, text: &str) -> String {
    secret_file(folder, "copy", text)
}

#[test]
fn a_key_without_a_line_end_is_a_key() {
    let mut settings = settings(&lines("https://127.0.0.1:1", "ca.pem", &ours())).unwrap();
    let key: &mut PemFile = &mut settings.identity.as_mut().unwrap().key;
    assert!(!key.text.reveal().ends_with('\n'));
    assert!(Registry::new(Some(&settings)).is_ok());
}
