//! A mysqld that is killed around COMMIT and started again: the run finds out what became of its transaction, and
//! ends as if nothing had been.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::private::Private;
use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Topic, tombstone};
use crate::common::lake::number;
use crate::common::poll;
use crate::common::proxy::{self, Cut};

#[test]
fn mysqld_killed_around_commit() {
    let mysqld = Arc::new(Private::start("mysql"));
    let url = mysqld.variable("LAKECTL_WAREHOUSE_URL");
    let password = mysqld.variable("LAKECTL_WAREHOUSE_PASSWORD");
    let topic = Topic::compacted("mysqld");
    let warehouse = Arc::new(Warehouse::on_server(&url, password).counts(&topic));
    warehouse.lakectl(&["init-db"]).expect(0);
    // What really happens to the rows.
    warehouse.execute("CREATE TABLE seen (product_id VARCHAR(255), purchase_count BIGINT)");
    for event in ["INSERT", "UPDATE"] {
        warehouse.execute(&format!(
            "CREATE TRIGGER seen_{event} AFTER {event} ON product_purchase_counts FOR EACH ROW \
             INSERT INTO seen VALUES (NEW.product_id, NEW.purchase_count)"
        ));
    }
    topic.send(&[count("gone", 0), count("always", 0)]);
    warehouse.drain();
    for (n, cut) in (1..).zip([Cut::Before, Cut::After, Cut::Amid(3_000)]) {
        let filling = (0..400).map(|i| count(&format!("{n}-filling-{i:04}"), i));
        let changes = [
            count("always", n),
            tombstone("gone"),
            count(&format!("new{n}"), n),
        ];
        topic.send(&changes.into_iter().chain(filling).collect::<Vec<_>>());
        let (server, database) = (Arc::clone(&mysqld), Arc::clone(&warehouse));
        let before = next(&warehouse);
        let port = warehouse.address.rsplit_once(':').unwrap().1.parse().unwrap();
        let (port, left) = proxy::start_then(port, cut, 1, move || {
            if cut == Cut::After {
                poll("the COMMIT to count", || {
                    (next(&database) != before).then_some(())
                });
            }
            server.kill();
            server.restart();
        });
        let through = format!(
            "mysql://{}@127.0.0.1:{port}/{}",
            warehouse.user, warehouse.database
        );
        let report = warehouse.run(&["--url", &through]).expect(0).report();
        assert_eq!(left.load(Ordering::SeqCst), 0);
        assert_eq!(number(&report["totals"], "read"), 403, "{report}");
        COUNTS.assert_equals(&warehouse, &topic);
        // Once, and not again by a replay of what was committed.
        let sql = format!("SELECT COUNT(*) FROM seen WHERE product_id = 'always' AND purchase_count = {n}");
        assert_eq!(warehouse.value(&sql), "1");
        assert_eq!(number(&warehouse.drain()["totals"], "read"), 0);
    }
}

fn next(warehouse: &Warehouse) -> String {
    warehouse.value("SELECT next_offset FROM lakectl_progress")
}
