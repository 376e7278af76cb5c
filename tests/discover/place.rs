//! A configuration file of one test, and what `lakectl discover` proposes for it.

use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

use crate::common::kafka::brokers;
use crate::common::program::{self, Run};
use crate::common::registry::{Reply, StandIn};
use crate::common::unique;

pub const STREAMS: &str = "/ksql LIST STREAMS EXTENDED;";
pub const TABLES: &str = "/ksql LIST TABLES EXTENDED;";

pub struct Place {
    dir: TempDir,
}

impl Place {
    /// Kafka, a lake, and these lines.
    pub fn with(lines: &str) -> Place {
        let place = Place {
            dir: tempfile::tempdir().unwrap(),
        };
        let (brokers, group) = (brokers(), unique("group"));
        let text = format!(
            "[kafka]\nbrokers = \"{brokers}\"\ngroup = \"{group}\"\n[lake]\nroot = \"lake\"\n{lines}"
        );
        std::fs::write(place.file(), text).unwrap();
        place
    }

    pub fn of_ksqldb(server: &StandIn) -> Place {
        Place::with(&format!("[ksqldb]\nurl = \"{}\"\n", server.url()))
    }

    pub fn file(&self) -> PathBuf {
        self.dir.path().join("lakectl.toml")
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        program::start(self.dir.path(), arguments, &[]).wait()
    }

    /// What is printed for a topic.
    pub fn discover(&self, topic: &str, code: i32) -> String {
        self.run(&["discover", "--topics", topic]).expect(code).stdout
    }

    /// The settings of a topic's entry by their keys, and what it is known from.
    pub fn settings(&self, topic: &str, code: i32) -> (Value, Value) {
        let report = self
            .run(&["discover", "--json", "--topics", topic])
            .expect(code)
            .report();
        assert_eq!(
            (&report["command"], &report["exit_code"]),
            (&json!("discover"), &json!(code))
        );
        let entry = &report["topics"][0];
        assert_eq!(
            (&entry["topic"], report["topics"].as_array().unwrap().len()),
            (&json!(topic), 1)
        );
        assert_eq!(entry["guess"], code == 3, "{report}");
        (entry["settings"].clone(), entry["known_from"].clone())
    }

    /// The entry is appended, and then a check has nothing against it and the lake takes the topic in.
    pub fn check_and_drain(&self, topic: &str) -> Vec<Value> {
        let before = self.text();
        let run = self.run(&["discover", "--write", "--topics", topic]);
        assert!([0, 3].contains(&run.code), "{run:?}");
        let after = self.text();
        assert!(
            after.starts_with(&before) && after.len() > before.len(),
            "{after}"
        );
        self.run(&["check", "--only", "lake", "--topics", topic])
            .expect(0);
        let report = self
            .run(&["lake", "--json", "--topics", topic])
            .expect(0)
            .report();
        assert_eq!(report["topics"][0]["irregular"], 0, "{report}");
        self.lines()
    }

    /// The lines of all data files.
    fn lines(&self) -> Vec<Value> {
        let mut found = Vec::new();
        for kind in ["streams", "tables"] {
            let folders = walkdir::WalkDir::new(self.dir.path().join("lake").join(kind)).sort_by_file_name();
            for file in folders.into_iter().filter_map(Result::ok) {
                if file.file_type().is_file() {
                    let text = std::fs::read_to_string(file.path()).unwrap();
                    found.extend(
                        text.lines()
                            .map(|line| serde_json::from_str::<Value>(line).unwrap()),
                    );
                }
            }
        }
        found
    }
}

/// A ksqlDB with these streams and tables.
pub fn ksqldb(streams: &[Value], tables: &[Value]) -> StandIn {
    let server = StandIn::start();
    server.answers(STREAMS, [described(streams)]);
    server.answers(TABLES, [described(tables)]);
    server
}

fn described(sources: &[Value]) -> Reply {
    Reply::json(
        200,
        &json!([{
            "@type": "source_descriptions",
            "statementText": "LIST … EXTENDED;",
            "sourceDescriptions": sources,
            "warnings": [],
        }]),
    )
}

/// A stream or table as ksqlDB describes it. Columns are like `K STRING KEY`, `D DECIMAL(9,2)`, `L ARRAY`.
pub fn source(name: &str, topic: &str, formats: [&str; 2], columns: &[&str], statement: &str) -> Value {
    let kind = if statement.starts_with("CREATE TABLE") {
        "TABLE"
    } else {
        "STREAM"
    };
    let window = ["TUMBLING", "HOPPING", "SESSION"];
    let window = window.into_iter().find(|window| statement.contains(window));
    json!({
        "name": name,
        "windowType": window,
        "readQueries": [],
        "writeQueries": [{"queryString": statement, "sinks": [name], "id": "Q_1", "state": "RUNNING"}],
        "fields": columns.iter().map(|text| column(text)).collect::<Vec<Value>>(),
        "type": kind,
        "timestamp": "",
        "statistics": "",
        "errorStats": "",
        "extended": true,
        "keyFormat": formats[0],
        "valueFormat": formats[1],
        "topic": topic,
        "partitions": 1,
        "replication": 1,
        "statement": statement,
        "queryOffsetSummaries": [],
        "sourceConstraints": [],
    })
}

fn column(text: &str) -> Value {
    let mut words = text.split(' ');
    let (name, kind) = (words.next().unwrap(), words.next().unwrap());
    let (base, parameters) = match kind.split_once('(') {
        Some((base, inside)) => {
            let (precision, scale) = inside.trim_end_matches(')').split_once(',').unwrap();
            let [precision, scale] = [precision, scale].map(|text| text.parse::<u32>().unwrap());
            (base, json!({"precision": precision, "scale": scale}))
        }
        None => (kind, Value::Null),
    };
    let mut field = json!({"name": name, "schema": {"type": base, "fields": null, "memberSchema": null}});
    if !parameters.is_null() {
        field["schema"]["parameters"] = parameters;
    }
    if let Some(role) = words.next() {
        field["type"] = role.into();
    }
    field
}
