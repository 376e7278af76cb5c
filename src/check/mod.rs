//! `lakectl check`: looks at everything that a run needs, and changes nothing.
//!
//! All checks are made, whatever an earlier one finds; a check that can't be made says so.

mod broker;
mod configuration;
mod kept;
mod keys;
mod place;
mod sample;
mod schemas;
mod scope;
mod server;
mod table;
mod topic;
mod values;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use crate::config::{Kind, Settings};
use crate::decode::registry::Registry;
use crate::print::PrintOptions;
use crate::print::fit::{NAME_MIN, hang, shorten};
use crate::problem::Problem;
use crate::report::{Report, TimeDoubt};
use crate::stop::Stop;
use crate::target::TargetKind;
use crate::words::{count, one_line};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckStatus {
    Ok,
    /// A run would fail, or do something unwanted.
    Wrong,
    /// The check could not be made; the message says why.
    Unknown,
}

impl CheckStatus {
    fn word(self) -> &'static str {
        match self {
            CheckStatus::Ok => "ok",
            CheckStatus::Wrong => "wrong",
            CheckStatus::Unknown => "unknown",
        }
    }
}

/// The result of one check, which is one line of the answer.
#[derive(Debug, Clone, Serialize)]
struct Check {
    /// `configuration`, `Kafka`, `MySQL`, `schema_registry`, `lake`, or a topic's name.
    subject: String,
    name: &'static str,
    status: CheckStatus,
    message: String,
    /// What to do; if the check is ok, what could be better.
    fix: Option<String>,
}

#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, status: CheckStatus, place: CheckName<'_>, message: &str, fix: Option<String>) {
        self.0.push(Check {
            subject: place.0.to_owned(),
            name: place.1,
            status,
            message: one_line(message),
            fix: fix.map(|fix| one_line(&fix)),
        });
    }

    fn ok(&mut self, place: CheckName<'_>, message: impl AsRef<str>) {
        self.add(CheckStatus::Ok, place, message.as_ref(), None);
    }

    /// Ok, with advice on what could be better.
    fn ok_but(&mut self, place: CheckName<'_>, message: impl AsRef<str>, advice: Option<String>) {
        self.add(CheckStatus::Ok, place, message.as_ref(), advice);
    }

    fn wrong(&mut self, place: CheckName<'_>, message: impl AsRef<str>, fix: impl Into<String>) {
        self.add(CheckStatus::Wrong, place, message.as_ref(), Some(fix.into()));
    }

    fn unknown(&mut self, place: CheckName<'_>, why: impl AsRef<str>) {
        self.add(
            CheckStatus::Unknown,
            place,
            &format!("not checked: {}", why.as_ref()),
            None,
        );
    }

    /// An error that a run would meet. `otherwise` says what to do if the error does not.
    fn error(&mut self, place: CheckName<'_>, error: &anyhow::Error, otherwise: &str) {
        self.problem(place, &Problem::of(error), otherwise);
    }

    fn problem(&mut self, place: CheckName<'_>, problem: &Problem, otherwise: &str) {
        let message = problem.in_place_of(place.0).without_fix();
        self.wrong(place, message, problem.fix.as_deref().unwrap_or(otherwise));
    }

    /// Records of an implausible time: wrong if another unit would mend that, else perhaps history.
    fn odd_times(&mut self, place: CheckName<'_>, doubt: &TimeDoubt, what: &str) {
        let message = format!(
            "{} {what} before 2000 or more than a year ahead: {}",
            count(doubt.records, "record"),
            doubt.example()
        );
        match doubt.unit_to_set() {
            Some(fix) => self.wrong(place, message, fix),
            None => self.ok(place, message),
        }
    }

    fn has_wrong(&self, subject: &str, name: &str) -> bool {
        self.0
            .iter()
            .any(|check| check.status == CheckStatus::Wrong && check.subject == subject && check.name == name)
    }

    fn wrong_ones(&self) -> impl Iterator<Item = &Check> {
        self.0.iter().filter(|check| check.status == CheckStatus::Wrong)
    }

    /// The lines of the answer. In a narrow terminal each check's message stands below its name.
    fn lines(&self, width: Option<usize>) -> Vec<String> {
        if let Some(width) = width.filter(|&width| width < TABLE_MIN) {
            return self.0.iter().flat_map(|check| check.narrow(width)).collect();
        }
        let width = |text: fn(&Check) -> &str| {
            let widths = self.0.iter().map(|check| text(check).chars().count());
            widths.max().unwrap_or(0)
        };
        let (subjects, names) = (width(|check| &check.subject), width(|check| check.name));
        let line = |check: &Check| {
            format!(
                "{:STATUS$} {:subjects$}  {:names$}  {}",
                check.status.word(),
                check.subject,
                check.name,
                check.text()
            )
        };
        self.0.iter().map(line).collect()
    }
}

impl Check {
    /// The check as a warning; of a topic, if it is about one.
    fn as_problem(&self) -> Problem {
        let problem = Problem::new(format!("{}: {}", self.name, self.message)).fix_if_known(self.fix.clone());
        if OTHER_SUBJECTS.contains(&&*self.subject) {
            let what = format!("{} {}", self.subject, problem.what);
            Problem { what, ..problem }
        } else {
            problem.about_topic(&self.subject)
        }
    }

