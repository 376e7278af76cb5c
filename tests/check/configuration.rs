//! The configuration file, and the command line.

use std::os::unix::fs::PermissionsExt;

use crate::answer::check;
use crate::common::kafka::{Topic, record};
use crate::world::Warehouse;

fn chmod(world: &Warehouse, mode: u32) {
    let file = world.folder().join("lakectl.toml");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    let mut world = Warehouse::without_database();
    world.kafka = "borkers = \"x\"";
    let run = world.lakectl(&["check"]);
    run.fails(
        2,
        &["lakectl.toml:4", "unknown key `borkers`; did you mean `brokers`?"],
    );
    world.kafka = "[kafka.options]\n\"sasl.password\" = { file = \"secret\" }";
    world.configure();
    let secret = world.folder().join("secret");
    std::fs::write(&secret, "hunter2").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    world
        .lakectl(&["check"])
        .fails(2, &["can be read by others", "chmod o-rwx"]);
    world.kafka = "";
    world.set_topics("[topics.A]\nkind = \"stream\"\n");
    world
        .lakectl(&["check", "--topics", "B*"])
        .fails(2, &["no configured topic matches `B*`"]);
    let kind = ["check", "--topics", "A", "--kind", "table"];
    world.lakectl(&kind).fails(2, &["configured as a stream"]);
    world.lakectl(&["check", "--only", "both"]).fails(2, &["--only"]);
}

/// Without a mechanism librdkafka means Kerberos, which is not built in.
#[test]
fn a_login_without_a_mechanism() {
    let topic = Topic::named("check-nowhere".to_owned());
    let mut world = Warehouse::without_database().stream(&topic);
    world.kafka = "[kafka.options]\n\"security.protocol\" = \"SASL_SSL\"\n\"sasl.username\" = \"lakectl\"";
    let words = ["GSSAPI", "set \"sasl.mechanism\"", "SCRAM-SHA-512"];
    world.lakectl(&["lake"]).fails(2, &words);
    let answer = check(&world, &["--only", "lake"], 3);
    answer.is_wrong("Kafka", "answer", &["GSSAPI", "SCRAM-SHA-512"]);
}

#[test]
fn properties_that_librdkafka_does_not_take() {
    let topic = Topic::named("check-nowhere".to_owned());
    let mut world = Warehouse::without_database().stream(&topic);
    for (options, named) in [
        ("[kafka.options]\n\"fetch.mni.bytes\" = \"1\"", "fetch.mni.bytes"),
        (
            "[kafka.options]\n\"client.dns.lookup\" = \"never\"",
            "client.dns.lookup",
        ),
    ] {
        world.kafka = options;
        let answer = check(&world, &["--only", "lake"], 3);
        answer.is_wrong(
            "Kafka",
            "answer",
            &[named, "correct [kafka.options]", "CONFIGURATION.md"],
        );
    }
}

#[test]
fn secrets_in_an_open_file() {
    let topic = Topic::new("check-secrets");
    topic.send(&[record("a", "{\"A\":1}")]);
    let mut world = Warehouse::without_database().stream(&topic);
    world.kafka = "[kafka.options]\n\"sasl.password\" = \"hunter2-in-the-open\"";
    world.configure();
    chmod(&world, 0o644);
    let only = ["--only", "lake"];
    let answer = check(&world, &only, 3);
    answer.is_wrong(
        "configuration",
        "secrets",
        &["\"sasl.password", "everybody can read", "chmod o-rwx", "{ file ="],
    );
    assert_eq!(answer.wrong(), [("configuration", "secrets")]);
    let told = world.lakectl(&["check", "--only", "lake"]).expect(3);
    assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
    chmod(&world, 0o600);
    check(&world, &only, 0).ok("configuration", "secrets", &["others can't read"]);
    chmod(&world, 0o606);
    check(&world, &only, 3).is_wrong("configuration", "file", &["everybody may change", "chmod o-w"]);
}

#[test]
fn nothing_to_do() {
    let mut world = Warehouse::without_database();
    world.set_topics("");
    let answer = check(&world, &["--only", "lake"], 3);
    assert_eq!(answer.wrong(), [("configuration", "topics")]);
    answer.is_wrong("configuration", "topics", &["[topics.NAME]"]);
    world.set_topics("[topics.counts]\nkind = \"table\"\n[topics.COUNTS]\nkind = \"table\"\n");
    check(&world, &["--only", "warehouse"], 3).is_wrong("configuration", "tables", &["COUNTS and counts"]);
}
