//! A TCP proxy before Kafka that knows the protocol well enough to lose, cut, spoil or hold back single answers.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::DEADLINE;

/// API keys of the protocol.
pub const FETCH: i16 = 1;
pub const METADATA: i16 = 3;
pub const OFFSET_COMMIT: i16 = 8;

/// What becomes of an answer of the broker's.
pub enum Fate {
    Pass,
    /// The connection ends after so many bytes of it.
    CutAfter(usize),
    /// It never arrives, and the connection stays.
    Swallow,
}

/// Decides for each answer, by the API that was asked; it may change the answer, whose first 4 bytes are its length.
/// All connections wait while it decides.
pub type Judge = Box<dyn FnMut(i16, &mut Vec<u8>) -> Fate + Send>;

/// Listens on a port of its own, and stands in for the broker in everything that the broker says of itself.
pub struct KafkaProxy {
    pub address: String,
}

struct Addresses {
    broker: [u8; 13],
    /// What stands in its place.
    named: [u8; 13],
}

/// A host, of so many bytes that no length changes, and a port, as they stand in answers.
fn address(host: &[u8; 9], port: u16) -> [u8; 13] {
    let mut address = [0; 13];
    address[..9].copy_from_slice(host);
    address[9..].copy_from_slice(&u32::from(port).to_be_bytes());
    address
}

impl KafkaProxy {
    pub fn new(broker: &str, judge: Judge) -> KafkaProxy {
        KafkaProxy::start(broker, judge, None)
    }

    /// The broker names this host and port as its address.
    pub fn that_names(broker: &str, host: &[u8; 9], port: u16) -> KafkaProxy {
        KafkaProxy::start(broker, Box::new(|_, _| Fate::Pass), Some(address(host, port)))
    }

    fn start(broker: &str, judge: Judge, named: Option<[u8; 13]>) -> KafkaProxy {
        let (host, broker) = broker.rsplit_once(':').unwrap();
        assert_eq!(host, "127.0.0.1");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        let port: u16 = broker.parse().unwrap();
        let addresses = Arc::new(Addresses {
            broker: address(b"127.0.0.1", port),
            named: named.unwrap_or_else(|| address(b"127.0.0.1", own.port())),
        });
        let judge = Arc::new(Mutex::new(judge));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A broker that is down: the client finds its connection closed.
                if let Ok(broker) = TcpStream::connect(("127.0.0.1", port)) {
                    connect(client, broker, Arc::clone(&addresses), Arc::clone(&judge));
                }
            }
        });
        KafkaProxy {
            address: own.to_string(),
        }
    }
}

fn connect(client: TcpStream, broker: TcpStream, addresses: Arc<Addresses>, judge: Arc<Mutex<Judge>>) {
    let asked = Arc::new(Mutex::new(HashMap::new()));
    let (from_client, to_broker) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        requests(from_client, to_broker, &noted);
    });
    std::thread::spawn(move || answers(broker, client, &addresses, &judge, &asked));
}

/// Passes requests on, and notes which API each correlation id asks.
fn requests(mut client: TcpStream, mut broker: TcpStream, asked: &Mutex<HashMap<[u8; 4], i16>>) {
    while let Some(frame) = read_frame(&mut client) {
        let api = i16::from_be_bytes([frame[4], frame[5]]);
        let correlation = frame[8..12].try_into().unwrap();
        asked.lock().unwrap().insert(correlation, api);
        if broker.write_all(&frame).is_err() {
            break;
        }
    }
    let _ = broker.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}

fn answers(
    mut broker: TcpStream,
    mut client: TcpStream,
    addresses: &Addresses,
    judge: &Mutex<Judge>,
    asked: &Mutex<HashMap<[u8; 4], i16>>,
) {
    while let Some(mut frame) = read_frame(&mut broker) {
        let correlation: [u8; 4] = frame[4..8].try_into().unwrap();
        let api = asked.lock().unwrap().remove(&correlation).unwrap();
        if api != FETCH {
            take_the_brokers_place(&mut frame, addresses);
        }
        let fate = judge.lock().unwrap()(api, &mut frame);
        let length = match fate {
            Fate::Pass => frame.len(),
            Fate::CutAfter(length) => length.min(frame.len()),
            Fate::Swallow => continue,
        };
        if client.write_all(&frame[..length]).is_err() || matches!(fate, Fate::CutAfter(_)) {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = broker.shutdown(Shutdown::Both);
}

/// Where an answer names the broker's address, it is another one from here on.
fn take_the_brokers_place(frame: &mut [u8], addresses: &Addresses) {
    let Addresses { broker, named } = addresses;
    for at in 0..frame.len().saturating_sub(broker.len() - 1) {
        if frame[at..].starts_with(broker) {
            frame[at..at + named.len()].copy_from_slice(named);
        }
    }
}

/// With its length before it; none where the connection ends.
fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame).ok()?;
    let length = u32::from_be_bytes(frame[..4].try_into().unwrap());
    frame.resize(4 + length as usize, 0);
    stream.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}

/// Whether an answer to a Fetch brings records: without any it is short.
pub fn has_records(api: i16, frame: &[u8]) -> bool {
    api == FETCH && frame.len() > 500
}

/// A run that the proxy holds in the middle of its read.
pub struct Hold {
    reached: Receiver<()>,
    release: Sender<()>,
}

impl Hold {
    /// Lets so many answers with records pass, and holds back the next until it is released.
    pub fn after(answers: usize) -> (Hold, Judge) {
        let (tell, reached) = channel();
        let (release, released) = channel();
        let mut seen = 0;
        let judge = move |api: i16, frame: &mut Vec<u8>| {
            if has_records(api, frame) {
                seen += 1;
                if seen == answers + 1 {
                    tell.send(()).unwrap();
                    // Gone without a word is released, too.
                    let _ = released.recv();
                }
            }
            Fate::Pass
        };
        (Hold { reached, release }, Box::new(judge))
    }

    pub fn wait(&self) {
        self.reached
            .recv_timeout(DEADLINE)
            .expect("a run to be in the middle of its read");
    }

    pub fn release(&self) {
        self.release.send(()).unwrap();
    }
}
