//! `lakectl init-db --for`: proposed, made, and then filled by `lakectl warehouse` without a reject; on MySQL and on MariaDB.

use serde_json::{Value, json};

use super::world::Warehouse;
use crate::common::kafka::{Topic, record};
use crate::common::lake::number;
use crate::common::registry::register;
use crate::common::service;

/// The key collation of each server.
fn on_both(test: impl Fn(Warehouse, &str)) {
    test(Warehouse::new(), "utf8mb4_0900_bin");
    test(Warehouse::on_mariadb(), "utf8mb4_nopad_bin");
}

fn configure(warehouse: &mut Warehouse, topic: &Topic, entry: &str) {
    warehouse.set_topics(&format!(
        "[schema_registry]\nurl = {:?}\n[topics.{:?}]\nkind = \"table\"\nwarehouse.table = \"t\"\n{entry}\n",
        service("LAKECTL_SCHEMA_REGISTRY_URL"),
        topic.name
    ));
}

fn propose(warehouse: &Warehouse, topic: &Topic, arguments: &[&str], code: i32) -> Value {
    let all = [&["init-db", "--json", "--for", &topic.name], arguments].concat();
    warehouse.lakectl(&all).expect(code).report()
}

/// Each column as `name type`, without what servers show differently.
fn columns(warehouse: &Warehouse) -> Vec<String> {
    let rows = warehouse.query(
        "SELECT CONCAT(COLUMN_NAME, ' ', COLUMN_TYPE) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' ORDER BY ORDINAL_POSITION",
    );
    let plain = |text: String| text.replace("bigint(20)", "bigint").replace("int(11)", "int");
    rows.into_iter()
        .map(|row| plain(row[0].clone().unwrap()))
        .collect()
}

fn indexed(warehouse: &Warehouse, index: &str) -> String {
    warehouse.value(&format!(
        "SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' AND INDEX_NAME = '{index}'"
    ))
}

/// Looks, makes the table, and fills it: each record is a change of a row.
fn make_and_fill(warehouse: &Warehouse, topic: &Topic, records: i64) {
    let missing = propose(warehouse, topic, &["--check"], 3);
    assert_eq!(
        (&missing["is_new"], &missing["applied"]),
        (&true.into(), &false.into())
    );
    let printed = propose(warehouse, topic, &["--print"], 0);
    assert_eq!(columns(warehouse), [""; 0]);
    let made = propose(warehouse, topic, &["--yes"], 0);
    assert_eq!((&made["applied"], &made["sql"]), (&true.into(), &printed["sql"]));
    propose(warehouse, topic, &["--check"], 0);
    assert_eq!(propose(warehouse, topic, &["--yes"], 0)["applied"], false);
    fill(warehouse, records);
}

fn fill(warehouse: &Warehouse, records: i64) {
    let report = warehouse.one(&[], 0);
    let found = ["read", "rejected", "irregular"].map(|name| number(&report, name));
    assert_eq!(found, [records, 0, 0], "{report}");
}

fn zigzag(number: i64) -> Vec<u8> {
    varint(((number << 1) ^ (number >> 63)).cast_unsigned())
}

fn varint(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest & 0x7f | 0x80) as u8);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&zigzag(bytes.len() as i64), bytes].concat()
}

fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], payload].concat()
}

const AVRO: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"NAME","type":"string"},
    {"name":"PRICE","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
    {"name":"HUGE","type":{"type":"bytes","logicalType":"decimal","precision":70,"scale":2}},
    {"name":"AT","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"MICROS","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"DAY","type":{"type":"int","logicalType":"date"}},
    {"name":"CLOCK","type":{"type":"int","logicalType":"time-millis"}},
    {"name":"RAW","type":"bytes"},
    {"name":"OK","type":"boolean"},
    {"name":"TAGS","type":{"type":"array","items":"string"}},
    {"name":"F","type":["null","double"],"default":null},
    {"name":"N","type":"int"}]}"#;

fn avro(name: &str) -> Vec<u8> {
    [
        sized(name.as_bytes()),
        sized(&[0x04, 0xd2]),
        sized(&[0xff, 0x85]),
        zigzag(1_761_953_400_123),
        zigzag(1_761_953_400_123_456),
        zigzag(20_392),
        zigzag(84_600_123),
        sized(b"\x00\xff"),
        vec![1],
        [zigzag(1), sized(b"a"), zigzag(0)].concat(),
        zigzag(0),
        zigzag(-7),
    ]
    .concat()
}

