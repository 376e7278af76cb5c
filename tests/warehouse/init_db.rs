//! `lakectl init-db`: made, made again, compared, printed.

use serde_json::Value;

use super::world::{Row, Warehouse};
use crate::common::program::{self, Run, Running};

fn init_db(warehouse: &Warehouse, arguments: &[&str], code: i32) -> Value {
    let all = [&["init-db", "--json"], arguments].concat();
    let report = warehouse.lakectl(&all).expect(code).report();
    assert_eq!(
        (&report["command"], &report["exit_code"], &report["version"]),
        (&"init-db".into(), &code.into(), &1.into())
    );
    report
}

/// How the server itself would make everything again.
fn schema(warehouse: &Warehouse) -> Vec<String> {
    let tables =
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1";
    let tables = warehouse.query(tables).into_iter().flatten().flatten();
    tables
        .map(|table| {
            warehouse.query(&format!("SHOW CREATE TABLE `{table}`"))[0][1]
                .clone()
                .unwrap()
        })
        .collect()
}

#[test]
fn it_makes_what_is_missing_and_only_that() {
    let mut warehouse = Warehouse::without_database();
    let report = init_db(&warehouse, &["--dry-run"], 0);
    assert_eq!(
        (&report["dry_run"], &report["created"]),
        (&true.into(), &true.into())
    );
    assert!(
        report["sql"].as_str().unwrap().contains("CREATE TABLE"),
        "{report}"
    );
    assert!(!warehouse.exists());
    init_db(&warehouse, &["--check"], 3);
    assert!(!warehouse.exists());
    let report = init_db(&warehouse, &[], 0);
    assert_eq!(report["created"], true);
    let made = schema(&warehouse);
    for table in [
        "total_depense_par_user_type",
        "transaction_lifecycle",
        "total_par_type_5min_sliding",
        "product_purchase_counts",
        "total_par_transaction_type",
        "user_permissions",
        "lakectl_progress",
        "lakectl_rejects",
        "lakectl_audit",
        "lakectl_applied_grants",
        "lakectl_cutoffs",
        "lakectl_first_drain",
    ] {
        let create = format!("CREATE TABLE `{table}`");
        assert!(
            made.iter().any(|sql| sql.starts_with(&create)),
            "no {table} in {made:#?}"
        );
    }
    warehouse.execute("INSERT INTO product_purchase_counts (product_id) VALUES ('kept')");
    let told = warehouse.lakectl(&["init-db"]).expect(0).stdout;
    assert!(told.contains("nothing to do"), "{told}");
    assert_eq!(init_db(&warehouse, &[], 0)["applied"], serde_json::json!([]));
    assert_eq!(schema(&warehouse), made);
    assert_eq!(
        warehouse.value("SELECT product_id FROM product_purchase_counts"),
        "kept"
    );
    assert_eq!(
        init_db(&warehouse, &["--check"], 0)["drifts"],
        serde_json::json!([])
    );
}

/// A column of a table: its name, its type, and whether it belongs to the primary key.
type Column = (String, String, String, bool);

/// The columns in the document's diagrams, in order. Each must say what fills it.
fn drawn() -> Vec<Column> {
    let document = include_str!("../../docs/WAREHOUSE.md");
    let blocks = document.split("```mermaid\nerDiagram\n").skip(1);
    let mut columns = Vec::new();
    for line in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [table, "{"] => columns.push((table.to_owned(), Vec::new())),
            ["}"] | [_, "||--o{" | "}o--||", _, ":", ..] => {}
            [kind, column, ref rest @ ..] => {
                let (key, filled_by) = match rest {
                    ["PK", filled_by @ ..] => (true, filled_by),
                    filled_by => (false, filled_by),
                };
                let filled_by = filled_by.join(" ");
                assert!(
                    filled_by.len() > 2 && filled_by.starts_with('"') && filled_by.ends_with('"'),
                    "{line}"
                );
                let (_, of_table) = columns.last_mut().unwrap();
                of_table.push((column.to_owned(), kind.to_owned(), key));
            }
            _ => panic!("{line:?} is neither a table nor a column"),
        }
    }
    columns.sort();
    let of = |(table, columns): (String, Vec<(String, String, bool)>)| {
        columns
            .into_iter()
            .map(move |(column, kind, key)| (table.clone(), column, kind, key))
    };
    columns.into_iter().flat_map(of).collect()
}

#[test]
fn the_diagrams_in_the_documents_are_the_live_schema() {
    let warehouse = Warehouse::without_database();
    init_db(&warehouse, &[], 0);
    let live = warehouse.query(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_KEY = 'PRI' FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION",
    );
    let column = |row: Row| {
        let cell = |at: usize| row[at].clone().unwrap();
        (cell(0), cell(1), cell(2), cell(3) == "1")
    };
    let mut live: Vec<Column> = live.into_iter().map(column).collect();
    // The server's order of names is not ours.
    live.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(live.len() > 50, "{live:?}");
    let drawn = drawn();
    // The first difference says more than two long lists.
    for (drawn, live) in drawn.iter().zip(&live) {
        assert_eq!(drawn, live);
    }
    assert_eq!(drawn.len(), live.len());
}

#[test]
fn several_at_once() {
    let warehouse = Warehouse::without_database();
    let start = |_| warehouse.start_with(&["init-db", "--json"], &[]);
    let running: Vec<Running> = (0..4).map(start).collect();
    let runs: Vec<Run> = running.into_iter().map(|run| run.wait().expect(0)).collect();
    let created = |run: &&Run| run.report()["created"] == true;
    let applied = |run: &&Run| run.report()["applied"] != serde_json::json!([]);
    assert_eq!(
        (
            runs.iter().filter(created).count(),
            runs.iter().filter(applied).count()
        ),
        (1, 1)
    );
    init_db(&warehouse, &["--check"], 0);
}

#[test]
fn drift_is_named() {
    let warehouse = Warehouse::new();
    warehouse.execute("ALTER TABLE total_depense_par_user_type MODIFY total_depense_usd DECIMAL(9,1) NULL");
    warehouse.execute("DROP TABLE transaction_lifecycle");
    let run = warehouse.lakectl(&["init-db", "--check"]).expect(3);
    for word in ["total_depense_usd", "decimal(9,1)", "transaction_lifecycle"] {
        assert!(run.stdout.contains(word), "{run:?}");
    }
    let report = init_db(&warehouse, &["--check"], 3);
    assert_eq!(report["status"], "partial");
    assert_eq!(report["drifts"].as_array().unwrap().len(), 2, "{report}");
}

/// What is printed, run by a person's client, is the same schema.
#[test]
fn the_printed_sql_makes_the_same_schema() {
    let folder = tempfile::tempdir().unwrap();
    let run = program::start(folder.path(), &["init-db", "--print"], &[])
        .wait()
        .expect(0);
    assert!(
        run.stdout.contains("CREATE TABLE") && run.stderr.is_empty(),
        "{run:?}"
    );
    let (by_hand, made) = (Warehouse::without_database(), Warehouse::new());
    made.execute(&format!("CREATE DATABASE `{}`", by_hand.database));
    for statement in run.stdout.split(";\n") {
        let own = |line: &&str| !line.starts_with("--") && !line.trim().is_empty();
        let lines: Vec<&str> = statement.lines().filter(own).collect();
        if !lines.is_empty() {
            by_hand.execute(&lines.join("\n"));
        }
    }
    assert_eq!(schema(&by_hand), schema(&made));
    init_db(&by_hand, &["--check"], 0);
    assert_eq!(init_db(&by_hand, &[], 0)["applied"], serde_json::json!([]));
}
