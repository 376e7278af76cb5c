//! Names of tables and columns, quoted for statements.

/// The name in backquotes, so that any name is safe in a statement.
pub(crate) fn quote(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}
