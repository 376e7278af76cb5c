//! Records in the envelopes of connectors: with the setting that takes them out, and without it.

use crate::answer::check;
use crate::common::envelope::Converter::{Bare, WithSchema};
use crate::common::envelope::person;
use crate::common::kafka::{Topic, record, tombstone};
use crate::world::Warehouse;

const PEOPLE: &str = "CREATE TABLE people (id INT NOT NULL PRIMARY KEY, name VARCHAR(40), payload JSON, \
                      changed TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)";

#[test]
fn records_that_fill_nothing_but_the_key() {
    records_and_table(Warehouse::new());
}

#[test]
fn records_that_fill_nothing_but_the_key_on_mariadb() {
    records_and_table(Warehouse::on_mariadb());
}

fn records_and_table(mut world: Warehouse) {
    // Compaction would take records away in the middle of it.
    let labels = [
        "debezium",
        "keys",
        "other",
        "one-fits",
        "only-keys",
        "unwrapped",
        "dressed",
    ];
    let topics = labels.map(|label| Topic::new(&format!("check-{label}")));
    let [debezium, keys, other, one_fits, only_keys, unwrapped, dressed] = &topics;
    world.execute(PEOPLE);
    world.execute(
        "CREATE TABLE ids (id INT NOT NULL PRIMARY KEY, changed TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP)",
    );
    let ada = person(1, "Ada");
    debezium.send(&[Bare.change(1, "c", "null", &ada), tombstone("{\"id\":1}")]);
    keys.send(&[WithSchema(1).row(1, &ada)]);
    other.send(&[record("{\"id\":1}", "{\"CITY\":\"Orléans\"}")]);
    one_fits.send(&[
        record("{\"id\":1}", "{\"CITY\":\"Orléans\"}"),
        record("{\"id\":2}", &ada),
    ]);
    only_keys.send(&[record("{\"id\":1}", "{\"CITY\":\"Orléans\"}")]);
    unwrapped.send(&[
        WithSchema(1).change(1, "c", "null", &ada),
        WithSchema(1).change(1, "d", &ada, "null"),
    ]);
    dressed.send(&[Bare.change(1, "c", "null", &ada), record("{\"id\":2}", &ada)]);
    let entry = |topic: &Topic, more: &str| {
        format!(
            "[topics.{:?}]\nkind = \"table\"\nkey.format = \"json\"\nlake.enabled = false\n{more}\n",
            topic.name
        )
    };
    let debezium_in = "warehouse.table = \"people\"\nvalue.unwrap = \"debezium\"";
    let entries = [
        entry(debezium, "warehouse.table = \"people\""),
        entry(keys, "warehouse.table = \"people\""),
        entry(other, "warehouse.table = \"people\""),
        entry(one_fits, "warehouse.table = \"people\""),
        entry(only_keys, "warehouse.table = \"ids\""),
        entry(unwrapped, debezium_in),
        entry(dressed, debezium_in),
    ];
    world.set_topics(&entries.concat());
    let answer = check(&world, &["--only", "warehouse"], 3);
    let rows = |topic: &Topic, words: &[&str]| answer.is_wrong(&topic.name, "rows", words);
    rows(
        debezium,
        &[
            "no record of the sample fills a column beside the key (id)",
            "the fields before, after, source, transaction, op",
            "Debezium's envelope",
            "set value.unwrap = \\\"debezium\\\"",
        ],
    );
    rows(keys, &["(schema, payload)", "value.unwrap = \\\"connect\\\""]);
    rows(
        other,
        &[
            "the fields CITY",
            "the columns id, name, payload",
            "warehouse.columns",
        ],
    );
    answer.is_not_ok(&keys.name, "rows", "fit");
    answer.is_not_ok(&other.name, "rows", "fit");
    // Its tombstone does.
    answer.ok(&debezium.name, "rows", &["0 updates and 1 deletion fit"]);
    answer.ok(&one_fits.name, "rows", &["2 updates"]);
    answer.ok(&only_keys.name, "rows", &["1 update"]);
    answer.ok(&unwrapped.name, "rows", &["1 update and 1 deletion fit"]);
    answer.ok(&unwrapped.name, "values", &["1 of 1 are JSON objects"]);
    answer.is_wrong(&dressed.name, "values", &["1 of 2", "offset 1", "it has no op"]);
    rows(dressed, &["1 of 2 records would be rejected", "it has no op"]);
    answer.ok(
        &debezium.name,
        "values",
        &["value.unwrap = \\\"debezium\\\" takes them out"],
    );
    let wrong: Vec<_> = answer
        .wrong()
        .iter()
        .filter(|(_, name)| *name == "rows")
        .copied()
        .collect();
    assert_eq!(wrong.len(), 4, "{wrong:?}");
}
