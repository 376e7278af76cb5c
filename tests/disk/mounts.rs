//! Mounts inside the lake, and names that are taken: what a commit can't put in its place it refuses.

use std::path::PathBuf;

use super::volume::Volume;
use crate::common::compare::{assert_stream, assert_table};
use crate::common::kafka::{NOON_MS, Topic, numbered, record};
use crate::common::lake::Lake;
use crate::common::program::Run;

fn error_of(run: &Run) -> String {
    let report = run.report();
    report["topics"][0]["error"].as_str().unwrap().to_owned()
}

/// Also where two mounts are of one filesystem, and where the ledger is the one that lies elsewhere.
#[test]
fn a_folder_on_another_mount_is_refused_before_the_commit() {
    let topic = Topic::with("mounts", 1, &[]);
    topic.send(&numbered("a", 10, 1));
    for inside in [
        format!("streams/{}", topic.name),
        "streams".to_owned(),
        ".lakectl/staging".to_owned(),
        format!("streams/{}/year=2025/month=10", topic.name),
    ] {
        let lake = Lake::of_stream(&topic);
        std::fs::create_dir_all(lake.root().join(".lakectl")).unwrap();
        let at = lake.root().join(&inside);
        let elsewhere = lake.folder().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        for is_bound in [false, true] {
            let _volume = if is_bound {
                Volume::bind(&at, &elsewhere)
            } else {
                Volume::tmpfs(&at, "size=8m")
            };
            let error = error_of(&lake.run(&[]).expect(1));
            assert!(
                error.contains("another mount") && error.contains("nothing was committed"),
                "{error}"
            );
        }
        lake.drain();
        assert_stream(&lake, &topic);
    }
}

#[test]
fn a_folder_where_a_tables_link_belongs() {
    let topic = Topic::compacted("mounts");
    topic.send(&[record("k", "{\"A\":1}")]);
    let lake = Lake::of_table(&topic);
    let link: PathBuf = lake.root().join(format!("current/{}.json", topic.name));
    std::fs::create_dir_all(&link).unwrap();
    for _ in 0..2 {
        let error = error_of(&lake.run(&[]).expect(1));
        assert!(
            error.contains("is not a link") && error.contains("move it away"),
            "{error}"
        );
    }
    std::fs::remove_dir(&link).unwrap();
    topic.send(&[record("l", "{\"A\":2}").at(NOON_MS)]);
    lake.drain();
    assert_table(&lake, &topic);
}
