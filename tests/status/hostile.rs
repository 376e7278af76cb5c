//! Names and reasons that are markup, commands to a terminal, or lies about their direction: shown, and harmless.

use crate::browser::text;
use crate::page::seen;
use crate::scene::{Scene, topic_of};

const MARKUP: &str = "</bdi><img src=x onerror=alert(1)><script>console.error(\"canary\")</script>'\"&";
const TERMINAL: &str = "\u{1b}[31mred\u{7}\n\u{202e}backwards";

#[test]
fn hostile_names_and_reasons_are_text() {
    let (scene, ..) = Scene::drained();
    let mut session = scene.world.session();
    use mysql::prelude::Queryable;
    for (table, topic) in [("<b onclick=x>", MARKUP), ("\u{202e}lbat", TERMINAL)] {
        session
            .exec_drop(
                "INSERT INTO lakectl_progress (table_name, topic, kafka_partition, next_offset) VALUES (?, ?, 0, 7)",
                (table, topic),
            )
            .unwrap();
        session
            .exec_drop(
                "INSERT INTO lakectl_rejects (table_name, topic, `partition`, `offset`, reason) VALUES (?, ?, 0, 7, ?)",
                (table, topic, format!("{MARKUP}{TERMINAL}")),
            )
            .unwrap();
    }
    session
        .exec_drop(
            "INSERT INTO lakectl_cutoffs (table_name, column_name, cutoff) VALUES ('<b onclick=x>', '<i>', '2025-01-02')",
            (),
        )
        .unwrap();
    // A folder in the ledger that no topic can be named like.
    std::fs::create_dir(scene.root().join(".lakectl/topics/<script>alert(1)<")).unwrap();
    let status = scene.status(0);
    assert_eq!(topic_of(&status, MARKUP)["tables"][0]["rejects"], 1);
    let printed = scene.run(&["-v"]).expect(0).stdout;
    assert!(
        !printed.contains(['\u{1b}', '\u{7}']) && printed.contains("\\u{1b}[31mred"),
        "{printed}"
    );
    let dom = seen(&scene, 0);
    for element in ["<img", "<script", "<b ", "<i>", "onerror=alert(1)>"] {
        assert!(!dom.contains(element), "{element} in the document");
    }
    let words = text(&dom);
    assert!(words.contains("console.error(\"canary\")") && words.contains("<b onclick=x>"));
}
