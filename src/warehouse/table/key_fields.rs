//! Which column each field of a key fills.

use std::borrow::Cow;

use crate::decode::Fields;

/// Remembers the names of the last key that had columns: most keys of a topic have the same, in the same order.
#[derive(Debug, Clone, Default)]
pub(in crate::warehouse) struct KeyFieldColumns(Option<(Vec<String>, Vec<usize>)>);

impl KeyFieldColumns {
    /// The column of each field, as `find` has it for these names.
    pub fn of(
        &mut self,
        fields: &Fields<'_, '_>,
        find: impl FnOnce(&[(Cow<'_, str>, &str)]) -> Option<Vec<usize>>,
    ) -> Option<&[usize]> {
        let is_known = self.0.as_ref().is_some_and(|(names, _)| {
            let known = names.iter().map(String::as_str);
            known.eq(fields.clone().map(|field| field.name))
        });
        if !is_known {
            let fields: Vec<_> = fields.clone().map(|field| (field.name, field.raw)).collect();
            let columns = find(&fields)?;
            let names = fields.into_iter().map(|(name, _)| name.into_owned()).collect();
            self.0 = Some((names, columns));
        }
        self.0.as_ref().map(|(_, columns)| &columns[..])
    }
}

/// The column of each field: by name if the names are the configured ones, else by position, which renames them.
pub(in crate::warehouse) fn by_name_or_place(
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
        // Only some of the names are the configured ones, so it is unclear what the others mean.
        false => by_name.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::FieldReader;
    use crate::decode::fields::all;
    use proptest::prelude::*;

    #[test]
    fn key_fields_go_by_name_or_by_place() {
        let names = ["user_id".to_owned(), "type".to_owned()];
        let columns = |text| by_name_or_place(&all(text).unwrap(), &names, &[7, 9]);
        assert_eq!(columns("{\"TYPE\":1,\"USER_ID\":2}"), Some(vec![9, 7]));
        assert_eq!(columns("{\"F2\":1,\"F1\":2}"), Some(vec![7, 9]));
        assert_eq!(columns("{\"USER_ID\":1}"), None);
    }

    proptest! {
        /// What earlier keys were like makes no difference.
        #[test]
        fn remembered_columns_are_those_of_the_names(
            keys in proptest::collection::vec(
                proptest::collection::vec("a|A|b|B|c|\\\\u0061|", 0..4).prop_map(|names| {
                    let fields: Vec<_> = names.iter().map(|name| format!("\"{name}\":1")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
                1..6,
            ),
        ) {
            let names = ["a".to_owned(), "b".to_owned()];
            let (mut reader, mut remembered) = (FieldReader::default(), KeyFieldColumns::default());
            for key in keys.iter().chain(&keys) {
                let find = |fields: &[(Cow<'_, str>, &str)]| by_name_or_place(fields, &names, &[7, 9]);
                let expected = find(&all(key).unwrap());
                let found = remembered.of(&reader.read(key).unwrap(), find);
                prop_assert_eq!(found, expected.as_deref(), "{}", key);
            }
        }
    }
}
