//! The command line for the audit trail: without secrets, and without what the caller hides.

/// Replaces hidden text.
const HIDDEN: &str = "***";
/// An option is a secret if its name contains one of these.
const SECRET_NAMES: [&str; 6] = ["password", "passwd", "secret", "token", "jaas", "credential"];

/// The arguments, without the program's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// The command line of this process.
    pub fn of_process() -> CommandLine {
        CommandLine::new(
            std::env::args_os()
                .skip(1)
                .map(|argument| argument.to_string_lossy().into_owned()),
        )
    }

    pub fn new(arguments: impl IntoIterator<Item = String>) -> CommandLine {
        CommandLine(
            arguments
                .into_iter()
                .map(|argument| without_secrets(&argument))
                .collect(),
        )
    }

    /// Hides the values of these options, as `--key VALUE` and as `--key=VALUE`.
    #[must_use]
    pub fn hide_options(mut self, options: &[&str]) -> CommandLine {
        let mut hide_next = false;
        for argument in &mut self.0 {
            if hide_next {
                *argument = HIDDEN.to_owned();
                hide_next = false;
            } else if options.contains(&argument.as_str()) {
                hide_next = true;
            } else if let Some((name, _)) = argument.split_once('=')
                && options.contains(&name)
            {
                *argument = format!("{name}={HIDDEN}");
            }
        }
        self
    }

    /// Hides a text wherever it occurs.
    #[must_use]
    pub fn hide_text(mut self, text: &str) -> CommandLine {
        if !text.is_empty() {
            for argument in &mut self.0 {
                *argument = argument.replace(text, HIDDEN);
            }
        }
        self
    }

    pub fn into_arguments(self) -> Vec<String> {
        self.0
    }
}

/// Hides secrets. They are refused on the command line, but one that slips through must not be stored.
fn without_secrets(argument: &str) -> String {
    match argument.split_once('=') {
        Some((name, _)) if names_secret(name) => format!("{name}={HIDDEN}"),
        _ => without_password(argument),
    }
}

/// Whether the value of an option with this name is a secret.
pub fn names_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    SECRET_NAMES.iter().any(|secret| lower.contains(secret))
}

/// Hides the password of `scheme://user:password@host`.
fn without_password(argument: &str) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else {
        return argument.to_owned();
    };
    // The last @ counts, because a password may contain characters that end the host part of other URLs.
    let Some((login, place)) = rest.rsplit_once('@') else {
        return argument.to_owned();
    };
    match login.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{place}"),
        None => argument.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> CommandLine {
        CommandLine::new(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn secrets_are_not_kept() {
        let kept = line(&[
            "-Xsasl.password=hunter2",
            "--url=mysql://u:hun:t@er2@h/d",
            "mysql://u@h/d",
            "-Xsasl.jaas.config=x password=hunter2",
        ]);
        assert_eq!(
            kept.into_arguments(),
            [
                "-Xsasl.password=***",
                "--url=mysql://u:***@h/d",
                "mysql://u@h/d",
                "-Xsasl.jaas.config=***"
            ]
        );
    }

    #[test]
    fn subjects_are_hidden() {
        let kept = line(&["purge", "--key", "T=bob", "--where=USER_ID=bob", "--yes", "T=bob"])
            .hide_options(&["--key", "--where"])
            .hide_text("bob")
            .hide_text("");
        assert_eq!(
            kept.into_arguments(),
            ["purge", "--key", "***", "--where=***", "--yes", "T=***"]
        );
    }
}
