//! A lake, a database and topics of a test's own, and the binary run from outside.

use crate::account::{self, Account};
use crate::parquet;
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub const DAY_MS: i64 = 86_400_000;
/// 2025-10-29T00:00:00Z
pub const FIRST_DAY_MS: i64 = 1_761_696_000_000;

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; run: scripts/services up && eval \"$(scripts/services env)\"")
    })
}

/// A session of the administrator whom the environment names.
fn administrator() -> Conn {
    let opts = OptsBuilder::from_opts(Opts::from_url(&env("LAKECTL_WAREHOUSE_URL")).unwrap())
        .pass(std::env::var("LAKECTL_WAREHOUSE_PASSWORD").ok())
        .prefer_socket(false)
        .db_name(None::<String>);
    Conn::new(opts).unwrap_or_else(|e| panic!("no MySQL answers ({e}); run: scripts/services up mysql"))
}

pub struct World {
    dir: tempfile::TempDir,
    suffix: String,
    database: String,
    url: String,
    password: String,
    topics: RefCell<Vec<String>>,
}

pub struct Ran {
    pub code: i32,
    pub json: Value,
    /// Everything that was printed.
    pub said: String,
}

pub struct Message<'a> {
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a str>,
    pub time_ms: i64,
}

impl World {
    /// `toml` is the configuration; in it and in arguments `%` stands for what makes topics unique.
    pub fn new(toml: &str) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let dir = tempfile::tempdir().unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let micros = chrono::Utc::now().timestamp_micros() % 1_000_000_000_000;
        let suffix = format!("_{}_{number}_{micros}", std::process::id());
        let opts = Opts::from_url(&env("LAKECTL_WAREHOUSE_URL")).unwrap();
        let database = format!("lakectl_erase{suffix}");
        let Account { user, password } = Account::on(&mut administrator(), &database);
        let url = format!(
            "mysql://{user}@{}:{}/{database}",
            opts.get_ip_or_hostname(),
            opts.get_tcp_port()
        );
        let world = World {
            dir,
            suffix,
            database,
            url,
            password,
            topics: RefCell::default(),
        };
        world.configure(toml);
        world
    }

    /// Writes another configuration.
    pub fn configure(&self, toml: &str) {
        std::fs::write(
            self.dir.path().join("lakectl.toml"),
            toml.replace('%', &self.suffix),
        )
        .unwrap();
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("data_lake")
    }

    pub fn topic(&self, name: &str) -> String {
        name.replace('%', &self.suffix)
    }

    /// The administrator's session.
    pub fn mysql(&self) -> Conn {
        let mut conn = administrator();
        conn.query_drop(format!("USE `{}`", self.database)).unwrap();
        conn
    }

    pub fn rows(&self, sql: &str) -> Vec<String> {
        let rows: Vec<mysql::Row> = self.mysql().query(sql).unwrap();
        rows.into_iter()
            .map(|row| format!("{:?}", row.unwrap()))
            .collect()
    }

    pub fn count(&self, table: &str) -> u64 {
        let count: Option<u64> = self
            .mysql()
            .query_first(format!("SELECT COUNT(*) FROM {table}"))
            .unwrap();
        count.unwrap()
    }

    /// Every row of every table, as text.
    pub fn dump(&self) -> BTreeMap<String, Vec<String>> {
        let tables: Vec<String> = self.mysql().query("SHOW TABLES").unwrap();
        tables
            .into_iter()
            .map(|table| {
                let rows: Vec<mysql::Row> = self.mysql().query(format!("SELECT * FROM `{table}`")).unwrap();
                let text = |row: mysql::Row| {
                    let values: Vec<String> = row.unwrap().iter().map(|value| value.as_sql(true)).collect();
                    values.join("|")
                };
                (table, rows.into_iter().map(text).collect())
            })
            .collect()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakectl"));
        self.fill(&mut command, args);
        command
    }

    pub fn fill(&self, command: &mut Command, args: &[&str]) {
        command
            .args(args.iter().map(|arg| arg.replace('%', &self.suffix)))
            .arg("--config")
            .arg(self.dir.path().join("lakectl.toml"))
            .env("LAKECTL_WAREHOUSE_URL", &self.url)
            .env("LAKECTL_WAREHOUSE_PASSWORD", &self.password)
            .env("LAKECTL_BROKERS", env("LAKECTL_BROKERS"))
            .env("LAKECTL_GROUP", format!("erase{}", self.suffix))
            .stdin(Stdio::null());
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.finish(self.command(args).arg("--json"))
    }

    /// A run that must end with this code.
    pub fn expect(&self, code: i32, args: &[&str]) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.said);
        ran.json
    }

    pub fn finish(&self, command: &mut Command) -> Ran {
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            said: stdout + &String::from_utf8_lossy(&output.stderr),
        }
    }

    pub fn create_topic(&self, name: &str, partitions: i32) {
        let admin = admin();
        let name = self.topic(name);
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1))
            .set("message.timestamp.after.max.ms", "9223372036854775807")
            .set("retention.ms", "-1");
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
        let results = futures_executor::block_on(admin.create_topics([&topic], &options))
            .unwrap_or_else(|e| panic!("no Kafka answers ({e}); run: scripts/services up kafka"));
        results[0].as_ref().unwrap();
        self.topics.borrow_mut().push(name.clone());
    }

    pub fn produce(&self, topic: &str, messages: &[Message<'_>]) {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", env("LAKECTL_BROKERS"))
            .set("enable.idempotence", "true")
            .create()
            .unwrap();
        let topic = self.topic(topic);
        for message in messages {
            let mut record: BaseRecord<'_, [u8], str> = BaseRecord::to(&topic)
                .partition(message.partition)
                .timestamp(message.time_ms);
            if let Some(key) = message.key {
                record = record.key(key);
            }
            if let Some(value) = message.value {
                record = record.payload(value);
            }
            producer.send(record).map_err(|(e, _)| e).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
    }

    /// Every file below the root, hidden ones too, as it lies on disk.
    pub fn listing(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in walkdir::WalkDir::new(self.root()) {
            let entry = entry.unwrap();
            let path = entry
                .path()
                .strip_prefix(self.root())
                .unwrap()
                .display()
                .to_string();
            let content = match entry.file_type() {
                kind if kind.is_file() => std::fs::read(entry.path()).unwrap(),
                kind if kind.is_symlink() => std::fs::read_link(entry.path())
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes(),
                _ => b"folder".to_vec(),
            };
            files.insert(path, content);
        }
        files
    }

    /// The lines of the data files of one topic: path -> lines.
    pub fn lines(&self, topic: &str) -> BTreeMap<String, Vec<String>> {
        let part = format!("/{}/", self.topic(topic));
        self.listing()
            .into_iter()
            .filter(|(path, _)| {
                !path.starts_with(".lakectl")
                    && path.contains(&part)
                    && (path.contains(".json") || path.ends_with(".parquet"))
            })
            .map(|(path, bytes)| {
                if path.ends_with(".parquet") {
                    let rows = parquet::rows(&self.root().join(&path));
                    return (path, rows);
                }
                let text = decompressed(&path, &bytes);
                (path, text.lines().map(str::to_owned).collect())
            })
            .collect()
    }

    /// What the ledger says of each data file must be what lies there.
    pub fn check_ledger(&self, topic: &str) {
        self.expect(0, &["lake", "--verify", "--topics", topic]);
        let topic = self.topic(topic);
        let days = self.root().join(".lakectl/topics").join(&topic).join("days");
        let mut known = BTreeMap::new();
        for day in std::fs::read_dir(days).into_iter().flatten() {
            let day = day.unwrap();
            let manifest = sealed(&day.path());
            let name = day.file_name().into_string().unwrap();
            let mut parts = name.split('-');
            let mut part = || parts.next().unwrap();
            let folder = format!("/{topic}/year={}/month={}/day={}/", part(), part(), part());
            let mut sum = (0, 0);
            for file in manifest["files"].as_array().unwrap() {
                let numbers = (file["records"].as_u64().unwrap(), file["bytes"].as_u64().unwrap());
                sum = (sum.0 + numbers.0, sum.1 + numbers.1);
                known.insert(
                    format!("{folder}{}", file["name"].as_str().unwrap()),
                    (numbers, file["checksum"].clone()),
                );
            }
            assert_eq!(
                (
                    manifest["records"].as_u64().unwrap(),
                    manifest["bytes"].as_u64().unwrap()
                ),
                sum
            );
        }
        let listing = self.listing();
        let mut found = BTreeMap::new();
        for (path, lines) in self.lines(&topic) {
            let bytes = &listing[&path];
            let checksum = Value::from(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(bytes)));
            let place = path.find(&format!("/{topic}/")).unwrap();
            found.insert(
                path[place..].to_owned(),
                ((lines.len() as u64, bytes.len() as u64), checksum),
            );
        }
        assert_eq!(found, known);
        assert_eq!(
            sealed(&self.root().join(format!(".lakectl/topics/{topic}/state")))["pending"],
            Value::Null
        );
    }

    /// Whether these bytes stand anywhere below the root (decompressed too) or in the database.
    pub fn holds(&self, text: &str) -> Vec<String> {
        let mut places: Vec<String> = self
            .listing()
            .into_iter()
            .filter(|(path, bytes)| {
                let inside = decompressed(path, bytes).contains(text);
                inside || bytes.windows(text.len()).any(|window| window == text.as_bytes())
            })
            .map(|(path, _)| path)
            .collect();
        for (table, rows) in self.dump() {
            if rows.iter().any(|row| row.contains(text)) {
                places.push(table);
            }
        }
        places
    }
}

impl Drop for World {
    /// A test that panicked keeps its database and topics for a look.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        account::drop_database(&mut administrator(), &self.database);
        let topics = self.topics.borrow();
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let _ = futures_executor::block_on(admin().delete_topics(&names, &AdminOptions::new()));
    }
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", env("LAKECTL_BROKERS"))
        .create()
        .unwrap()
}

fn sealed(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(text.split_once('\n').unwrap().1).unwrap()
}

fn decompressed(path: &str, bytes: &[u8]) -> String {
    let mut text = Vec::new();
    if path.starts_with("current/") {
        // A link: this is where it points.
        text.extend_from_slice(bytes);
    } else if path.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(bytes)
            .read_to_end(&mut text)
            .unwrap();
    } else if path.ends_with(".zst") {
        text = zstd::decode_all(bytes).unwrap();
    } else {
        text.extend_from_slice(bytes);
    }
    String::from_utf8_lossy(&text).into_owned()
}
