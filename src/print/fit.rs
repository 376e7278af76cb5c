//! Text that fits into the width of a terminal. Widths are those of characters: a Chinese one is two columns wide.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width if the terminal doesn't say it.
const WIDTH_DEFAULT: usize = 80;
/// The least width of a shortened topic name.
pub const NAME_MIN: usize = 12;

/// The width of the terminal at stdout.
pub(super) fn terminal_width() -> usize {
    let width = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    if width == 0 { WIDTH_DEFAULT } else { width }
}

/// Lines of a text behind a head as wide as all lines are indented; one line, as it is, if it fits or if there is no width.
pub fn hang(head: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let whole = format!("{head}{text}");
    match width {
        Some(width) if whole.width() > width => {}
        _ => return vec![whole],
    }
    let indent = " ".repeat(head.width());
    let room = width.unwrap_or(WIDTH_DEFAULT).saturating_sub(head.width()).max(1);
    let lines = wrap(text, room).into_iter().enumerate();
    lines
        .map(|(at, line)| format!("{}{line}", if at == 0 { head } else { &indent }))
        .collect()
}

/// The text, filled up with blanks.
pub fn pad(text: &str, width: usize, left: bool) -> String {
    let room = " ".repeat(width.saturating_sub(text.width()));
    if left {
        format!("{text}{room}")
    } else {
        format!("{room}{text}")
    }
}

/// Cuts out the middle of a name: beginning and end distinguish it best.
pub fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let keep = width.saturating_sub(1);
    let head = cut(text, keep.div_ceil(2));
    let mut tail = Vec::new();
    let mut left = keep - head.width();
    for c in text.chars().rev() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left -= wide;
        tail.push(c);
    }
    format!("{head}…{}", tail.iter().rev().collect::<String>())
}

/// The beginning of the text, as much as fits.
pub fn cut(text: &str, width: usize) -> String {
    let mut left = width;
    let fits = |c: &char| {
        let wide = c.width().unwrap_or(0);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    text.chars().take_while(fits).collect()
}

/// Lines of words; a word that is too long for a line is broken.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word;
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        while word.width() > width {
            let part = cut(word, width);
            // A terminal narrower than a character gets the character anyway.
            let end = part.len().max(word.chars().next().map_or(0, char::len_utf8));
            lines.push(word[..end].to_owned());
            word = &word[end..];
        }
        if !word.is_empty() {
            line += if line.is_empty() { "" } else { " " };
            line += word;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
