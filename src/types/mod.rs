//! Types of values: column types, inferred from records, and those of typed files; decimals; times, and which of them are plausible.

pub mod column;
pub mod decimal;
pub mod plausible;
pub mod seen;
pub mod stored;
pub mod time;
