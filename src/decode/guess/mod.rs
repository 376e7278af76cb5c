//! Guesses how keys and values were written, for a person whose configuration does not fit them.

mod ids;
mod keys;
pub mod sampled;
mod shapes;
mod values;

pub use keys::{KeyGuess, LikelyKeys};
pub use values::ValueGuess;

use crate::config::ValueSchema;

/// A setting that names a registry, for keys or values that need one.
const NAME_THE_REGISTRY: &str = "write the registry's address in schema_registry.url";

/// What a value is that can be read in this format: `5 of 7 are …`.
pub fn in_words(values: &ValueSchema) -> String {
    match values.format {
        crate::config::ValueFormat::Json => "JSON objects".to_owned(),
        format => format!("objects of format {format}"),
    }
}

/// What becomes of a value that can't be read in this format: `2 of 7 …`.
pub fn not_read(values: &ValueSchema) -> String {
    match values.format {
        crate::config::ValueFormat::Json => "can't be read as JSON and would be kept as text".to_owned(),
        format => format!("can't be read as {format} and would be kept as they are, as text or base64"),
    }
}
