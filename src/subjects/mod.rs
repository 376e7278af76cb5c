//! Persons who are to be erased: what names them, what matches them, and the list of hashes that keeps them out.

mod fields;
pub mod filter;
pub mod list;
pub mod matcher;
pub mod subject;
mod view;
