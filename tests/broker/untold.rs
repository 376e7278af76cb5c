//! What Kafka does not tell of a topic: nobody decides by it as if it were told, and what was known stays known.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::compare::assert_stream;
use crate::common::kafka::{Topic, brokers, numbered, record};
use crate::common::kafka_proxy::{Fate, Judge, KafkaProxy, METADATA};
use crate::common::lake::{Lake, assert_same, number};

/// Another broker is the controller, and it is not there, as while brokers are restarted one after the other.
fn without_controller() -> Judge {
    Box::new(|api, frame| {
        if api == METADATA {
            let at = controller_in(frame);
            frame[at..at + 4].copy_from_slice(&99i32.to_be_bytes());
        }
        Fate::Pass
    })
}

/// Where an answer of Metadata, version 9 and later, names the controller.
fn controller_in(frame: &[u8]) -> usize {
    const NUMBER: usize = 4;
    // Strings and lists begin with their length and one more; tags that follow are none.
    let skip_text = |at: usize| at + 1 + usize::from(frame[at].saturating_sub(1));
    // Length, correlation, tags, throttle.
    let mut at = NUMBER + NUMBER + 1 + NUMBER;
    let brokers = frame[at] - 1;
    at += 1;
    for _ in 0..brokers {
        let host = at + NUMBER;
        let rack = skip_text(host) + NUMBER;
        at = skip_text(rack) + 1;
    }
    skip_text(at)
}

/// Kafka deletes old windows without a tombstone: a rebuild that took them for deleted would lose them.
#[test]
fn a_rebuild_without_the_settings_replaces_nothing() {
    let topic = Topic::with("expiring", 1, &[("cleanup.policy", "compact,delete")]);
    topic.send(&[record("old", "{\"N\":1}"), record("new", "{\"N\":2}")]);
    let lake = Lake::of_table(&topic);
    lake.drain();
    topic.delete_below(0, 1);
    let before = lake.kept();
    let proxy = KafkaProxy::new(brokers(), without_controller());
    let run = lake.run(&["--rebuild", "--brokers", &proxy.address]).expect(1);
    assert_same(&lake.kept(), &before);
    let report = run.report();
    for error in [&report["error"], &report["topics"][0]["error"]] {
        let error = error.to_string();
        assert!(
            error.contains("topic ids") && error.contains("is the broker up"),
            "{error}"
        );
    }
    lake.run(&["--rebuild"]).expect(0);
    assert_eq!(current(&lake, &topic).lines().count(), 2);
}

fn current(lake: &Lake, topic: &Topic) -> String {
    let path = lake.root().join("current").join(format!("{}.json", topic.name));
    std::fs::read_to_string(path).unwrap()
}

/// A broker that knows no ids gives the zero id.
fn without_id(id: &str) -> Judge {
    let id = id.replace('-', "+").replace('_', "/");
    let id = STANDARD_NO_PAD.decode(id).unwrap();
    Box::new(move |api, frame| {
        if api == METADATA {
            let found = frame.windows(id.len()).position(|window| window == id);
            if let Some(at) = found {
                frame[at..at + id.len()].fill(0);
            }
        }
        Fate::Pass
    })
}

#[test]
fn one_answer_without_an_id_forgets_none() {
    let (stream, table) = (Topic::new("idless"), Topic::compacted("idless-table"));
    let (lake, warehouse) = (Lake::of_stream(&stream), Warehouse::of_counts(&table));
    stream.send(&numbered("a", 3, 1));
    table.send(&[count("a", 1)]);
    lake.drain();
    warehouse.drain();
    let of_stream = topic_id(&lake, &stream);
    let of_table = warehouse.value("SELECT topic_id FROM lakectl_progress");
    stream.send(&numbered("b", 3, 1));
    table.send(&[count("b", 2)]);
    let (first, second) = (
        KafkaProxy::new(brokers(), without_id(&of_stream)),
        KafkaProxy::new(brokers(), without_id(&of_table)),
    );
    assert_eq!(number(&lake.one(&["--brokers", &first.address], 0), "read"), 3);
    assert_eq!(
        number(&warehouse.one(&["--brokers", &second.address], 0), "read"),
        1
    );
    assert_stream(&lake, &stream);
    COUNTS.assert_equals(&warehouse, &table);
    assert_eq!(topic_id(&lake, &stream), of_stream);
    assert_eq!(warehouse.value("SELECT topic_id FROM lakectl_progress"), of_table);
    // Longer than it was: only its id tells that it is another one.
    for topic in [&stream, &table] {
        topic.recreate();
        topic.send(&numbered("c", 20, 1));
    }
    for report in [lake.one(&[], 1), warehouse.one(&[], 1)] {
        let error = report["error"].as_str().unwrap();
        assert!(error.contains("--accept-recreated"), "{error}");
    }
}

fn topic_id(lake: &Lake, topic: &Topic) -> String {
    let path = lake
        .root()
        .join(".lakectl/topics")
        .join(&topic.name)
        .join("state");
    let sealed = std::fs::read_to_string(path).unwrap();
    let json = &sealed[sealed.find('{').unwrap()..=sealed.rfind('}').unwrap()];
    let state: serde_json::Value = serde_json::from_str(json).unwrap();
    state["topic_id"].as_str().unwrap().to_owned()
}
