//! MySQL: the server, the account, and tables that do not fit their records.

use crate::answer::check;
use crate::common::kafka::{NOON_MS, Topic, record};
use crate::common::unique;
use crate::world::Warehouse;

fn entry(topic: &Topic, table: &str, more: &str) -> String {
    format!(
        "[topics.{:?}]\nkind = \"table\"\nkey = {{ columns = [\"id\"] }}\nwarehouse.table = {table:?}\n{more}\n",
        topic.name
    )
}

#[test]
fn records_that_their_table_would_not_take() {
    records_and_table(Warehouse::new());
}

#[test]
fn records_that_their_table_would_not_take_on_mariadb() {
    records_and_table(Warehouse::on_mariadb());
}

fn records_and_table(mut world: Warehouse) {
    // Compaction would take records away in the middle of it.
    let topic = Topic::new("check-rows");
    world.execute(
        "CREATE TABLE narrow (id VARCHAR(255) NOT NULL PRIMARY KEY, note VARCHAR(5), amount DECIMAL(5,2), small TINYINT, \
         later TIMESTAMP NULL, number INT, kind ENUM('a','b'), must INT NOT NULL, full_name VARCHAR(20), rounded DECIMAL(9,2))",
    );
    world.set_topics(&entry(&topic, "narrow", ""));
    let values = [
        "{\"MUST\":1,\"NOTE\":\"far too long\"}",
        "{\"MUST\":1,\"AMOUNT\":12345.678}",
        "{\"MUST\":1,\"SMALL\":300}",
        "{\"MUST\":1,\"LATER\":\"2040-01-01T00:00:00Z\"}",
        "{\"MUST\":1,\"NUMBER\":{\"a\":1}}",
        "{\"MUST\":1,\"KIND\":\"c\"}",
        "{\"NOTE\":\"short\"}",
        "{\"MUST\":1,\"FULLNAME\":\"x\",\"ROUNDED\":1.2345}",
        "[1]",
    ];
    for (at, value) in values.iter().enumerate() {
        topic.send(&[record(&format!("k{at}"), value)]);
    }
    let only = ["--only", "warehouse"];
    let answer = check(&world, &only, 3);
    let rows = |words: &[&str]| answer.is_wrong(&topic.name, "rows", words);
    rows(&[
        "column note: longer than 5 characters",
        "offset 0",
        "MODIFY `note` VARCHAR(64)",
    ]);
    rows(&[
        "column amount: out of range for DECIMAL(5,2)",
        "offset 1",
        "MODIFY `amount` DECIMAL(11,3)",
    ]);
    rows(&["column small: out of range -128 to 127", "MODIFY `small` BIGINT"]);
    rows(&[
        "column later: out of a TIMESTAMP's range",
        "MODIFY `later` DATETIME",
    ]);
    rows(&["column number: not a number", "MODIFY `number` JSON"]);
    rows(&[
        "column kind: not one of the ENUM's values",
        "MODIFY `kind` VARCHAR(64)",
    ]);
    rows(&[
        "column must: NOT NULL, and the record has no value for it",
        "warehouse.columns",
    ]);
    rows(&["not an object", "offset 8", "fix what produces them"]);
    assert!(
        answer.wrong().iter().all(|(_, name)| *name == "rows"),
        "{:?}",
        answer.wrong()
    );
    assert_eq!(answer.wrong().len(), 8, "{:?}", answer.wrong());
    // The fixes are what they say: with them the records fit, and what is left out is only told.
    for statement in [
        "MODIFY `note` VARCHAR(64)",
        "MODIFY `amount` DECIMAL(11,3)",
        "MODIFY `small` BIGINT",
        "MODIFY `later` DATETIME",
        "MODIFY `number` JSON",
        "MODIFY `kind` VARCHAR(64)",
        "MODIFY `must` INT NULL",
    ] {
        world.execute(&format!("ALTER TABLE narrow {statement}"));
    }
    topic.send(&[crate::common::kafka::tombstone("k8")]);
    topic.send(&[record("k8", "{\"MUST\":2}")]);
    let last = ["--only", "warehouse", "--sample", "2"];
    check(&world, &last, 0).ok(&topic.name, "rows", &["1 update and 1 deletion fit"]);
    let answer = check(&world, &only, 3);
    assert_eq!(answer.wrong().len(), 1, "{:?}", answer.wrong());
    world.lakectl(&["warehouse"]).expect(3);
    assert_eq!(world.value("SELECT COUNT(*) FROM lakectl_rejects"), "1");
    world.set_topics(&entry(&topic, "narrow", "warehouse.strict = true"));
    let answer = check(&world, &only, 3);
    let told = ["FULLNAME", "warehouse.strict", "`full_name`, which nothing fills"];
    answer.is_wrong(&topic.name, "rows", &told);
}

