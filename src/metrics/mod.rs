//! `--metrics-file`: what runs did, for Prometheus' textfile collector.
//!
//! One file may serve several commands: each replaces its own samples and keeps the others'. It is read, changed and
//! replaced under a lock on its folder, by one rename, so that a collector never finds half of it.

mod exposition;
mod run;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::atomic_file::{folder_of, replace};
use crate::exit;
use crate::report::{Report, Status};
use exposition::Samples;
use run::RunMetrics;

/// How long another lakectl may take to replace the file before we go on without the lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often we look whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Collectors run under an account of their own.
const MODE: u32 = 0o644;

/// Writes the samples of a run that is over. That this fails undoes nothing of the run: it is a warning, and exit code 3.
/// `command` tells the run from runs of another kind, in the label of that name; a run about `all_topics` tells which ones
/// are no longer configured.
pub fn write(path: &Path, command: &'static str, all_topics: bool, report: &mut Report) {
    let now = UNIX_EPOCH.elapsed().unwrap_or_default();
    let run = RunMetrics {
        command,
        report,
        all_topics,
        // To the millisecond, as all times in reports.
        now: now.as_millis() as f64 / 1000.0,
    };
    if let Err(error) = write_over(path, &run) {
        report.warn(format!(
            "the metrics file {} could not be written: {error:#}; the run itself is as this report says",
            path.display()
        ));
        report.exit_code = exit::worst([report.exit_code, exit::ATTENTION]);
        if report.status == Status::Ok {
            report.status = Status::Partial;
        }
    }
}

fn write_over(path: &Path, run: &RunMetrics<'_>) -> Result<()> {
    // A link stays one: what it leads to is replaced.
    let path = match fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error.into()),
    };
    let _lock = lock(&folder_of(&path)?)?;
    let text = run.over(before(&path)?).render();
    replace(&path, &text, Some(Permissions::from_mode(MODE)))?;
    Ok(())
}

/// What the file says so far.
fn before(path: &Path) -> Result<Samples> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Samples::default()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.is_file() => bail!("it is no regular file"),
        Ok(_) => {}
    }
    let text = fs::read_to_string(path)?;
    Samples::parse(&text).context("it holds what lakectl did not write, and was left as it is; move it away")
}

/// Two runs at once: the second one waits for the first to be through.
fn lock(folder: &Path) -> Result<File> {
    let file = File::open(folder).with_context(|| folder.display().to_string())?;
    let deadline = Instant::now() + PATIENCE;
    // A file system without locks has none for us: then the last one wins.
    while flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK)
        && Instant::now() < deadline
    {
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(file)
}
