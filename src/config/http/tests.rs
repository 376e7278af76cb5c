//! Settings of connections by HTTP: addresses, logins and mistakes.

use super::*;
use crate::config::tests::load_text;
use crate::config::{Overrides, Settings};
use std::os::unix::fs::PermissionsExt;

const URL: &str = "LAKECTL_SCHEMA_REGISTRY_URL";
const PASSWORD: &str = "LAKECTL_SCHEMA_REGISTRY_PASSWORD";
const CANARY: &str = "hunter2canary";

fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings> {
    load_text(text, env, &Overrides::default())
}

fn registry(lines: &str, env: &[(&str, &str)]) -> Result<Option<HttpSettings>> {
    Ok(load(&format!("[schema_registry]\n{lines}"), env)?.registry)
}

fn fails(lines: &str, env: &[(&str, &str)]) -> String {
    let error = registry(lines, env).unwrap_err();
    assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE, "{error:#}");
    let told = format!("{error:#} {error:?}");
    assert!(!told.contains(CANARY), "{told}");
    format!("{error:#}")
}

/// A file with such text that only its owner reads.
fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

#[test]
fn a_registry_is_configured_by_its_url() {
    assert!(registry("timeout = \"3s\"\n", &[]).unwrap().is_none());
    assert!(load("", &[(URL, "")]).unwrap().registry.is_none());
    let settings = registry("url = \"https://a:8081/, http://b/apis/ccompat/v7\"\n", &[]);
    let settings = settings.unwrap().unwrap();
    assert_eq!(settings.urls, ["https://a:8081", "http://b/apis/ccompat/v7"]);
    assert_eq!(
        (settings.login, settings.timeout),
        (None, Duration::from_secs(10))
    );
    let from_env = load(
        "[schema_registry]\nurl = \"http://file\"\n",
        &[(URL, "http://env")],
    );
    assert_eq!(from_env.unwrap().registry.unwrap().urls, ["http://env"]);
}

#[test]
fn secrets_stay_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let password = file(dir.path(), "password", &format!("{CANARY}\n"));
    let url = "url = \"http://a\"\n";
    let header = format!("headers = {{ \"x-key\" = \"{CANARY}\" }}\n");
    let user = format!("{url}{header}user = \"me\"\n");
    let basic = |password: &str| {
        Some(HttpLogin::Basic {
            user: "me".to_owned(),
            password: Secret::new(password),
        })
    };
    let by_file = registry(&format!("{user}password_file = \"{password}\"\n"), &[])
        .unwrap()
        .unwrap();
    assert_eq!(by_file.login, basic(CANARY));
    assert_eq!(by_file.headers[0].1.reveal(), CANARY);
    let other = [(PASSWORD, "hunter2canary2")];
    let by_env = registry(&format!("{user}password_file = \"{password}\"\n"), &other)
        .unwrap()
        .unwrap();
    assert_eq!(by_env.login, basic("hunter2canary2"));
    let by_token = registry(&format!("{url}token_file = \"{password}\"\n"), &[])
        .unwrap()
        .unwrap();
    assert_eq!(by_token.login, Some(HttpLogin::Bearer(Secret::new(CANARY))));
    for settings in [by_file, by_env, by_token] {
        let shown = format!("{settings:?}");
        assert!(!shown.contains(CANARY) && shown.contains("***"), "{shown}");
    }
}

#[test]
fn a_url_is_an_address_and_nothing_else() {
    for (url, told) in [
        (format!("https://me:{CANARY}@a:8081"), "password_file"),
        (format!("https://{CANARY}@a:8081"), "password_file"),
        (format!("a:8081/{CANARY}"), "http://"),
        (format!("ftp://a/{CANARY}"), "http://"),
        (format!("http://a, me:{CANARY}@b"), "http://"),
        (format!("http://a?token={CANARY}"), "has a query"),
        (format!("http://a/#{CANARY}"), "has a query"),
        ("http://a,".to_owned(), "http://"),
        ("http://:80".to_owned(), "http://"),
        (String::new(), "http://"),
    ] {
        let error = fails(&format!("url = \"{url}\"\n"), &[]);
        assert!(
            error.contains("schema_registry.url ") && error.contains(told),
            "{error}"
        );
        if !url.is_empty() {
            let error = format!("{:#}", load("", &[(URL, &url)]).unwrap_err());
            assert!(
                error.contains(URL) && error.contains(told) && !error.contains(CANARY),
                "{error}"
            );
        }
    }
}

