//! Names from outside: tables and columns that SQL would stumble over, topics that paths would, files whose names a
//! terminal would obey.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};
use crate::common::lake::{Lake, number};
use crate::common::program;

/// As MySQL wants them.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[test]
fn tables_and_columns_of_any_name() {
    let tables = [
        "select",
        "a`b",
        "it's; DROP TABLE lakectl_progress; --",
        "Größe \"x\"",
        "😀",
    ];
    for table in tables {
        let topic = Topic::compacted("names");
        topic.send(&[
            record(
                "k' OR '1'='1",
                "{\"GROUP\":1,\"a`b\":\"x\",\"x' = 1; --\":2,\"ÉTÉ\":3}",
            ),
            record("gone", "{}"),
            record("'); DROP TABLE lakectl_rejects; --", "{\"a`b\":\"');--\"}"),
            record("bad", "{\"GROUP\":\"x\"}"),
            tombstone("gone"),
        ]);
        let mut warehouse = Warehouse::new();
        // MySQL's names end at U+FFFF.
        if table == "😀" {
            warehouse.set_topics(&format!(
                "[topics.{:?}]\nkind = \"table\"\nwarehouse.table = {table:?}\n",
                topic.name
            ));
            assert_eq!(warehouse.run(&[]).expect(2).report()["status"], "failed");
            continue;
        }
        warehouse.execute(&format!(
            "CREATE TABLE {} (`primary key` VARCHAR(99) COLLATE utf8mb4_0900_bin PRIMARY KEY, `group` INT, `a``b` VARCHAR(9), \
             `x' = 1; --` INT, `été` INT)",
            quoted(table)
        ));
        warehouse.set_topics(&format!(
            "[topics.{:?}]\nkind = \"table\"\nkey = {{ format = \"string\", columns = [\"primary key\"] }}\nwarehouse.table = {table:?}\n",
            topic.name
        ));
        let report = warehouse.one(&[], 3);
        assert_eq!(
            (number(&report, "upserted"), number(&report, "rejected")),
            (2, 1),
            "{report}"
        );
        let text = |cells: [&str; 5]| cells.map(|cell| (cell != "-").then(|| cell.to_owned())).to_vec();
        let wanted = [
            text(["'); DROP TABLE lakectl_rejects; --", "-", "');--", "-", "-"]),
            text(["k' OR '1'='1", "1", "x", "2", "3"]),
        ];
        let all = format!("SELECT * FROM {} ORDER BY 1", quoted(table));
        assert_eq!(warehouse.query(&all), wanted);
        // A rebuild goes by a temporary table, an erasure by conditions.
        warehouse.one(&["--rebuild"], 3);
        assert_eq!(warehouse.query(&all), wanted);
        let key = format!("{}=k' OR '1'='1", topic.name);
        warehouse
            .lakectl(&["purge", "--only", "warehouse", "--key", &key, "--yes"])
            .expect(0);
        assert_eq!(warehouse.query(&all), wanted[..1]);
    }
}

#[test]
fn topics_whose_names_would_climb() {
    let names = [
        "../../etc",
        "..",
        ".",
        "/etc/passwd",
        "a/b",
        "a\u{1b}[2J",
        "a\nb",
        "-x",
        "",
        "a\0b",
        "é",
        "a b",
        "%2e%2e",
    ];
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lakectl.toml");
    for name in names.iter().filter(|name| **name != "-x") {
        let json = serde_json::to_string(name).unwrap();
        for kind in ["stream", "table"] {
            std::fs::write(&config, format!("[topics.{json}]\nkind = \"{kind}\"\n")).unwrap();
            let run = program::start(folder.path(), &["lake", "--brokers", "127.0.0.1:1"], &[])
                .wait()
                .expect(2);
            assert!(!run.stderr.trim_end().chars().any(char::is_control), "{run:?}");
        }
        std::fs::write(&config, "").unwrap();
        if !name.contains('\0') && !name.is_empty() {
            let arguments = [
                [
                    "lake",
                    "--topics",
                    name,
                    "--brokers",
                    crate::common::kafka::brokers(),
                ],
                ["purge", "--key", &format!("{name}=x"), "--yes", "-q"],
            ];
            for arguments in arguments {
                let run = program::start(folder.path(), &arguments, &[]).wait().expect(2);
                assert!(
                    !run.stderr.trim_end().chars().any(|c| c.is_control() && c != '\n'),
                    "{run:?}"
                );
            }
        }
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["lakectl.toml"]);
}