#[test]
fn a_wider_column_keeps_all_else() {
    wider_columns(Warehouse::new());
}

#[test]
fn a_wider_column_keeps_all_else_on_mariadb() {
    wider_columns(Warehouse::on_mariadb());
}

/// The fixes are run as they are printed.
fn wider_columns(mut world: Warehouse) {
    let topic = Topic::new("check-wider");
    let collation = if world.value("SELECT VERSION()").contains("MariaDB") {
        "utf8mb4_nopad_bin"
    } else {
        "utf8mb4_0900_bin"
    };
    world.execute(&format!(
        "CREATE TABLE wider (id VARCHAR(4) CHARACTER SET utf8mb4 COLLATE {collation} PRIMARY KEY COMMENT 'the key''s', \
         count_of TINYINT NOT NULL DEFAULT 7 COMMENT 'hey', name VARCHAR(3) CHARACTER SET latin1 DEFAULT 'a''s', \
         sum TINYINT DEFAULT (1 + 2), at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
         seen TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP, must INT NOT NULL)"
    ));
    let definitions = "SELECT CONCAT_WS('|', COLUMN_NAME, IFNULL(COLLATION_NAME, '-'), IS_NULLABLE, \
                       IFNULL(COLUMN_DEFAULT, '-'), EXTRA, COLUMN_COMMENT) FROM information_schema.COLUMNS \
                       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'wider' ORDER BY ORDINAL_POSITION";
    let before = world.query(definitions);
    world.set_topics(&entry(&topic, "wider", ""));
    let late = "2150-01-01T00:00:00Z";
    let value = format!(
        "{{\"COUNT_OF\":300,\"NAME\":\"longer\",\"SUM\":300,\"AT\":\"{late}\",\"SEEN\":\"{late}\",\"NOBODY\":1}}"
    );
    topic.send(&[record("longer", &value)]);
    let only = ["--only", "warehouse"];
    // All of them at once, though a load would name but the first.
    let answer = check(&world, &only, 3);
    assert_eq!(answer.wrong().len(), 7, "{:?}", answer.wrong());
    answer.is_wrong(&topic.name, "rows", &["1 of 1 record would", "column must"]);
    answer.is_wrong(
        &topic.name,
        "rows",
        &["column seen", "make `seen` a DATETIME, and keep the rest"],
    );
    let nothing_fits = |check: &&serde_json::Value| check["message"].to_string().contains("0 updates");
    assert!(answer.checks.iter().find(nothing_fits).is_none());
    let fixes = answer.checks.iter().filter_map(|check| check["fix"].as_str());
    let statements: Vec<&str> = fixes
        .filter(|fix| fix.starts_with("ALTER TABLE `wider` MODIFY"))
        .collect();
    assert_eq!(statements.len(), 5, "{statements:?}");
    statements.iter().for_each(|statement| world.execute(statement));
    assert_eq!(world.query(definitions), before);
    world.execute("ALTER TABLE wider MODIFY seen DATETIME NULL, MODIFY must INT NULL");
    check(&world, &only, 0).ok(&topic.name, "rows", &["1 update and 0 deletions fit"]);
}

