//! Names of tables and columns, as they stand in statements.

/// In backquotes, as MySQL wants identifiers from outside.
pub(crate) fn quote(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}
