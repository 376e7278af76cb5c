//! A strict reader of Prometheus' text format, which knows nothing of lakectl's own.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A sample's labels.
pub type Labels = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub struct Exposition(pub BTreeMap<(String, Labels), f64>);

impl Exposition {
    pub fn of(path: &Path) -> Exposition {
        parse(&std::fs::read_to_string(path).unwrap())
    }

    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels)
            .unwrap_or_else(|| panic!("no {name} {labels:?} in {self:#?}"))
    }

    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.0.get(&(name.to_owned(), labels.collect())).copied()
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().map(|(name, _)| name.clone()).collect()
    }
}

/// # Panics
/// On anything that the format doesn't allow, or that node_exporter's collector complains of.
pub fn parse(text: &str) -> Exposition {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut samples = BTreeMap::new();
    let (mut family, mut ended) = (String::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && !help.contains('\\'), "{line}");
            // Each family once, with its type, and all its samples together.
            assert!(ended.insert(name.to_owned()), "{name} comes twice");
            assert_eq!(lines.next(), Some(format!("# TYPE {name} gauge").as_str()));
            assert!(!name.ends_with("_total"), "{name} is a gauge");
            family = name.to_owned();
            continue;
        }
        let (name, labels, value) = sample(line);
        assert_eq!(name, family, "{line}");
        assert!(value.is_finite(), "{line}");
        assert!(samples.insert((name, labels), value).is_none(), "twice: {line}");
    }
    Exposition(samples)
}

fn sample(line: &str) -> (String, Labels, f64) {
    let is_name = |text: &str| {
        let mut chars = text.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (name, mut rest) = line
        .split_once('{')
        .unwrap_or_else(|| panic!("no sample: {line}"));
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    loop {
        let (label, after) = rest.split_once("=\"").unwrap();
        assert!(is_name(label) && !label.starts_with("__"), "{line}");
        let mut value = String::new();
        let mut chars = after.chars();
        loop {
            match chars.next().expect("a label's value has no end") {
                '"' => break,
                '\\' => value.push(match chars.next().unwrap() {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    other => panic!("\\{other} in {line}"),
                }),
                c => value.push(c),
            }
        }
        assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
        rest = chars.as_str();
        match rest.split_at(1) {
            (",", more) => rest = more,
            ("}", value) => {
                let value = value.strip_prefix(' ').unwrap();
                return (name.to_owned(), labels, value.parse().unwrap());
            }
            _ => panic!("{line}"),
        }
    }
}
