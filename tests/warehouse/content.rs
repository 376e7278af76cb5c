//! Values of every kind through the warehouse: each is a row as it was written, or a reject with its reason, its bytes and
//! its coordinates, and costs no other record anything.

use std::collections::BTreeMap;

use super::world::{Row, Warehouse, query};
use crate::common::kafka::{Record, Topic, record, tombstone};
use crate::common::lake::number;

/// What is to become of a record.
#[derive(Debug, Clone)]
enum Fate {
    /// A row with these columns; all others are NULL.
    Kept(Vec<(&'static str, String)>),
    /// The reason contains this.
    Rejected(&'static str),
    /// A table's record without a key says nothing about any row: it is counted, and skipped.
    NoKey,
}

const COLUMNS: [(&str, &str); 14] = [
    ("n", "INT"),
    ("big", "BIGINT"),
    ("wide", "DECIMAL(65,0)"),
    ("amount", "DECIMAL(10,2)"),
    ("ratio", "DOUBLE"),
    ("flag", "BOOLEAN"),
    ("name", "VARCHAR(10)"),
    ("note", "TEXT"),
    ("doc", "JSON"),
    ("at", "TIMESTAMP(3) NULL"),
    ("moment", "DATETIME(3)"),
    ("day", "DATE"),
    ("kind", "ENUM('a','b')"),
    ("raw", "VARBINARY(4)"),
];

fn kept(column: &'static str, cell: &str) -> Fate {
    Fate::Kept(vec![(column, cell.to_owned())])
}

/// Values of single columns.
fn fields() -> Vec<(&'static str, Fate)> {
    use Fate::Rejected;
    vec![
        // Numbers.
        (r#"{"N":2147483647}"#, kept("n", "2147483647")),
        (r#"{"N":2147483648}"#, Rejected("column n: out of range")),
        (r#"{"N":1.0}"#, kept("n", "1")),
        (r#"{"N":-0.0}"#, kept("n", "0")),
        (r#"{"N":2e3}"#, kept("n", "2000")),
        (r#"{"N":1.5}"#, Rejected("not a whole number")),
        (r#"{"N":" 7"}"#, Rejected("not a number")),
        (r#"{"N":"7"}"#, kept("n", "7")),
        (r#"{"N":true}"#, kept("n", "1")),
        (r#"{"N":[1]}"#, Rejected("column n: not a number")),
        (r#"{"N":{"a":1}}"#, Rejected("column n: not a number")),
        (r#"{"N":1e308}"#, Rejected("column n")),
        (r#"{"N":1e400}"#, Rejected("value: number out of range")),
        (
            r#"{"BIG":9223372036854775807}"#,
            kept("big", "9223372036854775807"),
        ),
        (
            r#"{"BIG":-9223372036854775809}"#,
            Rejected("column big: out of range"),
        ),
        (
            r#"{"BIG":123456789012345678901234567890}"#,
            Rejected("column big"),
        ),
        (r#"{"AMOUNT":12.340}"#, kept("amount", "12.34")),
        (r#"{"AMOUNT":0.005}"#, kept("amount", "0.01")),
        (r#"{"AMOUNT":-0.005}"#, kept("amount", "-0.01")),
        (r#"{"AMOUNT":99999999.994}"#, kept("amount", "99999999.99")),
        (r#"{"AMOUNT":99999999.995}"#, Rejected("DECIMAL(10,2)")),
        (r#"{"AMOUNT":1e-400}"#, kept("amount", "0.00")),
        (r#"{"AMOUNT":"1,5"}"#, Rejected("not a number")),
        (r#"{"AMOUNT":""}"#, Rejected("not a number")),
        (r#"{"RATIO":5e-324}"#, kept("ratio", "5e-324")),
        (r#"{"RATIO":"NaN"}"#, Rejected("column ratio")),
        (r#"{"RATIO":"Infinity"}"#, Rejected("column ratio")),
        (r#"{"RATIO":NaN}"#, Rejected("value: ")),
        (r#"{"FLAG":false}"#, kept("flag", "0")),
        (r#"{"FLAG":"yes"}"#, Rejected("column flag: not a number")),
        (r#"{"FLAG":[]}"#, Rejected("column flag: not a number")),
        // Texts.
        (r#"{"NAME":"é😀\ud83d\ude00"}"#, kept("name", "é😀😀")),
        (
            r#"{"NAME":"😀😀😀😀😀😀😀😀😀😀"}"#,
            kept("name", "😀😀😀😀😀😀😀😀😀😀"),
        ),
        (r#"{"NAME":"12345678901"}"#, Rejected("longer than 10 characters")),
        (r#"{"NAME":"1234567890 "}"#, Rejected("longer than 10 characters")),
        (r#"{"NAME":"a\u0000b"}"#, kept("name", "a\0b")),
        (r#"{"NAME":"\\' --\""}"#, kept("name", "\\' --\"")),
        (r#"{"NAME":"');DROP--"}"#, kept("name", "');DROP--")),
        (r#"{"NAME":"\ud800"}"#, Rejected("value: ")),
        (r#"{"NAME":12.340}"#, kept("name", "12.340")),
        (r#"{"NAME":false}"#, kept("name", "false")),
        (r#"{"NAME":[1, 2]}"#, kept("name", "[1, 2]")),
        (
            r#"{"NAME":{"long":"object"}}"#,
            Rejected("longer than 10 characters"),
        ),
        (r#"{"NOTE":{"a":[1]}}"#, kept("note", r#"{"a":[1]}"#)),
        (r#"{"NAME":null}"#, Fate::Kept(vec![])),
        (r#"{"RAW":"AP8="}"#, kept("raw", "\0ÿ")),
        (r#"{"RAW":"no base64"}"#, Rejected("column raw: not base64")),
        (r#"{"RAW":"AAAAAAA="}"#, Rejected("longer than 4 bytes")),
        (r#"{"KIND":"A"}"#, kept("kind", "a")),
        (r#"{"KIND":"c"}"#, Rejected("ENUM")),
        (r#"{"KIND":1}"#, Rejected("ENUM")),
        // JSON.
        (
            r#"{"DOC":[1,{"a":"é\u0000"}]}"#,
            kept("doc", r#"[1,{"a":"é\u0000"}]"#),
        ),
        (r#"{"DOC":"text"}"#, kept("doc", r#""text""#)),
        (r#"{"DOC":false}"#, kept("doc", "false")),
        (r#"{"DOC":null}"#, Fate::Kept(vec![])),
        // Times.
        (
            r#"{"AT":"2025-10-31T00:30:00.1239+01:00"}"#,
            kept("at", "2025-10-30 23:30:00.123"),
        ),
        (
            r#"{"AT":"2038-01-19T03:14:07.999Z"}"#,
            kept("at", "2038-01-19 03:14:07.999"),
        ),
        (r#"{"AT":"2038-01-19T03:14:08Z"}"#, Rejected("1970 to 2038")),
        (r#"{"AT":"1969-12-31T23:59:59Z"}"#, Rejected("1970 to 2038")),
        (r#"{"AT":0}"#, Rejected("1970 to 2038")),
        (r#"{"AT":1}"#, Rejected("1970 to 2038")),
        (r#"{"AT":1761868799123}"#, kept("at", "2025-10-30 23:59:59.123")),
        (r#"{"AT":"9999-12-31T23:59:59Z"}"#, Rejected("1970 to 2038")),
        (r#"{"AT":"soon"}"#, Rejected("column at")),
        (r#"{"AT":{}}"#, Rejected("not a date or time")),
        (r#"{"AT":true}"#, Rejected("not a date or time")),
        (
            r#"{"MOMENT":"9999-12-31T23:59:59.9999Z"}"#,
            kept("moment", "9999-12-31 23:59:59.999"),
        ),
        (
            r#"{"MOMENT":"9999-12-31T23:59:59-01:00"}"#,
            Rejected("column moment"),
        ),
        (r#"{"MOMENT":-1}"#, kept("moment", "1969-12-31 23:59:59.999")),
        (r#"{"MOMENT":"2025-02-30T00:00:00Z"}"#, Rejected("column moment")),
        (r#"{"MOMENT":"0000-00-00 00:00:00"}"#, Rejected("column moment")),
        (r#"{"MOMENT":1e300}"#, Rejected("column moment")),
        (r#"{"DAY":20392}"#, kept("day", "2025-10-31")),
        (r#"{"DAY":"2024-02-29"}"#, kept("day", "2024-02-29")),
        (r#"{"DAY":2932897}"#, Rejected("column day")),
    ]
}

/// Values that are not rows, whatever the table, and some that only look so.
fn values() -> Vec<(Vec<u8>, Fate)> {
    use Fate::{Kept, Rejected};
    let text = |text: &str| text.as_bytes().to_vec();
    let deep = |levels: usize| {
        text(&format!(
            "{{\"NOTE\":{}{}}}",
            "[".repeat(levels),
            "]".repeat(levels)
        ))
    };
    vec![
        (text("{}"), Kept(vec![])),
        (text(" {\r\n}\t"), Kept(vec![])),
        (text(r#"{"unknown":1,"na`me":2,"x' OR 1=1":3}"#), Kept(vec![])),
        (text("{\"N\"\n:\r1}"), kept("n", "1")),
        (text(""), Rejected("value: ")),
        (text("null"), Rejected("value: JSON, but not an object")),
        (text("[]"), Rejected("value: JSON, but not an object")),
        (text("1e5"), Rejected("value: JSON, but not an object")),
        (text("\"{}\""), Rejected("value: JSON, but not an object")),
        (text("\u{feff}{}"), Rejected("value: ")),
        (text("{\"N\":1} {\"N\":2}"), Rejected("value: trailing")),
        (text("{\"N\":1,\"n\":2}"), Rejected("twice")),
        (text("{\"N\":1,\"\\u004e\":2}"), Rejected("twice")),
        (
            b"{\"NOTE\":\"\xff\"}".to_vec(),
            Rejected("value: not UTF-8 at byte 9"),
        ),
        (vec![0, 159, 146, 150], Rejected("value: not UTF-8")),
        (
            deep(126),
            kept("note", &format!("{}{}", "[".repeat(126), "]".repeat(126))),
        ),
        (deep(127), Rejected("value: recursion limit")),
        (deep(129), Rejected("value: recursion limit")),
        (deep(100_000), Rejected("value: recursion limit")),
        // MySQL's JSON goes down to 100 levels, which is known; MariaDB's to 32: the server's own refusal, with its number.
        (
            text(&format!("{{\"DOC\":{}1{}}}", "[".repeat(110), "]".repeat(110))),
            Rejected(""),
        ),
    ]
}

/// Keys that are rows of their own, however alike, and keys that none can have.
fn keys() -> Vec<(Option<Vec<u8>>, Fate)> {
    let row = || Fate::Kept(vec![("n", "1".to_owned())]);
    let alike = [
        "k",
        "K",
        "k ",
        " k",
        "k\t",
        "ḱ",
        "k\u{301}",
        "",
        "\0",
        "😀",
        "ｋ",
        "'; --",
        "`\"\\",
        "12345678901234567890",
    ];
    let mut keys: Vec<_> = alike
        .iter()
        .map(|key| (Some(key.as_bytes().to_vec()), row()))
        .collect();
    keys.push((
        Some(b"123456789012345678901".to_vec()),
        Fate::Rejected("column id: longer than 20 characters"),
    ));
    keys.push((Some(vec![0xff]), Fate::Rejected("key: not UTF-8 at byte 0")));
    keys.push((None, Fate::NoKey));
    keys
}

fn cases() -> (Vec<Record>, Vec<Fate>) {
    let texts = fields()
        .into_iter()
        .map(|(value, fate)| (value.as_bytes().to_vec(), fate));
    // 65 digits are what a DECIMAL can have.
    let wide = |digits: usize| format!("{{\"WIDE\":{}}}", "9".repeat(digits)).into_bytes();
    let widths = [
        (wide(65), kept("wide", &"9".repeat(65))),
        (wide(66), Fate::Rejected("DECIMAL(65,0)")),
    ];
    let (mut records, mut fates): (Vec<Record>, Vec<Fate>) = texts
        .chain(widths)
        .chain(values())
        .enumerate()
        .map(|(at, (value, fate))| (record(&format!("value {at}"), "").bytes(&value), fate))
        .unzip();
    for (key, fate) in keys() {
        records.push(record("", "{\"N\":1}").key(key.as_deref()));
        fates.push(fate);
    }
    // Times of the records themselves are nothing to a table.
    for (at, time) in [-1, 1, 253_402_300_799_999, 253_402_300_800_000]
        .into_iter()
        .enumerate()
    {
        records.push(record(&format!("time {at}"), "{\"N\":1}").at(time));
        fates.push(kept("n", "1"));
    }
    (records, fates)
}

fn every_record_is_a_row_or_a_reject(warehouse: Warehouse, collation: &str) {
    let topic = Topic::new("content");
    let (records, fates) = cases();
    topic.send(&records);
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, kind)| format!("`{name}` {kind}"))
        .collect();
    warehouse.execute(&format!(
        "CREATE TABLE content (id VARCHAR(20) COLLATE {collation} PRIMARY KEY, {}) DEFAULT CHARACTER SET utf8mb4 COLLATE {collation}",
        columns.join(", ")
    ));
    let warehouse = warehouse.table(&topic, "content", "id");
    let run = warehouse.run(&[]).expect(3);
    let report = &run.report()["topics"][0];
    let rejected = fates
        .iter()
        .filter(|fate| matches!(fate, Fate::Rejected(_)))
        .count();
    let skipped = fates.iter().filter(|fate| matches!(fate, Fate::NoKey)).count();
    let kept = fates.len() - rejected - skipped;
    let found = ["read", "upserted", "rejected", "irregular"].map(|name| number(report, name));
    assert_eq!(
        found,
        [fates.len(), kept, rejected, skipped].map(|n| n as i64),
        "{report}"
    );
    check_rows(&warehouse, &records, &fates);
    check_rejects(&warehouse, &topic, &records, &fates);
    // All of it is behind us, and each key can go.
    let report = warehouse.one(&[], 0);
    assert_eq!((number(&report, "read"), number(&report, "rejected")), (0, 0));
    let decodable = records
        .iter()
        .zip(&fates)
        .filter(|(_, fate)| matches!(fate, Fate::Kept(_)));
    let gone: Vec<Record> = decodable
        .map(|(record, _)| tombstone("").key(record.key.as_deref()))
        .collect();
    topic.send(&gone);
    assert_eq!(number(&warehouse.one(&[], 0), "deleted"), kept as i64);
    assert_eq!(warehouse.value("SELECT COUNT(*) FROM content"), "0");
}

/// By key, in hexadecimal as the key itself may be anything.
fn check_rows(warehouse: &Warehouse, records: &[Record], fates: &[Fate]) {
    let names: Vec<String> = COLUMNS
        .iter()
        .map(|(name, _)| match *name {
            "raw" => "CAST(CONVERT(raw USING latin1) AS CHAR CHARACTER SET utf8mb4)".to_owned(),
            name => format!("`{name}`"),
        })
        .collect();
    let rows = query(
        &mut warehouse.session(),
        &format!("SELECT HEX(id), {} FROM content", names.join(", ")),
    );
    let rows: BTreeMap<String, Row> = rows
        .into_iter()
        .map(|mut row| (row.remove(0).unwrap(), row))
        .collect();
    let hex = |key: &[u8]| key.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let mut expected = 0;
    for (record, fate) in records.iter().zip(fates) {
        let found = record.key.as_deref().and_then(|key| rows.get(&hex(key)));
        let Fate::Kept(cells) = fate else {
            assert!(found.is_none(), "{record:?} is a row: {found:?}");
            continue;
        };
        expected += 1;
        let row = found.unwrap_or_else(|| panic!("{record:?} is not a row"));
        for ((name, _), cell) in COLUMNS.iter().zip(row) {
            let wanted = cells
                .iter()
                .find(|(column, _)| column == name)
                .map(|(_, cell)| cell);
            let json = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap();
            match *name {
                // Each server prints JSON in its own way.
                "doc" => assert_eq!(cell.as_ref().map(json), wanted.map(json), "{record:?}"),
                _ => assert_eq!(cell.as_ref(), wanted, "{name} of {record:?}"),
            }
        }
    }
    assert_eq!(rows.len(), expected);
}

fn check_rejects(warehouse: &Warehouse, topic: &Topic, records: &[Record], fates: &[Fate]) {
    let sql = "SELECT topic, `partition`, `offset`, HEX(`key`), HEX(`value`), reason, COALESCE(errno, 0) FROM lakectl_rejects ORDER BY `offset`";
    let rejects = warehouse.query(sql);
    let expected: Vec<(usize, &Record, &str)> = records
        .iter()
        .zip(fates)
        .enumerate()
        .filter_map(|(offset, (record, fate))| match fate {
            Fate::Rejected(reason) => Some((offset, record, *reason)),
            _ => None,
        })
        .collect();
    assert_eq!(rejects.len(), expected.len());
    for (row, (offset, record, reason)) in rejects.iter().zip(expected) {
        let row: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap()).collect();
        let hex = |bytes: &Option<Vec<u8>>| -> String {
            bytes.iter().flatten().map(|byte| format!("{byte:02X}")).collect()
        };
        let place = [
            topic.name.clone(),
            "0".to_owned(),
            offset.to_string(),
            hex(&record.key),
            hex(&record.value),
        ];
        assert_eq!(row[..5], place, "{row:?}");
        assert!(
            !row[5].is_empty() && row[5].contains(reason),
            "{:?} for {record:?}",
            row[5]
        );
        // Where nothing of ours was wrong, the server's number is told.
        let is_told = row[6] != "0" || row[5].ends_with("nested in more than 100 levels");
        assert_eq!(is_told, reason.is_empty(), "{row:?}");
    }
}

#[test]
fn on_mysql() {
    every_record_is_a_row_or_a_reject(Warehouse::new(), "utf8mb4_0900_bin");
}

#[test]
fn on_mariadb() {
    every_record_is_a_row_or_a_reject(Warehouse::on_mariadb(), "utf8mb4_nopad_bin");
}
