//! A TCP proxy before MySQL that cuts the wire around COMMIT, or in the middle of a statement.
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
    /// The server gets half of a statement that is larger than this many bytes.
    Amid(usize),
}

impl Cut {
    fn hits(self, packets: &[u8]) -> bool {
        match self {
            // A command packet of its own: 4 bytes of header, COM_QUERY, the text.
            Cut::Before | Cut::After | Cut::AfterDeletion => *packets == *b"\x07\0\0\0\x03COMMIT",
            Cut::Amid(size) => packets.len() > size,
        }
    }
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
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicU32::new(times));
    let wire = Arc::new(Wire {
        cut,
        left: Arc::clone(&left),
        then: Mutex::new(Box::new(then)),
    });
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            drop(wire.then.lock());
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
            let wire = Arc::clone(&wire);
            std::thread::spawn(move || forward(client, upstream, &wire));
        }
    });
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
            && (has_deleted || wire.cut != Cut::AfterDeletion)
            && wire
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        if cutting {
            let then = wire.then.lock().unwrap();
            let _ = client.shutdown(Shutdown::Both);
            let arrives = match wire.cut {
                Cut::Before => 0,
                Cut::After | Cut::AfterDeletion => count,
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
