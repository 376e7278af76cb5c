//! The command line, and the plan that follows from it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use clap::{Parser, ValueEnum};

use crate::generate::Plan;
use crate::topics::Derived;

const DAY_MS: i64 = 86_400_000;

/// Where seeded runs begin unless told otherwise: 2025-10-29T00:00:00Z. Fixed, or the seed would not be enough.
const SEEDED_START_MS: i64 = 1_761_696_000_000;

/// Produce transactions into Kafka, and the streams and tables that ksqlDB would derive from them.
///
/// transaction_log is keyed by transaction id. Every message carries `amount_usd`, a number with two decimals: its
/// sum over the topic is the sum of TOTAL_DEPENSE_USD over the table TOTAL_DEPENSE_PAR_USER_TYPE.
///
/// A run continues where earlier ones stopped: it first reads transaction_log back to know the totals so far. Only one
/// run at a time may derive.
#[derive(Debug, Parser)]
#[command(name = "produce_transactions", version)]
pub(crate) struct Options {
    /// Kafka bootstrap servers
    #[arg(long, env = "LAKECTL_BROKERS", default_value = "localhost:9092")]
    pub(crate) brokers: String,

    /// Topic of the transactions
    #[arg(long, default_value = "transaction_log")]
    pub(crate) topic: String,

    /// Put before the names of the derived topics
    #[arg(long, default_value = "")]
    pub(crate) prefix: String,

    /// Producing threads
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) threads: u32,

    /// Messages per thread; 0 only derives what earlier runs left
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub(crate) messages: u32,

    /// Pause of a thread after each message: 10ms, 1s, 0
    #[arg(long, default_value = "10ms", value_parser = parse_pause)]
    pub(crate) sleep: Duration,

    /// Make exactly these transactions again (default: others each time)
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// First event time, RFC 3339 or a date in UTC (default: --days ago; with --seed 2025-10-29)
    #[arg(long, value_parser = parse_time)]
    pub(crate) start: Option<i64>,

    /// Days over which the event times are spread
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,

    /// Only transaction_log, none of ksqlDB's topics (for a real ksqlDB)
    #[arg(long)]
    pub(crate) no_derive: bool,

    /// Format of the derived topics, their keys included; transaction_log stays JSON, as an application's own
    #[arg(long, value_enum, default_value_t = Format::Json, conflicts_with = "no_derive")]
    pub(crate) format: Format,

    /// Schema registry, for --format avro: TOPIC-key and TOPIC-value are registered there
    #[arg(long, env = "LAKECTL_SCHEMA_REGISTRY_URL", value_name = "URL")]
    pub(crate) schema_registry: Option<String>,

    /// Also derive TRANSACTIONS_HORS_UE: transactions from outside the European Union
    #[arg(long, hide = true)]
    pub(crate) hors_ue: bool,
}

/// How the derived topics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Avro,
}

impl Options {
    /// The schema registry, if the format needs one.
    pub(crate) fn registry(&self) -> Result<Option<&str>> {
        if self.format == Format::Json {
            return Ok(None);
        }
        let url = self.schema_registry.as_deref().filter(|url| !url.is_empty());
        url.context("--format avro needs --schema-registry, or LAKECTL_SCHEMA_REGISTRY_URL")
            .map(Some)
    }

    pub(crate) fn plan(&self) -> Plan {
        let span_ms = i64::from(self.days) * DAY_MS;
        let start_ms = self.start.unwrap_or_else(|| match self.seed {
            Some(_) => SEEDED_START_MS,
            None => Utc::now().timestamp_millis() - span_ms,
        });
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(())); // whose keys are random
        Plan {
            seed,
            threads: self.threads,
            messages: self.messages,
            start_ms,
            span_ms,
        }
    }

    /// The derived topics that are written, in the order of the summary.
    pub(crate) fn derived(&self) -> Vec<Derived> {
        let wanted = |topic: &Derived| !self.no_derive && (self.hors_ue || *topic != Derived::HorsUe);
        Derived::ALL.into_iter().filter(wanted).collect()
    }

    pub(crate) fn derived_name(&self, topic: Derived) -> String {
        format!("{}{}", self.prefix, topic.name())
    }
}

fn parse_pause(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is not a pause such as 10ms, 1s or 0");
    let (number, unit_ms) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1000),
        (None, None) if text == "0" => (text, 1),
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_millis(u64::from(number) * unit_ms))
}

fn parse_time(text: &str) -> Result<i64, String> {
    let wrong =
        || format!("{text} is not a time such as 2025-10-29T08:00:00Z or 2025-10-29, from 1970 to 9000");
    let midnight = |date: NaiveDate| {
        date.and_hms_opt(0, 0, 0)
            .map(|time| time.and_utc().timestamp_millis())
    };
    let instant_ms = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.timestamp_millis(),
        Err(_) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .and_then(midnight)
            .ok_or_else(wrong)?,
    };
    let year_9000_ms = 221_845_392_000_000;
    if (0..year_9000_ms).contains(&instant_ms) {
        Ok(instant_ms)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::generate::iso_utc;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn only_avro_asks_for_a_registry() {
        let options = |arguments: &[&str]| {
            Options::parse_from(
                ["produce_transactions", "--schema-registry="]
                    .iter()
                    .chain(arguments),
            )
        };
        assert_eq!(options(&[]).registry().expect("JSON"), None);
        assert!(options(&["--format", "avro"]).registry().is_err());
        let url = "http://localhost:8081";
        let mut avro = options(&["--format", "avro"]);
        avro.schema_registry = Some(url.to_owned());
        assert_eq!(avro.registry().expect("Avro"), Some(url));
    }

    #[test]
    fn pauses() {
        assert_eq!(parse_pause("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(parse_pause("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_pause("0"), Ok(Duration::ZERO));
        for text in ["", "10", "ms", "-1s", "1m", "99999999999s"] {
            assert!(parse_pause(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(parse_time("2025-10-29"), Ok(SEEDED_START_MS));
        assert_eq!(parse_time("2025-10-29T01:00:00+01:00"), Ok(SEEDED_START_MS));
        for text in ["", "tomorrow", "2025-02-30", "1969-12-31", "9001-01-01"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_defaults_are_5000_transactions_and_a_seed_fixes_the_start() {
        let options = Options::parse_from(["produce_transactions", "--seed", "7"]);
        let plan = options.plan();
        assert_eq!((plan.total(), plan.seed), (5_000, 7));
        assert_eq!(iso_utc(plan.start_ms), "2025-10-29T00:00:00.000Z");
        assert_eq!(options.derived().len(), 10);
    }
}
