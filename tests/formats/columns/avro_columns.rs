//! Avro's types.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value, json};

use super::{Columns, Given};
use crate::variant::id_of;

/// 2025-10-31T23:30:00Z
const SECONDS: i64 = 1_761_953_400;
/// 2025-10-31T23:59:59.999Z
const LAST_MS: i64 = 1_761_955_199_999;

pub fn columns() -> Columns {
    let mut given = Vec::new();
    for (of, value, columns) in cases() {
        for (column, expected) in columns {
            let bytes = bytes(given.len(), &of, &value);
            given.push(Given {
                column,
                bytes,
                expected,
            });
        }
    }
    Columns {
        name: "avro",
        entry: "value.format = \"avro\"".to_owned(),
        shared: false,
        given,
    }
}

/// A record whose one field is the column of this number, with its schema's id.
fn bytes(number: usize, of: &Value, value: &Avro) -> Vec<u8> {
    let name = format!("c{number}");
    let text = json!({"type": "record", "name": "R", "fields": [{"name": name, "type": of}]}).to_string();
    let schema = Schema::parse_str(&text).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let payload = writer.write_value_to_vec(Avro::Record(vec![(name, value.clone())]));
    [&[0], &id_of(&text, "AVRO").to_be_bytes()[..], &payload.unwrap()].concat()
}

