//! `--metrics-file`: what Prometheus' textfile collector finds, whatever became of the runs.

use rustix::process::Signal;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::exposition::{Exposition, parse};
use crate::common::kafka::{Topic, brokers, numbered, record};
use crate::common::kafka_proxy::{Hold, KafkaProxy};
use crate::common::lake::{Lake, number};
use crate::common::program::{Run, start};
use crate::world::Warehouse;

const SUCCESS: &str = "lakectl_last_success_timestamp_seconds";
const CODE: &str = "lakectl_last_run_exit_code";
const LAKE: [(&str, &str); 1] = [("command", "lake")];

fn file_of(folder: &Path) -> PathBuf {
    folder.join("lakectl.prom")
}

fn lakectl(folder: &Path, arguments: &[&str]) -> Run {
    let all = [arguments, &["--metrics-file", "lakectl.prom", "--json"]].concat();
    start(folder, &all, &[]).wait()
}

fn of_topic<'t>(command: &'t str, topic: &'t Topic) -> [(&'static str, &'t str); 2] {
    [("command", command), ("topic", &topic.name)]
}

fn now() -> f64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

#[test]
fn what_the_report_says_stands_in_the_file() {
    let began = now();
    let topic = Topic::new("metrics");
    topic.send(&[
        record("k", "{\"A\":1}"),
        record("k", "no JSON"),
        record("k", "{}"),
    ]);
    topic.delete_below(0, 1);
    let lake = Lake::of_stream(&topic);
    lake.configure();
    lakectl(lake.folder(), &["lake", "--dry-run"]).expect(0);
    assert!(!file_of(lake.folder()).exists(), "a dry run wrote something");
    // Never a success so far, and that is said.
    lakectl(lake.folder(), &["lake", "-X", "no.such.option=1"]).expect(2);
    let found = Exposition::of(&file_of(lake.folder()));
    assert_eq!(
        (found.value(SUCCESS, &LAKE), found.value(CODE, &LAKE)),
        (0.0, 2.0)
    );
    let report = lakectl(lake.folder(), &["lake", "--from", "earliest"])
        .expect(0)
        .report();
    let found = Exposition::of(&file_of(lake.folder()));
    let reported = &report["topics"][0];
    let labels = of_topic("lake", &topic);
    for (name, field) in [
        ("read_records", "read"),
        ("written_records", "written"),
        ("written_bytes", "bytes"),
        ("irregular_records", "irregular"),
        ("remaining_offsets", "remaining"),
        ("held_records", "held"),
        ("below_retention_records", "below_retention"),
    ] {
        let value = found.value(&format!("lakectl_topic_{name}"), &labels);
        assert_eq!(value, number(reported, field) as f64, "{name}: {report}");
    }
    assert_eq!(
        (number(reported, "read"), number(reported, "irregular")),
        (2, 1),
        "{report}"
    );
    assert_eq!(found.value("lakectl_topic_exit_code", &labels), 0.0);
    assert_eq!(found.value(CODE, &LAKE), 0.0);
    let duration = found.value("lakectl_last_run_duration_seconds", &LAKE);
    assert_eq!(duration, number(&report, "duration_ms") as f64 / 1000.0);
    for (name, labels) in [
        (SUCCESS, &LAKE[..]),
        ("lakectl_last_run_timestamp_seconds", &LAKE),
        ("lakectl_topic_last_success_timestamp_seconds", &labels),
        ("lakectl_topic_last_run_timestamp_seconds", &labels),
    ] {
        let time = found.value(name, labels);
        assert!(time >= began - 1.0 && time <= now() + 1.0, "{name}: {time}");
    }
    // Others may read it, and nothing else lies about.
    let mode = file_of(lake.folder()).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let mut names: Vec<_> = std::fs::read_dir(lake.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["lake", "lakectl.prom", "lakectl.toml"]);
}

