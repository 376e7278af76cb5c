//! Reads records of a topic, and collects the types of their fields.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;

use crate::config::{Compression, FileFormat, Kind};
use crate::decode::fields;
use crate::decode::line::OURS;
use crate::lake::{DataFile, Lake, TopicFiles};
use crate::problem::Problem;
use crate::stop::Stop;
use crate::types::column::FieldTypes;
use crate::types::stored::{ColumnFinder, StoredColumns};

/// Bytes of lines that are read without `--all`, which takes some seconds.
const LINES_MAX: u64 = 1 << 30;
/// About how many times longer lines are than compressed on disk.
const COMPRESSED: u64 = 8;

/// The records that a schema is made from, and their columns.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub records: u64,
    pub records_in_all: u64,
    pub files: usize,
    pub files_in_all: usize,
    /// Bytes of the longest line.
    pub longest: usize,
    /// In the order of their first appearance.
    pub columns: Vec<FieldTypes>,
}

/// The columns of a topic's Parquet files, widened by what is seen in its lines.
#[derive(Debug)]
struct Widened<'p> {
    columns: StoredColumns,
    finder: ColumnFinder,
    prefix: &'p str,
}

/// The files of lines that readers open: of a table, its snapshot.
pub(super) fn readable(files: &TopicFiles) -> impl Iterator<Item = &DataFile> {
    let current = files.current.as_ref().map(|(_, path)| path);
    let opened =
        move |file: &&DataFile| files.kind == Kind::Stream || current.is_some_and(|path| file.path == *path);
    files.files.iter().filter(opened)
}

/// Reads a topic's lines of JSON: all of them if they are few or `all` is set, else those of the newest files and of some others,
/// evenly spread. Also returns the columns that Parquet files would have if they held these lines, too.
///
/// # Errors
/// A file can't be read, or a signal came.
pub fn look(
    lake: &Lake<'_>,
    files: &TopicFiles,
    prefix: &str,
    all: bool,
    stop: &Stop,
) -> Result<(Made, StoredColumns)> {
    let readable: Vec<&DataFile> = readable(files)
        .filter(|file| FileFormat::of(&file.path) != FileFormat::Parquet)
        .collect();
    let chosen = if all {
        readable.clone()
    } else {
        choose(&readable, LINES_MAX)
    };
    let mut made = Made {
        records_in_all: readable.iter().map(|file| file.records).sum(),
        files_in_all: readable.len(),
        ..Made::default()
    };
    let mut places = HashMap::new();
    let mut widened = Widened {
        finder: ColumnFinder::of(&files.columns),
        columns: files.columns.clone(),
        prefix,
    };
    for file in chosen {
        if stop.signal().is_some() {
            bail!("stopped by a signal before all records were looked at");
        }
        let there = lake.read_lines(&file.path, &mut |line| {
            made.longest = made.longest.max(line.len());
            made.records += 1;
            add(line, &mut made.columns, &mut places, &mut widened)
        })?;
        made.files += usize::from(there);
    }
    Ok((made, widened.columns))
}

fn add(
    line: &[u8],
    columns: &mut Vec<FieldTypes>,
    places: &mut HashMap<String, usize>,
    widened: &mut Widened<'_>,
) -> Result<()> {
    let fields = std::str::from_utf8(line)
        .map_err(anyhow::Error::from)
        .and_then(|line| fields::all(line).map_err(anyhow::Error::msg))
        .context(Problem::new("a line is not what lakectl writes").fix("see lake --verify"))?;
    for (at, (name, value)) in fields.into_iter().enumerate() {
        widened.take(at, &name, value);
        let place = match places.get(&*name) {
            Some(&place) => place,
            None => {
                columns.push(FieldTypes::named(&*name));
                places.insert(name.into_owned(), columns.len() - 1);
                columns.len() - 1
            }
        };
        columns[place].add(value);
    }
    Ok(())
}

impl Widened<'_> {
    /// Takes the field at this place of its line.
    fn take(&mut self, place: usize, name: &str, value: &str) {
        let ours = name.strip_prefix(self.prefix).filter(|name| OURS.contains(name));
        match (ours, self.finder.find(place, name)) {
            (Some("key"), _) => self.columns.see_key(value),
            (Some(_), _) => {}
            (None, Some(at)) => self.columns.see(at, value),
            (None, None) if value.trim_ascii() == "null" => {}
            (None, None) => {
                let at = self.columns.add(name);
                self.finder.add(place, name, at);
                self.columns.see(at, value);
            }
        }
    }
}

/// All files, if their lines have at most `most` bytes together. Else the newest files for half of that, and others for the
/// other half.
fn choose<'f>(files: &[&'f DataFile], most: u64) -> Vec<&'f DataFile> {
    if files.iter().map(|file| length(file)).sum::<u64>() <= most {
        return files.to_vec();
    }
    let mut newest = files.len();
    let mut taken = 0;
    while newest > 0 && (taken == 0 || taken + length(files[newest - 1]) <= most / 2) {
        newest -= 1;
        taken += length(files[newest]);
    }
    let older = &files[..newest];
    let average = older.iter().map(|file| length(file)).sum::<u64>() / (older.len() as u64).max(1);
    let number = usize::try_from((most / 2) / average.max(1)).unwrap_or(older.len());
    let number = number.clamp(older.len().min(1), older.len());
    let spread = (0..number).map(|i| older[i * older.len() / number]);
    spread.chain(files[newest..].iter().copied()).collect()
}

/// About how many bytes the file's lines have.
fn length(file: &DataFile) -> u64 {
    match FileFormat::of(&file.path) {
        FileFormat::Json(Compression::None) => file.bytes,
        _ => file.bytes * COMPRESSED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(sizes: &[u64]) -> Vec<DataFile> {
        let file = |(i, &bytes): (usize, &u64)| DataFile {
            path: format!("{i}.json"),
            day: String::new(),
            records: 1,
            bytes,
            columns: None,
        };
        sizes.iter().enumerate().map(file).collect()
    }

    fn chosen(sizes: &[u64], most: u64) -> Vec<String> {
        let files = files(sizes);
        let chosen = choose(&files.iter().collect::<Vec<_>>(), most);
        chosen.iter().map(|file| file.path.replace(".json", "")).collect()
    }

    #[test]
    fn few_files_are_read_all() {
        assert_eq!(chosen(&[10, 10, 10], 30), ["0", "1", "2"]);
        assert_eq!(chosen(&[], 30), [""; 0]);
    }

    #[test]
    fn of_many_the_newest_and_some_others() {
        assert_eq!(
            chosen(&[10; 20], 100),
            ["0", "3", "6", "9", "12", "15", "16", "17", "18", "19"]
        );
        // At least one file of each half, however long it is.
        assert_eq!(chosen(&[1000; 5], 100), ["0", "4"]);
        assert_eq!(chosen(&[1000], 100), ["0"]);
    }
}
