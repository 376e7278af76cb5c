//! Logical types: what the values of a type mean.

use serde_json::{Map, Value};

use super::types::AvroType;

/// More places after the point are not read as a decimal: each value would have as many digits.
pub(super) const SCALE_MAX: u32 = 1000;

/// Connect's decimals have no precision; its converter writes this one.
const CONNECT_PRECISION: u32 = 64;

/// The type that these attributes make of a plain one. What is not valid is ignored, as Avro demands.
pub(super) fn with_attributes(plain: AvroType, attributes: &Map<String, Value>) -> AvroType {
    let timestamp = |digits, utc| AvroType::Timestamp { digits, utc };
    match (name(attributes), &plain) {
        ("decimal", AvroType::Bytes) => decimal(None, attributes).unwrap_or(plain),
        ("decimal", &AvroType::Fixed(size)) => decimal(Some(size), attributes).unwrap_or(plain),
        ("big-decimal", AvroType::Bytes) => AvroType::BigDecimal,
        ("uuid", AvroType::Fixed(16)) => AvroType::Uuid,
        ("duration", AvroType::Fixed(12)) => AvroType::Duration,
        ("date", AvroType::Int) => AvroType::Date,
        ("time-millis", AvroType::Int) => AvroType::TimeMillis,
        ("time-micros", AvroType::Long) => AvroType::TimeMicros,
        ("timestamp-millis", AvroType::Long) => timestamp(3, true),
        ("timestamp-micros", AvroType::Long) => timestamp(6, true),
        ("timestamp-nanos", AvroType::Long) => timestamp(9, true),
        ("local-timestamp-millis", AvroType::Long) => timestamp(3, false),
        ("local-timestamp-micros", AvroType::Long) => timestamp(6, false),
        ("local-timestamp-nanos", AvroType::Long) => timestamp(9, false),
        _ => plain,
    }
}

/// The logical type's name; where there is none, the one that Connect's name stands for.
fn name(attributes: &Map<String, Value>) -> &str {
    if let Some(name) = attributes.get("logicalType").and_then(Value::as_str) {
        return name;
    }
    match connect_name(attributes) {
        Some("org.apache.kafka.connect.data.Decimal") => "decimal",
        Some("org.apache.kafka.connect.data.Date") => "date",
        Some("org.apache.kafka.connect.data.Time") => "time-millis",
        Some("org.apache.kafka.connect.data.Timestamp") => "timestamp-millis",
        _ => "",
    }
}

fn connect_name(attributes: &Map<String, Value>) -> Option<&str> {
    attributes.get("connect.name").and_then(Value::as_str)
}

/// None if precision and scale are not valid. Connect's own are always: Oracle's NUMBER comes with scale 127 and precision 64.
fn decimal(size: Option<usize>, attributes: &Map<String, Value>) -> Option<AvroType> {
    let is_connect = connect_name(attributes) == Some("org.apache.kafka.connect.data.Decimal");
    let precision = attributes.get("precision").and_then(Value::as_u64);
    let precision = precision.and_then(|precision| u32::try_from(precision).ok());
    let scale = match attributes.get("scale") {
        Some(scale) => scale.as_i64()?,
        None if is_connect => connect_scale(attributes)?,
        None => 0,
    };
    let scale = i32::try_from(scale)
        .ok()
        .filter(|scale| scale.unsigned_abs() <= SCALE_MAX)?;
    let precision = match precision {
        Some(precision) if is_connect => precision,
        None if is_connect => CONNECT_PRECISION,
        Some(precision) if precision > 0 && scale >= 0 && scale.unsigned_abs() <= precision => precision,
        _ => return None,
    };
    Some(AvroType::Decimal {
        size,
        precision,
        scale,
    })
}

fn connect_scale(attributes: &Map<String, Value>) -> Option<i64> {
    let parameters = attributes.get("connect.parameters")?;
    parameters.get("scale")?.as_str()?.parse().ok()
}