/// A table and a column may be called what an answer is made of.
#[test]
fn names_with_colons_and_semicolons_stay_whole() {
    let topics = ["column", "view"].map(|label| Topic::new(&format!("check-names-{label}")));
    let mut world = Warehouse::new();
    world.execute("CREATE TABLE named (id VARCHAR(255) PRIMARY KEY, `a: b` VARCHAR(3), `c: d` INT NOT NULL)");
    world.execute("CREATE VIEW `see; it` AS SELECT * FROM named");
    let entries: Vec<String> = topics
        .iter()
        .zip(["named", "see; it"])
        .map(|(topic, table)| entry(topic, table, ""))
        .collect();
    world.set_topics(&entries.concat());
    topics[0].send(&[record("k", "{\"a: b\":\"longer\"}")]);
    let answer = check(&world, &["--only", "warehouse"], 3);
    let [column, view] = topics.each_ref().map(|topic| &topic.name);
    answer.is_wrong(
        column,
        "rows",
        &[
            "column a: b: longer than 3 characters",
            "ALTER TABLE `named` MODIFY `a: b` VARCHAR(64)",
        ],
    );
    answer.is_wrong(
        column,
        "rows",
        &["column c: d: NOT NULL", "let `c: d` be NULL", "warehouse.columns"],
    );
    answer.is_wrong(view, "table", &["`see; it` is a VIEW, not a table\" FIX \""]);
}

#[test]
fn what_is_left_out_or_rounded_is_told() {
    let topic = Topic::compacted("check-notes");
    let mut world = Warehouse::new();
    world.execute(
        "CREATE TABLE notes (id VARCHAR(255) NOT NULL PRIMARY KEY, full_name TEXT, rounded DECIMAL(9,2))",
    );
    world.set_topics(&entry(&topic, "notes", ""));
    topic.send(&[record("a", "{\"FULLNAME\":\"x\",\"ROUNDED\":1.2345}")]);
    let answer = check(&world, &["--only", "warehouse"], 0);
    let words = [
        "left out: FULLNAME",
        "rounds to 2 of 4",
        "FULLNAME = \\\"full_name\\\"",
        "MODIFY `rounded` DECIMAL(8,4)",
    ];
    answer.ok(&topic.name, "rows", &words);
    answer.ok(&topic.name, "table", &["utf8mb4_0900_ai_ci", "keeps them apart"]);
    answer.has_none(&topic.name, "references");
}

#[test]
fn numbers_that_a_column_rounds_or_counts_up_are_told() {
    let topic = Topic::compacted("check-numbers");
    let mut world = Warehouse::new();
    world.execute(
        "CREATE TABLE nums (id VARCHAR(255) NOT NULL PRIMARY KEY, doc JSON, r DOUBLE, f FLOAT, \
         seq INT NOT NULL AUTO_INCREMENT, KEY (seq))",
    );
    world.set_topics(&entry(&topic, "nums", ""));
    topic.send(&[
        record(
            "a",
            "{\"DOC\":{\"x\":12345678901234567.89},\"R\":9007199254740993,\"F\":16777217}",
        ),
        record("b", "{\"DOC\":{\"x\":1.5},\"R\":0.1,\"F\":0.1}"),
    ]);
    let answer = check(&world, &["--only", "warehouse"], 0);
    let words = [
        "column doc rounds numbers in JSON to 64 bits",
        "MODIFY `doc` LONGTEXT",
        "column r rounds to 53 bits, about 16 digits, in 1 record",
        "MODIFY `r` DECIMAL(20,1)",
        "column f rounds to 24 bits, about 7 digits, in 1 record",
        "column seq is AUTO_INCREMENT",
    ];
    answer.ok(&topic.name, "rows", &words);
}

