//! The first signal asks, whatever a run waits for; the second ends it at once.

use rustix::process::Signal;
use std::io::Read;
use std::process::Stdio;

use super::pty::{self, ALL};
use crate::common::compare::assert_stream;
use crate::common::kafka::{Topic, brokers, numbered, record};
use crate::common::kafka_proxy::{Hold, KafkaProxy};
use crate::common::lake::Lake;
use crate::common::poll;
use crate::common::program::{Running, command, start};

/// A run that Kafka has left in the middle of its read, for longer than any test waits.
fn hanging(label: &str) -> (Topic, Lake, Hold, Running) {
    let topic = Topic::new(label);
    topic.send_in_batches(&numbered("a", 20_000, 1), 1_000);
    let (hold, judge) = Hold::after(1);
    let proxy = KafkaProxy::new(brokers(), judge);
    let mut lake = Lake::of_stream(&topic);
    lake.kafka = "timeout = \"1h\"";
    let run = lake.start(&[
        "--brokers",
        &proxy.address,
        "-X",
        "max.partition.fetch.bytes=50000",
    ]);
    hold.wait();
    (topic, lake, hold, run)
}

/// Two signals that come together may be taken as one: the second waits until the first has arrived.
fn signal_and_wait(run: &Running, signal: Signal) {
    run.signal(signal);
    let status = format!("/proc/{}/status", run.child.id());
    poll("a signal to arrive", || {
        let status = std::fs::read_to_string(&status).unwrap();
        let pending = status
            .lines()
            .filter(|line| line.starts_with("ShdPnd:") || line.starts_with("SigPnd:"));
        pending
            .clone()
            .all(|line| line.ends_with(&"0".repeat(16)))
            .then_some(())
    });
}

#[test]
fn the_second_signal_ends_a_run_at_once() {
    // Either of the two may come first; what counts is that it is the second.
    for (first, second, code) in [
        (Signal::TERM, Signal::TERM, 143),
        (Signal::TERM, Signal::INT, 130),
    ] {
        let (topic, lake, hold, run) = hanging("second-signal");
        signal_and_wait(&run, first);
        run.signal(second);
        let ended = run.wait().expect(code);
        // It had no time to say anything, or to commit.
        assert_eq!((&*ended.stdout, &*ended.stderr), ("", ""));
        assert!(!lake.root().join("streams").exists());
        hold.release();
        lake.drain();
        assert_stream(&lake, &topic);
        lake.verify(0);
    }
}

#[test]
fn the_first_signal_commits_what_was_read_although_kafka_is_silent() {
    let (topic, lake, hold, run) = hanging("first-signal");
    run.signal(Signal::INT);
    let report = run.wait().expect(130).report();
    assert_eq!(report["status"], "interrupted");
    hold.release();
    lake.drain();
    assert_stream(&lake, &topic);
    lake.verify(0);
}

/// A pager that nobody reads on: all is done, and still the run can't end by itself.
#[test]
fn the_second_signal_ends_a_run_that_nobody_listens_to() {
    let topic = Topic::new("unread");
    topic.send(&[record("k", "{}")]);
    let lake = Lake::of_stream(&topic);
    lake.configure();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let full = rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
    rustix::io::write(&writer, &vec![b'x'; full]).unwrap();
    let mut child = command()
        .args(["lake", "--json"])
        .current_dir(lake.folder())
        .stdin(Stdio::null())
        .stdout(writer)
        .spawn()
        .unwrap();
    let streams = lake.root().join("streams").join(&topic.name);
    poll("the lake to have the topic", || streams.is_dir().then_some(()));
    let id = rustix::process::Pid::from_child(&child);
    let mut signals = 0;
    // However long the last words take to prepare: after the second signal it is over.
    let status = poll("the run to end", || {
        if signals < 2 && said_last(&format!("/proc/{}", child.id())) {
            rustix::process::kill_process(id, Signal::TERM).unwrap();
            signals += 1;
        }
        child.try_wait().unwrap()
    });
    assert_eq!((status.code(), signals), (Some(143), 2));
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), full);
    lake.drain();
    assert_stream(&lake, &topic);
}

/// Whether a process hangs in a write to a pipe, and no signal is on its way to it.
fn said_last(process: &str) -> bool {
    let read = |name: &str| std::fs::read_to_string(format!("{process}/{name}")).unwrap_or_default();
    read("wchan").contains("pipe_write") && read("status").contains("ShdPnd:\t0000000000000000")
}

