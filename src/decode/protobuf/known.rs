//! The .proto files that clients of a registry bring along, so that nobody registers them.

/// The text of a file of `google/type` or `confluent`. Those of `google/protobuf` come with the compiler.
pub(super) fn known_file(import: &str) -> Option<&'static str> {
    let file = KNOWN.iter().find(|(name, _)| *name == import)?;
    Some(file.1)
}

#[cfg(test)]
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The files of `google/protobuf` whose messages may stand in an Any, whether or not a .proto imports them.
pub(super) const OFTEN_IN_ANY: [&str; 7] = [
    "google/protobuf/any.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/wrappers.proto",
];

macro_rules! known {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("known/", $name)))),+]
    };
}

const KNOWN: &[(&str, &str)] = known![
    "confluent/meta.proto",
    "confluent/type/decimal.proto",
    "confluent/type/variant.proto",
    "confluent/types/decimal.proto",
    "google/type/calendar_period.proto",
    "google/type/color.proto",
    "google/type/date.proto",
    "google/type/datetime.proto",
    "google/type/dayofweek.proto",
    "google/type/decimal.proto",
    "google/type/expr.proto",
    "google/type/fraction.proto",
    "google/type/interval.proto",
    "google/type/latlng.proto",
    "google/type/localized_text.proto",
    "google/type/money.proto",
    "google/type/month.proto",
    "google/type/phone_number.proto",
    "google/type/postal_address.proto",
    "google/type/quaternion.proto",
    "google/type/timeofday.proto",
];
