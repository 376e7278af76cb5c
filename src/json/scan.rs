//! The fast path of the check: it says that a value is readable, or nothing. In any doubt serde_json reads it and decides.

use super::{FieldPlace, Readable, Shape};

/// How many levels every reader accepts.
const DEPTH_MAX: u32 = 127;
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
        if plain(name.as_bytes()) == name.len() {
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
        Some(fields) => scan::<true>(text, names, fields),
        // A type of its own, so that the scan without fields does not check for them at every name.
        None => scan::<false>(text, names, &mut Vec::new()),
    }
}

fn scan<'a, const FIELDS: bool>(
    text: &'a str,
    names: &RememberedNames,
    fields: &mut Vec<FieldPlace>,
) -> Option<Readable<'a>> {
    let mut scan = Scan::<FIELDS> {
        text: text.as_bytes(),
        at: 0,
        depth: 0,
        objects: 0,
        names: names.0.iter(),
        reserved: false,
        line_ends: false,
        fields,
    };
    scan.blanks();
    let is_object = scan.peek()? == b'{';
    scan.document()?;
    let shape = match (is_object, scan.reserved) {
        (true, true) => Shape::ReservedObject,
        (true, false) => Shape::Object,
        (false, _) => Shape::Other,
    };
    let line_ends = scan.line_ends;
    Some(Readable {
        text,
        shape,
        line_ends,
    })
}

struct Scan<'a, const FIELDS: bool> {
    text: &'a [u8],
    at: usize,
    /// How many arrays and objects are open.
    depth: u32,
    /// A bit for each open one: whether it is an object.
    objects: u128,
    /// The names that may come next at the top level.
    names: std::slice::Iter<'a, RememberedName>,
    reserved: bool,
    line_ends: bool,
    /// Stays empty if `FIELDS` is false.
    fields: &'a mut Vec<FieldPlace>,
}

/// Each step continues after the last one; None means doubt.
impl<const FIELDS: bool> Scan<'_, FIELDS> {
    fn document(&mut self) -> Option<()> {
        loop {
            self.blanks();
            let opened = match self.peek()? {
                open @ (b'{' | b'[') => self.open(open == b'{')?,
                b'"' => self.string().map(|_| false)?,
                b'-' | b'0'..=b'9' => self.number().map(|()| false)?,
                b't' => self.literal(b"true").map(|()| false)?,
                b'f' => self.literal(b"false").map(|()| false)?,
                b'n' => self.literal(b"null").map(|()| false)?,
                _ => return None,
            };
            // Next is the first value of an array or object that was opened, or whatever follows a complete value.
            if !opened && !self.close()? {
                return Some(());
            }
        }
    }

    /// Reads the start of an array or object; true if a value follows, false if it is empty.
    fn open(&mut self, object: bool) -> Option<bool> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.at += 1;
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
        self.blanks();
        match (object, self.peek()?) {
            (true, b'}') | (false, b']') => {
                self.leave();
                Some(false)
            }
            (true, _) => self.name().map(|()| true),
            (false, _) => Some(true),
        }
    }

    /// Reads what follows a value; true if another value comes next, false at the end of the text.
    fn close(&mut self) -> Option<bool> {
        loop {
            if self.next_known_name() {
                return Some(true);
            }
            self.blanks();
            match self.depth {
                0 => return (self.at == self.text.len()).then_some(false),
                1 => self.end_field(),
                _ => {}
            }
            let object = self.objects & 1 == 1;
            match (self.peek()?, object) {
                (b',', true) => {
                    self.at += 1;
                    self.blanks();
                    return self.name().map(|()| true);
                }
                (b',', false) => {
                    self.at += 1;
                    return Some(true);
                }
                (b'}', true) | (b']', false) => self.leave(),
                _ => return None,
            }
        }
    }

    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
    }

    fn name(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        let name = match self.depth {
            1 => self.known_name()?,
            _ => self.string()?,
        };
        self.blanks();
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        if FIELDS && self.depth == 1 {
            let value = self.at..self.at;
            self.fields.push(FieldPlace { name, value });
        }
        Some(())
    }

    /// The range between the quotes.
    fn known_name(&mut self) -> Option<std::ops::Range<usize>> {
        let text = &self.text[self.at..];
        // Names may be skipped: those that remain are still all different.
        let known = self.names.find(|known| text.starts_with(known.quoted()))?;
        self.reserved |= known.reserved;
        let start = self.at + 1;
        self.at += known.quoted().len();
        Some(start..self.at - 1)
    }

    /// Reads in one step what mostly follows a field: the next known name, without blanks.
    fn next_known_name(&mut self) -> bool {
        let (1, 1, Some(known)) = (self.depth, self.objects, self.names.as_slice().first()) else {
            return false;
        };
        if !begins(&self.text[self.at..], &known.whole) {
            return false;
        }
        self.names.next();
        self.reserved |= known.reserved;
        self.end_field();
        let start = self.at + 2;
        self.at += known.whole.len();
        if FIELDS {
            let (name, value) = (start..self.at - 2, self.at..self.at);
            self.fields.push(FieldPlace { name, value });
        }
        true
    }

    /// Notes the end of a top-level value; in an array there is no field to note it for.
    fn end_field(&mut self) {
        if FIELDS && let Some(field) = self.fields.last_mut() {
            field.value.end = self.at;
        }
    }

    /// The range between the quotes.
    fn string(&mut self) -> Option<std::ops::Range<usize>> {
        let start = self.at + 1;
        self.at = start;
        loop {
            self.at += plain(&self.text[self.at..]);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(start..self.at - 1);
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let digits = self.text.get(self.at + 2..self.at + 6)?;
                let surrogate = matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                if surrogate || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                self.at += 6;
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.peek()? == b'-');
        let leading_zero = self.peek()? == b'0';
        let digits = self.digits();
        if digits == 0 || digits > DIGITS_MAX || (leading_zero && digits > 1) {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        match self.peek() {
            Some(b'e' | b'E') => None,
            _ => Some(()),
        }
    }

    fn digits(&mut self) -> usize {
        let rest = &self.text[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        self.text[self.at..]
            .starts_with(text)
            .then(|| self.at += text.len())
    }

    fn blanks(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.line_ends |= matches!(byte, b'\n' | b'\r');
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
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

/// How many bytes come before a quote, a backslash or a control character.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    const BLANKS: u64 = ONES * b' ' as u64;
    // Eight bytes at once: a high bit where a byte is zero after the exclusive or, or below a blank.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, _) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let below = word.wrapping_sub(BLANKS) & !word & HIGHS;
        let found = zero(word ^ QUOTES) | zero(word ^ BACKSLASHES) | below;
        if found != 0 {
            // Borrows reach only upwards: the lowest bit that is set is right.
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    let rest = &text[words.len() * 8..];
    words.len() * 8 + rest.iter().position(ends).unwrap_or(rest.len())
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