#[test]
fn avro_makes_the_types_that_its_schema_means() {
    on_both(|mut warehouse, _| {
        let topic = Topic::compacted("propose-avro");
        let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
        let value = register(&url, &format!("{}-value", topic.name), AVRO, &Value::Null);
        let key = register(&url, &format!("{}-key", topic.name), "\"long\"", &Value::Null);
        let entry = "key = { format = \"avro\", columns = [\"ID\"] }\nvalue.format = \"avro\"\n\
                     warehouse.retention = { column = \"at\", keep = \"7d\" }";
        configure(&mut warehouse, &topic, entry);
        let records = [1, 2].map(|id| {
            record("", "")
                .key(Some(&framed(key, &zigzag(id))))
                .bytes(&framed(value, &avro(&"é".repeat(300))))
        });
        topic.send(&records);
        make_and_fill(&warehouse, &topic, 2);
        let json = columns(&warehouse)[10].clone();
        assert!(json == "TAGS json" || json == "TAGS longtext", "{json}");
        let mut found = columns(&warehouse);
        found.remove(10);
        assert_eq!(
            found,
            [
                "ID bigint",
                "NAME varchar(1024)",
                "PRICE decimal(10,2)",
                "HUGE varchar(255)",
                "AT datetime(3)",
                "MICROS datetime(6)",
                "DAY date",
                "CLOCK time(3)",
                "RAW varbinary(255)",
                "OK tinyint(1)",
                "F double",
                "N int"
            ]
        );
        assert_eq!(indexed(&warehouse, "PRIMARY"), "ID");
        assert_eq!(indexed(&warehouse, "retention"), "AT");
        let row = warehouse.query(
            "SELECT ID, CHAR_LENGTH(NAME), PRICE, HUGE, `AT`, MICROS, `DAY`, CLOCK, HEX(RAW), OK, F, N, JSON_EXTRACT(TAGS, '$[0]') \
             FROM t ORDER BY ID LIMIT 1",
        );
        let text = |cell: &Option<String>| cell.clone().unwrap_or("NULL".to_owned());
        let row: Vec<String> = row[0].iter().map(text).collect();
        assert_eq!(
            row.join("|"),
            "1|300|12.34|-1.23|2025-10-31 23:30:00.123|2025-10-31 23:30:00.123456|2025-10-31|23:30:00.123|00FF|1|NULL|-7|\"a\""
        );
    });
}

#[test]
fn protobuf_makes_the_types_that_its_message_means() {
    on_both(|mut warehouse, collation| {
        let topic = Topic::compacted("propose-proto");
        let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
        let text = "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nmessage R {\n  string name = 1;\n  \
                    uint64 big = 2;\n  google.protobuf.Timestamp at = 3;\n  repeated int32 list = 4;\n}\n";
        let id = register(
            &url,
            &format!("{}-value", topic.name),
            text,
            &json!({"schemaType": "PROTOBUF"}),
        );
        let entry = "key = { format = \"string\", columns = [\"ID\"] }\nvalue.format = \"protobuf\"";
        configure(&mut warehouse, &topic, entry);
        let payload = [
            vec![0, 0x0a, 1, b'x', 0x10],
            varint(u64::MAX),
            vec![0x1a, 6, 0x08],
            varint(1_761_953_400),
            vec![0x22, 2, 5, 6],
        ]
        .concat();
        topic.send(&[
            record("a", "").bytes(&framed(id, &payload)),
            record("a ", "").bytes(&framed(id, &payload)),
            record("A", "").bytes(&framed(id, &payload)),
        ]);
        make_and_fill(&warehouse, &topic, 3);
        let found = columns(&warehouse);
        let unsigned = found[2].replace("bigint(20)", "bigint");
        assert_eq!(
            [&found[0], &found[1], &unsigned, &found[3]],
            [
                "ID varchar(255)",
                "name varchar(255)",
                "big bigint unsigned",
                "at datetime(6)"
            ]
        );
        let key = "SELECT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
                   AND TABLE_NAME = 't' AND COLUMN_NAME = 'ID'";
        assert_eq!(warehouse.value(key), collation);
        // Byte for byte, they are three.
        let rows = "SELECT GROUP_CONCAT(CONCAT(big, ' ', at) SEPARATOR ';') FROM t";
        let one = "18446744073709551615 2025-10-31 23:30:00.000000";
        assert_eq!(warehouse.value(rows), [one; 3].join(";"));
    });
}

