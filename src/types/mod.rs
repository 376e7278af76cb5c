//! Column types, inferred from records.

pub mod column;
