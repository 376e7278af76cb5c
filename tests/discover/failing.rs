//! A ksqlDB or registry that refuses, is something else, or is not there.

use serde_json::json;
use std::time::{Duration, Instant};

use crate::common::kafka::{Topic, record};
use crate::common::registry::{Reply, StandIn};
use crate::place::{Place, STREAMS, TABLES, ksqldb, source};

/// The server's own words, its address and the advice are told; nothing is written.
fn fails(server: &StandIn, more: &str, words: &[&str]) {
    let topic = Topic::new("failing");
    topic.send(&[record("k", "{}")]);
    let place = Place::with(&format!("[ksqldb]\nurl = \"{}\"\n{more}", server.url()));
    let before = place.text();
    let run = place.run(&["discover", "--write", "--topics", &topic.name]);
    let run = run.fails(1, &[words, &["ksqlDB", &server.url()]].concat());
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    assert_eq!(place.text(), before);
}

fn saying(reply: Reply) -> StandIn {
    let server = StandIn::start();
    server.answers(STREAMS, [reply.clone()]);
    server.answers(TABLES, [reply]);
    server
}

#[test]
fn its_own_words_are_shown() {
    let error = |kind: &str, code: i64, message: &str| json!({"@type": kind, "error_code": code, "message": message, "statementText": "LIST STREAMS EXTENDED;", "entities": []});
    let statement = error("statement_error", 40001, "Failed to describe Kafka topics");
    fails(
        &saying(Reply::json(400, &statement)),
        "",
        &["HTTP 400: Failed to describe Kafka topics (error_code 40001)"],
    );
    let generic = error(
        "generic_error",
        40300,
        "You are forbidden from using this cluster",
    );
    fails(
        &saying(Reply::json(403, &generic)),
        "",
        &[
            "HTTP 403: You are forbidden from using this cluster (error_code 40300)",
            "ksqldb.user",
        ],
    );
    let missing = error("generic_error", 40400, "No such resource");
    fails(
        &saying(Reply::json(404, &missing)),
        "",
        &["No such resource (error_code 40400)"],
    );
    let busy = error("generic_error", 50300, "ksqlDB is not ready");
    fails(
        &saying(Reply::json(503, &busy)),
        "",
        &["HTTP 503: ksqlDB is not ready (error_code 50300)"],
    );
}

#[test]
fn what_is_no_ksqldb_is_named() {
    let html = b"<html>welcome</html>";
    let page = Reply::http(200, &[("content-type", "text/html")], html);
    fails(
        &saying(page),
        "",
        &["the answer is not JSON", "is this ksqlDB?", "ksqldb.url"],
    );
    let page = Reply::http(404, &[("content-type", "text/html")], html);
    fails(&saying(page), "", &["HTTP 404", "is this ksqlDB?", "ksqldb.url"]);
    fails(
        &saying(Reply::json(200, &json!({"a": 1}))),
        "",
        &["the answer is JSON, but not that of ksqlDB"],
    );
}

#[test]
fn it_wants_a_login() {
    let refused = Reply::json(
        401,
        &json!({"@type": "generic_error", "error_code": 40100, "message": "Unauthorized"}),
    );
    fails(
        &saying(refused.clone()),
        "",
        &["HTTP 401: Unauthorized (error_code 40100)", "ksqldb.user"],
    );
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, "hunter2\n").unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let login = format!("user = \"me\"\npassword_file = \"{}\"\n", password.display());
    let server = saying(refused);
    fails(&server, &login, &["check ksqldb.user and its password"]);
    assert_eq!(
        server.asked()[0].header("authorization"),
        ["Basic bWU6aHVudGVyMg=="]
    );
}

#[test]
fn one_that_is_not_there_is_not_waited_for() {
    let topic = Topic::new("nobody");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let began = Instant::now();
    let place = Place::with(&format!("[ksqldb]\nurl = \"http://{address}\"\n"));
    place
        .run(&["discover", "--topics", &topic.name])
        .fails(1, &["ksqlDB http://", "Connection refused", "check ksqldb.url"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let server = StandIn::start();
    server.answers(STREAMS, [Reply::Silence]);
    let place = Place::with(&format!(
        "[ksqldb]\nurl = \"{}\"\ntimeout = \"500ms\"\n",
        server.url()
    ));
    place
        .run(&["discover", "--topics", &topic.name])
        .fails(1, &["no answer within 500ms"]);
}

#[test]
fn a_registry_that_fails_is_told_only_if_it_is_needed() {
    let topic = Topic::new("registry");
    let registry = StandIn::start();
    registry.answers("/subjects", [Reply::error(403, 40301, "User is denied")]);
    let section = format!("[schema_registry]\nurl = \"{}\"\n", registry.url());
    Place::with(&section)
        .run(&["discover", "--topics", &topic.name])
        .fails(
            1,
            &["schema registry", "HTTP 403: User is denied (error_code 40301)"],
        );
    let statement = "CREATE STREAM S AS SELECT * FROM X;";
    let of = source(
        "S",
        &topic.name,
        ["KAFKA", "JSON"],
        &["K STRING KEY", "A INTEGER"],
        statement,
    );
    let server = ksqldb(&[of], &[]);
    let place = Place::with(&format!("{section}[ksqldb]\nurl = \"{}\"\n", server.url()));
    place.discover(&topic.name, 0);
    assert_eq!(registry.asked().len(), 1);
}
