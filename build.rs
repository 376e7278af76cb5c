//! Passes the commit to the program, for `--version`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LAKECTL_COMMIT");
    println!(
        "cargo:rustc-env=LAKECTL_COMMIT={}",
        commit().as_deref().unwrap_or("unknown")
    );
}

/// The commit, from the environment (for builds without the repository, as of an image), from the file that
/// `cargo package` writes, or from git.
fn commit() -> Option<String> {
    let given = std::env::var("LAKECTL_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = given.or_else(packaged).or_else(checked_out)?;
    let commit: String = commit
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .take(12)
        .collect();
    (!commit.is_empty()).then_some(commit)
}

fn packaged() -> Option<String> {
    let path = Path::new(".cargo_vcs_info.json");
    let noted = std::fs::read_to_string(path).ok()?;
    let (_, rest) = noted.split_once("\"sha1\"")?;
    Some(rest.split('"').nth(1)?.to_owned())
}

fn checked_out() -> Option<String> {
    let log = PathBuf::from(git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    // Every commit and checkout writes a line to this log, so cargo runs this again.
    if log.exists() {
        println!("cargo:rerun-if-changed={}", log.display());
    }
    // In another project's repository, the commit is not of this project.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    let here = std::env::current_dir().ok()?;
    (top.canonicalize().ok()? == here.canonicalize().ok()?).then(|| git(&["rev-parse", "HEAD"]))?
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
