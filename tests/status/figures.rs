//! What is known stands there as the runs reported it.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::common::kafka::{Topic, record};
use crate::common::lake::number;
use crate::scene::{Scene, checked, count, days, on_day, partitions, topic_of};
use crate::world::Warehouse;
use mysql::prelude::Queryable;

/// A topic of a run's report.
fn reported(report: &Value, topic: &Topic) -> Value {
    topic_of(report, &topic.name)
}

#[test]
fn the_figures_are_those_of_the_runs_before() {
    let (scene, lake, warehouse) = Scene::drained();
    let status = scene.status(0);
    let (stream, table) = (scene.stream_of(&status), scene.table_of(&status));
    for (topic, found) in [(&scene.stream, &stream), (&scene.table, &table)] {
        let (run, found) = (reported(&lake, topic), &found["lake"]);
        for (name, of_run) in [("records", "written"), ("files", "files"), ("bytes", "bytes")] {
            assert_eq!(
                number(found, name),
                number(&run, of_run),
                "{name}: {found}\n{run}"
            );
        }
        let known: Vec<String> = days(found).into_iter().map(|(day, _)| day).collect();
        assert_eq!(json!(known), run["days"]);
        assert_eq!(found["lag"], 0);
        assert_eq!(found["last_run"]["run_id"], lake["run_id"]);
        assert_eq!(found["state"], "ok");
        assert!(found["committed"].as_str().unwrap() > lake["started"].as_str().unwrap());
        let reached: Vec<_> = run["partitions"].as_array().unwrap().iter().collect();
        let of_run = |part: &&Value| ["partition", "next", "end"].map(|name| part[name].as_i64());
        let here = partitions(found)
            .into_iter()
            .map(|[partition, next, end, _]| [partition, next, end]);
        assert_eq!(
            here.collect::<Vec<_>>(),
            reached.iter().map(of_run).collect::<Vec<_>>()
        );
    }
    assert_eq!(stream["lake"]["first_day"], "2025-10-30");
    assert_eq!(stream["lake"]["last_day"], "2025-12-09");
    assert_eq!(
        days(&stream["lake"]),
        [("2025-10-30", 4), ("2025-10-31", 6), ("2025-12-09", 3)].map(|(day, n)| (day.to_owned(), n))
    );
    assert_eq!(
        (&stream["kind"], &table["kind"]),
        (&json!("stream"), &json!("table"))
    );
    assert_eq!(stream["tables"], json!([]));
    let run = reported(&warehouse, &scene.table);
    let rows = &table["tables"][0];
    assert_eq!(rows["table"], "product_purchase_counts");
    assert_eq!(
        (number(rows, "rows"), &rows["rows_exact"]),
        (number(&run, "upserted"), &json!(true))
    );
    assert_eq!((number(rows, "lag"), number(rows, "rejects")), (0, 0));
    assert_eq!(partitions(rows), [[Some(0), Some(3), Some(3), Some(0)]]);
    assert!(rows["committed"].as_str().unwrap() > warehouse["started"].as_str().unwrap());
}

#[test]
fn the_lag_is_what_the_next_run_will_read() {
    let (scene, ..) = Scene::drained();
    scene.stream.send(&on_day(1, 0, 7));
    scene.table.send(&[count("c", 1), count("c", 2)]);
    // Behind the stable end lies what nobody may read yet.
    let open = scene.stream.open_transaction(&on_day(1, 1, 5));
    let status = scene.status(0);
    let (stream, table) = (scene.stream_of(&status), scene.table_of(&status));
    assert_eq!(
        partitions(&stream["lake"]),
        [
            [Some(0), Some(10), Some(17), Some(7)],
            [Some(1), Some(3), Some(3), Some(0)]
        ]
    );
    assert_eq!(
        (number(&stream["lake"], "lag"), number(&table["lake"], "lag")),
        (7, 2)
    );
    assert_eq!(number(&table["tables"][0], "lag"), 2);
    open.commit();
    let plan = scene
        .world
        .lakectl(&["lake", "--dry-run", "--json"])
        .expect(0)
        .report();
    let status = scene.status(0);
    for topic in [&scene.stream, &scene.table] {
        let lag = number(&topic_of(&status, &topic.name)["lake"], "lag");
        assert_eq!(lag, number(&reported(&plan, topic), "remaining"));
    }
}

