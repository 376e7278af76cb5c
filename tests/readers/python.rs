//! A Python that has the readers.

use std::path::Path;

use crate::common::python;

/// Runs a program of ours or of the documentation in `folder`, and gives back what it printed.
pub fn run(folder: &Path, arguments: &[&str]) -> String {
    python::run("readers", folder, arguments)
}

/// A file of this folder.
pub fn ours(name: &str) -> String {
    format!("{}/tests/readers/{name}", env!("CARGO_MANIFEST_DIR"))
}
