//! What Kafka refuses, and what is said then.

use crate::answer::Answer;
use crate::common::kafka::{Topic, numbered};
use crate::secured::{Kafka, Place, shows_none};

/// A configuration of one stream, with these options.
fn place(brokers: &str, options: &[(&str, &str)], topic: &str) -> Place {
    let lines: Vec<String> = options
        .iter()
        .map(|(key, value)| format!("{key:?} = {value}"))
        .collect();
    Place::new(&format!(
        "[kafka]\nbrokers = {brokers:?}\n[kafka.options]\n{}\n[lake]\nroot = \"lake\"\n[topics.{topic:?}]\nkind = \"stream\"\n",
        lines.join("\n")
    ))
}

fn login(protocol: &str, mechanism: &str, user: &str) -> Vec<(&'static str, String)> {
    vec![
        ("security.protocol", format!("{protocol:?}")),
        ("sasl.mechanism", format!("{mechanism:?}")),
        ("sasl.username", format!("{user:?}")),
    ]
}

/// What it is about, the brokers, the options, and a part of the remedy.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, String)>, &'a str);

#[test]
fn refused_connections_say_what_to_do() {
    let kafka = Kafka::get();
    let quoted = |name: &str| format!("{:?}", kafka.file(name).display().to_string());
    let secret = |name: &str| format!("{{ file = {} }}", quoted(name));
    let ca = ("ssl.ca.location", quoted("ca.pem"));
    let stranger = ("ssl.ca.location", quoted("stranger-ca.pem"));
    let ssl = ("security.protocol", "\"SSL\"".to_owned());
    let with = |mut options: Vec<(&'static str, String)>, more: &[&(&'static str, String)]| {
        options.extend(more.iter().map(|&option| option.clone()));
        options
    };
    let wrong = ("sasl.password", secret("scram-password"));
    let wrong_scram = ("sasl.password", secret("plain-password"));
    let localhost = kafka.ssl.replace("127.0.0.1", "localhost");
    let cases: Vec<Case<'_>> = vec![
        (
            "a wrong password",
            &kafka.sasl,
            with(login("SASL_SSL", "PLAIN", "lakectl"), &[&ca, &wrong]),
            "sasl.password",
        ),
        (
            "a wrong password by SCRAM",
            &kafka.sasl,
            with(
                login("SASL_SSL", "SCRAM-SHA-512", "lakectl"),
                &[&ca, &wrong_scram],
            ),
            "sasl.password",
        ),
        (
            "nobody of that name",
            &kafka.sasl,
            with(login("SASL_SSL", "SCRAM-SHA-512", "me"), &[&ca, &wrong]),
            "sasl.username",
        ),
        (
            "an unknown CA",
            &kafka.ssl,
            vec![ssl.clone(), stranger],
            "ssl.ca.location",
        ),
        ("no CA at all", &kafka.ssl, vec![ssl.clone()], "ssl.ca.location"),
        (
            "another name than the certificate's",
            &localhost,
            vec![ssl.clone(), ca.clone()],
            "as its certificate does",
        ),
        (
            "plain text to a TLS port",
            &kafka.ssl,
            vec![("client.id", "\"x\"".to_owned())],
            "security.protocol",
        ),
        (
            "TLS to a plain port",
            &kafka.plain,
            vec![ssl.clone(), ca.clone()],
            "this port speaks no TLS",
        ),
        (
            "no certificate of ours",
            &kafka.mtls,
            vec![ssl, ca],
            "ssl.certificate.location",
        ),
    ];
    std::thread::scope(|scope| {
        for (what, brokers, options, remedy) in &cases {
            scope.spawn(move || {
                let options: Vec<(&str, &str)> = options
                    .iter()
                    .map(|(key, value)| (*key, value.as_str()))
                    .collect();
                let place = place(brokers, &options, "secure-refused");
                let run = place.run(&["lake"], &[]);
                assert_eq!(run.code, 1, "{what}: {run:?}");
                assert!(run.stderr.contains(remedy), "{what}: no {remedy:?} in {run:?}");
                shows_none(&run, &kafka.secrets());
                assert!(!place.dir.path().join("lake/streams").exists(), "{what}");
            });
        }
    });
}

