//! Formats that are not the configured ones, told by the records and by a schema registry.

use serde_json::{Value, json};

use crate::answer::{Answer, check};
use crate::common::avro::{PERSON, PERSON_PROTO, framed, person, person_proto, text};
use crate::common::kafka::{NOON_MS, Record, Topic, record};
use crate::common::registry::{Reply, StandIn, register};
use crate::common::{service, unique};
use crate::world::Warehouse;

const LAKE: [&str; 2] = ["--only", "lake"];

fn valued(value: &[u8]) -> Record {
    record("k", "").bytes(value)
}

fn keyed(key: &[u8], times: &[i64]) -> Record {
    let times: Vec<u8> = times.iter().flat_map(|ms| ms.to_be_bytes()).collect();
    record("", "{\"A\":1}").key(Some(&[key, &times].concat()))
}

/// A topic with its entry, its records, and the name and words of the check that finds it wrong.
struct Case {
    label: &'static str,
    entry: &'static str,
    records: Vec<Record>,
    check: &'static str,
    words: &'static [&'static str],
}

/// Checks all of them at once, each with two copies of its records.
fn all_are_wrong(registry: &str, cases: &[Case]) -> Answer {
    let mut entries = registry.to_owned();
    let topics: Vec<Topic> = cases
        .iter()
        .map(|case| {
            let topic = Topic::new(&format!("check-{}", case.label));
            topic.send(&[&case.records[..], &case.records[..]].concat());
            entries += &format!("[topics.{:?}]\n{}\n", topic.name, case.entry);
            topic
        })
        .collect();
    let mut world = Warehouse::without_database();
    world.set_topics(&entries);
    let answer = check(&world, &LAKE, 3);
    for (topic, case) in topics.iter().zip(cases) {
        answer.is_wrong(&topic.name, case.check, case.words);
    }
    assert_eq!(answer.wrong().len(), cases.len(), "{:?}", answer.wrong());
    answer
}

