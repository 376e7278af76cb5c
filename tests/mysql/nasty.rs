//! No value and no key, whatever the column it meets, keeps the rest of a load from its table: it is a row, or it is rejected.

use crate::TOPICS;
use crate::service::*;
use lakectl::target::Sink;

/// Types of a column; the first of them can be a primary key.
const KEY_KINDS: [&str; 26] = [
    "TINYINT",
    "BIGINT UNSIGNED",
    "DECIMAL(5,2)",
    "DECIMAL(65,30)",
    "DECIMAL(5,0) UNSIGNED",
    "DOUBLE",
    "BIT(3)",
    "YEAR",
    "CHAR(3)",
    "VARCHAR(3) CHARACTER SET ascii",
    "VARCHAR(3) CHARACTER SET latin1",
    "VARCHAR(3) CHARACTER SET sjis",
    "VARCHAR(3) CHARACTER SET gbk",
    "VARCHAR(3) CHARACTER SET ucs2",
    "VARCHAR(3) CHARACTER SET utf16",
    "VARCHAR(3) CHARACTER SET utf32",
    "VARCHAR(3) CHARACTER SET utf8mb3",
    "VARCHAR(3) CHARACTER SET utf8mb4",
    "BINARY(3)",
    "VARBINARY(3)",
    "ENUM('a','é','')",
    "DATE",
    "TIME(3)",
    "DATETIME",
    "DATETIME(6)",
    "TIMESTAMP(6)",
];
const OTHER_KINDS: [&str; 15] = [
    "FLOAT",
    "TIME",
    "TIMESTAMP NULL",
    "TINYTEXT",
    "TEXT CHARACTER SET latin1",
    "MEDIUMTEXT",
    "LONGTEXT CHARACTER SET utf16",
    "TINYBLOB",
    "BLOB",
    "LONGBLOB",
    "JSON",
    "SET('a','b')",
    "GEOMETRY",
    "POINT",
    "BIGINT AS (7) STORED",
];
const MYSQLS: [&str; 1] = ["VECTOR(3)"];
const MARIADBS: [&str; 3] = ["UUID", "INET6", "INET4"];

fn values() -> Vec<String> {
    let plain = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "-1",
        "1.005",
        "99.999",
        "999.999",
        "1e999",
        "-1e-999",
        "1e30",
        "18446744073709551616",
        "-9223372036854775809",
        "86399999",
        "86400000",
        "1761868799000",
        "253402300800000",
        "-62167219200001",
        r#""""#,
        r#"" ""#,
        r#""a""#,
        r#""A""#,
        r#""é""#,
        r#""€""#,
        r#""日""#,
        r#""😀""#,
        r#""\u0000""#,
        r#""\uffff""#,
        r#""\ud800""#,
        r#""a  ""#,
        r#""a   ""#,
        r#""abcd""#,
        r#""'\"\\%_""#,
        r#""a,b""#,
        r#""NaN""#,
        r#""Infinity""#,
        r#""1e5""#,
        r#""007""#,
        r#""0x41""#,
        r#""2025-02-30""#,
        r#""0000-00-00""#,
        r#""0000-01-01T00:00:00Z""#,
        r#""1969-12-31T23:59:59Z""#,
        r#""1970-01-01T00:00:00Z""#,
        r#""2038-01-19T03:14:07.999999Z""#,
        r#""2025-03-30T02:30:00""#,
        r#""9999-12-31T23:59:59.999999999Z""#,
        r#""+10000-01-01T00:00:00Z""#,
        r#""-838:59:59""#,
        r#""24:00:00""#,
        r#""23:59:59.9999999""#,
        r#""AQID""#,
        r#""AQIDBA==""#,
        r#""POINT(1 1)""#,
        r#""[1,2,3]""#,
        r#""10.0.0.1""#,
        r#""::1""#,
        r#""0f8fad5b-d9cb-469f-a165-70867728950e""#,
        "{}",
        "[]",
        r#"{"a":1,"a":{"b":[null]}}"#,
        r#"{"😀":"\u0000"}"#,
    ];
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let mut values: Vec<String> = plain.map(str::to_owned).into();
    values.extend([30, 33, 99, 100, 101, 127].map(nested));
    values.extend([255, 256, 70_000].map(|length| format!("\"{}\"", "x".repeat(length))));
    values.push(format!("{{\"{}\":1}}", "k".repeat(70_000)));
    values.push("9".repeat(400));
    values.push(format!("0.{}", "9".repeat(400)));
    values
}

