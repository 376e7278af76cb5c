//! lakectl under strace: which system calls of a run change what others see, and a SIGKILL at one of them.
//!
//! A signal that strace injects is delivered at the entry of the call, which then never happens. The state after a call
//! is met at the next one, so that killing after each is the same as killing before each and at the end.

use std::fmt;
use std::path::Path;
use std::process::Command;

use super::lake::in_memory;
use super::program::{self, Run};

/// System calls that change files, or say something to a server. A `write`, `openat` or `sendto` among them counts
/// only where it goes to a file or to MySQL: see `Call::changes`.
const CHANGING: &str = "\
    open openat creat mkdir mkdirat rename renameat renameat2 link linkat symlink symlinkat unlink \
    unlinkat rmdir truncate ftruncate fallocate chmod fchmod fchmodat chown fchown fchownat setxattr \
    fsetxattr removexattr fremovexattr utimensat write pwrite64 writev pwritev pwritev2 copy_file_range \
    sendfile splice fsync fdatasync syncfs sync_file_range sync sendto sendmsg sendmmsg";

/// System calls that change nothing but the process itself. Whatever is in neither list fails the test: the suite must
/// learn of it before it can say that it kills at every change.
const HARMLESS: &str = "\
    access arch_prctl bind brk clock_nanosleep clone clone3 close connect dup epoll_create1 epoll_ctl \
    epoll_wait eventfd2 execve exit exit_group faccessat2 fadvise64 fcntl fgetxattr flistxattr flock \
    fstat fstatfs futex getcwd getdents64 getegid geteuid getgid getpeername getpid getrandom getsockname \
    getsockopt gettid getuid getxattr ioctl lgetxattr lseek madvise mmap mprotect mremap munmap \
    nanosleep newfstatat pipe2 poll ppoll prctl pread64 prlimit64 read readlink readlinkat readv \
    recvfrom recvmsg restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity \
    sched_yield select set_robust_list set_tid_address setsockopt shutdown sigaltstack socket socketpair \
    stat statfs statx sysinfo tgkill umask uname";

/// What a socket to the server of the warehouse looks like in a trace; None: there is none.
pub type Server<'a> = Option<&'a str>;

/// A system call of the main thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// The how manieth of its name.
    pub nth: u32,
    /// As strace shows it.
    pub text: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.name, self.nth, self.text)
    }
}

impl Call {
    /// Whether it would change a file, or is a word to the server.
    fn changes(&self, server: Server<'_>) -> bool {
        let (_, arguments) = self.text.split_once('(').unwrap_or_default();
        let first = arguments.split(", ").next().unwrap_or_default();
        match &*self.name {
            "open" | "openat" => ["O_CREAT", "O_TRUNC", "O_TMPFILE"]
                .iter()
                .any(|flag| arguments.contains(flag)),
            "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => {
                first.contains("</") || server.is_some_and(|server| first.contains(server))
            }
            "sendto" | "sendmsg" | "sendmmsg" => server.is_some_and(|server| first.contains(server)),
            name => is_in(CHANGING, name),
        }
    }

    /// Whether the file system, or the server's data, is another after it than before it, for all but a power cut.
    pub fn has_effect(&self) -> bool {
        let failed = self.text.contains(") = -1 ");
        let syncs = ["fsync", "fdatasync", "syncfs", "sync_file_range", "sync"];
        let asks = self.name == "sendto" && self.only_asks();
        !(failed || asks || syncs.contains(&&*self.name))
    }

    /// A packet of MySQL's login: a command's first packet has the number 0, and is the only one here.
    fn is_login(&self) -> bool {
        let quoted = self.text.split_once('"').map_or("", |(_, quoted)| quoted);
        bytes_of(quoted).get(3).is_some_and(|&number| number != 0)
    }

    /// A packet to MySQL that changes no data whatever the server does with it. A prepared statement's execution is
    /// taken for one that does.
    fn only_asks(&self) -> bool {
        const QUIT: &str = r#""\1\0\0\0\1""#;
        const PREPARE: &str = r"\0\26";
        const CLOSE: &str = r"\0\31";
        const QUERY: &str = r"\0\3";
        let questions = ["SELECT ", "SHOW ", "SET ", "USE ", "START "];
        let asked = |(_, sql): (&str, &str)| questions.iter().any(|word| sql.starts_with(word));
        self.is_login()
            || [QUIT, PREPARE, CLOSE].iter().any(|word| self.text.contains(word))
            || self.text.split_once(QUERY).is_some_and(asked)
    }
}

