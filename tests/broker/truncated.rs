//! A log that lost its end and grew past what was read of it, as after an unclean leader election or a broker that was restored
//! from a backup: by its id the topic is the same, and its offsets go on, but they are other records'.

use std::path::PathBuf;

use super::private::{OwnBroker, own_broker};
use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::compare::assert_table;
use crate::common::files::data_files;
use crate::common::kafka::{Topic, numbered};
use crate::common::lake::{Lake, assert_same, copy, number};

/// Folders of Kafka partitions as they once were.
struct Backup<'b> {
    broker: &'b OwnBroker,
    copies: tempfile::TempDir,
    folders: Vec<PathBuf>,
}

impl<'b> Backup<'b> {
    /// Copies the first Kafka partition of each topic. All of its records are in its files: Kafka has acknowledged them.
    fn of(broker: &'b OwnBroker, topics: &[&Topic]) -> Backup<'b> {
        let copies = tempfile::tempdir().unwrap();
        let data = broker.dir().join("kafka/data");
        let folder = |topic: &&Topic| data.join(format!("{}-0", topic.name));
        let folders: Vec<_> = topics.iter().map(folder).collect();
        folders
            .iter()
            .for_each(|folder| copy(folder, &copies.path().join(folder.file_name().unwrap())));
        Backup {
            broker,
            copies,
            folders,
        }
    }

    fn restore(self) {
        self.broker.kill();
        for folder in &self.folders {
            std::fs::remove_dir_all(folder).unwrap();
            copy(&self.copies.path().join(folder.file_name().unwrap()), folder);
        }
        self.broker.restart();
    }
}

fn error_of(report: &serde_json::Value, topic: &Topic) -> String {
    let topics = report["topics"].as_array().unwrap();
    let own = topics.iter().find(|own| own["topic"] == topic.name.as_str());
    own.unwrap()["error"].as_str().unwrap_or_default().to_owned()
}

fn assert_says(error: &str, words: &[&str]) {
    for word in ["Kafka lost its end", "Kafka partition 0", "--accept-recreated"]
        .iter()
        .chain(words)
    {
        assert!(error.contains(word), "no {word:?} in {error:?}");
    }
}

#[test]
fn a_log_that_lost_its_end_and_grew_past_the_progress() {
    let broker = own_broker();
    let (stream, table) = (Topic::with("stream", 2, &[]), Topic::compacted("table"));
    // Its last offsets are those of no record.
    let aborted = Topic::new("aborted");
    stream.send(&numbered("kept", 6, 2));
    table.send(&[count("kept", 1)]);
    aborted.send(&numbered("kept", 3, 1));
    let backup = Backup::of(&broker, &[&stream, &table, &aborted]);
    stream.send(&numbered("lost", 6, 2));
    table.send(&[count("lost", 1), count("both", 1)]);
    aborted.abort(&numbered("lost", 1, 1));
    let lake = Lake::of_stream(&stream).stream(&aborted, "").table(&table, "");
    let warehouse = Warehouse::of_counts(&table);
    lake.drain();
    warehouse.drain();
    lake.verify(0);
    backup.restore();
    // What is new at its end says nothing, as long as the rest is what it was.
    let lost = lake.run(&[]).expect(1).report();
    assert_says(
        &error_of(&lost, &stream),
        &["ends at offset 3, but 6 was reached"],
    );

    stream.send(&numbered("new", 10, 2));
    table.send(&[count("new", 2), count("both", 2), count("new", 3)]);
    aborted.send(&numbered("new", 3, 1));
    let before = lake.kept();
    let rows = COUNTS.rows(&mut warehouse.session());
    for arguments in [&[][..], &["--dry-run"]] {
        let report = lake.run(arguments).expect(1).report();
        let says = |topic, words: &[&str]| assert_says(&error_of(&report, topic), words);
        says(&stream, &["another record at offset 5"]);
        says(&table, &["another record at offset 2"]);
        says(&aborted, &["a record at offset 3, where none was"]);
        let error = warehouse.one(arguments, 1)["error"].to_string();
        assert_says(&error, &["another record at offset 2"]);
    }
    let check = ["check", "--json", "--only", "warehouse"];
    let check = warehouse.lakectl(&check).expect(3);
    assert_says(&check.stdout, &["another record at offset 2"]);
    assert_same(&lake.kept(), &before);
    assert_eq!(COUNTS.rows(&mut warehouse.session()), rows);
    let differences = lake.verify(3);
    for topic in differences["topics"].as_array().unwrap() {
        assert_says(&topic["differences"][0]["what"].to_string(), &[]);
    }

    let report = lake.run(&["--accept-recreated"]).expect(3).report();
    let read = |topic: &Topic| {
        let topics = report["topics"].as_array().unwrap();
        let own = topics.iter().find(|own| own["topic"] == topic.name.as_str());
        number(own.unwrap(), "read")
    };
    // The Kafka partition that lost nothing is not read again.
    assert_eq!((read(&stream), read(&table), read(&aborted)), (8 + 5, 4, 6));
    let lines = |topic: &Topic| -> usize {
        let files = data_files(&lake.root().join("streams").join(&topic.name));
        files.iter().map(|file| file.lines.len()).sum()
    };
    assert_eq!((lines(&stream), lines(&aborted)), (12 + 8 + 5, 3 + 6));
    assert_table(&lake, &table);
    lake.verify(0);
    let report = warehouse.one(&["--accept-recreated"], 3);
    assert_eq!((number(&report, "read"), number(&report, "deleted")), (4, 1));
    COUNTS.assert_equals(&warehouse, &table);
    for again in [lake.drain(), warehouse.drain()] {
        assert_eq!(number(&again["totals"], "read"), 0, "{again}");
    }
    stream.send(&numbered("more", 2, 2));
    assert_eq!(number(&lake.drain()["totals"], "read"), 2);
}
