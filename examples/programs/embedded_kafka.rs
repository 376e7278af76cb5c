//! A Kafka broker in one process, for trying lakectl where no real Kafka can be had: librdkafka's own mock
//! cluster with the topics asked for. It keeps everything in memory, listens on a loopback port of the kernel's
//! choice and runs until SIGTERM or SIGINT.
//!
//! It does not replace real Kafka in tests of correctness: it has no compaction, retention or transaction
//! isolation, and creates any topic that a client asks about. `scripts/services up --embedded` starts it, and `env` then
//! sets `LAKECTL_EMBEDDED_KAFKA` to its address: it tells no ids and settings of topics, and is not asked for any.
//!
//!     cargo run --profile quick --example embedded_kafka -- --topics transaction_log,ORDERS:1 --ready-file /tmp/brokers

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use rdkafka::mocking::MockCluster;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

const BROKER_COUNT: i32 = 1;
const PARTITION_COUNT_DEFAULT: i32 = 3;
/// Far above any sensible demo; beyond it a slip of the finger would only eat memory.
const PARTITION_COUNT_MAX: i32 = 1000;

#[derive(Debug, Parser)]
#[command(about = "An in-memory Kafka broker (librdkafka's mock cluster) on a loopback port")]
struct Args {
    /// Topics to create, each NAME or NAME:PARTITIONS (3 partitions where none are given)
    #[arg(long, value_name = "A,B:3", value_delimiter = ',', required = true)]
    topics: Vec<TopicSpec>,

    /// Where to write the bootstrap address (host:port) once the broker answers
    #[arg(long, value_name = "PATH")]
    ready_file: PathBuf,
}

#[derive(Debug, Clone)]
struct TopicSpec {
    name: String,
    partition_count: i32,
}

fn main() -> Result<()> {
    let args = Args::parse();
    // Before the address is announced: a caller may send SIGTERM as soon as it sees the file.
    let mut stop_signals = Signals::new([SIGTERM, SIGINT]).context("cannot listen for signals")?;

    let cluster = MockCluster::new(BROKER_COUNT).context("cannot start librdkafka's mock cluster")?;
    for topic in &args.topics {
        cluster
            .create_topic(&topic.name, topic.partition_count, BROKER_COUNT)
            .with_context(|| format!("cannot create topic {}", topic.name))?;
    }
    announce(&args.ready_file, &cluster.bootstrap_servers())?;

    // Blocks without polling; librdkafka's own threads serve the clients meanwhile.
    stop_signals.forever().next();
    fs::remove_file(&args.ready_file).with_context(|| format!("cannot remove {}", args.ready_file.display()))
}

impl FromStr for TopicSpec {
    type Err = anyhow::Error;

    /// Topic names follow Kafka's own rule (`[A-Za-z0-9._-]{1,249}`, neither `.` nor `..`), which the mock cluster
    /// doesn't enforce.
    fn from_str(spec: &str) -> Result<Self> {
        let (name, partition_count) = match spec.split_once(':') {
            None => (spec, PARTITION_COUNT_DEFAULT),
            Some((name, count)) => {
                let count = count
                    .parse()
                    .with_context(|| format!("`{count}` is not a number of partitions"))?;
                (name, count)
            }
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(1..=249).contains(&name.len()) || !name.chars().all(legal) || name == "." || name == ".." {
            bail!("`{name}` is not a topic name that Kafka takes");
        }
        if !(1..=PARTITION_COUNT_MAX).contains(&partition_count) {
            bail!("a topic has between 1 and {PARTITION_COUNT_MAX} partitions, not {partition_count}");
        }
        Ok(Self {
            name: name.to_owned(),
            partition_count,
        })
    }
}

/// Writes the address under another name first, so that whoever sees the ready file reads it whole.
fn announce(ready_file: &Path, bootstrap: &str) -> Result<()> {
    let mut unfinished: OsString = ready_file.into();
    unfinished.push(".tmp");
    fs::write(&unfinished, format!("{bootstrap}\n"))
        .and_then(|()| fs::rename(&unfinished, ready_file))
        .with_context(|| format!("cannot write {}", ready_file.display()))
}
