//! What one test has: a database of its own, a lake of its own, users and accounts that nobody else has.

use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use tempfile::TempDir;

use lakectl::lake::disk::root::Root;
use lakectl::lake::ledger;

use crate::common::program::{self, Run};
use crate::common::{service, unique};

/// Two tables that init-db makes, and streams.
pub const TOPICS: &str = "[topics.A]\nkind = \"stream\"\n[topics.PRODUCT_PURCHASE_COUNTS]\nkind = \"table\"\n\
    [topics.TOTAL_PAR_TRANSACTION_TYPE]\nkind = \"table\"\n";

pub struct World {
    pub dir: TempDir,
    pub database: String,
    address: String,
    pub login: (String, String),
    pub admin: Conn,
    config: PathBuf,
}

impl World {
    /// On MySQL, with a lake.
    pub fn new() -> World {
        World::on("LAKECTL_WAREHOUSE_URL", "LAKECTL_WAREHOUSE_PASSWORD")
    }

    pub fn on(url: &str, password: &str) -> World {
        let opts = Opts::from_url(&service(url)).unwrap();
        let login = (opts.get_user().unwrap().to_owned(), service(password));
        let address = format!("{}:{}", opts.get_ip_or_hostname(), opts.get_tcp_port());
        let database = unique("lakectl_grants").replace('.', "_");
        let dir = tempfile::tempdir().unwrap();
        // Users other than root have to get to the lake.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let config = dir.path().join("lakectl.toml");
        std::fs::write(&config, format!("[lake]\nroot = \"lake\"\n{TOPICS}")).unwrap();
        let mut world = World {
            dir,
            database,
            admin: connect(&address, &login, None),
            address,
            login,
            config,
        };
        world.run(&["init-db"]).expect(0);
        let sql = format!("USE `{}`", world.database);
        world.admin.query_drop(sql).unwrap();
        ledger::open(&world.root(), chrono_tz::Tz::UTC, true).unwrap();
        world
    }

    /// The lake, as lakectl itself opens it.
    pub fn root(&self) -> Root {
        Root::open(&self.lake(), 0o640, 0o750, true).unwrap().unwrap()
    }

    pub fn lake(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    pub fn configure(&self, toml: &str) {
        std::fs::write(&self.config, toml).unwrap();
    }

    pub fn url_as(&self, user: &str) -> String {
        format!("mysql://{user}@{}/{}", self.address, self.database)
    }

    pub fn run_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Run {
        let url = self.url_as(&self.login.0);
        let mut all = vec![
            ("LAKECTL_WAREHOUSE_URL", url.as_str()),
            ("LAKECTL_WAREHOUSE_PASSWORD", &self.login.1),
        ];
        all.extend(env);
        program::start(self.dir.path(), arguments, &all).wait()
    }

    /// A session as lakectl has it.
    pub fn session(&self) -> lakectl::warehouse::Session {
        let overrides = lakectl::config::Overrides {
            url: Some(self.url_as(&self.login.0)),
            ..Default::default()
        };
        let password = |name: &str| (name == "LAKECTL_WAREHOUSE_PASSWORD").then(|| self.login.1.clone());
        let settings = lakectl::config::load(Some(&self.config), &overrides, &password).unwrap();
        lakectl::warehouse::Session::open(settings.database.as_ref().unwrap()).unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// `lakectl grant … --json`, with this exit code.
    pub fn grant(&self, arguments: &[&str], code: i32) -> Value {
        let arguments = [&["grant", "--json"], arguments].concat();
        let run = self.run(&arguments).expect(code);
        let report = run.report();
        assert_eq!(report["exit_code"], code, "{report}");
        report
    }

    pub fn set(&self, user: &str, path: &str, permission: &str) {
        self.grant(&["set", "--", user, path, permission], 0);
    }

    /// Makes folders and a file as lakectl does.
    pub fn file(&self, path: &str) {
        use std::io::Write;
        let root = self.root();
        let (folder, _) = path.rsplit_once('/').unwrap();
        root.make_dirs(folder).unwrap();
        // Staged where nothing inherits, and moved to its place, as every data file is.
        root.make_dirs(".lakectl/staging").unwrap();
        root.create(".lakectl/staging/f")
            .unwrap()
            .write_all(b"{}\n")
            .unwrap();
        let default = root.default_acl(folder).unwrap();
        if default.is_some() {
            root.inherit(".lakectl/staging/f", default.as_ref()).unwrap();
        }
        assert!(root.rename_new(".lakectl/staging/f", path).unwrap());
    }

    pub fn query(&mut self, sql: &str) -> Vec<String> {
        self.admin.query(sql).unwrap()
    }

    /// The trail in MySQL and the one in the lake: commands and details.
    pub fn trails(&mut self) -> [Vec<(String, Value)>; 2] {
        self.admin.query_drop("SET time_zone = '+00:00'").unwrap();
        let table = lakectl::audit::read_database(&mut self.admin).unwrap();
        let file = lakectl::audit::read_lake(&self.root()).unwrap();
        assert!(file.complaints().is_empty());
        [table, file.entries].map(|entries| {
            entries
                .into_iter()
                .map(|entry| (entry.command, entry.detail))
                .collect()
        })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = self
                .admin
                .query_drop(format!("DROP DATABASE IF EXISTS `{}`", self.database));
        }
    }
}

pub fn connect(address: &str, login: &(String, String), database: Option<&str>) -> Conn {
    try_connect(address, login, database)
        .unwrap_or_else(|error| panic!("no MySQL answers at {address} ({error}): {}", crate::common::HOW))
}

fn try_connect(address: &str, login: &(String, String), database: Option<&str>) -> mysql::Result<Conn> {
    let (host, port) = address.rsplit_once(':').unwrap();
    Conn::new(
        OptsBuilder::new()
            .ip_or_hostname(Some(host))
            .tcp_port(port.parse().unwrap())
            .user(Some(&login.0))
            .pass(Some(&login.1))
            .db_name(database)
            .prefer_socket(false),
    )
}

/// A user of this system, removed at the end.
pub struct Person(pub String);

static USERS: Mutex<()> = Mutex::new(());

impl Person {
    pub fn new(label: &str) -> Person {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests make users of this system: run them as root"
        );
        let name = unique(label).replace('.', "-");
        tool(
            "useradd",
            &[
                "--no-create-home",
                "--no-user-group",
                "--shell",
                "/bin/false",
                &name,
            ],
        );
        Person(name)
    }

