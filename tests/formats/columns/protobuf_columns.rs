//! Protobuf's types.

use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value as Proto};

use super::{Columns, Given};
use crate::protobuf::descriptor;
use crate::variant::id_of;

/// A value of a field: plain, or of a message's fields by their numbers.
#[derive(Clone)]
enum Of {
    Plain(Proto),
    Fields(Vec<(u32, Of)>),
}

pub fn columns() -> Columns {
    let mut given = Vec::new();
    for (of, value, columns) in cases() {
        for (column, expected) in columns {
            let bytes = bytes(given.len(), of, &value);
            given.push(Given {
                column,
                bytes,
                expected,
            });
        }
    }
    Columns {
        name: "protobuf",
        entry: "value.format = \"protobuf\"".to_owned(),
        shared: false,
        given,
    }
}

const IMPORTS: [&str; 7] = [
    "confluent/type/decimal",
    "google/protobuf/duration",
    "google/protobuf/timestamp",
    "google/protobuf/wrappers",
    "google/type/date",
    "google/type/datetime",
    "google/type/timeofday",
];

fn bytes(number: usize, of: &str, value: &Of) -> Vec<u8> {
    let imports = IMPORTS.map(|name| format!("import \"{name}.proto\";\n")).concat();
    let text = format!(
        "syntax = \"proto3\";\n{imports}enum State {{ OPEN = 0; PAID = 1; }}\nmessage V {{ {of} c{number} = 1; }}\n"
    );
    let mut bytes = [&[0], &id_of(&text, "PROTOBUF").to_be_bytes()[..], &[0]].concat();
    let message = message(&descriptor(&text, "V"), &[(1, value.clone())]);
    message.encode(&mut bytes).unwrap();
    bytes
}

fn message(of: &MessageDescriptor, fields: &[(u32, Of)]) -> DynamicMessage {
    let mut dynamic = DynamicMessage::new(of.clone());
    for (number, value) in fields {
        let field = of.get_field(*number).unwrap();
        let value = match (value, field.kind()) {
            (Of::Plain(value), _) => value.clone(),
            (Of::Fields(fields), Kind::Message(inner)) => Proto::Message(message(&inner, fields)),
            (Of::Fields(_), other) => panic!("{other:?} has no fields"),
        };
        dynamic.set_field(&field, value);
    }
    dynamic
}

fn int(number: i64) -> Of {
    Of::Plain(Proto::I64(number))
}

fn ints(numbers: &[i32]) -> Of {
    let numbered = (1..).zip(numbers);
    Of::Fields(
        numbered
            .map(|(place, number)| (place, Of::Plain(Proto::I32(*number))))
            .collect(),
    )
}

/// Seconds and nanoseconds.
fn time(seconds: i64, nanos: i32) -> Of {
    Of::Fields(vec![(1, int(seconds)), (2, Of::Plain(Proto::I32(nanos)))])
}

fn decimal(unscaled: i128, scale: i32) -> Of {
    Of::Fields(vec![
        (1, Of::Plain(Proto::Bytes(unscaled.to_be_bytes().to_vec().into()))),
        (3, Of::Plain(Proto::I32(scale))),
    ])
}

fn raw(bytes: &'static [u8]) -> Of {
    Of::Plain(Proto::Bytes(bytes.into()))
}

