//! Finds the rejected records of persons who are to be erased.

use anyhow::{Context, Result, anyhow};
use mysql::Conn;
use mysql::prelude::Queryable;

use crate::config::Topic;
use crate::decode::Decoder;
use crate::record::Record;
use crate::subjects::matcher::{Matcher, Verdict};
use crate::subjects::subject::Subject;
use crate::warehouse::connected::Warehouse;
use crate::warehouse::load::own_tables::kept_under;
use crate::warehouse::load::rejects;

/// A rejected record as `lakectl_rejects` keeps it.
pub(super) struct RejectPlace {
    /// The table's name as `lakectl_rejects` spells it.
    pub table: String,
    pub generation: u32,
    pub partition: i32,
    pub offset: i64,
}

/// Generation, Kafka partition, offset, key, value, and whether one of these two is not kept whole.
type StoredReject = (u32, i32, i64, Option<Vec<u8>>, Option<Vec<u8>>, bool);

/// Rejected records of one topic.
#[derive(Default)]
pub(super) struct FoundRejects {
    /// The subjects' own.
    pub theirs: Vec<RejectPlace>,
    /// Those that may be: what can't be decoded holds a subject's bytes, or is not kept whole.
    pub doubtful: Vec<RejectPlace>,
}

impl Warehouse {
    pub(super) fn find_rejects(
        &self,
        conn: &mut Conn,
        topic: &Topic,
        subjects: &[Subject],
    ) -> Result<FoundRejects> {
        let matcher = Matcher::new(topic, subjects);
        let mut found = FoundRejects::default();
        if matcher.is_empty() {
            return Ok(found);
        }
        for table in kept_under(conn, &self.server, &topic.table)? {
            self.find_rejects_of(conn, topic, &table, &matcher, &mut found)?;
        }
        Ok(found)
    }

    fn find_rejects_of(
        &self,
        conn: &mut Conn,
        topic: &Topic,
        table: &str,
        matcher: &Matcher,
        found: &mut FoundRejects,
    ) -> Result<()> {
        // A reject is stored as it came, so it must be decoded again to see whom it belongs to. It keeps its envelope: the
        // matcher looks at the row before a change as well. One whose schema is gone is searched by its bytes.
        let mut decoder = Decoder::of(topic, &self.registry)
            .of_whole_values()
            .keeping_undecodable();
        let reading = || format!("reading {}", rejects::TABLE);
        let rows = conn
            .exec_iter(
                format!(
                    "SELECT generation, `partition`, `offset`, `key`, `value`, \
                     COALESCE(key_bytes > LENGTH(`key`), 0) OR COALESCE(value_bytes > LENGTH(`value`), 0) \
                     FROM {} WHERE table_name = ? AND topic = ?",
                    rejects::TABLE
                ),
                (table, &topic.name),
            )
            .with_context(reading)?;
        for row in rows {
            let (generation, partition, offset, key, value, is_cut): StoredReject =
                // The driver's error would show the row's values.
                mysql::from_row_opt(row.with_context(reading)?).map_err(|_| anyhow!(reading()))?;
            let record = Record {
                partition,
                offset,
                timestamp_ms: -1,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: Vec::new(),
            };
            let list = match matcher.judge_record(&decoder.decode(&record)?, is_cut) {
                Verdict::Erase => &mut found.theirs,
                Verdict::NotSearchable => &mut found.doubtful,
                _ => continue,
            };
            list.push(RejectPlace {
                table: table.to_owned(),
                generation,
                partition,
                offset,
            });
        }
        Ok(())
    }
}
