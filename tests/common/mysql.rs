//! A database of its own for each test, on the real server that scripts/services starts.
#![allow(dead_code, unreachable_pub)]

use super::account::{self, Account};
use lakectl::config::{self, Kind, Overrides, Settings, Topic};
use lakectl::record::{Drained, DrainedPartition, Record};
use lakectl::report::{TargetReport, TopicReport, WarehouseReport};
use lakectl::target::Sink;
use lakectl::warehouse::{InitDbMode, TableSink, Warehouse, init_db};
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder, Row, Value};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Where a server is and how to log in to it.
#[derive(Clone)]
pub struct Service {
    url: String,
    password: String,
}

/// The MySQL of scripts/services, or the user's own.
pub fn mysql_service() -> Service {
    service("LAKECTL_WAREHOUSE_URL", "LAKECTL_WAREHOUSE_PASSWORD").unwrap_or_else(|| {
        panic!(
            "LAKECTL_WAREHOUSE_URL is not set; run: scripts/services up mysql && eval \"$(scripts/services env)\""
        )
    })
}

/// The MariaDB of scripts/services.
pub fn mariadb_service() -> Service {
    service("LAKECTL_TEST_MARIADB_URL", "LAKECTL_TEST_MARIADB_PASSWORD").unwrap_or_else(|| {
        panic!(
            "LAKECTL_TEST_MARIADB_URL is not set; run: scripts/services up mariadb && eval \"$(scripts/services env)\""
        )
    })
}

fn service(url: &str, password: &str) -> Option<Service> {
    Some(Service {
        url: std::env::var(url).ok().filter(|url| !url.is_empty())?,
        password: std::env::var(password).unwrap_or_default(),
    })
}

impl Service {
    /// The same server, to another user.
    fn of(&self, user: &str, password: &str) -> Service {
        let opts = Opts::from_url(&self.url).unwrap();
        let (host, port) = (opts.get_ip_or_hostname(), opts.get_tcp_port());
        Service {
            url: format!("mysql://{user}@{host}:{port}/x"),
            password: password.to_owned(),
        }
    }
}

/// A fresh database; dropped at the end, but kept for a look where the test panics. lakectl uses it as an account with
/// the documented rights, the test as the administrator that the environment names.
pub struct TestDatabase {
    pub name: String,
    service: Service,
    pub account: Account,
    pub settings: Settings,
    admin: Conn,
}

impl TestDatabase {
    /// With the schema of init-db and the topics of `toml`.
    pub fn new(service: &Service, toml: &str) -> TestDatabase {
        let test = TestDatabase::empty(service, toml);
        init_db(test.settings.database.as_ref(), InitDbMode::Apply).unwrap();
        test
    }

    /// Not even created.
    pub fn empty(service: &Service, toml: &str) -> TestDatabase {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "lakectl_test_{}_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed),
            chrono::Utc::now().timestamp_micros() % 1_000_000_000
        );
        let mut admin = Conn::new(options(service))
            .unwrap_or_else(|e| panic!("no MySQL answers ({e}); run: scripts/services up mysql"));
        let account = Account::on(&mut admin, &name);
        let settings = settings(&service.of(&account.user, &account.password), &name, toml, None);
        TestDatabase {
            name,
            service: service.clone(),
            account,
            settings,
            admin,
        }
    }

    /// The same database through another address, such as a proxy's.
    pub fn settings_at(&self, toml: &str, port: u16) -> Settings {
        self.settings_as_at(&self.account.user, &self.account.password, toml, port)
    }

    /// The same database as another user.
    pub fn settings_as(&self, user: &str, password: &str) -> Settings {
        self.settings_as_at(user, password, "", self.port())
    }

    /// The same database as another user, through another address.
    pub fn settings_as_at(&self, user: &str, password: &str, toml: &str, port: u16) -> Settings {
        settings(&self.service.of(user, password), &self.name, toml, Some(port))
    }

    pub fn port(&self) -> u16 {
        Opts::from_url(&self.service.url).unwrap().get_tcp_port()
    }

    pub fn topic(&self, name: &str) -> &Topic {
        &self.settings.topics[name]
    }

    pub fn warehouse(&self) -> Warehouse {
        Warehouse::connect(self.settings.database.as_ref().unwrap()).unwrap()
    }

    pub fn open(&self, topic: &str) -> TableSink {
        let sink = self.warehouse().open(self.topic(topic), Duration::ZERO).unwrap();
        sink.ours().expect("the lock is free")
    }

    pub fn open_error(&self, topic: &str) -> (u8, String) {
        let error = self
            .warehouse()
            .open(self.topic(topic), Duration::ZERO)
            .unwrap_err();
        (lakectl::exit::code_of(&error), format!("{error:#}"))
    }

    /// A session of its own on this database, in UTC.
    pub fn session(&self) -> Conn {
        let options = options(&self.service)
            .db_name(Some(&self.name))
            .init(vec!["SET time_zone = '+00:00'"]);
        Conn::new(options).unwrap()
    }

    pub fn execute(&self, sql: &str) {
        self.session().query_drop(sql).unwrap();
    }

    /// Rows as text, columns divided by `|`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&mut self.session(), sql)
    }

    pub fn one(&self, sql: &str) -> String {
        self.rows(sql).join("\n")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("database {} is kept", self.name);
        } else {
            account::drop_database(&mut self.admin, &self.name);
        }
    }
}

