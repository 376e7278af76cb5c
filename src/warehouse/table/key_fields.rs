//! Which column each field of a key fills.

use std::borrow::Cow;

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
    use crate::decode::fields::all;

    #[test]
    fn key_fields_go_by_name_or_by_place() {
        let names = ["user_id".to_owned(), "type".to_owned()];
        let columns = |text| by_name_or_place(&all(text).unwrap(), &names, &[7, 9]);
        assert_eq!(columns("{\"TYPE\":1,\"USER_ID\":2}"), Some(vec![9, 7]));
        assert_eq!(columns("{\"F2\":1,\"F1\":2}"), Some(vec![7, 9]));
        assert_eq!(columns("{\"USER_ID\":1}"), None);
    }
}
