//! A schema with all that it refers to: each version of another subject is asked for once, and circles end.

use anyhow::Result;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Inquiry;
use crate::config::SchemaKind;
use crate::decode::schema::{Reference, Registered, SchemaId};
use crate::http::{Answer, encoded};
use crate::words::one_line;

/// More than any schema needs, and little enough for a registry that makes up ever more.
const REFERENCES_MAX: usize = 1_000;
/// Bytes of all the schemas that one refers to.
const TEXT_MAX: usize = 64 << 20;
/// The type of schemas whose type a registry doesn't name.
const UNNAMED_TYPE: &str = "AVRO";

/// A schema as the registry sends it.
#[derive(Debug, Deserialize)]
pub(super) struct SchemaAnswer {
    pub id: Option<u32>,
    schema: String,
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    references: Option<Vec<ReferenceAnswer>>,
    #[serde(rename = "ruleSet")]
    rules: Option<RuleSetAnswer>,
}

#[derive(Debug, Clone, Deserialize)]
struct ReferenceAnswer {
    name: String,
    subject: String,
    version: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleSetAnswer {
    domain_rules: Option<Vec<RuleAnswer>>,
    encoding_rules: Option<Vec<RuleAnswer>>,
}

#[derive(Debug, Deserialize)]
struct RuleAnswer {
    #[serde(rename = "type")]
    kind: Option<String>,
    disabled: Option<bool>,
}

/// The versions of subjects that schemas refer to, as far as they were asked for.
pub(super) type Versions = HashMap<(String, i64), Referred>;

/// A version of a subject, or why there is none.
type Referred = Result<Arc<SchemaVersion>, String>;

#[derive(Debug)]
pub(super) struct SchemaVersion {
    text: String,
    references: Vec<ReferenceAnswer>,
}

pub(super) enum Resolved {
    Whole(Registered),
    /// The registry has it, but nobody could use it.
    Broken(String),
}

/// Makes the answer whole.
///
/// # Errors
/// The registry can't be reached or refuses.
pub(super) fn resolve(inquiry: &mut Inquiry<'_>, id: SchemaId, answer: SchemaAnswer) -> Result<Resolved> {
    let kind = answer.kind.as_deref().unwrap_or(UNNAMED_TYPE);
    let Some(kind) = SchemaKind::find(|traits| traits.registry == kind) else {
        return Ok(Resolved::Broken(format!(
            "its type is {}; {} can be read",
            one_line(kind),
            SchemaKind::titles()
        )));
    };
    let encrypted = answer.rules.is_some_and(|rules| rules.encrypt());
    let references = match references(inquiry, answer.references.unwrap_or_default())? {
        Ok(references) => references,
        Err(what) => return Ok(Resolved::Broken(what)),
    };
    Ok(Resolved::Whole(Registered {
        id,
        kind,
        text: answer.schema,
        references,
        encrypted,
    }))
}

/// Walks down to what refers to nothing, and collects on the way back.
fn references(
    inquiry: &mut Inquiry<'_>,
    references: Vec<ReferenceAnswer>,
) -> Result<Result<Vec<Reference>, String>> {
    let whole = SchemaVersion {
        text: String::new(),
        references,
    };
    let mut path = vec![Visit::to(None, Arc::new(whole))];
    let mut seen = HashSet::new();
    let mut bytes = 0;
    let mut found = Vec::new();
    while let Some(visit) = path.last_mut() {
        let Some(next) = visit.next() else {
            if let Some(Visit {
                name: Some(name),
                version,
                ..
            }) = path.pop()
            {
                let text = version.text.clone();
                found.push(Reference { name, text });
            }
            continue;
        };
        if !seen.insert(next.name.clone()) {
            continue;
        }
        let version = match version(inquiry, &next)? {
            Ok(version) => version,
            Err(what) => return Ok(Err(what)),
        };
        bytes += version.text.len();
        if seen.len() > REFERENCES_MAX || bytes > TEXT_MAX {
            return Ok(Err(format!(
                "it refers to more than {REFERENCES_MAX} others, or to more than {TEXT_MAX} bytes of them"
            )));
        }
        path.push(Visit::to(Some(next.name), version));
    }
    Ok(Ok(found))
}

/// A schema on the way down, and how many of its references were followed.
struct Visit {
    /// None: the one that all began with.
    name: Option<String>,
    version: Arc<SchemaVersion>,
    followed: usize,
}

impl Visit {
    fn to(name: Option<String>, version: Arc<SchemaVersion>) -> Visit {
        Visit {
            name,
            version,
            followed: 0,
        }
    }

    fn next(&mut self) -> Option<ReferenceAnswer> {
        let next = self.version.references.get(self.followed).cloned();
        self.followed += 1;
        next
    }
}

fn version(inquiry: &mut Inquiry<'_>, reference: &ReferenceAnswer) -> Result<Referred> {
    let key = (reference.subject.clone(), reference.version);
    if let Some(referred) = inquiry.known.versions.get(&key) {
        return Ok(referred.clone());
    }
    let referred = ask(inquiry, reference)?;
    inquiry.known.versions.insert(key, referred.clone());
    Ok(referred)
}

fn ask(inquiry: &mut Inquiry<'_>, reference: &ReferenceAnswer) -> Result<Referred> {
    let ReferenceAnswer { subject, version, .. } = reference;
    let path = format!("/subjects/{}/versions/{version}", encoded(subject));
    let mut answer = inquiry.get::<SchemaAnswer>(&path)?;
    if let Answer::Missing(_) = answer {
        // Deleted softly: old records, and schemas that refer to it, still need it.
        answer = inquiry.get(&format!("{path}?deleted=true"))?;
    }
    Ok(match answer {
        Answer::Found(answer) => Ok(Arc::new(SchemaVersion {
            text: answer.schema,
            references: answer.references.unwrap_or_default(),
        })),
        Answer::Missing(said) => Err(format!(
            "it refers to version {version} of subject {}, which the registry does not have{}",
            one_line(subject),
            said.shown()
        )),
    })
}

impl RuleSetAnswer {
    fn encrypt(&self) -> bool {
        let rules = self.domain_rules.iter().chain(&self.encoding_rules).flatten();
        let mut active = rules.filter(|rule| rule.disabled != Some(true));
        active.any(|rule| matches!(rule.kind.as_deref(), Some("ENCRYPT" | "ENCRYPT_PAYLOAD")))
    }
}
