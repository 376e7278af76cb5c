//! Shows how far a run has come: bars at a terminal, or a line in a log from time to time with `--verbose`.

use indicatif::{
    HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Level, Log, PrintOptions};
use crate::record::{DrainPlan, Record};
use crate::report::Report;
use crate::stop::Stop;

/// The clock is read once per this many records.
const STEP: u64 = 1_000;
/// How often a bar is drawn again while no records come.
const TICK: Duration = Duration::from_millis(200);
/// How often a log gets a line on a topic.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Where a run shows how far it has come.
#[derive(Debug)]
pub struct Display {
    way: DisplayMode,
    stop: Stop,
}

#[derive(Debug)]
enum DisplayMode {
    Bars,
    Lines(Log),
    Nothing,
}

impl Display {
    pub fn new(options: PrintOptions, report: &Report, stop: &Stop) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let way = match std::io::stderr().is_terminal() && !dumb {
            _ if options.quiet => DisplayMode::Nothing,
            true if !options.json => DisplayMode::Bars,
            false if options.verbose => DisplayMode::Lines(Log::new(options.log_format, report)),
            _ => DisplayMode::Nothing,
        };
        Display {
            way,
            stop: stop.clone(),
        }
    }

    /// The bar of a topic that is drained next.
    pub fn topic(&self, topic: &str, plan: &DrainPlan) -> TopicBar {
        let shown = match &self.way {
            DisplayMode::Nothing => return TopicBar(None),
            _ if plan.is_empty() => return TopicBar(None),
            DisplayMode::Bars => Shown::bar(plan.len(), topic, &self.stop),
            DisplayMode::Lines(log) => Shown::lines(plan.len(), topic, log.clone()),
        };
        let ranges = plan.ranges.iter().map(|range| (range.partition, range.start));
        TopicBar(Some(Box::new(Shown {
            reached: ranges.collect(),
            ..shown
        })))
    }

    /// The bar of a table whose rows are deleted next.
    pub fn rows(&self, table: &str, rows: u64) -> RowsBar {
        let bar = matches!(self.way, DisplayMode::Bars).then(|| {
            let bar = ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr());
            bar.set_style(style(
                "{prefix} {wide_bar} {percent:>3}% {human_pos} rows {per_sec} {left}{stop}",
                &self.stop,
            ));
            bar.with_prefix(table.to_owned())
        });
        RowsBar(bar.map(Bar))
    }

    /// Shows that another run holds the topic, until the result is dropped.
    pub fn waiting(&self, topic: &str, holder: &str) -> Waiting {
        let bar = matches!(self.way, DisplayMode::Bars).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style(
                "{prefix} {spinner} waiting for {elapsed}: {msg}{stop}",
                &self.stop,
            ));
            bar.set_message(holder.to_owned());
            bar.enable_steady_tick(TICK);
            bar.with_prefix(topic.to_owned())
        });
        if let DisplayMode::Lines(log) = &self.way {
            log.tell(Level::Info, Some(topic), &format!("waiting: {holder}"));
        }
        Waiting(bar.map(Bar))
    }
}

/// A template with our own texts for the time left, and for a run that was stopped.
fn style(template: &str, stop: &Stop) -> ProgressStyle {
    let stop = stop.clone();
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            let _ = match state.eta().as_secs() {
                0 => Ok(()),
                seconds => write!(out, "ETA {}", clock(seconds)),
            };
        })
        .with_key("stop", move |_: &ProgressState, out: &mut dyn Write| {
            if stop.signal().is_some() {
                let _ = write!(out, " stopping; once more: at once");
            }
        })
}

/// `1:05`, `2:00:00`
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The bar of a topic, if a person or a log sees it.
#[derive(Debug)]
pub struct TopicBar(Option<Box<Shown>>);

#[derive(Debug)]
struct Shown {
    way: BarShape,
    topic: String,
    began: Instant,
    /// All offsets, and those done. Offsets are counted, not records, as compaction leaves holes.
    offsets: u64,
    passed: u64,
    records: u64,
    bytes: u64,
    /// The next offset of each Kafka partition.
    reached: BTreeMap<i32, i64>,
}

#[derive(Debug)]
enum BarShape {
    Bar { bar: Bar, counts: Arc<BarCounts> },
    Lines { log: Log, told: Instant },
}

/// A bar that clears itself when it ends, and before anything else is printed.
#[derive(Debug)]
struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The values that the bar's thread reads.
#[derive(Debug, Default)]
struct BarCounts {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl TopicBar {
    pub fn advance(&mut self, record: &Record<'_>) {
        let Some(shown) = &mut self.0 else { return };
        shown.records += 1;
        shown.bytes += record.value.map_or(0, <[u8]>::len) as u64;
        if let Some(next) = shown.reached.get_mut(&record.partition) {
            shown.passed += (record.offset + 1 - *next).max(0).unsigned_abs();
            *next = record.offset + 1;
        }
        if shown.records.is_multiple_of(STEP) {
            shown.show();
        }
    }