pub fn rows(conn: &mut Conn, sql: &str) -> Vec<String> {
    let rows: Vec<Row> = conn.query(sql).unwrap();
    let text = |value: Value| match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_sql(false),
    };
    rows.into_iter()
        .map(|row| row.unwrap().into_iter().map(text).collect::<Vec<_>>().join("|"))
        .collect()
}

fn options(service: &Service) -> OptsBuilder {
    OptsBuilder::from_opts(Opts::from_url(&service.url).unwrap())
        .pass(Some(&service.password))
        .db_name(None::<String>)
        .prefer_socket(false)
}

fn settings(service: &Service, name: &str, toml: &str, port: Option<u16>) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lakectl.toml");
    std::fs::write(&path, toml).unwrap();
    let opts = Opts::from_url(&service.url).unwrap();
    let url = format!(
        "mysql://{}@{}:{}/{name}",
        opts.get_user().unwrap_or_default(),
        opts.get_ip_or_hostname(),
        port.unwrap_or(opts.get_tcp_port())
    );
    let env = |variable: &str| match variable {
        "LAKECTL_WAREHOUSE_URL" => Some(url.clone()),
        "LAKECTL_WAREHOUSE_PASSWORD" => Some(service.password.clone()),
        _ => None,
    };
    config::load(Some(&path), &Overrides::default(), &env).unwrap()
}

pub fn record<'a>(offset: i64, key: &'a [u8], value: Option<&'a str>) -> Record<'a> {
    Record {
        partition: 0,
        offset,
        timestamp_ms: 1_761_868_799_000 + offset,
        key: Some(key),
        value: value.map(str::as_bytes),
        headers: Vec::new(),
    }
}

/// Text keys, offsets from 0.
pub fn records<'a>(pairs: &'a [(&'a str, Option<&'a str>)]) -> Vec<Record<'a>> {
    let numbered = pairs.iter().enumerate();
    numbered
        .map(|(at, (key, value))| record(at as i64, key.as_bytes(), *value))
        .collect()
}

/// All of Kafka partition 0 up to `next`.
pub fn drained(start: i64, next: i64) -> Drained {
    Drained {
        partitions: vec![DrainedPartition {
            partition: 0,
            start,
            next,
            end: next,
            read: (next - start) as u64,
        }],
        topic_id: Some("id-1".to_owned()),
        generation: 1,
        complete: true,
        planned_ms: 1_761_868_800_000,
        ..Drained::default()
    }
}

pub fn report(topic: &str) -> TopicReport {
    TopicReport::new(
        topic,
        Kind::Table,
        TargetReport::Warehouse(WarehouseReport::default()),
    )
}

/// The sink's warnings since the last call, as they are shown.
pub fn warnings(sink: &mut TableSink) -> Vec<String> {
    sink.warnings().iter().map(ToString::to_string).collect()
}

pub fn counts(report: &TopicReport) -> (u64, u64, u64) {
    match &report.target {
        TargetReport::Warehouse(warehouse) => (warehouse.upserted, warehouse.deleted, warehouse.rejected),
        other => panic!("no report of the warehouse: {other:?}"),
    }
}

/// Takes the records and commits up to the offset after the last.
pub fn load(sink: &mut TableSink, records: &[Record<'_>]) -> TopicReport {
    for record in records {
        sink.take(record).unwrap();
    }
    let start = sink.progress().next.get(&0).copied().unwrap_or(0);
    let next = records.last().map_or(start, |record| record.offset + 1);
    let mut report = report("T");
    sink.commit(&drained(start, next), &mut report).unwrap();
    report
}

/// Polls until `check` gives something.
pub fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The ids of sessions. MySQL refuses the list (3854) while another session's statement has bytes that are not text.
pub fn sessions(watcher: &mut Conn, condition: &str, values: impl Into<mysql::Params>) -> Vec<u64> {
    let sql = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE {condition}");
    let values = values.into();
    until("the list of sessions", || match watcher.exec(&sql, &values) {
        Err(mysql::Error::MySqlError(error)) if error.code == 3854 => None,
        listed => Some(listed.unwrap()),
    })
}

/// The session id and transaction id of a transaction in `database` that waits for a lock.
/// (information_schema.INNODB_TRX stays as it was while it is asked more than ten times a second.)
pub fn waiting_transaction(watcher: &mut Conn, database: &str) -> Option<(u64, u64)> {
    watcher
        .exec_first(
            "SELECT t.PROCESSLIST_ID, w.REQUESTING_ENGINE_TRANSACTION_ID FROM performance_schema.data_lock_waits AS w \
             JOIN performance_schema.threads AS t ON t.THREAD_ID = w.REQUESTING_THREAD_ID \
             WHERE t.PROCESSLIST_DB = ? LIMIT 1",
            (database,),
        )
        .unwrap()
}

/// Takes records as a run does, which decodes them first.
pub trait TakeRecords: Sink {
    fn take(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        self.take_together(std::slice::from_ref(record))
    }

    fn take_together(&mut self, records: &[Record<'_>]) -> anyhow::Result<()> {
        let mut decoder = self.decoder();
        let decoded: Vec<_> = records
            .iter()
            .map(|record| decoder.decode(record).unwrap())
            .collect();
        self.take_all(records, &decoded)
    }
}

impl TakeRecords for TableSink {}
