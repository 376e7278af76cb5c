//! Which samples of earlier runs are kept.

use super::*;
use crate::config::Kind;
use crate::report::LakeReport;

fn topic(name: &str, read: u64) -> TopicReport {
    let mut topic = TopicReport::new(name, Kind::Stream, TargetReport::Lake(LakeReport::default()));
    topic.read = read;
    topic
}

fn report(topics: Vec<TopicReport>, signal: Option<i32>) -> Report {
    let mut report = Report::new("lake", false);
    report.topics = topics.into();
    report.finish(signal);
    report
}

fn over(before: Samples, report: &Report, now: f64) -> Samples {
    let run = RunMetrics {
        command: "lake",
        report,
        all_topics: true,
        now,
    };
    run.over(before)
}

fn value(samples: &Samples, name: &str, topic: Option<&str>) -> Option<f64> {
    let labels = [Some(("command", "lake")), topic.map(|topic| ("topic", topic))];
    let labels = labels
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    samples.get(name, &labels.collect())
}

#[test]
fn a_failure_keeps_the_last_success_and_its_numbers() {
    let first = over(
        Samples::default(),
        &report(vec![topic("a", 5), topic("b", 7)], None),
        100.0,
    );
    let mut failed = topic("a", 0);
    failed.fail(&anyhow::anyhow!("no"));
    let second = over(first, &report(vec![failed, topic("b", 0)], None), 200.0);
    let of = |name: &str, topic: &str| value(&second, &format!("lakectl_topic_{name}"), Some(topic));
    assert_eq!(
        value(&second, "lakectl_last_success_timestamp_seconds", None),
        Some(100.0)
    );
    assert_eq!(
        value(&second, "lakectl_last_run_timestamp_seconds", None),
        Some(200.0)
    );
    assert_eq!(value(&second, "lakectl_last_run_exit_code", None), Some(1.0));
    assert_eq!(of("last_success_timestamp_seconds", "a"), Some(100.0));
    assert_eq!(
        (of("exit_code", "a"), of("read_records", "a")),
        (Some(1.0), Some(5.0))
    );
    assert_eq!(of("last_success_timestamp_seconds", "b"), Some(200.0));
    assert_eq!(
        (of("exit_code", "b"), of("read_records", "b")),
        (Some(0.0), Some(0.0))
    );
}

#[test]
fn what_never_succeeded_says_so() {
    let mut failed = report(Vec::new(), None);
    failed.fail(&anyhow::anyhow!("no broker"));
    let samples = over(Samples::default(), &failed, 100.0);
    assert_eq!(
        value(&samples, "lakectl_last_success_timestamp_seconds", None),
        Some(0.0)
    );
}

#[test]
fn topics_that_are_configured_no_longer_go_and_others_stay() {
    let first = over(
        Samples::default(),
        &report(vec![topic("a", 5), topic("b", 7)], None),
        100.0,
    );
    let reads = |samples: &Samples, topic| value(samples, "lakectl_topic_read_records", Some(topic));
    assert_eq!(
        reads(
            &over(first.clone(), &report(vec![topic("b", 0)], None), 200.0),
            "a"
        ),
        None
    );
    // A run that failed, was stopped, or was about some topics only, leaves the others alone.
    let mut failed = report(Vec::new(), None);
    failed.fail(&anyhow::anyhow!("no broker"));
    let one = report(vec![topic("b", 0)], None);
    let some = RunMetrics {
        command: "lake",
        report: &one,
        all_topics: false,
        now: 200.0,
    };
    let another = RunMetrics {
        command: "warehouse",
        report: &one,
        all_topics: true,
        now: 200.0,
    };
    for kept in [
        over(first.clone(), &failed, 200.0),
        over(first.clone(), &report(vec![topic("b", 0)], Some(15)), 200.0),
        some.over(first.clone()),
        another.over(first.clone()),
    ] {
        assert_eq!(reads(&kept, "a"), Some(5.0));
    }
}

#[test]
fn a_mistyped_topic_leaves_no_samples() {
    let failed = |name| {
        let mut failed = topic(name, 0);
        failed.fail(&anyhow::anyhow!("there is no such topic"));
        report(vec![failed], None)
    };
    let named = |name, before: Samples| {
        let run = RunMetrics {
            command: "lake",
            report: &failed(name),
            all_topics: false,
            now: 200.0,
        };
        run.over(before)
    };
    let code = |samples: &Samples, topic| value(samples, "lakectl_topic_exit_code", Some(topic));
    let first = over(Samples::default(), &report(vec![topic("a", 5)], None), 100.0);
    let slip = named("aa", first.clone());
    assert_eq!((code(&slip, "aa"), code(&slip, "a")), (None, Some(0.0)));
    assert_eq!(value(&slip, "lakectl_last_run_exit_code", None), Some(1.0));
    // A known topic, which succeeded before or is configured, does.
    assert_eq!(code(&named("a", first.clone()), "a"), Some(1.0));
    let configured = over(first, &failed("b"), 200.0);
    assert_eq!(code(&configured, "b"), Some(1.0));
}

#[test]
fn a_topic_that_a_signal_cut_short_has_not_succeeded() {
    let mut cut = topic("a", 3);
    cut.remaining = 2;
    let samples = over(
        Samples::default(),
        &report(vec![cut, topic("b", 3)], Some(15)),
        100.0,
    );
    let success = |topic| {
        value(
            &samples,
            "lakectl_topic_last_success_timestamp_seconds",
            Some(topic),
        )
    };
    assert_eq!((success("a"), success("b")), (Some(0.0), Some(100.0)));
    assert_eq!(
        value(&samples, "lakectl_topic_remaining_offsets", Some("a")),
        Some(2.0)
    );
    assert_eq!(value(&samples, "lakectl_last_run_exit_code", None), Some(143.0));
}
