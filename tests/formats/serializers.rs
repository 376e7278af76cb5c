//! What Confluent's own Python serializers write, read as their own deserializers read it.

use prost_reflect::prost::Message;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

use crate::common::files::data_files;
use crate::common::kafka::{Topic, brokers};
use crate::common::lake::Lake;
use crate::common::python;
use crate::common::registry::StandIn;
use crate::common::service;
use crate::protobuf;
use crate::world::Warehouse;

/// A case of serializer_cases.py, with what lakectl must be told of it.
struct SerializerCase {
    name: &'static str,
    entry: &'static str,
    /// Name and type of each column.
    columns: &'static [(&'static str, &'static str)],
    key: &'static str,
}

const AVRO: &str = "key.format = \"avro\"\nvalue.format = \"avro\"";
const PROTOBUF: &str = "key.format = \"protobuf\"\nvalue.format = \"protobuf\"";

const PROTOBUF_COLUMNS: &[(&str, &str)] = &[
    ("id", "BIGINT"),
    ("big", "BIGINT"),
    ("huge", "BIGINT UNSIGNED"),
    ("small", "INT"),
    ("fixed", "INT UNSIGNED"),
    ("ratio", "DOUBLE"),
    ("weight", "DOUBLE"),
    ("gift", "TINYINT(1)"),
    ("name", "VARCHAR(99)"),
    ("raw", "VARBINARY(99)"),
    ("state", "VARCHAR(9)"),
    ("maybe", "INT"),
    ("tags", "JSON"),
    ("by_number", "JSON"),
    ("lines", "JSON"),
    ("price", "JSON"),
    ("words", "JSON"),
    ("card", "VARCHAR(9)"),
    ("iban", "VARCHAR(9)"),
    ("wrapped", "BIGINT"),
    ("note", "TEXT"),
    ("at", "DATETIME(6)"),
    ("born", "DATE"),
    ("opened", "TIME(6)"),
    ("total", "DECIMAL(20,4)"),
    ("states", "JSON"),
    ("inner", "JSON"),
];

const REAL: &[SerializerCase] = &[
    SerializerCase {
        name: "avro_orders",
        entry: AVRO,
        columns: &[
            ("id", "BIGINT"),
            ("region", "VARCHAR(9) COLLATE utf8mb4_bin"),
            ("total", "DECIMAL(38,10)"),
            ("vat", "DECIMAL(10,4)"),
            ("born", "DATE"),
            ("opened", "TIME(6)"),
            ("closed", "TIME(6)"),
            ("at3", "TIMESTAMP(6) NULL"),
            ("at6", "DATETIME(6)"),
            ("local3", "DATETIME(6)"),
            ("local6", "DATETIME(6)"),
            ("ref", "CHAR(36)"),
            ("state", "ENUM('OPEN', 'PAID')"),
            ("raw", "BLOB"),
            ("mac", "BINARY(4)"),
            ("ratio", "FLOAT"),
            ("weight", "DOUBLE"),
            ("gift", "BOOLEAN"),
            ("big", "BIGINT"),
            ("note", "JSON"),
            ("ship_to", "JSON"),
            ("tags", "JSON"),
            ("lines", "JSON"),
            ("tree", "JSON"),
            ("extra", "VARCHAR(9)"),
        ],
        key: "id, region",
    },
    SerializerCase {
        name: "avro_bare",
        entry: "key.format = \"avro\"\nkey.columns = [\"ID\"]\nvalue.format = \"avro\"\nvalue.columns = [\"VALUE\"]",
        columns: &[("id", "BIGINT"), ("value", "DOUBLE")],
        key: "id",
    },
    SerializerCase {
        name: "protobuf_orders",
        entry: PROTOBUF,
        columns: PROTOBUF_COLUMNS,
        key: "id",
    },
    SerializerCase {
        name: "protobuf_descriptors",
        entry: PROTOBUF,
        columns: PROTOBUF_COLUMNS,
        key: "id",
    },
    SerializerCase {
        name: "json_orders",
        entry: "key.format = \"json_sr\"\nvalue.format = \"json_sr\"",
        columns: &[
            ("id", "BIGINT"),
            ("total", "DECIMAL(40,10)"),
            ("name", "VARCHAR(99)"),
            ("more", "JSON"),
        ],
        key: "id",
    },
];

/// Ids in record headers are GUIDs, which the real registry doesn't have.
const HEADERS: &[SerializerCase] = &[
    SerializerCase {
        name: "avro_headers",
        entry: AVRO,
        columns: &[("id", "BIGINT"), ("name", "VARCHAR(99)")],
        key: "id",
    },
    SerializerCase {
        name: "protobuf_headers",
        entry: PROTOBUF,
        columns: &[("id", "BIGINT"), ("name", "VARCHAR(99)")],
        key: "id",
    },
];

