//! Settings that read a topic's keys and values, by what others state of their formats: ksqlDB by name, a registry by schema.

pub mod ksqldb;
pub mod schemas;

/// The settings of keys or of values, and what a person should know of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedSettings<S> {
    pub schema: S,
    /// Full sentences without an end, or parts of one.
    pub notes: Vec<String>,
    /// The records can be kept, but not read as they are meant; or a name is made up.
    pub is_doubtful: bool,
}

impl<S> StatedSettings<S> {
    pub fn of(schema: S) -> StatedSettings<S> {
        StatedSettings {
            schema,
            notes: Vec::new(),
            is_doubtful: false,
        }
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> StatedSettings<S> {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub fn doubtful(self) -> StatedSettings<S> {
        StatedSettings {
            is_doubtful: true,
            ..self
        }
    }
}

/// Settings in one line, with single quotes.
#[cfg(test)]
pub(in crate::decode) fn shown(written: Vec<crate::config::WrittenSetting>) -> String {
    let lines: Vec<String> = written
        .into_iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    lines.join("; ").replace('"', "'")
}
