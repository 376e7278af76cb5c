//! The settings of the MySQL connection: URL, password, TLS.

use anyhow::{Context, Result};
use mysql::{Opts, OptsBuilder, SslOpts};
use serde::Deserialize;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Env, Overrides, Secret, file, secret};
use crate::exit::usage;
use crate::problem::Problem;
use crate::stop::Stop;

/// Whether the connection is encrypted; when it is, the certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    Required,
    Off,
}

/// A MySQL database and how to log in.
#[derive(Clone)]
pub struct Database {
    /// Without a password.
    opts: Opts,
    pub name: String,
    password: Option<Secret>,
    tls: bool,
    ca_file: Option<PathBuf>,
    stop: Stop,
}

impl Database {
    /// The database, for a command that needs one.
    ///
    /// # Errors
    /// None is configured: exit code 2.
    pub fn configured(database: Option<&Database>) -> Result<&Database> {
        database.ok_or_else(|| {
            Problem::usage("no warehouse is configured")
                .fix("set warehouse.url, LAKECTL_WAREHOUSE_URL or --url (mysql://user@host:3306/database)")
                .into()
        })
    }

    /// The same; nobody waits long for a connection once a signal has come.
    pub(crate) fn stopped_by(self, stop: &Stop) -> Database {
        Database {
            stop: stop.clone(),
            ..self
        }
    }

    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Options of a connection to the database itself.
    pub fn opts(&self) -> OptsBuilder {
        self.server_opts().db_name(Some(&self.name))
    }

    /// Options of a connection to the server, where the database may still be missing.
    pub fn server_opts(&self) -> OptsBuilder {
        let mut ssl = SslOpts::default();
        if let Some(file) = &self.ca_file {
            ssl = ssl.with_root_cert_path(Some(file.clone()));
        }
        OptsBuilder::from_opts(self.opts.clone())
            .db_name(None::<String>)
            .pass(self.password.as_ref().map(Secret::reveal))
            .ssl_opts(self.tls.then_some(ssl))
            // The driver prefers a socket by default, but our progress must go where the URL says.
            .prefer_socket(false)
    }

    /// The URL for messages, without the password: `mysql://user@host:port/database`.
    pub fn shown(&self) -> String {
        let user = self.opts.get_user().unwrap_or_default();
        let place = match self.opts.get_socket() {
            Some(socket) => socket.to_owned(),
            None => format!("{}:{}", self.opts.get_ip_or_hostname(), self.opts.get_tcp_port()),
        };
        format!("mysql://{user}@{place}/{}", self.name)
    }

