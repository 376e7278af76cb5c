//! Requests to servers that answer in JSON: a schema registry, ksqlDB.

mod client;
mod fault;
mod tls;

pub use client::{Answer, HttpClient, Unanswered, encoded};
pub use fault::Said;

use crate::config::HttpService;

/// What is particular to the requests to one kind of server.
#[derive(Debug)]
pub struct HttpDialect {
    /// The formats of an answer.
    pub accept: &'static str,
    /// The format of a request that has a body.
    pub content_type: &'static str,
    /// What its user must be allowed to do: `read subjects`.
    pub rights: &'static str,
    /// What to do where nothing is at this path.
    pub at_wrong_path: fn(&str) -> &'static str,
}

/// The server, as messages name it.
#[derive(Debug, Clone, Copy)]
struct HttpPeer {
    service: HttpService,
    dialect: &'static HttpDialect,
}
