//! Topics, and how long Kafka keeps them.

use rdkafka::mocking::MockCluster;

use crate::answer::{Answer, check};
use crate::common::kafka::{Topic, numbered};
use crate::world::Warehouse;

#[test]
fn topics_as_kafka_keeps_them() {
    let fleeting = Topic::with("check-fleeting", 1, &[("retention.ms", "60000")]);
    let expiring = Topic::with("check-expiring", 1, &[("retention.ms", "604800000")]);
    let forgetful = Topic::with(
        "check-forgetful",
        1,
        &[("cleanup.policy", "compact"), ("delete.retention.ms", "1000")],
    );
    let thinned = Topic::compacted("check-thinned");
    let table = |topic: &Topic| format!("[topics.{:?}]\nkind = \"table\"\n", topic.name);
    let stream = |topic: &Topic| format!("[topics.{:?}]\nkind = \"stream\"\n", topic.name);
    let mut world = Warehouse::without_database();
    let missing = format!("[topics.\"{}s\"]\nkind = \"stream\"\n", thinned.name);
    world.set_topics(
        &[
            stream(&fleeting),
            table(&expiring),
            table(&forgetful),
            stream(&thinned),
            missing,
        ]
        .concat(),
    );
    let answer = check(&world, &["--only", "lake"], 3);
    answer.is_wrong(
        &fleeting.name,
        "kept",
        &["1 minute", "are lost", "retention.ms=604800000"],
    );
    answer.is_wrong(
        &expiring.name,
        "kept",
        &["after 7 days", "cleanup.policy=compact", "kind = \\\"stream\\\""],
    );
    answer.is_wrong(
        &forgetful.name,
        "kept",
        &["tombstones for 1 second", "delete.retention.ms=604800000"],
    );
    answer.ok(
        &thinned.name,
        "kept",
        &["cleanup.policy compact", "compaction may take"],
    );
    let near = format!("did you mean `{}`?", thinned.name);
    answer.is_wrong(&format!("{}s", thinned.name), "topic", &["no such topic", &near]);
    assert_eq!(answer.wrong().len(), 4, "{:?}", answer.wrong());
    // Without an entry nobody knows what a compacted topic is.
    let answer = check(&world, &["--only", "lake", "--topics", &thinned.name], 0);
    answer.ok(&thinned.name, "topic", &["stream, 1 Kafka partition"]);
    world.set_topics("");
    let answer = check(&world, &["--only", "lake", "--topics", &thinned.name], 3);
    answer.is_wrong(&thinned.name, "kept", &["may be a table", "--kind"]);
    let kind = ["--only", "lake", "--topics", &thinned.name, "--kind", "table"];
    check(&world, &kind, 0).ok(&thinned.name, "topic", &["table"]);
}

/// What a run would refuse is known before it runs.
#[test]
fn progress_that_kafka_no_longer_fits() {
    let [gap, anew, unmounted] =
        ["gap", "anew", "unmounted"].map(|name| Topic::new(&format!("check-{name}")));
    for topic in [&gap, &anew, &unmounted] {
        topic.send(&numbered("a", 10, 1));
    }
    let world = Warehouse::without_database().stream(&gap).stream(&anew);
    let only = ["--only", "lake"];
    check(&world, &only, 0).ok(&gap.name, "lake", &["10 offsets to read"]);
    world.lakectl(&["lake"]).expect(0);
    check(&world, &only, 0).ok(&gap.name, "lake", &["nothing new"]);
    gap.send(&numbered("b", 10, 1));
    gap.delete_below(0, 15);
    anew.recreate();
    let answer = check(&world, &only, 3);
    answer.is_wrong(&gap.name, "lake", &["offsets 10 to 14", "--accept-gap"]);
    answer.is_wrong(
        &anew.name,
        "lake",
        &["deleted and created again", "--accept-recreated"],
    );
    answer.ok("Kafka", "group", &["mirrors the progress"]);
    assert_eq!(answer.wrong().len(), 2, "{:?}", answer.wrong());
    std::fs::rename(world.folder().join("data_lake"), world.folder().join("elsewhere")).unwrap();
    let answer = check(&world, &only, 3);
    answer.is_wrong(
        "lake",
        "root",
        &["there is no lake at", "mount its disk", "--new-lake"],
    );
}

/// The old ones are in one segment with young ones, so that Kafka keeps them for as long as this takes.
#[test]
fn records_that_kafka_may_delete_before_they_are_read() {
    const DAY_MS: i64 = 86_400_000;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let sent = |days_ago: i64| {
        let records = numbered("a", 5, 1).into_iter();
        records.map(move |record| record.at(now - days_ago * DAY_MS))
    };
    let topic = Topic::with("check-old", 1, &[("retention.ms", "604800000")]);
    let world = Warehouse::without_database().stream(&topic);
    world.lakectl(&["lake"]).expect(0);
    topic.send(&sent(20).chain(sent(1)).collect::<Vec<_>>());
    let only = ["--only", "lake"];
    let answer = check(&world, &only, 3);
    answer.is_wrong(
        &topic.name,
        "kept",
        &[
            "records for 7 days",
            "5 offsets that the lake has not read",
            "run now",
            "retention.ms",
        ],
    );
    assert_eq!(answer.wrong().len(), 1, "{:?}", answer.wrong());
    world.lakectl(&["lake"]).expect(0);
    check(&world, &only, 0).ok(&topic.name, "kept", &["records for 7 days"]);
}

/// The real broker always leads what it has.
#[test]
fn kafka_partitions_without_a_leader() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["led", "leaderless"] {
        cluster.create_topic(topic, 2, 1).unwrap();
    }
    cluster.partition_leader("leaderless", 1, None).unwrap();
    let mut world = Warehouse::without_database();
    world.set_topics("[topics.led]\nkind = \"stream\"\n[topics.leaderless]\nkind = \"stream\"\n");
    let brokers = cluster.bootstrap_servers();
    let arguments = ["check", "--json", "--only", "lake", "--brokers", &brokers];
    let run = world.start_with(&arguments, &[("LAKECTL_EMBEDDED_KAFKA", &brokers)]);
    let answer = Answer::of(run.wait(), 3);
    // Who left the variable in his shell finds out here.
    answer.ok("Kafka", "answer", &["embedded broker", "unset it"]);
    answer.is_wrong(
        "leaderless",
        "topic",
        &["without a leader: 1", "start the brokers"],
    );
    answer.ok("led", "lake", &["nothing new"]);
    assert_eq!(answer.wrong(), [("leaderless", "topic")]);
}