    /// Whether the connection uses TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls
    }

    pub fn user(&self) -> &str {
        self.opts.get_user().unwrap_or_default()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

pub(super) fn from_file(
    file: &file::WarehouseSection,
    path: Option<&Path>,
    folder: &Path,
    overrides: &Overrides,
    env: Env<'_>,
) -> Result<Option<Database>> {
    let (url, source) = match (&overrides.url, env("LAKECTL_WAREHOUSE_URL"), &file.url) {
        (Some(url), _, _) => (url.clone(), "--url"),
        (None, Some(url), _) => (url, "LAKECTL_WAREHOUSE_URL"),
        (None, None, Some(url)) => (url.clone(), "warehouse.url"),
        (None, None, None) => return Ok(None),
    };
    // The parser's own message may repeat the URL, and a password in it.
    let opts = Opts::from_url(&url).map_err(|_| {
        Problem::usage(format!("{source} is not a MySQL URL"))
            .fix("write it like mysql://user@host:3306/database")
    })?;
    let in_url = opts.get_pass().map(Secret::new);
    if in_url.is_some() {
        check_password_place(source, path)?;
    }
    let password = match (env("LAKECTL_WAREHOUSE_PASSWORD"), in_url, &file.password_file) {
        (Some(password), _, _) => Some(Secret::new(password)),
        (None, Some(password), _) => Some(password),
        (None, None, Some(path)) => Some(secret::read(&folder.join(path), "warehouse.password_file")?),
        (None, None, None) => None,
    };
    let name = opts.get_db_name().unwrap_or_default().to_owned();
    if name.is_empty() {
        return Problem::usage(format!("{source} names no database"))
            .fix("write it like mysql://user@host:3306/DATABASE")
            .err();
    }
    let ca_file = file.tls_ca_file.as_ref().map(|path| folder.join(path));
    if let Some(path) = &ca_file {
        // The driver would only say that there is no such file, not which.
        std::fs::File::open(path).map_err(|e| {
            usage(format!(
                "warehouse.tls_ca_file: cannot read {}: {e}",
                path.display()
            ))
        })?;
    }
    Ok(Some(Database {
        tls: tls(file, &opts)?,
        ca_file,
        stop: Stop::default(),
        opts: OptsBuilder::from_opts(opts).pass(None::<String>).into(),
        name,
        password,
    }))
}

fn check_password_place(source: &str, path: Option<&Path>) -> Result<()> {
    if source == "--url" {
        return Problem::usage(
            "--url holds a password: secrets don't belong on a command line, where everyone can see them",
        )
        .fix("use warehouse.password_file or LAKECTL_WAREHOUSE_PASSWORD")
        .err();
    }
    if let (Some(path), "warehouse.url") = (path, source) {
        let mode = std::fs::metadata(path)
            .with_context(|| path.display().to_string())?
            .mode();
        if mode & 0o007 != 0 {
            let shown = path.display();
            return Problem::usage(format!(
                "warehouse.url holds a password and others can read {shown}"
            ))
            .fix(format!("run: chmod o-rwx {shown}"))
            .err();
        }
    }
    Ok(())
}

/// Whether to encrypt. Nobody can listen to a connection within one machine; beyond it TLS is the default.
fn tls(file: &file::WarehouseSection, opts: &Opts) -> Result<bool> {
    let host = opts.get_ip_or_hostname();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let local = opts.get_socket().is_some()
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match file.tls {
        Some(TlsMode::Off) if file.tls_ca_file.is_some() => {
            Problem::usage("warehouse.tls_ca_file is given, but warehouse.tls is \"off\"")
                .fix("leave one of them out")
                .err()
        }
        Some(mode) => Ok(mode == TlsMode::Required),
        None => Ok(!local || file.tls_ca_file.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load_text;
    use super::*;

    fn database(text: &str, env: &[(&str, &str)], url: Option<&str>) -> Result<Database> {
        let overrides = Overrides {
            url: url.map(str::to_owned),
            ..Overrides::default()
        };
        Ok(load_text(text, env, &overrides)?.database.unwrap())
    }

    #[test]
    fn a_password_in_the_flag_is_refused_and_never_shown() {
        let error = database("", &[], Some("mysql://u:hunter2@localhost/d")).unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"));
        assert!(format!("{error:#}").contains("LAKECTL_WAREHOUSE_PASSWORD"));
        let error = database("", &[], Some("mysql://u:hunter2@localhost/d?nope=1")).unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"));
    }

    #[test]
    fn a_password_from_the_environment_stays_hidden() {
        let env = [
            ("LAKECTL_WAREHOUSE_URL", "mysql://u@127.0.0.1:3307/d"),
            ("LAKECTL_WAREHOUSE_PASSWORD", "hunter2"),
        ];
        let database = database("", &env, None).unwrap();
        assert_eq!(format!("{database:?}"), "mysql://u@127.0.0.1:3307/d");
        assert_eq!(Opts::from(database.opts()).get_pass(), Some("hunter2"));
    }

    #[test]
    fn tls_is_the_default_beyond_this_machine() {
        let tls = |url| database("", &[], Some(url)).unwrap().tls;
        assert!(!tls("mysql://u@localhost/d") && !tls("mysql://u@127.0.0.1/d") && !tls("mysql://u@[::1]/d"));
        assert!(tls("mysql://u@db.example.org/d"));
        let off = "[warehouse]\ntls = \"off\"\n";
        assert!(
            !database(off, &[], Some("mysql://u@db.example.org/d"))
                .unwrap()
                .tls
        );
    }

    #[test]
    fn a_url_names_a_database() {
        assert!(
            format!(
                "{:#}",
                database("", &[], Some("mysql://u@localhost")).unwrap_err()
            )
            .contains("DATABASE")
        );
    }
}
