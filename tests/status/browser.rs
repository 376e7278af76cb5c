//! A page in headless Chromium, which reaches nothing but this test: what its document became, what it complained of,
//! and what it asked for.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::common::program;

#[derive(Debug)]
pub struct Seen {
    /// The document after loading.
    pub dom: String,
    /// Lines of the console.
    pub console: Vec<String>,
    /// Hosts and URLs that the page asked for.
    pub requests: Vec<String>,
}

/// What the browser asks for by itself.
const ITS_OWN: [&str; 3] = ["google.com", "googleapis.com", "gvt1.com"];

/// A proxy that notes what it is asked for, and gives nothing.
fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut line = String::new();
            let _ = BufReader::new(&connection).read_line(&mut line);
            // Chromium opens connections ahead, and closes those that it has no use for without a word.
            if !line.is_empty() {
                noted.lock().unwrap().push(line.trim().to_owned());
            }
            let _ = connection
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (address, asked)
}

/// The browser's name, which differs from system to system.
fn chromium() -> &'static str {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = names
        .into_iter()
        .filter(|name| Command::new(name).arg("--version").output().is_ok());
    found
        .next()
        .expect("there is no chromium: run scripts/test, or install the package chromium")
}

pub fn open(page: &Path) -> Seen {
    let profile = tempfile::tempdir().unwrap();
    let (address, asked) = proxy();
    let mut command = Command::new(chromium());
    command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-extensions",
        ])
        .args([
            format!("--proxy-server=http://{address}"),
            "--proxy-bypass-list=<-loopback>".to_owned(),
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("file://{}", page.display()));
    let run = program::spawn(command).wait().expect(0);
    let console = run
        .stderr
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .map(str::to_owned)
        .collect();
    let requests = asked.lock().unwrap().clone();
    let of_the_page = |request: &String| !ITS_OWN.iter().any(|host| request.contains(host));
    Seen {
        dom: run.stdout,
        console,
        requests: requests.into_iter().filter(of_the_page).collect(),
    }
}

/// What stands between two texts, wherever both do.
pub fn between<'t>(text: &'t str, start: &str, end: &str) -> Vec<&'t str> {
    text.split(start)
        .skip(1)
        .map(|rest| rest.split(end).next().unwrap())
        .collect()
}

/// A piece of document as it reads.
pub fn text(html: &str) -> String {
    let mut text = String::new();
    for (at, part) in html.split('<').enumerate() {
        text += if at == 0 {
            part
        } else {
            part.split_once('>').map_or("", |(_, text)| text)
        };
    }
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", "\u{a0}"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    text
}