#[test]
fn half_a_login_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let token = file(dir.path(), "token", CANARY);
    let lines = file(dir.path(), "lines", &format!("{CANARY}\n{CANARY}\n"));
    let empty = file(dir.path(), "empty", "\n");
    let password = [(PASSWORD, CANARY)];
    for (lines, env, told) in [
        ("user = \"me\"".to_owned(), &[][..], "password_file"),
        (
            format!("password_file = \"{token}\""),
            &[],
            "schema_registry.user",
        ),
        (String::new(), &password, "schema_registry.user"),
        (
            format!("user = \"me:{CANARY}\"\npassword_file = \"{token}\""),
            &[],
            "colon",
        ),
        (
            format!("user = \"me\"\ntoken_file = \"{token}\""),
            &[],
            "leave one of them out",
        ),
        (
            format!("token_file = \"{token}\""),
            &password,
            "leave one of them out",
        ),
        (
            format!("token_file = \"{token}\"\npassword_file = \"{token}\""),
            &[],
            "leave one of them out",
        ),
        (format!("token_file = \"{lines}\""), &[], "on one line"),
        (format!("token_file = \"{empty}\""), &[], "does not hold a token"),
        (
            "token_file = \"/nowhere\"".to_owned(),
            &[],
            "schema_registry.token_file",
        ),
        (
            format!("headers = {{ Authorization = \"{CANARY}\" }}"),
            &[],
            "token_file",
        ),
        (
            format!("headers = {{ \"a b\" = \"{CANARY}\" }}"),
            &[],
            "not the name of a header",
        ),
        (format!("headers = {{ a = \"{CANARY}\\n\" }}"), &[], "can't hold"),
        (format!("headers = \"{CANARY}\""), &[], "expected a table"),
        ("timeout = \"0s\"".to_owned(), &[], "schema_registry.timeout"),
        ("timeout = \"10\"".to_owned(), &[], "schema_registry.timeout"),
    ] {
        let error = fails(&format!("url = \"http://a\"\n{lines}\n"), env);
        assert!(error.contains(told), "{told}: {error}");
    }
}

#[test]
fn certificates_come_with_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    let pem = file(dir.path(), "pem", CANARY);
    let open = file(dir.path(), "open", CANARY);
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let https = "url = \"https://a\"\n";
    for (lines, told) in [
        (
            format!("{https}tls_cert_file = \"{pem}\""),
            "not schema_registry.tls_key_file",
        ),
        (
            format!("{https}tls_key_file = \"{pem}\""),
            "not schema_registry.tls_cert_file",
        ),
        (
            format!("{https}tls_ca_file = \"/nowhere\""),
            "schema_registry.tls_ca_file",
        ),
        (
            format!("{https}tls_cert_file = \"{pem}\"\ntls_key_file = \"{open}\""),
            "can be read by others",
        ),
        (
            format!("url = \"http://a\"\ntls_ca_file = \"{pem}\""),
            "is not https",
        ),
    ] {
        let error = fails(&lines, &[]);
        assert!(error.contains(told), "{told}: {error}");
    }
    let all =
        format!("{https}tls_ca_file = \"{open}\"\ntls_cert_file = \"{open}\"\ntls_key_file = \"{pem}\"");
    let settings = registry(&all, &[]).unwrap().unwrap();
    assert_eq!(settings.identity.as_ref().unwrap().key.text.reveal(), CANARY);
    assert!(settings.ca.is_some() && !format!("{settings:?}").contains(CANARY));
}
