//! A data file against its entry in the manifest: its size, its checksum, and the offsets that its lines name.

use anyhow::{Result, bail};

use super::Look;
use crate::config::{FileFormat, Kind};
use crate::lake::file::lines::{Hashing, Lines};
use crate::lake::ledger::FileEntry;
use crate::problem::Problem;

impl Look<'_> {
    pub(super) fn lines(&mut self, path: &str, entry: &FileEntry) -> Result<()> {
        let file = self.opened(path, entry)?;
        let mut lines = Lines::of(Hashing::new(file), FileFormat::of(path), Some(&entry.checksum))?;
        let (mut line, mut number, mut last) = (Vec::new(), 0, None);
        let offsets = (self.state.kind == Kind::Stream).then(|| entry.source());
        let prefix = &self.lake.settings.lake.prefix;
        while lines.next(&mut line)? {
            number += 1;
            let (Some(key), Some((partition, offset))) = (offsets, head(&line, prefix)) else {
                continue;
            };
            let in_range = partition == entry.partition && (entry.first..=entry.last).contains(&offset);
            if !in_range || last.is_some_and(|last| offset <= last) {
                return Problem::new(format!(
                    "line {number} holds Kafka partition {partition} offset {offset}, which does not belong there"
                ))
                .fix("rebuild the day with lake --rebuild, or restore it")
                .err();
            }
            last = Some(offset);
            let first_time =
                u64::try_from(offset).is_ok_and(|offset| self.seen.entry(key).or_default().insert(offset));
            if !first_time {
                bail!(
                    "line {number} repeats Kafka partition {partition} offset {offset}, which another file holds"
                );
            }
        }
        let checksum = lines.checksum()?;
        if checksum != entry.checksum {
            return Problem::new(format!(
                "its checksum is {checksum}, and was {} when it was written",
                entry.checksum
            ))
            .fix("restore it")
            .err();
        }
        if number != entry.records {
            bail!(
                "it has {number} lines, and the ledger counted {} records",
                entry.records
            );
        }
        Ok(())
    }

    /// Opens the file, if it is as long as when it was written.
    fn opened(&self, path: &str, entry: &FileEntry) -> Result<std::fs::File> {
        let root = &self.lake.root;
        let file = root.read(path)?.ok_or_else(|| {
            Problem::new("it is gone").fix("restore it, or rebuild its day with lake --rebuild")
        })?;
        let bytes = file.metadata()?.len();
        if bytes != entry.bytes {
            return Problem::new(format!(
                "it has {bytes} bytes, and had {} when it was written",
                entry.bytes
            ))
            .fix("restore it")
            .err();
        }
        Ok(file)
    }
}

/// Kafka partition and offset of a line that carries both.
fn head(line: &[u8], prefix: &str) -> Option<(i32, i64)> {
    let (partition, rest) = field(line.strip_prefix(b"{")?, prefix, "partition")?;
    let (offset, _) = field(rest.strip_prefix(b",")?, prefix, "offset")?;
    Some((i32::try_from(partition).ok()?, offset))
}

/// The number in `"PREFIXname":123`, and what follows it.
fn field<'l>(text: &'l [u8], prefix: &str, name: &str) -> Option<(i64, &'l [u8])> {
    let text = text.strip_prefix(b"\"")?.strip_prefix(prefix.as_bytes())?;
    let text = text.strip_prefix(name.as_bytes())?.strip_prefix(b"\":")?;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((number, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_kafka_partition_and_offset() {
        let line = b"{\"_partition\":3,\"_offset\":42,\"_timestamp\":1}";
        assert_eq!(head(line, "_"), Some((3, 42)));
        assert_eq!(head(line, "k_"), None);
        for other in [
            &b"{\"partition\":3,\"offset\":42}"[..],
            b"{}",
            b"",
            b"{\"_partition\":x",
            b"{\"_partition\":1}",
        ] {
            assert_eq!(head(other, "_"), None);
        }
    }
}
