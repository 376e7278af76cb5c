//! The warehouse against a real MySQL: rows, rejects and progress, in good times.

use crate::service::*;
use crate::{COUNTS, PROGRESS, TOPICS, fresh};
use lakectl::exit;
use lakectl::record::Record;
use lakectl::target::Sink;

/// The last record of a key wins, a tombstone deletes, and a second run finds its progress.
fn upserts_fold_and_tombstones_delete(test: &TestDatabase) {
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    assert!(sink.progress().next.is_empty());
    let first = [
        ("P1", Some(r#"{"PURCHASE_COUNT":1}"#)),
        ("P2", Some(r#"{"PURCHASE_COUNT":7}"#)),
        ("P1", Some(r#"{"PURCHASE_COUNT":2}"#)),
        ("P3", Some(r#"{"PURCHASE_COUNT":3}"#)),
        ("P3", None),
        ("P4", Some(r#"{"PURCHASE_COUNT":null}"#)),
    ];
    let report = load(&mut sink, &records(&first));
    assert_eq!(
        (counts(&report), report.tombstones, report.exit_code),
        ((3, 0, 0), 1, exit::DONE)
    );
    assert_eq!(test.rows(COUNTS), ["P1|2", "P2|7", "P4|NULL"]);
    drop(sink);
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    assert_eq!(sink.progress().next.get(&0), Some(&6));
    assert_eq!(sink.progress().topic_id.as_deref(), Some("id-1"));
    let report = load(
        &mut sink,
        &[
            record(6, b"P2", None),
            record(8, b"P1", Some(r#"{"PURCHASE_COUNT":9}"#)),
            record(9, b"P9", None),
        ],
    );
    assert_eq!((counts(&report), report.tombstones), ((1, 1, 0), 2));
    assert_eq!(test.rows(COUNTS), ["P1|9", "P4|NULL"]);
    assert_eq!(
        test.rows(PROGRESS),
        ["product_purchase_counts|PRODUCT_PURCHASE_COUNTS|0|10|id-1|1|1761868800000"]
    );
}

#[test]
fn upserts_fold_and_tombstones_delete_on_mysql() {
    upserts_fold_and_tombstones_delete(&fresh());
}

fn keys_compare_byte_for_byte(test: &TestDatabase) {
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    let keys = ["e", "E", "é", "É", "e ", "e\u{301}", " e", "e\t", ""];
    let value = r#"{"PURCHASE_COUNT":1}"#;
    let all: Vec<_> = keys.iter().map(|key| (*key, Some(value))).collect();
    assert_eq!(counts(&load(&mut sink, &records(&all))).0, keys.len() as u64);
    assert_eq!(
        test.one("SELECT COUNT(*) FROM product_purchase_counts"),
        keys.len().to_string()
    );
    assert_eq!(counts(&load(&mut sink, &[record(50, b"e ", None)])).1, 1);
    assert_eq!(
        test.one("SELECT COUNT(*) FROM product_purchase_counts WHERE product_id = 'e'"),
        "1"
    );
    assert_eq!(
        test.one("SELECT COUNT(*) FROM product_purchase_counts WHERE product_id = 'e '"),
        "0"
    );
}

#[test]
fn keys_compare_byte_for_byte_on_mysql() {
    keys_compare_byte_for_byte(&fresh());
}

const LONG: [u8; 300] = [b'x'; 300];

fn what_can_be_no_row_is_rejected(test: &TestDatabase) {
    let mut sink = test.open("TRANSACTION_LIFECYCLE");
    load(
        &mut sink,
        &[record(
            0,
            b"T1",
            Some(r#"{"STATUS_HISTORY":["a"],"LAST_UPDATE_TIME":"2025-10-30T23:59:59.7Z"}"#),
        )],
    );
    let bad: [(&[u8], &str, &str); 6] = [
        (b"T1", r#"{"LAST_UPDATE_TIME":"soon"}"#, "last_update_time"),
        (b"T2", r#"{"LAST_UPDATE_TIME":"2040-01-01T00:00:00Z"}"#, "2038"),
        (&LONG, "{}", "255 characters"),
        (b"\xff", "{}", "UTF-8"),
        (b"T3", "[1]", "not an object"),
        (b"T4", r#"{"STATUS_HISTORY":NaN}"#, "value"),
    ];
    for (at, (key, value, _)) in bad.iter().enumerate() {
        sink.take(&record(10 + at as i64, key, Some(value))).unwrap();
    }
    let no_key = Record {
        key: None,
        ..record(20, b"", Some("{}"))
    };
    let report = load(
        &mut sink,
        &[no_key, record(21, b"T5", Some(r#"{"STATUS_HISTORY":{}}"#))],
    );
    assert_eq!(
        (counts(&report), report.irregular, report.exit_code),
        ((1, 0, 6), 1, exit::ATTENTION)
    );
    // The rejected update leaves the earlier row, whose fraction was cut, not rounded into the next day.
    assert_eq!(
        test.rows(
            "SELECT transaction_id, status_history, last_update_time FROM transaction_lifecycle ORDER BY 1"
        ),
        [r#"T1|["a"]|2025-10-30 23:59:59"#, "T5|{}|NULL"]
    );
    let rejects = test.rows(
        "SELECT topic, `partition`, `offset`, COALESCE(errno, '-'), key_bytes, HEX(`key`), `value`, reason \
         FROM lakectl_rejects ORDER BY `offset`",
    );
    assert_eq!(rejects.len(), bad.len());
    for (row, (at, (key, value, reason))) in rejects.iter().zip(bad.iter().enumerate()) {
        let hex: String = key.iter().map(|byte| format!("{byte:02X}")).collect();
        let start = format!(
            "TRANSACTION_LIFECYCLE|0|{}|-|{}|{hex}|{value}|",
            10 + at,
            key.len()
        );
        assert!(row.starts_with(&start) && row.contains(reason), "{row}");
    }
    assert_eq!(test.one("SELECT next_offset FROM lakectl_progress"), "22");
}

#[test]
fn what_can_be_no_row_is_rejected_on_mysql() {
    what_can_be_no_row_is_rejected(&fresh());
}

/// A CHECK is the server's own: the batch is halved until the records are found.
fn what_the_server_refuses_is_found_among_the_rest(test: &TestDatabase) {
    test.execute(
        "CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, n INT, CHECK (n <> 13))",
    );
    let mut sink = test.open("CUSTOM");
    let values: Vec<(String, String)> = (0..3000)
        .map(|i| {
            (
                format!("K{i:05}"),
                format!(
                    r#"{{"N":{}}}"#,
                    if [5, 1500, 2999].contains(&i) { 13 } else { i + 20 }
                ),
            )
        })
        .collect();
    let pairs: Vec<_> = values
        .iter()
        .map(|(key, value)| (key.as_str(), Some(value.as_str())))
        .collect();
    let report = load(&mut sink, &records(&pairs));
    assert_eq!(
        (counts(&report), report.exit_code),
        ((2997, 0, 3), exit::ATTENTION)
    );
    assert_eq!(test.one("SELECT COUNT(*) FROM custom"), "2997");
    assert_eq!(
        test.rows("SELECT `offset`, errno IN (3819, 4025), `key`, `value` FROM lakectl_rejects ORDER BY 1"),
        [
            "5|1|K00005|{\"N\":13}",
            "1500|1|K01500|{\"N\":13}",
            "2999|1|K02999|{\"N\":13}"
        ]
    );
}

#[test]
fn what_the_server_refuses_is_found_among_the_rest_on_mysql() {
    what_the_server_refuses_is_found_among_the_rest(&fresh());
}

fn json_keys_and_exact_decimals(test: &TestDatabase) {
    let mut sink = test.open("TOTAL_DEPENSE_PAR_USER_TYPE");
    let key = r#"{"USER_ID":"U1","TRANSACTION_TYPE":"refund"}"#;
    let turned = r#"{"TRANSACTION_TYPE":"purchase","USER_ID":"Zoé \"Z\""}"#;
    let report = load(
        &mut sink,
        &records(&[
            (
                key,
                Some(r#"{"TOTAL_DEPENSE_USD":9999999999999.99,"user_id":"someone else"}"#),
            ),
            (turned, Some(r#"{"TOTAL_DEPENSE_USD":0.125}"#)),
            (key, Some(r#"{"TOTAL_DEPENSE_USD":10000000000000.00}"#)),
            (r#"{"USER_ID":"U1"}"#, Some("{}")),
        ]),
    );
    assert_eq!(counts(&report), (2, 0, 2));
    assert_eq!(
        test.rows(
            "SELECT user_id, transaction_type, total_depense_usd FROM total_depense_par_user_type ORDER BY 1"
        ),
        ["U1|refund|9999999999999.99", "Zoé \"Z\"|purchase|0.13"]
    );
    assert_eq!(
        counts(&load(&mut sink, &[record(9, turned.as_bytes(), None)])).1,
        1
    );
}

#[test]
fn json_keys_and_exact_decimals_on_mysql() {
    json_keys_and_exact_decimals(&fresh());
}

fn windowed_keys(test: &TestDatabase) {
    let mut sink = test.open("TOTAL_PAR_TYPE_5MIN_SLIDING");
    let key = |start: i64| [b"withdrawal".as_slice(), &start.to_be_bytes()].concat();
    let (first, second, odd) = (
        key(1_700_000_100_000),
        key(1_700_000_400_000),
        key(1_700_000_400_500),
    );
    let report = load(
        &mut sink,
        &[
            record(0, &first, Some(r#"{"TOTAL_AMOUNT_5MIN":125.5}"#)),
            record(1, &second, Some(r#"{"TOTAL_AMOUNT_5MIN":1}"#)),
            record(2, &odd, Some(r#"{"TOTAL_AMOUNT_5MIN":2}"#)),
            record(3, b"withdrawal", Some("{}")),
        ],
    );
    // A window that starts between two seconds would fall on another's row.
    assert_eq!(counts(&report), (2, 0, 2));
    assert_eq!(
        test.rows(
            "SELECT window_start_time, transaction_type, total_amount_5min FROM total_par_type_5min_sliding ORDER BY 1"
        ),
        ["2023-11-14 22:15:00|withdrawal|125.50", "2023-11-14 22:20:00|withdrawal|1.00"]
    );
    assert_eq!(counts(&load(&mut sink, &[record(4, &first, None)])).1, 1);
    assert!(sink.warnings().is_empty());
}

#[test]
fn windowed_keys_on_mysql() {
    windowed_keys(&fresh());
}

/// MariaDB has no row alias, another collation, and JSON is a LONGTEXT.
#[test]
fn the_same_on_mariadb() {
    let service = mariadb_service();
    for check in [
        upserts_fold_and_tombstones_delete,
        keys_compare_byte_for_byte,
        what_can_be_no_row_is_rejected,
        what_the_server_refuses_is_found_among_the_rest,
        json_keys_and_exact_decimals,
        windowed_keys,
        types_come_back_as_they_went_in,
    ] {
        check(&TestDatabase::new(&service, TOPICS));
    }
}

/// Keys and values that a table's character set lacks: the server says so in its own words for each kind of statement.
#[test]
fn what_a_character_set_lacks_is_rejected() {
    for service in [mysql_service(), mariadb_service()] {
        for charset in ["utf8mb3", "latin1"] {
            let test = TestDatabase::new(&service, TOPICS);
            test.execute(&format!(
                "CREATE TABLE custom (id VARCHAR(9) COLLATE {charset}_bin PRIMARY KEY, v VARCHAR(9) COLLATE {charset}_bin)"
            ));
            let emoji = Some(r#"{"v":"😀"}"#);
            let pairs = [
                ("😀1", Some("{}")),
                ("é2", Some(r#"{"v":"é"}"#)),
                ("k3", Some("{}")),
                ("k4", emoji),
                ("😀5", None),
                ("k6", None),
                ("😀7", emoji),
            ];
            for pairs in [&pairs[..], &pairs[4..5], &pairs[..1], &pairs[3..4]] {
                test.execute("DELETE FROM custom");
                test.execute("DELETE FROM lakectl_progress");
                test.execute("DELETE FROM lakectl_rejects");
                let report = load(&mut test.open("CUSTOM"), &records(pairs));
                let lacking = pairs
                    .iter()
                    .filter(|(key, value)| key.starts_with('😀') || *value == emoji);
                let mut lacking: Vec<String> = lacking.map(|(key, _)| (*key).to_owned()).collect();
                lacking.sort();
                let mut rejected = test.rows("SELECT `key` FROM lakectl_rejects");
                rejected.sort();
                assert_eq!((rejected, counts(&report).1), (lacking, 0), "{charset}");
                if pairs.len() > 1 {
                    assert_eq!(
                        test.rows("SELECT id, v FROM custom ORDER BY id DESC"),
                        ["é2|é", "k3|NULL"]
                    );
                }
            }
        }
    }
}

/// Of MariaDB's types, whose values have several spellings each: the newest record of a row counts, however its key is spelled.
#[test]
fn all_spellings_of_a_key_are_one_row() {
    for (kind, [first, second, third], none) in [
        (
            "UUID",
            [
                "0F8FAD5B-D9CB-469F-A165-70867728950E",
                "0f8fad5b-d9cb-469f-a165-70867728950e",
                "0f8fad5bd9cb469fa16570867728950E",
            ],
            "0f8fad5b-d9cb-469f-a165",
        ),
        (
            "INET6",
            ["2001:db8::1", "2001:DB8::1", "2001:db8:0:0::0001"],
            "2001:db8::1::1",
        ),
    ] {
        let test = TestDatabase::new(&mariadb_service(), TOPICS);
        test.execute(&format!(
            "CREATE TABLE custom (id {kind} PRIMARY KEY, v INT, other {kind})"
        ));
        let values: Vec<String> = (0..6).map(|v| format!(r#"{{"v":{v}}}"#)).collect();
        let mut offset = 0;
        // Alone, and together in any order of their bytes.
        for keys in [
            &[first][..],
            &[second, first, third],
            &[first, third, second],
            &[third, first],
        ] {
            let records = keys.iter().zip(&values).map(|(key, value)| {
                offset += 1;
                record(offset, key.as_bytes(), Some(value))
            });
            let records: Vec<_> = records.collect();
            load(&mut test.open("CUSTOM"), &records);
            assert_eq!(
                test.rows("SELECT v FROM custom"),
                [format!("{}", keys.len() - 1)],
                "{kind} {keys:?}"
            );
        }
        let wrong = format!(r#"{{"v":7,"other":"{none}"}}"#);
        let spelled = format!(r#"{{"v":8,"other":"{third}"}}"#);
        let report = load(
            &mut test.open("CUSTOM"),
            &[
                record(100, none.as_bytes(), Some("{}")),
                record(101, second.as_bytes(), Some(&spelled)),
                record(102, second.as_bytes(), Some(&wrong)),
            ],
        );
        assert_eq!(counts(&report), (1, 0, 2), "{kind}");
        assert_eq!(test.rows("SELECT v, id = other FROM custom"), ["8|1"], "{kind}");
        let report = load(&mut test.open("CUSTOM"), &[record(103, third.as_bytes(), None)]);
        assert_eq!(counts(&report), (0, 1, 0), "{kind}");
    }
}

fn types_come_back_as_they_went_in(test: &TestDatabase) {
    test.execute(
        "CREATE TABLE custom (id VARBINARY(20) PRIMARY KEY, flag TINYINT(1), small SMALLINT UNSIGNED, big BIGINT, \
         price DECIMAL(10,3), ratio DOUBLE, at DATETIME(3), day DATE, clock TIME, doc JSON, raw VARBINARY(10), \
         name VARCHAR(10), kind ENUM('a','b'), twice BIGINT AS (big * 2) STORED)",
    );
    let mut sink = test.open("CUSTOM");
    let value = r#"{"FLAG":true,"SMALL":65535,"BIG":-9223372036854775808,"PRICE":1.0005,"RATIO":4.6116860184273879E18,
        "AT":"2025-10-31T00:30:00.1239+01:00","DAY":20392,"CLOCK":86399999,"DOC":{"b":[1,2.50,"é"],"a":null},
        "RAW":"AP8=","NAME":"Zoé","KIND":"B","TWICE":1}"#;
    let value = value.replace("-9223372036854775808", "4611686018427387903");
    let report = load(
        &mut sink,
        &[record(0, b"k\0 ", Some(&value)), record(1, b"gone", None)],
    );
    assert_eq!(counts(&report), (1, 0, 0));
    assert_eq!(
        test.rows(
            "SELECT HEX(id), flag, small, big, price, ratio = 4.6116860184273879E18, at, day, clock, \
             JSON_EXTRACT(doc, '$.b[2]'), HEX(raw), name, kind, twice FROM custom"
        ),
        [
            "6B0020|1|65535|4611686018427387903|1.001|1|2025-10-30 23:30:00.123|2025-10-31|23:59:59|\"é\"|00FF|Zoé|b|\
          9223372036854775806"
        ]
    );
    // A computed column is nobody's to fill, and a price lost a place.
    let warnings = warnings(&mut sink);
    assert!(
        warnings.len() == 2
            && warnings
                .iter()
                .any(|warning| warning.contains("price (of 1 record)")),
        "{warnings:?}"
    );
    assert_eq!(counts(&load(&mut sink, &[record(2, b"k\0 ", None)])).1, 1);
}

#[test]
fn types_come_back_as_they_went_in_on_mysql() {
    types_come_back_as_they_went_in(&fresh());
}

#[test]
fn absent_fields_leave_their_columns_alone() {
    let test = fresh();
    let mut sink = test.open("TOTAL_PAR_TRANSACTION_TYPE");
    load(
        &mut sink,
        &records(&[
            ("a", Some(r#"{"TOTAL_AMOUNT":1,"TRANSACTION_COUNT":1}"#)),
            ("b", Some(r#"{"TRANSACTION_COUNT":5}"#)),
            ("c", Some("{}")),
        ]),
    );
    load(
        &mut sink,
        &[
            record(3, b"a", Some(r#"{"TRANSACTION_COUNT":2}"#)),
            record(4, b"c", Some("{}")),
        ],
    );
    assert_eq!(
        test.rows("SELECT transaction_type, total_amount, transaction_count FROM total_par_transaction_type ORDER BY 1"),
        ["a|1.00|2", "b|NULL|5", "c|NULL|NULL"]
    );
}

#[test]
fn where_batches_end_makes_no_difference() {
    let updates = records(&[
        ("a", Some(r#"{"TOTAL_AMOUNT":1,"TRANSACTION_COUNT":1}"#)),
        ("a", Some(r#"{"TRANSACTION_COUNT":2}"#)),
        ("b", Some(r#"{"TOTAL_AMOUNT":7,"TRANSACTION_COUNT":7}"#)),
        ("b", None),
        ("b", Some(r#"{"TRANSACTION_COUNT":8}"#)),
        ("c", Some(r#"{"TOTAL_AMOUNT":9}"#)),
        ("c", Some(r#"{"TRANSACTION_COUNT":9}"#)),
        ("c", None),
    ]);
    let test = fresh();
    let mut sink = test.open("TOTAL_PAR_TRANSACTION_TYPE");
    let rows =
        "SELECT transaction_type, total_amount, transaction_count FROM total_par_transaction_type ORDER BY 1";
    for size in 1..=updates.len() {
        test.execute("DELETE FROM total_par_transaction_type");
        for batch in updates.chunks(size) {
            load(&mut sink, batch);
        }
        assert_eq!(test.rows(rows), ["a|1.00|2", "b|NULL|8"], "batches of {size}");
    }
}

#[test]
fn json_keys_are_renamed_by_place() {
    let test = fresh();
    test.execute("CREATE TABLE custom (a INT, b VARCHAR(9), n INT, PRIMARY KEY (a, b))");
    let mut sink = test.open("CUSTOM_JSON");
    assert!(warnings(&mut sink)[0].contains("b (utf8mb4_0900_ai_ci)"));
    load(
        &mut sink,
        &records(&[
            (r#"{"F1":1,"F2":"x"}"#, Some(r#"{"N":1}"#)),
            (r#"{"B":"y","A":2}"#, Some(r#"{"N":2}"#)),
        ]),
    );
    assert_eq!(test.rows("SELECT * FROM custom ORDER BY a"), ["1|x|1", "2|y|2"]);
}

/// When no key fits at all it is the configuration that is wrong, not the records.
#[test]
fn keys_that_never_fit_are_a_fault_of_the_configuration() {
    let test = fresh();
    let mut sink = test.open("TOTAL_DEPENSE_PAR_USER_TYPE");
    sink.take(&record(0, b"{\"ID\":1}", Some("{}"))).unwrap();
    let error = sink.commit(&drained(0, 1), &mut report("T")).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::USAGE);
    assert!(
        format!("{error:#}").contains("(user_id, transaction_type)"),
        "{error:#}"
    );
    assert_eq!(test.rows(PROGRESS), [""; 0]);
}

#[test]
fn fields_without_a_column_are_named_once() {
    let test = fresh();
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    let value = r#"{"PURCHASE_COUNT":1,"CATEGORY":"x","PRODUCT_ID":"other"}"#;
    load(&mut sink, &records(&[("P1", Some(value)), ("P2", Some(value))]));
    let warnings = warnings(&mut sink);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].ends_with("left out: CATEGORY"), "{warnings:?}");
    load(&mut sink, &[record(5, b"P3", Some(value))]);
    assert!(sink.warnings().is_empty());
    drop(sink);
    let error = test
        .open("STRICT")
        .take(&record(0, b"P1", Some(value)))
        .unwrap_err();
    assert_eq!(exit::code_of(&error), exit::USAGE);
    assert!(format!("{error:#}").contains("CATEGORY"));
}

/// A trigger that fails whatever the record is stops the load, and puts no record aside.
#[test]
fn collations_that_a_trigger_mixes_are_no_records_fault() {
    for service in [mysql_service(), mariadb_service()] {
        let test = TestDatabase::new(&service, TOPICS);
        test.execute(
            "CREATE TABLE custom (id VARCHAR(9) COLLATE utf8mb4_unicode_ci PRIMARY KEY, v VARCHAR(9))",
        );
        test.execute("CREATE TABLE seen (id VARCHAR(9) COLLATE utf8mb4_general_ci)");
        test.execute(
            "CREATE TRIGGER seen BEFORE INSERT ON custom FOR EACH ROW \
             SET NEW.v = (SELECT COUNT(*) FROM seen WHERE seen.id = NEW.id)",
        );
        let mut sink = test.open("CUSTOM");
        sink.take(&record(0, b"k", Some("{}"))).unwrap();
        let error = sink.commit(&drained(0, 1), &mut report("T")).unwrap_err();
        assert!(
            format!("{error:#}").contains("Illegal mix of collations"),
            "{error:#}"
        );
        assert_eq!(test.one("SELECT COUNT(*) FROM lakectl_rejects"), "0");
    }
}
