//! Colours, if the terminal shows them and no variable forbids them (NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM).
//! They only repeat what the words say.

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;

#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    pub(super) fn for_stdout() -> Self {
        Paint(AutoStream::choice(&std::io::stdout()) != ColorChoice::Never)
    }

    pub fn for_stderr() -> Self {
        Paint(AutoStream::choice(&std::io::stderr()) != ColorChoice::Never)
    }

    #[cfg(test)]
    pub(super) fn none() -> Self {
        Paint(false)
    }

    pub fn is_on(self) -> bool {
        self.0
    }

    pub(super) fn text(self, style: Style, text: &str) -> String {
        if self.0 && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}
