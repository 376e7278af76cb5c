//! `--metrics-file`: numbers of runs, for Prometheus' textfile collector.
//!
//! Several commands may share a file: each replaces its own samples and keeps the others. The file is read, changed and
//! replaced by one rename, under a lock on its folder, so that a collector never finds half a file.

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
use crate::problem::Problem;
use crate::report::{Report, Status};
use exposition::Samples;
use run::RunMetrics;

/// How long to wait for another lakectl to replace the file, before going on without the lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to try the lock.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Everybody may read the file: collectors run under their own account.
const MODE: u32 = 0o644;

/// Writes the samples of a run that has ended. A failure does not undo the run: it is a warning, and exit code 3.
/// `command` is the label that distinguishes kinds of runs; a run about `all_topics` drops those that are not configured any
/// more.
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
    // A link stays: the file that it leads to is replaced.
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

/// The samples in the file.
fn before(path: &Path) -> Result<Samples> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Samples::default()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.is_file() => bail!("it is not a regular file"),
        Ok(_) => {}
    }
    let text = fs::read_to_string(path)?;
    Samples::parse(&text).context(
        Problem::new("it holds what lakectl did not write, and was left as it is").fix("move it away"),
    )
}

/// Takes the lock, so that a second run waits until the first has replaced the file.
fn lock(folder: &Path) -> Result<File> {
    let file = File::open(folder).with_context(|| folder.display().to_string())?;
    let deadline = Instant::now() + PATIENCE;
    // On a file system without locks the last run wins.
    while flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK)
        && Instant::now() < deadline
    {
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(file)
}
