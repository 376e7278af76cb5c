//! Decoded records, compared with serde_json, and lines, compared with their records.

use super::key::Key;
use super::*;
use crate::config::{DeclaredColumn, DeclaredType, KeyFormat};
use crate::json::oracle;
use crate::lake::line::encode::Recorder;
use crate::record::Header;
use crate::types::stored::StoredType;
use proptest::prelude::*;
use serde_json::value::RawValue;

fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
    Record {
        partition: 3,
        offset: 42,
        timestamp_ms: 1_761_868_799_000,
        key,
        value,
        headers: Vec::new(),
    }
}

/// Names and values without blanks around them.
fn fields_of(body: &Body<'_>) -> Option<Vec<(String, String)>> {
    let Body::Object(object) = body else { return None };
    Some(object.fields().unwrap().map(named).collect())
}

fn named(field: Field<'_>) -> (String, String) {
    (field.name.into_owned(), field.raw.trim_ascii().to_owned())
}

#[test]
fn fields_keep_their_text_and_order() {
    let value = b" {\"b\\u0063\" : [1, 2] ,\"A\":12.340,\"c\":null,\"\":\"\\\"}\"} ";
    let expected = [
        ("bc", "[1, 2]"),
        ("A", "12.340"),
        ("c", "null"),
        ("", "\"\\\"}\""),
    ];
    let expected = expected.map(|(name, raw)| (name.to_owned(), raw.to_owned()));
    for mut decoder in [Decoder::default(), Decoder::default().with_fields()] {
        for _ in 0..2 {
            let decoded = decoder.decode(&record(None, Some(value))).unwrap();
            assert_eq!(fields_of(&decoded.body).unwrap(), expected);
            decoder.take_back([decoded]);
        }
    }
}

/// With an escape in a name the fast path does not find the names; without one they must not be allocated.
#[test]
fn known_fields_are_borrowed() {
    let mut decoder = Decoder::default().with_fields();
    let value = record(None, Some(b"{\"A\":12.340,\"B\":{\"C\":1}}"));
    decoder.decode(&value).unwrap();
    let decoded = decoder.decode(&value).unwrap();
    let Body::Object(object) = &decoded.body else {
        panic!("{decoded:?}")
    };
    assert_eq!(object.places.len(), 2);
    let mut fields = object.fields().unwrap();
    assert!(fields.all(|field| matches!(field.name, Cow::Borrowed(_))));
}

#[test]
fn each_kind_of_value_is_recognised() {
    let mut decoder = Decoder::default().reserving(["_offset".to_owned()]);
    let mut body = |value: Option<&[u8]>| format!("{:?}", decoder.decode(&record(None, value)).unwrap().body);
    assert_eq!(body(None), "Tombstone");
    assert!(body(Some(b"{\"_OFFSET\":1}")).contains("reserved: true"));
    assert!(body(Some(b" {\"offset\":1}")).contains("reserved: false"));
    assert!(body(Some(b"[1,\n2] ")).starts_with("Other(Text { text: \"[1,\\n2]\", line_ends: true"));
    assert!(body(Some(b"\xff")).starts_with("Unreadable { reason: \"not UTF-8 at byte 0\""));
    assert!(body(Some(b"{\"a\":1,\"A\":2}")).contains("occurs twice, case ignored"));
}

/// Fields are found in values that readers refuse, if serde_json can read them: the day may depend on such a field.
#[test]
fn a_field_is_found_by_its_path() {
    let field = |value: &[u8], name: &str| {
        let mut decoder = Decoder::default().with_fields();
        let decoded = decoder.decode(&record(None, Some(value))).unwrap();
        decoded.body.field(name).map(str::to_owned)
    };
    assert_eq!(field(b"{\"a\":1,\"t\":\"x\"}", "t").unwrap(), "\"x\"");
    assert_eq!(field(b"{\"\\u0074\":2}", "t").unwrap(), "2");
    assert_eq!(field(b"{\"t\":1,\"T\":2}", "t").unwrap(), "1");
    assert_eq!(field(b"{\"t\":1,\"t\":2}", "t").unwrap(), "2");
    assert_eq!(field(b"{\"t\":1,\"u\":1e400}", "t").unwrap(), "1");
    for value in [&b"{\"u\":1}"[..], b"{\"t\":1", b"[\"t\"]", b"\"t\"", b"\xff"] {
        assert_eq!(field(value, "t"), None, "{}", value.escape_ascii());
    }
    // Any case, but the very name comes first.
    assert_eq!(field(b"{\"T\":1}", "t").unwrap(), "1");
    assert_eq!(
        field("{\"\u{c9}T\u{c9}\":1}".as_bytes(), "\u{e9}t\u{e9}").unwrap(),
        "1"
    );
    // Into objects, which may be nested and have dots in their own names.
    let nested =
        br#"{"META":{"At":1,"b.c":{"d":2},"list":[{"x":3}]},"a.b":4,"a":{"b":5,"c":6},"text":"{\"x\":7}"}"#;
    for (path, expected) in [
        ("META.AT", Some("1")),
        ("meta.b.c.d", Some("2")),
        ("META.list.x", None),
        ("a.b", Some("4")),
        ("A.C", Some("6")),
        ("a.", None),
        (".", None),
        ("META.", None),
        ("text.x", None),
        ("a.b.c", None),
    ] {
        assert_eq!(field(nested, path).as_deref(), expected, "{path}");
    }
}

