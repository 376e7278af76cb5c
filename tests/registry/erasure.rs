//! Persons are found in Avro and Protobuf: in fields, in keys, in the lake, in MySQL, and in what MySQL has rejected.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::common::avro::{PERSON, PERSON_PROTO, framed, person, person_proto, text};
use crate::common::kafka::{Record, Topic};
use crate::common::registry::{StandIn, register};
use crate::common::{service, unique};
use crate::scene::{KEY, configure, entry, has, nobody, rows, run, stream_lines, valued};
use crate::world::{Row, Warehouse};

/// Names of more letters are rejected.
const PEOPLE: &str = "CREATE TABLE people (id VARCHAR(40) PRIMARY KEY, name VARCHAR(5), n BIGINT)";
const TABLE: &str = "key.format = \"avro\"\nvalue.format = \"avro\"\nwarehouse.table = \"people\"";

struct Scene {
    world: Warehouse,
    avro: Topic,
    protobuf: Topic,
    table: Topic,
    entries: [String; 3],
}

/// Ada, Bob, and the longer names of two others, who are rejected: one has ids before key and value, one in headers.
fn scene(url: &str, [key, value, proto]: [u32; 3]) -> Scene {
    let (avro, protobuf) = (Topic::new("erase-avro"), Topic::new("erase-protobuf"));
    let table = Topic::compacted("erase-table");
    avro.send(&[valued(value, &person("Ada", 1)), valued(value, &person("Bob", 2))]);
    protobuf.send(&[
        valued(proto, &person_proto("Ada")),
        valued(proto, &person_proto("Bob")),
    ]);
    let row = |id: &str, name: &str| valued(value, &person(name, 1)).key(Some(&framed(key, &text(id))));
    let header = |id: u32| [&[0], &id.to_be_bytes()[..]].concat();
    table.send(&[
        row("u1", "Ada"),
        row("u2", "Bob"),
        row("u3", "Adalbert"),
        Record {
            key: Some(text("u4")),
            value: Some(person("Leopoldine", 1)),
            ..row("", "")
        }
        .header("__key_schema_id", Some(&header(key)))
        .header("__value_schema_id", Some(&header(value))),
    ]);
    let mut world = Warehouse::new();
    world.execute(PEOPLE);
    let entries = [
        entry(&avro, "stream", "value.format = \"avro\""),
        entry(&protobuf, "stream", "value.format = \"protobuf\""),
        entry(&table, "table", TABLE),
    ];
    configure(&mut world, url, &entries);
    run(&world, &["lake"], 0);
    let report = run(&world, &["warehouse"], 3);
    assert_eq!(report["topics"][0]["rejected"], 2, "{report}");
    Scene {
        world,
        avro,
        protobuf,
        table,
        entries,
    }
}

fn erase(world: &Warehouse, arguments: &[&str], code: i32) -> Value {
    run(world, &[&["purge", "--yes"], arguments].concat(), code)
}

fn names(lines: &[String]) -> Vec<String> {
    let name = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["NAME"].as_str().unwrap().to_owned()
    };
    lines.iter().map(name).collect()
}

