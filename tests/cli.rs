//! The command line and the configuration from outside: what is wrong is named, with the right exit code, in seconds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod common;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::kafka::{Topic, brokers, record};
use common::program::{Run, command, start};

/// How soon the user must know.
const SOON: Duration = Duration::from_secs(12);

/// Runs lakectl on a configuration of this text.
fn lakectl(config: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lakectl.toml"), config).unwrap();
    start(folder.path(), arguments, &[]).wait()
}

fn run_in(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Run {
    start(folder, arguments, env).wait()
}

#[test]
fn help_tells_the_commands_and_the_exit_codes() {
    let help = lakectl("", &["--help"]).expect(0);
    for word in [
        "lake",
        "warehouse",
        "purge",
        "compact",
        "init-db",
        "grant",
        "Exit codes",
        "11 ",
        "143",
    ] {
        assert!(help.stdout.contains(word), "no {word:?} in {}", help.stdout);
    }
    for command in ["lake", "warehouse", "purge", "compact", "init-db", "grant"] {
        let help = lakectl("", &[command, "--help"]).expect(0);
        assert!(
            help.stdout.contains("--json") && help.stderr.is_empty(),
            "{help:?}"
        );
    }
    let version = lakectl("", &["--version"]).expect(0);
    let number = format!("lakectl {} (commit ", env!("CARGO_PKG_VERSION"));
    assert!(version.stdout.starts_with(&number), "{}", version.stdout);
    lakectl("", &[]).fails(2, &["Usage"]);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let cases: [(&[&str], &str); 14] = [
        (&["lake", "--topcis", "A"], "--topics"),
        (&["lak"], "lake"),
        (&["lake", "--max-messages", "many"], "--max-messages"),
        (&["lake", "--max-messages", "-1"], "-1"),
        (&["lake", "--max-duration", "5"], "--max-duration"),
        (&["lake", "--max-duration", "3mo"], "--max-duration"),
        (&["lake", "--wait", "soon"], "--wait"),
        (&["lake", "--from", "yesterday"], "--from"),
        (&["lake", "--until", "2025-13-01"], "--until"),
        (&["lake", "--kind", "queue"], "--kind"),
        (&["lake", "--quiet", "--verbose"], "--verbose"),
        (&["lake", "-X", "client.id"], "key=value"),
        (&["lake", "-X", "no.such.option=1"], "no.such.option"),
        (
            &["lake", "-X", "queued.max.messages.kbytes=x"],
            "queued.max.messages.kbytes",
        ),
    ];
    for (arguments, word) in cases {
        lakectl("", arguments).fails(2, &[word]);
        // With --json the same is one object on stdout.
        let all = [arguments, &["--json"]].concat();
        let report = lakectl("", &all).fails(2, &[word]).report();
        assert_eq!(
            (&report["exit_code"], &report["status"]),
            (&2.into(), &"failed".into())
        );
        assert!(report["error"].as_str().unwrap().contains(word), "{report}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_closest() {
    let cases = [
        ("[kafka]\nbrokrs = \"b\"\n", "lakectl.toml:2", "`brokers`"),
        ("[lake]\n\n\ntimezome = \"UTC\"\n", "lakectl.toml:4", "`timezone`"),
        (
            "[topics.A]\nkind = \"stream\"\nlake.retension = \"3y\"\n",
            "lakectl.toml:3",
            "`retention`",
        ),
        ("[lkae]\n", "lakectl.toml:1", "`lake`"),
        ("[topics.A]\nkind = \"strem\"\n", "lakectl.toml:2", "strem"),
        ("[topics.A]\n", "lakectl.toml:1", "kind"),
        ("[lake]\nfiles = 3\n", "lakectl.toml:2", "string"),
        ("[lake\n", "lakectl.toml:1", ""),
    ];
    for (config, place, word) in cases {
        lakectl(config, &["lake"]).fails(2, &[place, word]);
        let report = lakectl(config, &["lake", "--json"]).fails(2, &[place]).report();
        assert!(report["error"].as_str().unwrap().contains(place), "{report}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let cases = [
        ("[lake]\ntimezone = \"Europe/Pari\"\n", "Europe/Paris"),
        ("[lake]\nretention = \"3m\"\n", "3mo"),
        ("[lake]\nretention = \"0d\"\n", "retention"),
        ("[lake]\nmax_file_size = \"0\"\n", "max_file_size"),
        ("[lake]\nfile_mode = \"rw\"\n", "file_mode"),
        ("[lake]\nmetadata_prefix = \"\"\n", "metadata_prefix"),
        ("[topics.\"../etc\"]\nkind = \"stream\"\n", "topic name"),
        (
            "[topics.A]\nkind = \"table\"\nwindow = { type = \"hopping\" }\n",
            "window.size",
        ),
        (
            "[topics.A]\nkind = \"table\"\nkey = { format = \"delimited\" }\n",
            "key.columns",
        ),
        (
            "[topics.A]\nkind = \"stream\"\nlake.history = true\n",
            "lake.history",
        ),
    ];
    for (config, word) in cases {
        lakectl(config, &["lake"]).fails(2, &[word, "lakectl.toml"]);
    }
}

#[test]
fn what_the_promises_rest_on_cannot_be_turned_off() {
    for option in [
        "auto.offset.reset=latest",
        "enable.auto.commit=true",
        "isolation.level=read_uncommitted",
        "check.crcs=false",
        "enable.partition.eof=false",
        "group.id=mine",
        "bootstrap.servers=b:1",
    ] {
        let (key, value) = option.split_once('=').unwrap();
        lakectl("", &["lake", "-X", option]).fails(2, &[key, "can't be set"]);
        let config = format!("[kafka.options]\n{key:?} = {value:?}\n");
        lakectl(&config, &["lake"]).fails(2, &[key, "can't be set"]);
    }
}

#[test]
fn secrets_stay_off_the_command_line_and_out_of_sight() {
    for key in [
        "sasl.password",
        "ssl.key.password",
        "sasl.oauthbearer.client.secret",
    ] {
        for json in [&[][..], &["--json"]] {
            let option = format!("{key}=hunter2");
            let run = lakectl("", &[&["lake", "-X", &option], json].concat());
            let run = run.fails(2, &[key, "file = ", "env = "]);
            assert!(!format!("{run:?}").contains("hunter2"), "{run:?}");
        }
    }
    // A file that others can read is not a place for one.
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    let config = "[kafka.options]\n\"sasl.password\" = { file = \"secret\" }\n";
    std::fs::write(folder.path().join("lakectl.toml"), config).unwrap();
    std::fs::write(&secret, "hunter2\n").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).unwrap();
    let run = run_in(folder.path(), &["lake"], &[]).fails(2, &["secret"]);
    assert!(!format!("{run:?}").contains("hunter2"), "{run:?}");
    let config = "[kafka.options]\n\"sasl.password\" = { env = \"NO_SUCH_VARIABLE\" }\n";
    lakectl(config, &["lake"]).fails(2, &["NO_SUCH_VARIABLE"]);
}

/// An address where nobody listens, and one where somebody listens and says nothing.
#[test]
fn an_unreachable_broker_is_an_error_within_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let cases = [
        ("127.0.0.1:1", "refused"),
        (&silent, ""),
        ("no-such-host.invalid:9092", "no-such-host.invalid"),
    ];
    std::thread::scope(|scope| {
        for (address, word) in cases {
            scope.spawn(move || {
                let config = format!("[kafka]\nbrokers = {address:?}\n[topics.A]\nkind = \"stream\"\n");
                let began = Instant::now();
                let run =
                    lakectl(&config, &["lake", "--json"]).fails(1, &[address, word, "is the broker up"]);
                // librdkafka has a log of its own, which says the same many times.
                assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
                let report = run.report();
                assert!(began.elapsed() < SOON, "{address}: {:?}", began.elapsed());
                assert_eq!(report["status"], "failed");
                assert!(report["error"].as_str().unwrap().contains(address), "{report}");
            });
        }
    });
}

#[test]
fn a_signal_ends_the_search_for_a_broker() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!(
        "[kafka]\nbrokers = \"{}\"\n[topics.A]\nkind = \"stream\"\n",
        silent.local_addr().unwrap()
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lakectl.toml"), config).unwrap();
    let running = start(folder.path(), &["lake", "--json"], &[]);
    // Once it has called, it is up and listens to signals.
    let _connection = silent.accept().unwrap();
    running.signal(rustix::process::Signal::TERM);
    let began = Instant::now();
    let report = running.wait().expect(143).report();
    assert_eq!(report["status"], "interrupted");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_missing_configuration_is_named() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["lake", "-c", "nowhere.toml"], &[]).fails(2, &["nowhere.toml"]);
    let env = [("LAKECTL_CONFIG", "elsewhere.toml")];
    run_in(folder.path(), &["lake"], &env).fails(2, &["elsewhere.toml"]);
    run_in(folder.path(), &["lake", "-c", "nowhere.toml"], &env).fails(2, &["nowhere.toml"]);
}

#[test]
fn flags_win_over_environment_over_file() {
    let topic = Topic::new("precedence");
    topic.send(&[record("k", "{}")]);
    let folder = tempfile::tempdir().unwrap();
    let etc = folder.path().join("etc");
    std::fs::create_dir(&etc).unwrap();
    let config = format!(
        "[kafka]\nbrokers = \"127.0.0.1:1\"\ngroup = \"{0}.file\"\n[lake]\nroot = \"from-file\"\n[topics.{0:?}]\nkind = \"stream\"\n",
        topic.name
    );
    std::fs::write(etc.join("lakectl.toml"), config).unwrap();
    let command = ["lake", "-q", "-c", "etc/lakectl.toml"];
    let env = [("LAKECTL_BROKERS", brokers())];
    // The file's root is relative to the file, and so is its default.
    run_in(folder.path(), &command, &env).expect(0);
    assert!(etc.join("from-file/streams").is_dir());
    let group = format!("{}.env", topic.name);
    let env = [
        ("LAKECTL_BROKERS", "127.0.0.1:2"),
        ("LAKECTL_LAKE_ROOT", "from-env"),
        ("LAKECTL_GROUP", &group),
    ];
    let flags = [&command[..], &["--brokers", brokers()]].concat();
    run_in(folder.path(), &flags, &env).expect(0);
    assert!(folder.path().join("from-env/streams").is_dir());
    assert_eq!(topic.committed(&format!("{group}.lake")), [(0, 1)]);
    let group = format!("{}.flag", topic.name);
    let flags = [&flags[..], &["--group", &group, "--lake-root", "from-flag"]].concat();
    run_in(folder.path(), &flags, &env).expect(0);
    assert!(folder.path().join("from-flag/streams").is_dir());
    assert_eq!(topic.committed(&format!("{group}.lake")), [(0, 1)]);
}

#[test]
fn the_output_is_for_people_unless_json_is_asked_for() {
    let topic = Topic::new("output");
    topic.send(&[record("k", "{}"), record("k", "{}")]);
    let config = format!("[kafka]\nbrokers = {:?}\ngroup = {:?}\n", brokers(), topic.name);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lakectl.toml"), config).unwrap();
    let run = |more: &[&str]| {
        let arguments = [&["lake", "--topics", &topic.name], more].concat();
        let run = run_in(folder.path(), &arguments, &[]).expect(0);
        // Nobody looks: no colours, no bars.
        assert!(
            !format!("{}{}", run.stdout, run.stderr).contains('\u{1b}'),
            "{run:?}"
        );
        run
    };
    let planned = run(&["--dry-run"]).stdout;
    assert!(
        planned.contains("would read") && planned.contains("0:0..2"),
        "{planned}"
    );
    let done = run(&[]).stdout;
    assert!(
        done.contains(&topic.name) && done.contains("2 records") && done.contains("1 file"),
        "{done}"
    );
    let nothing = run(&[]).stdout;
    assert!(nothing.contains("nothing new"), "{nothing}");
    let quiet = run(&["--quiet"]);
    assert_eq!((&*quiet.stdout, &*quiet.stderr), ("", ""));
    let json = run(&["--json"]);
    assert_eq!(
        (json.report()["status"].as_str(), &*json.stderr),
        (Some("ok"), "")
    );
}

#[test]
fn a_closed_pipe_behind_us_costs_nothing() {
    let topic = Topic::new("closed-pipe");
    topic.send(&[record("k", "{}")]);
    let config = format!("[kafka]\nbrokers = {:?}\ngroup = {:?}\n", brokers(), topic.name);
    for more in [&[][..], &["--json"], &["--verbose"]] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lakectl.toml"), &config).unwrap();
        // Nobody reads either of them, and nobody ever will.
        let (stdout, stderr) = (std::io::pipe().unwrap().1, std::io::pipe().unwrap().1);
        let status = command()
            .args([&["lake", "--new-lake", "--topics", &topic.name], more].concat())
            .current_dir(folder.path())
            .stdout(stdout)
            .stderr(stderr)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0), "{more:?}");
        assert!(folder.path().join("data_lake/streams").join(&topic.name).is_dir());
    }
}
