//! What is asked for, how often, and what comes of it.

use lakectl::config::{HttpSettings, SchemaKind};
use lakectl::decode::registry::Registry;
use lakectl::decode::schema::{Reference, SchemaId};
use lakectl::exit;
use serde_json::{Value, json};

use crate::common::registry::{Reply, StandIn};
use crate::place::{at, fails, known, number, unknown};

fn refers(to: &[(&str, &str, i64)]) -> Value {
    let references: Vec<Value> = to
        .iter()
        .map(|(name, subject, version)| json!({"name": name, "subject": subject, "version": version}))
        .collect();
    json!({ "references": references })
}

fn names(references: &[Reference]) -> Vec<(&str, &str)> {
    let names = references.iter();
    names.map(|r| (r.name.as_str(), r.text.as_str())).collect()
}

#[test]
fn each_schema_is_asked_for_once() {
    let server = StandIn::start();
    server.has_schema(1, "\"long\"", &Value::Null);
    server.has_schema(
        2,
        "{}",
        &json!({"schemaType": "JSON", "references": null, "ruleSet": null}),
    );
    let registry = at(&[server.url()]);
    for _ in 0..2 {
        let schema = known(&registry, number(1));
        assert_eq!(
            (schema.kind, schema.text.as_str()),
            (SchemaKind::Avro, "\"long\"")
        );
        assert_eq!((schema.id, schema.encrypted), (number(1), false));
        assert_eq!(known(&registry.clone(), number(2)).kind, SchemaKind::JsonSchema);
        let told = unknown(&registry, number(7));
        assert!(
            told.contains(&server.url()) && told.contains("does not have schema 7"),
            "{told}"
        );
        assert!(told.contains("Schema not found (error_code 40403); "), "{told}");
    }
    assert_eq!(
        server.targets(),
        ["/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/7"]
    );
    let asked = &server.asked()[0];
    assert!(asked.header("accept")[0].starts_with("application/vnd.schemaregistry.v1+json"));
    assert_eq!(asked.header("accept").len(), 1);
    assert!(asked.header("authorization").is_empty());
}

#[test]
fn a_guid_is_asked_for_as_one() {
    let server = StandIn::start();
    let guid = SchemaId::Guid(*b"\x89\x79\x1d\xcb\x5a\x66\x42\x42\xb1\x33\x5b\x5f\x5d\xd6\x60\xff");
    let target = "/schemas/guids/89791dcb-5a66-4242-b133-5b5f5dd660ff";
    server.answers(
        target,
        [Reply::json(
            200,
            &json!({"schema": "x", "schemaType": "PROTOBUF"}),
        )],
    );
    let registry = at(&[server.url() + "/apis/ccompat/v7/"]);
    assert!(
        fails(&registry, guid).contains("HTTP 404: HTTP 404 Not Found (error_code 404); ids that are GUIDs")
    );
    let registry = at(&[server.url()]);
    assert_eq!(known(&registry, guid).kind, SchemaKind::Protobuf);
    assert!(
        unknown(&registry, SchemaId::Guid([0; 16])).contains("schema 00000000-0000-0000-0000-000000000000")
    );
    let other = "/schemas/guids/00000000-0000-0000-0000-000000000000";
    assert_eq!(
        server.targets(),
        [&format!("/apis/ccompat/v7{target}"), target, other]
    );
}

#[test]
fn references_come_before_those_that_refer_to_them() {
    let server = StandIn::start();
    server.has_schema(1, "root", &refers(&[("a", "A", 1), ("b", "B", 2)]));
    server.has_schema(2, "other", &refers(&[("b", "B", 2)]));
    server.has_version("A", 1, "text a", &refers(&[("c", "C", 1)]));
    server.has_version("B", 2, "text b", &refers(&[("c", "C", 1), ("a", "A", 1)]));
    server.has_version("C", 1, "text c", &refers(&[("b", "B", 2)])); // a circle
    let registry = at(&[server.url()]);
    let schema = known(&registry, number(1));
    assert_eq!(
        names(&schema.references),
        [("b", "text b"), ("c", "text c"), ("a", "text a")]
    );
    let schema = known(&registry, number(2));
    assert_eq!(
        names(&schema.references),
        [("c", "text c"), ("a", "text a"), ("b", "text b")]
    );
    let version = |name: &str| format!("/subjects/{name}");
    assert_eq!(
        server.targets(),
        [
            "/schemas/ids/1",
            &version("A/versions/1"),
            &version("C/versions/1"),
            &version("B/versions/2"),
            "/schemas/ids/2"
        ]
    );
}

#[test]
fn names_are_encoded() {
    let server = StandIn::start();
    server.has_schema(1, "root", &refers(&[("dir/a.proto", ":.ctx:dir/a b?é", 1)]));
    let target = "/subjects/%3A.ctx%3Adir%2Fa%20b%3F%C3%A9/versions/1";
    server.answers(target, [Reply::json(200, &json!({"schema": "a"}))]);
    let registry = at(&[server.url()]);
    assert_eq!(
        names(&known(&registry, number(1)).references),
        [("dir/a.proto", "a")]
    );
    assert_eq!(registry.latest("a/b%").unwrap(), None);
    assert_eq!(server.targets()[2], "/subjects/a%2Fb%25/versions/latest");
}

