//! The fast path of the check: it says that a value is readable, or nothing. In any doubt serde_json reads it and decides.

use std::ops::Range;

use super::block::{Block, is_plain};
use super::{FieldPlace, Readable, Shape};

/// How many levels every reader accepts inside of an object.
const DEPTH_MAX: u32 = 126;
/// More digits than this in a row may make a number that no double holds.
const DIGITS_MAX: usize = 300;

/// The top-level names of an earlier value in their order, all different.
#[derive(Debug, Clone, Default)]
pub(super) struct RememberedNames(Vec<RememberedName>);

#[derive(Debug, Clone)]
struct RememberedName {
    /// The name as it mostly occurs: after a comma, quoted, and with its colon.
    whole: Box<[u8]>,
    reserved: bool,
}

impl RememberedName {
    fn quoted(&self) -> &[u8] {
        &self.whole[1..self.whole.len() - 1]
    }
}

impl RememberedNames {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds the next name of a value that serde_json reads.
    pub(super) fn push(&mut self, name: &str, reserved: bool) {
        // A name that must be escaped never occurs unescaped between quotes.
        if is_plain(name) {
            let whole = [b",\"", name.as_bytes(), b"\":"].concat().into();
            self.0.push(RememberedName { whole, reserved });
        }
    }
}

/// The value, if it is certainly readable: its top-level names are among `names`, in the same order. `fields` then holds the
/// top-level fields of an object.
pub(super) fn surely_readable<'a>(
    text: &'a str,
    names: &RememberedNames,
    fields: Option<&mut Vec<FieldPlace>>,
) -> Option<Readable<'a>> {
    match fields {
        Some(fields) => scan(text, names, |name, value| fields.push(FieldPlace { name, value })),
        None => scan(text, names, |_, _| {}),
    }
}

fn scan<'a>(
    text: &'a str,
    names: &RememberedNames,
    field: impl FnMut(Range<usize>, Range<usize>),
) -> Option<Readable<'a>> {
    let mut padded = [0; Block::BYTES];
    let mut scan = Scan {
        text: match padded.get_mut(..text.len()) {
            // Zeros, which no value holds, make it as long as a block.
            Some(short) => {
                short.copy_from_slice(text.as_bytes());
                &padded
            }
            None => text.as_bytes(),
        },
        line_ends: false,
    };
    let begin = scan.blanks(0);
    let (end, shape) = match scan.byte(begin)? {
        b'{' => scan.fields(begin + 1, &names.0, field)?,
        _ => (scan.value(begin)?, Shape::Other),
    };
    (scan.blanks(end) == text.len()).then_some(Readable {
        text,
        shape,
        line_ends: scan.line_ends,
    })
}

struct Scan<'a> {
    text: &'a [u8],
    line_ends: bool,
}

