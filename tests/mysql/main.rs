//! The warehouse against a real MySQL, and in part a real MariaDB.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../common/account.rs"]
mod account;
mod after_purges;
mod dependents;
mod faults;
mod init_db;
mod loads;
mod moved;
mod nasty;
mod outcomes;
mod progress;
#[path = "../common/proxy.rs"]
mod proxy;
mod purges;
mod rebuilds;
#[path = "../common/mysql.rs"]
mod service;
mod turns;

use service::{TestDatabase, mysql_service};

const TOPICS: &str = r#"
[topics.PRODUCT_PURCHASE_COUNTS]
kind = "table"
key = { format = "string", columns = ["product_id"] }
[topics.TOTAL_PAR_TRANSACTION_TYPE]
kind = "table"
[topics.TOTAL_DEPENSE_PAR_USER_TYPE]
kind = "table"
key = { format = "json" }
[topics.TRANSACTION_LIFECYCLE]
kind = "table"
key = { format = "string", columns = ["transaction_id"] }
warehouse.retention = { column = "last_update_time", keep = "3y" }
[topics.TOTAL_PAR_TYPE_5MIN_SLIDING]
kind = "table"
key = { format = "string", columns = ["transaction_type"] }
window = { type = "hopping", size = "5m" }
warehouse.columns = { window_start = "window_start_time" }
warehouse.retention = { column = "window_start_time", keep = "7d" }
[topics.CUSTOM]
kind = "table"
key = { format = "string", columns = ["id"] }
[topics.CUSTOM_JSON]
kind = "table"
key = { format = "json", columns = ["a", "b"] }
warehouse.table = "custom"
[topics.STRICT]
kind = "table"
key = { format = "string", columns = ["product_id"] }
warehouse.table = "product_purchase_counts"
warehouse.strict = true
"#;
const COUNTS: &str = "SELECT product_id, purchase_count FROM product_purchase_counts ORDER BY product_id";
const PROGRESS: &str = "SELECT table_name, topic, kafka_partition, next_offset, topic_id, generation, complete_ms \
     FROM lakectl_progress ORDER BY 1, 2, 3";

fn fresh() -> TestDatabase {
    TestDatabase::new(&mysql_service(), TOPICS)
}
