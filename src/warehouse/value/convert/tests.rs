use super::*;
use crate::config::{Kind, PartitionTime, TimeUnit, Topic};
use crate::decode::Decoder;
use crate::lake::RecordDay;
use crate::lake::layout::paths::HivePartition;
use crate::record::Record;
use proptest::prelude::*;

fn column(kind: ColumnType) -> Column {
    Column::named("c", kind)
}

fn key(kind: ColumnType) -> Column {
    Column {
        nullable: false,
        in_key: true,
        ..column(kind)
    }
}

fn json(column: &Column, raw: &str) -> Result<String, String> {
    convert(column, &Input::from_json(raw).unwrap())
        .map(|cell| cell.into_value().as_sql(false))
        .map_err(|kind| kind.in_words())
}

const BIGINT: ColumnType = ColumnType::Integer {
    min: i64::MIN as i128,
    max: i64::MAX as i128,
};
const TINYINT: ColumnType = ColumnType::Integer { min: -128, max: 127 };
const MONEY: ColumnType = ColumnType::Decimal {
    precision: 15,
    scale: 2,
    unsigned: false,
};
const TIMESTAMP: ColumnType = ColumnType::Timestamp {
    places: 0,
    long: false,
};

fn varchar(chars: u64) -> ColumnType {
    ColumnType::Text {
        chars_max: Some(chars),
        bytes_max: chars * 4,
        fixed: false,
    }
}

#[test]
fn integers() {
    for (raw, expected) in [
        ("1", "1"),
        ("9223372036854775807", "9223372036854775807"),
        ("1.0", "1"),
        ("4.2E1", "42"),
        ("\"17\"", "17"),
        ("true", "1"),
        ("null", "NULL"),
    ] {
        assert_eq!(json(&column(BIGINT), raw).as_deref(), Ok(expected), "{raw}");
    }
    for raw in ["9223372036854775808", "1.5", "\"x\"", "[1]", "\"\""] {
        assert!(json(&column(BIGINT), raw).is_err(), "{raw}");
    }
    assert_eq!(json(&column(TINYINT), "false").as_deref(), Ok("0"));
    assert!(json(&column(TINYINT), "128").unwrap_err().contains("-128 to 127"));
    let unsigned = column(ColumnType::Integer {
        min: 0,
        max: u64::MAX.into(),
    });
    assert_eq!(
        json(&unsigned, "18446744073709551615").as_deref(),
        Ok("18446744073709551615")
    );
    assert!(json(&unsigned, "-1").is_err());
}

#[test]
fn decimals_never_pass_through_a_float() {
    for (raw, expected) in [
        ("9999999999999.99", "'9999999999999.99'"),
        ("0.1", "'0.10'"),
        ("12.345", "'12.35'"),
        ("\"12.340\"", "'12.34'"),
        ("0E-19", "'0.00'"),
    ] {
        assert_eq!(json(&column(MONEY), raw).as_deref(), Ok(expected), "{raw}");
    }
    assert!(
        json(&column(MONEY), "10000000000000")
            .unwrap_err()
            .contains("DECIMAL(15,2)")
    );
    let unsigned = column(ColumnType::Decimal {
        precision: 5,
        scale: 2,
        unsigned: true,
    });
    assert!(json(&unsigned, "-0.01").is_err());
    assert_eq!(json(&unsigned, "-0.001").as_deref(), Ok("'0.00'"));
}

#[test]
fn doubles() {
    let double = column(ColumnType::Float {
        single: false,
        places: None,
    });
    assert_eq!(
        json(&double, "4.6116860184273879E18").as_deref(),
        Ok("4611686018427388000")
    );
    assert!(json(&double, "\"NaN\"").is_err() && json(&double, "\"inf\"").is_err());
    assert!(
        json(
            &column(ColumnType::Float {
                single: true,
                places: None
            }),
            "1e300"
        )
        .is_err()
    );
}

/// As Avro's and Protobuf's floats are written: the shortest text that gives them back.
#[test]
fn the_largest_float_fits() {
    let float = column(ColumnType::Float {
        single: true,
        places: None,
    });
    for largest in [f32::MAX, f32::MIN] {
        let stored = Value::Double(f64::from(largest)).as_sql(false);
        assert_eq!(json(&float, &format!("{largest:e}")), Ok(stored));
    }
    assert!(json(&float, "3.4028236e38").is_err());
}

