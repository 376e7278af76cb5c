//! Registries as a configuration names them, and what is said of them.

use anyhow::Result;
use lakectl::config::{self, HttpSettings, Overrides};
use lakectl::decode::registry::{Lookup, Registry};
use lakectl::decode::schema::{Registered, SchemaId};
use lakectl::exit;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// The settings of `[schema_registry]` with these lines. Files are named as they are.
pub fn settings(lines: &str) -> Result<HttpSettings> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lakectl.toml");
    std::fs::write(&path, format!("[schema_registry]\n{lines}\n")).unwrap();
    let settings = config::load(Some(&path), &Overrides::default(), &|_| None)?;
    Ok(settings.registry.unwrap())
}

pub fn registry(lines: &str) -> Registry {
    Registry::new(Some(&settings(lines).unwrap())).unwrap()
}

/// A registry by its addresses alone.
pub fn at(urls: &[String]) -> Registry {
    registry(&format!("url = \"{}\"", urls.join(",")))
}

pub fn number(id: u32) -> SchemaId {
    SchemaId::Number(id)
}

pub fn known(registry: &Registry, id: SchemaId) -> Arc<Registered> {
    match registry.schema(id).unwrap() {
        Lookup::Known(schema) => schema,
        Lookup::Unknown(problem) => panic!("{problem}"),
    }
}

pub fn unknown(registry: &Registry, id: SchemaId) -> String {
    match registry.schema(id).unwrap() {
        Lookup::Known(schema) => panic!("{schema:?}"),
        Lookup::Unknown(problem) => problem.to_string(),
    }
}

/// The error of an id, which fails a run with exit code 1.
pub fn fails(registry: &Registry, id: SchemaId) -> String {
    let error = registry.schema(id).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::FAILED, "{error:#}");
    format!("{error:#}")
}

/// A file with such text that only its owner reads.
pub fn secret_file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}