#[test]
fn persons_are_found_in_fields_keys_and_rejects() {
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let subject =
        |schema: &str, kind: &str| register(&url, &unique("erase"), schema, &json!({"schemaType": kind}));
    let ids = [
        subject(KEY, "AVRO"),
        subject(PERSON, "AVRO"),
        subject(PERSON_PROTO, "PROTOBUF"),
    ];
    let Scene {
        world,
        avro,
        protobuf,
        table,
        ..
    } = scene(&url, ids);
    let kept = |sql: &str| -> Vec<Row> { world.query(sql) };
    // By a field: two streams, a snapshot, a row.
    let report = erase(&world, &["--where", "NAME=Ada"], 0);
    assert_eq!(
        (&report["erased"]["lines"], &report["erased"]["rows"]),
        (&json!(3), &json!(1)),
        "{report}"
    );
    for lines in [stream_lines(&world, &avro), stream_lines(&world, &protobuf)] {
        assert_eq!(names(&lines), ["Bob"]);
    }
    assert_eq!(names(&rows(&world, &table)), ["Bob", "Adalbert", "Leopoldine"]);
    assert_eq!(kept("SELECT id FROM people"), [[Some("u2".to_owned())]]);
    // By a field of a reject whose ids are in headers, and by a key.
    for (person, left) in [("NAME=Leopoldine", 1), ("ID=u3", 0)] {
        let report = erase(&world, &["--where", person], 0);
        assert_eq!(report["erased"]["tables"][0]["rejects"], 1, "{report}");
        let rejects = world.value("SELECT COUNT(*) FROM lakectl_rejects");
        assert_eq!(rejects, left.to_string());
    }
    let key = format!("{}={{\"ID\":\"u2\"}}", table.name);
    let report = erase(&world, &["--key", &key], 0);
    assert_eq!(
        (&report["erased"]["lines"], &report["erased"]["rows"]),
        (&json!(1), &json!(1)),
        "{report}"
    );
    assert!(kept("SELECT id FROM people").is_empty() && rows(&world, &table).is_empty());
    // They stay away.
    let keyed = |id: &str, name: &str| valued(ids[1], &person(name, 1)).key(Some(&framed(ids[0], &text(id))));
    table.send(&[keyed("u9", "Ada"), keyed("u2", "Rob"), keyed("u5", "Eve")]);
    avro.send(&[valued(ids[1], &person("Ada", 1))]);
    protobuf.send(&[valued(ids[2], &person_proto("Ada"))]);
    run(&world, &["lake"], 0);
    run(&world, &["warehouse"], 0);
    assert_eq!(names(&rows(&world, &table)), ["Eve"]);
    assert_eq!(kept("SELECT id FROM people"), [[Some("u5".to_owned())]]);
    for lines in [stream_lines(&world, &avro), stream_lines(&world, &protobuf)] {
        assert_eq!(names(&lines), ["Bob"]);
    }
}

/// Every file of the lake, and every row of the database.
fn picture(world: &Warehouse) -> (BTreeMap<std::path::PathBuf, Vec<u8>>, Vec<Row>) {
    let found = walkdir::WalkDir::new(world.folder().join("data_lake")).into_iter();
    let paths = found.map(|found| found.unwrap().into_path());
    let files = paths.filter(|path| path.is_file());
    let tables = world.query("SHOW TABLES");
    let names: Vec<String> = tables
        .iter()
        .map(|row| format!("`{}`", row[0].clone().unwrap()))
        .collect();
    let files = files.map(|path| (path.clone(), std::fs::read(path).unwrap()));
    (
        files.collect(),
        world.query(&format!("CHECKSUM TABLE {}", names.join(", "))),
    )
}

#[test]
fn without_the_registry_nothing_is_erased() {
    let server = StandIn::start();
    server.has_schema(1, KEY, &Value::Null);
    server.has_schema(2, PERSON, &Value::Null);
    server.has_schema(3, PERSON_PROTO, &json!({"schemaType": "PROTOBUF"}));
    let Scene {
        mut world,
        avro,
        protobuf,
        table,
        entries,
    } = scene(&server.url(), [1, 2, 3]);
    let before = picture(&world);
    let url = nobody();
    configure(&mut world, &url, &entries);
    for only in [
        &[][..],
        &["--only", "lake"],
        &["--only", "warehouse"],
        &["--dry-run"],
    ] {
        let report = erase(&world, &[&["--where", "NAME=Ada"], only].concat(), 1);
        has(
            &report["error"],
            &["nothing was erased", &table.name, &url, "Connection refused"],
        );
        if only != ["--only", "warehouse"] {
            has(&report["error"], &[&avro.name, &protobuf.name]);
        }
        assert!(picture(&world) == before, "{only:?} changed something");
    }
    // A topic that needs none is no matter of the registry.
    let key = format!("{}=x", avro.name);
    configure(
        &mut world,
        &url,
        &[entry(&avro, "stream", ""), entries[2].clone()],
    );
    erase(&world, &["--key", &key, "--dry-run"], 0);
    // One request shows that it answers, and those for the rejects follow.
    let asked = server.targets().len();
    configure(&mut world, &server.url(), &entries);
    erase(&world, &["--where", "NAME=Adalbert"], 0);
    let mut targets = server.targets().split_off(asked);
    targets.sort();
    let [one, two, subject] = &targets[..] else {
        panic!("{targets:?}")
    };
    assert_eq!([one, two], ["/schemas/ids/1", "/schemas/ids/2"]);
    assert!(subject.starts_with("/subjects/"), "{subject}");
    // A reject whose schema is gone since is searched by its bytes, and hides nobody else's.
    let poor = StandIn::start();
    poor.has_schema(1, KEY, &Value::Null);
    configure(&mut world, &poor.url(), &entries);
    let report = erase(&world, &["--where", "NAME=Leopoldine"], 3);
    has(&report["erased"]["tables"], &["\"doubtful_rejects\":[\"0/3\"]"]);
}
