//! Tables that refer to each other by foreign keys: the order of loads, rejects that a rebuild mends, what deletions take
//! along.

use serde_json::Value;

use super::world::Warehouse;
use crate::common::kafka::{Topic, record};

/// By their names the child's topic comes first.
fn family() -> (Topic, Topic) {
    (Topic::compacted("a-child"), Topic::compacted("b-parent"))
}

fn with_tables(world: Warehouse, (child, parent): (&Topic, &Topic), rule: &str) -> Warehouse {
    world.execute("CREATE TABLE parent (id VARCHAR(20) PRIMARY KEY, at DATETIME, INDEX (at))");
    world.execute(&format!(
        "CREATE TABLE child (id VARCHAR(20) PRIMARY KEY, parent VARCHAR(20), n INT, \
         CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id) {rule})"
    ));
    world.table(child, "child", "id").table(parent, "parent", "id")
}

fn parents_are_loaded_first(world: Warehouse) {
    let (child, parent) = family();
    let world = with_tables(world, (&child, &parent), "");
    child.send(&[record("1", "{\"PARENT\":\"7\"}")]);
    parent.send(&[record("7", "{\"AT\":\"2020-01-01\"}")]);
    let run = world.lakectl(&["warehouse"]).expect(0);
    assert!(!run.stderr.contains("circle"), "{run:?}");
    assert_eq!(world.value("SELECT CONCAT(id, parent) FROM child"), "17");
}

#[test]
fn parents_are_loaded_first_on_mysql() {
    parents_are_loaded_first(Warehouse::new());
}

#[test]
fn parents_are_loaded_first_on_mariadb() {
    parents_are_loaded_first(Warehouse::on_mariadb());
}

#[test]
fn a_circle_is_told_once() {
    let (child, parent) = family();
    let world = with_tables(Warehouse::new(), (&child, &parent), "");
    world.execute(
        "ALTER TABLE parent ADD first_child VARCHAR(20), ADD FOREIGN KEY (first_child) REFERENCES child (id)",
    );
    child.send(&[record("1", "{\"N\":1}")]);
    parent.send(&[record("7", "{\"FIRST_CHILD\":\"1\"}")]);
    let run = world.lakectl(&["warehouse"]).expect(0);
    assert_eq!(run.stderr.matches("circle").count(), 1, "{run:?}");
    assert_eq!(world.value("SELECT first_child FROM parent"), "1");
}

fn a_rebuild_forgets_the_rejects_that_it_mends(world: Warehouse) {
    let (child, parent) = family();
    let world = with_tables(world, (&child, &parent), "");
    child.send(&[
        record("1", "{\"PARENT\":\"7\"}"),
        record("2", "{\"N\":\"many\"}"),
        record("3", "{\"PARENT\":\"8\"}"),
    ]);
    parent.send(&[record("7", "{\"AT\":\"2020-01-01\"}")]);
    let only = ["--topics", child.name.as_str()];
    let remedy = format!("--rebuild --topics {}", child.name);
    let run = world.lakectl(&[&["warehouse"], &only[..]].concat()).expect(3);
    assert!(
        run.stderr
            .contains("2 of the rejected were refused by a foreign key"),
        "{run:?}"
    );
    assert!(run.stderr.contains(&remedy), "{run:?}");
    world.lakectl(&["warehouse", "--topics", &parent.name]).expect(0);
    let rebuild = world.one(&["--rebuild", only[0], only[1]], 3);
    assert_eq!(
        (&rebuild["upserted"], &rebuild["rejected"]),
        (&1.into(), &2.into())
    );
    assert_eq!(world.value("SELECT GROUP_CONCAT(id) FROM child"), "1");
    let places = "SELECT GROUP_CONCAT(`offset` ORDER BY `offset`) FROM lakectl_rejects";
    assert_eq!(world.value(places), "1,2");
    // A row that others refer to: the deletion is refused, until a rebuild of the other table has taken the reference away.
    parent.send(&[crate::common::kafka::tombstone("7")]);
    let run = world.lakectl(&["warehouse", "--topics", &parent.name]).expect(3);
    assert!(run.stderr.contains("refused by a foreign key"), "{run:?}");
    child.send(&[crate::common::kafka::tombstone("1")]);
    world.lakectl(&["warehouse"]).expect(0);
    world
        .lakectl(&["warehouse", "--rebuild", "--topics", &parent.name])
        .expect(0);
    assert_eq!(world.value("SELECT COUNT(*) FROM parent"), "0");
    assert_eq!(world.value(places), "1,2");
    let status = world
        .lakectl(&["status", "--json", "--topics", &parent.name])
        .expect(0)
        .report();
    assert!(!status.to_string().contains("1451"), "{status}");
}