#[test]
fn declared_columns_and_windows_make_a_table() {
    on_both(|mut warehouse, _| {
        let topic = Topic::compacted("propose-delimited");
        let entry = "key = { format = \"delimited\", columns = [\"TYPE\", \"NR INT\"] }\n\
                     value = { format = \"delimited\", columns = [\"TOTAL DECIMAL(12,3)\", \"NB BIGINT\", \"SEEN TIMESTAMP\", \"D DATE\", \"T TIME\", \"B BYTES\", \"OK BOOLEAN\"] }\n\
                     window = { type = \"hopping\", size = \"5m\" }\nwarehouse.columns = { window_start = \"since\" }\n\
                     warehouse.retention = { column = \"since\", keep = \"7d\" }";
        configure(&mut warehouse, &topic, entry);
        let window = 1_761_953_400_000_i64.to_be_bytes();
        let key = [b"withdrawal,7".as_slice(), &window].concat();
        let value = "12.500,3,1761953400123,20392,84600123,AP8=,true";
        topic.send(&[
            record("", value).key(Some(&key)),
            record("", value).key(Some(&key)),
        ]);
        make_and_fill(&warehouse, &topic, 2);
        assert_eq!(
            columns(&warehouse),
            [
                "TYPE varchar(255)",
                "NR int",
                "since datetime(3)",
                "TOTAL decimal(12,3)",
                "NB bigint",
                "SEEN datetime(3)",
                "D date",
                "T time(3)",
                "B varbinary(255)",
                "OK tinyint(1)"
            ]
        );
        assert_eq!(indexed(&warehouse, "PRIMARY"), "TYPE,NR,since");
        assert_eq!(indexed(&warehouse, "retention"), "since");
        let row = "SELECT CONCAT_WS('|', `TYPE`, NR, since, TOTAL, NB, SEEN, D, T, HEX(B), OK) FROM t";
        assert_eq!(
            warehouse.value(row),
            "withdrawal|7|2025-10-31 23:30:00.000|12.500|3|2025-10-31 23:30:00.123|2025-10-31|23:30:00.123|00FF|1"
        );
    });
}

#[test]
fn a_session_has_both_its_bounds_in_the_key() {
    let mut warehouse = Warehouse::new();
    let topic = Topic::compacted("propose-session");
    configure(
        &mut warehouse,
        &topic,
        "key = { format = \"bigint\", columns = [\"ID\"] }\nwindow = { type = \"session\" }",
    );
    let bounds = [1_761_953_500_000_i64, 1_761_953_400_000]
        .map(i64::to_be_bytes)
        .concat();
    let key = [&42_i64.to_be_bytes()[..], &bounds].concat();
    topic.send(&[record("", "{\"N\":1}").key(Some(&key))]);
    make_and_fill(&warehouse, &topic, 1);
    assert_eq!(indexed(&warehouse, "PRIMARY"), "ID,window_start,window_end");
}

#[test]
fn samples_of_json_make_a_table_and_new_fields_come_as_columns() {
    on_both(|mut warehouse, _| {
        let topic = Topic::compacted("propose-json");
        configure(&mut warehouse, &topic, "key.format = \"json\"");
        let value = "{\"user\":\"again\",\"TOTAL\":12.50,\"N\":12345678901234567890,\"AT\":\"2025-10-31T23:30:00.5Z\",\
                     \"DAY\":\"2025-10-31\",\"LIST\":[1,{}],\"OK\":false,\"NOTHING\":null,\"A.B`\":\"x\"}";
        topic.send(&[
            record("{\"USER\":\"é\",\"NR\":7}", value),
            record("{\"USER\":\"e\",\"NR\":7}", "{\"TOTAL\":-3}"),
        ]);
        make_and_fill(&warehouse, &topic, 2);
        let mut found = columns(&warehouse);
        let json = found.remove(6);
        assert!(json == "LIST json" || json == "LIST longtext", "{json}");
        assert_eq!(
            found,
            [
                "USER varchar(255)",
                "NR bigint",
                "TOTAL decimal(21,6)",
                "N decimal(26,0)",
                "AT datetime(3)",
                "DAY date",
                "OK tinyint(1)",
                "NOTHING varchar(1024)",
                "A.B` varchar(255)"
            ]
        );
        let row = "SELECT CONCAT_WS('|', USER, TOTAL, N, `AT`, `A.B```) FROM t WHERE USER = 'é'";
        assert_eq!(
            warehouse.value(row),
            "é|12.500000|12345678901234567890|2025-10-31 23:30:00.500|x"
        );
        topic.send(&[record(
            "{\"USER\":\"f\",\"NR\":8}",
            "{\"TOTAL\":1,\"more\":{\"a\":1},\"TEXT\":\"b\"}",
        )]);
        let lacks = propose(&warehouse, &topic, &["--check"], 3);
        assert_eq!(
            (&lacks["is_new"], &lacks["columns"]),
            (&false.into(), &json!(["more", "TEXT"]))
        );
        let added = propose(&warehouse, &topic, &["--yes"], 0);
        let sql =
            "ALTER TABLE `t`\n    ADD COLUMN `more` JSON NULL,\n    ADD COLUMN `TEXT` VARCHAR(255) NULL";
        assert_eq!((&added["sql"], &added["applied"]), (&sql.into(), &true.into()));
        propose(&warehouse, &topic, &["--check"], 0);
        fill(&warehouse, 1);
        assert_eq!(warehouse.value("SELECT `TEXT` FROM t WHERE USER = 'f'"), "b");
    });
}

