//! What a person at a terminal sees: bars while it runs, a table at its end, and colours where they are welcome.

use std::process::Command;
use unicode_width::UnicodeWidthStr;

use super::pty::{self, ALL, On};
use crate::common::kafka::{Topic, brokers, numbered, record};
use crate::common::kafka_proxy::{Hold, KafkaProxy};
use crate::common::lake::Lake;
use crate::common::program::command;

const ESCAPE: char = '\u{1b}';

/// A lake of two topics, one of them with something to remark, and one that Kafka doesn't have.
fn lake(label: &str) -> (Topic, Topic, Lake) {
    let (plain, odd) = (Topic::new(label), Topic::new(&format!("{label}-odd")));
    plain.send(&numbered("a", 1_500, 1));
    odd.send(&[record("k", "{}"), record("k", "no JSON")]);
    let lake = Lake::new().stream(&plain, "").stream(&odd, "");
    lake.configure();
    (plain, odd, lake)
}

fn lakectl(lake: &Lake, arguments: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = command();
    command
        .args(arguments)
        .envs(env.iter().copied())
        .current_dir(lake.folder());
    command
}

#[test]
fn a_table_with_colours_and_one_without() {
    let (plain, odd, lake) = lake("table");
    let missing = format!("{},{},not-there", plain.name, odd.name);
    let arguments = ["lake", "--topics", &missing];
    let shown = pty::run(lakectl(&lake, &arguments, &[]), 120, ALL);
    assert_eq!(shown.code, 1, "{shown:?}");
    for word in [
        "TOPIC",
        "RECORDS",
        "1,500",
        "1 irregular",
        "failed: see below",
        "read 1,502 records",
    ] {
        assert!(shown.screen.contains(word), "no {word:?} in {}", shown.screen);
    }
    // Red, for who sees it.
    assert!(
        shown.screen.contains("\u{1b}[31mfailed: see below"),
        "{:?}",
        shown.screen
    );
    assert!(shown.screen.contains("lakectl:") && shown.screen.contains("not-there"));
    for forbidden in [("NO_COLOR", "1"), ("CLICOLOR", "0")] {
        let shown = pty::run(lakectl(&lake, &arguments, &[forbidden]), 120, ALL);
        assert!(shown.screen.contains("failed: see below"), "{shown:?}");
        // Colours and weights end in m; what moves the cursor of the bars does not.
        let colours = shown.screen.split(ESCAPE).skip(1).filter(|after| {
            let end = after.trim_start_matches(|c: char| c == '[' || c == ';' || c.is_ascii_digit());
            end.starts_with('m')
        });
        assert_eq!(colours.count(), 0, "{forbidden:?}: {:?}", shown.screen);
    }
    // An empty NO_COLOR forbids nothing; a dumb terminal knows no escapes at all.
    let shown = pty::run(lakectl(&lake, &arguments, &[("NO_COLOR", "")]), 120, ALL);
    assert!(shown.screen.contains("\u{1b}[31m"), "{shown:?}");
    let shown = pty::run(lakectl(&lake, &arguments, &[("TERM", "dumb")]), 120, ALL);
    assert!(
        shown.screen.contains("failed: see below") && !shown.screen.contains(ESCAPE),
        "{shown:?}"
    );
}

#[test]
fn stdout_and_stderr_are_judged_by_themselves() {
    let (plain, odd, lake) = lake("judged");
    let arguments = ["lake", "--new-lake", "--topics", &plain.name];
    let only = |stdout| On {
        stdin: true,
        stdout,
        stderr: !stdout,
    };
    // Plain lines into the pipe, bars on the terminal.
    let shown = pty::run(lakectl(&lake, &arguments, &[]), 100, only(false));
    let line = format!(
        "{}  stream 1500 records -> 1500 lines in 2 files over 2 days",
        plain.name
    );
    assert!(
        shown.piped.starts_with(&line) && !shown.piped.contains(ESCAPE),
        "{shown:?}"
    );
    assert!(
        shown.screen.contains(" records, ") && !shown.screen.contains("TOPIC"),
        "{shown:?}"
    );
    // A table on the terminal, and no bars or colours in the pipe.
    let both = format!("{},not-there", odd.name);
    let shown = pty::run(lakectl(&lake, &["lake", "--topics", &both], &[]), 100, only(true));
    assert!(
        shown.screen.contains("TOPIC") && !shown.screen.contains("/s"),
        "{shown:?}"
    );
    assert!(
        shown.piped.contains("Z lakectl: ") && !shown.piped.contains(ESCAPE),
        "{shown:?}"
    );
    // JSON is JSON also at a terminal, and a quiet run is quiet there, too.
    let shown = pty::run(lakectl(&lake, &["lake", "--json"], &[]), 100, ALL);
    assert!(
        shown.screen.starts_with("{\"version\"") && !shown.screen.contains(ESCAPE),
        "{shown:?}"
    );
    let shown = pty::run(lakectl(&lake, &["lake", "--quiet"], &[]), 100, ALL);
    assert_eq!(shown.screen, "", "{shown:?}");
}