    /// Runs a command as this user, with no group that the lake's files have.
    pub fn run(&self, command: &str, path: &Path) -> Output {
        Command::new("setpriv")
            .args([
                "--reuid",
                &self.0,
                "--regid",
                "nogroup",
                "--clear-groups",
                command,
            ])
            .arg(path)
            .current_dir("/")
            .output()
            .unwrap()
    }

    pub fn can(&self, command: &str, path: impl AsRef<Path>) -> bool {
        let output = self.run(command, path.as_ref());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() || stderr.contains("Permission denied"),
            "{command}: {stderr}"
        );
        output.status.success()
    }

    pub fn reads(&self, path: impl AsRef<Path>) -> bool {
        self.can("cat", path)
    }

    pub fn uid(&self) -> u32 {
        nix::unistd::User::from_name(&self.0)
            .unwrap()
            .unwrap()
            .uid
            .as_raw()
    }

    pub fn delete(&self) {
        tool("userdel", &[&self.0]);
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        if nix::unistd::User::from_name(&self.0).is_ok_and(|user| user.is_some()) {
            self.delete();
        }
    }
}

/// The password file is locked by one at a time, and its lock does not wait.
fn tool(name: &str, arguments: &[&str]) {
    let _one = USERS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    crate::common::poll("the lock of /etc/passwd", || {
        let output = Command::new(name).args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() || stderr.contains("lock"),
            "{name}: {stderr}"
        );
        output.status.success().then_some(())
    });
}

/// An account of MySQL, dropped at the end.
pub struct Account {
    pub name: String,
    host: &'static str,
    admin: Conn,
    address: String,
    database: String,
}

const PASSWORD: &str = "a-Password.1";

impl Account {
    pub fn new(world: &World, name: &str, host: &'static str) -> Account {
        let mut admin = connect(&world.address, &world.login, None);
        admin
            .query_drop(format!(
                "CREATE USER {}@'{host}' IDENTIFIED BY '{PASSWORD}'",
                quoted(name)
            ))
            .unwrap();
        Account {
            name: name.to_owned(),
            host,
            admin,
            address: world.address.clone(),
            database: world.database.clone(),
        }
    }

    pub fn full(&self) -> String {
        format!("{}@'{}'", quoted(&self.name), self.host)
    }

    /// Whether the account can select from a table of the test's database.
    pub fn selects(&self, table: &str) -> bool {
        let login = (self.name.clone(), PASSWORD.to_owned());
        let mut conn = connect(&self.address, &login, None);
        let sql = format!("SELECT COUNT(*) FROM `{}`.`{table}`", self.database);
        match conn.query_first::<u64, _>(sql) {
            Ok(_) => true,
            Err(mysql::Error::MySqlError(error)) if error.code == 1142 => false,
            Err(error) => panic!("{error}"),
        }
    }

    pub fn env(&self) -> [(&'static str, String); 2] {
        let url = format!("mysql://{}@{}/{}", self.name, self.address, self.database);
        [
            ("LAKECTL_WAREHOUSE_URL", url),
            ("LAKECTL_WAREHOUSE_PASSWORD", PASSWORD.to_owned()),
        ]
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let sql = format!("DROP USER IF EXISTS {}", self.full());
        let _ = self.admin.query_drop(sql);
    }
}

fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

/// A name that fits MySQL's 32 characters.
pub fn account_name(label: &str) -> String {
    unique(label).replace('.', "_")
}