/// The topic is empty: a schema alone is enough.
#[test]
fn json_sr_and_an_empty_topic_make_a_table() {
    let mut warehouse = Warehouse::new();
    let topic = Topic::compacted("propose-json-sr");
    let text = r#"{"type":"object","properties":{"B":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int64"}]},
        "A":{"connect.index":0,"type":"string"}}}"#;
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let subject = format!("{}-value", topic.name);
    let id = register(&url, &subject, text, &json!({"schemaType": "JSON"}));
    configure(&mut warehouse, &topic, "value.format = \"json_sr\"");
    propose(&warehouse, &topic, &["--yes"], 0);
    assert_eq!(
        columns(&warehouse),
        ["rowkey varchar(255)", "A varchar(1024)", "B bigint"]
    );
    topic.send(&[record("k", "").bytes(&framed(id, b"{\"A\":\"a\",\"B\":9007199254740993}"))]);
    fill(&warehouse, 1);
    assert_eq!(
        warehouse.value("SELECT CONCAT(rowkey, A, B) FROM t"),
        "ka9007199254740993"
    );
}

/// Without a subject of the topic's name, the records say which schemas they were written with.
#[test]
fn the_schemas_of_the_newest_records_are_enough() {
    let mut warehouse = Warehouse::new();
    let topic = Topic::compacted("propose-ids");
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    let schema = |fields: &str| format!("{{\"type\":\"record\",\"name\":\"R\",\"fields\":[{fields}]}}");
    let old = schema(r#"{"name":"OLD","type":"int"},{"name":"X","type":"int"}"#);
    let new =
        schema(r#"{"name":"X","type":"int"},{"name":"NEW","type":{"type":"int","logicalType":"date"}}"#);
    let [old, new] =
        [old, new].map(|text| register(&url, &crate::common::unique("other"), &text, &Value::Null));
    configure(&mut warehouse, &topic, "value.format = \"avro\"");
    topic.send(&[
        record("a", "").bytes(&framed(old, &[2, 4])),
        record("b", "").bytes(&framed(new, &[6, 8])),
    ]);
    make_and_fill(&warehouse, &topic, 2);
    assert_eq!(
        columns(&warehouse),
        ["rowkey varchar(255)", "X int", "NEW date", "OLD int"]
    );
}

#[test]
fn what_can_not_be_proposed_is_said() {
    let mut warehouse = Warehouse::new();
    let topic = Topic::compacted("propose-not");
    let told = |warehouse: &Warehouse, arguments: &[&str], words: &[&str]| {
        let all = [&["init-db", "--for", &topic.name], arguments].concat();
        warehouse.lakectl(&all).fails(2, words);
    };
    told(&warehouse, &["--print"], &["not configured"]);
    configure(&mut warehouse, &topic, "");
    told(&warehouse, &[], &["no terminal", "--yes"]);
    let run = warehouse.lakectl(&["init-db", "--for", &topic.name, "--print"]);
    run.fails(1, &["the topic is empty", "value.columns"]);
    configure(&mut warehouse, &topic, "key.format = \"json\"");
    topic.send(&[record("\"bare\"", "{\"a\":1}")]);
    told(&warehouse, &["--print"], &["key.columns"]);
    configure(&mut warehouse, &topic, "key.format = \"none\"");
    told(&warehouse, &["--print"], &["key.format is none"]);
    warehouse.set_topics(&format!("[topics.{:?}]\nkind = \"stream\"\n", topic.name));
    told(&warehouse, &["--print"], &["kind = \"table\""]);
    // A table of another key can't get one by a new column.
    configure(
        &mut warehouse,
        &topic,
        "key = { format = \"json\", columns = [\"ID\"] }",
    );
    warehouse.execute("CREATE TABLE t (other INT PRIMARY KEY)");
    let report = propose(&warehouse, &topic, &["--check"], 3);
    assert_eq!(report["missing_keys"], json!(["ID"]));
}