    /// All is read, and the target commits.
    pub fn committing(&mut self) {
        let Some(shown) = &mut self.0 else { return };
        if let BarShape::Bar { bar, .. } = &shown.way {
            shown.show_counts();
            bar.0.set_message(" committing");
        }
    }
}

impl Shown {
    fn new(way: BarShape, offsets: u64, topic: &str) -> Self {
        Shown {
            way,
            topic: topic.to_owned(),
            began: Instant::now(),
            offsets,
            passed: 0,
            records: 0,
            bytes: 0,
            reached: BTreeMap::new(),
        }
    }

    fn bar(offsets: u64, topic: &str, stop: &Stop) -> Self {
        let bar = ProgressBar::with_draw_target(Some(offsets), ProgressDrawTarget::stderr());
        let counts = Arc::new(BarCounts::default());
        let read = Arc::clone(&counts);
        let template = "{prefix} {wide_bar} {percent:>3}% {read} {left:9}{msg}{stop}";
        let style =
            style(template, stop).with_key("read", move |state: &ProgressState, out: &mut dyn Write| {
                let (records, bytes) = (
                    read.records.load(Ordering::Relaxed),
                    read.bytes.load(Ordering::Relaxed),
                );
                let _ = out.write_str(&speed(records, bytes, state.elapsed()));
            });
        bar.set_style(style);
        bar.enable_steady_tick(TICK);
        Shown::new(
            BarShape::Bar {
                bar: Bar(bar.with_prefix(topic.to_owned())),
                counts,
            },
            offsets,
            topic,
        )
    }

    fn lines(offsets: u64, topic: &str, log: Log) -> Self {
        Shown::new(
            BarShape::Lines {
                log,
                told: Instant::now(),
            },
            offsets,
            topic,
        )
    }

    fn show(&mut self) {
        self.show_counts();
        let line = self.line_due(Instant::now());
        if let (BarShape::Lines { log, .. }, Some(line)) = (&self.way, line) {
            log.tell(Level::Info, Some(&self.topic), &line);
        }
    }

    /// The line that is due in a log, if one is.
    fn line_due(&mut self, now: Instant) -> Option<String> {
        let BarShape::Lines { told, .. } = &mut self.way else {
            return None;
        };
        if now - *told < LINE_EVERY {
            return None;
        }
        *told = now;
        let elapsed = now - self.began;
        Some(told_so_far(
            self.records,
            self.bytes,
            self.passed,
            self.offsets,
            elapsed,
        ))
    }

    fn show_counts(&self) {
        if let BarShape::Bar { bar, counts } = &self.way {
            counts.records.store(self.records, Ordering::Relaxed);
            counts.bytes.store(self.bytes, Ordering::Relaxed);
            bar.0.set_position(self.passed);
        }
    }
}

/// `1,234,567 records, 120,000/s, 45.20 MiB/s`
fn speed(records: u64, bytes: u64, elapsed: Duration) -> String {
    let per_second = |n: u64| (n as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
    format!(
        "{} records, {}/s, {}/s",
        HumanCount(records),
        HumanCount(per_second(records)),
        HumanBytes(per_second(bytes))
    )
}

/// The line in a log, with the share of offsets and the time left.
fn told_so_far(records: u64, bytes: u64, passed: u64, offsets: u64, elapsed: Duration) -> String {
    let share = passed as f64 / offsets.max(1) as f64;
    let left = elapsed.as_secs_f64() * (1.0 - share) / share.max(1e-9);
    let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
    format!(
        "{:.0} % of {} offsets, {}, about {} left",
        share * 100.0,
        HumanCount(offsets),
        speed(records, bytes, elapsed),
        HumanDuration(left)
    )
}

/// The bar of rows that are deleted.
#[derive(Debug)]
pub struct RowsBar(Option<Bar>);

impl RowsBar {
    /// Rows deleted so far.
    pub fn deleted(&self, rows: u64) {
        if let Some(bar) = &self.0 {
            bar.0.set_position(rows);
        }
    }
}

/// Ends with the wait.
#[derive(Debug)]
pub struct Waiting(#[expect(dead_code, reason = "it is there to be dropped")] Option<Bar>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::LogFormat;

    #[test]
    fn a_log_hears_how_far_and_how_long() {
        let text = told_so_far(250_000, 100 << 20, 500_000, 2_000_000, Duration::from_secs(10));
        assert_eq!(
            text,
            "25 % of 2,000,000 offsets, 250,000 records, 25,000/s, 10.00 MiB/s, about 30 seconds left"
        );
    }

    #[test]
    fn a_log_hears_no_more_often_than_it_should() {
        let log = Log::new(LogFormat::Text, &Report::new("lake", false));
        let mut shown = Shown::lines(100, "T", log);
        (shown.records, shown.passed) = (50, 50);
        let began = shown.began;
        let mut heard = Vec::new();
        for seconds in 0..35 {
            heard.extend(
                shown
                    .line_due(began + Duration::from_secs(seconds))
                    .map(|line| (seconds, line)),
            );
        }
        let at: Vec<u64> = heard.iter().map(|(seconds, _)| *seconds).collect();
        assert!(matches!(at[..], [10 | 11, 20..=22, 30..=33]), "{heard:?}");
        assert!(
            heard[0].1.starts_with("50 % of 100 offsets, 50 records, "),
            "{heard:?}"
        );
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(
            (clock(65), clock(7_205)),
            ("1:05".to_owned(), "2:00:05".to_owned())
        );
    }
}
