//! Servers that are set otherwise than most: whatever a session begins with, lakectl's own is the same.

use mysql::prelude::Queryable;

use super::private::Private;
use super::tables::count;
use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};
use crate::common::lake::number;

/// A server with these lines in its configuration, and what its variables are called.
fn server(name: &'static str, lines: &str) -> (Private, Warehouse) {
    let service = Private::start_set(name, &[], lines);
    let (url, password) = match name {
        "mysql" => ("LAKECTL_WAREHOUSE_URL", "LAKECTL_WAREHOUSE_PASSWORD"),
        _ => ("LAKECTL_TEST_MARIADB_URL", "LAKECTL_TEST_MARIADB_PASSWORD"),
    };
    let warehouse = Warehouse::on_server(&service.variable(url), service.variable(password));
    warehouse.lakectl(&["init-db"]).expect(0);
    (service, warehouse)
}

/// init_connect is for accounts that are not administrators.
fn what_the_server_says_of_a_session_does_not_count(name: &'static str) {
    let (_service, mut warehouse) = server(name, "");
    warehouse.execute("CREATE USER plain@'%' IDENTIFIED BY ''");
    warehouse.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO plain@'%'");
    let mut admin = warehouse.session();
    "plain".clone_into(&mut warehouse.user);
    warehouse.password.clear();
    for (n, setting) in [
        "SET NAMES latin1",
        "SET NAMES utf8",
        "SET time_zone = ''+05:00'', sql_mode = '''', autocommit = 0, foreign_key_checks = 0, lock_wait_timeout = 1000",
    ]
    .into_iter()
    .enumerate()
    {
        let topic = Topic::compacted("session");
        let table = format!("people_{n}");
        admin.query_drop(format!("SET GLOBAL init_connect = '{setting}'")).unwrap();
        admin
            .query_drop(format!(
                "CREATE TABLE {table} (id VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, \
                 name VARCHAR(40) CHARACTER SET utf8mb4, at TIMESTAMP NULL)"
            ))
            .unwrap();
        topic.send(&[
            record("é1", "{\"NAME\":\"Zoë 😀\",\"AT\":\"2025-10-30T12:00:00Z\"}"),
            record("gone", "{\"NAME\":\"a\"}"),
        ]);
        warehouse.set_topics(&format!(
            "[topics.{:?}]\nkind = \"table\"\nkey = {{ format = \"string\", columns = [\"id\"] }}\n\
             warehouse.table = {table:?}\n",
            topic.name
        ));
        warehouse.drain();
        topic.send(&[tombstone("gone")]);
        assert_eq!(number(&warehouse.drain()["totals"], "read"), 1, "{setting}");
        let rows: Vec<(String, String, String)> = admin
            .query(format!("SELECT HEX(id), HEX(name), CONVERT_TZ(at, @@time_zone, '+00:00') FROM {table}"))
            .unwrap();
        let expected = ("C3A931", "5A6FC3AB20F09F9880", "2025-10-30 12:00:00");
        let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned());
        assert_eq!(rows, [expected], "{setting}");
    }
}

#[test]
fn what_mysql_says_of_a_session_does_not_count() {
    what_the_server_says_of_a_session_does_not_count("mysql");
}

#[test]
fn what_mariadb_says_of_a_session_does_not_count() {
    what_the_server_says_of_a_session_does_not_count("mariadb");
}

/// With lower_case_table_names = 1, as on Windows and in some clouds, what is kept of `Orders` is kept as `orders`.
fn a_table_is_one_whatever_its_spelling(name: &'static str) {
    let (_service, mut warehouse) = server(name, "lower-case-table-names=1");
    let topic = Topic::compacted("spelling");
    warehouse.execute("CREATE TABLE Orders (id VARCHAR(40) COLLATE utf8mb4_bin PRIMARY KEY, n INT, seen DATETIME, INDEX (seen))");
    warehouse.set_topics(&format!(
        "[topics.{:?}]\nkind = \"table\"\nkey = {{ format = \"string\", columns = [\"id\"] }}\n\
         warehouse.table = \"Orders\"\nwarehouse.retention = {{ column = \"seen\", keep = \"3y\" }}\n",
        topic.name
    ));
    topic.send(&[
        record("ann", "{\"N\":1,\"SEEN\":\"2020-01-01\"}"),
        record("bob", "{\"N\":2}"),
        record("ann", "{\"N\":\"many\"}"),
    ]);
    warehouse.run(&[]).expect(3);
    let kept = "SELECT table_name FROM lakectl_rejects";
    assert_eq!(warehouse.value(kept), "orders");
    let status = warehouse.lakectl(&["status", "--json"]);
    assert_eq!(
        status.report()["topics"][0]["tables"].as_array().unwrap().len(),
        1,
        "{status:?}"
    );
    let key = format!("--key={}=ann", topic.name);
    let erase = |more: &[&str]| {
        let arguments = [&["purge", &key, "--only", "warehouse", "--json"], more].concat();
        warehouse.lakectl(&arguments).report()["erased"]["tables"][0].clone()
    };
    for told in [erase(&["--dry-run"]), erase(&["--yes"])] {
        assert_eq!(
            (number(&told, "rows"), number(&told, "rejects")),
            (1, 1),
            "{told}"
        );
    }
    assert_eq!(warehouse.value("SELECT COUNT(*) FROM lakectl_rejects"), "0");
    // Also where the table is gone, and only what was put aside is left.
    topic.send(&[record("bob", "{\"N\":\"many\"}"), count("bob", 1)]);
    warehouse.run(&[]).expect(3);
    warehouse.execute("DROP TABLE Orders");
    let key = format!("--key={}=bob", topic.name);
    let told = warehouse
        .lakectl(&["purge", &key, "--only", "warehouse", "--json", "--yes"])
        .report();
    assert_eq!(number(&told["erased"]["tables"][0], "rejects"), 1, "{told}");
    assert_eq!(warehouse.value("SELECT COUNT(*) FROM lakectl_rejects"), "0");
}

#[test]
fn a_table_of_mysql_is_one_whatever_its_spelling() {
    a_table_is_one_whatever_its_spelling("mysql");
}

#[test]
fn a_table_of_mariadb_is_one_whatever_its_spelling() {
    a_table_is_one_whatever_its_spelling("mariadb");
}
