//! Proposes the table of a topic: from what is known of its fields to a definition, to SQL, to the database.

mod apply;
mod column_type;
mod definition;
mod key_type;
mod sql;

pub use apply::{TableDiff, apply_table, table_diff};
pub use definition::{KnownColumn, KnownColumns, TableDefinition, define};
