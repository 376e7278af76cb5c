//! Topics whose schemas are in a registry, in a lake and a database of one test.

use serde_json::Value;

use crate::common::avro::framed;
use crate::common::files::{data_files, lines};
use crate::common::kafka::{Record, Topic, record};
use crate::world::Warehouse;

/// Schema of a key of one column.
pub const KEY: &str = r#"{"type":"record","name":"K","fields":[{"name":"ID","type":"string"}]}"#;

/// An address where nothing listens.
pub fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A record whose value is behind an id.
pub fn valued(id: u32, payload: &[u8]) -> Record {
    record("k", "").bytes(&framed(id, payload))
}

pub fn entry(topic: &Topic, kind: &str, more: &str) -> String {
    format!("[topics.{:?}]\nkind = {kind:?}\n{more}\n", topic.name)
}

/// Configures this registry and these topics.
pub fn configure(world: &mut Warehouse, url: &str, entries: &[String]) {
    let entries = entries.concat();
    world.set_topics(&format!("[schema_registry]\nurl = {url:?}\n{entries}"));
}

/// Runs with `--json`, must end so, and gives the report.
pub fn run(world: &Warehouse, arguments: &[&str], code: i32) -> Value {
    world
        .lakectl(&[arguments, &["--json"]].concat())
        .expect(code)
        .report()
}

/// What the report says of a topic.
pub fn told<'r>(report: &'r Value, topic: &Topic) -> &'r Value {
    let topics = report["topics"].as_array().unwrap();
    let found = topics.iter().find(|line| line["topic"] == *topic.name);
    found.unwrap_or_else(|| panic!("no {} in {report}", topic.name))
}

/// A text of JSON has all of these words.
pub fn has(told: &Value, words: &[&str]) {
    let text = told.to_string();
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

/// The lines of a stream, from their keys on.
pub fn stream_lines(world: &Warehouse, topic: &Topic) -> Vec<String> {
    let folder = world.folder().join("data_lake/streams").join(&topic.name);
    let files = data_files(&folder).into_iter();
    files
        .flat_map(|file| file.lines)
        .map(|line| from_key(&line))
        .collect()
}

/// The rows of a table's snapshot, likewise.
pub fn rows(world: &Warehouse, topic: &Topic) -> Vec<String> {
    let path = format!("data_lake/current/{}.json", topic.name);
    let lines = lines(&world.folder().join(path));
    lines.iter().map(|line| from_key(line)).collect()
}

fn from_key(line: &str) -> String {
    let at = line.find("\"_key").unwrap();
    format!("{{{}", &line[at..])
}