#[test]
fn a_narrow_terminal_gets_no_line_that_is_too_long() {
    let (_plain, _odd, lake) = lake("narrow-terminal-with-topics-that-have-long-names");
    pty::run(lakectl(&lake, &["lake"], &[]), 100, ALL);
    for columns in [30, 50, 80] {
        for more in [
            &["--dry-run"][..],
            &["--rebuild", "2026-01-01", "--dry-run"],
            &["--verify"],
            &[],
        ] {
            let arguments = [&["lake", "--verbose"], more].concat();
            let on = On {
                stdin: true,
                stdout: true,
                stderr: false,
            };
            let shown = pty::run(lakectl(&lake, &arguments, &[("NO_COLOR", "1")]), columns, on);
            assert_eq!(shown.code, 0, "{shown:?}");
            let rows = shown
                .screen
                .lines()
                .take_while(|line| !line.starts_with("lake ") && !line.starts_with("run "));
            for row in rows.filter(|row| !row.starts_with("dry run")) {
                assert!(row.width() <= usize::from(columns), "{columns}: {row:?}");
            }
            assert!(
                shown.screen.contains("TOPIC") && (columns > 60 || shown.screen.contains('…')),
                "{shown:?}"
            );
        }
    }
}

/// Whatever these two leave out or shorten in a narrow terminal, they say so.
#[test]
fn status_and_check_fit_into_a_narrow_terminal() {
    let (_plain, _odd, lake) = lake("narrow-terminal-of-status-and-check-with-long-names");
    pty::run(lakectl(&lake, &["lake", "--quiet"], &[]), 100, ALL);
    for columns in [40, 60, 79] {
        for (arguments, words) in [
            (
                ["status", "--verbose"],
                &["STREAM", "LAG", "COMMITTED", "FILES"][..],
            ),
            (
                ["check", "--only=lake"],
                &["Kafka  answer", "values", "nothing wrong"],
            ),
        ] {
            let on = On {
                stdin: true,
                stdout: true,
                stderr: false,
            };
            let shown = pty::run(lakectl(&lake, &arguments, &[("NO_COLOR", "1")]), columns, on);
            for row in shown.screen.lines().filter(|row| !row.starts_with("run ")) {
                assert!(row.width() <= usize::from(columns), "{columns}: {row:?}");
            }
            for word in words.iter().chain(&["…"]) {
                assert!(shown.screen.contains(word), "no {word:?} in {}", shown.screen);
            }
        }
    }
}

/// Held in the middle of its read, a run shows how far it is, how fast it was and how long it will take.
#[test]
fn bars_tell_speed_and_the_time_that_is_left() {
    let topic = Topic::new("bars");
    topic.send_in_batches(&numbered("a", 60_000, 1), 1_000);
    let (hold, judge) = Hold::after(1);
    let proxy = KafkaProxy::new(brokers(), judge);
    let lake = Lake::of_stream(&topic);
    lake.configure();
    let arguments = [
        "lake",
        "--brokers",
        &proxy.address,
        "-X",
        "max.partition.fetch.bytes=100000",
    ];
    let run = pty::start(lakectl(&lake, &arguments, &[]), 120, ALL);
    hold.wait();
    run.see(&[&topic.name, "% 1,", "000 records, ", "/s, ", "iB/s", "ETA "]);
    run.signal(rustix::process::Signal::INT);
    run.see(&["stopping; once more: at once"]);
    hold.release();
    let shown = run.wait();
    assert_eq!(shown.code, 130, "{shown:?}");
    assert!(
        shown.screen.contains("left") && shown.screen.contains("stopped by a signal"),
        "{shown:?}"
    );
}
