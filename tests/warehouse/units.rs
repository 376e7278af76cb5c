//! Numbers that are seconds where milliseconds are meant: a retention column of 1970, which is not old.

use serde_json::json;

use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};
use crate::common::lake::number;

const IDS: &str = "SELECT GROUP_CONCAT(CONCAT(id, ' ', at) ORDER BY id) FROM aged";

fn entry(topic: &Topic, more: &str) -> String {
    format!(
        "[topics.{:?}]\nkind = \"table\"\nkey.columns = [\"id\"]\nwarehouse.table = \"aged\"\n\
         warehouse.retention = {{ column = \"AT\", keep = \"1y\" }}\n{more}\n",
        topic.name
    )
}

fn aged(mut warehouse: Warehouse, topic: &Topic) -> Warehouse {
    warehouse.execute(
        "CREATE TABLE aged (id VARCHAR(9) PRIMARY KEY, at TIMESTAMP NULL, born DATETIME, KEY (at)) ENGINE = InnoDB",
    );
    warehouse.set_topics(&entry(topic, ""));
    warehouse
}

fn rows_of_1970_are_told_kept_and_deleted_only_if_told_so(warehouse: Warehouse, topic: &Topic) {
    topic.send(&[
        // A date of birth may lie where it likes.
        record("now", "{\"at\":1766000000000,\"born\":\"1948-05-05\"}"),
        record("old", "{\"at\":\"2020-01-01T00:00:00Z\"}"),
        record("sec", "{\"at\":1766000000}"),
        record("sec2", "{\"at\":1766000001}"),
        record("more", "{\"at\":1766000000000}"),
        record("even", "{\"at\":1766000000000}"),
    ]);
    let warehouse = aged(warehouse, topic);
    let report = warehouse.drain();
    let doubt = &report["topics"][0]["implausible_time"];
    assert_eq!(
        (number(doubt, "records"), number(doubt, "offset")),
        (2, 2),
        "{report}"
    );
    let warnings = report["warnings"].to_string();
    for word in [
        "warehouse.retention",
        "column at is 1970-01-21 10:33:20",
        "looks like seconds: 1766000000 would be 2025-12-17",
        "timestamp_unit",
    ] {
        assert!(warnings.contains(word), "{warnings}");
    }
    assert!(!warnings.contains("born"), "{warnings}");

    let purge = |arguments: &[&str], code: i32| {
        let all = [&["purge", "--only", "warehouse", "--json"], arguments].concat();
        warehouse.lakectl(&all).expect(code).report()
    };
    let rows = |report: &serde_json::Value| {
        let table = &report["tables"][0];
        let spared = &report["implausible_rows"][0];
        (table["rows"].as_i64(), spared["rows"].as_i64())
    };
    let report = purge(&["-n"], 3);
    assert_eq!(rows(&report), (Some(1), Some(2)), "{report}");
    assert!(
        report["warnings"].to_string().contains("--yes-implausible"),
        "{report}"
    );
    let report = purge(&["--yes"], 3);
    assert_eq!(rows(&report), (Some(1), Some(2)), "{report}");
    assert_eq!(
        warehouse.value(IDS),
        "even 2025-12-17 19:33:20,more 2025-12-17 19:33:20,now 2025-12-17 19:33:20,\
         sec 1970-01-21 10:33:20,sec2 1970-01-21 10:33:20"
    );
    // The cutoff of that purge lies after 1970, and yet such a row is not old.
    topic.send(&[
        record("sec", "{\"at\":1766000002}"),
        record("late", "{\"at\":\"2020-01-01\"}"),
    ]);
    let report = warehouse.one(&[], 0);
    assert_eq!(
        (number(&report, "upserted"), number(&report, "below_retention")),
        (1, 1)
    );

    let report = purge(&["--plan-out", "plan.json"], 3);
    assert_eq!(rows(&report), (Some(0), Some(2)), "{report}");
    let report = purge(&["--plan", "plan.json", "--yes"], 3);
    assert_eq!((&report["tables"], rows(&report).1), (&json!([]), Some(2)));
    let report = purge(&["--plan", "plan.json", "--yes", "--yes-implausible"], 0);
    assert_eq!(rows(&report), (Some(2), None), "{report}");
    // What was purged stays purged.
    let report = warehouse.one(&["--rebuild"], 0);
    assert_eq!(number(&report, "upserted"), 3, "{report}");
    // And yet a wrong unit is told.
    assert_eq!(number(&report["implausible_time"], "records"), 3, "{report}");
    assert_eq!(
        warehouse.value("SELECT GROUP_CONCAT(id ORDER BY id) FROM aged"),
        "even,more,now"
    );
    topic.send(&[tombstone("more"), tombstone("even")]);
    assert_eq!(number(&warehouse.one(&[], 0), "deleted"), 2);
}