/// Waiting for another run's lock, every command hears the first signal.
#[test]
fn a_signal_ends_every_wait_for_a_lock() {
    let old = Topic::new("lock-wait");
    old.send(&[record("k", "{}").on("2001-01-01T12:00:00Z")]);
    let lake = Lake::with("retention = \"1y\"").stream(&old, "");
    lake.drain();
    let lock = lake.root().join(".lakectl/locks").join(&old.name);
    let held = std::fs::File::options().write(true).open(&lock).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let key = format!("{}=k", old.name);
    for arguments in [
        &["lake"][..],
        &["lake", "--verify"],
        &["purge", "--yes", "--max-fraction", "1"],
        &["purge", "--yes", "--key", &key],
    ] {
        let all = [arguments, &["--json", "--wait", "1h"]].concat();
        let run = start(lake.folder(), &all, &[]);
        let files = format!("/proc/{}/fd", run.child.id());
        poll("a run to come to the lock", || {
            let open = std::fs::read_dir(&files).ok()?;
            open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
                .find(|path| path.ends_with(lock.strip_prefix(lake.root()).unwrap()))
        });
        run.signal(Signal::TERM);
        assert_eq!(
            run.wait().expect(143).report()["status"],
            "interrupted",
            "{arguments:?}"
        );
    }
    drop(held);
    assert_eq!(lake.verify(0)["status"], "ok");
}

/// A server that accepts connections and then says nothing: no command waits for it once the first signal has come.
#[test]
fn a_signal_ends_every_wait_for_mysql() {
    let topic = Topic::new("mysql-wait");
    topic.send(&[record("k", "{}")]);
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let url = format!("mysql://u@{}/d", server.local_addr().unwrap());
    let lake = Lake::new().table(&topic, r#"warehouse.retention = { column = "c", keep = "1d" }"#);
    lake.configure();
    for arguments in [
        &["init-db"][..],
        &["warehouse"],
        &["check"],
        &["purge", "--only", "warehouse", "--yes"],
    ] {
        let all = [arguments, &["--json"]].concat();
        let mut run = start(lake.folder(), &all, &[("LAKECTL_WAREHOUSE_URL", &url)]);
        let silent = poll("lakectl to connect", || match server.accept() {
            Ok(accepted) => Some(Some(accepted)),
            Err(_) => run.is_over().then_some(None),
        });
        assert!(silent.is_some(), "{:?}", run.wait());
        let asked = std::time::Instant::now();
        run.signal(Signal::TERM);
        let ended = run.wait().expect(143);
        assert_eq!(ended.report()["status"], "interrupted", "{arguments:?}");
        // Without the signal it would wait for ten seconds or a minute.
        assert!(
            asked.elapsed().as_secs() < 8,
            "{arguments:?}: {:?}",
            asked.elapsed()
        );
    }
}

#[test]
fn a_question_is_answered_by_a_signal() {
    let old = Topic::new("question");
    old.send(&[record("k", "{}").on("2001-01-01T12:00:00Z")]);
    let lake = Lake::with("retention = \"1y\"").stream(&old, "");
    lake.drain();
    let before = lake.kept();
    let purge = |arguments: &[&str]| {
        let mut command = command();
        command.args(["purge", "--only", "lake", "--max-fraction", "1"]);
        command.args(arguments).current_dir(lake.folder());
        command
    };
    let run = pty::start(purge(&[]), 100, ALL);
    run.see(&["Type yes:"]);
    run.signal(Signal::INT);
    let shown = run.wait();
    assert_eq!(shown.code, 130, "{shown:?}");
    assert!(shown.screen.contains("nothing was deleted"), "{shown:?}");
    crate::common::lake::assert_same(&lake.kept(), &before);
    // An answer that is typed counts.
    let mut run = pty::start(purge(&[]), 100, ALL);
    run.see(&["Type yes:"]);
    run.types("no\n");
    assert_eq!(run.wait().code, 2);
    crate::common::lake::assert_same(&lake.kept(), &before);
    let mut run = pty::start(purge(&[]), 100, ALL);
    run.see(&["Type yes:"]);
    run.types("yes\n");
    let shown = run.wait();
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.screen.contains("purged 1 day folder"), "{shown:?}");
}