#[test]
fn foreign_keys_that_reach_other_tables_are_told() {
    let topic = Topic::compacted("check-references");
    let mut world = Warehouse::new();
    world.execute("CREATE TABLE parent (id VARCHAR(255) NOT NULL PRIMARY KEY, boss VARCHAR(255))");
    world.execute(
        "CREATE TABLE child (id INT PRIMARY KEY, parent VARCHAR(255), CONSTRAINT of_parent FOREIGN KEY (parent) \
         REFERENCES parent (id) ON DELETE SET NULL)",
    );
    world.set_topics(&entry(&topic, "parent", ""));
    topic.send(&[record("a", "{\"BOSS\":null}")]);
    let only = ["--only", "warehouse"];
    let words = [
        "of_parent of ",
        ".child (ON DELETE SET NULL)",
        "tombstones and rebuilds",
    ];
    check(&world, &only, 0).ok(&topic.name, "references", &words);
    world.execute(
        "ALTER TABLE parent ADD CONSTRAINT of_boss FOREIGN KEY (boss) REFERENCES parent (id) ON DELETE CASCADE",
    );
    check(&world, &only, 3).is_wrong(
        &topic.name,
        "references",
        &["of_boss", "DROP FOREIGN KEY `of_boss`"],
    );
}

#[test]
fn tables_that_do_not_fit_their_topics() {
    let labels = [
        "missing",
        "myisam",
        "keyless",
        "unique",
        "unfilled",
        "window",
        "unwindowed",
        "unindexed",
        "column",
    ];
    let topics = labels.map(|label| Topic::compacted(&format!("check-{label}")));
    let mut world = Warehouse::new();
    for table in [
        "myisam (id VARCHAR(9) PRIMARY KEY, at DATETIME) ENGINE = MyISAM",
        "keyless (id VARCHAR(9))",
        "`unique` (id VARCHAR(9) PRIMARY KEY, other INT UNIQUE)",
        "unfilled (id VARCHAR(9), place VARCHAR(9), PRIMARY KEY (id, place))",
        "`window` (id VARCHAR(9) PRIMARY KEY)",
        "unwindowed (id VARCHAR(9) PRIMARY KEY, window_start BIGINT)",
        "unindexed (id VARCHAR(9) PRIMARY KEY, at DATETIME)",
        "`column` (id VARCHAR(9) PRIMARY KEY, at VARCHAR(9))",
    ] {
        world.execute(&format!("CREATE TABLE {table}"));
    }
    let entries: Vec<String> = topics
        .iter()
        .zip(labels)
        .map(|(topic, label)| {
            let more = match label {
                "window" | "unwindowed" => "window = { type = \"hopping\", size = \"5m\" }",
                "unindexed" | "column" => "warehouse.retention = { column = \"at\", keep = \"7d\" }",
                _ => "",
            };
            entry(topic, label, more)
        })
        .collect();
    world.set_topics(&entries.concat());
    let answer = check(&world, &["--only", "warehouse"], 3);
    let [
        missing,
        myisam,
        keyless,
        unique,
        unfilled,
        window,
        unwindowed,
        unindexed,
        column,
    ] = topics.each_ref().map(|topic| &topic.name);
    answer.is_wrong(missing, "table", &["there is no table `missing`", "CREATE"]);
    answer.is_wrong(
        myisam,
        "table",
        &["engine MyISAM", "run: ALTER TABLE `myisam` ENGINE = InnoDB"],
    );
    answer.is_wrong(
        keyless,
        "table",
        &["no primary key", "give the table a primary key"],
    );
    answer.is_wrong(unique, "table", &["second unique index", "DROP INDEX `other`"]);
    answer.is_wrong(unfilled, "table", &["primary-key column place"]);
    answer.is_wrong(
        window,
        "table",
        &["windowed", "warehouse.columns = { window_start"],
    );
    let fix = "ALTER TABLE `unwindowed` DROP PRIMARY KEY, ADD PRIMARY KEY (`id`, `window_start`)";
    answer.is_wrong(unwindowed, "table", &["windowed", fix]);
    answer.is_wrong(
        unindexed,
        "retention",
        &[
            "no index begins with `at`",
            "CREATE INDEX `retention_at` ON `unindexed` (`at`)",
        ],
    );
    answer.is_wrong(column, "retention", &["not a TIMESTAMP, DATETIME or DATE"]);
    answer.unknown(missing, "rows", &["not checked: the table does not fit"]);
    assert_eq!(answer.wrong().len(), 9, "{:?}", answer.wrong());
    world.execute(fix);
    let answer = check(&world, &["--only", "warehouse", "--topics", unwindowed], 0);
    answer.ok(unwindowed, "table", &["primary key (id, window_start)"]);
}