    fn narrow(&self, width: usize) -> Vec<String> {
        let taken = STATUS + 1 + 2 + self.name.len();
        let subject = shorten(&self.subject, width.saturating_sub(taken).max(NAME_MIN));
        let head = format!("{:STATUS$} {subject}  {}", self.status.word(), self.name);
        let text = hang("  ", &self.text(), Some(width));
        std::iter::once(head).chain(text).collect()
    }

    fn text(&self) -> String {
        match (&self.fix, self.status) {
            (Some(fix), CheckStatus::Wrong) => format!("{}; fix: {fix}", self.message),
            (Some(fix), _) => format!("{}; {fix}", self.message),
            (None, _) => self.message.clone(),
        }
    }
}

/// The width of the longest word of a status.
const STATUS: usize = 7;
/// Narrower terminals have no room for three columns and a message.
const TABLE_MIN: usize = 80;

/// Subject and name of a check.
type CheckName<'a> = (&'a str, &'static str);

const CONFIGURATION: &str = "configuration";
const KAFKA: &str = "Kafka";
const MYSQL: &str = "MySQL";
const SCHEMA_REGISTRY: &str = "schema_registry";
const LAKE: &str = "lake";
const OTHER_SUBJECTS: [&str; 5] = [CONFIGURATION, KAFKA, MYSQL, SCHEMA_REGISTRY, LAKE];

/// What a person wants checked.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// Names and globs; none: every configured topic.
    pub topics: Vec<String>,
    /// One of the two alone.
    pub only: Option<TargetKind>,
    /// Of topics that are not configured.
    pub kind: Option<Kind>,
    /// About this many of the last records of each topic are read; 0: none.
    pub sample: u64,
}

/// What to check.
#[derive(Debug)]
struct CheckScope<'a> {
    settings: &'a Settings,
    registry: Registry,
    print: PrintOptions,
    request: &'a CheckRequest,
    stop: &'a Stop,
    lake: bool,
    warehouse: bool,
}

/// Makes all checks, and reports their results.
///
/// # Errors
/// A topic or glob that does not exist: exit code 2. All other findings are results, not errors.
pub fn execute(
    request: &CheckRequest,
    print: PrintOptions,
    settings: &Settings,
    report: &mut Report,
    stop: &Stop,
) -> Result<()> {
    let scope = CheckScope {
        settings,
        registry: Registry::new(settings.registry.as_ref())?,
        print,
        request,
        stop,
        lake: request.only != Some(TargetKind::Warehouse),
        warehouse: request.only != Some(TargetKind::Lake),
    };
    let topics = scope::topics(&scope)?;
    let mut checks = Checks::default();
    configuration::look(&scope, topics.len(), &mut checks);
    let kafka = broker::look(&scope, &topics, &mut checks);
    let warehouse = server::look(&scope, &topics, &mut checks);
    let registry_answers = schemas::look(&scope, &topics, &mut checks);
    let mirrored = kafka.as_ref().is_some_and(|kafka| kafka.mirrored);
    let lake = place::look(&scope, mirrored, &mut checks);
    let sides = topic::Sides {
        kafka: kafka.as_ref(),
        warehouse: warehouse.as_ref(),
        lake: lake.as_ref(),
        registry_answers,
    };
    let to_come = topic::look(&scope, &topics, &sides, &mut checks)?;
    if scope.lake {
        place::room(&scope, kafka.as_ref().map(|_| to_come), &mut checks);
    }
    tell(&checks, print, report);
    Ok(())
}

fn tell(checks: &Checks, print: PrintOptions, report: &mut Report) {
    let wrong = checks.wrong_ones().count();
    report.outcome(&json!({ "checks": checks.0, "wrong": wrong }));
    report.text = checks.lines(print.width());
    report.text.push(match wrong {
        0 => format!("{}, nothing wrong", count(checks.0.len() as u64, "check")),
        _ => format!("{}, {wrong} wrong", count(checks.0.len() as u64, "check")),
    });
    if wrong > 0 {
        report.needs_attention();
    }
    if print.quiet && !print.json {
        for check in checks.wrong_ones() {
            report.warn_of(check.as_problem());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn a_narrow_terminal_gets_each_message_below_its_check() {
        let mut checks = Checks::default();
        let long = "T".repeat(100);
        checks.ok((KAFKA, "answer"), "127.0.0.1:25518 answers, 1 broker");
        checks.wrong(
            (&long, "retention"),
            "no index begins with `last_update_time`",
            "CREATE INDEX `retention_last_update_time`",
        );
        for width in 40..80 {
            let lines = checks.lines(Some(width));
            assert!(
                lines.iter().all(|line| line.width() <= width),
                "{width}: {lines:#?}"
            );
            assert_eq!(
                lines[..2],
                ["ok      Kafka  answer", "  127.0.0.1:25518 answers, 1 broker"]
            );
            assert!(
                lines[2].starts_with("wrong   TTT")
                    && lines[2].contains('…')
                    && lines[2].ends_with("T  retention")
            );
            let words: Vec<&str> = lines[3..]
                .iter()
                .flat_map(|line| line.split_whitespace())
                .collect();
            assert_eq!(words.join(" "), checks.0[1].text());
        }
        for width in [None, Some(80)] {
            assert_eq!(checks.lines(width).len(), 2, "one line for each");
        }
    }
}
