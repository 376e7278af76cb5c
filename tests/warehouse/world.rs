//! A warehouse of one test: its database, its configuration, its runs, and what stands in its tables.

use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder, Value as Sql};
use std::fmt::Write;
use std::path::Path;
use tempfile::TempDir;

use crate::common::account::{self, Account};
use crate::common::kafka::{Topic, brokers};
use crate::common::lake::check_report;
use crate::common::program::{self, Run, Running};
use crate::common::{HOW, service, unique};

/// A row's columns as MySQL writes them.
pub type Row = Vec<Option<String>>;

/// The database goes at the end, but stays for a look where the test panics.
pub struct Warehouse {
    dir: TempDir,
    pub database: String,
    pub group: String,
    pub address: String,
    /// Whom lakectl logs in as: an account with the documented rights.
    pub user: String,
    pub password: String,
    /// Whom the test logs in as: the administrator that the environment names.
    administrator: OptsBuilder,
    /// More lines of the `[kafka]` section.
    pub kafka: &'static str,
    topics: String,
    admin: Conn,
}

impl Warehouse {
    /// With the schema of `lakectl init-db`.
    pub fn new() -> Warehouse {
        let warehouse = Warehouse::without_database();
        warehouse.lakectl(&["init-db"]).expect(0);
        warehouse
    }

    /// The same on MariaDB.
    pub fn on_mariadb() -> Warehouse {
        let password = service("LAKECTL_TEST_MARIADB_PASSWORD");
        let warehouse = Warehouse::on_server(&service("LAKECTL_TEST_MARIADB_URL"), password);
        warehouse.lakectl(&["init-db"]).expect(0);
        warehouse
    }

    /// Whose database nobody has made.
    pub fn without_database() -> Warehouse {
        let url = service("LAKECTL_WAREHOUSE_URL");
        Warehouse::on_server(&url, service("LAKECTL_WAREHOUSE_PASSWORD"))
    }

    /// On another server than the environment's, without a database.
    pub fn on_server(url: &str, password: String) -> Warehouse {
        let opts = Opts::from_url(url).unwrap();
        let address = format!("{}:{}", opts.get_ip_or_hostname(), opts.get_tcp_port());
        let administrator = OptsBuilder::from_opts(opts)
            .pass(Some(&password))
            .prefer_socket(false)
            .db_name(None::<String>);
        let mut admin = Conn::new(administrator.clone())
            .unwrap_or_else(|error| panic!("no MySQL answers ({error}): {HOW}"));
        let database = unique("lakectl_outside").replace('.', "_");
        let Account { user, password } = Account::on(&mut admin, &database);
        Warehouse {
            dir: tempfile::tempdir().unwrap(),
            database,
            group: unique("group"),
            address,
            user,
            password,
            administrator,
            kafka: "",
            topics: String::new(),
            admin,
        }
    }

    /// Product counts of one topic, in the table that init-db makes for them.
    pub fn of_counts(topic: &Topic) -> Warehouse {
        Warehouse::new().counts(topic)
    }

    pub fn counts(self, topic: &Topic) -> Warehouse {
        self.table(topic, "product_purchase_counts", "product_id")
    }

    /// Configures a topic whose key is one column.
    pub fn table(mut self, topic: &Topic, table: &str, column: &str) -> Warehouse {
        writeln!(
            self.topics,
            "[topics.{:?}]\nkind = \"table\"\nkey = {{ format = \"string\", columns = [{column:?}] }}\n\
             warehouse.table = {table:?}",
            topic.name
        )
        .unwrap();
        self
    }

    pub fn stream(mut self, topic: &Topic) -> Warehouse {
        writeln!(self.topics, "[topics.{:?}]\nkind = \"stream\"", topic.name).unwrap();
        self
    }

    /// Changes all topics.
    pub fn set_topics(&mut self, entries: &str) {
        self.topics = entries.to_owned();
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn url(&self) -> String {
        format!("mysql://{}@{}/{}", self.user, self.address, self.database)
    }

    /// Without its `[warehouse]` section: that is the environment's.
    fn config(&self) -> String {
        format!(
            "[kafka]\nbrokers = {:?}\ngroup = {:?}\n{}\n{}",
            brokers(),
            self.group,
            self.kafka,
            self.topics
        )
    }

    /// Writes the configuration, unless it stands there: another run may be about to read it.
    pub fn configure(&self) {
        let (path, config) = (self.folder().join("lakectl.toml"), self.config());
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&config) {
            std::fs::write(&path, &config).unwrap();
        }
    }

    /// Starts `lakectl` with these arguments and more environment.
    pub fn start_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Running {
        self.configure();
        let url = self.url();
        let own = [
            ("LAKECTL_WAREHOUSE_URL", url.as_str()),
            ("LAKECTL_WAREHOUSE_PASSWORD", &self.password),
        ];
        program::start(self.folder(), arguments, &[&own, env].concat())
    }

    pub fn lakectl(&self, arguments: &[&str]) -> Run {
        self.start_with(arguments, &[]).wait()
    }

    /// Starts `lakectl warehouse --json`.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(&[&["warehouse", "--json"], arguments].concat(), &[])
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let run = self.start(arguments).wait();
        check_report(&run.report(), "warehouse", run.code);
        run
    }

    /// Runs, and gives the report back; the exit code must be 0.
    pub fn drain(&self) -> serde_json::Value {
        self.run(&[]).expect(0).report()
    }

    /// The one topic of a run that must end with this exit code.
    pub fn one(&self, arguments: &[&str], code: i32) -> serde_json::Value {
        let report = self.run(arguments).expect(code).report();
        assert_eq!(report["topics"].as_array().unwrap().len(), 1, "{report}");
        report["topics"][0].clone()
    }

    /// What the group has committed for a topic: Kafka partition and offset.
    pub fn mirrored(&self, topic: &Topic) -> Vec<(i32, i64)> {
        topic.committed(&format!("{}.warehouse", self.group))
    }

    /// The administrator's session on the database, in UTC.
    pub fn session(&self) -> Conn {
        let opts = self.administrator.clone().db_name(Some(&self.database));
        Conn::new(opts.init(vec!["SET time_zone = '+00:00'"])).unwrap()
    }

    pub fn execute(&self, sql: &str) {
        self.session().query_drop(sql).unwrap();
    }

    pub fn query(&self, sql: &str) -> Vec<Row> {
        query(&mut self.session(), sql)
    }

    /// The one value that a query gives.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.query(sql);
        let [row] = &rows[..] else {
            panic!("{sql}: {rows:?}")
        };
        row[0].clone().unwrap()
    }

    pub fn exists(&mut self) -> bool {
        let found: Option<String> = self
            .admin
            .exec_first(
                "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?",
                (&self.database,),
            )
            .unwrap();
        found.is_some()
    }
}

impl Drop for Warehouse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("database {} is kept", self.database);
        } else {
            account::drop_database(&mut self.admin, &self.database);
        }
    }
}

/// All rows as text.
pub fn query(conn: &mut Conn, sql: &str) -> Vec<Row> {
    let rows: Vec<mysql::Row> = conn.query(sql).unwrap();
    let text = |value: Sql| match value {
        Sql::NULL => None,
        Sql::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
        other => panic!("{other:?} in the text protocol"),
    };
    rows.into_iter()
        .map(|row| row.unwrap().into_iter().map(text).collect())
        .collect()
}
