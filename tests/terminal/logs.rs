//! What a log gets: a line for each thing that matters, with the time, as text or as JSON, and nothing of a success
//! that was to be quiet.

use chrono::DateTime;
use serde_json::Value;

use crate::common::kafka::{Topic, record};
use crate::common::lake::Lake;
use crate::common::program::{Run, start};
use crate::world::Warehouse;

/// One topic that is fine, and the name of one that isn't there.
fn lake(label: &str) -> (Topic, Lake, String) {
    let topic = Topic::new(label);
    topic.send(&[record("k", "{}"), record("k", "{}")]);
    let lake = Lake::of_stream(&topic);
    lake.configure();
    let both = format!("{},not-there-{label}", topic.name);
    (topic, lake, both)
}

fn run(lake: &Lake, arguments: &[&str], env: &[(&str, &str)]) -> Run {
    start(lake.folder(), arguments, env).wait()
}

/// What follows the time that a line begins with.
fn after_the_time(line: &str) -> &str {
    let (time, rest) = line.split_once(' ').unwrap();
    let time = DateTime::parse_from_rfc3339(time).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(time.offset().local_minus_utc(), 0, "{line}");
    rest
}

#[test]
fn lines_of_a_log_begin_with_the_time() {
    let (topic, lake, both) = lake("times");
    let shown = run(&lake, &["lake", "--topics", &both], &[]).expect(1);
    // As text, stdout is as it always was.
    assert!(
        shown.stdout.lines().any(|line| line.starts_with(&topic.name)),
        "{shown:?}"
    );
    for line in shown.stderr.lines() {
        assert!(after_the_time(line).starts_with("lakectl: "), "{line}");
    }
    for (arguments, env) in [
        (&["lake", "--log-format", "time", "--topics", &both][..], &[][..]),
        (
            &["lake", "-v", "--topics", &both],
            &[("LAKECTL_LOG_FORMAT", "time")],
        ),
    ] {
        let shown = run(&lake, arguments, env).expect(1);
        assert!(
            shown.stdout.lines().count() >= 3 && !shown.stderr.is_empty(),
            "{shown:?}"
        );
        for line in shown.stdout.lines().chain(shown.stderr.lines()) {
            after_the_time(line);
        }
        let mut lines = shown.stdout.lines().map(after_the_time);
        assert!(lines.any(|line| line.starts_with(&topic.name)), "{shown:?}");
    }
}

fn json_lines(text: &str, run: &Run) -> Vec<Value> {
    let line =
        |line: &str| -> Value { serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}: {run:?}")) };
    text.lines().map(line).collect()
}

#[test]
fn as_json_every_line_is_an_object() {
    let (topic, lake, both) = lake("json-lines");
    let shown = run(
        &lake,
        &["lake", "-v", "--log-format", "json", "--topics", &both],
        &[],
    )
    .expect(1);
    let (out, errors) = (
        json_lines(&shown.stdout, &shown),
        json_lines(&shown.stderr, &shown),
    );
    let id = errors[0]["run_id"].as_str().unwrap().to_owned();
    for line in out.iter().chain(&errors) {
        let text = |name: &str| {
            line[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {line}"))
        };
        DateTime::parse_from_rfc3339(text("time")).unwrap();
        assert_eq!((text("run_id"), text("command")), (id.as_str(), "lake"), "{line}");
        assert!(
            !text("message").contains('\n') && !text("message").starts_with("lakectl"),
            "{line}"
        );
    }
    assert_eq!(errors.len(), 1, "{shown:?}");
    assert_eq!(errors[0]["level"], "error");
    assert!(
        errors[0]["topic"].as_str().unwrap().starts_with("not-there"),
        "{shown:?}"
    );
    let of_topic = out.iter().find(|line| line["topic"] == *topic.name).unwrap();
    assert_eq!(of_topic["level"], "info");
    let message = of_topic["message"].as_str().unwrap();
    assert!(message.starts_with("2 records -> 2 lines"), "{of_topic}");
    // What is about no topic names none, and not `null` either.
    let last = out.last().unwrap().as_object().unwrap();
    assert!(!last.contains_key("topic"), "{last:?}");
}

#[test]
fn what_fails_before_it_begins_is_json_too() {
    let (_topic, lake, _) = lake("json-usage");
    let env = [("LAKECTL_LOG_FORMAT", "json")];
    for (arguments, env) in [
        (&["--log-format=json", "lake", "--no-such-flag"][..], &[][..]),
        (&["lake", "--no-such-flag"], &env),
        (&["lake", "-c", "nowhere.toml"], &env),
        (&["lake", "-X", "no.such.option=1"], &env),
        // Kafka's client has a log of its own, which is nobody's here.
        (&["lake", "--brokers", "127.0.0.1:1"], &env),
    ] {
        let shown = run(&lake, arguments, env);
        let lines = json_lines(&shown.stderr, &shown);
        assert_eq!((lines.len(), shown.stdout.as_str()), (1, ""), "{shown:?}");
        assert_eq!(
            (&lines[0]["level"], &lines[0]["command"]),
            (&"error".into(), &"lake".into())
        );
    }
    // The report and the log are two things.
    let shown = run(&lake, &["lake", "--json", "-X", "no.such.option=1"], &env).expect(2);
    assert_eq!(shown.report()["command"], "lake");
    assert_eq!(json_lines(&shown.stderr, &shown).len(), 1);
    run(&lake, &["lake"], &[("LAKECTL_LOG_FORMAT", "xml")]).fails(2, &["LAKECTL_LOG_FORMAT", "xml", "json"]);
    run(&lake, &["lake", "--log-format", "xml"], &[]).fails(2, &["--log-format", "xml"]);
}

/// A warning that leaves the exit code at 0 is not a reason for a mail by cron; one with an exit code of its own is.
#[test]
fn quiet_is_silent_on_success_and_only_then() {
    let topic = Topic::compacted("quiet");
    topic.send(&[record("P-1", "{\"PURCHASE_COUNT\":1,\"SURPLUS\":2}")]);
    let warehouse = Warehouse::of_counts(&topic);
    let told = warehouse
        .lakectl(&["warehouse", "--dry-run", "--quiet"])
        .expect(0);
    assert_eq!((&*told.stdout, &*told.stderr), ("", ""));
    let quiet = warehouse.lakectl(&["warehouse", "--quiet"]).expect(0);
    assert_eq!((&*quiet.stdout, &*quiet.stderr), ("", ""));
    topic.send(&[record("P-2", "{\"PURCHASE_COUNT\":1,\"SURPLUS\":2}")]);
    // The same without --quiet: there was something to be silent about.
    let said = warehouse.lakectl(&["warehouse"]).expect(0);
    assert!(said.stderr.contains("SURPLUS"), "{said:?}");
    topic.send(&[record("P-3", "{\"PURCHASE_COUNT\":\"many\"}")]);
    let rejected = warehouse.lakectl(&["warehouse", "--quiet"]).expect(3);
    assert!(
        rejected.stdout.is_empty() && rejected.stderr.contains("lakectl_rejects"),
        "{rejected:?}"
    );
}