#[test]
fn formats_that_the_registry_names() {
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let schema = |label: &str, schema: &str, kind: &str| {
        register(&url, &unique(label), schema, &json!({"schemaType": kind}))
    };
    let avro = schema("avro", PERSON, "AVRO");
    let protobuf = schema("protobuf", PERSON_PROTO, "PROTOBUF");
    let json_sr = schema(
        "json",
        "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\"}",
        "JSON",
    );
    let string = schema("string", "\"string\"", "AVRO");
    let ada = framed(avro, &person("Ada", 7));
    let ada_proto = framed(protobuf, &person_proto("Ada"));
    let key = framed(string, &text("USER-1"));
    let value = |value: &[u8]| vec![valued(value)];
    let case = |label, entry, records, check, words| Case {
        label,
        entry,
        records,
        check,
        words,
    };
    let stream = "kind = \"stream\"";
    let avro_keys = "kind = \"stream\"\nkey.format = \"avro\"";
    let in_windows =
        "kind = \"stream\"\nkey.format = \"avro\"\nwindow = { type = \"hopping\", size = \"5m\" }";
    let cases = [
        case(
            "json-avro",
            stream,
            value(&ada),
            "values",
            &[
                "2 of 2",
                "as JSON",
                "set value.format = \\\"avro\\\"",
                "VALUE_FORMAT = 'JSON'",
            ],
        ),
        case(
            "json-protobuf",
            stream,
            value(&ada_proto),
            "values",
            &["set value.format = \\\"protobuf\\\""],
        ),
        case(
            "json-sr",
            stream,
            value(&framed(json_sr, b"{\"A\":1}")),
            "values",
            &["set value.format = \\\"json_sr\\\""],
        ),
        case(
            "text-avro",
            "kind = \"stream\"\nvalue.format = \"kafka\"",
            value(&ada),
            "values",
            &[
                // Whether they can be depends on the schema's number: its bytes may be text.
                "be read as kafka",
                "set value.format = \\\"avro\\\"",
            ],
        ),
        case(
            "delimited-avro",
            "kind = \"stream\"\nvalue = { format = \"delimited\", columns = [\"A\", \"B\"] }",
            value(&ada),
            "values",
            &["2 of 2", "as delimited", "set value.format = \\\"avro\\\""],
        ),
        case(
            "avro-protobuf",
            "kind = \"stream\"\nvalue.format = \"avro\"",
            value(&ada_proto),
            "values",
            &[
                "a run would fail",
                "is Protobuf",
                "set value.format = \\\"protobuf\\\"",
                "value.undecodable",
            ],
        ),
        case(
            "avro-json",
            "kind = \"stream\"\nvalue.format = \"avro\"",
            value(b"{\"A\":1}"),
            "values",
            &["2 of 2", "as avro", "set value.format = \\\"json\\\""],
        ),
        case(
            "none-json",
            "kind = \"stream\"\nvalue.format = \"none\"",
            value(b"{\"A\":1}"),
            "values",
            &["set value.format = \\\"json\\\""],
        ),
        case(
            "key-text",
            "kind = \"table\"",
            vec![keyed(&key, &[])],
            "keys",
            &["string", "key.format = \\\"avro\\\""],
        ),
        case(
            "key-json",
            "kind = \"stream\"\nkey.format = \"json\"",
            vec![keyed(&key, &[NOON_MS])],
            "keys",
            &["key.format = \\\"avro\\\" and window = { type = \\\"tumbling\\\""],
        ),
        case(
            "key-windowed",
            avro_keys,
            vec![keyed(&key, &[NOON_MS])],
            "keys",
            &["2 of 2", "window = { type = \\\"tumbling\\\""],
        ),
        case(
            "key-session",
            in_windows,
            vec![keyed(&key, &[NOON_MS, NOON_MS])],
            "keys",
            &["window = { type = \\\"session\\\""],
        ),
        case(
            "key-windowless",
            in_windows,
            vec![keyed(&key, &[])],
            "keys",
            &["no window entry"],
        ),
        case(
            "key-plain",
            avro_keys,
            vec![keyed(b"USER-1", &[])],
            "keys",
            &["key.format = \\\"string\\\""],
        ),
        case(
            "key-protobuf",
            "kind = \"stream\"\nkey.format = \"protobuf\"",
            vec![keyed(&key, &[])],
            "keys",
            &["a run would fail", "is Avro", "key.format = \\\"avro\\\""],
        ),
    ];
    let answer = all_are_wrong(&format!("[schema_registry]\nurl = {url:?}\n"), &cases);
    answer.ok("schema_registry", "answer", &[&url, "answers, without a login"]);
    // What is configured as it is, is all right.
    let topic = Topic::compacted("check-right");
    topic.send(&[keyed(&key, &[NOON_MS]).bytes(&ada)]);
    let mut world = Warehouse::without_database();
    world.set_topics(&format!(
        "[schema_registry]\nurl = {url:?}\n[topics.{:?}]\nkind = \"table\"\nkey.format = \"avro\"\n\
         value.format = \"avro\"\nwindow = {{ type = \"hopping\", size = \"5m\" }}\n",
        topic.name
    ));
    let answer = check(&world, &LAKE, 0);
    answer.ok(&topic.name, "keys", &["1 of 1 are avro with a window"]);
    answer.ok(&topic.name, "values", &["1 of 1 are objects of format avro"]);
}

