//! Servers that are set otherwise than most: whatever a session begins with, lakectl's own is the same.

use mysql::prelude::Queryable;

use super::private::Private;
use super::tables::count;
use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};
use crate::common::lake::number;
use crate::common::poll;

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
    let of_its_own = match name {
        "mysql" => {
            "SET transaction_read_only = 1, transaction_isolation = ''READ-UNCOMMITTED'', max_execution_time = 1"
        }
        _ => {
            "SET tx_read_only = 1, tx_isolation = ''READ-UNCOMMITTED'', max_statement_time = 0.001, \
             idle_transaction_timeout = 1, idle_write_transaction_timeout = 1, check_constraint_checks = 0"
        }
    };
    for (n, setting) in [
        "SET NAMES latin1",
        "SET NAMES utf8",
        of_its_own,
        "SET sql_select_limit = 1, max_join_size = 1, sql_safe_updates = 1, sql_auto_is_null = 1, unique_checks = 0, \
         net_read_timeout = 1, net_write_timeout = 1, completion_type = 2",
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

/// Since MariaDB 11.6 a row that has changed since the transaction began is an error, 1020: the transaction is replayed.
#[test]
fn a_row_that_has_changed_since_the_snapshot_is_no_end() {
    // Servers that don't know the setting begin all the same.
    let (_service, warehouse) = server("mariadb", "loose-innodb-snapshot-isolation=ON");
    let topic = Topic::compacted("snapshot");
    let warehouse = warehouse.counts(&topic);
    let keys = ["a", "b", "c"];
    let send = |n| topic.send(&keys.map(|key| count(key, n)));
    send(1);
    warehouse.drain();
    for (n, arguments) in [(2, &[][..]), (3, &["--rebuild"])] {
        send(n);
        let mut other = warehouse.session();
        other.query_drop("START TRANSACTION").unwrap();
        other
            .query_drop("UPDATE product_purchase_counts SET purchase_count = 50 WHERE product_id = 'b'")
            .unwrap();
        let run = warehouse.start(arguments);
        let mut watcher = warehouse.session();
        poll("the run to wait for the row", || {
            // INNODB_TRX would stay as it was while it is asked this often.
            let waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'";
            let waits: Option<(String, u64)> = watcher.query_first(waits).unwrap();
            waits.filter(|(_, waits)| *waits > 0)
        });
        other.query_drop("COMMIT").unwrap();
        run.wait().expect(0);
        let rows = warehouse.value("SELECT GROUP_CONCAT(purchase_count) FROM product_purchase_counts");
        assert_eq!(rows, format!("{n},{n},{n}"));
    }
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