#[test]
fn json_keys_have_names_of_their_own() {
    let schema = KeySchema {
        format: KeyFormat::Json,
        ..KeySchema::default()
    };
    let mut decoder = Decoder::of_keys(schema).reserving(["a".to_owned()]).with_fields();
    for round in 0..2 {
        let decoded = decoder
            .decode(&record(Some(b"{\"a\":1}"), Some(b"{\"b\":2}")))
            .unwrap();
        // Their places are noted once the names are known.
        let noted = decoded.key_places.fields("{\"a\":1}").map(Iterator::count);
        assert_eq!(noted, (round == 1).then_some(1));
        let key = Key::Json("{\"a\":1}".into());
        assert_eq!(decoded.key, DecodedKey::Key { key, window: None });
        assert_eq!(fields_of(&decoded.body).unwrap().len(), 1);
        decoder.take_back([decoded]);
    }
}

#[test]
fn a_line_without_our_fields_is_its_value() {
    for text in [
        "{\"a\":1}",
        "{\"my_partition\":1,\"my_offset\":2,\"my_key\":3}\n",
        "{}",
    ] {
        let line = line::read(text).unwrap();
        assert!(!line.has_ours && line.spliced, "{text}");
        assert_eq!(line.decoded.at, Coordinates::UNKNOWN);
        let Body::Object(object) = &line.decoded.body else {
            panic!("{line:?}")
        };
        assert_eq!(&**object.text(), text.trim_end());
    }
    assert!(line::read("[1]").is_err());
    assert!(line::read("{} x").is_err());
}

/// A line may hold fields that lakectl does not write: they must not cause a panic, nor lose a value's field.
#[test]
fn odd_lines_lose_no_field() {
    let head = "{\"_partition\":\"x\",\"_offset\":{},\"_timestamp\":null";
    let line = format!("{head},\"_key_base64\":7,\"a\":1,\"_offset\":2,\"b\":3}}");
    let line = line::read(&line).unwrap();
    assert_eq!(line.decoded.at, Coordinates::UNKNOWN);
    let names: Vec<_> = fields_of(&line.decoded.body).unwrap();
    let names: Vec<_> = names.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a", "_offset", "b"]);
}