#[test]
fn what_was_never_drained_lags_by_all_there_is() {
    let scene = Scene::new();
    let status = scene.status(0);
    let (stream, table) = (scene.stream_of(&status), scene.table_of(&status));
    assert_eq!(
        (&stream["lake"]["state"], &stream["lake"]["committed"]),
        (&json!("new"), &Value::Null)
    );
    assert_eq!(
        (number(&stream["lake"], "lag"), number(&stream["lake"], "records")),
        (13, 0)
    );
    assert_eq!(
        partitions(&stream["lake"])[0],
        [Some(0), None, Some(10), Some(10)]
    );
    assert_eq!(
        (
            number(&table["tables"][0], "lag"),
            number(&table["tables"][0], "rows")
        ),
        (3, 0)
    );
    assert_eq!(status["lake"]["state"], "none");
}

#[test]
fn rejects_stand_with_their_reasons_and_without_their_values() {
    let (scene, ..) = Scene::drained();
    scene.table.send(&[
        record("d", "{\"PURCHASE_COUNT\":\"canary-one\"}"),
        record("e", "{\"PURCHASE_COUNT\":\"canary-two\"}"),
        record("f", "no json"),
    ]);
    let run = scene.world.lakectl(&["warehouse", "--json"]).expect(3).report();
    let rejected = number(&reported(&run, &scene.table), "rejected");
    let status = scene.status(0);
    let rows = &scene.table_of(&status)["tables"][0];
    assert_eq!(number(rows, "rejects"), rejected);
    let reasons = rows["rejects_by_reason"].as_array().unwrap();
    assert_eq!(
        reasons.iter().map(|it| number(it, "records")).sum::<i64>(),
        rejected,
        "{rows}"
    );
    assert!(!rows.to_string().contains("canary"), "{rows}");
    let text = scene.run(&["-v"]).expect(0).stdout;
    assert!(text.contains(" rejected: "), "{text}");
}

#[test]
fn what_was_purged_is_told() {
    let (mut scene, ..) = Scene::drained();
    let purge = [
        "purge",
        "--older-than",
        "1d",
        "--only",
        "lake",
        "--yes",
        "--max-fraction",
        "1",
    ];
    let purged = scene
        .world
        .lakectl(&[&purge[..], &["--json"]].concat())
        .expect(0)
        .report();
    let status = scene.status(0);
    let lake = &scene.stream_of(&status)["lake"];
    let today = chrono::Utc::now().date_naive();
    let kept_from: chrono::NaiveDate = lake["purged_before"].as_str().unwrap().parse().unwrap();
    assert!((today - kept_from).num_days() <= 2, "{lake}\n{purged}");
    assert_eq!((number(lake, "records"), number(lake, "days")), (0, 0));
    assert_eq!((number(lake, "lag"), partitions(lake)[0][1]), (0, Some(10)));

    scene.world.set_topics(&format!(
        "[topics.{:?}]\nkind = \"table\"\nkey = {{ format = \"string\", columns = [\"product_id\"] }}\n\
         warehouse.table = \"product_purchase_counts\"\nlake.retention = \"6mo\"\n\
         warehouse.retention = {{ column = \"last_updated_at\", keep = \"7d\" }}\n",
        scene.table.name
    ));
    scene
        .world
        .execute("INSERT INTO lakectl_cutoffs (table_name, column_name, cutoff) VALUES ('product_purchase_counts', 'last_updated_at', '2025-01-02 03:04:05')");
    let table = scene.table_of(&scene.status(0));
    assert_eq!(table["lake"]["retention"], "6mo");
    let rows = &table["tables"][0];
    assert_eq!(
        rows["retention"],
        json!({ "column": "last_updated_at", "keep": "7d" })
    );
    assert_eq!(
        rows["purged_before"],
        json!([{ "column": "last_updated_at", "before": "2025-01-02 03:04:05" }])
    );
}

