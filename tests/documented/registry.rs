//! The page's settings of the registry: the second address answers, by TLS and with the login.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::avro::{framed, string};
use crate::common::kafka::{Topic, record};
use crate::common::lake::{Lake, number};
use crate::common::registry::{Certificates, StandIn};
use crate::page;

#[test]
fn the_settings_reach_a_registry() {
    let certificates = Certificates::make();
    let server = StandIn::start_tls(&certificates, false);
    server.has_schema(
        7,
        r#"{"type":"record","name":"R","fields":[{"name":"A","type":"string"}]}"#,
        &Value::Null,
    );
    let topic = Topic::new("settings");
    topic.send(&[record("k", "").bytes(&framed(7, &string("b")))]);
    let mut lake = Lake::new();
    let password = lake.folder().join("registry.password");
    std::fs::write(&password, "secret\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = page::registry()
        .replace("registry1:8081", &nobody.to_string())
        .replace("https://registry2:8081", &server.url())
        .replace("/etc/lakectl/registry.password", password.to_str().unwrap())
        .replace(
            "/etc/lakectl/registry-ca.pem",
            certificates.file("ca.pem").to_str().unwrap(),
        );
    assert!(!settings.contains("/etc/"), "{settings}");
    lake.set_topics(&format!(
        "{settings}\n[topics.{:?}]\nkind = \"stream\"\nvalue.format = \"avro\"\n",
        topic.name
    ));
    assert_eq!(number(&lake.drain()["totals"], "written"), 1);
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let login = format!("Basic {}", BASE64_STANDARD.encode("lakectl:secret"));
    assert_eq!(asked[0].header("authorization"), [&login]);
}