fn is_same_body(line: &Body<'_>, record: &Body<'_>) {
    let flat = |text: &str| text.replace(['\n', '\r'], " ");
    match (line, record) {
        (Body::Object(line), Body::Object(record)) => {
            let (line, record) = (Body::Object(line.clone()), Body::Object(record.clone()));
            let flattened = fields_of(&record).unwrap().into_iter();
            let flattened: Vec<_> = flattened.map(|(name, raw)| (name, flat(&raw))).collect();
            assert_eq!(fields_of(&line).unwrap(), flattened);
        }
        (Body::Other(line), Body::Other(record)) => assert_eq!(**line, flat(record)),
        (Body::Other(line), Body::Tombstone) => assert_eq!(&**line, "null"),
        (Body::Unreadable { bytes: line, .. }, Body::Unreadable { bytes: record, .. }) => {
            assert_eq!(line, record);
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1024)))]

    /// A decoder finds the fields that serde_json reads, of keys and of values, whatever it decoded before, with `with_fields` or
    /// without.
    #[test]
    fn fields_are_those_of_serde_json(
        values in proptest::collection::vec(oracle::bytes(), 1..4),
        objects in proptest::collection::vec(
            proptest::collection::btree_map(
                "[a-cé]{1,3}|[\"\\\\\u{1}]",
                "[ \t]{0,2}(-?[1-9][0-9]?[.]5|1e5|\"[a,:}\\]é]{0,9}\"|\\[ *1, *\\{ *\"a\": *[0-9] *\\} *\\]|\\{ *\\}|true|null)[ \n]{0,2}",
                0..5,
            ),
            1..4,
        ),
        blank in "[ \n]{0,2}",
    ) {
        let object = |fields: &std::collections::BTreeMap<String, String>| {
            let field = |(name, value): (&String, &String)| format!("{} :{value}", serde_json::json!(name));
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!("{blank}{{{} }} ", fields.join(&format!(",{blank}"))).into_bytes()
        };
        let values: Vec<_> = values.into_iter().chain(objects.iter().map(object)).collect();
        let keys = || KeySchema { format: KeyFormat::Json, ..KeySchema::default() };
        let mut decoders = [Decoder::of_keys(keys()), Decoder::of_keys(keys()).with_fields()];
        for value in values.iter().chain(&values) {
            let raw: Result<Ordered, _> = serde_json::from_slice(value);
            let expected = raw.ok().map(|fields| fields.0);
            for decoder in &mut decoders {
                let decoded = decoder.decode(&record(Some(value), Some(value))).unwrap();
                if let DecodedKey::Key { key: Key::Json(text), .. } = &decoded.key
                    && let Some(fields) = decoded.key_places.fields(text)
                {
                    let found: Vec<_> = fields.map(named).collect();
                    prop_assert_eq!(Some(&found), expected.as_ref(), "{}", value.escape_ascii());
                }
                // Unreadable values have no fields, even if serde_json would find some.
                if let Some(found) = fields_of(&decoded.body) {
                    prop_assert_eq!(Some(&found), expected.as_ref(), "{}", value.escape_ascii());
                    for (name, raw) in &found {
                        let field = decoded.body.field(name);
                        prop_assert_eq!(field.map(str::trim_ascii), Some(raw.as_str()));
                    }
                }
                decoder.take_back([decoded]);
            }
        }
    }

    /// Objects have the fields that serde_json reads, whatever their reader has read before; other texts have none.
    #[test]
    fn a_field_reader_finds_the_fields_of_serde_json(
        texts in proptest::collection::vec(prop_oneof![
            1 => oracle::text(),
            // As keys mostly are: a few names, in one order.
            2 => ("[ \n]?", "-?[1-9]{1,20}|1e5|0\\.10|null|true|\\{\"A\": ?1\\}|\\[1\\]", "\"[a-zé:,{} ]{0,5}(\\\\u00e9|\\\\\"|\\\\ud83d\\\\ude00)?\"")
                .prop_map(|(blank, one, other)| format!("{blank}{{\"A\":{one},{blank}\"B\"{blank}:{other}{blank}}}")),
            1 => proptest::sample::select(vec![
                "{}", "[{\"A\":1}]", "{\"A\":1,\"A\":2}", "{\"a\":1,\"A\":2}", "{\"B\":1,\"A\":2}", "{\"\\u0041\":1,\"B\":2}",
                "{\"A\":1,\"B\":2", "{\"A\":1,\"B\":2}}", "{\"A\":1e400}", "{\"A\":\"\\ud800\",\"B\":1}", "null", "",
            ]).prop_map(str::to_owned),
        ], 1..6),
    ) {
        let mut reader = FieldReader::default();
        for text in texts.iter().chain(&texts) {
            let raw: Result<Ordered, _> = serde_json::from_str(text);
            let expected = raw.ok().map(|fields| fields.0);
            let found = reader.read(text).ok().map(|fields| {
                let field = |field: Field<'_>| (field.name.into_owned(), field.raw.trim_ascii().to_owned());
                fields.map(field).collect::<Vec<_>>()
            });
            prop_assert_eq!(found, expected, "{}", text);
        }
    }

    /// A line of the lake decodes to the same as its record.
    #[test]
    fn a_line_decodes_to_its_record(
        value in proptest::option::weighted(0.9, oracle::bytes()),
        key in proptest::option::of(prop_oneof![
            "\\PC{0,6}[\n\"\\\\\u{1}]?".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..20),
        ]),
        format in proptest::sample::select(vec![KeyFormat::String, KeyFormat::Json, KeyFormat::Int]),
        window in proptest::sample::select(vec![None, Some(crate::config::Window::Session)]),
        prefix in proptest::sample::select(vec!["_", "", "kafka_"]),
        header in any::<bool>(),
    ) {
        let schema = KeySchema { format, window, ..KeySchema::default() };
        let mut record = record(key.as_deref(), value.as_deref());
        if header {
            record.headers = vec![Header { name: b"h", value: None }];
        }
        let mut text = Vec::new();
        Recorder::new(prefix, schema.clone(), true).write(&record, &mut text);
        let text = String::from_utf8(text).unwrap();
        let line = line::read(&text).unwrap();
        let decoded = Decoder::of_keys(schema).decode(&record).unwrap();
        prop_assert!(line.has_ours);
        prop_assert_eq!(line.headers.is_some(), header);
        prop_assert_eq!(line.decoded.at, decoded.at);
        is_same_body(&line.decoded.body, &decoded.body);
        match (&line.decoded.key, &decoded.key) {
            (DecodedKey::Undecodable { bytes, reason }, DecodedKey::Undecodable { bytes: as_it_came, reason: why }) => {
                prop_assert_eq!(bytes, as_it_came);
                prop_assert!(reason.to_string().starts_with(&why.to_string()), "{} and {}", reason, why);
            }
            (DecodedKey::Key { window, .. }, DecodedKey::Key { window: as_it_came, .. }) => {
                prop_assert_eq!(window, as_it_came);
            }
            (DecodedKey::Null, found) => {
                // In a line, a key that is JSON's null looks like a missing key.
                let is_null = match found {
                    DecodedKey::Key { key: Key::Json(raw), .. } => raw == "null",
                    other => *other == DecodedKey::Null,
                };
                prop_assert!(is_null, "{:?}", found);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

/// An object's fields in their order, by a visitor of the tests' own.
struct Ordered(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> serde::de::Visitor<'de> for Entries {
            type Value = Vec<(String, String)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
                    fields.push((name, raw.get().to_owned()));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Entries).map(Ordered)
    }
}

fn valued(format: ValueFormat, columns: &[(&str, DeclaredType)]) -> Decoder {
    let column = |&(name, kind): &(&str, DeclaredType)| DeclaredColumn {
        name: name.to_owned(),
        kind,
    };
    let values = ValueSchema {
        format,
        columns: columns.iter().map(column).collect(),
        ..ValueSchema::default()
    };
    Decoder::new(KeySchema::default(), values, &Registry::default()).with_fields()
}

#[test]
fn other_formats_are_made_json() {
    use DeclaredType::{Bigint, Int, Varchar};
    let made = |decoder: &mut Decoder, value: &[u8]| {
        let record = record(None, Some(value));
        let decoded = decoder.decode(&record).unwrap();
        let shown = match &decoded.body {
            Body::Object(object) => object.text().to_string(),
            Body::Unreadable {
                reason, is_binary, ..
            } => format!("{reason} ({is_binary})"),
            other => format!("{other:?}"),
        };
        decoder.take_back([decoded]);
        shown
    };
    let mut delimited = valued(ValueFormat::Delimited, &[("A", Varchar), ("B", Bigint)]);
    // Twice, as memory is reused.
    for _ in 0..2 {
        assert_eq!(made(&mut delimited, b"x,1"), r#"{"A":"x","B":1}"#);
        assert_eq!(
            made(&mut delimited, b"x"),
            "1 delimited fields, but 2 are configured (false)"
        );
        assert_eq!(made(&mut delimited, b"\xff,1"), "not UTF-8 at byte 0 (false)");
    }
    assert_eq!(
        made(&mut valued(ValueFormat::Kafka, &[("N", Int)]), &[0, 0, 0, 7]),
        r#"{"N":7}"#
    );
    assert_eq!(
        made(&mut valued(ValueFormat::Kafka, &[("N", Int)]), b"7"),
        "INT has 4 bytes, not 1 (false)"
    );
    assert_eq!(
        made(&mut valued(ValueFormat::Bytes, &[]), b"\x00"),
        r#"{"VALUE":"AA=="}"#
    );
    assert_eq!(
        made(&mut valued(ValueFormat::None, &[]), b"x"),
        "value.format is none, but the record has a value (false)"
    );
    let mut named = valued(ValueFormat::Json, &[("N", Int)]);
    assert_eq!(made(&mut named, b" 7 "), r#"{"N":7}"#);
    assert_eq!(made(&mut named, b"null"), r#"{"N":null}"#);
    assert_eq!(made(&mut named, b"{\"A\":1}"), r#"{"A":1}"#);
    // A name that is written twice stays what it is.
    let mut twice = valued(ValueFormat::Delimited, &[("a", Varchar), ("A", Varchar)]);
    assert!(made(&mut twice, b"1,2").contains("occurs twice"));
}

#[test]
fn fields_of_made_objects_are_found() {
    let mut decoder = valued(
        ValueFormat::Delimited,
        &[("A", DeclaredType::Varchar), ("b\"", DeclaredType::Int)],
    );
    let record = record(None, Some(b"x,1"));
    let decoded = decoder.decode(&record).unwrap();
    assert_eq!(decoded.body.field("b\""), Some("1"));
    assert_eq!(decoded.body.field("a"), Some("\"x\""));
}

#[test]
fn columns_with_reserved_names_are_not_declared() {
    use DeclaredType::{Bigint, Date};
    let decoder = valued(ValueFormat::Json, &[("N", Bigint), ("Day", Date)]);
    let declared = decoder.reserving(["day".to_owned()]).declared_columns();
    assert_eq!(declared, [("N".to_owned(), StoredType::Bigint)]);
}