#[test]
fn topics_are_chosen_by_name_and_known_without_an_entry() {
    let (mut scene, ..) = Scene::drained();
    let another = Topic::new("another");
    another.send(&on_day(0, 0, 4));
    let names = |status: &Value| -> Vec<String> {
        let topics = status["topics"].as_array().unwrap().iter();
        topics
            .map(|topic| topic["topic"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&scene.status_with(&["--topics", "str*"], 0)),
        [scene.stream.name.as_str()]
    );
    // Nobody has drained it, but Kafka knows it.
    let found = scene.status_with(&["--topics", &another.name], 0);
    assert_eq!(names(&found), [another.name.as_str()]);
    let misspelt = format!("{}x", scene.stream.name);
    scene
        .run(&["--topics", &misspelt])
        .fails(2, &["did you mean", &scene.stream.name]);
    scene.world.set_topics("");
    let (mut all, found) = (names(&scene.status(0)), scene.status(0));
    all.sort();
    assert_eq!(all, [scene.stream.name.clone(), scene.table.name.clone()]);
    assert_eq!(scene.stream_of(&found)["configured"], false);
    assert_eq!(number(&scene.stream_of(&found)["lake"], "records"), 13);
    assert_eq!(number(&scene.table_of(&found)["tables"][0], "rows"), 2);
}

#[test]
fn the_table_for_people_has_the_same_figures() {
    let (scene, ..) = Scene::drained();
    scene.stream.send(&on_day(1, 0, 7));
    let run = scene.run(&[]).expect(0);
    assert_eq!(run.stderr, "");
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in run.stdout.lines().filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        rows.insert(cells[0], cells[1..].to_vec());
    }
    let stream = &rows[scene.stream.name.as_str()];
    assert_eq!(
        (stream[0], stream[2], stream[5]),
        ("7", "13", "3"),
        "{}",
        run.stdout
    );
    assert!(stream[1].ends_with(" ago"), "{stream:?}");
    assert_eq!(
        rows["STREAM"],
        ["LAG", "COMMITTED", "RECORDS", "SIZE", "FILES", "DAYS"]
    );
    let into = format!("product_purchase_counts <- {}", scene.table.name);
    assert_eq!(
        (rows[into.as_str()][0], rows[into.as_str()][2]),
        ("0", "2"),
        "{}",
        run.stdout
    );
    let long = scene.run(&["-v"]).expect(0).stdout;
    for words in [
        "at 0:10 of 17 (7 behind), 1:3 of 3",
        "3 days from 2025-10-30 to 2025-12-09",
        "last run 2",
    ] {
        assert!(long.contains(words), "no {words:?} in\n{long}");
    }
    assert_eq!(scene.run(&["-q"]).expect(0).stdout, "");
}

/// Counting is given up where somebody holds the table, or it is too large; on both servers.
#[test]
fn rows_that_cannot_be_counted_in_time_are_estimated() {
    let table = Topic::compacted("table");
    table.send(&[count("a", 1), count("b", 2)]);
    for world in [Warehouse::new(), Warehouse::on_mariadb()] {
        let world = world.counts(&table);
        world.lakectl(&["warehouse"]).expect(0);
        let rows = || {
            let status = checked(world.lakectl(&["status", "--json"]), 0);
            let rows = topic_of(&status, &table.name)["tables"][0].clone();
            (rows["rows"].as_i64(), rows["rows_exact"].as_bool())
        };
        assert_eq!(rows(), (Some(2), Some(true)));
        let mut session = world.session();
        session
            .query_drop("LOCK TABLES product_purchase_counts WRITE")
            .unwrap();
        let (estimate, exact) = rows();
        assert!(estimate.is_some() && exact == Some(false), "{estimate:?}");
        session.query_drop("UNLOCK TABLES").unwrap();
    }
}
