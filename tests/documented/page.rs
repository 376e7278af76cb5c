//! The page in its parts.

use std::path::Path;

pub fn text() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORMATS.md");
    std::fs::read_to_string(page).unwrap()
}

/// All blocks of the page, in order: language and text.
fn blocks() -> Vec<(String, String)> {
    let page = text();
    let mut parts = page.split("```");
    parts.next();
    let mut blocks = Vec::new();
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').unwrap();
        blocks.push((language.to_owned(), text.to_owned()));
    }
    blocks
}

/// An entry, and the line of the lake that stands below it.
pub struct Entry {
    pub topic: String,
    /// Without the header that names the topic.
    pub lines: String,
    pub shown: String,
}

pub fn entries() -> Vec<Entry> {
    let blocks = blocks();
    let entry = |pair: &[(String, String)]| {
        let [(language, entry), (_, shown)] = pair else {
            return None;
        };
        let (header, lines) = entry.split_once('\n').unwrap();
        let topic = header.strip_prefix("[topics.")?.strip_suffix(']')?;
        assert_eq!(language, "toml");
        Some(Entry {
            topic: topic.trim_matches('"').to_owned(),
            lines: lines.to_owned(),
            shown: shown.trim_end().to_owned(),
        })
    };
    blocks.windows(2).filter_map(entry).collect()
}

/// The block of the registry's settings.
pub fn registry() -> String {
    let mut found = blocks()
        .into_iter()
        .filter(|(_, text)| text.starts_with("[schema_registry]"));
    let (_, text) = found.next().unwrap();
    assert!(found.next().is_none(), "the page has more than this test knows");
    text
}

/// The lines of the table of types, each as its cells without backquotes.
pub fn types() -> Vec<Vec<String>> {
    let page = text();
    let (_, table) = page.split_once("| ksqlDB | Avro |").unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect()
        });
    rows.collect()
}
