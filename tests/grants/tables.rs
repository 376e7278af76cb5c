//! Permissions made real on MySQL's tables: accounts select, and fail to.

use mysql::prelude::Queryable;
use serde_json::{Value, json};

use crate::world::{Account, World, account_name};

const COUNTS: &str = "product_purchase_counts";
const TOTALS: &str = "total_par_transaction_type";

fn apply(world: &World, code: i32) -> Value {
    world.grant(&["apply", "--only", "warehouse"], code)
}

#[test]
fn accounts_select_what_they_were_given_and_nothing_else() {
    let mut world = World::new();
    let name = account_name("ann");
    let (anywhere, local) = (
        Account::new(&world, &name, "%"),
        Account::new(&world, &name, "localhost"),
    );
    let other = Account::new(&world, &account_name("other"), "%");
    let login = |account: &Account| [COUNTS, TOTALS].map(|table| account.selects(table));
    // Without any right on the database the server would not even say which table is missing.
    world.set(&name, "tables/PRODUCT_PURCHASE_COUNTS", "read");
    world.set(&other.name, "tables", "write");
    world.set(&other.name, "tables/TOTAL_PAR_TRANSACTION_TYPE", "none");
    world.set(&other.name, "streams", "read");
    let preview = world.grant(&["apply", "--only", "warehouse", "-n"], 0);
    assert_eq!(login(&anywhere), [false, false]);
    let done = apply(&world, 0);
    assert_eq!(done["mysql"], preview["mysql"]);
    assert_eq!(done["mysql"].as_array().unwrap().len(), 3);
    assert_eq!(login(&anywhere), [true, false]);
    assert_eq!(login(&other), [true, false]);
    let on_local = world.query(&format!("SHOW GRANTS FOR {}", local.full())).concat();
    assert!(
        on_local.contains("GRANT SELECT ON") && on_local.contains(COUNTS),
        "{on_local}"
    );
    assert_eq!(apply(&world, 0)["changed"], false);

    world.set(&name, "tables/PRODUCT_PURCHASE_COUNTS", "none");
    world.grant(&["revoke", &other.name, "tables"], 0);
    assert_eq!(apply(&world, 0)["mysql"].as_array().unwrap().len(), 3);
    assert_eq!(login(&anywhere), [false, false]);
    assert_eq!(login(&other), [false, false]);
    assert_eq!(apply(&world, 0)["changed"], false);
    assert_eq!(
        world.query("SELECT CAST(COUNT(*) AS CHAR) FROM lakectl_applied_grants"),
        ["0"]
    );
    let [table, file] = world.trails();
    assert_eq!(table, file);
    let applies = table
        .iter()
        .filter(|(command, _)| command == "grant apply")
        .count();
    assert_eq!(applies, 4);
}

