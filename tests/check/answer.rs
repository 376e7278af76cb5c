//! What `lakectl check --json` says.

use serde_json::Value;

use crate::common::program::Run;
use crate::world::Warehouse;

pub struct Answer {
    pub checks: Vec<Value>,
    shown: String,
}

/// Runs the check; its exit code must be this, and fit what it says.
pub fn check(world: &Warehouse, arguments: &[&str], code: i32) -> Answer {
    let all = [&["check", "--json"], arguments].concat();
    Answer::of(world.lakectl(&all), code)
}

impl Answer {
    pub fn of(run: Run, code: i32) -> Answer {
        let report = run.expect(code).report();
        assert_eq!(report["command"], "check", "{report}");
        assert_eq!(report["exit_code"], code, "{report}");
        let checks = report["checks"].as_array().unwrap().clone();
        let shown: Vec<String> = checks.iter().map(Value::to_string).collect();
        let answer = Answer {
            checks,
            shown: shown.join("\n"),
        };
        let wrong = answer.wrong().len();
        assert_eq!(report["wrong"], wrong, "{report}");
        assert_eq!(code == 3, wrong > 0, "{}", answer.shown);
        for check in &answer.checks {
            for name in ["subject", "name", "message"] {
                assert!(!check[name].as_str().unwrap().contains('\n'), "{check}");
            }
        }
        answer
    }

    /// Subject and name of all that is wrong, in order.
    pub fn wrong(&self) -> Vec<(&str, &str)> {
        let wrong = self.checks.iter().filter(|check| check["status"] == "wrong");
        wrong
            .map(|check| {
                (
                    check["subject"].as_str().unwrap(),
                    check["name"].as_str().unwrap(),
                )
            })
            .collect()
    }

    fn all(&self, subject: &str, name: &str) -> Vec<&Value> {
        let fits = |check: &&Value| check["subject"] == subject && check["name"] == name;
        self.checks.iter().filter(fits).collect()
    }

    /// A check of this name that has this status, and all of these words in its message or its fix.
    fn has(&self, status: &str, subject: &str, name: &str, words: &[&str]) -> &Value {
        let text = |check: &Value| format!("{} FIX {}", check["message"], check["fix"]);
        let fits = |check: &&&Value| {
            check["status"] == status && words.iter().all(|word| text(check).contains(word))
        };
        let found = self.all(subject, name);
        found
            .iter()
            .find(fits)
            .unwrap_or_else(|| panic!("no {status} {subject} {name} with {words:?} in\n{}", self.shown))
    }

    pub fn ok(&self, subject: &str, name: &str, words: &[&str]) {
        self.has("ok", subject, name, words);
    }

    /// What is wrong says what to do.
    pub fn is_wrong(&self, subject: &str, name: &str, words: &[&str]) {
        let check = self.has("wrong", subject, name, words);
        assert!(
            check["fix"].as_str().is_some_and(|fix| !fix.is_empty()),
            "{check}"
        );
    }

    pub fn unknown(&self, subject: &str, name: &str, words: &[&str]) {
        self.has("unknown", subject, name, words);
    }

    /// No check of this name is ok with these words.
    pub fn is_not_ok(&self, subject: &str, name: &str, words: &str) {
        let found = self.all(subject, name);
        let is_ok = |check: &&Value| check["status"] == "ok" && check["message"].to_string().contains(words);
        assert!(!found.into_iter().any(|check| is_ok(&check)), "{}", self.shown);
    }

    pub fn has_none(&self, subject: &str, name: &str) {
        assert!(self.all(subject, name).is_empty(), "{}", self.shown);
    }
}
