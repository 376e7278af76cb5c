//! A Python that has the readers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The interpreter of scripts/readers, which makes it where it is missing.
fn interpreter() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/readers");
        let output = Command::new(script).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "no Python with the readers: run `scripts/readers` and see what it wants\n{errors}"
        );
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
    })
}

/// Runs a program of ours or of the documentation in `folder`, and gives back what it printed.
pub fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(interpreter())
        .args(arguments)
        .current_dir(folder)
        // Two cores are enough for anything here, and tests share them.
        .envs([("POLARS_MAX_THREADS", "2"), ("PYTHONUTF8", "1")])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "python {arguments:?} in {}:\n{}{}",
        folder.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A file of this folder.
pub fn ours(name: &str) -> String {
    format!("{}/tests/readers/{name}", env!("CARGO_MANIFEST_DIR"))
}
