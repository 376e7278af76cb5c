//! Many topics in one run: their commits go on beside each other, and each is told of as if it were alone.

use crate::common::compare::assert_stream;
use crate::common::kafka::{Topic, numbered};
use crate::common::lake::{Lake, number};

/// More than are committed one after the other.
const TOPICS: usize = 12;

fn topics(label: &str) -> Vec<Topic> {
    let topics: Vec<_> = (0..TOPICS).map(|_| Topic::with(label, 3, &[])).collect();
    for topic in &topics {
        topic.send(&numbered("a", 9, 3));
    }
    topics
}

fn lake_of(topics: &[Topic]) -> Lake {
    topics
        .iter()
        .fold(Lake::new(), |lake, topic| lake.stream(topic, ""))
}

#[test]
fn many_topics_are_all_there() {
    let topics = topics("beside");
    let lake = lake_of(&topics);
    let report = lake.drain();
    let mut names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
    names.sort();
    let told = report["topics"].as_array().unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|topic| topic["topic"].as_str().unwrap())
        .collect();
    assert_eq!(told, names);
    assert_eq!(number(&report["totals"], "read"), 9 * TOPICS as i64);
    for topic in &topics {
        assert_stream(&lake, topic);
        let next: Vec<_> = (0..3).map(|partition| (partition, 3)).collect();
        assert_eq!(topic.committed(&format!("{}.lake", lake.group)), next);
    }
    assert_eq!(number(&lake.drain()["totals"], "read"), 0);
    lake.verify(0);
}

/// Before its commit, in it, and after it: each failure stays its own topic's.
#[test]
fn one_that_fails_does_not_stop_the_others() {
    let topics = topics("fails");
    let lake = lake_of(&topics);
    lake.drain();
    for topic in &topics {
        topic.send(&numbered("b", 9, 3));
    }
    let home = |topic: &Topic| lake.root().join(".lakectl/topics").join(&topic.name);
    let days = home(&topics[7]).join("days");
    let day = std::fs::read_dir(&days)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name();
    // Where one is about to be locked or a state or a list of files to be written, there stands a folder.
    let in_the_way = [
        lake.root().join(".lakectl/locks").join(&topics[1].name),
        home(&topics[4]).join("state.new"),
        days.join(format!("{}.new", day.to_str().unwrap())),
    ];
    let _ = std::fs::remove_file(&in_the_way[0]);
    for folder in &in_the_way {
        std::fs::create_dir(folder).unwrap();
    }
    let report = lake.run(&[]).expect(1).report();
    assert_eq!(report["topics"].as_array().unwrap().len(), TOPICS);
    for (at, topic) in topics.iter().enumerate() {
        let mut lines = report["topics"].as_array().unwrap().iter();
        let line = lines.find(|line| line["topic"] == *topic.name).unwrap();
        let fails = [1, 4, 7].contains(&at);
        assert_eq!(line["status"], if fails { "failed" } else { "ok" }, "{line}");
        if !fails {
            assert_eq!(number(line, "written"), 9);
            assert_stream(&lake, topic);
        }
    }
    for folder in &in_the_way {
        std::fs::remove_dir(folder).unwrap();
    }
    lake.drain();
    for topic in &topics {
        assert_stream(&lake, topic);
    }
    lake.verify(0);
}