fn ours(name: &str) -> String {
    format!("{}/tests/formats/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    std::fs::read_to_string(ours(name)).unwrap()
}

/// The topics of some cases, written by the serializers.
struct Written {
    cases: &'static [SerializerCase],
    topics: Vec<Topic>,
    registry: String,
    dir: tempfile::TempDir,
}

impl Written {
    fn by_python(cases: &'static [SerializerCase], topics: Vec<Topic>, registry: &str) -> Written {
        let dir = tempfile::tempdir().unwrap();
        for name in ["order.proto", "money.proto", "nested.proto"] {
            std::fs::copy(ours(name), dir.path().join(name)).unwrap();
        }
        let files = protobuf::files(&[
            ("order.proto", &text("order.proto")),
            ("shop/money.proto", &text("money.proto")),
            ("nested.proto", &text("nested.proto")),
        ]);
        std::fs::write(dir.path().join("descriptors"), files.encode_to_vec()).unwrap();
        let written = Written {
            cases,
            topics,
            registry: registry.to_owned(),
            dir,
        };
        written.python("write", |_| json!({}));
        written
    }

    /// Runs serializers.py with a plan, in which each case has more fields.
    fn python(&self, command: &str, more: impl Fn(usize) -> Value) {
        let cases = self.cases.iter().enumerate().map(|(at, case)| {
            let mut plan = more(at);
            plan["topic"] = json!(self.topics[at].name);
            (case.name.to_owned(), plan)
        });
        let plan = json!({
            "brokers": brokers(),
            "registry": self.registry,
            "cases": cases.collect::<serde_json::Map<_, _>>(),
        });
        let folder = self.dir.path();
        std::fs::write(folder.join("plan.json"), plan.to_string()).unwrap();
        let said = python::run(
            "formats",
            folder,
            &[&ours("serializers.py"), command, "plan.json"],
        );
        println!("{said}");
    }

    fn entries(&self, kind: &str) -> String {
        let mut text = format!("[schema_registry]\nurl = {:?}\n", self.registry);
        for (case, topic) in self.cases.iter().zip(&self.topics) {
            writeln!(text, "[topics.{:?}]\nkind = {kind:?}\n{}", topic.name, case.entry).unwrap();
            if kind == "table" {
                writeln!(text, "warehouse.table = {:?}", case.name).unwrap();
            }
        }
        text
    }

    /// Compares what lake and warehouse have with what the deserializers give.
    fn check(&self, mut warehouse: Warehouse) {
        let mut lake = Lake::new();
        lake.set_topics(&self.entries("stream"));
        lake.drain();
        warehouse.set_topics(&self.entries("table"));
        for case in self.cases {
            warehouse.execute(&case.create());
        }
        warehouse.drain();
        self.python("compare", |at| {
            let (case, topic) = (&self.cases[at], &self.topics[at]);
            let names = |kind: &str| {
                let named = case.columns.iter().filter(|(_, own)| own.contains(kind));
                named.map(|(name, _)| *name).collect::<Vec<_>>()
            };
            json!({
                "lines": lines(&lake.root().join("streams").join(&topic.name), self.dir.path(), case.name),
                "columns": names(""),
                "json": names("JSON"),
                "rows": warehouse.query(&case.select()),
            })
        });
    }
}

/// A file with all lines of a topic.
fn lines(topic: &Path, folder: &Path, name: &str) -> String {
    let files = data_files(topic);
    let lines: Vec<_> = files.iter().flat_map(|file| file.lines.clone()).collect();
    std::fs::write(folder.join(name), lines.join("\n")).unwrap();
    name.to_owned()
}

impl SerializerCase {
    fn create(&self) -> String {
        let columns = self
            .columns
            .iter()
            .map(|(name, kind)| format!("`{name}` {kind}, "));
        format!(
            "CREATE TABLE {} ({}PRIMARY KEY ({})) ENGINE = InnoDB CHARACTER SET utf8mb4",
            self.name,
            columns.collect::<String>(),
            self.key
        )
    }

    /// Bytes as hexadecimal, and all digits of a FLOAT.
    fn select(&self) -> String {
        let columns = self.columns.iter().map(|(name, kind)| match *kind {
            "BLOB" | "BINARY(4)" | "VARBINARY(99)" => format!("HEX(`{name}`)"),
            "FLOAT" => format!("`{name}` + 0e0"),
            _ => format!("`{name}`"),
        });
        format!(
            "SELECT {} FROM {}",
            columns.collect::<Vec<_>>().join(", "),
            self.name
        )
    }
}

fn real() -> Written {
    let topics = Topic::many("serializers", REAL.len());
    Written::by_python(REAL, topics, &service("LAKECTL_SCHEMA_REGISTRY_URL"))
}

#[test]
fn what_serializers_write_on_mysql() {
    real().check(Warehouse::new());
}

#[test]
fn what_serializers_write_on_mariadb() {
    real().check(Warehouse::on_mariadb());
}

#[test]
fn ids_in_record_headers() {
    let registry = StandIn::start();
    let topics = Topic::many("serializers", HEADERS.len());
    let [avro, protobuf] = &topics[..] else {
        panic!("two cases")
    };
    let nested = text("nested.proto");
    let schemas = [
        (avro, "key", AVRO_KEY, "AVRO"),
        (avro, "value", AVRO_VALUE, "AVRO"),
        (protobuf, "key", &nested, "PROTOBUF"),
        (protobuf, "value", &nested, "PROTOBUF"),
    ];
    for (id, (topic, part, schema, kind)) in (1..).zip(schemas) {
        let guid = format!("1b2c3d4e-5f60-4182-93a4-b5c6d7e8f9{id:02x}");
        let answer = json!({"id": id, "guid": guid, "schemaType": kind});
        for target in [
            format!("/subjects/{}-{part}/versions?normalize=False", topic.name),
            format!("/schemas/guids/{guid}"),
        ] {
            registry.has_schema_at(&target, schema, &answer);
        }
    }
    Written::by_python(HEADERS, topics, &registry.url()).check(Warehouse::new());
}

const AVRO_KEY: &str = r#"{"type": "record", "name": "K", "fields": [{"name": "id", "type": "long"}]}"#;
const AVRO_VALUE: &str = r#"{"type": "record", "name": "V", "fields": [{"name": "name", "type": "string"}]}"#;
