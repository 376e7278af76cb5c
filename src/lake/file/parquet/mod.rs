//! Parquet: lines are converted to typed columns, and read back as lines. What the columns can't hold unchanged is kept as JSON.

mod builder;
mod cell;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod typing;
mod writer;

pub(in crate::lake) use reader::{ParquetLines, read_columns};
pub use schema::{FileColumn, file_columns};
pub(in crate::lake) use typing::Typing;
pub(in crate::lake) use writer::{ConvertedFile, ParquetFile, ParquetTarget, convert};