#[test]
fn a_version_may_have_been_deleted() {
    let server = StandIn::start();
    server.has_schema(1, "root", &refers(&[("a", "A", 1)]));
    server.answers(
        "/subjects/A/versions/1?deleted=true",
        [Reply::json(200, &json!({"schema": "gone"}))],
    );
    server.has_schema(2, "root", &refers(&[("a", "A", 1), ("b", "B", 3)]));
    let registry = at(&[server.url()]);
    assert_eq!(names(&known(&registry, number(1)).references), [("a", "gone")]);
    let told = unknown(&registry, number(2));
    assert_eq!(
        told,
        "schema 2: it refers to version 3 of subject B, which the registry does not have: Subject not found (error_code 40401)"
    );
}

#[test]
fn references_without_end_end() {
    let server = StandIn::start();
    server.has_schema(1, "root", &refers(&[("0", "S", 0)]));
    for version in 0..1_200 {
        let next = version + 1;
        server.has_version("S", version, "x", &refers(&[(&next.to_string(), "S", next)]));
    }
    let registry = at(&[server.url()]);
    assert!(unknown(&registry, number(1)).contains("more than 1000 others"));
    // As long a list of one name is no chain.
    let same = vec![("a", "A", 1); 5_000];
    server.has_schema(2, "root", &refers(&same));
    server.has_version("A", 1, "a", &Value::Null);
    assert_eq!(names(&known(&registry, number(2)).references), [("a", "a")]);
}

#[test]
fn rules_tell_what_is_encrypted() {
    let server = StandIn::start();
    let rule = |kind: &str| json!([{"name": "r", "kind": "TRANSFORM", "type": kind, "tags": ["PII"]}]);
    let off = json!([{"name": "r", "type": "ENCRYPT", "disabled": true}]);
    for (id, rules, encrypted) in [
        (1, json!({"domainRules": rule("ENCRYPT")}), true),
        (
            2,
            json!({"encodingRules": rule("ENCRYPT_PAYLOAD"), "domainRules": null}),
            true,
        ),
        (
            3,
            json!({"domainRules": rule("CEL"), "migrationRules": rule("JSONATA")}),
            false,
        ),
        (4, json!({"domainRules": off}), false),
        (5, json!({}), false),
    ] {
        server.has_schema(id, "\"long\"", &json!({ "ruleSet": rules }));
        assert_eq!(
            known(&at(&[server.url()]), number(id)).encrypted,
            encrypted,
            "{id}"
        );
    }
}

#[test]
fn a_language_that_nobody_reads_is_named() {
    let server = StandIn::start();
    server.has_schema(1, "<xsd/>", &json!({"schemaType": "XSD\n"}));
    let told = unknown(&at(&[server.url()]), number(1));
    assert!(told.starts_with("schema 1: its type is XSD\\n; "), "{told}");
}

#[test]
fn subjects_are_found_by_name() {
    let server = StandIn::start();
    server.answers("/subjects", [Reply::json(200, &json!(["a-key", "a-value"]))]);
    let more = json!({"id": 7, "version": 2, "subject": "a-value", "references": [{"name": "r", "subject": "R", "version": 1}]});
    let mut latest = json!({"schema": "text"});
    latest
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    server.answers("/subjects/a-value/versions/latest", [Reply::json(200, &latest)]);
    server.has_version("R", 1, "r", &Value::Null);
    server.answers(
        "/subjects/odd/versions/latest",
        [Reply::json(200, &json!({"schema": "x"}))],
    );
    server.answers(
        "/subjects/none/versions/latest",
        [Reply::error(404, 40402, "Version not found")],
    );
    let registry = at(&[server.url()]);
    assert_eq!(registry.subjects().unwrap(), ["a-key", "a-value"]);
    let schema = registry.latest("a-value").unwrap().unwrap();
    assert_eq!((schema.id, schema.text.as_str()), (number(7), "text"));
    assert_eq!(names(&schema.references), [("r", "r")]);
    assert_eq!(registry.latest("b-value").unwrap(), None);
    assert!(
        registry
            .latest("odd")
            .unwrap_err()
            .to_string()
            .contains("subject odd has no id")
    );
    assert!(
        registry
            .latest("none")
            .unwrap_err()
            .to_string()
            .contains("error_code 40402")
    );
}

#[test]
fn without_a_registry_its_section_is_named() {
    let registry = Registry::new(None::<&HttpSettings>).unwrap();
    assert!(!registry.is_configured() && at(&["http://127.0.0.1:1".to_owned()]).is_configured());
    let error = registry.schema(number(1)).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::USAGE);
    assert!(error.to_string().contains("[schema_registry]"), "{error}");
    assert!(registry.subjects().is_err() && registry.latest("a").is_err());
}
