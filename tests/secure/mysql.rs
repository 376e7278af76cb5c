//! What MySQL refuses, and what is said then; and what only a server of our own may be set to.

use crate::answer::Answer;
use crate::common::kafka::{Topic, record};
use crate::common::unique;
use crate::secured::{Kafka, Mysql, Place, shows_none};

#[test]
fn refused_connections_say_what_to_do() {
    let mysql = Mysql::get();
    let ca = |name: &str| format!("tls_ca_file = {:?}", mysql.file(name).display().to_string());
    let localhost = mysql.url.replace("127.0.0.1", "localhost");
    let cases: [(&str, &str, String, i32, &str); 6] = [
        (
            "no TLS",
            &mysql.url,
            "tls = \"off\"".to_owned(),
            1,
            "encrypted connections only; set warehouse.tls",
        ),
        (
            "the default on this machine",
            &mysql.url,
            String::new(),
            1,
            "set warehouse.tls = \"required\"",
        ),
        (
            "an unknown CA",
            &mysql.url,
            ca("stranger-ca.pem"),
            1,
            "set warehouse.tls_ca_file to the CA",
        ),
        (
            "the public CAs",
            &mysql.url,
            "tls = \"required\"".to_owned(),
            1,
            "UnknownIssuer; set warehouse.tls_ca_file",
        ),
        (
            "another name",
            &localhost,
            ca("ca.pem"),
            1,
            "name the server in warehouse.url as its certificate does",
        ),
        (
            "no such file",
            &mysql.url,
            ca("nothing.pem"),
            2,
            "warehouse.tls_ca_file: cannot read",
        ),
    ];
    for (what, url, lines, code, remedy) in cases {
        let place = Place::new(&format!("[warehouse]\nurl = {url:?}\n{lines}\n"));
        let env = [("LAKECTL_WAREHOUSE_PASSWORD", mysql.password.as_str())];
        let run = place.run(&["init-db", "--check"], &env);
        assert_eq!(run.code, code, "{what}: {run:?}");
        assert!(run.stderr.contains(remedy), "{what}: no {remedy:?} in {run:?}");
        shows_none(&run, std::slice::from_ref(&mysql.password));
    }
    let place = Place::new(&format!("[warehouse]\nurl = {:?}\n{}\n", mysql.url, ca("ca.pem")));
    let env = [("LAKECTL_WAREHOUSE_PASSWORD", "hunter2-is-wrong")];
    let run = place
        .run(&["init-db", "--check"], &env)
        .fails(1, &["wrong user or password"]);
    shows_none(&run, &["hunter2-is-wrong".to_owned()]);
}

/// Product counts of a topic, into a database that is not there yet.
fn place_of_counts(mysql: &Mysql, kafka: &Kafka, topic: &Topic, database: &str) -> Place {
    let url = mysql.url.replace("tp_data_warehouse", database);
    Place::new(&format!(
        "[kafka]\nbrokers = {:?}\n[warehouse]\nurl = {url:?}\ntls_ca_file = {:?}\n[topics.{:?}]\nkind = \"table\"\n\
         key = {{ columns = [\"product_id\"] }}\nwarehouse.table = \"product_purchase_counts\"\n",
        kafka.plain,
        mysql.file("ca.pem").display().to_string(),
        topic.name
    ))
}

/// `lakectl check` on a server that is set otherwise than the shared one may be.
#[test]
fn servers_that_take_too_little() {
    // The other tests start Kafka meanwhile.
    let (mysql, kafka) = (Mysql::get(), Kafka::get());
    let topic = Topic::compacted("secure-packet");
    topic.send(&[record("a", "{\"PURCHASE_COUNT\":1}")]);
    let database = unique("packet").replace('.', "_");
    let place = place_of_counts(&mysql, kafka, &topic, &database);
    let env = [("LAKECTL_WAREHOUSE_PASSWORD", mysql.password.as_str())];
    let check = |code| Answer::of(place.run(&["check", "--json", "--only", "warehouse"], &env), code);
    place.run(&["init-db"], &env).expect(0);
    check(0).ok(&topic.name, "rows", &["1 update and 0 deletions fit"]);
    mysql.execute("SET GLOBAL max_allowed_packet = 65536");
    let answer = check(3);
    mysql.execute("SET GLOBAL max_allowed_packet = DEFAULT");
    answer.is_wrong(
        &topic.name,
        "rows",
        &[
            "max_allowed_packet of 65536 bytes",
            "SET PERSIST max_allowed_packet = 131072",
        ],
    );
    mysql.execute("SET GLOBAL super_read_only = ON");
    let answer = check(3);
    mysql.execute("SET GLOBAL super_read_only = OFF");
    mysql.execute("SET GLOBAL read_only = OFF");
    answer.is_wrong("MySQL", "rights", &["read only", "replica"]);
    mysql.execute(&format!("DROP DATABASE `{database}`"));
}

/// Limits that an administrator sets against queries that got out of hand cut results without an error.
#[test]
fn servers_that_give_too_little() {
    let (mysql, kafka) = (Mysql::get(), Kafka::get());
    let topic = Topic::compacted("secure-limits");
    topic.send(&[
        record("a", "{\"PURCHASE_COUNT\":1}"),
        record("b", "{\"PURCHASE_COUNT\":2}"),
    ]);
    let database = unique("limits").replace('.', "_");
    let place = place_of_counts(&mysql, kafka, &topic, &database);
    let env = [("LAKECTL_WAREHOUSE_PASSWORD", mysql.password.as_str())];
    mysql.execute(
        "SET GLOBAL sql_select_limit = 1, GLOBAL max_join_size = 1, GLOBAL completion_type = 'RELEASE', GLOBAL innodb_default_row_format = compact",
    );
    let runs: [&[&str]; 3] = [&["init-db"], &["init-db", "--check"], &["warehouse"]];
    let runs = runs.map(|arguments| place.run(arguments, &env));
    mysql.execute("SET GLOBAL sql_select_limit = DEFAULT, GLOBAL max_join_size = DEFAULT, GLOBAL completion_type = DEFAULT, GLOBAL innodb_default_row_format = dynamic");
    for run in runs {
        run.expect(0);
    }
    let filled = mysql.value(&format!(
        "SELECT GROUP_CONCAT(product_id, '=', purchase_count ORDER BY 1) FROM `{database}`.product_purchase_counts"
    ));
    assert_eq!(filled, "a=1,b=2");
    mysql.execute(&format!("DROP DATABASE `{database}`"));
}