/// The first bytes of a text in strace's quotes.
fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next().filter(|&c| c != '"') {
        if c != '\\' {
            bytes.push(c as u8);
            continue;
        }
        let digit = |c: &char| c.is_digit(8);
        let mut octal = String::new();
        while let Some(c) = rest.next_if(|c| octal.len() < 3 && digit(c)) {
            octal.push(c);
        }
        bytes.push(match u8::from_str_radix(&octal, 8) {
            Ok(byte) => byte,
            Err(_) => match rest.next() {
                Some('n') => b'\n',
                Some('t') => b'\t',
                Some('r') => b'\r',
                Some('v') => 0x0b,
                Some('f') => 0x0c,
                Some(c) => c as u8,
                None => break,
            },
        });
    }
    bytes
}

/// A run that came to its end, or was killed, and what it changed on the way.
pub struct Traced {
    pub run: Run,
    /// Where it was killed, this ends with the call that did not happen.
    pub changes: Vec<Call>,
}

/// Runs lakectl, of which `fill` knows folder, arguments and environment, and lists what it changes.
/// A change by a thread other than the main one fails: `kill_at` would not meet it.
pub fn list(server: Server<'_>, fill: impl FnOnce(&mut Command)) -> Traced {
    let trace = format!("trace=execve{}", all_changing());
    listed(&["-f", "--seccomp-bpf", "-e", &trace], server, fill)
}

/// The same, and fails where lakectl makes a system call of any kind that the lists above don't know.
pub fn list_all(server: Server<'_>, fill: impl FnOnce(&mut Command)) -> Traced {
    listed(&["-f"], server, fill)
}

fn listed(options: &[&str], server: Server<'_>, fill: impl FnOnce(&mut Command)) -> Traced {
    let (run, main, others) = strace(options, server, fill);
    for call in main.iter().chain(others.iter().flatten()) {
        let known = is_in(CHANGING, &call.name) || is_in(HARMLESS, &call.name);
        assert!(known, "is {call} a change that a kill must be tried at?");
    }
    for call in others.into_iter().flatten() {
        let asks = call.name == "sendto" && call.only_asks();
        assert!(!call.changes(server) || asks, "a thread of its own makes {call}");
    }
    let changes = main.into_iter().filter(|call| call.changes(server)).collect();
    Traced { run, changes }
}

/// Runs lakectl and kills it when its main thread makes a call of this name for the `nth` time.
pub fn kill_at(name: &str, nth: u32, server: Server<'_>, fill: impl FnOnce(&mut Command)) -> Traced {
    // Without -f: the other threads go their way, and `when` counts the main thread's calls alone.
    let trace = format!("trace=execve,{name}{}", all_changing());
    let inject = format!("inject={name}:signal=KILL:when={nth}");
    let (run, main, _) = strace(&["-e", &trace, "-e", &inject], server, fill);
    let changes = main.into_iter().filter(|call| call.changes(server)).collect();
    Traced { run, changes }
}

/// Not every architecture knows all of the names, hence the question marks.
fn all_changing() -> String {
    let names = CHANGING.split_whitespace();
    names.map(|name| format!(",?{name}")).collect()
}

fn is_in(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|known| known == name)
}

/// Runs lakectl, and gives back the calls of its main thread and those of the others.
fn strace(
    options: &[&str],
    server: Server<'_>,
    fill: impl FnOnce(&mut Command),
) -> (Run, Vec<Call>, Vec<Vec<Call>>) {
    let dir = in_memory();
    let file = dir.path().join("trace");
    let (file, followed) = (file.to_str().unwrap(), options.contains(&"-f"));
    // A file for each thread, where there are several.
    let names = if server.is_some() { "-yy" } else { "-y" };
    let own = ["-qq", names, if followed { "-ff" } else { "-qq" }, "-o", file];
    let arguments = [options, &own].concat();
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    let mut command = program::command_under("strace", &arguments);
    fill(&mut command);
    let run = program::spawn(command).wait();
    let (mut main, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let calls = calls(&entry.unwrap().path());
        if calls.first().is_some_and(|call| call.name == "execve") {
            main = calls
        } else {
            others.push(calls)
        }
    }
    (run, main, others)
}

/// The calls in a thread's own trace.
fn calls(file: &Path) -> Vec<Call> {
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let mut counts = std::collections::BTreeMap::new();
    let mut calls = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with(['+', '-'])) {
        let Some((name, _)) = line.split_once('(') else {
            panic!("{line} is not a system call")
        };
        let nth = counts.entry(name.to_owned()).or_insert(0);
        *nth += 1;
        calls.push(Call {
            name: name.to_owned(),
            nth: *nth,
            text: line.to_owned(),
        });
    }
    calls
}
