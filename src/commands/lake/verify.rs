//! `lakectl lake --verify`: the lake against its own ledger, and, where Kafka answers, whether its topics are still the same.

use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::DrainArgs;
use crate::config::{Kind, Settings};
use crate::kafka::{Client, Limits};
use crate::lake::layout::paths::topic_folder;
use crate::lake::{Lake, Verified};
use crate::locked::Locked;
use crate::problem::Problem;
use crate::record::Progress;
use crate::report::{Difference, Report, TargetReport, TopicReport, VerifyReport};
use crate::run::{compare_logs, select};
use crate::stop::Stop;

/// How long Kafka may leave a question unanswered: a lake is verified without it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Differences that stand on stderr; the report has all of them.
const SHOWN_MAX: usize = 50;

pub(super) fn execute(settings: &Settings, args: &DrainArgs, report: &mut Report, stop: &Stop) -> Result<()> {
    let wait = crate::commands::duration("--wait", args.wait.as_deref())?.unwrap_or_default();
    let lake = Lake::existing(settings)?;
    let known = lake.topics_to_verify()?;
    let chosen = select::among(
        &args.topics,
        &known.iter().map(String::as_str).collect::<Vec<_>>(),
        "the lake does not have",
    )?;
    let progress = lake.progress_of(known.iter().filter(|topic| chosen(topic)));
    let refused = refused(settings, &progress, report, stop);
    let mut shown = Vec::new();
    for topic in known.iter().filter(|topic| chosen(topic)) {
        if stop.signal().is_some() {
            break;
        }
        let line = verified(
            topic,
            stop.attempt(wait, |step| lake.verify(topic, &report.run_id, step, stop)),
            refused.get(topic),
        );
        if let TargetReport::Verify(found) = &line.target {
            let differs =
                |it: &Difference| Problem::new(format!("{}: {}", it.path, it.what)).about_topic(topic);
            shown.extend(found.differences.iter().map(differs));
        }
        report.topics.push(line);
    }
    if args.topics.is_empty() {
        let strangers = lake.homeless()?;
        let homeless =
            |path: &String| Problem::new(format!("{path}: no topic has it")).fix("move it out of the lake");
        shown.extend(strangers.iter().map(homeless));
        if !strangers.is_empty() {
            report.needs_attention();
        }
        report.outcome(&json!({ "strangers": strangers }));
    }
    let more = shown.len().saturating_sub(SHOWN_MAX);
    for difference in shown.into_iter().take(SHOWN_MAX) {
        report.warn_of(difference);
    }
    if more > 0 {
        report.warn(format!("and {more} more; --json lists them all"));
    }
    Ok(())
}

/// The topics that Kafka has, but no longer as the lake has read them.
fn refused(
    settings: &Settings,
    progress: &BTreeMap<String, Progress>,
    report: &mut Report,
    stop: &Stop,
) -> BTreeMap<String, Problem> {
    let limits = Limits {
        silence_max: settings.kafka.timeout,
        stop: stop.clone(),
        ..Limits::default()
    };
    let asked = Client::new(&settings.kafka, "lake").and_then(|client| {
        let client = client.stopped_by(stop).answering_within(ANSWER_TIMEOUT);
        compare_logs(&client, progress, &limits)
    });
    let (refused, unknown) = match asked {
        Ok(compared) => (compared.refused, compared.unknown),
        Err(error) => (BTreeMap::new(), vec![Problem::of(&error)]),
    };
    for why in unknown {
        report.warn_of(Problem {
            what: format!(
                "the lake was not compared with Kafka, which may have lost the end of a topic: {}",
                why.what
            ),
            ..why
        });
    }
    refused
}

fn verified(topic: &str, found: Verified, refused: Option<&Problem>) -> TopicReport {
    let line = |kind, found| TopicReport::new(topic, kind, TargetReport::Verify(found));
    let unseen = || line(Kind::Stream, VerifyReport::default());
    match found {
        Ok(Locked::Ours((kind, mut found))) => {
            found.differences.extend(refused.map(|problem| Difference {
                path: topic_folder(kind, topic),
                what: problem.in_place_of(topic).to_string(),
            }));
            let differs = !found.differences.is_empty();
            let mut line = line(kind, found);
            if differs {
                line.needs_attention();
            }
            line
        }
        Ok(Locked::HeldBy(holder)) => {
            let mut line = unseen();
            line.lock_out(holder);
            line
        }
        Err(error) => {
            let mut line = unseen();
            line.fail(&error);
            line
        }
    }
}