/// Each step reads from one place to the next, which it returns; None means doubt.
impl Scan<'_> {
    /// The fields of an object at the top level, after its brace.
    #[inline(always)]
    fn fields(
        &mut self,
        begin: usize,
        names: &[RememberedName],
        mut field: impl FnMut(Range<usize>, Range<usize>),
    ) -> Option<(usize, Shape)> {
        let mut shape = Shape::Object;
        let mut at = self.blanks(begin);
        if self.byte(at)? == b'}' {
            return Some((at + 1, shape));
        }
        // The names that may come next.
        let mut names = names.iter();
        let (mut name, mut value) = self.known_name(at, &mut names, &mut shape)?;
        loop {
            let begin = self.blanks(value);
            at = self.value(begin)?;
            if let Some(known) = names.as_slice().first()
                && begins(self.text.get(at..)?, &known.whole)
            {
                // What mostly follows: the next name, without blanks.
                names.next();
                field(name, value..at);
                if known.reserved {
                    shape = Shape::ReservedObject;
                }
                value = at + known.whole.len();
                name = at + 2..value - 2;
                continue;
            }
            at = self.blanks(at);
            field(name, value..at);
            match self.byte(at)? {
                b',' => {
                    at = self.blanks(at + 1);
                    (name, value) = self.known_name(at, &mut names, &mut shape)?;
                }
                b'}' => return Some((at + 1, shape)),
                _ => return None,
            }
        }
    }

    /// The range between a name's quotes, and the place after its colon.
    fn known_name(
        &mut self,
        at: usize,
        names: &mut std::slice::Iter<'_, RememberedName>,
        shape: &mut Shape,
    ) -> Option<(Range<usize>, usize)> {
        let text = self.text.get(at..)?;
        // Names may be skipped: those that remain are still all different.
        let known = names.find(|known| text.starts_with(known.quoted()))?;
        if known.reserved {
            *shape = Shape::ReservedObject;
        }
        let end = at + known.quoted().len();
        Some((at + 1..end - 1, self.colon(end)?))
    }

    fn colon(&mut self, at: usize) -> Option<usize> {
        let at = self.blanks(at);
        (self.byte(at)? == b':').then_some(at + 1)
    }

    #[inline(always)]
    fn value(&mut self, at: usize) -> Option<usize> {
        match self.byte(at)? {
            b'{' | b'[' => self.nested(at),
            _ => self.scalar(at),
        }
    }

    #[inline(always)]
    fn scalar(&self, at: usize) -> Option<usize> {
        match self.byte(at)? {
            b'"' => self.string(at + 1),
            b'-' => self.number(at + 1),
            b'0'..=b'9' => self.number(at),
            b't' => self.literal(at, b"true"),
            b'f' => self.literal(at, b"false"),
            b'n' => self.literal(at, b"null"),
            _ => None,
        }
    }

    /// An array or object with all that it holds.
    fn nested(&mut self, begin: usize) -> Option<usize> {
        let mut open = Open::default();
        let mut at = begin;
        loop {
            // A value begins here.
            match self.byte(at)? {
                bracket @ (b'{' | b'[') => {
                    open.push(bracket == b'{')?;
                    at = self.blanks(at + 1);
                    match (self.byte(at)?, open.is_object()) {
                        (b'}', true) | (b']', false) => {}
                        (_, true) => {
                            at = self.name(at)?;
                            continue;
                        }
                        (_, false) => continue,
                    }
                }
                _ => at = self.scalar(at)?,
            }
            // It has ended, or this closes the array or object.
            loop {
                at = self.blanks(at);
                match (self.byte(at)?, open.is_object()) {
                    (b',', true) => {
                        at = self.blanks(at + 1);
                        at = self.name(at)?;
                        break;
                    }
                    (b',', false) => {
                        at = self.blanks(at + 1);
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        at += 1;
                        open.pop();
                        if open.is_empty() {
                            return Some(at);
                        }
                    }
                    _ => return None,
                }
            }
        }
    }

    /// A name below the top level, up to where its value begins.
    #[inline(always)]
    fn name(&mut self, at: usize) -> Option<usize> {
        if self.byte(at)? != b'"' {
            return None;
        }
        let end = self.string(at + 1)?;
        let value = self.colon(end)?;
        Some(self.blanks(value))
    }

    /// The rest of a string after its quote.
    #[inline(always)]
    fn string(&self, mut at: usize) -> Option<usize> {
        loop {
            let Some(end) = Block::at(self.text, at)?.string() else {
                at += Block::BYTES;
                continue;
            };
            at += end;
            match self.byte(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at = self.escape(at)?,
                _ => return None,
            }
        }
    }

    fn escape(&self, at: usize) -> Option<usize> {
        match self.byte(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
            b'u' => {
                let digits = self.text.get(at + 2..at + 6)?;
                let surrogate = matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                (!surrogate && digits.iter().all(u8::is_ascii_hexdigit)).then_some(at + 6)
            }
            _ => None,
        }
    }

    /// A number after its minus.
    #[inline(always)]
    fn number(&self, at: usize) -> Option<usize> {
        self.short_number(at).or_else(|| self.long_number(at))
    }

    /// A number that is shorter than a block; in doubt the long way decides.
    #[inline(always)]
    fn short_number(&self, begin: usize) -> Option<usize> {
        let (whole, next) = Block::at(self.text, begin)?.digits();
        if whole == 0 || whole == Block::BYTES || (whole > 1 && self.text[begin] == b'0') {
            return None;
        }
        let mut end = begin + whole;
        if self.byte(end) == Some(b'.') {
            if next == whole + 1 || next == Block::BYTES {
                return None;
            }
            end = begin + next;
        }
        (!matches!(self.byte(end), Some(b'e' | b'E'))).then_some(end)
    }

    #[cold]
    fn long_number(&self, begin: usize) -> Option<usize> {
        let mut at = self.digits(begin);
        let digits = at - begin;
        if digits == 0 || digits > DIGITS_MAX || (digits > 1 && self.byte(begin)? == b'0') {
            return None;
        }
        if self.byte(at) == Some(b'.') {
            let fraction = at + 1;
            at = self.digits(fraction);
            if at == fraction {
                return None;
            }
        }
        match self.byte(at) {
            Some(b'e' | b'E') => None,
            _ => Some(at),
        }
    }

    fn digits(&self, mut at: usize) -> usize {
        while let Some(b'0'..=b'9') = self.byte(at) {
            at += 1;
        }
        at
    }

    fn literal(&self, at: usize, text: &[u8]) -> Option<usize> {
        let end = at + text.len();
        (self.text.get(at..end)? == text).then_some(end)
    }

    #[inline(always)]
    fn blanks(&mut self, at: usize) -> usize {
        match self.byte(at) {
            Some(..=b' ') => self.more_blanks(at),
            _ => at,
        }
    }

    #[cold]
    fn more_blanks(&mut self, mut at: usize) -> usize {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.byte(at) {
            self.line_ends |= matches!(byte, b'\n' | b'\r');
            at += 1;
        }
        at
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }
}

