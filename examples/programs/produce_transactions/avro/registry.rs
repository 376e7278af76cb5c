//! Registers schemas, by the API that Confluent's registry, Apicurio and Karapace have.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

/// The id of a schema, which is registered under this subject unless it is there. `url` may list several addresses: the
/// first one is asked.
pub(super) fn register(url: &str, subject: &str, schema: &Value) -> Result<u32> {
    let url = url
        .split(',')
        .next()
        .unwrap_or_default()
        .trim()
        .trim_end_matches('/');
    let request = json!({"schema": schema.to_string()}).to_string();
    let mut response = ureq::post(format!("{url}/subjects/{subject}/versions"))
        .config()
        .http_status_as_error(false)
        .build()
        .header("content-type", "application/vnd.schemaregistry.v1+json")
        .send(request.as_bytes())
        .with_context(|| {
            format!("no schema registry answers at {url} (--schema-registry, LAKECTL_SCHEMA_REGISTRY_URL)")
        })?;
    let status = response.status();
    let answer = response.body_mut().read_to_string()?;
    if !status.is_success() {
        bail!("the schema registry does not take {subject}: {status}: {answer}");
    }
    let registered: Registered = serde_json::from_str(&answer)
        .with_context(|| format!("the schema registry at {url} does not answer as one"))?;
    Ok(registered.id)
}
