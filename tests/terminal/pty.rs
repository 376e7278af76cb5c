//! A terminal for lakectl to be at.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::common::poll;

/// Which of the streams are the terminal; the others go to a pipe.
#[derive(Clone, Copy)]
pub struct On {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

pub const ALL: On = On {
    stdin: true,
    stdout: true,
    stderr: true,
};

/// A run at a terminal, while it runs.
pub struct AtTerminal {
    pub child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    screen_reader: JoinHandle<()>,
    pipes: Vec<JoinHandle<String>>,
}

/// What it left.
#[derive(Debug)]
pub struct Shown {
    pub code: i32,
    /// Everything that was written to the terminal.
    pub screen: String,
    /// Everything else.
    pub piped: String,
}

pub fn start(mut command: Command, columns: u16, on: On) -> AtTerminal {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let size = Winsize {
        ws_row: 40,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    let terminal = || -> Stdio {
        let file = File::options().read(true).write(true).open(&path).unwrap();
        OwnedFd::from(file).into()
    };
    let pick = |at: bool| if at { terminal() } else { Stdio::piped() };
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        if !command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
    if !command.get_envs().any(|(set, _)| set == "TERM") {
        command.env("TERM", "xterm-256color");
    }
    let stdin = if on.stdin { terminal() } else { Stdio::null() };
    command
        .stdin(stdin)
        .stdout(pick(on.stdout))
        .stderr(pick(on.stderr));
    let mut child = command.spawn().unwrap();
    // Its copy of the terminal would keep ours open for ever.
    drop(command);
    let mut pipes = Vec::new();
    pipes.extend(child.stdout.take().map(read_all));
    pipes.extend(child.stderr.take().map(read_all));
    let screen = Arc::new(Mutex::new(Vec::new()));
    let (seen, mut reader) = (Arc::clone(&screen), File::from(master.try_clone().unwrap()));
    let screen_reader = std::thread::spawn(move || {
        let mut part = [0; 4096];
        // EIO: nobody has the terminal any more.
        while let Ok(length @ 1..) = reader.read(&mut part) {
            seen.lock().unwrap().extend(&part[..length]);
        }
    });
    AtTerminal {
        child,
        keyboard: File::from(master),
        screen,
        screen_reader,
        pipes,
    }
}

pub fn run(command: Command, columns: u16, on: On) -> Shown {
    start(command, columns, on).wait()
}

impl AtTerminal {
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until all of these words stand on the screen.
    pub fn see(&self, words: &[&str]) {
        poll(&format!("{words:?} on the screen"), || {
            let screen = self.screen();
            words.iter().all(|word| screen.contains(word)).then_some(())
        });
    }

    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    pub fn wait(mut self) -> Shown {
        let status = poll("lakectl to end", || self.child.try_wait().unwrap());
        self.screen_reader.join().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        let screen = self.screen.lock().unwrap().clone();
        let piped = self.pipes.drain(..).map(|pipe| pipe.join().unwrap());
        Shown {
            code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or_default()),
            screen: String::from_utf8(screen).expect("torn UTF-8 on the screen"),
            piped: piped.collect(),
        }
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).unwrap();
        text
    })
}
