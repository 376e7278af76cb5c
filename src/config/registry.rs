//! The settings of the connection to a schema registry: addresses, login, TLS.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::file::RegistrySection;
use super::{Env, Secret, secret, units};
use crate::exit::usage;
use crate::problem::Problem;

const URL: &str = "LAKECTL_SCHEMA_REGISTRY_URL";
const PASSWORD: &str = "LAKECTL_SCHEMA_REGISTRY_PASSWORD";

/// A schema registry and how to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    /// At least one, in the order in which they are asked; without a slash at the end, and without secrets.
    pub urls: Vec<String>,
    pub login: Option<RegistryLogin>,
    /// More headers of each request. Any may be a secret.
    pub headers: Vec<(String, Secret)>,
    /// The only CAs that count; None: those of the system.
    pub ca: Option<PemFile>,
    /// Who we are, for registries that ask for a certificate.
    pub identity: Option<ClientIdentity>,
    /// How long an answer may take.
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryLogin {
    Basic { user: String, password: Secret },
    Bearer(Secret),
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    pub certificate: PemFile,
    pub key: PemFile,
}

/// A file in PEM's format. Keys are secrets, so all are treated as secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemFile {
    /// The setting that names it.
    pub setting: &'static str,
    pub path: PathBuf,
    pub text: Secret,
}

impl PemFile {
    /// A problem of this file.
    pub fn problem(&self, what: &str) -> Problem {
        Problem::usage(format!("{}: {} {what}", self.setting, self.path.display()))
    }
}

pub(super) fn from_file(
    file: &RegistrySection,
    folder: &Path,
    env: Env<'_>,
) -> Result<Option<RegistrySettings>> {
    let from_env = env(URL).filter(|url| !url.is_empty());
    let (url, source) = match (&from_env, &file.url) {
        (Some(url), _) => (url, URL),
        (None, Some(url)) => (url, "schema_registry.url"),
        (None, None) => return Ok(None),
    };
    let settings = RegistrySettings {
        urls: urls(url, source)?,
        login: login(file, folder, env)?,
        headers: headers(file)?,
        ca: public(file.tls_ca_file.as_deref(), folder, "schema_registry.tls_ca_file")?,
        identity: identity(file, folder)?,
        timeout: timeout(file)?,
    };
    let is_plain = settings.urls.iter().all(|url| url.starts_with("http://"));
    if is_plain && (settings.ca.is_some() || settings.identity.is_some()) {
        return Problem::usage(format!(
            "schema_registry.tls_… is given, but {source} is not https"
        ))
        .fix("write https://, or leave tls_… out")
        .err();
    }
    Ok(Some(settings))
}

fn urls(list: &str, source: &str) -> Result<Vec<String>> {
    let urls: Vec<&str> = list.split(',').map(str::trim).collect();
    urls.iter().map(|text| url(text, source)).collect()
}

