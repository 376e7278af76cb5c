//! Errors as values: the subject, what is wrong, and what to do. No code has to take sentences apart.

use std::error::Error;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::advice;

/// The topic or Kafka partition of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemSubject {
    Topic(String),
    Partition { topic: String, partition: i32 },
}

impl ProblemSubject {
    pub fn topic(name: &str) -> ProblemSubject {
        ProblemSubject::Topic(name.to_owned())
    }

    pub fn partition(topic: &str, partition: i32) -> ProblemSubject {
        ProblemSubject::Partition {
            topic: topic.to_owned(),
            partition,
        }
    }

    pub fn is_topic(&self, name: &str) -> bool {
        matches!(self, ProblemSubject::Topic(topic) if topic == name)
    }

    /// The topic, or the topic of the Kafka partition.
    pub fn topic_name(&self) -> &str {
        match self {
            ProblemSubject::Topic(topic) | ProblemSubject::Partition { topic, .. } => topic,
        }
    }
}

impl fmt::Display for ProblemSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProblemSubject::Topic(topic) => write!(f, "topic {topic}"),
            ProblemSubject::Partition { topic, partition } => {
                write!(f, "topic {topic} Kafka partition {partition}")
            }
        }
    }
}

/// An error that a person can act on. It is shown as `subject: what; fix`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    pub subject: Option<ProblemSubject>,
    pub what: String,
    pub fix: Option<String>,
    /// A mistake of the caller (flags, configuration, a target that does not fit): exit code 2.
    pub is_usage: bool,
}

impl Problem {
    pub fn new(what: impl Into<String>) -> Problem {
        Problem {
            what: what.into(),
            ..Problem::default()
        }
    }

    pub fn usage(what: impl Into<String>) -> Problem {
        Problem {
            is_usage: true,
            ..Problem::new(what)
        }
    }

    #[must_use]
    pub fn about(self, subject: ProblemSubject) -> Problem {
        Problem {
            subject: Some(subject),
            ..self
        }
    }

    #[must_use]
    pub fn about_topic(self, name: &str) -> Problem {
        self.about(ProblemSubject::topic(name))
    }

    #[must_use]
    pub fn fix(self, fix: impl Into<String>) -> Problem {
        Problem {
            fix: Some(fix.into()),
            ..self
        }
    }

    #[must_use]
    pub fn fix_if_known(self, fix: Option<impl Into<String>>) -> Problem {
        Problem {
            fix: fix.map(Into::into),
            ..self
        }
    }

    pub fn err<T>(self) -> anyhow::Result<T> {
        Err(self.into())
    }

    /// The problem as an error with the error behind it. As an anyhow context it would not be found in the chain.
    pub fn caused_by(self, error: impl Into<anyhow::Error>) -> anyhow::Error {
        anyhow::Error::new(CausedBy {
            problem: self,
            error: error.into(),
        })
    }

    fn in_cause<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e Problem> {
        let caused = |caused: &'e CausedBy| &caused.problem;
        cause
            .downcast_ref::<Problem>()
            .or_else(|| cause.downcast_ref().map(caused))
    }

    /// An error with its causes as one problem; the advice of the innermost cause that has some counts. If none of them carries a fix, there may be advice on the operating system's
    /// error.
    pub fn of(error: &anyhow::Error) -> Problem {
        let mut told = Problem::default();
        let mut words = Vec::new();
        for (depth, cause) in error.chain().enumerate() {
            if let Some(problem) = Problem::in_cause(cause) {
                told.fix = problem.fix.clone().or(told.fix);
                told.is_usage |= problem.is_usage;
                if depth == 0 {
                    told.subject.clone_from(&problem.subject);
                    words.push(problem.what.clone());
                } else {
                    words.push(problem.without_fix());
                }
            } else if let (Some(layer), 0) = (cause.downcast_ref::<Regarding>(), depth) {
                told.subject = Some(layer.subject.clone());
            } else {
                words.push(cause.to_string());
            }
        }
        told.what = words.join(": ");
        told.fix = told.fix.or_else(|| advice::on(error).map(str::to_owned));
        told
    }

    /// The problem for a place that names this topic already.
    pub fn in_place_of(&self, topic: &str) -> Problem {
        let subject = self.subject.clone();
        Problem {
            subject: subject.filter(|subject| !subject.is_topic(topic)),
            ..self.clone()
        }
    }

    pub fn without_fix(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{subject}: {}", self.what),
            None => self.what.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_fix())?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

impl Error for Problem {}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A failure that only a mistake in lakectl explains.
pub fn unexpected(what: impl Into<String>) -> anyhow::Error {
    Problem::new(what).fix("please report it").into()
}

/// A problem with the error behind it.
#[derive(Debug)]
struct CausedBy {
    problem: Problem,
    error: anyhow::Error,
}

impl fmt::Display for CausedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl Error for CausedBy {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error.as_ref())
    }
}

/// An error with its subject.
#[derive(Debug)]
struct Regarding {
    subject: ProblemSubject,
    error: anyhow::Error,
}

impl fmt::Display for Regarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subject.fmt(f)
    }
}

impl Error for Regarding {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error.as_ref())
    }
}

/// Adds the subject to an error.
pub fn regarding(subject: ProblemSubject, error: anyhow::Error) -> anyhow::Error {
    anyhow::Error::new(Regarding { subject, error })
}

/// Adds the topic to an error that does not name it yet.
pub trait About<T> {
    fn about_topic(self, name: &str) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> About<T> for Result<T, E> {
    fn about_topic(self, name: &str) -> anyhow::Result<T> {
        self.map_err(|error| {
            let error = error.into();
            match Problem::of(&error).subject {
                Some(subject) if subject.topic_name() == name => error,
                _ => regarding(ProblemSubject::topic(name), error),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;
    use anyhow::Context;

    #[test]
    fn what_it_is_about_and_what_to_do_survive_every_layer() {
        let inner = Problem::usage("`a; b` is not a table: really. So").fix("run: x; y");
        let error = inner
            .err::<()>()
            .context("looking")
            .about_topic("T: x")
            .unwrap_err();
        let told = Problem::of(&error);
        assert_eq!(told.subject, Some(ProblemSubject::topic("T: x")));
        assert_eq!(told.what, "looking: `a; b` is not a table: really. So");
        assert_eq!(told.fix.as_deref(), Some("run: x; y"));
        assert_eq!(told.to_string(), format!("{error:#}"));
        assert_eq!(exit::code_of(&error), exit::USAGE);
        assert_eq!(told.in_place_of("T: x").without_fix(), told.what);
    }

    #[test]
    fn what_to_do_is_found_above_the_cause() {
        let lost = anyhow::anyhow!("ERROR 1205").context("deleting");
        let told = Problem::usage("nothing was changed").fix("let it end");
        let error = Err::<(), _>(told.caused_by(lost)).about_topic("T").unwrap_err();
        let told = Problem::of(&error);
        assert_eq!(told.what, "nothing was changed: deleting: ERROR 1205");
        assert_eq!(told.fix.as_deref(), Some("let it end"));
        assert_eq!(exit::code_of(&error), exit::USAGE);
    }

    #[test]
    fn an_error_without_a_fix_stays_whole() {
        let told = Problem::of(&anyhow::anyhow!("one; two. three"));
        assert_eq!((told.what.as_str(), &told.fix), ("one; two. three", &None));
        let full = std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let full = Err::<(), _>(full).about_topic("T").unwrap_err();
        assert!(
            Problem::of(&full)
                .fix
                .is_some_and(|fix| fix.contains("make room"))
        );
    }
}
