//! A TCP proxy before MySQL that cuts the wire around COMMIT, or in the middle of a statement, or changes what is said.
#![allow(dead_code, unreachable_pub)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never hears of the COMMIT.
    Before,
    /// The server commits, its answer gets lost.
    After,
    /// The same in a session that has deleted rows.
    AfterDeletion,
    /// The server never hears of the COMMIT of a session that has deleted rows.
    BeforeDeletion,
    /// The server never hears of the statement with these words.
    Of(&'static str),
    /// The server executes the statement with these words, its answer gets lost.
    AnswerTo(&'static str),
    /// The server gets half of a statement that is larger than this many bytes.
    Amid(usize),
}

impl Cut {
    fn hits(self, packets: &[u8]) -> bool {
        match self {
            // A command packet of its own: 4 bytes of header, COM_QUERY, the text.
            Cut::Before | Cut::After | Cut::AfterDeletion | Cut::BeforeDeletion => {
                *packets == *b"\x07\0\0\0\x03COMMIT"
            }
            Cut::Of(words) | Cut::AnswerTo(words) => holds(packets, words),
            Cut::Amid(size) => packets.len() > size,
        }
    }

    fn is_of_deletions(self) -> bool {
        matches!(self, Cut::AfterDeletion | Cut::BeforeDeletion)
    }
}

fn holds(packets: &[u8], words: &str) -> bool {
    packets
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}

/// Puts words in the place of others as long, in all that clients say.
pub fn rewriting(server: u16, said: &'static str, heard: &'static str) -> u16 {
    assert_eq!(said.len(), heard.len());
    between(
        server,
        || {},
        move |mut client, mut server| {
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                let packets = &mut buffer[..count];
                if let Some(at) = packets
                    .windows(said.len())
                    .position(|window| window == said.as_bytes())
                {
                    packets[at..at + said.len()].copy_from_slice(heard.as_bytes());
                }
                if server.write_all(packets).is_err() {
                    return;
                }
            }
            let _ = server.shutdown(Shutdown::Both);
        },
    )
}

/// Tells the first client whose packet holds these words that the server has closed the connection. What it says there
/// afterwards is kept.
pub fn deaf(server: u16, words: &'static str) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (said, is_over) = (Arc::clone(&kept), AtomicU32::new(0));
    let port = between(
        server,
        || {},
        move |mut client, mut server| {
            let mut buffer = [0; 65_536];
            let mut is_deaf = false;
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                let packets = &buffer[..count];
                if is_deaf {
                    said.lock().unwrap().extend_from_slice(packets);
                } else if holds(packets, words) && is_over.fetch_add(1, Ordering::SeqCst) == 0 {
                    is_deaf = true;
                    client.shutdown(Shutdown::Write).unwrap();
                } else if server.write_all(packets).is_err() {
                    return;
                }
            }
            let _ = server.shutdown(Shutdown::Both);
        },
    );
    (port, kept)
}

/// Listens on a port of its own, hands the server's answers on, and leaves the other direction to `forward`. Each client waits
/// for `gate`.
fn between(
    server: u16,
    gate: impl Fn() + Send + 'static,
    forward: impl Fn(TcpStream, TcpStream) + Send + Sync + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let forward = Arc::new(forward);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            gate();
            // A server that is down: the client finds its connection closed.
            let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else {
                continue;
            };
            let (mut from_server, mut to_client) =
                (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_server, &mut to_client);
                let _ = to_client.shutdown(Shutdown::Both);
            });
            let forward = Arc::clone(&forward);
            std::thread::spawn(move || forward(client, upstream));
        }
    });
    port
}

/// Listens on a port of its own; the first `times` of what is to be cut are.
pub fn start(server: u16, cut: Cut, times: u32) -> (u16, Arc<AtomicU32>) {
    start_then(server, cut, times, || {})
}

/// After each cut, nobody gets through before `then` has come to its end.
pub fn start_then(
    server: u16,
    cut: Cut,
    times: u32,
    then: impl Fn() + Send + Sync + 'static,
) -> (u16, Arc<AtomicU32>) {
    let left = Arc::new(AtomicU32::new(times));
    let wire = Wire {
        cut,
        left: Arc::clone(&left),
        then: Mutex::new(Box::new(then)),
    };
    let wire = Arc::new(wire);
    let gate = Arc::clone(&wire);
    let port = between(
        server,
        move || drop(gate.then.lock()),
        move |client, server| forward(client, server, &wire),
    );
    (port, left)
}

struct Wire {
    cut: Cut,
    left: Arc<AtomicU32>,
    then: Mutex<Box<dyn Fn() + Send + Sync>>,
}

fn forward(mut client: TcpStream, mut server: TcpStream, wire: &Wire) {
    let mut buffer = [0; 65_536];
    let mut has_deleted = false;
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        has_deleted |= buffer[..count].windows(7).any(|word| word == b"DELETE ");
        let cutting = wire.cut.hits(&buffer[..count])
            && (has_deleted || !wire.cut.is_of_deletions())
            && wire
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        if cutting {
            let then = wire.then.lock().unwrap();
            let _ = client.shutdown(Shutdown::Both);
            let arrives = match wire.cut {
                Cut::Before | Cut::BeforeDeletion | Cut::Of(_) => 0,
                Cut::After | Cut::AfterDeletion | Cut::AnswerTo(_) => count,
                Cut::Amid(_) => count / 2,
            };
            let _ = server.write_all(&buffer[..arrives]);
            // What the server answers goes nowhere; it ends the session by itself.
            let _ = server.shutdown(Shutdown::Write);
            then();
            return;
        }
        if server.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}