#[test]
fn rows_of_1970_on_mysql() {
    let topic = Topic::compacted("unit-rows");
    rows_of_1970_are_told_kept_and_deleted_only_if_told_so(Warehouse::new(), &topic);
}

#[test]
fn rows_of_1970_on_mariadb() {
    let topic = Topic::compacted("unit-rows-mariadb");
    rows_of_1970_are_told_kept_and_deleted_only_if_told_so(Warehouse::on_mariadb(), &topic);
}

/// Numbers in the value and in the key have the topic's unit; the bounds of a window never do.
#[test]
fn the_topics_unit_fills_the_columns() {
    let topic = Topic::compacted("unit-columns");
    let key = [b"a".as_slice(), &1_766_000_000_000i64.to_be_bytes()].concat();
    topic.send(&[record(
        "",
        "{\"at\":1766000000,\"micros\":1766000000.25,\"day\":20439,\"text\":\"1766000000\"}",
    )
    .key(Some(&key))]);
    let mut warehouse = Warehouse::new();
    warehouse.execute(
        "CREATE TABLE units (id VARCHAR(9), window_start DATETIME(3), at TIMESTAMP NULL, micros DATETIME(6), day DATE, \
         text DATETIME, PRIMARY KEY (id, window_start)) ENGINE = InnoDB",
    );
    let entry = |unit: &str| {
        format!(
            "[topics.{:?}]\nkind = \"table\"\nkey.columns = [\"id\"]\nwarehouse.table = \"units\"\n\
             window = {{ type = \"tumbling\", size = \"1s\" }}\n{unit}\n",
            topic.name
        )
    };
    warehouse.set_topics(&entry("timestamp_unit = \"s\""));
    warehouse.drain();
    let expected = "2025-12-17 19:33:20.000|2025-12-17 19:33:20|2025-12-17 19:33:20.250000|2025-12-17|2025-12-17 19:33:20";
    let row = "SELECT CONCAT_WS('|', window_start, at, micros, day, text) FROM units";
    assert_eq!(warehouse.value(row), expected);
    warehouse.set_topics(&entry(
        "timestamp_unit = \"ns\"\nwarehouse.timestamp_unit = \"s\"",
    ));
    warehouse.one(&["--rebuild"], 0);
    assert_eq!(warehouse.value(row), expected);
}

/// A DATE of value.columns or key.columns counts days, whatever column it fills; a TIME the milliseconds of its day.
#[test]
fn days_stay_days_in_any_column() {
    const ROW: &str = "SELECT CONCAT_WS('|', id, day, moment, stamp, clock, at) FROM days";
    for (label, formats, key, value) in [
        (
            "days-delimited",
            "key = { format = \"delimited\", columns = [\"ID DATE\"] }\nvalue.format = \"delimited\"",
            "20392",
            "20392§20392§20392§84600123§1766000000",
        ),
        (
            "days-json",
            "key = { format = \"json\", columns = [\"ID DATE\"] }\nvalue.format = \"json\"",
            "20392",
            "{\"DAY\":20392,\"NOON\":20392,\"STAMP\":20392,\"CLOCK\":84600123,\"AT\":1766000000}",
        ),
    ] {
        let topic = Topic::compacted(label);
        topic.send(&[record(key, value)]);
        let mut warehouse = Warehouse::new();
        warehouse.execute(
            "CREATE TABLE days (id DATETIME PRIMARY KEY, day DATE, moment DATETIME(3), stamp TIMESTAMP NULL, clock TIME(3), \
             at DATETIME) ENGINE = InnoDB",
        );
        let delimiter = match value.contains('§') {
            true => "value.delimiter = \"§\"\n",
            false => "",
        };
        let entry = format!(
            "[topics.{:?}]\nkind = \"table\"\n{formats}\n{delimiter}timestamp_unit = \"s\"\nwarehouse.table = \"days\"\n\
             value.columns = [\"DAY DATE\", \"NOON DATE\", \"STAMP DATE\", \"CLOCK TIME\", \"AT TIMESTAMP\"]\n\
             warehouse.columns = {{ NOON = \"moment\" }}\n",
            topic.name
        );
        warehouse.set_topics(&entry);
        warehouse.drain();
        assert_eq!(
            warehouse.value(ROW),
            "2025-10-31 00:00:00|2025-10-31|2025-10-31 00:00:00.000|2025-10-31 00:00:00|23:30:00.123|2025-12-17 19:33:20",
            "{label}"
        );
        topic.send(&[tombstone(key)]);
        assert_eq!(number(&warehouse.one(&[], 0), "deleted"), 1, "{label}");
    }
}