/// Checks an address. It is never repeated: there may be a password in it.
fn url(text: &str, source: &str) -> Result<String> {
    const LIKE: &str = "write it like https://registry:8081";
    let parsed: Option<Uri> = text.parse().ok();
    let scheme = |uri: &Uri| uri.scheme_str().map(str::to_ascii_lowercase);
    let http = parsed.filter(|uri| {
        matches!(scheme(uri).as_deref(), Some("http" | "https")) && uri.host().is_some_and(|h| !h.is_empty())
    });
    let uri = http.ok_or_else(|| {
        Problem::usage(format!("{source} is not an address by http:// or https://")).fix(LIKE)
    })?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Problem::usage(format!("{source} holds a user or a password"))
            .fix(format!(
                "write schema_registry.user, and password_file or {PASSWORD}"
            ))
            .err();
    }
    if text.contains(['?', '#']) {
        return Problem::usage(format!("{source} has a query"))
            .fix(format!(
                "{LIKE}, with a path if need be; what a gateway wants goes into schema_registry.headers"
            ))
            .err();
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn login(file: &RegistrySection, folder: &Path, env: Env<'_>) -> Result<Option<RegistryLogin>> {
    let from_env = env(PASSWORD).map(Secret::new);
    let password = match (&from_env, &file.password_file) {
        (Some(_), _) => Some(PASSWORD),
        (None, Some(_)) => Some("schema_registry.password_file"),
        (None, None) => None,
    };
    let login = match (&file.token_file, &file.user, password) {
        (Some(_), Some(_), _) => {
            return both("schema_registry.token_file", "schema_registry.user");
        }
        (Some(_), None, Some(password)) => return both("schema_registry.token_file", password),
        (Some(path), None, None) => RegistryLogin::Bearer(token(&folder.join(path))?),
        (None, None, Some(password)) => {
            return Problem::usage(format!("{password} is given, but no schema_registry.user"))
                .fix("write the user whose password it is")
                .err();
        }
        (None, Some(_), None) => {
            return Problem::usage("schema_registry.user is given, but no password")
                .fix(format!("write schema_registry.password_file, or set {PASSWORD}"))
                .err();
        }
        (None, Some(user), Some(_)) => {
            if user.contains(':') {
                return Problem::usage("schema_registry.user: no user's name can hold a colon")
                    .fix("write its password into schema_registry.password_file")
                    .err();
            }
            let from_file = || match &file.password_file {
                Some(path) => secret::read(&folder.join(path), "schema_registry.password_file"),
                None => Ok(Secret::new("")),
            };
            RegistryLogin::Basic {
                user: user.clone(),
                password: from_env.map_or_else(from_file, Ok)?,
            }
        }
        (None, None, None) => return Ok(None),
    };
    Ok(Some(login))
}

fn both<T>(one: &str, other: &str) -> Result<T> {
    Problem::usage(format!("{one} and {other} are two ways to log in"))
        .fix("leave one of them out")
        .err()
}

fn token(path: &Path) -> Result<Secret> {
    const SETTING: &str = "schema_registry.token_file";
    let token = secret::read(path, SETTING)?;
    let is_plain = |byte: u8| byte.is_ascii_graphic();
    if token.reveal().is_empty() || !token.reveal().bytes().all(is_plain) {
        return Problem::usage(format!("{SETTING}: {} does not hold a token", path.display()))
            .fix("write the token there, alone and on one line")
            .err();
    }
    Ok(token)
}

/// Headers that the login or the request itself sets, and what to do instead.
const REFUSED: [(&str, &str); 7] = [
    (
        "authorization",
        "write schema_registry.user and password_file, or token_file",
    ),
    ("accept", "leave it out"),
    ("accept-encoding", "leave it out"),
    ("connection", "leave it out"),
    ("content-length", "leave it out"),
    ("host", "write the name in schema_registry.url"),
    ("transfer-encoding", "leave it out"),
];

fn headers(file: &RegistrySection) -> Result<Vec<(String, Secret)>> {
    let header = |(name, value): (&String, &Secret)| {
        let shown = format!("schema_registry.headers.\"{}\"", name.escape_debug());
        let refused = |(refused, _): &&(&str, &str)| name.eq_ignore_ascii_case(refused);
        if let Some((_, fix)) = REFUSED.iter().find(refused) {
            return Problem::usage(format!("{shown} can't be set")).fix(*fix).err();
        }
        if name.parse::<HeaderName>().is_err() {
            return Err(usage(format!("{shown} is not the name of a header")));
        }
        if HeaderValue::from_str(value.reveal()).is_err() {
            return Err(usage(format!("{shown} has characters that a header can't hold")));
        }
        Ok((name.clone(), value.clone()))
    };
    file.headers.iter().map(header).collect()
}

fn identity(file: &RegistrySection, folder: &Path) -> Result<Option<ClientIdentity>> {
    let lacks = |given: &str, lacking: &str| {
        Problem::usage(format!(
            "schema_registry.{given} is given, but not schema_registry.{lacking}"
        ))
        .fix("a certificate of ours needs its key: write both, or neither")
        .err()
    };
    match (&file.tls_cert_file, &file.tls_key_file) {
        (None, None) => Ok(None),
        (Some(_), None) => lacks("tls_cert_file", "tls_key_file"),
        (None, Some(_)) => lacks("tls_key_file", "tls_cert_file"),
        (certificate, Some(key)) => {
            let setting = "schema_registry.tls_key_file";
            let path = folder.join(key);
            let text = secret::read(&path, setting)?;
            let key = PemFile { setting, path, text };
            let certificate = public(certificate.as_deref(), folder, "schema_registry.tls_cert_file")?;
            Ok(certificate.map(|certificate| ClientIdentity { certificate, key }))
        }
    }
}

/// A file that everybody may read.
fn public(path: Option<&Path>, folder: &Path, setting: &'static str) -> Result<Option<PemFile>> {
    let Some(path) = path else { return Ok(None) };
    let path = folder.join(path);
    let bytes =
        std::fs::read(&path).map_err(|e| usage(format!("{setting}: cannot read {}: {e}", path.display())))?;
    // Bundles of CAs have comments in all encodings.
    let text = Secret::new(String::from_utf8_lossy(&bytes));
    Ok(Some(PemFile { setting, path, text }))
}

fn timeout(file: &RegistrySection) -> Result<Duration> {
    let text = file.timeout.as_deref().unwrap_or("10s");
    let timeout = units::duration(text).context("schema_registry.timeout")?;
    if timeout.is_zero() {
        return Err(usage("schema_registry.timeout must be more than 0"));
    }
    Ok(timeout)
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_text;
    use super::super::{Overrides, Settings};
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const CANARY: &str = "hunter2canary";

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings> {
        load_text(text, env, &Overrides::default())
    }

    fn registry(lines: &str, env: &[(&str, &str)]) -> Result<Option<RegistrySettings>> {
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
        assert_eq!(registry("timeout = \"3s\"\n", &[]).unwrap(), None);
        assert_eq!(load("", &[(URL, "")]).unwrap().registry, None);
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
            Some(RegistryLogin::Basic {
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
        assert_eq!(by_token.login, Some(RegistryLogin::Bearer(Secret::new(CANARY))));
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
}