#[test]
fn a_check_says_the_same() {
    let kafka = Kafka::get();
    let ca = format!("{:?}", kafka.file("ca.pem").display().to_string());
    let password = format!(
        "{{ file = {:?} }}",
        kafka.file("scram-password").display().to_string()
    );
    let mut options = login("SASL_SSL", "PLAIN", "lakectl");
    options.extend([("ssl.ca.location", ca), ("sasl.password", password)]);
    let options: Vec<(&str, &str)> = options
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let place = place(&kafka.sasl, &options, "secure-check");
    let checked = place.run(&["check", "--json"], &[]);
    shows_none(&checked, &kafka.secrets());
    let answer = Answer::of(checked, 3);
    answer.is_wrong("Kafka", "answer", &["Authentication failed", "sasl.password"]);
    answer.unknown("Kafka", "topics", &["not checked"]);
    assert_eq!(answer.wrong(), [("Kafka", "answer")]);
}

/// The kafka-acls commands of docs/SECURITY.md, without their addresses.
fn acl_commands() -> Vec<Vec<String>> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SECURITY.md");
    let text = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
    let commands = text.lines().filter(|line| line.starts_with("kafka-acls "));
    commands
        .map(|line| line.replace("--bootstrap-server … ", ""))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// A user who may do nothing, and then, one after the other, what the page says that lakectl needs.
#[test]
fn a_user_gets_its_rights() {
    let kafka = Kafka::get();
    let topic = Topic::compacted("TRANSACTIONS_stranger");
    topic.send(&numbered("a", 3, 1));
    let ca = format!("{:?}", kafka.file("ca.pem").display().to_string());
    let password = format!(
        "{{ file = {:?} }}",
        kafka.file("plain-password").display().to_string()
    );
    let mut options = login("SASL_SSL", "PLAIN", "stranger");
    options.extend([("ssl.ca.location", ca), ("sasl.password", password)]);
    let options: Vec<(&str, &str)> = options
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let place = place(&kafka.sasl, &options, &topic.name);
    let check = |code| Answer::of(place.run(&["check", "--json"], &[]), code);
    let answer = check(3);
    answer.ok("Kafka", "answer", &["SASL_SSL with PLAIN"]);
    answer.is_wrong(&topic.name, "topic", &["doesn't let us see", "kafka-acls --add"]);
    place.run(&["lake"], &[]).fails(1, &[&topic.name]);
    let commands = acl_commands();
    let [topics, groups] = &commands[..] else {
        panic!("{commands:?}")
    };
    let run = |command: &Vec<String>| {
        let words: Vec<String> = command
            .iter()
            .map(|word| word.replace("User:lakectl", "User:stranger"))
            .collect();
        kafka.tool(&words.iter().map(String::as_str).collect::<Vec<_>>());
    };
    run(topics);
    let answer = check(3);
    answer.is_wrong("Kafka", "group", &["--group lakectl.lake"]);
    assert_eq!(answer.wrong(), [("Kafka", "group")]);
    // Without the group a first run can't tell a new lake from one that is not mounted; the mirror is only a warning.
    place
        .run(&["lake"], &[])
        .fails(1, &["doesn't let us see it", "--group lakectl.lake"]);
    let drained = place
        .run(&["lake", "--json", "--new-lake"], &[])
        .expect(0)
        .report();
    assert_eq!(drained["totals"]["written"], 3, "{drained}");
    let warnings = drained["warnings"].as_array().unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].to_string().contains("mirroring progress"),
        "{drained}"
    );
    run(groups);
    topic.send(&numbered("b", 1, 1));
    check(0).ok(&topic.name, "kept", &["cleanup.policy compact"]);
    let drained = place.run(&["lake", "--json"], &[]).expect(0).report();
    assert_eq!(drained["totals"]["read"], 1, "{drained}");
    assert!(drained["warnings"].as_array().unwrap().is_empty(), "{drained}");
}
