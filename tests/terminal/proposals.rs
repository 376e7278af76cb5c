//! The question before `lakectl init-db --for` makes a table.

use crate::common::kafka::{Topic, record};
use crate::common::program::command;
use crate::pty::{self, ALL};
use crate::world::Warehouse;

#[test]
fn a_table_is_made_after_a_yes_and_not_after_a_no() {
    let topic = Topic::compacted("question-table");
    topic.send(&[record("k", "{\"N\":1}")]);
    let warehouse = Warehouse::new().table(&topic, "asked", "ID");
    warehouse.configure();
    let tables = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'asked'";
    for (answer, code, made, words) in [
        ("no\n", 2, "0", "nothing was changed"),
        ("yes\n", 0, "1", "created table `asked`: ID, N"),
    ] {
        let mut command = command();
        command
            .args(["init-db", "--for", &topic.name])
            .env("LAKECTL_WAREHOUSE_URL", warehouse.url())
            .env("LAKECTL_WAREHOUSE_PASSWORD", &warehouse.password)
            .current_dir(warehouse.folder());
        let mut run = pty::start(command, 100, ALL);
        run.see(&["CREATE TABLE `asked`", "PRIMARY KEY (`ID`)", "Type yes:"]);
        run.types(answer);
        let shown = run.wait();
        assert_eq!(shown.code, code, "{shown:?}");
        assert!(shown.screen.contains(words), "{shown:?}");
        assert_eq!(warehouse.value(tables), made);
    }
}
