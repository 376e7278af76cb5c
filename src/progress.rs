//! What a person at a terminal sees while a topic is drained.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Records between two looks at the clock.
const STEP: u64 = 1_000;

/// A bar on stderr, or nothing where nobody looks.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    records: u64,
    bytes: u64,
}

impl Progress {
    /// `offsets` is how many there are to go through.
    pub fn start(topic: &str, offsets: u64, wanted: bool) -> Self {
        let shown = wanted && offsets > 0 && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::with_draw_target(Some(offsets), ProgressDrawTarget::stderr());
            let template = "{prefix:32} {bar:24} {human_pos}/{human_len} {per_sec} {eta} {msg}";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.with_prefix(topic.to_owned())
        });
        Progress {
            bar,
            records: 0,
            bytes: 0,
        }
    }

    pub fn advance(&mut self, bytes: usize) {
        let Some(bar) = &self.bar else { return };
        self.records += 1;
        self.bytes += bytes as u64;
        if self.records.is_multiple_of(STEP) {
            bar.inc(STEP);
            bar.set_message(format!("{}", indicatif::HumanBytes(self.bytes)));
        }
    }

    /// Rows deleted so far.
    pub fn rows(&self, rows: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(rows);
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
