//! Services that these tests may kill: started by scripts/services in a folder of their own, once per test binary.

use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::common::kafka::use_broker;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services");

/// One service of our own.
pub struct Private {
    name: &'static str,
    dir: PathBuf,
    /// Of the server's configuration.
    lines: String,
    /// Its standard input is a pipe that ends with this process, however it ends: then it takes the service down.
    _undertaker: Child,
}

impl Private {
    pub fn start(name: &'static str) -> Private {
        Private::start_with(name, &[])
    }

    /// With more options of `scripts/services up`.
    pub fn start_with(name: &'static str, options: &[&str]) -> Private {
        Private::start_set(name, options, "")
    }

    /// With more lines of the server's configuration.
    pub fn start_set(name: &'static str, options: &[&str], lines: &str) -> Private {
        let dir = tempfile::tempdir().unwrap().keep();
        let undertaker = Command::new("bash")
            .arg("-c")
            .arg("read -r _; \"$0\" --dir \"$1\" kill \"$2\"; \"$0\" --dir \"$1\" down; rm -rf \"$1\"")
            .args([SCRIPT.as_ref(), dir.as_os_str(), name.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let service = Private {
            name,
            dir,
            lines: lines.to_owned(),
            _undertaker: undertaker,
        };
        service.services(&[&["up", name], options].concat());
        service
    }

    pub fn services(&self, arguments: &[&str]) -> String {
        let output = Command::new(SCRIPT)
            .args(["--private".as_ref(), "--dir".as_ref(), self.dir.as_os_str()])
            .args(arguments)
            .env("KAFKA_HEAP", "256m")
            .env("SERVER_LINES", &self.lines)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "scripts/services {arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A variable of `scripts/services env`.
    pub fn variable(&self, name: &str) -> String {
        let lines = self.services(&["env"]);
        let found = lines
            .lines()
            .find_map(|line| line.strip_prefix(&format!("export {name}='")));
        found.unwrap().trim_end_matches('\'').to_owned()
    }

    fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.dir.join(self.name).join("pid")).unwrap();
        let pid: i32 = text.trim().parse().unwrap();
        let alive = Path::new("/proc").join(text.trim()).exists();
        Pid::from_raw(pid).filter(|_| alive)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid().unwrap(), signal).unwrap();
    }

    /// SIGKILL; the data stays.
    pub fn kill(&self) {
        self.services(&["kill", self.name]);
    }

    /// On the same data and port.
    pub fn restart(&self) {
        self.services(&["restart", self.name]);
    }

    /// Whatever a test did to it.
    fn make_good(&self) {
        match self.pid() {
            Some(pid) => kill_process(pid, Signal::CONT).unwrap(),
            None => self.restart(),
        }
    }
}

/// The private broker for one test alone, which may do to it what it likes: afterwards it is there again. All that the
/// test does from now on is with this broker.
pub fn own_broker() -> OwnBroker {
    static BROKER: OnceLock<Mutex<Private>> = OnceLock::new();
    let broker = BROKER.get_or_init(|| Mutex::new(Private::start("kafka")));
    let broker = broker.lock().unwrap_or_else(PoisonError::into_inner);
    use_broker(&broker.variable("LAKECTL_BROKERS"));
    OwnBroker(broker)
}

pub struct OwnBroker(MutexGuard<'static, Private>);

impl std::ops::Deref for OwnBroker {
    type Target = Private;

    fn deref(&self) -> &Private {
        &self.0
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        self.0.make_good();
    }
}