#[test]
fn a_rebuild_forgets_the_rejects_that_it_mends_on_mysql() {
    a_rebuild_forgets_the_rejects_that_it_mends(Warehouse::new());
}

#[test]
fn a_rebuild_forgets_the_rejects_that_it_mends_on_mariadb() {
    a_rebuild_forgets_the_rejects_that_it_mends(Warehouse::on_mariadb());
}

/// Plan, report and audit name what a purge and an erasure take along.
fn what_goes_along_is_named(mut world: Warehouse) {
    let (_, parent) = family();
    world = with_tables(world, (&family().0, &parent), "ON DELETE CASCADE");
    world.set_topics(&format!(
        "[topics.{:?}]\nkind = \"table\"\nkey = {{ columns = [\"id\"] }}\nwarehouse.table = \"parent\"\n\
         warehouse.retention = {{ column = \"at\", keep = \"1y\" }}\n",
        parent.name
    ));
    parent.send(&[
        record("old", "{\"AT\":\"2020-01-01\"}"),
        record("new", "{\"AT\":\"2100-01-01\"}"),
    ]);
    world.lakectl(&["warehouse"]).expect(0);
    world.execute("INSERT INTO child (id, parent) VALUES ('a','old'), ('b','old'), ('c','new'), ('d', NULL)");
    let named = |of: &Value, rows: u64| {
        let dependents = &of["dependents"][0];
        assert_eq!(
            (
                &dependents["foreign_key"],
                &dependents["on_delete"],
                &dependents["rows"]
            ),
            (&"of_parent".into(), &"CASCADE".into(), &rows.into()),
            "{of}"
        );
    };
    let purge = |more: &[&str]| {
        let run = world.lakectl(&[&["purge", "--only", "warehouse", "--json"], more].concat());
        run.expect(0).report()
    };
    named(&purge(&["-n"])["tables"][0], 2);
    let shown = world.lakectl(&["purge", "--only", "warehouse", "-n"]).expect(0);
    assert!(
        shown.stdout.contains("2 rows of") && shown.stdout.contains("of_parent"),
        "{shown:?}"
    );
    named(&purge(&["--yes"])["tables"][0], 2);
    let erase = format!("--key={}=new", parent.name);
    named(&purge(&["-n", &erase])["erased"]["tables"][0], 1);
    named(&purge(&["--yes", &erase])["erased"]["tables"][0], 1);
    assert_eq!(world.value("SELECT GROUP_CONCAT(id) FROM child"), "d");
    let entries = world.query("SELECT detail FROM lakectl_audit ORDER BY id");
    let entries: Vec<Value> = entries
        .iter()
        .map(|row| serde_json::from_str(row[0].as_deref().unwrap()).unwrap())
        .collect();
    let [planned, purged, found, erased] = &entries[..] else {
        panic!("{entries:?}");
    };
    named(&planned["tables"][0], 2);
    named(&purged["tables"][0], 2);
    named(found, 1);
    named(erased, 1);
}

#[test]
fn what_goes_along_is_named_on_mysql() {
    what_goes_along_is_named(Warehouse::new());
}

#[test]
fn what_goes_along_is_named_on_mariadb() {
    what_goes_along_is_named(Warehouse::on_mariadb());
}
