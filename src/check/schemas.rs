//! The schema registry, and the schemas that the records of a sample were written with.

use super::scope::CheckedTopic;
use super::{CheckScope, Checks, SCHEMA_REGISTRY};
use crate::config::{HttpLogin, Undecodable};
use crate::decode::{SchemasSeen, or_keep};
use crate::problem::Problem;
use crate::words::listed;

/// Checks that the registry answers. False: topics that need it can't be looked at.
pub(super) fn look(scope: &CheckScope<'_>, topics: &[CheckedTopic], checks: &mut Checks) -> bool {
    let place = (SCHEMA_REGISTRY, "answer");
    let needing: Vec<&str> = topics
        .iter()
        .filter(|subject| subject.topic.needs_registry())
        .map(CheckedTopic::name)
        .collect();
    let shown = match &scope.settings.registry {
        Some(registry) => registry.urls.join(", "),
        None if needing.is_empty() => return true,
        None => String::new(),
    };
    let Some(first) = needing.first() else {
        checks.ok(place, format!("{shown} was not asked: no topic needs it"));
        return true;
    };
    match scope.registry.answers(first) {
        Ok(()) => {
            let login = match scope.settings.registry.as_ref().and_then(|it| it.login.as_ref()) {
                None => "without a login".to_owned(),
                Some(HttpLogin::Basic { user, .. }) => format!("logged in as {user}"),
                Some(HttpLogin::Bearer(_)) => "logged in with a token".to_owned(),
            };
            checks.ok(place, format!("{shown} answers, {login}"));
            true
        }
        Err(error) => {
            let problem = Problem::of(&error);
            let message = format!("{}; needed for {}", problem.without_fix(), listed(&needing));
            let otherwise = "look at the registry, and at schema_registry.url";
            checks.wrong(place, message, problem.fix.as_deref().unwrap_or(otherwise));
            false
        }
    }
}

/// Reports a schema that can't be used and so would fail the topic. False: there is none.
pub(super) fn judge_schemas(
    subject: &CheckedTopic,
    name: &'static str,
    seen: Option<&SchemasSeen>,
    checks: &mut Checks,
) -> bool {
    let problem = seen.and_then(|seen| seen.unusable.as_ref());
    let fails = subject.topic.value.undecodable == Undecodable::Fail;
    let Some(problem) = problem.filter(|_| fails) else {
        return false;
    };
    let message = format!("a run would fail: {}", problem.what);
    let fix = or_keep(problem.clone()).fix.unwrap_or_default();
    checks.wrong((subject.name(), name), message, fix);
    true
}

/// A note on schemas whose rules encrypt.
pub(super) fn encryption(seen: Option<&SchemasSeen>) -> Option<String> {
    let seen = seen?;
    let ids: Vec<String> = seen.encrypted.iter().map(ToString::to_string).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (schema, have) = match ids[..] {
        [] => return None,
        [_] => ("schema", "has"),
        _ => ("schemas", "have"),
    };
    Some(format!(
        "{schema} {} {have} rules that encrypt: such fields stay encrypted in lake and warehouse",
        listed(&ids)
    ))
}

/// The same behind a sentence.
pub(super) fn also_encryption(seen: Option<&SchemasSeen>) -> String {
    encryption(seen).map_or_else(String::new, |note| format!("; {note}"))
}