/// Names of files, headers and fields that would clear the screen or write another line.
#[test]
fn what_a_terminal_would_obey_is_escaped() {
    const ESCAPE: &str = "\u{1b}[2Jx\u{9b}31m\r\n\u{7}lakectl: all is well";
    let topic = Topic::new("escapes");
    topic.send(&[
        record(ESCAPE, "{}").header(ESCAPE, Some(ESCAPE.as_bytes())),
        record("k", &format!("{{{:?}:1,{:?}:2}}", "a", "A")),
        record("k", &serde_json::json!({ESCAPE: 1}).to_string()),
        record("k", &format!("{{\"{ESCAPE}")),
    ]);
    let lake = Lake::with("retention = \"30d\"").stream(&topic, "");
    lake.drain();
    let day = lake
        .root()
        .join(format!("streams/{}/year=2025/month=10/day=30", topic.name));
    let foreign = "\u{1b}[2J\u{9b}31m\u{7}mine\nlakectl: all is well".to_owned();
    std::fs::write(day.join(&foreign), "mine").unwrap();
    std::fs::create_dir(day.parent().unwrap().join(&foreign)).unwrap();
    let typed = "\u{1b}[2J\u{9b}31m\u{7}";
    let lines: [(&[&str], i32); 5] = [
        (&["lake", "--rebuild", "2025-10-30..2025-10-30"], 1),
        (
            &["purge", "--only", "lake", "--dry-run", "--max-fraction", "1"],
            3,
        ),
        (&["purge", "--only", "lake", "--yes", "--max-fraction", "1"], 3),
        (&["lake", "--topics", typed], 2),
        (&["purge", "--only", "lake", "--topics", typed], 2),
    ];
    for (line, code) in lines {
        let run = program::start(lake.folder(), line, &[]).wait().expect(code);
        let shown = |text: &str| text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(
            (shown(&run.stdout), shown(&run.stderr)),
            (None, None),
            "{line:?}: {run:?}"
        );
        let forged = |text: &str| text.lines().any(|line| line.starts_with("lakectl: all is well"));
        assert!(!forged(&run.stdout) && !forged(&run.stderr), "{line:?}: {run:?}");
    }
    assert_eq!(std::fs::read_to_string(day.join(&foreign)).unwrap(), "mine");
}

/// Whatever umask the shell has: files 0640, folders 0750, and what is secret for its owner alone.
#[test]
fn modes_do_not_depend_on_the_umask() {
    let topics = ["modes", "modes-table"].map(Topic::new);
    for topic in &topics {
        topic.send(&[record("a", "{}"), record("b", "{}").on("2020-01-01T00:00:00Z")]);
    }
    for umask in ["0000", "0777"] {
        let lake = Lake::new().stream(&topics[0], "").table(&topics[1], "");
        std::fs::write(lake.folder().join("lakectl.toml"), lake.config()).unwrap();
        let key = format!("{}=a", topics[0].name);
        let lines: [&[&str]; 3] = [
            &["lake", "-q", "--new-lake"],
            &["purge", "-q", "--only", "lake", "--yes", "--key", &key],
            &[
                "purge",
                "-q",
                "--only",
                "lake",
                "--yes",
                "--older-than",
                "1d",
                "--max-fraction",
                "1",
            ],
        ];
        for line in lines {
            let run = Command::new("sh")
                .args([
                    "-c",
                    &format!("umask {umask}; exec \"$0\" \"$@\""),
                    env!("CARGO_BIN_EXE_lakectl"),
                ])
                .args(line)
                .current_dir(lake.folder())
                .output()
                .unwrap();
            assert!(run.status.success(), "{line:?}: {run:?}");
            for found in walkdir::WalkDir::new(lake.root()) {
                let found = found.unwrap();
                let at = found.metadata().unwrap();
                let secret = found.file_name() == "erasure-key";
                let wanted = match (at.is_dir(), at.is_symlink()) {
                    (true, _) => 0o750,
                    (_, true) => continue,
                    _ if secret => 0o600,
                    _ => 0o640,
                };
                assert_eq!(
                    at.permissions().mode() & 0o7777,
                    wanted,
                    "umask {umask}: {found:?}"
                );
                assert!(at.is_dir() || at.nlink() == 1);
            }
        }
    }
}
