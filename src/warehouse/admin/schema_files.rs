//! Reads lakectl's own schema files: statements, their guards, and the tables that they describe.
//!
//! Each column is on a line of its own and guards are comments, so the files are plain SQL that any client can run.

use std::collections::BTreeMap;

/// The placeholder in the files for the collation that compares byte for byte, whose name differs between servers.
const COLLATION: &str = "{key_collation}";

/// A DDL statement, and the thing it creates: it is skipped if that exists already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::warehouse) struct Statement {
    pub(super) unless: Option<Guard>,
    pub sql: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guard {
    Table(String),
    Column { table: String, column: String },
    Index { table: String, index: String },
}

/// The statements of a file, for a server whose byte-for-byte collation is `collation`.
pub(in crate::warehouse) fn statements(file: &str, collation: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut unless = None;
    let mut sql = String::new();
    for line in file.lines() {
        if let Some(comment) = line.trim_start().strip_prefix("--") {
            unless = comment.trim().strip_prefix("unless ").and_then(guard).or(unless);
            continue;
        }
        if !sql.is_empty() {
            sql.push('\n');
        }
        sql.push_str(line.trim_end());
        if let Some(whole) = sql.strip_suffix(';') {
            statements.push(Statement {
                unless: unless.take(),
                sql: whole.trim().replace(COLLATION, collation),
            });
            sql.clear();
        }
    }
    statements
}

/// `table T`, `column T.C`, `index T.I`
fn guard(text: &str) -> Option<Guard> {
    let (kind, name) = text.split_once(' ')?;
    let pair = || {
        name.split_once('.')
            .map(|(table, part)| (table.to_owned(), part.to_owned()))
    };
    match kind {
        "table" => Some(Guard::Table(name.to_owned())),
        "column" => pair().map(|(table, column)| Guard::Column { table, column }),
        "index" => pair().map(|(table, index)| Guard::Index { table, index }),
        _ => None,
    }
}

/// A table as the schema files define it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::warehouse) struct TableShape {
    /// Name -> type and whether NULL is allowed.
    pub columns: BTreeMap<String, (String, bool)>,
    pub primary_key: Vec<String>,
    /// Columns of each secondary index.
    pub indexes: BTreeMap<String, Vec<String>>,
}

/// The tables after all CREATE TABLE, ALTER TABLE … ADD COLUMN and CREATE INDEX statements.
pub(in crate::warehouse) fn shapes(statements: &[Statement]) -> BTreeMap<String, TableShape> {
    let mut shapes: BTreeMap<String, TableShape> = BTreeMap::new();
    for Statement { sql, .. } in statements {
        if let Some((name, body)) = sql
            .strip_prefix("CREATE TABLE IF NOT EXISTS ")
            .and_then(|rest| rest.split_once(" (\n"))
        {
            shapes.insert(name.to_owned(), shape(body));
        } else if let Some((table, column)) = sql
            .strip_prefix("ALTER TABLE ")
            .and_then(|rest| rest.split_once(" ADD COLUMN "))
        {
            shapes.entry(table.to_owned()).or_default().add_line(column);
        } else if let Some((index, rest)) = sql
            .strip_prefix("CREATE INDEX ")
            .and_then(|rest| rest.split_once(" ON "))
            && let Some((table, list)) = rest.split_once(' ')
        {
            let indexes = &mut shapes.entry(table.to_owned()).or_default().indexes;
            indexes.insert(index.to_owned(), names(list));
        }
    }
    shapes
}

fn shape(body: &str) -> TableShape {
    let mut shape = TableShape::default();
    for line in body.lines().take_while(|line| !line.starts_with(')')) {
        shape.add_line(line.trim().trim_end_matches(','));
    }
    shape
}

impl TableShape {
    /// Reads a line between the parentheses of CREATE TABLE.
    fn add_line(&mut self, line: &str) {
        if let Some(list) = line.strip_prefix("PRIMARY KEY ") {
            self.primary_key = names(list);
        } else if let Some((name, list)) = line.strip_prefix("INDEX ").and_then(|rest| rest.split_once(' ')) {
            self.indexes.insert(name.to_owned(), names(list));
        } else if let Some((name, rest)) = line.split_once(' ') {
            let end = [" NOT NULL", " NULL"]
                .iter()
                .filter_map(|end| rest.find(end))
                .min();
            let column_type = &rest[..end.unwrap_or(rest.len())];
            let nullable = !rest.contains(" NOT NULL");
            self.columns
                .insert(unquoted(name), (column_type.to_lowercase(), nullable));
        }
    }
}

fn names(list: &str) -> Vec<String> {
    let list = list.trim().trim_start_matches('(').trim_end_matches(')');
    list.split(',').map(|name| unquoted(name.trim())).collect()
}

fn unquoted(name: &str) -> String {
    name.trim_matches('`').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "-- What it is for.\n\n-- unless table t\nCREATE TABLE IF NOT EXISTS t (\n    a VARCHAR(9) NOT NULL,\n    \
        `key` INT UNSIGNED NULL DEFAULT NULL,\n    e ENUM('x','y') NOT NULL DEFAULT 'x',\n    PRIMARY KEY (a, `key`),\n    \
        INDEX i (e)\n) ENGINE = InnoDB COLLATE {key_collation};\n\n-- unless index t.j\nCREATE INDEX j ON t (a);\n";

    #[test]
    fn statements_know_their_guards() {
        let statements = statements(FILE, "bin");
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[0].unless, Some(Guard::Table("t".into())));
        assert!(
            statements[0].sql.ends_with("COLLATE bin"),
            "{}",
            statements[0].sql
        );
        let index = Guard::Index {
            table: "t".into(),
            index: "j".into(),
        };
        assert_eq!(
            (&statements[1].unless, statements[1].sql.as_str()),
            (&Some(index), "CREATE INDEX j ON t (a)")
        );
    }

    #[test]
    fn shapes_are_read_from_the_statements() {
        let shapes = shapes(&statements(FILE, "bin"));
        let t = &shapes["t"];
        assert_eq!(t.columns["a"], ("varchar(9)".to_owned(), false));
        assert_eq!(t.columns["key"], ("int unsigned".to_owned(), true));
        assert_eq!(t.columns["e"], ("enum('x','y')".to_owned(), false));
        assert_eq!(t.primary_key, ["a", "key"]);
        assert_eq!(t.indexes["i"], ["e"]);
        assert_eq!(t.indexes["j"], ["a"]);
    }
}
