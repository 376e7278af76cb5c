//! A schema registry that speaks Confluent's API: schemas by id, subjects by name. Each schema is asked for once a run.

pub mod header;
mod resolve;

use anyhow::Result;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::schema::{Registered, SchemaId};
use crate::config::HttpSettings;
use crate::http::{Answer, HttpClient, HttpDialect, Said, Unanswered, encoded};
use crate::problem::Problem;
use resolve::{Resolved, SchemaAnswer, Versions};

/// How long a registry that could not be reached is not asked again: a run of many topics ends soon.
const DOWN_FOR: Duration = Duration::from_secs(60);
static DIALECT: HttpDialect = HttpDialect {
    // Registries answer in all of them; some old ones know only the first, or only the last.
    accept: "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json",
    content_type: "application/vnd.schemaregistry.v1+json",
    rights: "read subjects and schemas",
    at_wrong_path: |path| {
        if path.starts_with("/schemas/guids/") {
            "ids that are GUIDs need a newer registry (Confluent's has them since 8.0), or another path in schema_registry.url"
        } else {
            "is this a schema registry? check the path in schema_registry.url (Apicurio's is /apis/ccompat/v7)"
        }
    },
};
/// The registry's code for a schema that it doesn't have.
const SCHEMA_NOT_FOUND: i64 = 40403;
/// The registry's code for a subject that it doesn't have.
const SUBJECT_NOT_FOUND: i64 = 40401;

/// The registry of a run, shared by all of its decoders. By default none is configured.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Shared>);

/// What the registry says of an id.
#[derive(Debug, Clone)]
pub enum Lookup {
    Known(Arc<Registered>),
    /// It has no such schema (HTTP 404 with error_code 40403), or none that can be used: what it refers to is missing, or it
    /// is in a language that lakectl doesn't read.
    Unknown(Problem),
}

#[derive(Debug, Default)]
struct Shared {
    /// None where no registry is configured.
    client: Option<HttpClient>,
    /// Locked while the registry is asked, so that nobody asks for the same.
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    schemas: HashMap<SchemaId, Lookup>,
    versions: Versions,
    down: Option<(Instant, Problem)>,
}

impl Registry {
    /// The registry that is configured. No request is made yet.
    ///
    /// # Errors
    /// A certificate or a key can't be used: exit code 2.
    pub fn new(settings: Option<&HttpSettings>) -> Result<Registry> {
        Ok(Registry(Arc::new(Shared {
            client: settings
                .map(|settings| HttpClient::new(settings, &DIALECT))
                .transpose()?,
            known: Mutex::default(),
        })))
    }

    pub fn is_configured(&self) -> bool {
        self.0.client.is_some()
    }

    /// The schema of that id, with all that it refers to.
    ///
    /// # Errors
    /// The registry can't be reached or refuses: exit code 1. None is configured: exit code 2.
    pub fn schema(&self, id: SchemaId) -> Result<Lookup> {
        let mut known = self.known();
        if let Some(lookup) = known.schemas.get(&id) {
            return Ok(lookup.clone());
        }
        let mut inquiry = self.inquiry(&mut known)?;
        let lookup = inquiry.schema(id)?;
        known.schemas.insert(id, lookup.clone());
        Ok(lookup)
    }

    /// Checks that the registry answers, and takes our login. It is asked for a subject as a user of that topic would.
    ///
    /// # Errors
    /// As [`Registry::schema`].
    pub fn answers(&self, topic: &str) -> Result<()> {
        let mut known = self.known();
        let mut inquiry = self.inquiry(&mut known)?;
        let subject = format!("{topic}-value");
        // That it has no such subject is an answer as well.
        inquiry
            .get::<IgnoredAny>(&format!("/subjects/{}/versions/latest", encoded(&subject)))
            .map(drop)
    }

