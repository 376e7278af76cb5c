//! A TCP proxy before MySQL that cuts the wire around COMMIT.
#![allow(dead_code, unreachable_pub)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never hears of the COMMIT.
    Before,
    /// The server commits, its answer gets lost.
    After,
}

/// Listens on a port of its own; the first `times` COMMITs are cut.
pub fn start(server: u16, cut: Cut, times: u32) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicU32::new(times));
    let shared = Arc::clone(&left);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut from_server, mut to_client) =
                (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_server, &mut to_client);
                let _ = to_client.shutdown(Shutdown::Both);
            });
            let left = Arc::clone(&shared);
            std::thread::spawn(move || forward(client, upstream, cut, &left));
        }
    });
    (port, left)
}

fn forward(mut client: TcpStream, mut server: TcpStream, cut: Cut, left: &AtomicU32) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        // A command packet of its own: 4 bytes of header, COM_QUERY, the text.
        let commit = buffer[..count] == *b"\x07\0\0\0\x03COMMIT";
        let cutting = commit
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
        if cutting {
            let _ = client.shutdown(Shutdown::Both);
            if cut == Cut::After {
                let _ = server.write_all(&buffer[..count]);
                // What the server answers goes nowhere; it ends the session by itself.
                let _ = server.shutdown(Shutdown::Write);
            } else {
                let _ = server.shutdown(Shutdown::Both);
            }
            return;
        }
        if server.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}