#[test]
fn text_is_counted_in_characters_blanks_included() {
    assert_eq!(json(&column(varchar(3)), "\"éà😀\"").as_deref(), Ok("'éà😀'"));
    assert!(
        json(&column(varchar(3)), "\"abcd\"")
            .unwrap_err()
            .contains("3 characters")
    );
    assert!(json(&column(varchar(3)), "\"abc \"").is_err());
    assert_eq!(json(&column(varchar(30)), "12.340").as_deref(), Ok("'12.340'"));
    assert_eq!(json(&column(varchar(30)), "true").as_deref(), Ok("'true'"));
    let char_key = key(ColumnType::Text {
        chars_max: Some(3),
        bytes_max: 12,
        fixed: true,
    });
    assert!(json(&char_key, "\"a \"").is_err() && json(&char_key, "\"a\"").is_ok());
}

#[test]
fn json_columns_keep_the_text() {
    let column = column(ColumnType::Json);
    for (raw, stored) in [
        ("[1,{\"a\":12.340}]", r#"[1,{"a":12.340}]"#),
        ("\"a\\\"b\"", r#""a\"b""#),
        ("1.50", "1.50"),
        ("true", "true"),
    ] {
        let value = convert(&column, &Input::from_json(raw).unwrap()).map(Cell::into_value);
        assert_eq!(value, Ok(Value::Bytes(stored.as_bytes().to_vec())), "{raw}");
    }
    assert_eq!(json(&column, "null").as_deref(), Ok("NULL"));
}

#[test]
fn bytes_come_as_base64() {
    let blob = column(ColumnType::Binary {
        bytes_max: 4,
        fixed: false,
    });
    let bytes = |input| convert(&blob, &input).map(Cell::into_value);
    assert_eq!(
        bytes(Input::from_json("\"AP8=\"").unwrap()),
        Ok(Value::Bytes(vec![0, 255]))
    );
    assert_eq!(bytes(Input::Bytes(b"AP8=")), Ok(Value::Bytes(b"AP8=".to_vec())));
    assert!(json(&blob, "\"~\"").is_err() && json(&blob, "\"AAAAAAAA\"").is_err());
    let fixed = column(ColumnType::Binary {
        bytes_max: 4,
        fixed: true,
    });
    assert_eq!(
        convert(&fixed, &Input::Bytes(b"a")).map(Cell::into_value),
        Ok(Value::Bytes(b"a\0\0\0".to_vec()))
    );
}

#[test]
fn times_are_utc_and_cut_to_the_column() {
    for (raw, expected) in [
        ("\"2025-10-30T23:59:59.7Z\"", "'2025-10-30 23:59:59'"),
        ("\"2025-10-31T00:30:00+01:00\"", "'2025-10-30 23:30:00'"),
        ("1761868799999", "'2025-10-30 23:59:59'"),
        ("\"1761868799999\"", "'2025-10-30 23:59:59'"),
    ] {
        assert_eq!(json(&column(TIMESTAMP), raw).as_deref(), Ok(expected), "{raw}");
    }
    let milli = column(ColumnType::DateTime { places: 3 });
    assert_eq!(
        json(&milli, "\"2025-10-30T23:59:59.7899Z\"").as_deref(),
        Ok("'2025-10-30 23:59:59.789000'")
    );
    for raw in [
        "\"soon\"",
        "0",
        "2147483648000",
        "\"2038-01-19T03:14:08Z\"",
        "true",
        "{}",
        "\"20251031\"",
    ] {
        assert!(json(&column(TIMESTAMP), raw).is_err(), "{raw}");
    }
    assert!(json(&column(TIMESTAMP), "\"2038-01-19T03:14:07.999Z\"").is_ok());
    assert!(json(&milli, "\"0000-01-01T00:00:00Z\"").is_err());
}

#[test]
fn a_refused_number_names_the_unit_that_it_seems_to_have() {
    let date_time = column(ColumnType::DateTime { places: 0 });
    for (column, raw, word) in [
        (
            &date_time,
            "1766000000000000",
            "microseconds: timestamp_unit = \"us\"",
        ),
        (&date_time, "1766000000000000000", "timestamp_unit = \"ns\""),
        (&date_time, "\"1766000000\"", "timestamp_unit = \"s\""),
        (
            &column(TIMESTAMP),
            "1766000000000000",
            "1970 to 2038; it looks like microseconds",
        ),
    ] {
        let error = json(column, raw).unwrap_err();
        assert!(error.contains(word) && !error.contains("1766"), "{error}");
    }
    for raw in ["0", "2147483648000", "\"soon\""] {
        assert!(
            !json(&column(TIMESTAMP), raw)
                .unwrap_err()
                .contains("timestamp_unit"),
            "{raw}"
        );
    }
    let seconds = Column {
        time_unit: TimeUnit::S,
        ..date_time
    };
    for raw in ["1766000000", "\"1766000000\"", "1766000000.7"] {
        assert_eq!(
            json(&seconds, raw).as_deref(),
            Ok("'2025-12-17 19:33:20'"),
            "{raw}"
        );
    }
}

#[test]
fn a_key_column_that_would_merge_two_times_refuses() {
    let error = json(&key(TIMESTAMP), "1700000100500").unwrap_err();
    assert!(error.contains("primary-key"), "{error}");
    assert!(json(&key(TIMESTAMP), "1700000100000").is_ok());
    assert!(
        json(
            &key(ColumnType::Timestamp {
                places: 3,
                long: false
            }),
            "1700000100500"
        )
        .is_ok()
    );
    assert!(json(&key(TIMESTAMP), "null").unwrap_err().contains("NOT NULL"));
    let error = json(&key(ColumnType::Date), "\"2026-01-02T03:04:05Z\"").unwrap_err();
    assert!(error.contains("primary-key"), "{error}");
    assert!(json(&key(ColumnType::Date), "\"2026-01-02T00:00:00Z\"").is_ok());
    assert!(json(&column(ColumnType::Date), "\"2026-01-02T03:04:05Z\"").is_ok());
}

#[test]
fn days_and_clocks_as_ksqldb_writes_them() {
    assert_eq!(
        json(&column(ColumnType::Date), "20392").as_deref(),
        Ok("'2025-10-31'")
    );
    assert_eq!(
        json(&column(ColumnType::Date), "\"2025-10-31\"").as_deref(),
        Ok("'2025-10-31'")
    );
    assert!(json(&column(ColumnType::Date), "1761868799000").is_err());
    let clock = column(ColumnType::Time { places: 0 });
    assert_eq!(json(&clock, "86399999").as_deref(), Ok("'023:59:59'"));
    assert_eq!(json(&clock, "\"08:30\"").as_deref(), Ok("'008:30:00'"));
    assert!(json(&clock, "86400000").is_err());
}

#[test]
fn enums_take_their_members() {
    let column = column(ColumnType::Enum(vec!["read".into(), "none".into()]));
    assert_eq!(json(&column, "\"READ\"").as_deref(), Ok("'read'"));
    // A number would be taken for the member's place.
    assert!(json(&column, "1").is_err() && json(&column, "\"\"").is_err());
}

proptest! {
    #[test]
    fn no_input_panics(raw in prop_oneof!["-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE]-?[0-9]{1,3})?", "\"[^\"\\\\\\x00-\\x1f]{0,30}\""]) {
        for kind in [
            BIGINT, MONEY, TIMESTAMP, varchar(5), ColumnType::Json, ColumnType::Date, ColumnType::Other,
            ColumnType::Time { places: 6 }, ColumnType::DateTime { places: 6 }, ColumnType::Float { single: true, places: None },
            ColumnType::Binary { bytes_max: 3, fixed: true },
        ] {
            let _ = json(&column(kind), &raw);
        }
    }
}

proptest! {
    /// The fast paths agree with the exact conversion.
    #[test]
    fn plain_numbers_are_what_they_are_read_as(text in "-?[0-9]{0,5}(0{3,19})?([.][0-9]{0,3})?") {
        if let Some(decimal) = Decimal::parse(&text) {
            if let Some(plain) = plain_integer(&text) {
                prop_assert_eq!(decimal.integer(), Some(i128::from(plain)));
            }
            for (precision, scale) in [(5, 2), (9, 0), (3, 3), (20, 1)] {
                if is_plain_decimal(&text, precision, scale) {
                    let fixed = decimal.fixed(precision, scale).map(|fixed| fixed.to_string());
                    prop_assert_eq!(fixed, Some(text.clone()));
                }
            }
        } else {
            prop_assert_eq!(plain_integer(&text), None);
            prop_assert!(!is_plain_decimal(&text, 20, 1) && !is_plain_decimal(&text, 20, 0));
        }
    }
}

proptest! {
    /// A value that certainly fits is converted, and takes the same size.
    #[test]
    fn what_surely_fits_is_taken(
        raw in prop_oneof![
            "-?[0-9]{1,20}([.][0-9]{0,3})?",
            "[1-9][0-9]{0,4}([.][0-9]{2})?",
            "\"([a-z0-9é ]|\\\\[n\"]){0,12}\"",
            "true|null|\\[1\\]|\\{\\}| *7 *",
        ],
    ) {
        let text = |chars_max, bytes_max| ColumnType::Text { chars_max, bytes_max, fixed: false };
        for kind in [
            BIGINT, TINYINT, MONEY, varchar(5), text(None, 7), TIMESTAMP, ColumnType::Json, ColumnType::Other,
            ColumnType::Integer { min: 0, max: u64::MAX.into() },
            ColumnType::Decimal { precision: 3, scale: 0, unsigned: true },
        ] {
            let column = column(kind);
            if let Some(size) = surely_fits(&column, &raw) {
                let cell = convert(&column, &Input::from_json(&raw).unwrap()).unwrap();
                prop_assert_eq!(cell.wire_bytes(), size);
                prop_assert!(!matches!(cell, Cell::Time(_)));
            }
        }
    }
}

#[test]
fn what_records_mostly_hold_surely_fits() {
    for (kind, raw) in [
        (BIGINT, "-17"),
        (MONEY, "12.50"),
        (varchar(5), "\"abcde\""),
        (TINYINT, "127"),
    ] {
        assert!(surely_fits(&column(kind), raw).is_some(), "{raw}");
    }
    for (kind, raw) in [
        (MONEY, "12.5"),
        (varchar(5), "\"abcdef\""),
        (TINYINT, "128"),
        (varchar(5), "\"\\n\""),
    ] {
        assert_eq!(surely_fits(&column(kind), raw), None, "{raw}");
    }
}

/// Two keys must not become one row.
#[test]
fn a_key_is_not_rounded() {
    let double = ColumnType::Float {
        single: false,
        places: None,
    };
    for (kind, kept, lost) in [(MONEY, "1.50", "1.005"), (double, "0.1", "9007199254740993")] {
        assert!(json(&key(kind.clone()), kept).is_ok());
        assert!(json(&key(kind.clone()), lost).unwrap_err().contains("round"));
        assert!(json(&key(kind.clone()), &format!("\"{lost}\"")).is_err());
        assert!(json(&column(kind), lost).is_ok());
    }
}

/// Times as records write them, in all forms, and what is nearly one.
fn times() -> impl Strategy<Value = String> {
    let date = "(19[7-9][0-9]|20[0-9]{2}|9999)-(0[1-9]|1[0-3])-([0-2][0-9]|3[01])";
    let clock = "[Tt ]([01][0-9]|2[0-4]):[0-5][0-9](:[0-6][0-9]([.,][0-9]{1,12})?)?";
    let offset = "(Z|z|[+-](0[0-9]|1[0-9])(:?[0-5][0-9])?(\\[Europe/Paris\\])?)?";
    prop_oneof![
        proptest::string::string_regex(&format!("\"{date}({clock}{offset})?\"")).unwrap(),
        "\"-?[0-9]{1,20}\"",
        "-?[1-9][0-9]{0,19}([.][0-9]{1,9})?([eE][0-9]{1,2})?",
        "null|true|\\{\\}|\"\"|\"soon\"",
    ]
}

proptest! {
    /// The lake finds the day of every time that a column takes, and it is the same day.
    #[test]
    fn a_time_is_the_same_day_in_the_lake(raw in times(), unit in proptest::sample::select(TimeUnit::ALL.to_vec())) {
        let topic = Topic {
            partition_time: PartitionTime::Field("at".to_owned()),
            lake_unit: unit,
            ..Topic::ad_hoc("T", Kind::Stream, None).unwrap()
        };
        let value = format!("{{\"at\":{raw}}}");
        let record = Record {
            partition: 0,
            offset: 0,
            timestamp_ms: -1,
            key: None,
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        };
        let decoded = Decoder::default().decode(&record).unwrap();
        let mut days = RecordDay::new(chrono_tz::UTC, &topic);
        let day = days.of(&decoded);
        let column = Column { time_unit: unit, ..column(ColumnType::DateTime { places: 6 }) };
        let taken = json(&column, &raw).ok().filter(|taken| taken != "NULL");
        let year = taken.as_deref().map_or(0, |taken| taken[1..5].parse().unwrap());
        let expected = taken.filter(|_| year >= 1970).map(|taken| taken[1..11].to_owned());
        let found = matches!(day, HivePartition::Day(_)).then(|| day.to_string());
        prop_assert_eq!(&found, &expected, "{} in {:?}", raw, unit);
        days.note(&decoded, day);
        prop_assert_eq!(days.doubts().without_day.is_some(), found.is_none());
    }
}
