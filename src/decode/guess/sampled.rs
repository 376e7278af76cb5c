//! Settings for a topic of which nothing is known but some of its records.

use super::NAME_THE_REGISTRY;
use super::ids::{IdVerdict, SeenIds};
use super::keys::KeyGuess;
use super::shapes::Shapes;
use crate::config::{
    DeclaredColumn, DeclaredType, Envelope, KeyFormat, KeySchema, ValueFormat, ValueSchema, Window,
    delimiter_named,
};
use crate::decode::key::DecodedKey;
use crate::decode::registry::Registry;
use crate::decode::registry::header::Side;
use crate::decode::stated::StatedSettings;
use crate::decode::{Body, Decoder, bare};
use crate::json::Checker;
use crate::record::Record;

/// The sizes that windows mostly have, in milliseconds.
const SIZES_MS: [i64; 20] = [
    86_400_000, 43_200_000, 21_600_000, 14_400_000, 10_800_000, 7_200_000, 3_600_000, 1_800_000, 1_200_000,
    900_000, 600_000, 300_000, 120_000, 60_000, 30_000, 20_000, 15_000, 10_000, 5_000, 1_000,
];
/// What divides fields, as far as it is looked for. One value proves nothing, and every sentence has blanks.
const DELIMITERS: [&str; 4] = [",", ";", "TAB", "|"];

/// The settings that seem to read these keys; None if no record has one. Whatever a registry doesn't know is a guess.
pub fn keys_of(records: &[Record<'_>], registry: &Registry) -> Option<StatedSettings<KeySchema>> {
    let (mut guess, mut ids) = (
        KeyGuess::new(&KeySchema::default(), registry),
        SeenIds::of(Side::Key),
    );
    let keyed: Vec<&Record<'_>> = records.iter().filter(|record| record.key.is_some()).collect();
    for record in &keyed {
        guess.take(record);
        ids.take(record.key.unwrap_or_default(), &record.headers);
    }
    if keyed.is_empty() {
        return None;
    }
    let bytes = KeySchema {
        format: KeyFormat::Bytes,
        ..KeySchema::default()
    };
    let all_have_ids = ids.payloads == keyed.len() as u64;
    let mut stated = match guess.likeliest() {
        Some(schema) => StatedSettings::of(schema),
        None if all_have_ids => StatedSettings::of(bytes).note(behind_an_id("keys", registry)),
        None => StatedSettings::of(bytes).note("no format but bytes fits all keys"),
    };
    if let Some(Window::Time { .. }) = stated.schema.window {
        let size_ms = likely_size_ms(&stated.schema, &keyed, registry);
        stated.schema.window = Some(Window::Time { size_ms });
        stated = stated
            .note("the size of its windows is not on the wire: all starts seen are multiples of this one");
    }
    if guess.separated() > 1 && stated.schema.format == KeyFormat::String {
        stated =
            stated.note("they have |+| between several columns: key.separator and key.columns divide them");
    }
    Some(stated.doubtful())
}

/// The largest of the usual sizes at whose multiples all windows start.
fn likely_size_ms(schema: &KeySchema, keyed: &[&Record<'_>], registry: &Registry) -> i64 {
    let decoder = Decoder::new(schema.clone(), ValueSchema::default(), registry);
    let mut decoder = decoder.keeping_undecodable();
    let starts: Vec<i64> = keyed
        .iter()
        .filter_map(|record| match decoder.decode(&key_alone(record)).ok()?.key {
            DecodedKey::Key { window, .. } => Some(window?.start_ms),
            _ => None,
        })
        .collect();
    let fits = |size: &&i64| starts.iter().all(|start| start % **size == 0);
    SIZES_MS.iter().find(fits).copied().unwrap_or(1)
}

fn key_alone<'a>(record: &Record<'a>) -> Record<'a> {
    Record {
        value: None,
        ..record.clone()
    }
}

