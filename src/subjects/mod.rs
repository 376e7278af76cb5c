//! Persons who are to be erased: how they are named and found, and the list of hashes that keeps them out.

mod fields;
pub mod filter;
pub mod list;
pub mod matcher;
pub mod subject;
mod view;
