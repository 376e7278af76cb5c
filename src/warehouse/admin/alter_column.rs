//! Makes the statement that gives a column another type and keeps its other attributes.

use anyhow::Result;
use mysql::Conn;
use mysql::prelude::Queryable;
use std::collections::HashMap;

use super::width::WiderType;
use crate::warehouse::server::connect::{Flavor, Server};
use crate::warehouse::server::identifier::quote;
use crate::warehouse::table::column::Column;
use crate::warehouse::table::target::field;

/// The attributes of a column, which a MODIFY drops unless it repeats them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Definition {
    data_type: String,
    /// MariaDB: a column may be stored compressed.
    column_type: String,
    charset: Option<String>,
    collation: Option<String>,
    default: Option<String>,
    /// `auto_increment`, `on update …`, `INVISIBLE`, `VIRTUAL GENERATED`, …
    extra: String,
    comment: String,
    /// MariaDB: a CHECK of the column itself.
    checked: bool,
}

/// The definitions of a table's columns, by name.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    columns: HashMap<String, Definition>,
    mariadb: bool,
}

impl Definitions {
    pub fn read(conn: &mut Conn, server: &Server, table: &str) -> Result<Definitions> {
        let mariadb = server.flavor != Flavor::MySql;
        let checks: Vec<String> = match mariadb {
            false => Vec::new(),
            // A column's own CHECK has the column's name.
            true => conn.exec(
                "SELECT CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS \
                 WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = ?",
                (table,),
            )?,
        };
        let rows: Vec<mysql::Row> = conn.exec(
            "SELECT COLUMN_NAME AS name, DATA_TYPE AS data_type, COLUMN_TYPE AS column_type, \
             CHARACTER_SET_NAME AS charset, COLLATION_NAME AS collation_name, COLUMN_DEFAULT AS standard, \
             EXTRA AS extra, COLUMN_COMMENT AS comment FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?",
            (table,),
        )?;
        let columns = rows.iter().map(|row| {
            let text = |name| field::<String>(row, name);
            let name = text("name").unwrap_or_default();
            let definition = Definition {
                data_type: text("data_type").unwrap_or_default().to_lowercase(),
                column_type: text("column_type").unwrap_or_default().to_lowercase(),
                charset: text("charset"),
                collation: text("collation_name"),
                default: text("standard"),
                extra: text("extra").unwrap_or_default(),
                comment: text("comment").unwrap_or_default(),
                checked: checks.contains(&name),
            };
            (name, definition)
        });
        Ok(Definitions {
            columns: columns.collect(),
            mariadb,
        })
    }

    /// The change as SQL if that is safe, else in words.
    pub(super) fn modify(&self, table: &str, column: &Column, wanted: WiderType) -> String {
        let attributes = self
            .columns
            .get(&column.name)
            .and_then(|definition| definition.attributes(column.nullable, wanted, self.mariadb));
        let (table, name) = (quote(table), quote(&column.name));
        match attributes {
            Some(attributes) => format!("ALTER TABLE {table} MODIFY {name} {wanted}{attributes}"),
            None => format!(
                "make {name} a {wanted}, and keep the rest of its definition, as SHOW CREATE TABLE {table} has it"
            ),
        }
    }
}

impl Definition {
    /// The attributes after the type; None if some of them can't be repeated safely.
    fn attributes(&self, nullable: bool, wanted: WiderType, mariadb: bool) -> Option<String> {
        let plain = self.extra.is_empty() || self.extra.eq_ignore_ascii_case("DEFAULT_GENERATED");
        if !plain || self.checked || self.column_type.contains("compressed") {
            return None;
        }
        let mut attributes = String::new();
        let textual = matches!(wanted, WiderType::Varchar { .. } | WiderType::Longtext);
        if let (true, Some(charset), Some(collation)) = (textual, &self.charset, &self.collation) {
            attributes += &format!(" CHARACTER SET {charset} COLLATE {collation}");
        }
        if !nullable {
            attributes += " NOT NULL";
        }
        if let Some(default) = &self.default {
            attributes += &format!(" DEFAULT {}", self.default_of(default, wanted, mariadb)?);
        }
        if !self.comment.is_empty() {
            attributes += &format!(" COMMENT {}", literal(&self.comment)?);
        }
        Some(attributes)
    }

    fn default_of(&self, default: &str, wanted: WiderType, mariadb: bool) -> Option<String> {
        if mariadb && default.eq_ignore_ascii_case("NULL") {
            return Some("NULL".to_owned());
        }
        // The old type's default may not be valid for these types.
        if wanted == WiderType::Json || self.data_type == "bit" || self.data_type.ends_with("binary") {
            return None;
        }
        // MariaDB shows it as SHOW CREATE TABLE does.
        if mariadb {
            return carried(default).then(|| default.to_owned());
        }
        if self.extra.is_empty() {
            let literal = literal(default)?;
            // A TEXT takes an expression as its default, but not a literal.
            return Some(if wanted == WiderType::Longtext {
                format!("({literal})")
            } else {
                literal
            });
        }
        // MySQL mangles the quotes of an expression here.
        if default.contains('\'') || !carried(default) {
            return None;
        }
        Some(match wanted {
            WiderType::Datetime { .. } if default.starts_with("CURRENT_TIMESTAMP") => default.to_owned(),
            _ => format!("({default})"),
        })
    }
}

fn literal(text: &str) -> Option<String> {
    carried(text).then(|| format!("'{}'", text.replace('\'', "''")))
}

/// Whether the text can be part of a one-line fix: the meaning of a backslash depends on the session's sql_mode.
fn carried(text: &str) -> bool {
    !text.contains(|c: char| c == '\\' || c.is_control())
}
