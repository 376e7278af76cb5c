//! Random schemas and values, written by Avro's own crate. What is expected is built from its values, by other means.

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Days, Decimal, Duration, Millis, Months, Schema, Uuid};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::HashMap;

use super::super::AvroSchema;
use crate::decode::registered::PayloadReader;
use crate::types::stored::StoredType;

/// The shape of a type; names are given when it is written as a schema.
#[derive(Debug, Clone)]
enum TypeShape {
    /// A primitive type, and a logical one.
    Plain(&'static str, &'static str),
    Fixed(usize, &'static str),
    Decimal {
        precision: u32,
        scale: usize,
        size: Option<usize>,
    },
    Enum(usize),
    Array(Box<TypeShape>),
    Map(Box<TypeShape>),
    Record(Vec<TypeShape>),
    Nullable(Box<TypeShape>),
    /// Of records.
    Union(Vec<Vec<TypeShape>>),
}

fn shapes() -> impl Strategy<Value = TypeShape> {
    let plain = select(vec![
        ("null", ""),
        ("boolean", ""),
        ("int", ""),
        ("long", ""),
        ("float", ""),
        ("double", ""),
        ("bytes", ""),
        ("string", ""),
        ("int", "date"),
        ("int", "time-millis"),
        ("long", "time-micros"),
        ("long", "timestamp-millis"),
        ("long", "timestamp-micros"),
        ("long", "timestamp-nanos"),
        ("long", "local-timestamp-millis"),
        ("long", "local-timestamp-micros"),
        ("long", "local-timestamp-nanos"),
        ("string", "uuid"),
    ]);
    let leaf = prop_oneof![
        8 => plain.prop_map(|(plain, logical)| TypeShape::Plain(plain, logical)),
        1 => (0..20usize).prop_map(|size| TypeShape::Fixed(size, "")),
        1 => Just(TypeShape::Fixed(16, "uuid")),
        1 => Just(TypeShape::Fixed(12, "duration")),
        1 => (select(vec![30, 38, 39]), 0..=30usize, prop::option::of(16..20usize))
            // A fixed one of so many bytes has no more digits.
            .prop_map(|(precision, scale, size)| TypeShape::Decimal { precision: precision.min(size.map_or(39, |_| 38)), scale, size }),
        1 => (1..5usize).prop_map(TypeShape::Enum),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let fields = || prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            1 => inner.clone().prop_map(|items| TypeShape::Array(items.into())),
            1 => inner.clone().prop_map(|values| TypeShape::Map(values.into())),
            4 => fields().prop_map(TypeShape::Record),
            2 => inner.clone().prop_filter("a union in a union, or null twice", can_be_null)
                .prop_map(|other| TypeShape::Nullable(other.into())),
            1 => prop::collection::vec(fields(), 1..4).prop_map(TypeShape::Union),
        ]
    })
}

fn can_be_null(shape: &TypeShape) -> bool {
    !matches!(
        shape,
        TypeShape::Plain("null", _) | TypeShape::Nullable(_) | TypeShape::Union(_)
    )
}