#[test]
fn our_own_tables_and_the_database() {
    let topic = Topic::compacted("check-schema");
    topic.send(&[record("a", "{\"PURCHASE_COUNT\":1}").at(NOON_MS)]);
    let world = Warehouse::without_database().counts(&topic);
    let only = ["--only", "warehouse"];
    let answer = check(&world, &only, 3);
    answer.is_wrong(
        "MySQL",
        "answer",
        &["there is no database", "run: lakectl init-db"],
    );
    world.lakectl(&["init-db"]).expect(0);
    check(&world, &only, 0);
    world.execute("ALTER TABLE lakectl_rejects MODIFY reason VARCHAR(7)");
    world.execute("ALTER TABLE total_par_transaction_type ADD COLUMN ours INT");
    let answer = check(&world, &only, 3);
    answer.is_wrong("MySQL", "schema", &["lakectl_rejects.reason", "init-db"]);
    assert_eq!(answer.wrong(), [("MySQL", "schema")]);
    world.execute("DROP TABLE lakectl_rejects");
    let answer = check(&world, &only, 3);
    answer.is_wrong("MySQL", "schema", &["lakectl_rejects: the table is missing"]);
    answer.is_wrong(
        &topic.name,
        "table",
        &["no table `lakectl_rejects` yet", "lakectl init-db"],
    );
}

/// The server says no more of it than of a wrong password.
#[test]
fn an_account_that_wants_tls() {
    let world = Warehouse::new();
    let user = unique("chk").replace('.', "_");
    let password = "Pass-w0rd-of-the-test";
    world.execute(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY '{password}' REQUIRE SSL"
    ));
    let url = format!("mysql://{user}@{}/{}", world.address, world.database);
    let arguments = ["check", "--json", "--only", "warehouse", "--url", &url];
    let run = world
        .start_with(&arguments, &[("LAKECTL_WAREHOUSE_PASSWORD", password)])
        .wait();
    assert!(!format!("{run:?}").contains(password), "{run:?}");
    let answer = crate::answer::Answer::of(run, 3);
    answer.is_wrong("MySQL", "answer", &["wrong user or password", "wants TLS"]);
    world.execute(&format!("DROP USER '{user}'@'%'"));
}

#[test]
fn rights_that_are_missing() {
    rights(Warehouse::new());
}

#[test]
fn rights_that_are_missing_on_mariadb() {
    rights(Warehouse::on_mariadb());
}

fn rights(mut world: Warehouse) {
    let topic = Topic::compacted("check-rights");
    topic.send(&[record("a", "{\"PURCHASE_COUNT\":1}")]);
    world = world.counts(&topic);
    let user = unique("chk").replace('.', "_");
    let database = world.database.clone();
    world.execute(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'Pass-w0rd-of-the-test'"
    ));
    world.execute(&format!("GRANT SELECT, DELETE ON `{database}`.* TO '{user}'@'%'"));
    let url = format!("mysql://{user}@{}/{database}", world.address);
    let run = |code| {
        let arguments = ["check", "--json", "--only", "warehouse", "--url", &url];
        let env = [("LAKECTL_WAREHOUSE_PASSWORD", "Pass-w0rd-of-the-test")];
        crate::answer::Answer::of(world.start_with(&arguments, &env).wait(), code)
    };
    let answer = run(3);
    let lacks = "lacks INSERT and UPDATE on `product_purchase_counts`";
    let fix = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.* TO '{user}'@'%'");
    answer.is_wrong(
        "MySQL",
        "rights",
        &[lacks, "lacks INSERT on `lakectl_rejects`", &fix],
    );
    assert_eq!(answer.wrong(), [("MySQL", "rights")]);
    world.execute(&fix);
    run(0).ok("MySQL", "rights", &["may read and write 9 tables"]);
    world.execute(&format!("DROP USER '{user}'@'%'"));
}
