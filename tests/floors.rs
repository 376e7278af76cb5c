//! That scripts/floors sees what breaks the order of the rooms, and nothing else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

use std::path::Path;
use std::process::Command;

const HOUSE: &[(&str, &str)] = &[
    ("lib.rs", "pub mod kafka;\nuse crate::kafka::Place;"),
    ("main.rs", "use lakectl::kafka::Place;"),
    (
        "kafka/mod.rs",
        r####"
//! use crate::purge::Comment;
use crate::{config::Units, lake::{self as l, disk::Root}};
#[cfg(test)]
#[allow(dead_code)]
mod tests {
    use crate::run::Tested;
    const BRACE: &str = "}";
}
/* crate::run::Comment */
pub struct Place;
const TEXT: &str = "crate::run::Text";
fn lifetimes<'a>(x: &'a str) -> char { '"' }
fn characters() -> char { super::audit::write(r#"crate::run::"Raw"#); '\'' }
"####,
    ),
    (
        "lake/mod.rs",
        "use crate::kafka::Place as P;\nuse disk::Root;\npub(crate) enum Place {}",
    ),
    (
        "lake/disk/mod.rs",
        "use super::ledger::State;\nuse super::super::purge;\nuse super::Lake;\npub(in crate::run) fn x() {}",
    ),
    (
        "lake/ledger/mod.rs",
        "use crate::{\n    lake::disk,\n    record::Record,\n};\nimpl X {\n    type Item = u8;\n}\nimpl Y {\n    type Item = u8;\n}\n\
         #[cfg(test)]\n#[path = \"other.rs\"]\nmod tests;",
    ),
    ("lake/ledger/other.rs", "use crate::run::Tested;"),
    ("purge/mod.rs", "use crate::erase::Person;"),
    ("attic.rs", ""),
];

const BREACHES: &[&str] = &[
    "floorless attic",
    "import kafka/mod.rs -> audit",
    "import kafka/mod.rs -> lake",
    "import lake/disk/mod.rs -> lake",
    "import lake/disk/mod.rs -> lake/ledger",
    "import lake/disk/mod.rs -> purge",
    "import purge/mod.rs -> erase",
    "long record/mod.rs",
    "full src/run",
    "twice Place",
];

fn floors(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("python3")
        .arg("-B")
        .arg(folder.join("scripts/floors"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn breaches_are_found_excused_and_no_longer_excused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/floors");
    let script = std::fs::read_to_string(script).unwrap();
    let (before, rest) = script.split_once("EXCUSED = \"\"\"\n").unwrap();
    let (_, after) = rest.split_once("\"\"\"\n").unwrap();
    let excusing = |excused: &str| {
        write(
            "scripts/floors",
            &format!("{before}EXCUSED = \"\"\"\n{excused}\"\"\"\n{after}"),
        )
    };
    for (path, text) in HOUSE {
        write(&format!("src/{path}"), text);
    }
    for room in ["audit", "config", "erase"] {
        write(&format!("src/{room}/mod.rs"), "");
    }
    write("src/record/mod.rs", &"fn f() {}\n".repeat(401));
    write("src/config/units.rs", &"// fn f() {}\n\n".repeat(401));
    for number in 0..14 {
        write(&format!("src/run/step{number}.rs"), "");
    }

    excusing("");
    let (code, listed) = floors(folder.path(), &["--list"]);
    assert_eq!(code, Some(0));
    // Most rooms of the table are missing here.
    let (missing, found): (Vec<&str>, Vec<&str>) =
        listed.lines().partition(|line| line.starts_with("missing "));
    let mut expected = BREACHES.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(missing.contains(&"missing lake/layout") && !missing.contains(&"missing lake/disk"));

    let (code, said) = floors(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("\nimport kafka/mod.rs -> lake: lake is above kafka\n"),
        "{said}"
    );
    excusing(&listed);
    assert_eq!(floors(folder.path(), &[]), (Some(0), String::new()));
    excusing(&format!("{listed}long attic.rs\n"));
    let no_longer = "long attic.rs: this breach is gone, take it out of EXCUSED\n";
    assert_eq!(floors(folder.path(), &[]), (Some(1), no_longer.to_owned()));
}
