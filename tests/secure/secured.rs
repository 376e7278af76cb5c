//! The services, and runs of lakectl against them.

use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder, SslOpts};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tempfile::TempDir;

use crate::common::kafka::use_broker;
use crate::common::program::{self, Run};
use crate::private::Private;

/// Kafka with a CA of its own. This test's topics are on it, by its plain listener.
pub struct Kafka {
    service: Private,
    pub sasl: String,
    pub ssl: String,
    pub mtls: String,
    pub plain: String,
}

impl Kafka {
    pub fn get() -> &'static Kafka {
        static KAFKA: OnceLock<Kafka> = OnceLock::new();
        let kafka = KAFKA.get_or_init(|| {
            let service = Private::start_with("kafka", &["--tls"]);
            Kafka {
                sasl: service.variable("LAKECTL_TEST_KAFKA_SASL"),
                ssl: service.variable("LAKECTL_TEST_KAFKA_SSL"),
                mtls: service.variable("LAKECTL_TEST_KAFKA_MTLS"),
                plain: service.variable("LAKECTL_BROKERS"),
                service,
            }
        });
        use_broker(&kafka.plain);
        kafka
    }

    /// A file of `tls`: ca.pem, client.pem, plain-password, …
    pub fn file(&self, name: &str) -> PathBuf {
        self.service.dir().join("tls").join(name)
    }

    /// One of Kafka's own tools, as somebody who may do everything.
    pub fn tool(&self, arguments: &[&str]) {
        self.service.services(&[&["kafka-tool"], arguments].concat());
    }

    /// All that must never be seen.
    pub fn secrets(&self) -> Vec<String> {
        let read = |name: &str| {
            std::fs::read_to_string(self.file(name))
                .unwrap()
                .trim()
                .to_owned()
        };
        ["plain-password", "scram-password"].map(read).to_vec()
    }
}

/// MySQL with a CA of its own, for one test at a time: some change it.
pub struct Mysql {
    service: Private,
    pub url: String,
    pub password: String,
}

impl Mysql {
    pub fn get() -> MutexGuard<'static, Mysql> {
        static MYSQL: OnceLock<Mutex<Mysql>> = OnceLock::new();
        let mysql = MYSQL.get_or_init(|| {
            let service = Private::start_with("mysql", &["--tls"]);
            Mutex::new(Mysql {
                url: service.variable("LAKECTL_WAREHOUSE_URL"),
                password: service.variable("LAKECTL_WAREHOUSE_PASSWORD"),
                service,
            })
        });
        mysql.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.service.dir().join("tls").join(name)
    }

    pub fn session(&self) -> Conn {
        let ssl = SslOpts::default().with_root_cert_path(Some(self.file("ca.pem")));
        let opts = OptsBuilder::from_opts(Opts::from_url(&self.url).unwrap())
            .pass(Some(&self.password))
            .db_name(None::<String>)
            .prefer_socket(false)
            .ssl_opts(Some(ssl));
        Conn::new(opts).unwrap()
    }

    pub fn execute(&self, sql: &str) {
        self.session().query_drop(sql).unwrap();
    }

    pub fn value(&self, sql: &str) -> String {
        self.session().query_first(sql).unwrap().unwrap()
    }
}

/// A folder with a configuration.
pub struct Place {
    pub dir: TempDir,
}

impl Place {
    pub fn new(config: &str) -> Place {
        let place = Place {
            dir: tempfile::tempdir().unwrap(),
        };
        place.configure(config);
        place
    }

    pub fn configure(&self, config: &str) {
        std::fs::write(self.dir.path().join("lakectl.toml"), config).unwrap();
    }

    /// A file that others can't read.
    pub fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub fn run(&self, arguments: &[&str], env: &[(&str, &str)]) -> Run {
        program::start(self.dir.path(), arguments, env).wait()
    }
}

/// None of these may stand in any output.
pub fn shows_none(run: &Run, secrets: &[String]) {
    for secret in secrets {
        let shown = format!("{}{}", run.stdout, run.stderr).contains(secret.as_str());
        assert!(!shown, "a secret is shown: {run:?}");
    }
}