type Expected = (&'static str, Result<&'static str, &'static str>);

fn cases() -> Vec<(&'static str, Of, Vec<Expected>)> {
    let offset = |seconds: i64| Of::Fields(vec![(1, int(seconds))]);
    let clock = [23, 30, 0, 123_000_000];
    let date_time = |seconds: i64| {
        let Of::Fields(mut fields) = ints(&[2025, 10, 31, clock[0], clock[1], clock[2], clock[3]]) else {
            panic!("fields")
        };
        fields.push((8, offset(seconds)));
        Of::Fields(fields)
    };
    vec![
        (
            "google.protobuf.Timestamp",
            time(1_761_955_199, 999_999_999),
            vec![
                ("DATETIME", Ok("2025-10-31 23:59:59")),
                ("DATETIME(3)", Ok("2025-10-31 23:59:59.999")),
                ("DATETIME(6)", Ok("2025-10-31 23:59:59.999999")),
                ("TIMESTAMP(6)", Ok("2025-10-31 23:59:59.999999")),
                ("DATE", Ok("2025-10-31")),
            ],
        ),
        (
            "google.protobuf.Timestamp",
            time(1 << 31, 0),
            vec![("DATETIME", Ok("2038-01-19 03:14:08"))],
        ),
        (
            "google.protobuf.Timestamp",
            time(253_402_300_800, 0),
            vec![("DATETIME", Err("not a date or time"))],
        ),
        (
            "google.type.Date",
            ints(&[2025, 10, 31]),
            vec![("DATE", Ok("2025-10-31"))],
        ),
        (
            "google.type.Date",
            ints(&[2025, 10, 0]),
            vec![("DATE", Err("")), ("VARCHAR(7)", Ok("2025-10"))],
        ),
        (
            "google.type.TimeOfDay",
            ints(&[23, 59, 59, 999_999_999]),
            vec![("TIME", Ok("23:59:59")), ("TIME(6)", Ok("23:59:59.999999"))],
        ),
        (
            "google.type.TimeOfDay",
            ints(&[24, 0, 0, 0]),
            vec![("TIME", Err("not a time of day"))],
        ),
        (
            "google.type.DateTime",
            date_time(3600),
            vec![("DATETIME(3)", Ok("2025-10-31 22:30:00.123"))],
        ),
        (
            "google.protobuf.Duration",
            time(1, 500_000_000),
            vec![("VARCHAR(9)", Ok("1.500s"))],
        ),
        (
            "confluent.type.Decimal",
            decimal(-12_345_678_901_234_567_890_123, 4),
            vec![
                ("DECIMAL(23,4)", Ok("-1234567890123456789.0123")),
                ("DECIMAL(22,4)", Err("out of range for DECIMAL(22,4)")),
                ("DECIMAL(23,2)", Ok("-1234567890123456789.01")),
            ],
        ),
        (
            "uint64",
            Of::Plain(Proto::U64(u64::MAX)),
            vec![
                ("BIGINT UNSIGNED", Ok("18446744073709551615")),
                (
                    "BIGINT",
                    Err("out of range -9223372036854775808 to 9223372036854775807"),
                ),
                ("DECIMAL(20,0)", Ok("18446744073709551615")),
            ],
        ),
        (
            "sfixed64",
            int(-9_007_199_254_740_993),
            vec![("BIGINT", Ok("-9007199254740993"))],
        ),
        (
            "google.protobuf.Int64Value",
            Of::Fields(vec![(1, int(i64::MAX))]),
            vec![("BIGINT", Ok("9223372036854775807"))],
        ),
        (
            "bytes",
            raw(&[0, 255]),
            vec![
                ("BINARY(2)", Ok("00FF")),
                ("BINARY(1)", Err("longer than 1 bytes")),
                ("BLOB", Ok("00FF")),
            ],
        ),
        (
            "google.protobuf.BytesValue",
            Of::Fields(vec![(1, raw(&[7]))]),
            vec![("VARBINARY(1)", Ok("07"))],
        ),
        (
            "State",
            Of::Plain(Proto::EnumNumber(1)),
            vec![
                ("ENUM('OPEN','PAID')", Ok("PAID")),
                ("ENUM('OPEN')", Err("not one of the ENUM's values")),
            ],
        ),
        (
            "State",
            Of::Plain(Proto::EnumNumber(7)),
            vec![
                ("ENUM('OPEN','PAID')", Err("not one of the ENUM's values")),
                ("INT", Ok("7")),
            ],
        ),
        (
            "bool",
            Of::Plain(Proto::Bool(true)),
            vec![("BOOLEAN", Ok("1")), ("BIT(1)", Ok("1"))],
        ),
        (
            "double",
            Of::Plain(Proto::F64(f64::INFINITY)),
            vec![("DOUBLE", Err("not a number"))],
        ),
        (
            "float",
            Of::Plain(Proto::F32(f32::MAX)),
            vec![("DOUBLE", Ok("3.4028235e38"))],
        ),
        (
            "repeated int64",
            Of::Plain(Proto::List(vec![Proto::I64(i64::MAX)])),
            vec![("LONGTEXT", Ok("[9223372036854775807]"))],
        ),
    ]
}
