//! Load generator: transactions into `transaction_log`, and what ksqlDB would derive from just those messages.
//!
//!     cargo run --profile quick --example produce_transactions
//!     cargo run --profile quick --example produce_transactions -- --threads 2 --messages 100 --sleep 0 --seed 1
//!
//! The derived topics come in ksqlDB's own wire forms (`examples/ksqldb/*.sql` has the statements that a real ksqlDB
//! would run instead), so that lakectl can be tried and tested without one. With `--format avro` they are in Avro, with
//! schemas in a registry.

mod avro;
#[path = "../avro_bytes.rs"]
mod avro_bytes;
mod catalogue;
mod generate;
mod kafka;
mod money;
mod options;
mod resume;
mod rng;
mod streams;
mod tables;
mod topics;
mod transaction;
mod wire;

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::avro::Encoder;
use crate::generate::{Generator, Plan};
use crate::kafka::{Sink, Target};
use crate::money::Cents;
use crate::options::Options;
use crate::resume::Earlier;
use crate::tables::Tables;
use crate::topics::{Derived, Record};
use crate::transaction::Event;

/// transaction_log's place among the targets; the derived topics follow.
const LOG: usize = 0;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", told_once(&error));
            ExitCode::FAILURE
        }
    }
}

/// The chain of causes on one line, without those that the one before already tells: rdkafka's errors do.
fn told_once(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| !cause.is_empty())
    {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

fn run(options: &Options) -> Result<()> {
    let began = Instant::now();
    let plan = options.plan();
    let sink = Sink::connect(&options.brokers, targets(options))?;
    let encoder = encoder(options)?;
    let earlier = if options.no_derive {
        Earlier::default()
    } else {
        take_stock(options)?
    };
    eprintln!(
        "{} messages from seed {} into {} (repeat with --seed {} --start {})",
        plan.total(),
        plan.seed,
        options.topic,
        plan.seed,
        generate::iso_utc(plan.start_ms)
    );
    produce(&plan, &sink, options.sleep)?;
    let in_log = if options.no_derive {
        None
    } else {
        Some(derive(&plan, &sink, options, encoder.as_ref(), earlier)?)
    };
    summarise(&plan, &sink, in_log, began.elapsed()).context("all was sent, but could not be summed up")?;
    Ok(())
}

/// None: values are JSON.
fn encoder(options: &Options) -> Result<Option<Encoder>> {
    let Some(registry) = options.registry()? else {
        return Ok(None);
    };
    let topics: Vec<_> = options
        .derived()
        .into_iter()
        .map(|topic| (topic, options.derived_name(topic)))
        .collect();
    Encoder::register(registry, &topics).map(Some)
}

fn targets(options: &Options) -> Vec<Target> {
    let log = Target {
        name: options.topic.clone(),
        cleanup_policy: "delete",
    };
    let derived = options.derived().into_iter().map(|topic| Target {
        name: options.derived_name(topic),
        cleanup_policy: topic.cleanup_policy(),
    });
    std::iter::once(log).chain(derived).collect()
}

/// Without this, a second run's totals would start from zero and overwrite the first run's.
fn take_stock(options: &Options) -> Result<Earlier> {
    let full = options.derived_name(Derived::Full);
    let earlier = resume::read_back(&options.brokers, &options.topic, &full)?;
    let pending = earlier.pending.len();
    if earlier.derived > 0 {
        eprintln!(
            "{}: continuing from {} messages of earlier runs",
            options.topic, earlier.derived
        );
    }
    if pending > 0 {
        eprintln!(
            "{}: {pending} messages of earlier runs were never derived; they are now",
            options.topic
        );
    }
    if earlier.foreign > 0 {
        eprintln!(
            "{}: {} records are not of this generator and are left out",
            options.topic, earlier.foreign
        );
    }
    Ok(earlier)
}

/// Sends every thread's messages to transaction_log, keyed by transaction id: all statuses of a transaction then lie
/// in one Kafka partition, in order.
fn produce(plan: &Plan, sink: &Sink, sleep: Duration) -> Result<()> {
    let bar = progress_bar(plan.total(), "producing");
    let sent: Result<()> = thread::scope(|scope| {
        let start = |thread| {
            scope.spawn({
                let bar = &bar;
                move || produce_thread(Generator::new(plan, thread), sink, sleep, bar)
            })
        };
        let threads: Vec<_> = (0..plan.threads).map(start).collect();
        let results = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a producing thread died"))?);
        results.collect()
    });
    sent.and_then(|()| sink.flush())
        .context("transaction_log is incomplete")?;
    bar.finish_and_clear();
    Ok(())
}

fn produce_thread(messages: Generator, sink: &Sink, sleep: Duration, bar: &ProgressBar) -> Result<()> {
    for event in messages {
        let value = serde_json::to_vec(&event.transaction)?;
        sink.send(
            LOG,
            event.transaction.transaction_id.as_bytes(),
            &value,
            event.timestamp_ms,
        )?;
        bar.inc(1);
        if !sleep.is_zero() {
            thread::sleep(sleep);
        }
    }
    Ok(())
}

/// Derives what earlier runs left and then this run's messages, in an order that no thread's timing changes.
/// Returns the sum of all amounts so far, as the tables now have it.
fn derive(
    plan: &Plan,
    sink: &Sink,
    options: &Options,
    encoder: Option<&Encoder>,
    earlier: Earlier,
) -> Result<Cents> {
    let Earlier {
        mut tables, pending, ..
    } = earlier;
    let bar = progress_bar(plan.total() + pending.len() as u64, "deriving");
    let events = || pending.iter().cloned().chain(plan.merged());
    let order = options.derived();
    let send = |record: &Record| -> Result<()> {
        let position = order
            .iter()
            .position(|topic| *topic == record.topic)
            .context("a topic not asked for")?;
        let encoded = encoder.map(|encoder| encoder.encode(record)).transpose()?;
        let Record {
            key,
            value,
            timestamp_ms,
            ..
        } = encoded.as_ref().unwrap_or(record);
        sink.send(LOG + 1 + position, key, value, *timestamp_ms)
    };
    for event in events() {
        derive_one(&event, &mut tables, options.hors_ue, send)?;
        bar.inc(1);
    }
    sink.flush()
        .context("the derived topics are incomplete; the next run derives these messages again")?;
    // Last, because it is by TRANSACTIONS_FULL that the next run knows what was derived.
    for event in events() {
        send(&streams::full(&event)?)?;
    }
    sink.flush()
        .context("TRANSACTIONS_FULL is incomplete; the next run derives its messages again")?;
    bar.finish_and_clear();
    Ok(tables.total_usd())
}

fn derive_one(
    event: &Event,
    tables: &mut Tables,
    hors_ue: bool,
    mut send: impl FnMut(&Record) -> Result<()>,
) -> Result<()> {
    for record in streams::flat_ones(event, hors_ue)?
        .iter()
        .chain(&tables.apply(event)?)
    {
        send(record)?;
    }
    Ok(())
}

fn summarise(plan: &Plan, sink: &Sink, in_log: Option<Cents>, elapsed: Duration) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let width = sink
        .targets()
        .iter()
        .map(|target| target.name.len())
        .max()
        .unwrap_or(0);
    let mut total = 0;
    for (index, target) in sink.targets().iter().enumerate() {
        let delivered = sink.delivered(index);
        writeln!(out, "{:<width$}  {delivered:>9} records", target.name)?;
        total += delivered;
    }
    writeln!(
        out,
        "{:<width$}  {total:>9} records in {:.1} s",
        "total",
        elapsed.as_secs_f64()
    )?;
    let sent: Cents = plan.merged().map(|event| event.transaction.amount_usd).sum();
    writeln!(out, "amount_usd sent by this run: {sent}")?;
    if let Some(in_log) = in_log {
        writeln!(
            out,
            "amount_usd over all of transaction_log, the sum of TOTAL_DEPENSE_USD: {in_log}"
        )?;
    }
    Ok(())
}

/// On stderr where it is a terminal, otherwise nothing.
fn progress_bar(length: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {human_pos}/{human_len} {per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::new(length).with_style(style).with_message(what)
}