/// Which arrays and objects are open inside of an object at the top level.
#[derive(Default)]
struct Open {
    depth: u32,
    /// A bit for each: whether it is an object.
    objects: u128,
}

impl Open {
    #[inline(always)]
    fn push(&mut self, object: bool) -> Option<()> {
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(object);
        (self.depth <= DEPTH_MAX).then_some(())
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn is_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn is_empty(&self) -> bool {
        self.depth == 0
    }
}

/// Whether the text begins with `known`. Short names don't go through memcmp, because the call would take longest.
#[inline]
fn begins(text: &[u8], known: &[u8]) -> bool {
    let Some(text) = text.get(..known.len()) else {
        return false;
    };
    match known.len() {
        8..=16 => same_ends::<8>(text, known),
        17..=32 => same_ends::<16>(text, known),
        _ => text == known,
    }
}

/// The first and the last bytes, which may overlap.
#[inline]
fn same_ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(known: &[&str]) -> RememberedNames {
        let mut names = RememberedNames::default();
        known.iter().for_each(|name| names.push(name, false));
        names
    }

    #[test]
    fn a_name_is_compared_in_all_its_bytes() {
        for length in 0..50 {
            let name = "x".repeat(length);
            let names = names(&["a", &name]);
            let value = |name: &str| format!("{{\"a\":1,\"{name}\":2}}");
            assert!(surely_readable(&value(&name), &names, None).is_some(), "{length}");
            for other in 0..length {
                let mut name = name.clone();
                name.replace_range(other..=other, "y");
                assert_eq!(surely_readable(&value(&name), &names, None), None, "{name}");
            }
            assert_eq!(
                surely_readable(&value(&format!("{name}x")), &names, None),
                None,
                "{length}"
            );
        }
    }

    #[test]
    fn only_names_of_the_top_level_are_known() {
        let names = names(&["a", "name"]);
        for (value, found) in [
            ("{\"a\":{\"b\":1,\"name\":2},\"name\":3}", 2),
            ("{\"a\":[1,{\"b\":1,\"name\":2}],\"name\":3}", 2),
            ("[{\"b\":1,\"a\":2},{\"b\":1,\"a\":2}]", 0),
        ] {
            let mut fields = Vec::new();
            assert!(
                surely_readable(value, &names, Some(&mut fields)).is_some(),
                "{value}"
            );
            assert_eq!(fields.len(), found, "{value}");
        }
        for value in ["[1,\"a\":2]", "{\"a\":[1,\"name\":2]}", "1,\"a\":2"] {
            assert_eq!(surely_readable(value, &names, None), None, "{value}");
        }
    }
}