#[test]
fn a_failure_a_lock_and_a_signal_keep_the_last_success() {
    let topic = Topic::new("kept-success");
    topic.send_in_batches(&numbered("a", 5_000, 1), 500);
    let lake = Lake::of_stream(&topic);
    lake.configure();
    let labels = of_topic("lake", &topic);
    lakectl(lake.folder(), &["lake", "--max-messages", "100"]).expect(0);
    let first = Exposition::of(&file_of(lake.folder()));
    let success = first.value(SUCCESS, &LAKE);
    assert_eq!(first.value("lakectl_topic_remaining_offsets", &labels), 4_900.0);

    let lock = lake.root().join(".lakectl/locks").join(&topic.name);
    let held = std::fs::File::options().write(true).open(&lock).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    lakectl(lake.folder(), &["lake"]).expect(11);
    drop(held);
    let locked = Exposition::of(&file_of(lake.folder()));
    assert_eq!(
        (
            locked.value(CODE, &LAKE),
            locked.value("lakectl_topic_exit_code", &labels)
        ),
        (11.0, 11.0)
    );
    assert_eq!(locked.value("lakectl_topic_read_records", &labels), 100.0);

    lakectl(lake.folder(), &["lake", "-X", "no.such.option=1"]).expect(2);
    let failed = Exposition::of(&file_of(lake.folder()));
    assert_eq!(failed.value(CODE, &LAKE), 2.0);

    let (hold, judge) = Hold::after(1);
    let proxy = KafkaProxy::new(brokers(), judge);
    let arguments = [
        "lake",
        "--json",
        "--metrics-file",
        "lakectl.prom",
        "--brokers",
        &proxy.address,
    ];
    let small = ["-X", "max.partition.fetch.bytes=10000"];
    let run = start(lake.folder(), &[&arguments[..], &small].concat(), &[]);
    hold.wait();
    run.signal(Signal::TERM);
    run.wait().expect(143);
    hold.release();
    let stopped = Exposition::of(&file_of(lake.folder()));
    assert_eq!(stopped.value(CODE, &LAKE), 143.0);
    for found in [&locked, &failed, &stopped] {
        assert_eq!(found.value(SUCCESS, &LAKE), success);
        let of_topic = found.value("lakectl_topic_last_success_timestamp_seconds", &labels);
        assert_eq!(
            of_topic,
            first.value("lakectl_topic_last_success_timestamp_seconds", &labels)
        );
        assert!(found.value("lakectl_last_run_timestamp_seconds", &LAKE) >= success);
    }
    lakectl(lake.folder(), &["lake"]).expect(0);
    assert!(Exposition::of(&file_of(lake.folder())).value(SUCCESS, &LAKE) > success);
}

/// One file for all: each command replaces what is its own.
#[test]
fn commands_share_a_file() {
    let topic = Topic::compacted("shared-file");
    topic.send(&[
        record("P-1", "{\"PURCHASE_COUNT\":1}"),
        record("P-2", "{\"PURCHASE_COUNT\":\"many\"}"),
    ]);
    let warehouse = Warehouse::of_counts(&topic);
    let run = |arguments: &[&str], code| {
        let env = [("LAKECTL_METRICS_FILE", "lakectl.prom")];
        warehouse.start_with(arguments, &env).wait().expect(code)
    };
    run(&["lake"], 0);
    run(&["warehouse"], 3);
    let found = Exposition::of(&file_of(warehouse.folder()));
    assert_eq!(
        found.value("lakectl_topic_rejected_records", &of_topic("warehouse", &topic)),
        1.0
    );
    assert_eq!(
        found.value("lakectl_topic_written_records", &of_topic("warehouse", &topic)),
        1.0
    );
    assert_eq!(
        found.value("lakectl_topic_exit_code", &of_topic("warehouse", &topic)),
        3.0
    );
    assert_eq!(
        found.value("lakectl_topic_written_records", &of_topic("lake", &topic)),
        2.0
    );
    // What needs a person is done all the same.
    assert!(found.value(SUCCESS, &[("command", "warehouse")]) > 0.0);
    run(&["lake", "--verify"], 0);
    run(&["purge", "--only", "lake", "--yes"], 0);
    // Commands that only look write nothing.
    let before = std::fs::read_to_string(file_of(warehouse.folder())).unwrap();
    run(&["purge", "--history"], 0);
    run(&["init-db", "--check"], 0);
    assert_eq!(
        std::fs::read_to_string(file_of(warehouse.folder())).unwrap(),
        before
    );
    let found = parse(&before);
    for command in ["lake", "warehouse", "lake-verify", "purge-lake"] {
        assert!(
            found.find(CODE, &[("command", command)]).is_some(),
            "{command}: {before}"
        );
    }
    let differences = found.value("lakectl_verify_differences", &of_topic("lake-verify", &topic));
    assert_eq!(differences, 0.0);
}

