//! A real registry: ids, references, and what it says of what it doesn't have.

use lakectl::config::SchemaKind;
use lakectl::decode::schema::Reference;
use serde_json::{Value, json};

use crate::common::registry::register;
use crate::common::{service, unique};
use crate::place::{at, fails, known, number, unknown};

fn url() -> String {
    service("LAKECTL_SCHEMA_REGISTRY_URL")
}

fn reference(name: &str, subject: &str, version: u32) -> Value {
    json!({"name": name, "subject": subject, "version": version})
}

fn names(references: &[Reference]) -> Vec<&str> {
    references
        .iter()
        .map(|reference| reference.name.as_str())
        .collect()
}

#[test]
fn avro_refers_to_other_subjects() {
    let url = url();
    let [name, person, order] = ["name", "person", "order"].map(unique);
    let text = |name: &str, field: &str| {
        format!(
            r#"{{"type":"record","name":"{name}","namespace":"n","fields":[{{"name":"f","type":"{field}"}}]}}"#
        )
    };
    let avro = |more: Value| json!({"schemaType": "AVRO", "references": more});
    register(&url, &name, &text("Name", "string"), &Value::Null);
    register(
        &url,
        &person,
        &text("Person", "n.Name"),
        &avro(json!([reference("n.Name", &name, 1)])),
    );
    let id = register(
        &url,
        &order,
        &text("Order", "n.Person"),
        &avro(json!([reference("n.Person", &person, 1)])),
    );
    let registry = at(std::slice::from_ref(&url));
    let schema = known(&registry, number(id));
    assert_eq!((schema.id, schema.kind), (number(id), SchemaKind::Avro));
    assert_eq!(schema.text, text("Order", "n.Person"));
    assert_eq!(names(&schema.references), ["n.Name", "n.Person"]);
    assert_eq!(schema.references[1].text, text("Person", "n.Name"));
    let latest = registry.latest(&order).unwrap().unwrap();
    assert_eq!(latest, schema);
    let subjects = registry.subjects().unwrap();
    assert!(
        [&name, &person, &order]
            .iter()
            .all(|name| subjects.contains(name)),
        "{subjects:?}"
    );
}

#[test]
fn protobuf_imports_other_subjects() {
    let url = url();
    let [money, order] = ["money.proto", "order"].map(unique);
    let imported = "syntax = \"proto3\";\npackage m;\nmessage Money {\n  int64 cents = 1;\n}\n";
    let text = "syntax = \"proto3\";\npackage o;\nimport \"m/money.proto\";\nmessage Order {\n  m.Money price = 1;\n}\n";
    register(&url, &money, imported, &json!({"schemaType": "PROTOBUF"}));
    let more = json!({"schemaType": "PROTOBUF", "references": [reference("m/money.proto", &money, 1)]});
    let id = register(&url, &order, text, &more);
    let schema = known(&at(&[url]), number(id));
    assert_eq!((schema.kind, schema.text.as_str()), (SchemaKind::Protobuf, text));
    let expected = Reference {
        name: "m/money.proto".to_owned(),
        text: imported.to_owned(),
    };
    assert_eq!(schema.references, [expected]);
}

#[test]
fn versions_of_a_subject_have_ids_of_their_own() {
    let url = url();
    let subject = unique("versions");
    let text = |fields: &str| format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    let (one, other) = (text(""), text(r#"{"name":"a","type":"int","default":0}"#));
    let ids = [&one, &other].map(|text| register(&url, &subject, text, &Value::Null));
    let registry = at(&[url]);
    assert_eq!(known(&registry, number(ids[0])).text, one);
    assert_eq!(known(&registry, number(ids[1])).text, other);
    assert_eq!(registry.latest(&subject).unwrap().unwrap().text, other);
}

#[test]
fn what_it_does_not_have_is_unknown() {
    let registry = at(&[url()]);
    let told = unknown(&registry, number(2_000_000_000));
    assert!(told.contains("error_code 40403"), "{told}");
    assert_eq!(registry.latest(&unique("nobody")).unwrap(), None);
    // A path at which there is no such API.
    let beside = url().replace("/apis/ccompat/v7", "/apis/none");
    assert!(fails(&at(&[beside]), number(1)).contains("HTTP 404"));
}