/// The settings that seem to read these values; None if no record has one.
pub fn values_of(records: &[Record<'_>], registry: &Registry) -> Option<StatedSettings<ValueSchema>> {
    let (mut shapes, mut ids) = (Shapes::of(','), SeenIds::of(Side::Value));
    let mut json = 0;
    for record in records {
        let Some(value) = record.value else { continue };
        shapes.take(value);
        ids.take(value, &record.headers);
        json += u64::from(Checker::default().check(value).is_ok());
    }
    if shapes.values == 0 {
        return None;
    }
    let of = |format, columns| {
        StatedSettings::of(ValueSchema {
            format,
            columns,
            ..ValueSchema::default()
        })
    };
    let behind_ids = ids.payloads == shapes.values;
    let verdict = behind_ids.then(|| ids.ask(registry));
    let several = DELIMITERS.iter().find_map(|text| {
        let delimiter = delimiter_named(text)?;
        let count = shapes.fields_at(delimiter).filter(|&count| count > 1)?;
        (shapes.text && shapes.values > 1).then_some((delimiter, count))
    });
    let number = shapes.number().and_then(DeclaredType::parse);
    let stated = match (verdict, number) {
        (Some(IdVerdict::Known(_, kind)), _) => of(ValueFormat::Registered(kind), Vec::new()),
        // Most of them are as JSON is, or all; the others are kept as text.
        _ if json * 2 > shapes.values => match json == shapes.values {
            true => of(ValueFormat::Json, Vec::new()),
            false => of(ValueFormat::Json, Vec::new()).note(format!("{json} of {} are JSON", shapes.values)),
        },
        (Some(IdVerdict::NotConfigured | IdVerdict::NotReached), None) | (Some(IdVerdict::Unknown), None) => {
            of(ValueFormat::Bytes, Vec::new()).note(behind_an_id("values", registry))
        }
        (_, Some(kind)) => of(ValueFormat::Kafka, vec![column(bare::NAME, kind)]),
        (None, None) => match several {
            Some((delimiter, count)) => {
                let columns = (1..=count).map(|n| column(&format!("COLUMN_{n}"), DeclaredType::Varchar));
                let mut stated = of(ValueFormat::Delimited, columns.collect());
                stated.schema.delimiter = delimiter;
                stated.note("the names of the columns are made up: they are not on the wire")
            }
            None if shapes.text => of(
                ValueFormat::Kafka,
                vec![column(bare::NAME, DeclaredType::Varchar)],
            ),
            None => of(ValueFormat::Bytes, Vec::new()).note("no format but bytes fits all values"),
        },
    };
    Some(stated.doubtful())
}

/// The envelope that all of these values are in, read in this format.
pub fn envelope_of(records: &[Record<'_>], format: ValueFormat, registry: &Registry) -> Option<Envelope> {
    let values = ValueSchema {
        format,
        ..ValueSchema::default()
    };
    let decoder = Decoder::new(KeySchema::default(), values, registry);
    let mut decoder = decoder.keeping_undecodable();
    let mut seen = None;
    for record in records {
        let without_key = Record {
            key: None,
            ..record.clone()
        };
        match decoder.decode(&without_key).ok()?.body {
            Body::Tombstone => {}
            Body::Object(object) => {
                let envelope = Envelope::seen_in(object.text())?;
                if *seen.get_or_insert(envelope) != envelope {
                    return None;
                }
            }
            Body::Other(_) | Body::Unreadable { .. } => return None,
        }
    }
    seen
}

fn column(name: &str, kind: DeclaredType) -> DeclaredColumn {
    DeclaredColumn {
        name: name.to_owned(),
        kind,
    }
}

fn behind_an_id(what: &str, registry: &Registry) -> String {
    let fix = match registry.is_configured() {
        true => {
            "the registry of schema_registry.url doesn't have it: name the one that they were written with"
        }
        false => NAME_THE_REGISTRY,
    };
    format!("the {what} seem to stand behind the id of a schema; {fix}, and run this again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::stated::shown;

    type Bytes = Option<Vec<u8>>;

    fn records(all: &[(Bytes, Bytes)]) -> Vec<Record<'_>> {
        all.iter()
            .map(|(key, value)| Record {
                partition: 0,
                offset: 0,
                timestamp_ms: 0,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: Vec::new(),
            })
            .collect()
    }

    fn values(all: &[&[u8]]) -> String {
        let all: Vec<_> = all.iter().map(|value| (None, Some(value.to_vec()))).collect();
        let stated = values_of(&records(&all), &Registry::default()).unwrap();
        assert!(stated.is_doubtful);
        shown(stated.schema.written())
    }

    fn keys(all: &[&[u8]]) -> StatedSettings<KeySchema> {
        let all: Vec<_> = all.iter().map(|key| (Some(key.to_vec()), None)).collect();
        keys_of(&records(&all), &Registry::default()).unwrap()
    }

    #[test]
    fn values_are_what_they_look_like() {
        assert_eq!(values(&[b"{\"a\":1}", b"{\"a\":2}"]), "value.format = 'json'");
        assert_eq!(values(&[b"17", b"\"x\""]), "value.format = 'json'");
        assert_eq!(
            values(&[b"a,1,x", b"b,2,\"y,z\""]),
            "value.format = 'delimited'; value.columns = ['COLUMN_1', 'COLUMN_2', 'COLUMN_3']"
        );
        assert_eq!(
            values(&[b"a;1", b"b;2"]),
            "value.format = 'delimited'; value.columns = ['COLUMN_1', 'COLUMN_2']; value.delimiter = ';'"
        );
        assert_eq!(
            values(&[b"hello"]),
            "value.format = 'kafka'; value.columns = ['VALUE']"
        );
        let (int, bigint, double) = (
            7i32.to_be_bytes(),
            (1i64 << 40).to_be_bytes(),
            1.5f64.to_be_bytes(),
        );
        assert_eq!(
            values(&[&int]),
            "value.format = 'kafka'; value.columns = ['VALUE INT']"
        );
        assert_eq!(
            values(&[&bigint]),
            "value.format = 'kafka'; value.columns = ['VALUE BIGINT']"
        );
        assert_eq!(
            values(&[&double]),
            "value.format = 'kafka'; value.columns = ['VALUE DOUBLE']"
        );
        assert_eq!(values(&[b"\xff\xfe\xfd"]), "value.format = 'bytes'");
        assert!(values_of(&records(&[(None, None)]), &Registry::default()).is_none());
    }

    #[test]
    fn what_only_a_registry_tells_is_kept_until_it_is_named() {
        let all = [(None, Some(b"\0\0\0\0\x07\x02ab\xff".to_vec()))];
        let stated = values_of(&records(&all), &Registry::default()).unwrap();
        assert_eq!(stated.schema.format, ValueFormat::Bytes);
        assert!(stated.notes[0].contains("schema_registry.url"), "{stated:?}");
        let key = keys(&[b"\0\0\0\0\x07\x02ab\xff"]);
        assert!(key.notes[0].contains("schema_registry.url"), "{key:?}");
    }

    #[test]
    fn keys_and_windows_are_what_they_look_like() {
        let double = 1.5f64.to_be_bytes();
        for (key, expected) in [
            (&b"a"[..], "key.format = 'string'"),
            (b"{\"A\":1}", "key.format = 'json'"),
            (&7i32.to_be_bytes(), "key.format = 'int'"),
            (&double, "key.format = 'double'"),
            (&[1, 2, 3], "key.format = 'bytes'"),
        ] {
            assert_eq!(shown(keys(&[key]).schema.written()), expected);
        }
        let start = |minutes: i64| (1_761_825_600_000i64 + minutes * 60_000).to_be_bytes();
        let windowed = |minutes: i64| [b"deposit", &start(minutes)[..]].concat();
        let five = keys(&[&windowed(5), &windowed(20)]);
        assert_eq!(five.schema.window, Some(Window::Time { size_ms: 300_000 }));
        let session = [b"deposit", &start(3)[..], &start(1)[..]].concat();
        assert_eq!(keys(&[&session]).schema.window, Some(Window::Session));
        assert!(keys_of(&records(&[(None, Some(vec![]))]), &Registry::default()).is_none());
        assert!(keys(&[b"a|+|1", b"b|+|2"]).notes[0].contains("key.separator"));
    }

    #[test]
    fn an_envelope_is_seen_if_all_are_in_it() {
        let event = br#"{"before":null,"after":{"id":1},"source":{},"op":"c","ts_ms":1}"#.to_vec();
        let seen =
            |all: &[(Bytes, Bytes)]| envelope_of(&records(all), ValueFormat::Json, &Registry::default());
        assert_eq!(
            seen(&[(None, Some(event.clone())), (None, None)]),
            Some(Envelope::Debezium)
        );
        assert_eq!(
            seen(&[(None, Some(event)), (None, Some(b"{\"id\":1}".to_vec()))]),
            None
        );
        assert_eq!(seen(&[(None, None)]), None);
    }
}
