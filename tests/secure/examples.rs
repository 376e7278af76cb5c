//! The examples of docs/SECURITY.md, as they stand there but for addresses and paths.

use std::path::Path;

use crate::answer::Answer;
use crate::common::kafka::{Topic, numbered, record};
use crate::common::lake::number;
use crate::common::unique;
use crate::secured::{Kafka, Mysql, Place, shows_none};

/// The TOML blocks of the page, in order.
fn blocks() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SECURITY.md");
    let text = std::fs::read_to_string(page).unwrap();
    let starts = text.split("```toml\n").skip(1);
    starts
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// What the page's names stand for here. Whatever it names has to be known.
fn here(block: &str, kafka: &Kafka) -> String {
    let has = |text: &str| block.contains(text);
    let address = match (has("SASL_SSL"), has("ssl.certificate.location")) {
        (true, _) => &kafka.sasl,
        (false, true) => &kafka.mtls,
        (false, false) => &kafka.ssl,
    };
    let password = if has("SCRAM") {
        "scram-password"
    } else {
        "plain-password"
    };
    let file = |name: &str| kafka.file(name).display().to_string();
    let text = block
        .replace("kafka1.example.org:9093", address)
        .replace("/etc/lakectl/kafka-ca.pem", &file("ca.pem"))
        .replace("/etc/lakectl/lakectl.pem", &file("client.pem"))
        .replace("/etc/lakectl/lakectl.key", &file("client.key"))
        .replace("/etc/lakectl/kafka.password", &file(password));
    assert_ne!(text, block);
    text
}

fn scram_password(kafka: &Kafka) -> String {
    kafka.secrets().pop().unwrap()
}

#[test]
fn kafka_s_examples() {
    let kafka = Kafka::get();
    let blocks: Vec<String> = blocks()
        .into_iter()
        .filter(|block| !block.contains("[warehouse]"))
        .collect();
    let accepted = ["SSL", "SSL", "SASL_SSL with PLAIN", "SASL_SSL with SCRAM-SHA-512"];
    assert_eq!(
        blocks.len(),
        accepted.len(),
        "the page has other examples than this test knows"
    );
    let password = scram_password(kafka);
    let env = [("KAFKA_PASSWORD", password.as_str())];
    for (block, accepted) in blocks.iter().zip(accepted) {
        // One lake's group has been through its topic: to the next lake it would look like a disk that is not mounted.
        let topic = Topic::new("secure-examples");
        topic.send(&numbered("a", 20, 1));
        let config = here(block, kafka);
        assert!(
            !config.contains("example.org") && !config.contains("/etc/"),
            "{config}"
        );
        let place = Place::new(&format!(
            "{config}[lake]\nroot = \"lake\"\n[topics.{:?}]\nkind = \"stream\"\n",
            topic.name
        ));
        let checked = place.run(&["check", "--json"], &env);
        shows_none(&checked, &kafka.secrets());
        Answer::of(checked, 0).ok("Kafka", "answer", &["answers", &format!("{accepted},")]);
        let drained = place.run(&["lake", "--json"], &env).expect(0);
        shows_none(&drained, &kafka.secrets());
        assert_eq!(number(&drained.report()["totals"], "written"), 20, "{drained:?}");
        assert!(
            drained.report()["warnings"].as_array().unwrap().is_empty(),
            "{drained:?}"
        );
    }
}

#[test]
fn mysql_s_example_end_to_end() {
    // The other tests start Kafka meanwhile.
    let (mysql, kafka) = (Mysql::get(), Kafka::get());
    let topic = Topic::compacted("secure-counts");
    topic.send(&[
        record("a", "{\"PURCHASE_COUNT\":1}"),
        record("b", "{\"PURCHASE_COUNT\":2}"),
    ]);
    let example = blocks()
        .into_iter()
        .find(|block| block.contains("[warehouse]"))
        .unwrap();
    let place = Place::new("");
    let secret = place.secret("mysql.password", &mysql.password);
    let database = unique("secure").replace('.', "_");
    let address = mysql.url.rsplit_once('@').unwrap().1.split('/').next().unwrap();
    let config = here(&example, kafka)
        .replace("mysql.example.org:3306", address)
        .replace("tp_data_warehouse", &database)
        .replace("/etc/lakectl/mysql.password", secret.to_str().unwrap())
        .replace(
            "/etc/lakectl/mysql-ca.pem",
            mysql.file("ca.pem").to_str().unwrap(),
        );
    assert!(
        !config.contains("example.org") && !config.contains("/etc/"),
        "{config}"
    );
    place.configure(&format!(
        "{config}[lake]\nroot = \"lake\"\n[topics.{:?}]\nkind = \"table\"\nkey = {{ columns = [\"product_id\"] }}\n\
         warehouse.table = \"product_purchase_counts\"\n",
        topic.name
    ));
    place.run(&["init-db"], &[]).expect(0);
    let checked = place.run(&["check", "--json"], &[]);
    shows_none(
        &checked,
        &[kafka.secrets(), vec![mysql.password.clone()]].concat(),
    );
    let answer = Answer::of(checked, 0);
    answer.ok("Kafka", "answer", &["SASL_SSL with SCRAM-SHA-256"]);
    answer.ok("MySQL", "answer", &["TLS (TLS_"]);
    for command in ["lake", "warehouse"] {
        let report = place.run(&[command, "--json"], &[]).expect(0).report();
        assert_eq!(number(&report["totals"], "written"), 2, "{report}");
    }
    let rows = format!("SELECT COUNT(*) FROM `{database}`.product_purchase_counts");
    assert_eq!(mysql.value(&rows), "2");
    mysql.execute(&format!("DROP DATABASE `{database}`"));
}
