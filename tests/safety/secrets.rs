//! Secrets, as canaries: whatever goes wrong around them, they stand in no output, in no report, and in no file of the lake.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::world::Warehouse;
use crate::common::kafka::{Topic, brokers, record};
use crate::common::program;
use crate::each;

const CANARY: &str = "c4nary-Tr0ub4dor";

/// One way to go wrong: a configuration, more environment, a command line.
struct Case {
    config: String,
    env: Vec<(&'static str, String)>,
    arguments: Vec<String>,
}

fn case(config: &str, env: &[(&'static str, &str)], arguments: &[&str]) -> Case {
    Case {
        config: config.replace("CANARY", CANARY),
        env: env
            .iter()
            .map(|(name, value)| (*name, value.replace("CANARY", CANARY)))
            .collect(),
        arguments: arguments
            .iter()
            .map(|argument| argument.replace("CANARY", CANARY))
            .collect(),
    }
}

/// For people, for those who want to know all, for scripts.
const FORMS: [&str; 3] = ["--dry-run", "--verbose", "--json"];

/// Runs it in each of these forms. It must fail, or nothing is tried at all.
fn check(case: &Case, forms: &[&str]) {
    for form in forms {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("lakectl.toml");
        std::fs::write(&config, &case.config).unwrap();
        std::fs::set_permissions(&config, PermissionsExt::from_mode(0o600)).unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, CANARY).unwrap();
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        let mut env: Vec<(&str, &str)> = case
            .env
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        env.extend([("RUST_BACKTRACE", "1"), ("RUST_LIB_BACKTRACE", "1")]);
        let mut arguments: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
        arguments.push(form);
        let run = program::start(folder.path(), &arguments, &env).wait();
        let what = format!("{:?} with {}: {run:?}", case.arguments, case.config);
        assert!(
            !run.stdout.contains(CANARY) && !run.stderr.contains(CANARY),
            "{what}"
        );
        assert!(matches!(run.code, 1 | 2), "{what}");
        assert_nowhere(folder.path(), CANARY, &["lakectl.toml", "secret"]);
    }
}

/// No file below a folder holds the text, but for those that were written by hand.
fn assert_nowhere(folder: &Path, secret: &str, by_hand: &[&str]) {
    for found in walkdir::WalkDir::new(folder) {
        let found = found.unwrap();
        let name = found.file_name().to_string_lossy().into_owned();
        assert!(!name.contains(secret), "{found:?}");
        if found.file_type().is_file() && !by_hand.contains(&name.as_str()) {
            let bytes = std::fs::read(found.path()).unwrap();
            assert!(
                memchr::memmem::find(&bytes, secret.as_bytes()).is_none(),
                "{found:?} holds a secret"
            );
        }
    }
}

#[test]
fn in_a_configuration_that_is_wrong() {
    let mut configs: Vec<String> = [
        // No TOML at all.
        "[kafka.options]\n\"sasl.password\" = CANARY\n",
        "[kafka.options]\n\"sasl.password\" = \"CANARY\n",
        "[kafka.options]\n\"sasl.password\" = \"\"\"CANARY",
        "[kafka.options]\n\"sasl.password\" = \"CANARY\" \"CANARY\"\n",
        "[kafka.options]\n\"sasl.password\" = \"\\CANARY\"\n",
        "[kafka.options]\n\"sasl.password\" = \"CANARY\"\n\"sasl.password\" = \"CANARY\"\n",
        "[kafka.options]\nsasl.password CANARY\n",
        // In the wrong place, or of the wrong type.
        "[kafka]\n\"sasl.password\" = \"CANARY\"\n",
        "[kafka]\noptions = \"sasl.password=CANARY\"\n",
        "[kafka]\noptions = [\"sasl.password=CANARY\"]\n",
        "[kafka]\nbrokers = { password = \"CANARY\" }\n",
        "[kafka]\ntimeout = \"30s\"\npassword = \"CANARY\"\n",
        "kafka = \"CANARY\"\n",
        "password = \"CANARY\"\n",
        "[kafka.options]\n\"sasl.password\" = [\"CANARY\"]\n",
        "[kafka.options]\n\"sasl.password\" = { fil = \"CANARY\" }\n",
        "[kafka.options]\n\"sasl.password\" = { env = \"HOME\", value = \"CANARY\" }\n",
        "[kafka.options]\n\"sasl.password\" = { file = 1, value = \"CANARY\" }\n",
        "[kafka.options]\n\"sasl.password\" = 2025-10-31T00:00:00Z\nx = \"CANARY\"\n",
        "[warehouse]\npassword = \"CANARY\"\n",
        "[warehouse]\nstrict = \"CANARY\"\n",
        "warehouse = \"mysql://u:CANARY@h/d\"\n",
        "[topics.T]\nkind = \"stream\"\npassword = \"CANARY\"\n",
        "[topics.T]\nkind = [\"CANARY\"]\n",
        "[topics]\nT = \"CANARY\"\n",
        // What librdkafka would say.
        "[kafka.options]\n\"no.such.password\" = \"CANARY\"\n",
        "[kafka.options]\n\"sasl.jaas.config\" = \"x required password=CANARY\"\n",
        "[kafka.options]\n\"ssl.key.pem\" = \"CANARY\"\n\"security.protocol\" = \"SSL\"\n",
        "[kafka.options]\n\"ssl.certificate.pem\" = \"CANARY\"\n\"security.protocol\" = \"SSL\"\n",
        "[kafka.options]\n\"ssl.key.location\" = \"nowhere\"\n\"ssl.key.password\" = \"CANARY\"\n\"security.protocol\" = \"SSL\"\n",
        "[kafka.options]\n\"ssl.keystore.location\" = \"secret\"\n\"ssl.keystore.password\" = \"CANARY\"\n\"security.protocol\" = \"SSL\"\n",
        "[kafka.options]\n\"sasl.oauthbearer.config\" = \"CANARY\"\n\"sasl.mechanisms\" = \"OAUTHBEARER\"\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n",
        "[kafka.options]\n\"sasl.mechanisms\" = \"NONE-SUCH\"\n\"sasl.password\" = \"CANARY\"\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n",
        "[kafka.options]\n\"enable.sasl.oauthbearer.unsecure.jwt\" = \"CANARY-token\"\n",
    ]
    .map(str::to_owned)
    .to_vec();
    // Addresses of databases that are none.
    let urls = [
        "[\"mysql://u:CANARY@h/d\"]",
        "\"mysql://u:CANARY@h/d?ssl=1\"",
        "\"mysql:/u:CANARY@h/d\"",
        "\"postgres://u:CANARY@h/d\"",
        "\"mysql://u:CANARY@h\"",
        "\"u:CANARY@h/d\"",
        "\"mysql://u:CANARY@h:port/d\"",
        "\"mysql://u:CANARY@/d\"",
        "\"mysql://u:CANARY@h/d\" x",
        "{ u = \"CANARY\" }",
    ];
    configs.extend(urls.map(|url| format!("[warehouse]\nurl = {url}\n")));
    let mut cases = Vec::new();
    for config in &configs {
        let command = if config.contains("url = ") {
            &["init-db", "--check"][..]
        } else {
            &["lake", "--topics", "T", "--brokers", "127.0.0.1:1"]
        };
        cases.push(case(config, &[], command));
    }
    // All of them are told by the same few lines: one form each.
    each(&cases, |at, case| check(case, &[FORMS[at % 3]]));
}

#[test]
fn on_a_command_line_where_none_belongs() {
    let url = "mysql://u:CANARY@127.0.0.1:1/d";
    let equals = format!("--url={url}");
    let lines: Vec<Vec<&str>> = vec![
        vec!["lake", "-X", "sasl.password=CANARY"],
        vec!["lake", "-Xsasl.password=CANARY"],
        vec!["lake", "-X", "sasl.password=CANARY", "--max-messages", "many"],
        vec!["lake", "-X", "sasl.password", "CANARY"],
        vec!["lake", "-X", "sasl.jaas.config=x password=\"CANARY\""],
        vec!["lake", "-X", "ssl.key.pem=CANARY"],
        vec!["lake", "sasl.password=CANARY"],
        vec!["lake", "--password", "CANARY"],
        vec!["lake", "--password=CANARY"],
        vec!["lake", "--sasl.password=CANARY"],
        vec!["lake", "-x", "sasl.password=CANARY"],
        vec!["sasl.password=CANARY"],
        vec!["warehouse", url],
        vec!["warehouse", "--url", url],
        vec!["warehouse", &equals],
        vec!["warehouse", "--lake-root", "x", &equals],
        vec!["init-db", "--url", url],
        vec!["init-db", "--check", "--url", "mysql://u:CANARY@h/d?unknown=1"],
        vec!["init-db", "--check", "--url", "mysql://u:CANARY@h:port/d"],
        vec!["purge", "--only", "warehouse", "--url", url],
        vec!["purge", "--history", "--url", url],
        vec!["grant", "list", "--url", url],
        vec!["grant", "apply", &equals],
        vec!["grant", url],
        vec![url],
    ];
    let cases: Vec<Case> = lines
        .iter()
        .map(|line| case("[topics.T]\nkind = \"stream\"\n", &[], line))
        .collect();
    each(&cases, |_, case| check(case, &FORMS));
}

/// Servers that are not there, that say nothing, or that say no.
#[test]
fn towards_servers_that_refuse() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let warehouse = Warehouse::without_database();
    let mut cases = Vec::new();
    let sasl = |secret: &str, protocol: &str| {
        format!(
            "[topics.T]\nkind = \"stream\"\n[kafka.options]\n\"security.protocol\" = {protocol:?}\n\"sasl.mechanisms\" = \"PLAIN\"\n\
             \"sasl.username\" = \"u\"\n\"sasl.password\" = {secret}\n"
        )
    };
    let servers = [
        ("SASL_PLAINTEXT", brokers()),
        ("SASL_SSL", brokers()),
        ("SASL_SSL", "127.0.0.1:1"),
    ];
    let secrets = ["{ file = \"secret\" }", "{ env = \"SASL_SECRET\" }", "\"CANARY\""];
    for (secret, (protocol, broker)) in secrets.into_iter().zip(servers) {
        let line = ["lake", "--brokers", broker, "-X", "debug=all"];
        cases.push(case(&sasl(secret, protocol), &[("SASL_SECRET", "CANARY")], &line));
    }
    let address = &warehouse.address;
    let user = &warehouse.user;
    let urls = [
        // A wrong password; no such database; nobody listens; a certificate that nobody vouches for.
        (format!("mysql://{user}:CANARY@{address}/x"), "off"),
        (format!("mysql://nobody:CANARY@{address}/x"), "off"),
        ("mysql://u:CANARY@127.0.0.1:1/x".to_owned(), "off"),
        (format!("mysql://{user}:CANARY@{address}/x"), "required"),
        ("mysql://u:CANARY@no-such-host.invalid/x".to_owned(), "required"),
    ];
    for (url, tls) in &urls {
        let tls = format!("[warehouse]\ntls = {tls:?}\n");
        let in_file = format!("{tls}url = {url:?}\n");
        let bare = url.replace(":CANARY", "");
        let by_file = format!("{tls}url = {bare:?}\npassword_file = \"secret\"\n");
        for command in [&["init-db"][..], &["grant", "list"]] {
            cases.push(case(&tls, &[("LAKECTL_WAREHOUSE_URL", url)], command));
            cases.push(case(&in_file, &[], command));
            cases.push(case(&by_file, &[], command));
            cases.push(case(
                &tls,
                &[
                    ("LAKECTL_WAREHOUSE_URL", &bare),
                    ("LAKECTL_WAREHOUSE_PASSWORD", "CANARY"),
                ],
                command,
            ));
        }
    }
    let slow = case(
        &sasl("{ env = \"SASL_SECRET\" }", "SASL_PLAINTEXT"),
        &[("SASL_SECRET", "CANARY")],
        &["lake", "--brokers", &silent.to_string()],
    );
    cases.push(slow);
    each(&cases, |at, case| check(case, &[FORMS[at % 3]]));
}

/// Where all goes well: the password is the real one, and the audit trails tell of every run.
#[test]
fn where_all_goes_well() {
    let topic = Topic::compacted("secrets");
    topic.send(&[
        record("a", "{\"PURCHASE_COUNT\":1}"),
        record("b", "{\"PURCHASE_COUNT\":\"x\"}"),
    ]);
    let warehouse = Warehouse::of_counts(&topic);
    let password = warehouse.password.clone();
    assert!(password.len() > 7, "too short to be told from other text");
    let url = warehouse.url().replace('@', &format!(":{password}@"));
    let env = [("LAKECTL_WAREHOUSE_URL", url.as_str())];
    let key = format!("{}=a", topic.name);
    let lines: [(&[&str], i32); 9] = [
        (&["lake"], 0),
        (&["warehouse"], 3),
        (&["init-db", "--check"], 0),
        (&["init-db", "--print"], 0),
        (&["grant", "set", "alice", "tables", "read"], 0),
        (&["purge", "--key", &key, "--yes"], 0),
        (
            &["purge", "--older-than", "7d", "--yes", "--max-fraction", "1"],
            0,
        ),
        (&["purge", "--history"], 0),
        (&["grant", "list"], 0),
    ];
    for (line, code) in lines {
        for more in ["--verbose", "--json"] {
            let run = warehouse.start_with(&[line, &[more]].concat(), &env).wait();
            assert!(run.code == code || run.code == 0, "{line:?}: {run:?}");
            assert!(
                !run.stdout.contains(&password) && !run.stderr.contains(&password),
                "{line:?}: {run:?}"
            );
        }
    }
    assert_nowhere(warehouse.folder(), &password, &[]);
    for table in [
        "lakectl_audit",
        "lakectl_rejects",
        "lakectl_progress",
        "user_permissions",
    ] {
        let rows = warehouse.query(&format!("SELECT * FROM {table}"));
        assert!(!format!("{rows:?}").contains(&password), "{table}");
    }
}
