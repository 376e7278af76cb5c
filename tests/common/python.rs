//! A Python that has the packages of some tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The interpreter of scripts/venv, which makes it where it is missing. `name` is the folder with its requirements.
fn interpreter(name: &str) -> PathBuf {
    static FOUND: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut found = FOUND.lock().unwrap();
    let path = found.entry(name.to_owned()).or_insert_with(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/venv");
        let output = Command::new(script).arg(name).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "no Python with the packages: run `scripts/venv {name}` and see what it wants\n{errors}"
        );
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
    });
    path.clone()
}

/// Runs a program of ours or of the documentation in `folder`, and gives back what it printed.
pub fn run(name: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(interpreter(name))
        .args(arguments)
        .current_dir(folder)
        // Two cores are enough for anything here, and tests share them.
        .envs([
            ("POLARS_MAX_THREADS", "2"),
            ("PYTHONUTF8", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ])
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
