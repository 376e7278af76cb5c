//! Runs under strace, which makes system calls fail, be left out or kill the run, and tells which ones it met.
//!
//! strace counts each system call per thread. What a count stands for is told by the trace itself: by the paths in it.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::lake::Lake;
use super::poll;
use super::program::{self, Run, Running};

/// All calls by which a run changes a disk.
pub const CHANGES: &str = "mkdir,mkdirat,openat,write,fsync,fdatasync,syncfs,rename,renameat,renameat2,symlinkat,unlinkat,fchmod,close";

/// A system call as a trace has it.
#[derive(Debug, Clone)]
pub struct Call {
    pub thread: u32,
    pub name: String,
    /// How many calls of this name the thread has made, this one included: what strace's `when` counts.
    pub nth: u32,
    /// What it was made on, the last one named: a rename's target.
    pub path: PathBuf,
    pub on_folder: bool,
    /// An openat that makes a file.
    pub creates: bool,
    pub injected: bool,
    pub failed: bool,
}

#[derive(Debug)]
pub struct Traced {
    pub run: Run,
    pub calls: Vec<Call>,
}

/// Runs `lakectl` on this lake's configuration under strace with these `-e inject=` expressions. With any, only the calls
/// that they name are traced: each one that is takes time.
pub fn run(lake: &Lake, arguments: &[impl AsRef<str>], injections: &[String]) -> Traced {
    let (running, log) = start(lake, arguments, injections);
    let run = running.wait();
    let trace = std::fs::read_to_string(&log).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    Traced {
        run,
        calls: parse(&trace, lake.folder()),
    }
}

fn start(lake: &Lake, arguments: &[impl AsRef<str>], injections: &[String]) -> (Running, PathBuf) {
    std::fs::write(lake.folder().join("lakectl.toml"), lake.config()).unwrap();
    let log = lake.folder().join("trace");
    let mut words: Vec<String> = ["-f", "-qq", "-y", "-s", "0", "-o"].map(str::to_owned).to_vec();
    words.push(log.to_str().unwrap().to_owned());
    // Much faster, but strace sends no signals then.
    if !injections.iter().any(|text| text.contains("signal=")) {
        words.push("--seccomp-bpf".to_owned());
    }
    let named: Vec<&str> = injections
        .iter()
        .filter_map(|text| text.split(':').next())
        .collect();
    let traced = if named.is_empty() {
        CHANGES.to_owned()
    } else {
        named.join(",")
    };
    words.extend(["-e".to_owned(), format!("trace={traced}")]);
    for injection in injections {
        words.extend(["-e".to_owned(), format!("inject={injection}")]);
    }
    let mut command = program::command_under("strace", &words);
    command
        .args(arguments.iter().map(AsRef::as_ref))
        .current_dir(lake.folder());
    (program::spawn(command), log)
}

/// A run that stands still before one of its system calls.
pub struct Stopped {
    running: Running,
    process: Pid,
}

/// Starts a run and stops it where its main thread makes this call for the `nth` time.
pub fn stop_at(lake: &Lake, arguments: &[impl AsRef<str>], call: &str, nth: u32) -> Stopped {
    let (mut running, log) = start(lake, arguments, &[format!("{call}:signal=STOP:when={nth}")]);
    let process = poll("the run to stop", || {
        assert!(!running.is_over(), "the run was over before its {call} {nth}");
        let trace = std::fs::read_to_string(&log).unwrap_or_default();
        let line = trace.lines().find(|line| line.contains("stopped by SIGSTOP"))?;
        line.split(' ').next()?.parse().ok().and_then(Pid::from_raw)
    });
    Stopped { running, process }
}

impl Stopped {
    pub fn go_on(self) -> Run {
        kill_process(self.process, Signal::CONT).unwrap();
        self.running.wait()
    }
}

impl Traced {
    /// The calls that change what lies under `place`, in their order.
    pub fn under(&self, place: &Path) -> Vec<Call> {
        let changes = |call: &&Call| {
            call.path.starts_with(place) && (call.name != "openat" || call.creates) && call.name != "close"
        };
        self.calls.iter().filter(changes).cloned().collect()
    }

    /// The calls of this kind on files that were written to.
    pub fn closes(&self, place: &Path) -> Vec<Call> {
        let written: BTreeSet<&PathBuf> = self
            .calls
            .iter()
            .filter(|call| call.name == "write")
            .map(|call| &call.path)
            .collect();
        let closes = |call: &&Call| {
            call.name == "close" && call.path.starts_with(place) && written.contains(&call.path)
        };
        self.calls.iter().filter(closes).cloned().collect()
    }

    pub fn injected(&self) -> Vec<&Call> {
        self.calls.iter().filter(|call| call.injected).collect()
    }
}

fn parse(trace: &str, folder: &Path) -> Vec<Call> {
    let mut begun: BTreeMap<u32, String> = BTreeMap::new();
    let mut counts: BTreeMap<(u32, String), u32> = BTreeMap::new();
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, text)) = line.split_once(' ') else {
            continue;
        };
        let (Ok(thread), text) = (thread.parse::<u32>(), text.trim_start()) else {
            continue;
        };
        let whole = match (text.strip_suffix(" <unfinished ...>"), text.strip_prefix("<... ")) {
            (Some(start), _) => {
                begun.insert(thread, start.to_owned());
                continue;
            }
            (None, Some(rest)) => {
                let (Some(start), Some((_, end))) = (begun.remove(&thread), rest.split_once(" resumed>"))
                else {
                    continue;
                };
                format!("{start}{end}")
            }
            (None, None) => text.to_owned(),
        };
        calls.extend(call(thread, &whole, folder, &mut counts, &mut folders));
    }
    // What a kill cut off has begun all the same.
    for (thread, start) in begun {
        calls.extend(call(thread, &start, folder, &mut counts, &mut folders));
    }
    calls
}

fn call(
    thread: u32,
    text: &str,
    folder: &Path,
    counts: &mut BTreeMap<(u32, String), u32>,
    folders: &mut BTreeSet<PathBuf>,
) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    if !CHANGES.split(',').any(|known| known == name) {
        return None;
    }
    let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
    let nth = counts.entry((thread, name.to_owned())).or_default();
    *nth += 1;
    let path = last_path(arguments, folder);
    if name == "openat" && arguments.contains("O_DIRECTORY") && !result.starts_with('-') {
        folders.insert(path.clone());
    }
    Some(Call {
        thread,
        name: name.to_owned(),
        nth: *nth,
        on_folder: folders.contains(&path),
        path,
        creates: name == "openat" && arguments.contains("O_CREAT"),
        injected: result.contains("INJECTED"),
        failed: result.starts_with('-'),
    })
}

/// `7</a/b>, "c"` is /a/b/c; a name without a folder before it stands in `folder`.
fn last_path(arguments: &str, folder: &Path) -> PathBuf {
    let mut dir = folder.to_owned();
    let mut path = PathBuf::new();
    let mut rest = arguments;
    while let Some(at) = rest.find(['<', '"']) {
        let close = if rest[at..].starts_with('<') { '>' } else { '"' };
        let inner = &rest[at + 1..];
        let Some(end) = inner.find(close) else { break };
        let text = &inner[..end];
        if close == '>' {
            dir = PathBuf::from(text);
            path.clone_from(&dir);
        } else if text.is_empty() {
            // The bytes of a write, which are not shown.
        } else if text != "." {
            path = dir.join(text);
        }
        rest = &inner[end + 1..];
    }
    path
}