#[test]
fn what_others_granted_stays() {
    let mut world = World::new();
    let ann = Account::new(&world, &account_name("ann"), "%");
    let grant = format!(
        "GRANT SELECT, INSERT ON `{}`.{COUNTS} TO {}",
        world.database,
        ann.full()
    );
    world.admin.query_drop(&grant).unwrap();
    world.set(&ann.name, "tables/PRODUCT_PURCHASE_COUNTS", "read");
    assert_eq!(apply(&world, 0)["changed"], false);
    world.set(&ann.name, "tables/PRODUCT_PURCHASE_COUNTS", "none");
    let report = apply(&world, 3);
    assert_eq!(report["changed"], false);
    let could_not = report["could_not"].to_string();
    assert!(could_not.contains("can still SELECT from it"), "{could_not}");
    assert!(ann.selects(COUNTS));
    // A right on the whole database is no better, and only a warning where no row denies.
    world
        .admin
        .query_drop(format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {}", ann.full()))
        .unwrap();
    assert_eq!(apply(&world, 0)["could_not"], json!([]));
    let pattern = world.database.replace('_', "\\_");
    world
        .admin
        .query_drop(format!("GRANT SELECT ON `{pattern}`.* TO {}", ann.full()))
        .unwrap();
    let report = apply(&world, 3);
    assert_eq!(report["could_not"].as_array().unwrap().len(), 1, "{report}");
    assert!(report["warnings"].to_string().contains(TOTALS), "{report}");
}

#[test]
fn an_accounts_name_is_taken_to_the_letter() {
    let world = World::new();
    let name = format!("o'b`{}", account_name("a"));
    let odd = Account::new(&world, &name, "%");
    let twin = Account::new(&world, &name.to_uppercase(), "%");
    world.set(&name, "tables", "read");
    world.set(&format!("{name} "), "tables", "read");
    let report = apply(&world, 3);
    assert_eq!(report["could_not"].as_array().unwrap().len(), 1, "{report}");
    assert!(odd.selects(COUNTS) && !twin.selects(COUNTS));
    assert_eq!(apply(&world, 3)["changed"], false);
    world.grant(&["revoke", &name, "tables"], 0);
    apply(&world, 3);
    assert!(!odd.selects(COUNTS));
}

#[test]
fn an_account_that_was_made_again_is_given_its_rights_again() {
    let mut world = World::new();
    let name = account_name("ann");
    let first = Account::new(&world, &name, "%");
    world.set(&name, "tables", "read");
    apply(&world, 0);
    drop(first);
    assert!(apply(&world, 3)["could_not"].to_string().contains("no account"));
    assert_eq!(
        world.query("SELECT CAST(COUNT(*) AS CHAR) FROM lakectl_applied_grants"),
        ["0"]
    );
    let second = Account::new(&world, &name, "%");
    apply(&world, 0);
    assert!(second.selects(TOTALS));
}

#[test]
fn a_missing_right_is_told() {
    let mut world = World::new();
    let (ann, lakectl) = (
        Account::new(&world, &account_name("ann"), "%"),
        Account::new(&world, &account_name("weak"), "%"),
    );
    world.set(&ann.name, "tables/PRODUCT_PURCHASE_COUNTS", "read");
    let grant = |world: &mut World, what: &str| {
        world.admin.query_drop(format!("GRANT {what}")).unwrap();
    };
    let all = format!("SELECT, INSERT, UPDATE, DELETE ON `{}`.*", world.database);
    grant(&mut world, &format!("{all} TO {}", lakectl.full()));
    let env = lakectl.env();
    let env = [(env[0].0, env[0].1.as_str()), (env[1].0, env[1].1.as_str())];
    let arguments = ["grant", "apply", "--only", "warehouse"];
    let run = world.run_with(&arguments, &env).expect(3);
    assert!(run.stdout.contains("GRANT SELECT ON mysql.*"), "{}", run.stdout);
    grant(&mut world, &format!("SELECT ON mysql.* TO {}", lakectl.full()));
    let run = world.run_with(&arguments, &env).expect(3);
    assert!(run.stdout.contains("GRANT was refused"), "{}", run.stdout);
    assert!(!ann.selects(COUNTS));
    assert_eq!(
        world.query("SELECT CAST(COUNT(*) AS CHAR) FROM lakectl_applied_grants"),
        ["0"]
    );
    // And this is enough.
    grant(
        &mut world,
        &format!("{all} TO {} WITH GRANT OPTION", lakectl.full()),
    );
    world.run_with(&arguments, &env).expect(0);
    assert!(ann.selects(COUNTS));
    let run = world.run_with(&arguments, &env).expect(0);
    assert!(run.stdout.contains("nothing to change"), "{}", run.stdout);
    world.set(&ann.name, "tables/PRODUCT_PURCHASE_COUNTS", "none");
    world.run_with(&arguments, &env).expect(0);
    assert!(!ann.selects(COUNTS));
}

#[test]
fn one_apply_at_a_time() {
    let world = World::new();
    world.set("u", "tables", "read");
    let mut held = world.session();
    assert!(held.lock("grant apply", std::time::Duration::ZERO).unwrap());
    let report = apply(&world, 11);
    assert_eq!(report["status"], "locked");
    drop(held);
    apply(&world, 3);
}

#[test]
fn a_table_that_is_not_there_is_told() {
    let mut world = World::new();
    let ann = Account::new(&world, &account_name("ann"), "%");
    world.query(&format!("DROP TABLE {TOTALS}"));
    world.set(&ann.name, "tables", "read");
    let report = apply(&world, 3);
    assert_eq!(report["could_not"][0]["subject"], TOTALS, "{report}");
    assert!(ann.selects(COUNTS));
}

#[test]
fn mariadb_too() {
    let mut world = World::on("LAKECTL_TEST_MARIADB_URL", "LAKECTL_TEST_MARIADB_PASSWORD");
    let ann = Account::new(&world, &account_name("ann"), "%");
    world.set(&ann.name, "tables/PRODUCT_PURCHASE_COUNTS", "read");
    world.grant(
        &[
            "check",
            &ann.name.to_uppercase(),
            "tables/PRODUCT_PURCHASE_COUNTS",
            "read",
        ],
        1,
    );
    world.grant(
        &[
            "check",
            &format!("{} ", ann.name),
            "tables/PRODUCT_PURCHASE_COUNTS",
            "read",
        ],
        1,
    );
    apply(&world, 0);
    assert!(ann.selects(COUNTS) && !ann.selects(TOTALS));
    assert_eq!(apply(&world, 0)["changed"], false);
    world.grant(&["revoke", &ann.name, "tables/PRODUCT_PURCHASE_COUNTS"], 0);
    apply(&world, 0);
    assert!(!ann.selects(COUNTS));
    let [table, file] = world.trails();
    assert_eq!(table, file);
}
