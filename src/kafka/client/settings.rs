//! The settings of a topic that lakectl decides by: how long Kafka keeps its records.

use std::collections::BTreeMap;

/// How Kafka keeps the records of a topic. The default is a topic that keeps them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicSettings {
    policy: String,
    retention_ms: Option<i64>,
    retention_bytes: Option<i64>,
    tombstones_kept_ms: i64,
}

impl TopicSettings {
    /// Reads Kafka's answer: setting -> value.
    ///
    /// # Errors
    /// A setting that decisions need is missing.
    pub(in crate::kafka) fn of(told: &BTreeMap<String, String>) -> Result<TopicSettings, String> {
        let missing = |name: &str| format!("its answer leaves {name} out");
        let number = |name: &str| told.get(name).and_then(|text| text.parse::<i64>().ok());
        let policy = told
            .get("cleanup.policy")
            .ok_or_else(|| missing("cleanup.policy"))?;
        let mut settings = TopicSettings {
            policy: policy.clone(),
            retention_ms: number("retention.ms").filter(|&ms| ms >= 0),
            retention_bytes: number("retention.bytes").filter(|&bytes| bytes >= 0),
            tombstones_kept_ms: 0,
        };
        if settings.compacts() {
            settings.tombstones_kept_ms =
                number("delete.retention.ms").ok_or_else(|| missing("delete.retention.ms"))?;
        }
        Ok(settings)
    }

    /// `cleanup.policy`, as it is set.
    pub fn policy(&self) -> &str {
        if self.policy.is_empty() {
            "none"
        } else {
            &self.policy
        }
    }

    /// Whether Kafka compacts the topic: it keeps only the last record of a key for ever.
    pub fn compacts(&self) -> bool {
        self.has_policy("compact")
    }

    /// Whether Kafka deletes records when they are old, or too many.
    pub fn expires(&self) -> bool {
        self.has_policy("delete")
    }

    fn has_policy(&self, name: &str) -> bool {
        self.policy.split(',').any(|policy| policy.trim() == name)
    }

    /// How long a record is kept; None: for ever.
    pub fn kept_ms(&self) -> Option<i64> {
        self.retention_ms.filter(|_| self.expires())
    }

    /// How much of each Kafka partition is kept; None: all.
    pub fn kept_bytes(&self) -> Option<i64> {
        self.retention_bytes.filter(|_| self.expires())
    }

    /// How long compaction leaves tombstones; None: nothing is compacted.
    pub fn tombstones_kept_ms(&self) -> Option<i64> {
        self.compacts().then_some(self.tombstones_kept_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(told: &[(&str, &str)]) -> Result<TopicSettings, String> {
        let told = told
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        TopicSettings::of(&told.collect())
    }

    #[test]
    fn policies_decide_what_the_times_mean() {
        let times = [
            ("retention.ms", "7"),
            ("retention.bytes", "-1"),
            ("delete.retention.ms", "9"),
        ];
        for (policy, compacts, kept_ms, tombstones_kept_ms) in [
            ("delete", false, Some(7), None),
            ("compact", true, None, Some(9)),
            ("compact, delete", true, Some(7), Some(9)),
            ("", false, None, None),
        ] {
            let settings = of(&[&times[..], &[("cleanup.policy", policy)]].concat()).unwrap();
            assert_eq!(settings.compacts(), compacts, "{policy}");
            assert_eq!(settings.kept_ms(), kept_ms, "{policy}");
            assert_eq!(settings.tombstones_kept_ms(), tombstones_kept_ms, "{policy}");
            assert_eq!(settings.kept_bytes(), None, "{policy}");
        }
        let for_ever = of(&[("cleanup.policy", "delete"), ("retention.ms", "-1")]).unwrap();
        assert_eq!((for_ever.expires(), for_ever.kept_ms()), (true, None));
    }

    #[test]
    fn nothing_is_guessed() {
        assert!(of(&[]).unwrap_err().contains("cleanup.policy"));
        let error = of(&[("cleanup.policy", "compact")]).unwrap_err();
        assert!(error.contains("delete.retention.ms"), "{error}");
    }
}