/// Of the records that keep the rest from the table, the first; every other is a row or a reject.
fn blocking(test: &TestDatabase, kind: &str, pairs: &[(&str, Option<&str>)]) -> Option<String> {
    let try_load = |pairs: &[(&str, Option<&str>)]| {
        test.execute("DELETE FROM lakectl_progress");
        test.execute("DELETE FROM lakectl_rejects");
        let mut sink = test.open("CUSTOM");
        for record in records(pairs) {
            sink.take(&record).unwrap();
        }
        let mut report = report("T");
        sink.commit(&drained(0, pairs.len() as i64), &mut report)?;
        anyhow::Ok(counts(&report))
    };
    let Err(error) = try_load(pairs) else {
        return None;
    };
    let alone = pairs
        .iter()
        .map(|pair| (pair, try_load(std::slice::from_ref(pair))));
    let mut wrong = alone.filter_map(|((key, value), loaded)| {
        let error = loaded.err()?;
        Some(format!(
            "{kind}: {:?} {:?}: {error:#}",
            head(key),
            value.map(head)
        ))
    });
    wrong.next().or_else(|| Some(format!("{kind}: {error:#}")))
}

fn head(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Each of them comes after one that its row takes: that one counts where it is rejected.
fn values_of_all_kinds(service: &Service, more: &[&'static str]) {
    let test = TestDatabase::new(service, TOPICS);
    let values = values();
    let records: Vec<_> = values
        .iter()
        .map(|value| format!("{{\"n\":2,\"v\":{value}}}"))
        .collect();
    let keys: Vec<_> = (0..records.len()).map(|n| format!("K{n}")).collect();
    let pair = |(key, record)| [(key, Some("{\"n\":1}")), (key, Some(record))];
    let keys_and_records = keys
        .iter()
        .map(String::as_str)
        .zip(records.iter().map(String::as_str));
    let pairs: Vec<_> = keys_and_records.flat_map(pair).collect();
    let mut wrong = Vec::new();
    for kind in KEY_KINDS.iter().chain(&OTHER_KINDS).chain(more) {
        test.execute("DROP TABLE IF EXISTS custom");
        test.execute(&format!(
            "CREATE TABLE custom (id VARCHAR(9) PRIMARY KEY, n INT, v {kind})"
        ));
        wrong.extend(blocking(&test, kind, &pairs));
        let rows = test.one("SELECT COUNT(*) FROM custom");
        let (first, rejected) = (
            test.rows("SELECT id FROM custom WHERE n = 1 ORDER BY 1"),
            test.rows("SELECT `key` FROM lakectl_rejects ORDER BY 1"),
        );
        if rows != keys.len().to_string() || first != rejected {
            let lost = rejected.iter().filter(|key| !first.contains(key));
            let lost: Vec<_> = lost
                .map(|key| head(&values[key[1..].parse::<usize>().unwrap()]))
                .collect();
            wrong.push(format!("{kind}: {rows} rows; lost before {lost:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn keys_of_all_kinds(service: &Service, more: &[&'static str]) {
    let test = TestDatabase::new(service, TOPICS);
    let keys: Vec<String> = values()
        .iter()
        .map(|value| serde_json::from_str(value).unwrap_or_else(|_| value.clone()))
        .collect();
    let upserts = keys.iter().map(|key| (key.as_str(), Some("{}")));
    let deletes = keys.iter().map(|key| (key.as_str(), None));
    let (upserts, deletes): (Vec<_>, Vec<_>) = (upserts.collect(), deletes.collect());
    let mut wrong = Vec::new();
    for kind in KEY_KINDS.iter().chain(more) {
        test.execute("DROP TABLE IF EXISTS custom");
        test.execute(&format!("CREATE TABLE custom (id {kind} PRIMARY KEY, v INT)"));
        wrong.extend(blocking(&test, kind, &upserts));
        wrong.extend(blocking(&test, kind, &deletes));
        let left = test.rows("SELECT HEX(id) FROM custom");
        if !left.is_empty() {
            wrong.push(format!("{kind}: {left:?} are not deleted"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn values_of_all_kinds_on_both() {
    values_of_all_kinds(&mysql_service(), &MYSQLS);
    values_of_all_kinds(&mariadb_service(), &MARIADBS);
}

#[test]
fn keys_of_all_kinds_on_both() {
    keys_of_all_kinds(&mysql_service(), &[]);
    keys_of_all_kinds(&mariadb_service(), &MARIADBS);
}

/// MySQL would give it the next number, and with it maybe another key's row.
fn a_key_of_zero_is_zero(service: &Service) {
    let test = TestDatabase::new(service, TOPICS);
    test.execute("CREATE TABLE custom (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)");
    let pairs = [("0", Some(r#"{"v":7}"#)), ("1", Some(r#"{"v":8}"#))];
    assert_eq!(blocking(&test, "AUTO_INCREMENT", &pairs), None);
    assert_eq!(test.rows("SELECT id, v FROM custom ORDER BY id"), ["0|7", "1|8"]);
}

#[test]
fn a_key_of_zero_is_zero_on_both() {
    a_key_of_zero_is_zero(&mysql_service());
    a_key_of_zero_is_zero(&mariadb_service());
}