struct Ending<'o>(&'o AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn runs_side_by_side_lose_nothing_and_no_reader_finds_half() {
    let topics: Vec<_> = (0..6).map(|at| Topic::new(&format!("side-{at}"))).collect();
    let mut lake = Lake::new();
    for topic in &topics {
        topic.send(&[record("k", "{}")]);
        lake = lake.stream(topic, "");
    }
    lake.configure();
    let file = file_of(lake.folder());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Whatever ends the runs ends the reader.
        let ending = Ending(&over);
        let reader = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if let Ok(text) = std::fs::read_to_string(&file) {
                    parse(&text);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let metrics = ["--metrics-file", "lakectl.prom"];
        let start = |topic: &Topic| {
            start(
                lake.folder(),
                &[&["lake", "--topics", &topic.name][..], &metrics].concat(),
                &[],
            )
        };
        let runs: Vec<_> = topics.iter().map(start).collect();
        for run in runs {
            run.wait().expect(0);
        }
        drop(ending);
        reader.join().unwrap();
    });
    let found = Exposition::of(&file);
    for topic in &topics {
        assert_eq!(
            found.value("lakectl_topic_read_records", &of_topic("lake", topic)),
            1.0
        );
    }
}

#[test]
fn purges_tell_what_went() {
    let old = Topic::new("purged-metrics");
    old.send(&[
        record("k", "{}").on("2001-01-01T12:00:00Z"),
        record("k", "{}").on("2001-01-02T12:00:00Z"),
    ]);
    let lake = Lake::with("retention = \"1y\"").stream(&old, "");
    lake.drain();
    lakectl(
        lake.folder(),
        &["purge", "--only", "lake", "--yes", "--plan-out", "plan.json"],
    )
    .expect(0);
    assert!(!file_of(lake.folder()).exists(), "a plan is not a purge");
    let report = lakectl(
        lake.folder(),
        &["purge", "--only", "lake", "--yes", "--max-fraction", "1"],
    )
    .expect(0)
    .report();
    let bytes: i64 = report["folders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|folder| number(folder, "bytes"))
        .sum();
    // A purge that finds nothing says so by its exit code, and keeps what the last one did.
    lakectl(lake.folder(), &["purge", "--only", "lake", "--yes"]).expect(0);
    let found = Exposition::of(&file_of(lake.folder()));
    let labels = of_topic("purge-lake", &old);
    assert_eq!(found.value("lakectl_purged_day_folders", &labels), 2.0);
    assert_eq!(found.value("lakectl_purged_records", &labels), 2.0);
    assert_eq!(found.value("lakectl_purged_bytes", &labels), bytes as f64);
    assert_eq!(found.value(CODE, &[("command", "purge-lake")]), 0.0);
}

/// What is read stays read; that nobody hears of it is worth a word and exit code 3.
#[test]
fn a_file_that_cannot_be_written_is_told() {
    let topic = Topic::new("unwritable");
    topic.send(&[record("k", "{}")]);
    let lake = Lake::of_stream(&topic);
    lake.configure();
    let foreign = lake.folder().join("node.prom");
    std::fs::write(&foreign, "node_load1{a=\"b\"} 1\n").unwrap();
    std::fs::create_dir(lake.folder().join("folder.prom")).unwrap();
    for (file, word) in [
        ("nowhere/lakectl.prom", "make it first (mkdir -p)"),
        ("node.prom", "move it away"),
        ("folder.prom", "not a regular file"),
        ("/dev/null", "not a regular file"),
    ] {
        let arguments = ["lake", "--json", "--metrics-file", file];
        let run = start(lake.folder(), &arguments, &[]).wait().fails(3, &[word]);
        let report = run.report();
        assert_eq!(
            (&report["status"], &report["topics"][0]["status"]),
            (&"partial".into(), &"ok".into())
        );
        let warning = report["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect::<String>();
        assert!(warning.contains(file) && warning.contains(word), "{report}");
    }
    assert_eq!(
        std::fs::read_to_string(&foreign).unwrap(),
        "node_load1{a=\"b\"} 1\n"
    );
    assert!(lake.root().join("streams").join(&topic.name).is_dir());
    // A worse exit code stays.
    let arguments = [
        "lake",
        "--metrics-file",
        "nowhere/x.prom",
        "-X",
        "no.such.option=1",
    ];
    start(lake.folder(), &arguments, &[])
        .wait()
        .fails(2, &["nowhere", "no.such.option"]);
}