    /// The names of all subjects.
    ///
    /// # Errors
    /// As [`Registry::schema`].
    pub fn subjects(&self) -> Result<Vec<String>> {
        let mut known = self.known();
        let mut inquiry = self.inquiry(&mut known)?;
        match inquiry.get("/subjects")? {
            Answer::Found(names) => Ok(names),
            Answer::Missing(said) => inquiry.missing("the list of subjects", &said).err(),
        }
    }

    /// The newest schema of a subject; None if there is no such subject.
    ///
    /// # Errors
    /// As [`Registry::schema`]. Its newest schema can't be used: exit code 1.
    pub fn latest(&self, subject: &str) -> Result<Option<Arc<Registered>>> {
        let mut known = self.known();
        let mut inquiry = self.inquiry(&mut known)?;
        let answer: SchemaAnswer =
            match inquiry.get(&format!("/subjects/{}/versions/latest", encoded(subject)))? {
                Answer::Found(answer) => answer,
                Answer::Missing(said) if said.code == Some(SUBJECT_NOT_FOUND) => return Ok(None),
                Answer::Missing(said) => return inquiry.missing(&format!("subject {subject}"), &said).err(),
            };
        let id = answer.id.ok_or_else(|| {
            Problem::new(format!(
                "schema registry {}: its answer for subject {subject} has no id",
                inquiry.client.shown()
            ))
        })?;
        match inquiry.resolve(SchemaId::Number(id), answer)? {
            Lookup::Known(schema) => Ok(Some(schema)),
            Lookup::Unknown(problem) => problem.err(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inquiry<'s>(&'s self, known: &'s mut Known) -> Result<Inquiry<'s>> {
        let client = self.0.client.as_ref().ok_or_else(|| {
            Problem::usage("no schema registry is configured")
                .fix("write url = \"https://registry:8081\" in [schema_registry], or set LAKECTL_SCHEMA_REGISTRY_URL")
        })?;
        Ok(Inquiry { client, known })
    }
}

/// The registry, asked by one of its users at a time.
struct Inquiry<'s> {
    client: &'s HttpClient,
    known: &'s mut Known,
}

impl Inquiry<'_> {
    fn schema(&mut self, id: SchemaId) -> Result<Lookup> {
        let path = match id {
            SchemaId::Number(number) => format!("/schemas/ids/{number}"),
            SchemaId::Guid(_) => format!("/schemas/guids/{id}"),
        };
        match self.get(&path)? {
            Answer::Found(answer) => self.resolve(id, answer),
            Answer::Missing(said) if said.code == Some(SCHEMA_NOT_FOUND) => {
                let problem = self.missing(&format!("schema {id}"), &said);
                Ok(Lookup::Unknown(problem.fix(
                    "name the registry that the records were written with in schema_registry.url",
                )))
            }
            Answer::Missing(said) => self.missing(&format!("schema {id}"), &said).err(),
        }
    }

    fn resolve(&mut self, id: SchemaId, answer: SchemaAnswer) -> Result<Lookup> {
        match resolve::resolve(self, id, answer)? {
            Resolved::Whole(schema) => Ok(Lookup::Known(Arc::new(schema))),
            Resolved::Broken(what) => {
                let what = self.client.without_secrets(&what);
                Ok(Lookup::Unknown(Problem::new(format!("schema {id}: {what}"))))
            }
        }
    }

    /// Asks, unless the registry was down a moment ago.
    fn get<T: serde::de::DeserializeOwned>(&mut self, path: &str) -> Result<Answer<T>> {
        if let Some((since, problem)) = &self.known.down
            && since.elapsed() < DOWN_FOR
        {
            return problem.clone().err();
        }
        self.known.down = None;
        self.client.get(path).map_err(|Unanswered { problem, is_down }| {
            if is_down {
                self.known.down = Some((Instant::now(), problem.clone()));
            }
            problem.into()
        })
    }

    /// The problem of something that the registry says it doesn't have.
    fn missing(&self, what: &str, said: &Said) -> Problem {
        let said = self.client.without_secrets(&said.shown());
        Problem::new(format!(
            "schema registry {} does not have {what}{said}",
            self.client.shown()
        ))
    }
}
