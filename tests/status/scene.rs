//! A stream and a table on their way into a lake and a database, and what `lakectl status` says of them.

use serde_json::Value;
use std::path::PathBuf;

use crate::common::kafka::{DAY_MS, NOON_MS, Record, Topic, record};
use crate::common::lake::number;
use crate::common::program::{Run, Running};
use crate::world::Warehouse;

pub struct Scene {
    pub stream: Topic,
    pub table: Topic,
    pub world: Warehouse,
}

/// One count of a product, as the table of init-db takes it.
pub fn count(product: &str, count: i64) -> Record {
    record(product, &format!("{{\"PURCHASE_COUNT\":{count}}}"))
}

/// Records of one Kafka partition on the n-th day.
pub fn on_day(day: i64, partition: i32, count: usize) -> Vec<Record> {
    let one = |n: usize| {
        record(&format!("k{n}"), &format!("{{\"n\":{n}}}"))
            .to(partition)
            .at(NOON_MS + day * DAY_MS)
    };
    (0..count).map(one).collect()
}

impl Scene {
    /// Two Kafka partitions over three days, and two products.
    pub fn new() -> Scene {
        let (stream, table) = (Topic::with("stream", 2, &[]), Topic::compacted("table"));
        let days = [(0, 3), (1, 5), (40, 2)].into_iter();
        let records = days.flat_map(|(day, records)| [on_day(day, 0, records), on_day(day, 1, 1)].concat());
        stream.send(&records.collect::<Vec<_>>());
        table.send(&[count("a", 1), count("b", 2), count("a", 3)]);
        let world = Warehouse::new().stream(&stream).counts(&table);
        Scene { stream, table, world }
    }

    /// The same, drained into both: the reports of the runs.
    pub fn drained() -> (Scene, Value, Value) {
        let scene = Scene::new();
        let lake = scene.world.lakectl(&["lake", "--json"]).expect(0).report();
        let warehouse = scene.world.lakectl(&["warehouse", "--json"]).expect(0).report();
        (scene, lake, warehouse)
    }

    pub fn root(&self) -> PathBuf {
        self.world.folder().join("data_lake")
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        self.world.start_with(&[&["status"], arguments].concat(), &[])
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.start(arguments).wait()
    }

    /// The JSON form, of a run that must end with this exit code.
    pub fn status(&self, code: i32) -> Value {
        self.status_with(&[], code)
    }

    pub fn status_with(&self, arguments: &[&str], code: i32) -> Value {
        let run = self.run(&[&["--json"], arguments].concat());
        checked(run, code)
    }

    pub fn stream_of(&self, status: &Value) -> Value {
        topic_of(status, &self.stream.name)
    }

    pub fn table_of(&self, status: &Value) -> Value {
        topic_of(status, &self.table.name)
    }
}

/// What every report promises.
pub fn checked(run: Run, code: i32) -> Value {
    let report = run.expect(code).report();
    assert_eq!(report["version"], 1, "{report}");
    assert_eq!(report["command"], "status", "{report}");
    assert_eq!(report["exit_code"], code, "{report}");
    let (status, failed) = match code {
        0 => ("ok", false),
        3 => ("partial", false),
        _ => ("failed", true),
    };
    assert_eq!(report["status"], status, "{report}");
    assert_eq!(report["error"].is_string(), failed, "{report}");
    assert_eq!(
        report["warnings"].as_array().unwrap().is_empty(),
        code == 0 || code == 2,
        "{report}"
    );
    report
}

pub fn topic_of(status: &Value, name: &str) -> Value {
    let topics = status["topics"].as_array().unwrap();
    let found = topics.iter().find(|topic| topic["topic"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {status}")).clone()
}

/// Whether one of the warnings holds all of these words.
pub fn warns(status: &Value, words: &[&str]) {
    let warnings = status["warnings"].as_array().unwrap();
    let found = warnings
        .iter()
        .filter_map(Value::as_str)
        .any(|warning| words.iter().all(|word| warning.contains(word)));
    assert!(found, "no {words:?} in {warnings:#?}");
}

/// Kafka partition, next offset, end and lag.
pub fn partitions(of: &Value) -> Vec<[Option<i64>; 4]> {
    let parts = of["partitions"].as_array().unwrap().iter();
    parts
        .map(|part| ["partition", "next", "end", "lag"].map(|name| part[name].as_i64()))
        .collect()
}

pub fn days(lake: &Value) -> Vec<(String, i64)> {
    let days = lake["by_day"].as_array().unwrap().iter();
    days.map(|day| (day["day"].as_str().unwrap().to_owned(), number(day, "records")))
        .collect()
}