#[test]
fn formats_that_the_bytes_tell() {
    let lines = |values: &[&[u8]]| values.iter().map(|value| valued(value)).collect();
    let case = |label, value, records, words| Case {
        label,
        entry: value,
        records,
        check: "values",
        words,
    };
    let of_two = "kind = \"stream\"\nvalue = { format = \"delimited\", columns = [\"A\", \"B INT\"] }";
    let of_int = "kind = \"stream\"\nvalue = { format = \"kafka\", columns = [\"N INT\"] }";
    let cases = [
        case(
            "fields",
            of_two,
            lines(&[b"a,1,x", b"b,2,y"]),
            &["2 are configured", "name 3 columns in value.columns"],
        ),
        case(
            "delimiter",
            of_two,
            lines(&[b"a;1", b"b;2"]),
            &["set value.delimiter = \\\";\\\""],
        ),
        case(
            "bigint",
            of_int,
            lines(&[&7i64.to_be_bytes()]),
            &["INT has 4 bytes, not 8", "value.columns = [\\\"N BIGINT\\\"]"],
        ),
        case(
            "double",
            of_int,
            lines(&[&1.5f64.to_be_bytes()]),
            &["value.columns = [\\\"N DOUBLE\\\"]"],
        ),
        case(
            "varchar",
            of_int,
            lines(&[b"some text"]),
            &["value.columns = [\\\"N VARCHAR\\\"]"],
        ),
        case(
            "int",
            "kind = \"stream\"\nvalue.format = \"kafka\"",
            lines(&[&7i32.to_be_bytes()]),
            &[
                "all 2 can be read as kafka",
                "value.columns = [\\\"VALUE INT\\\"]",
            ],
        ),
        case(
            "json-lines",
            "kind = \"stream\"",
            lines(&[b"a,1", b"b,2"]),
            &["they look like 2 fields", "value.format = \\\"delimited\\\""],
        ),
        case(
            "json-bigint",
            "kind = \"stream\"",
            lines(&[&7i64.to_be_bytes()]),
            &["they look like BIGINT", "value.format = \\\"kafka\\\""],
        ),
        case(
            "json-id",
            "kind = \"stream\"",
            lines(&[&framed(7, &person("Ada", 7))]),
            &["schema registry's id", "schema_registry.url", "\\\"avro\\\""],
        ),
        Case {
            check: "keys",
            ..case(
                "key-fields",
                "kind = \"stream\"\nkey = { format = \"delimited\", columns = [\"A\", \"B\"] }",
                vec![keyed(b"a,1,x", &[])],
                &["name 3 columns in key.columns"],
            )
        },
        Case {
            check: "keys",
            ..case(
                "key-bigint",
                "kind = \"stream\"\nkey = { format = \"kafka\", columns = [\"N INT\"] }",
                vec![keyed(&7i64.to_be_bytes(), &[])],
                &["key.format = \\\"bigint\\\""],
            )
        },
        Case {
            check: "keys",
            ..case(
                "key-int",
                "kind = \"table\"",
                vec![keyed(&7i32.to_be_bytes(), &[])],
                &["key.format = \\\"int\\\""],
            )
        },
    ];
    let answer = all_are_wrong("", &cases);
    answer.has_none("schema_registry", "answer");
    // Old keys are text as long as no separator says otherwise.
    let topic = Topic::compacted("check-separator");
    topic.send(&[record("a|+|1", "{\"A\":1}"), record("b|+|2", "17")]);
    let mut world = Warehouse::without_database();
    world.set_topics(&format!("[topics.{:?}]\nkind = \"table\"\n", topic.name));
    let answer = check(&world, &LAKE, 0);
    answer.ok(&topic.name, "keys", &["key.separator = \\\"|+|\\\"", "2 names"]);
    answer.ok(&topic.name, "values", &["value.columns = [\\\"NAME\\\"]"]);
    // A few among JSON are named, too.
    let mixed = Topic::new("check-some-ids");
    let json = || valued(b"{\"A\":1}");
    mixed.send(&[json(), json(), json(), valued(&framed(7, &person("Ada", 7)))]);
    world.set_topics(&format!("[topics.{:?}]\nkind = \"stream\"\n", mixed.name));
    let answer = check(&world, &LAKE, 0);
    answer.ok(
        &mixed.name,
        "values",
        &["3 of 4", "1 would be kept as text", "schema registry's id"],
    );
}

/// The entry of a topic of Avro.
fn avro_entry(topic: &Topic, more: &str) -> String {
    format!(
        "[topics.{:?}]\nkind = \"stream\"\nvalue.format = \"avro\"\n{more}\n",
        topic.name
    )
}

