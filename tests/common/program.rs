//! The built binary, run as a user runs it.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use super::poll;

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// The exit code; 128 + the signal where one killed it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The one JSON object that stands on stdout.
    pub fn report(&self) -> Value {
        assert!(
            self.stdout.ends_with("}\n") && self.stdout.matches('\n').count() == 1,
            "stdout is not one line: {self:?}"
        );
        let report: Value = serde_json::from_str(&self.stdout).unwrap();
        assert!(report.is_object(), "{self:?}");
        report
    }

    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The exit code, and all of these words on stderr.
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        let run = self.expect(code);
        for word in words {
            assert!(run.stderr.contains(word), "no {word:?} in: {}", run.stderr);
        }
        run
    }
}

/// A run that is under way.
pub struct Running {
    pub child: Child,
    output: Option<[JoinHandle<String>; 2]>,
}

/// A test that panics leaves no run behind, least of all one that it has stopped.
impl Drop for Running {
    fn drop(&mut self) {
        if self.output.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Running {
    pub fn wait(mut self) -> Run {
        let status = poll("lakectl to end", || self.child.try_wait().unwrap());
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        let [stdout, stderr] = self.output.take().unwrap().map(|pipe| pipe.join().unwrap());
        Run {
            code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or_default()),
            stdout,
            stderr,
        }
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Before, a signal would end it without a word.
    pub fn wait_until_signals_are_taken(&self) {
        let status = format!("/proc/{}/status", self.child.id());
        poll("lakectl to take signals", || {
            let status = std::fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
            // The last one that it takes over.
            let last = rustix::process::Signal::XFSZ.as_raw();
            (caught >> (last - 1) & 1 == 1).then_some(())
        });
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }
}

/// lakectl, with nothing of the environment's LAKECTL_ variables.
pub fn command() -> Command {
    without_ours(Command::new(env!("CARGO_BIN_EXE_lakectl")))
}

/// The same as a child of another program, which gets these arguments before it.
pub fn command_under(program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(env!("CARGO_BIN_EXE_lakectl"));
    without_ours(command)
}

fn without_ours(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LAKECTL_") {
            command.env_remove(name);
        }
    }
    command
}

/// Starts lakectl in `folder`.
pub fn start(folder: &Path, arguments: &[impl AsRef<OsStr>], env: &[(&str, &str)]) -> Running {
    let mut command = command();
    command
        .envs(env.iter().copied())
        .args(arguments)
        .current_dir(folder);
    spawn(command)
}

/// Starts a command of which all output is kept.
pub fn spawn(mut command: Command) -> Running {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    Running {
        child,
        output: Some([collect(stdout), collect(stderr)]),
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}
