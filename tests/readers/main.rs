//! The lake as DuckDB, Polars and pyarrow read it, compared with a plain reading of its files, value for value.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod compacted;
mod documented;
mod files;
mod parquet;
mod python;
mod recipe;
mod records;
mod schema;
