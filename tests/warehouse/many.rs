//! Many small tables in one run: their transactions go on beside each other, and all of them write progress and rejects.

use super::tables::{COUNTS, Table, count};
use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};
use crate::common::lake::number;
use crate::common::program::Run;
use crate::common::unique;

/// More than are committed one after the other.
const TABLES: usize = 10;

#[test]
fn transactions_beside_each_other() {
    let tables: Vec<(Topic, Table)> = (0..TABLES)
        .map(|at| {
            let name: &str = format!("counts_{at}").leak();
            (Topic::compacted("beside"), Table { name, ..COUNTS })
        })
        .collect();
    let warehouse = tables.iter().fold(Warehouse::new(), |warehouse, (topic, table)| {
        warehouse.execute(&format!("CREATE TABLE {} LIKE {}", table.name, COUNTS.name));
        warehouse.table(topic, table.name, "product_id")
    });
    for round in 0..2 {
        for (at, (topic, _)) in (0..).zip(&tables) {
            let changes: Vec<_> = (0..300)
                .map(|n| match n % 7 {
                    6 => tombstone(&format!("key-{}", n % 90)),
                    _ => count(&format!("key-{}", n % 90), 1000 * at + n + round),
                })
                .collect();
            topic.send(&changes);
        }
        let report = warehouse.drain();
        assert_eq!(number(&report["totals"], "read"), 300 * TABLES as i64);
        for (topic, table) in &tables {
            table.assert_equals(&warehouse, topic);
        }
    }
    for (topic, _) in &tables {
        topic.send(&[record("key-1", "{\"PURCHASE_COUNT\":\"many\"}")]);
    }
    let before: Vec<_> = tables
        .iter()
        .map(|(_, table)| table.rows(&mut warehouse.session()))
        .collect();
    warehouse.run(&[]).expect(3);
    let after: Vec<_> = tables
        .iter()
        .map(|(_, table)| table.rows(&mut warehouse.session()))
        .collect();
    assert_eq!(before, after);
    let rejects = warehouse.value("SELECT COUNT(DISTINCT topic) FROM lakectl_rejects");
    assert_eq!(rejects, TABLES.to_string());
}

/// An account with a limit, and how it logs in.
struct Limited<'w> {
    warehouse: &'w Warehouse,
    user: String,
    url: String,
}

impl<'w> Limited<'w> {
    fn by(warehouse: &'w Warehouse, limit: &str) -> Limited<'w> {
        let user = unique("few").replace('.', "_");
        warehouse.execute(&format!(
            "CREATE USER '{user}'@'%' IDENTIFIED BY 'canary-Pw1' WITH {limit}"
        ));
        warehouse.execute(&format!(
            "GRANT ALL ON `{}`.* TO '{user}'@'%'",
            warehouse.database
        ));
        let url = format!("mysql://{user}@{}/{}", warehouse.address, warehouse.database);
        Limited { warehouse, user, url }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let account = [
            ("LAKECTL_WAREHOUSE_URL", self.url.as_str()),
            ("LAKECTL_WAREHOUSE_PASSWORD", "canary-Pw1"),
        ];
        let arguments = [&["warehouse", "--json"], arguments].concat();
        self.warehouse.start_with(&arguments, &account).wait()
    }
}

impl Drop for Limited<'_> {
    fn drop(&mut self) {
        self.warehouse.execute(&format!("DROP USER '{}'@'%'", self.user));
    }
}

fn with_tables(mut warehouse: Warehouse, topics: &[Topic]) -> Warehouse {
    for (at, topic) in topics.iter().enumerate() {
        let table = format!("counts_{at}");
        warehouse.execute(&format!("CREATE TABLE {table} LIKE {}", COUNTS.name));
        warehouse = warehouse.table(topic, &table, "product_id");
    }
    warehouse
}

/// An account that may hold fewer sessions than the run has tables, and than a run opens at a time.
#[test]
fn more_tables_than_sessions() {
    for (sessions, count_of_topics) in [(40, 50), (2, 7), (1, 3)] {
        let topics = Topic::many("sessions", count_of_topics);
        let warehouse = with_tables(Warehouse::new(), &topics);
        for topic in [&topics[0], &topics[count_of_topics - 1]] {
            topic.send(&[count("key", 1)]);
        }
        let limited = Limited::by(&warehouse, &format!("MAX_USER_CONNECTIONS {sessions}"));
        let report = limited.run(&[]).expect(0).report();
        assert_eq!(report["topics"].as_array().unwrap().len(), topics.len());
        assert_eq!(number(&report["totals"], "read"), 2);
    }
}

#[test]
fn more_tables_than_sessions_on_mariadb() {
    let topics = Topic::many("sessions", 4);
    let warehouse = with_tables(Warehouse::on_mariadb(), &topics);
    topics.iter().for_each(|topic| topic.send(&[count("key", 1)]));
    let limited = Limited::by(&warehouse, "MAX_USER_CONNECTIONS 2");
    for arguments in [&[][..], &["--rebuild"]] {
        let report = limited.run(arguments).expect(0).report();
        assert_eq!(number(&report["totals"], "read"), 4);
    }
}

/// Nothing that this run could do would make room: the message says what the account allows, and what a run wants.
#[test]
fn no_session_at_all() {
    let topics = Topic::many("none", 3);
    let warehouse = with_tables(Warehouse::new(), &topics);
    // The first session of the hour finds out what the server is.
    let limited = Limited::by(&warehouse, "MAX_CONNECTIONS_PER_HOUR 1");
    let run = limited.run(&[]).expect(1);
    let report = run.report();
    let topics = report["topics"].as_array().unwrap();
    assert_eq!(topics.len(), 3);
    for topic in topics {
        let error = topic["error"].as_str().unwrap();
        assert!(
            error.contains("max_connections_per_hour") && error.contains("limit per hour"),
            "{error}"
        );
    }
    drop(limited);
    let limited = Limited::by(&warehouse, "MAX_USER_CONNECTIONS 1");
    let opts = mysql::OptsBuilder::from_opts(mysql::Opts::from_url(&limited.url).unwrap())
        .pass(Some("canary-Pw1"))
        .prefer_socket(false);
    let _taken = mysql::Conn::new(opts).unwrap();
    limited.run(&[]).fails(
        1,
        &[
            "max_user_connections",
            "one session for each of its topics, up to 32",
        ],
    );
}
