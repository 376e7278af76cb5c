//! With less: whatever can't be asked is said once, with what to do, and the rest stands there all the same.

use serde_json::{Value, json};
use std::net::TcpListener;

use crate::common::lake::number;
use crate::page::opened;
use crate::scene::{Scene, checked, on_day, partitions, warns};

/// A port that nobody listens at.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

#[test]
fn without_kafka_the_lag_is_unknown() {
    let (scene, ..) = Scene::drained();
    let nobody = closed();
    let brokers = ["--brokers", nobody.as_str()];
    let text = scene.start(&brokers);
    let status = scene.status_with(&brokers, 3);
    assert_eq!(status["warnings"].as_array().unwrap().len(), 1, "{status}");
    warns(&status, &[&nobody, "Connection refused", "--brokers"]);
    assert_eq!(
        (&status["kafka"]["state"], &status["lake"]["state"]),
        (&json!("unknown"), &json!("ok"))
    );
    let (stream, table) = (scene.stream_of(&status), scene.table_of(&status));
    assert_eq!(
        (&stream["lake"]["lag"], &stream["in_kafka"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(partitions(&stream["lake"])[0], [Some(0), Some(10), None, None]);
    assert_eq!(number(&stream["lake"], "records"), 13);
    assert_eq!(
        (&table["tables"][0]["lag"], number(&table["tables"][0], "rows")),
        (&Value::Null, 2)
    );
    let text = text.wait().expect(3);
    let line = text
        .stdout
        .lines()
        .find(|line| line.starts_with(&scene.stream.name))
        .unwrap();
    assert!(line.contains(" ?  "), "{line}");
    assert_eq!(text.stderr.matches("warning: ").count(), 1, "{}", text.stderr);
}

#[test]
fn without_mysql_the_tables_are_unknown() {
    let (scene, ..) = Scene::drained();
    // One that takes connections and says nothing is not waited for.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mysql://somebody@{}/nowhere", listener.local_addr().unwrap());
    let silent = scene.start(&["--json", "--url", &url]);
    let url = format!("mysql://somebody@{}/nowhere", closed());
    let status = scene.status_with(&["--url", &url], 3);
    assert_eq!(status["warnings"].as_array().unwrap().len(), 1, "{status}");
    warns(&status, &["cannot reach", "--url"]);
    let (stream, table) = (scene.stream_of(&status), scene.table_of(&status));
    assert_eq!(
        (number(&stream["lake"], "lag"), number(&table["lake"], "lag")),
        (0, 0)
    );
    let rows = &table["tables"][0];
    assert_eq!(rows["table"], "product_purchase_counts");
    for name in ["rows", "lag", "rejects", "committed"] {
        assert_eq!(rows[name], Value::Null, "{name}: {rows}");
    }
    // A password that is wrong is not told either.
    let wrong = [("LAKECTL_WAREHOUSE_PASSWORD", "canary-Pw1")];
    let run = scene.world.start_with(&["status", "--json", "-v"], &wrong).wait();
    assert!(!format!("{run:?}").contains("canary"), "{run:?}");
    warns(&checked(run, 3), &["wrong user or password"]);
    warns(&checked(silent.wait(), 3), &["no answer", "--url"]);
}

#[test]
fn without_both_the_ledger_still_speaks() {
    let (scene, ..) = Scene::drained();
    let (nobody, url) = (closed(), format!("mysql://somebody@{}/nowhere", closed()));
    let nowhere = scene.world.folder().join("nowhere");
    let both = [
        "--json",
        "--html",
        "page.html",
        "--brokers",
        &nobody,
        "--url",
        &url,
    ];
    let nothing = scene.start(
        &[
            &["--json"],
            &both[3..],
            &["--lake-root", nowhere.to_str().unwrap()],
        ]
        .concat(),
    );
    let status = checked(scene.run(&both), 3);
    assert_eq!(status["warnings"].as_array().unwrap().len(), 2, "{status}");
    assert_eq!(number(&scene.stream_of(&status)["lake"], "records"), 13);
    let page = opened(&scene);
    assert!(page.contains("2 things need a look") && page.contains("could not be asked"));
    // And with no lake either, nobody is left to tell anything.
    let status = checked(nothing.wait(), 1);
    assert!(
        status["error"].as_str().unwrap().contains("could be asked"),
        "{status}"
    );
    assert!(!nowhere.exists());
}

#[test]
fn a_lake_that_is_not_there_yet_is_not_made() {
    let scene = Scene::new();
    let run = scene.run(&[]).expect(0);
    assert!(
        run.stdout
            .starts_with(&format!("no lake yet at {}", scene.root().display())),
        "{}",
        run.stdout
    );
    assert!(!scene.root().exists());
    // Nor is one made of a folder that happens to be there.
    std::fs::create_dir(scene.root()).unwrap();
    assert_eq!(scene.status(0)["lake"]["state"], "none");
    assert_eq!(std::fs::read_dir(scene.root()).unwrap().count(), 0);
    // One that was there before is missed: its disk may not be mounted.
    scene.world.lakectl(&["lake"]).expect(0);
    std::fs::rename(scene.root(), scene.world.folder().join("elsewhere")).unwrap();
    warns(&scene.status(3), &["is a disk not mounted", &scene.world.group]);
    assert!(!scene.root().exists());
}

#[test]
fn a_database_without_our_tables_says_how_to_get_them() {
    let (scene, ..) = Scene::drained();
    scene.world.execute("DROP TABLE lakectl_cutoffs");
    warns(&scene.status(3), &["lakectl_cutoffs", "lakectl init-db"]);
    scene.world.lakectl(&["init-db"]).expect(0);
    scene.world.execute("DROP TABLE product_purchase_counts");
    let status = scene.status(3);
    warns(&status, &["there is no table `product_purchase_counts`"]);
    assert_eq!(scene.table_of(&status)["tables"][0]["rows"], Value::Null);
}

#[test]
fn damage_is_told_of_its_topic_and_hides_no_other() {
    let (scene, ..) = Scene::drained();
    let home = scene.root().join(".lakectl/topics").join(&scene.stream.name);
    let path = home.join("state");
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() ^= 1;
    bytes[60] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let status = scene.status(3);
    warns(
        &status,
        &[&scene.stream.name, "damaged", "restore it from a backup"],
    );
    let lake = &scene.stream_of(&status)["lake"];
    assert_eq!(
        (&lake["state"], &lake["records"], &lake["lag"]),
        (&json!("damaged"), &Value::Null, &Value::Null)
    );
    assert_eq!(number(&scene.table_of(&status)["lake"], "records"), 2);
    assert!(scene.run(&[]).stdout.contains("damaged"));
    // A state that is gone while its data is there.
    std::fs::remove_file(&path).unwrap();
    let status = scene.status(3);
    warns(&status, &[&scene.stream.name, "is gone"]);
    assert_eq!(scene.stream_of(&status)["lake"]["state"], "damaged");
    // The list of a day.
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(home.join("days/2025-10-31"), b"").unwrap();
    let status = scene.status(3);
    warns(&status, &[&scene.stream.name, "2025-10-31", "damaged"]);
    assert_eq!(number(&scene.table_of(&status)["lake"], "records"), 2);
}

/// A log processor finds the topic in a field of its own, and what to do in the message.
#[test]
fn each_warning_names_its_topic_for_a_log_processor() {
    let (scene, ..) = Scene::drained();
    scene.stream.send(&on_day(1, 0, 7));
    scene.stream.delete_below(0, 12);
    scene.world.execute("DROP TABLE product_purchase_counts");
    let run = scene.run(&["--log-format", "json"]).expect(3);
    let lines: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["topic"].as_str().unwrap(), line["message"].as_str().unwrap()))
        .collect();
    let mut topics: Vec<&str> = told.iter().map(|(topic, _)| *topic).collect();
    topics.sort_unstable();
    assert_eq!(topics, [&*scene.stream.name, &*scene.table.name], "{told:?}");
    assert!(
        lines
            .iter()
            .all(|line| line["level"] == "warning" && line["command"] == "status")
    );
    let says = |topic: &str, words: &[&str]| {
        let (_, message) = told.iter().find(|(of, _)| *of == topic).unwrap();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    says(&scene.stream.name, &["never read", "--accept-gap"]);
    says(&scene.table.name, &["there is no table", "lakectl init-db"]);
}

#[test]
fn what_the_next_run_would_refuse_is_told_before() {
    let (scene, ..) = Scene::drained();
    scene.stream.send(&on_day(1, 0, 7));
    scene.stream.delete_below(0, 12);
    let status = scene.status(3);
    warns(&status, &[&scene.stream.name, "--accept-gap"]);
    assert_eq!(number(&scene.stream_of(&status)["lake"], "lag"), 5);
    let refused = scene.world.lakectl(&["lake"]).expect(1);
    let warning = status["warnings"][0].as_str().unwrap();
    assert!(refused.stderr.contains(warning), "{warning}\n{}", refused.stderr);
    scene.table.recreate();
    warns(&scene.status(3), &[&scene.table.name, "--accept-recreated"]);
}

#[test]
fn the_configuration_may_have_less_than_the_lake() {
    let (mut scene, ..) = Scene::drained();
    let without = [("LAKECTL_WAREHOUSE_URL", "")];
    let run = scene.world.start_with(&["status", "--json"], &without).wait();
    let status = checked(run, 0);
    assert_eq!(status["warehouse"], json!({ "database": null, "state": "none" }));
    assert_eq!(scene.table_of(&status)["tables"], json!([]));
    scene.world.set_topics("[lake]\ntimezone = \"Europe/Paris\"\n");
    let status = scene.status(3);
    warns(&status, &["lake.timezone"]);
    assert_eq!(number(&scene.stream_of(&status)["lake"], "records"), 13);
    scene.world.set_topics("[lake]\ntimezon = \"UTC\"\n");
    scene.run(&[]).fails(2, &["timezone"]);
    scene.world.set_topics(
        "[topics.nowhere-1]\nkind = \"stream\"\n[topics.nowhere-2]\nkind = \"table\"\nwarehouse.enabled = false\n",
    );
    let status = scene.status(3);
    assert_eq!(status["warnings"].as_array().unwrap().len(), 2, "{status}");
    for topic in ["nowhere-1", "nowhere-2"] {
        warns(
            &status,
            &[&format!("topic {topic}: "), "no such topic", "make it"],
        );
    }
}
