//! A Kafka record as the sinks see it: borrowed bytes and their coordinates.

/// One record of a topic that the sink knows already.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Kafka partition.
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970; -1 where the record has none.
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    /// None: a tombstone in a table, just a row in a stream.
    pub value: Option<&'a [u8]>,
    pub headers: Vec<Header<'a>>,
}

#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// UTF-8 by Kafka's rule, which not every producer keeps.
    pub name: &'a [u8],
    pub value: Option<&'a [u8]>,
}