type Expected = (&'static str, Result<&'static str, &'static str>);

fn decimal(unscaled: i128) -> Avro {
    Avro::Decimal(unscaled.to_be_bytes().to_vec().into())
}

fn cases() -> Vec<(Value, Avro, Vec<Expected>)> {
    let logical = |of: &str, name: &str| json!({"type": of, "logicalType": name});
    let decimals = |precision: u32, scale: u32| json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale});
    let long = json!("long");
    vec![
        (
            decimals(38, 10),
            decimal(-99_999_999_999_999_999_999_999_999_999_999_999_999),
            vec![
                ("DECIMAL(38,10)", Ok("-9999999999999999999999999999.9999999999")),
                (
                    "DECIMAL(65,30)",
                    Ok("-9999999999999999999999999999.999999999900000000000000000000"),
                ),
                ("VARCHAR(99)", Ok("-9999999999999999999999999999.9999999999")),
                ("DECIMAL(37,10)", Err("out of range for DECIMAL(37,10)")),
                (
                    "DECIMAL(38,10) UNSIGNED",
                    Err("negative, but the column is unsigned"),
                ),
                ("BIGINT", Err("not a whole number, or too large")),
            ],
        ),
        (
            decimals(9, 4),
            decimal(12_345),
            vec![("DECIMAL(9,4)", Ok("1.2345")), ("DECIMAL(9,2)", Ok("1.23"))],
        ),
        (
            logical("int", "date"),
            Avro::Date(20_392),
            vec![
                ("DATE", Ok("2025-10-31")),
                ("DATETIME", Ok("2025-10-31 00:00:00")),
                ("VARCHAR(10)", Ok("2025-10-31")),
                ("TIME", Err("not a time of day")),
            ],
        ),
        (
            logical("int", "date"),
            Avro::Date(-719_162),
            vec![("DATE", Ok("0001-01-01"))],
        ),
        (
            logical("int", "date"),
            Avro::Date(2_932_897),
            vec![("DATE", Err("not a number of days"))],
        ),
        (
            logical("int", "time-millis"),
            Avro::TimeMillis(86_399_999),
            vec![
                ("TIME", Ok("23:59:59")),
                ("TIME(2)", Ok("23:59:59.99")),
                ("TIME(6)", Ok("23:59:59.999000")),
                ("DATETIME", Err("")),
            ],
        ),
        (
            logical("int", "time-millis"),
            Avro::TimeMillis(86_400_000),
            vec![("TIME", Err("since midnight"))],
        ),
        (
            logical("long", "time-micros"),
            Avro::TimeMicros(86_399_999_999),
            vec![
                ("TIME", Ok("23:59:59")),
                ("TIME(3)", Ok("23:59:59.999")),
                ("TIME(6)", Ok("23:59:59.999999")),
            ],
        ),
        (
            logical("long", "time-micros"),
            Avro::TimeMicros(-1),
            vec![("TIME(6)", Err("since midnight"))],
        ),
        (
            logical("long", "timestamp-millis"),
            Avro::TimestampMillis(LAST_MS),
            vec![
                ("DATETIME", Ok("2025-10-31 23:59:59")),
                ("DATETIME(1)", Ok("2025-10-31 23:59:59.9")),
                ("DATETIME(3)", Ok("2025-10-31 23:59:59.999")),
                ("TIMESTAMP", Ok("2025-10-31 23:59:59")),
                ("TIMESTAMP(6)", Ok("2025-10-31 23:59:59.999000")),
                ("DATE", Ok("2025-10-31")),
            ],
        ),
        (
            logical("long", "timestamp-millis"),
            Avro::TimestampMillis(-1),
            vec![
                ("DATETIME", Ok("1969-12-31 23:59:59")),
                ("TIMESTAMP", Err("out of a TIMESTAMP's range")),
            ],
        ),
        (
            logical("long", "timestamp-millis"),
            Avro::TimestampMillis(253_402_300_799_999),
            vec![
                ("DATETIME(3)", Ok("9999-12-31 23:59:59.999")),
                ("TIMESTAMP", Err("out of a TIMESTAMP's range")),
            ],
        ),
        (
            logical("long", "timestamp-millis"),
            Avro::TimestampMillis(253_402_300_800_000),
            vec![("DATETIME", Err(""))],
        ),
        (
            logical("long", "timestamp-micros"),
            Avro::TimestampMicros(LAST_MS * 1000 + 999),
            vec![
                ("DATETIME", Ok("2025-10-31 23:59:59")),
                ("DATETIME(3)", Ok("2025-10-31 23:59:59.999")),
                ("DATETIME(6)", Ok("2025-10-31 23:59:59.999999")),
                ("TIMESTAMP(3)", Ok("2025-10-31 23:59:59.999")),
            ],
        ),
        (
            logical("long", "timestamp-micros"),
            Avro::TimestampMicros(i64::MAX),
            vec![("DATETIME(6)", Err("")), ("BIGINT", Ok("9223372036854775807"))],
        ),
        (
            logical("long", "timestamp-nanos"),
            Avro::TimestampNanos(SECONDS * 1_000_000_000 + 999_999_999),
            vec![
                ("DATETIME(6)", Ok("2025-10-31 23:30:00.999999")),
                ("TIMESTAMP", Ok("2025-10-31 23:30:00")),
            ],
        ),
        (
            logical("long", "local-timestamp-micros"),
            Avro::LocalTimestampMicros(SECONDS * 1_000_000 + 1),
            vec![("DATETIME(6)", Ok("2025-10-31 23:30:00.000001"))],
        ),
        (
            json!("bytes"),
            Avro::Bytes(vec![0, 255, 16, 32]),
            vec![
                ("BLOB", Ok("00FF1020")),
                ("BINARY(4)", Ok("00FF1020")),
                ("BINARY(6)", Ok("00FF10200000")),
                ("VARBINARY(4)", Ok("00FF1020")),
                ("VARBINARY(3)", Err("longer than 3 bytes")),
                ("VARCHAR(8)", Ok("AP8QIA==")),
            ],
        ),
        (
            json!("bytes"),
            Avro::Bytes(Vec::new()),
            vec![("VARBINARY(4)", Ok(""))],
        ),
        (
            json!({"type": "fixed", "name": "F", "size": 3}),
            Avro::Fixed(3, vec![1, 2, 3]),
            vec![("BINARY(3)", Ok("010203"))],
        ),
        (
            json!({"type": "enum", "name": "E", "symbols": ["OPEN", "PAID"]}),
            Avro::Enum(1, "PAID".into()),
            vec![
                ("ENUM('OPEN','PAID')", Ok("PAID")),
                ("ENUM('OPEN')", Err("not one of the ENUM's values")),
                ("VARCHAR(4)", Ok("PAID")),
            ],
        ),
        (
            json!({"type": "map", "values": "long"}),
            Avro::Map([("a".to_owned(), Avro::Long(9_007_199_254_740_993))].into()),
            vec![
                ("LONGTEXT", Ok("{\"a\":9007199254740993}")),
                ("INT", Err("not a number")),
            ],
        ),
        (
            json!({"type": "array", "items": "long"}),
            Avro::Array(vec![Avro::Long(i64::MIN)]),
            vec![("JSON", Ok("[-9223372036854775808]"))],
        ),
        (
            long.clone(),
            Avro::Long(9_007_199_254_740_993),
            vec![
                ("BIGINT", Ok("9007199254740993")),
                ("BIGINT UNSIGNED", Ok("9007199254740993")),
                ("DECIMAL(20,2)", Ok("9007199254740993.00")),
                ("VARCHAR(20)", Ok("9007199254740993")),
                ("INT", Err("out of range -2147483648 to 2147483647")),
            ],
        ),
        (
            long.clone(),
            Avro::Long(i64::MIN),
            vec![
                ("BIGINT", Ok("-9223372036854775808")),
                ("BIGINT UNSIGNED", Err("out of range 0 to")),
            ],
        ),
        (
            json!("boolean"),
            Avro::Boolean(true),
            vec![
                ("BOOLEAN", Ok("1")),
                ("BIT(1)", Ok("1")),
                ("VARCHAR(5)", Ok("true")),
            ],
        ),
        (
            json!("float"),
            Avro::Float(0.1),
            vec![
                ("FLOAT", Ok("0.1")),
                ("DOUBLE", Ok("0.1")),
                ("DECIMAL(5,2)", Ok("0.10")),
            ],
        ),
        (
            json!("double"),
            Avro::Double(1e300),
            vec![("DOUBLE", Ok("1e300")), ("FLOAT", Err("out of range"))],
        ),
        (
            json!("double"),
            Avro::Double(f64::NAN),
            vec![("DOUBLE", Err("not a number")), ("VARCHAR(9)", Ok("NaN"))],
        ),
        (
            json!("double"),
            Avro::Double(f64::NEG_INFINITY),
            vec![("DOUBLE", Err("not a number"))],
        ),
        (
            json!("string"),
            Avro::String("Zoë 🎉".into()),
            vec![
                ("VARCHAR(5)", Ok("Zoë 🎉")),
                ("VARCHAR(4)", Err("longer than 4 characters")),
                ("DATE", Err("")),
            ],
        ),
        (
            json!({"type": "string", "logicalType": "uuid"}),
            Avro::Uuid(apache_avro::Uuid::from_u128(
                0x1234_5678_1234_5678_1234_5678_1234_5678,
            )),
            vec![("CHAR(36)", Ok("12345678-1234-5678-1234-567812345678"))],
        ),
    ]
}
