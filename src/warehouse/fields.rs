//! The fields of a JSON object, and the columns that a key's fields mean.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The column of each field: by name where the names are the configured ones, else by place, which renames them.
pub(super) fn by_name_or_place(
    fields: &[(Cow<'_, str>, &str)],
    names: &[String],
    columns: &[usize],
) -> Option<Vec<usize>> {
    if fields.len() != names.len() {
        return None;
    }
    let find = |field: &str| {
        let field = field.to_lowercase();
        names.iter().position(|name| name.to_lowercase() == field)
    };
    let by_name: Vec<Option<usize>> = fields
        .iter()
        .map(|(field, _)| find(field).map(|at| columns[at]))
        .collect();
    match by_name.iter().all(Option::is_none) {
        true => Some(columns.to_vec()),
        // Some of the names are the configured ones: what the others mean can't be told.
        false => by_name.into_iter().collect(),
    }
}

/// The fields of an object, their values as they were written.
pub(super) fn top_level(object: &str) -> Result<Vec<(Cow<'_, str>, &str)>, String> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(Cow<'de, str>, &'de str)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(Name(name)) = map.next_key()? {
                fields.push((name, map.next_value::<&RawValue>()?.get()));
            }
            Ok(fields)
        }
    }
    let mut json = serde_json::Deserializer::from_str(object);
    json.deserialize_map(Fields).map_err(|e| e.to_string())
}

/// Borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Checker;
    use proptest::prelude::*;

    #[test]
    fn fields_keep_their_text() {
        let fields = top_level("{\"A\":12.340,\"b\\u0063\": [1, 2] ,\"c\":null}").unwrap();
        assert_eq!(
            fields,
            [
                ("A".into(), "12.340"),
                ("bc".into(), "[1, 2]"),
                ("c".into(), "null")
            ]
        );
        assert!(matches!(fields[0].0, Cow::Borrowed(_)));
    }

    proptest! {
        /// What a quick look finds is what serde_json reads.
        #[test]
        fn fields_of_a_quick_look_are_the_same(
            fields in proptest::collection::btree_map(
                "[a-c]{1,3}",
                "[ \t]{0,2}(-?[1-9][0-9]?[.]5|\"[a,:}\\]é]{0,9}\"|\\[ *1, *\\{ *\"a\": *[0-9] *\\} *\\]|\\{ *\\}|true|null)[ \n]{0,2}",
                0..5,
            ),
            start in "[ \n]{0,2}",
        ) {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\" :{value}")).collect();
            let value = format!("{start}{{{} }} ", fields.join(", "));
            let (mut checker, mut found) = (Checker::default(), Vec::new());
            checker.check(value.as_bytes()).unwrap();
            let text = checker.check_fields(value.as_bytes(), &mut found).unwrap().text;
            let found: Vec<_> = found
                .into_iter()
                .map(|field| (text[field.name].into(), text[field.value].trim_ascii()))
                .collect();
            prop_assert_eq!(found.len(), fields.len());
            prop_assert_eq!(found, top_level(&value).unwrap());
        }
    }

    #[test]
    fn key_fields_go_by_name_or_by_place() {
        let names = ["user_id".to_owned(), "type".to_owned()];
        let columns = |text| by_name_or_place(&top_level(text).unwrap(), &names, &[7, 9]);
        assert_eq!(columns("{\"TYPE\":1,\"USER_ID\":2}"), Some(vec![9, 7]));
        assert_eq!(columns("{\"F2\":1,\"F1\":2}"), Some(vec![7, 9]));
        assert_eq!(columns("{\"USER_ID\":1}"), None);
    }
}