#[test]
fn schemas_that_are_unknown_or_encrypt() {
    let server = StandIn::start();
    let encrypts = json!({"ruleSet": {"domainRules": [{"type": "ENCRYPT", "name": "pii"}]}});
    server.has_schema(7, PERSON, &encrypts);
    let labels = ["secret", "unknown", "kept", "guid"];
    let topics = labels.map(|label| Topic::new(&format!("check-{label}")));
    let [secret, unknown, kept, guid] = &topics;
    let ada = person("Ada", 7);
    secret.send(&[valued(&framed(7, &ada)), valued(&framed(7, &ada))]);
    unknown.send(&[valued(&framed(7, &ada)), valued(&framed(9, &ada))]);
    kept.send(&[valued(&framed(7, &ada)), valued(&framed(9, &ada))]);
    let id = [&[1][..], &[17; 16]].concat();
    guid.send(&vec![valued(&ada).header("__value_schema_id", Some(&id)); 2]);
    let text = "11111111-1111-1111-1111-111111111111";
    server.answers(
        &format!("/schemas/guids/{text}"),
        [Reply::json(200, &json!({"schema": PERSON}))],
    );
    let mut world = Warehouse::without_database();
    world.set_topics(&format!(
        "[schema_registry]\nurl = {:?}\n{}{}{}[topics.{:?}]\nkind = \"stream\"\n",
        server.url(),
        avro_entry(secret, ""),
        avro_entry(unknown, ""),
        avro_entry(kept, "value.undecodable = \"keep\""),
        guid.name
    ));
    let answer = check(&world, &LAKE, 3);
    let encrypted = "schema 7 has rules that encrypt: such fields stay encrypted";
    answer.ok(&secret.name, "values", &["2 of 2", encrypted]);
    answer.is_wrong(
        &unknown.name,
        "values",
        &["a run would fail", "does not have schema 9", "value.undecodable"],
    );
    answer.ok(&kept.name, "values", &["1 of 2", "does not have schema 9"]);
    answer.is_wrong(&guid.name, "values", &["set value.format = \\\"avro\\\"", text]);
    assert_eq!(answer.wrong().len(), 2, "{:?}", answer.wrong());
    let mut asked = server.targets();
    asked.sort();
    asked.retain(|target| target.starts_with("/schemas/"));
    assert_eq!(
        asked,
        [
            &format!("/schemas/guids/{text}"),
            "/schemas/ids/7",
            "/schemas/ids/9"
        ]
    );
}

#[test]
fn a_registry_that_does_not_answer() {
    let (avro, plain) = (Topic::new("check-avro"), Topic::new("check-plain"));
    avro.send(&[valued(&framed(7, &person("Ada", 7)))]);
    plain.send(&[record("a", "{\"A\":1}")]);
    let mut world = Warehouse::without_database();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let server = StandIn::start();
    let latest = format!("/subjects/{}-value/versions/latest", avro.name);
    server.answers(&latest, [Reply::error(401, 40101, "who are you")]);
    let registry = |url: &str| format!("[schema_registry]\nurl = {url:?}\n");
    let login = "[schema_registry]\nurl = {}\nuser = \"me\"\n".replace("{}", &format!("{:?}", server.url()));
    for (registry, words) in [
        (
            registry(&nobody),
            ["Connection refused", "check schema_registry.url"],
        ),
        (
            registry(&server.url()),
            ["HTTP 401: who are you", "schema_registry.user"],
        ),
        (
            String::new(),
            ["no schema registry is configured", "LAKECTL_SCHEMA_REGISTRY_URL"],
        ),
    ] {
        let plain = format!("[topics.{:?}]\nkind = \"stream\"\n", plain.name);
        world.set_topics(&format!("{registry}{}{plain}", avro_entry(&avro, "")));
        let answer = check(&world, &LAKE, 3);
        answer.is_wrong("schema_registry", "answer", &[&words[..], &[&avro.name]].concat());
        answer.unknown(&avro.name, "records", &["not checked", "registry"]);
        answer.has_none(&avro.name, "values");
        assert_eq!(answer.wrong(), [("schema_registry", "answer")]);
    }
    answer_of(&world, &plain);
    // A registry that answers, with whom it takes us for.
    server.answers(&latest, [Reply::error(404, 40401, "Subject not found")]);
    server.has_schema(7, PERSON, &Value::Null);
    world.set_topics(&format!("{login}{}", avro_entry(&avro, "")));
    let run = world
        .start_with(
            &["check", "--json", "--only", "lake"],
            &[("LAKECTL_SCHEMA_REGISTRY_PASSWORD", "hunter2")],
        )
        .wait();
    assert!(!format!("{run:?}").contains("hunter2"), "{run:?}");
    let answer = Answer::of(run, 0);
    answer.ok("schema_registry", "answer", &["answers, logged in as me"]);
    answer.ok(&avro.name, "values", &["1 of 1"]);
}

/// A topic that needs no registry is looked at without one, and the registry is not asked.
fn answer_of(world: &Warehouse, plain: &Topic) {
    let answer = check(world, &["--only", "lake", "--topics", &plain.name], 0);
    answer.ok(&plain.name, "values", &["1 of 1"]);
}
