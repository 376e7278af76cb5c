//! Runs with a registry that is down, or does not have what records need; keys under several ids; what reads the lake.

use serde_json::{Value, json};

use crate::common::avro::{PERSON, PERSON_PROTO, framed, person, text};
use crate::common::kafka::{Record, Topic, record};
use crate::common::registry::{StandIn, register};
use crate::common::{service, unique};
use crate::scene::{KEY, configure, entry, has, nobody, rows, run, stream_lines, told, valued};
use crate::world::Warehouse;

const AVRO: &str = "value.format = \"avro\"";
const PEOPLE: &str = "CREATE TABLE people (id VARCHAR(40) PRIMARY KEY, name VARCHAR(40), n BIGINT)";
const KEYED: &str = "key = { columns = [\"id\"] }\nvalue.format = \"avro\"\nwarehouse.table = \"people\"\nlake.enabled = false";
const AVRO_KEYS: &str = "key.format = \"avro\"\nvalue.format = \"avro\"\nwarehouse.table = \"people\"";

fn ada(id: u32) -> Record {
    valued(id, &person("Ada", 7))
}

#[test]
fn a_registry_that_is_down_fails_only_the_topics_that_need_it() {
    let (avro, plain) = (Topic::new("avro"), Topic::new("plain"));
    let (table, counts) = (Topic::compacted("avro-table"), Topic::compacted("counts"));
    avro.send(&[ada(7), ada(7)]);
    table.send(&[ada(7)]);
    plain.send(&[record("a", "{\"A\":1}")]);
    counts.send(&[record("a", "{\"PURCHASE_COUNT\":1}")]);
    let mut world = Warehouse::new();
    world.execute(PEOPLE);
    let url = nobody();
    let entries = [
        entry(&avro, "stream", AVRO),
        entry(&plain, "stream", ""),
        entry(&table, "table", KEYED),
        entry(
            &counts,
            "table",
            "key.columns = [\"product_id\"]\nwarehouse.table = \"product_purchase_counts\"\nlake.enabled = false",
        ),
    ];
    configure(&mut world, &url, &entries);
    let report = run(&world, &["lake"], 1);
    let failed = told(&report, &avro);
    assert_eq!(
        (&failed["status"], &failed["written"]),
        (&json!("failed"), &json!(0))
    );
    let words = [
        "Kafka partition 0 offset 0",
        &url,
        "Connection refused",
        "check schema_registry.url",
    ];
    has(&failed["error"], &words);
    assert_eq!(told(&report, &plain)["written"], 1, "{report}");
    assert!(stream_lines(&world, &avro).is_empty());
    let report = run(&world, &["warehouse"], 1);
    has(&told(&report, &table)["error"], &words);
    assert_eq!(told(&report, &counts)["upserted"], 1, "{report}");
    assert_eq!(world.value("SELECT COUNT(*) FROM people"), "0");
    let of_table = format!(
        "SELECT COUNT(*) FROM lakectl_progress WHERE topic = '{}'",
        table.name
    );
    assert_eq!(world.value(&of_table), "0");
    // Nothing was lost by it.
    let server = StandIn::start();
    server.has_schema(7, PERSON, &Value::Null);
    configure(&mut world, &server.url(), &entries);
    let report = run(&world, &["lake"], 0);
    assert_eq!(told(&report, &avro)["partitions"][0]["start"], 0, "{report}");
    assert_eq!(
        stream_lines(&world, &avro),
        [r#"{"_key":"k","NAME":"Ada","N":7}"#; 2]
    );
    run(&world, &["warehouse"], 0);
    assert_eq!(world.value("SELECT name FROM people"), "Ada");
    // Each run has asked once for what it needed.
    assert_eq!(server.targets(), ["/schemas/ids/7"; 2]);
    configure(&mut world, &nobody(), &entries);
    run(&world, &["lake", "--topics", &plain.name], 0);
}

#[test]
fn schemas_that_cannot_be_used_fail_the_topic_or_are_kept() {
    let server = StandIn::start();
    server.has_schema(7, PERSON, &Value::Null);
    server.has_schema(8, PERSON_PROTO, &json!({"schemaType": "PROTOBUF"}));
    server.has_schema(10, "{\"type\":\"nothing\"}", &Value::Null);
    for (id, words) in [
        (9, ["does not have schema 9", "error_code 40403"]),
        (
            8,
            [
                "schema 8 is Protobuf, but value.format is avro",
                "set value.format = \\\"protobuf\\\"",
            ],
        ),
        (10, ["schema 10 can't be read", "nothing"]),
    ] {
        let (stream, table) = (Topic::new("unusable"), Topic::compacted("unusable-table"));
        stream.send(&[ada(7), ada(id)]);
        table.send(&[ada(7), record("other", "").bytes(&framed(id, &person("Bob", 1)))]);
        let mut world = Warehouse::new();
        world.execute(PEOPLE);
        let entries = |more: &str| {
            [
                entry(&stream, "stream", &format!("{AVRO}\n{more}")),
                entry(&table, "table", &format!("{KEYED}\n{more}")),
            ]
        };
        configure(&mut world, &server.url(), &entries(""));
        for (command, topic) in [("lake", &stream), ("warehouse", &table)] {
            let report = run(&world, &[command], 1);
            let error = &told(&report, topic)["error"];
            has(error, &words);
            has(
                error,
                &["Kafka partition 0 offset 1", "value.undecodable = \\\"keep\\\""],
            );
        }
        assert!(stream_lines(&world, &stream).is_empty());
        assert_eq!(world.value("SELECT COUNT(*) FROM people"), "0");
        assert_eq!(world.value("SELECT COUNT(*) FROM lakectl_rejects"), "0");
        configure(
            &mut world,
            &server.url(),
            &entries("value.undecodable = \"keep\""),
        );
        let report = run(&world, &["lake"], 3);
        assert_eq!(told(&report, &stream)["irregular"], 1, "{report}");
        let [read, kept] = &stream_lines(&world, &stream)[..] else {
            panic!("{report}")
        };
        assert_eq!(read, r#"{"_key":"k","NAME":"Ada","N":7}"#);
        assert!(
            kept.contains("\"_value_base64\":\"AAAAA") && kept.contains(words[0]),
            "{kept}"
        );
        let report = run(&world, &["warehouse"], 3);
        assert_eq!(told(&report, &table)["rejected"], 1, "{report}");
        assert_eq!(world.value("SELECT name FROM people"), "Ada");
        let raw = world.value("SELECT HEX(value) FROM lakectl_rejects");
        assert_eq!(raw, format!("00000000{id:02X}06426F6202"));
    }
}

#[test]
fn damaged_bytes_under_a_known_schema_are_kept() {
    let server = StandIn::start();
    server.has_schema(7, PERSON, &Value::Null);
    let topic = Topic::new("damaged");
    topic.send(&[ada(7), valued(7, b"\x06Ad")]);
    let mut world = Warehouse::without_database();
    configure(&mut world, &server.url(), &[entry(&topic, "stream", AVRO)]);
    let report = run(&world, &["lake"], 3);
    assert_eq!(told(&report, &topic)["irregular"], 1, "{report}");
    has(
        &report["warnings"],
        &[&topic.name, "1 record", "offset 1", "schema 7", "lakectl check"],
    );
    let kept = &stream_lines(&world, &topic)[1];
    assert!(
        kept.contains("\"_error\":\"value: schema 7: ") && kept.contains("_value_base64"),
        "{kept}"
    );
}

#[test]
fn a_key_under_two_ids_is_one_row() {
    let server = StandIn::start();
    server.has_schema(1, KEY, &Value::Null);
    server.has_schema(2, &KEY.replace("\"K\"", "\"K2\""), &Value::Null);
    server.has_schema(7, PERSON, &Value::Null);
    let topic = Topic::compacted("two-ids");
    let keyed = |id: u32, key: &str, name: &str| {
        ada(7)
            .key(Some(&framed(id, &text(key))))
            .bytes(&framed(7, &person(name, 1)))
    };
    topic.send(&[keyed(1, "a", "Ada"), keyed(2, "b", "Bob")]);
    let mut world = Warehouse::new();
    world.execute(PEOPLE);
    let entries = |keys: &str| {
        [entry(
            &topic,
            "table",
            &AVRO_KEYS.replace("\"avro\"\nvalue", keys),
        )]
    };
    let as_it_is = "\"avro\"\nvalue";
    configure(&mut world, &server.url(), &entries(as_it_is));
    run(&world, &["lake"], 0);
    run(&world, &["warehouse"], 0);
    topic.send(&[
        keyed(2, "a", "Ada L."),
        Record {
            value: None,
            ..keyed(1, "b", "")
        },
    ]);
    run(&world, &["lake"], 0);
    run(&world, &["warehouse"], 0);
    assert_eq!(
        rows(&world, &topic),
        [r#"{"_key":{"ID":"a"},"NAME":"Ada L.","N":1}"#]
    );
    let row = |text: &str| Some(text.to_owned());
    assert_eq!(
        world.query("SELECT * FROM people"),
        [[row("a"), row("Ada L."), row("1")]]
    );
    run(&world, &["lake", "--verify"], 0);
    // Kept in another form, the key would have a second row.
    for keys in ["\"bytes\"\nvalue", "\"avro\"\nwindow.type = \"session\"\nvalue"] {
        configure(&mut world, &server.url(), &entries(keys));
        topic.send(&[keyed(1, "c", "Cleo")]);
        let report = run(&world, &["lake"], 2);
        let words = [
            "how keys are kept",
            "as decoded by key.format = \\\"avro\\\"",
            "lake --rebuild --topics",
        ];
        has(&report, &words);
        let checked = run(&world, &["check", "--only", "lake"], 3);
        has(&checked["checks"], &words);
    }
    configure(&mut world, &server.url(), &entries("\"bytes\"\nvalue"));
    run(&world, &["lake", "--rebuild", "--topics", &topic.name], 0);
    run(&world, &["lake"], 0);
    // By their bytes, a under two ids is two keys, and b was deleted under one of its own.
    assert!(
        rows(&world, &topic)
            .iter()
            .all(|row| row.starts_with("{\"_key\":\"AAAAA"))
    );
}

/// ksqlDB passes headers of its input on. Only what is read by ids has a use for them.
#[test]
fn headers_that_were_passed_on_are_no_part_of_json() {
    let server = StandIn::start();
    server.has_schema(1, KEY, &Value::Null);
    let topic = Topic::compacted("passed-on");
    let id = |id: u8| vec![0, 0, 0, 0, id];
    topic.send(&[record("", "{\"NAME\":\"Ada\",\"N\":1}")
        .key(Some(&text("a")))
        .header("__key_schema_id", Some(&id(1)))
        .header("__value_schema_id", Some(&id(9)))]);
    let mut world = Warehouse::new();
    world.execute(PEOPLE);
    let keys = "key.format = \"avro\"\nwarehouse.table = \"people\"";
    configure(&mut world, &server.url(), &[entry(&topic, "table", keys)]);
    run(&world, &["warehouse"], 0);
    assert_eq!(world.value("SELECT CONCAT(id, name, n) FROM people"), "aAda1");
}

#[test]
fn readers_of_the_lake_work_on_what_was_decoded() {
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let id = register(&url, &unique("person"), PERSON, &Value::Null);
    let topic = Topic::new("read");
    topic.send(&[ada(id)]);
    let mut world = Warehouse::new();
    configure(&mut world, &url, &[entry(&topic, "stream", AVRO)]);
    run(&world, &["lake"], 0);
    // None of them asks the registry.
    configure(&mut world, &nobody(), &[entry(&topic, "stream", AVRO)]);
    has(&run(&world, &["status"], 0), &[&topic.name, "\"records\":1"]);
    run(&world, &["lake", "--verify"], 0);
    let files = world.lakectl(&["files", &topic.name]).expect(0);
    assert_eq!(files.stdout.lines().count(), 1, "{files:?}");
    let schema = world
        .lakectl(&["schema", &topic.name, "--for", "duckdb"])
        .expect(0);
    for word in ["NAME", "VARCHAR", "BIGINT"] {
        assert!(schema.stdout.contains(word), "{schema:?}");
    }
}

/// A registry that takes the question and never answers: a signal ends the wait long before the timeout does.
#[test]
fn a_signal_ends_the_wait_for_an_answer() {
    let topic = Topic::new("registry-silent");
    topic.send(&[valued(1, &[2])]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = Warehouse::new();
    world.set_topics(&format!(
        "[schema_registry]\nurl = \"http://{}\"\ntimeout = \"10m\"\n{}",
        silent.local_addr().unwrap(),
        entry(&topic, "stream", "value.format = \"avro\"")
    ));
    let run = world.start_with(&["lake"], &[]);
    let _asked = silent.accept().unwrap();
    run.signal(rustix::process::Signal::TERM);
    let run = run.wait();
    assert!(run.stderr.contains("stopped by a signal"), "{run:?}");
    assert_eq!(stream_lines(&world, &topic), Vec::<String>::new());
}