/// The names of the shapes that need one count up.
fn schema(shape: &TypeShape, names: &mut usize) -> String {
    let mut name = || {
        *names += 1;
        format!("N{names}")
    };
    match shape {
        TypeShape::Plain(plain, "") => format!(r#""{plain}""#),
        TypeShape::Plain(plain, logical) => format!(r#"{{"type":"{plain}","logicalType":"{logical}"}}"#),
        TypeShape::Fixed(size, logical) => {
            format!(
                r#"{{"type":"fixed","name":"{}","size":{size},"logicalType":"{logical}"}}"#,
                name()
            )
        }
        TypeShape::Decimal {
            precision,
            scale,
            size: None,
        } => {
            format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#)
        }
        TypeShape::Decimal {
            precision,
            scale,
            size: Some(size),
        } => format!(
            r#"{{"type":"fixed","name":"{}","size":{size},"logicalType":"decimal","precision":{precision},"scale":{scale}}}"#,
            name()
        ),
        TypeShape::Enum(count) => {
            let symbols: Vec<_> = (0..*count).map(|number| format!(r#""S{number}""#)).collect();
            format!(
                r#"{{"type":"enum","name":"{}","symbols":[{}]}}"#,
                name(),
                symbols.join(",")
            )
        }
        TypeShape::Array(items) => format!(r#"{{"type":"array","items":{}}}"#, schema(items, names)),
        TypeShape::Map(values) => format!(r#"{{"type":"map","values":{}}}"#, schema(values, names)),
        TypeShape::Record(fields) => record_schema(fields, names),
        TypeShape::Nullable(other) => format!(r#"["null",{}]"#, schema(other, names)),
        TypeShape::Union(records) => {
            let records: Vec<_> = records
                .iter()
                .map(|fields| record_schema(fields, names))
                .collect();
            format!("[{}]", records.join(","))
        }
    }
}

fn record_schema(fields: &[TypeShape], names: &mut usize) -> String {
    *names += 1;
    let name = *names;
    let fields: Vec<_> = fields
        .iter()
        .enumerate()
        .map(|(number, field)| format!(r#"{{"name":"f{number}","type":{}}}"#, schema(field, names)))
        .collect();
    format!(
        r#"{{"type":"record","name":"N{name}","fields":[{}]}}"#,
        fields.join(",")
    )
}

fn values(shape: &TypeShape) -> BoxedStrategy<Value> {
    let text = "([\\x00-\\x20\"\\\\]{0,2}.{0,3}){0,4}";
    // Times near now, and all others.
    let longs = || prop_oneof![any::<i64>(), -(1i64 << 51)..1 << 51, -100..100i64];
    let ints = || prop_oneof![any::<i32>(), 0..90_000_000, -100..100];
    match shape {
        TypeShape::Plain("null", _) => Just(Value::Null).boxed(),
        TypeShape::Plain("boolean", _) => any::<bool>().prop_map(Value::Boolean).boxed(),
        TypeShape::Plain("float", _) => any::<u32>()
            .prop_map(|bits| Value::Float(f32::from_bits(bits)))
            .boxed(),
        TypeShape::Plain("double", _) => any::<u64>()
            .prop_map(|bits| Value::Double(f64::from_bits(bits)))
            .boxed(),
        TypeShape::Plain("bytes", _) => prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(Value::Bytes)
            .boxed(),
        TypeShape::Plain("string", "uuid") | TypeShape::Fixed(_, "uuid") => any::<u128>()
            .prop_map(|bits| Value::Uuid(Uuid::from_u128(bits)))
            .boxed(),
        TypeShape::Plain("string", _) => text.prop_map(Value::String).boxed(),
        TypeShape::Plain("int", logical) => {
            let of = match *logical {
                "date" => Value::Date,
                "time-millis" => Value::TimeMillis,
                _ => Value::Int,
            };
            ints().prop_map(of).boxed()
        }
        TypeShape::Plain(_, logical) => {
            let of = match *logical {
                "time-micros" => Value::TimeMicros,
                "timestamp-millis" => Value::TimestampMillis,
                "timestamp-micros" => Value::TimestampMicros,
                "timestamp-nanos" => Value::TimestampNanos,
                "local-timestamp-millis" => Value::LocalTimestampMillis,
                "local-timestamp-micros" => Value::LocalTimestampMicros,
                "local-timestamp-nanos" => Value::LocalTimestampNanos,
                _ => Value::Long,
            };
            longs().prop_map(of).boxed()
        }
        TypeShape::Fixed(_, "duration") => any::<(u32, u32, u32)>()
            .prop_map(|(months, days, millis)| {
                Value::Duration(Duration::new(
                    Months::new(months),
                    Days::new(days),
                    Millis::new(millis),
                ))
            })
            .boxed(),
        &TypeShape::Fixed(size, _) => prop::collection::vec(any::<u8>(), size)
            .prop_map(move |bytes| Value::Fixed(size, bytes))
            .boxed(),
        &TypeShape::Decimal { precision, .. } => prop_oneof![any::<i128>(), -1000..1000i128]
            .prop_map(move |unscaled| match 10i128.checked_pow(precision) {
                Some(end) => unscaled % end,
                None => unscaled,
            })
            .prop_map(|unscaled| Value::Decimal(Decimal::from(unscaled.to_be_bytes())))
            .boxed(),
        &TypeShape::Enum(count) => (0..count)
            .prop_map(|number| Value::Enum(number as u32, format!("S{number}")))
            .boxed(),
        TypeShape::Array(items) => prop::collection::vec(values(items), 0..4)
            .prop_map(Value::Array)
            .boxed(),
        TypeShape::Map(of) => prop::collection::vec((text, values(of)), 0..4)
            .prop_map(|entries| Value::Map(entries.into_iter().collect::<HashMap<_, _>>()))
            .boxed(),
        TypeShape::Record(fields) => records(fields),
        TypeShape::Nullable(other) => prop_oneof![
            Just(Value::Union(0, Value::Null.into())),
            values(other).prop_map(|value| Value::Union(1, value.into())),
        ]
        .boxed(),
        TypeShape::Union(branches) => {
            let branches = branches.iter().enumerate().map(|(number, fields)| {
                records(fields)
                    .prop_map(move |value| Value::Union(number as u32, value.into()))
                    .boxed()
            });
            prop::strategy::Union::new(branches).boxed()
        }
    }
}

fn records(fields: &[TypeShape]) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields.iter().map(values).collect();
    fields
        .prop_map(|values| {
            let names = (0..).map(|number| format!("f{number}"));
            Value::Record(names.zip(values).collect())
        })
        .boxed()
}

/// What FORMATS.md says of each value.
fn expected(value: &Value, shape: &TypeShape) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let joined = |parts: Vec<String>| parts.join(",");
    let record = |values: &[(String, Value)], fields: &[TypeShape]| {
        let fields = values.iter().zip(fields);
        let fields =
            fields.map(|((name, value), shape)| format!("{}:{}", quoted(name), expected(value, shape)));
        format!("{{{}}}", joined(fields.collect()))
    };
    match (value, shape) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Boolean(value), _) => value.to_string(),
        (Value::Int(number), _) => number.to_string(),
        (Value::Long(number), _) => number.to_string(),
        (Value::Float(number), _) if number.is_finite() => serde_json::to_string(number).unwrap(),
        (Value::Float(number), _) => not_finite((*number).into()),
        (Value::Double(number), _) if number.is_finite() => serde_json::to_string(number).unwrap(),
        (Value::Double(number), _) => not_finite(*number),
        (Value::Bytes(bytes) | Value::Fixed(_, bytes), _) => quoted(&STANDARD.encode(bytes)),
        (Value::String(text), _) => quoted(text),
        (Value::Enum(_, symbol), _) => quoted(symbol),
        (Value::Uuid(uuid), _) => quoted(&uuid.to_string()),
        (Value::Date(days), _) => date(*days),
        (Value::TimeMillis(time), _) => time_of_day((*time).into(), 1000),
        (Value::TimeMicros(time), _) => time_of_day(*time, 1_000_000),
        (Value::TimestampMillis(time), _) => instant(DateTime::from_timestamp_millis(*time), "%.3fZ", *time),
        (Value::TimestampMicros(time), _) => instant(DateTime::from_timestamp_micros(*time), "%.6fZ", *time),
        (Value::TimestampNanos(time), _) => {
            instant(Some(DateTime::from_timestamp_nanos(*time)), "%.9fZ", *time)
        }
        (Value::LocalTimestampMillis(time), _) => {
            instant(DateTime::from_timestamp_millis(*time), "%.3f", *time)
        }
        (Value::LocalTimestampMicros(time), _) => {
            instant(DateTime::from_timestamp_micros(*time), "%.6f", *time)
        }
        (Value::LocalTimestampNanos(time), _) => {
            instant(Some(DateTime::from_timestamp_nanos(*time)), "%.9f", *time)
        }
        (Value::Duration(duration), _) => period(duration),
        (Value::Decimal(number), TypeShape::Decimal { scale, .. }) => decimal(number, *scale),
        (Value::Array(items), TypeShape::Array(shape)) => {
            let items = items.iter().map(|item| expected(item, shape));
            format!("[{}]", joined(items.collect()))
        }
        (Value::Map(entries), TypeShape::Map(shape)) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", quoted(key), expected(value, shape)));
            format!("{{{}}}", joined(entries.collect()))
        }
        (Value::Record(values), TypeShape::Record(fields)) => record(values, fields),
        (Value::Union(0, _), TypeShape::Nullable(_)) => "null".to_owned(),
        (Value::Union(_, value), TypeShape::Nullable(shape)) => expected(value, shape),
        (Value::Union(number, value), TypeShape::Union(branches)) => match &**value {
            Value::Record(values) => record(values, &branches[*number as usize]),
            other => unreachable!("{other:?}"),
        },
        other => unreachable!("{other:?}"),
    }
}

fn not_finite(number: f64) -> String {
    let text = match number {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    };
    format!("\"{text}\"")
}

fn date(days: i32) -> String {
    let epoch = NaiveDate::default();
    let day = epoch.checked_add_signed(TimeDelta::days(days.into()));
    match day {
        Some(day) if has_four_digits(day) => day.format("\"%Y-%m-%d\"").to_string(),
        _ => days.to_string(),
    }
}

fn has_four_digits(day: NaiveDate) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&day.year())
}

fn time_of_day(time: i64, units: i64) -> String {
    let nanos = (time % units * (1_000_000_000 / units)) as u32;
    let clock = u32::try_from(time / units)
        .ok()
        .filter(|_| time >= 0)
        .and_then(|seconds| NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos));
    match clock {
        Some(clock) if units == 1000 => clock.format("\"%H:%M:%S%.3f\"").to_string(),
        Some(clock) => clock.format("\"%H:%M:%S%.6f\"").to_string(),
        None => time.to_string(),
    }
}

fn instant(time: Option<DateTime<chrono::Utc>>, fraction: &str, number: i64) -> String {
    match time {
        Some(time) if has_four_digits(time.date_naive()) => time
            .format(&format!("\"%Y-%m-%dT%H:%M:%S{fraction}\""))
            .to_string(),
        _ => number.to_string(),
    }
}

fn period(duration: &Duration) -> String {
    let number = |bytes: [u8; 4]| u32::from_le_bytes(bytes);
    let bytes: [u8; 12] = (*duration).into();
    let part = |at: usize| number([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let mut text = String::from("\"P");
    if part(0) != 0 {
        text += &format!("{}M", part(0));
    }
    if part(4) != 0 {
        text += &format!("{}D", part(4));
    }
    let clock = match (part(8) / 1000, part(8) % 1000) {
        (0, 0) if text.len() > 2 => String::new(),
        (seconds, 0) => format!("T{seconds}S"),
        (seconds, millis) => format!("T{seconds}.{millis:03}S"),
    };
    text + &clock + "\""
}

/// All of them fit 128 bits.
fn decimal(number: &Decimal, scale: usize) -> String {
    let bytes = Vec::<u8>::try_from(number).unwrap();
    let negative = bytes.first().is_some_and(|byte| *byte > 127);
    let mut whole = [if negative { 255 } else { 0 }; 16];
    whole[16 - bytes.len()..].copy_from_slice(&bytes);
    let digits = format!("{:0>1$}", i128::from_be_bytes(whole).unsigned_abs(), scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if negative { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    format!("{sign}{whole}{point}{fraction}")
}

fn shapes_and_values() -> impl Strategy<Value = (TypeShape, Value)> {
    shapes().prop_flat_map(|shape| {
        let values = values(&shape);
        (Just(shape), values)
    })
}

fn payload(schema: &str, value: &Value) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let mut payload = Vec::new();
    writer.write_value_ref(&mut payload, value).unwrap();
    payload
}

/// The columns that a random schema declares, and some of its records as JSON.
pub(crate) fn declared_records() -> impl Strategy<Value = (Vec<(String, StoredType)>, Vec<String>)> {
    prop::collection::vec(shapes(), 0..8)
        .prop_flat_map(|fields| {
            let values = prop::collection::vec(records(&fields), 1..6);
            (Just(TypeShape::Record(fields)), values)
        })
        .prop_map(|(shape, values)| {
            let schema = schema(&shape, &mut 0);
            let compiled = AvroSchema::parse(&schema, &[]).unwrap();
            let json = |value: &Value| {
                let mut out = String::new();
                compiled.write(&payload(&schema, value), &mut out).unwrap();
                out
            };
            (
                compiled.stored_columns(None).unwrap(),
                values.iter().map(json).collect(),
            )
        })
}

proptest! {
    #[test]
    fn values_that_avros_crate_wrote((shape, value) in shapes_and_values()) {
        let schema = schema(&shape, &mut 0);
        let payload = payload(&schema, &value);
        let compiled = AvroSchema::parse(&schema, &[]).unwrap();
        let mut out = String::new();
        let written = compiled.write(&payload, &mut out);
        prop_assert!(written.is_ok(), "{:?}", written);
        prop_assert_eq!(&out, &expected(&value, &shape));
        serde_json::from_str::<serde::de::IgnoredAny>(&out).unwrap();
        // Whatever is cut off is missed, and what is too much is noticed.
        for length in 0..payload.len() {
            prop_assert!(compiled.write(&payload[..length], &mut String::new()).is_err());
        }
        let longer = [&payload[..], &[0]].concat();
        prop_assert!(compiled.write(&longer, &mut String::new()).is_err());
    }

    #[test]
    fn random_bytes_do_no_harm(shape in shapes(), payload in prop::collection::vec(prop_oneof![any::<u8>(), 0..5u8], 0..200)) {
        let schema = schema(&shape, &mut 0);
        let compiled = AvroSchema::parse(&schema, &[]).unwrap();
        let mut out = String::new();
        if compiled.write(&payload, &mut out).is_ok() {
            serde_json::from_str::<serde::de::IgnoredAny>(&out).unwrap();
        }
        // Each byte and each value without bytes is at most as long as the schema.
        prop_assert!(out.len() <= (payload.len() * 2 + 65_536) * (schema.len() + 50));
    }

    #[test]
    fn damaged_values_do_no_harm((shape, value) in shapes_and_values(), at: prop::sample::Index, byte: u8) {
        let schema = schema(&shape, &mut 0);
        let mut payload = payload(&schema, &value);
        if !payload.is_empty() {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let mut out = String::new();
        if AvroSchema::parse(&schema, &[]).unwrap().write(&payload, &mut out).is_ok() {
            serde_json::from_str::<serde::de::IgnoredAny>(&out).unwrap();
        }
    }
}
