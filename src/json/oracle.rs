//! For tests: a second, hand-written reader that decides whether a value is readable; and random JSON texts, most of them
//! readable, many of them only almost.

use proptest::prelude::*;

const DEPTH_MAX: usize = 127;

/// A value that every reader accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustedValue<'a> {
    /// Without whitespace around it.
    pub(crate) text: &'a str,
    /// An object's top-level names, unescaped; None for other values.
    pub(crate) names: Option<Vec<String>>,
}

/// None: the value is not readable, and is kept as text.
pub(crate) fn read(bytes: &[u8]) -> Option<TrustedValue<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut at = Cursor { bytes, at: 0 };
    at.blanks();
    let start = at.at;
    let names = at.value(0)?;
    let end = at.at;
    at.blanks();
    if at.at != bytes.len() {
        return None;
    }
    if let Some(names) = &names {
        let mut folded: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        folded.sort();
        let count = folded.len();
        folded.dedup();
        if folded.len() != count {
            return None;
        }
    }
    Some(TrustedValue {
        text: &text[start..end],
        names,
    })
}

/// RFC 8259, byte for byte.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The names of an object; `depth` containers are open around it.
    fn value(&mut self, depth: usize) -> Option<Option<Vec<String>>> {
        match self.peek()? {
            b'{' | b'[' if depth == DEPTH_MAX => None,
            b'{' => self.object(depth + 1).map(Some),
            b'[' => self.array(depth + 1).map(|()| None),
            b'"' => self.string().map(|_| None),
            b't' => self.word(b"true").map(|()| None),
            b'f' => self.word(b"false").map(|()| None),
            b'n' => self.word(b"null").map(|()| None),
            _ => self.number().map(|()| None),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        word.iter().try_for_each(|byte| self.take(*byte))
    }

    fn object(&mut self, depth: usize) -> Option<Vec<String>> {
        let mut names = Vec::new();
        self.take(b'{')?;
        self.blanks();
        if self.take(b'}').is_some() {
            return Some(names);
        }
        loop {
            names.push(self.string()?);
            self.blanks();
            self.take(b':')?;
            self.blanks();
            self.value(depth)?;
            self.blanks();
            if self.take(b'}').is_some() {
                return Some(names);
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        self.blanks();
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            self.blanks();
            if self.take(b']').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"')?;
        // UTF-16 code units: if they are not text in the end, there is a lone surrogate.
        let mut units: Vec<u16> = Vec::new();
        loop {
            let start = self.at;
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return String::from_utf16(&units).ok();
                }
                b'\\' => units.push(self.escape()?),
                0..0x20 => return None,
                _ => {
                    self.at += 1;
                    while self.peek().is_some_and(|byte| byte & 0xc0 == 0x80) {
                        self.at += 1;
                    }
                    units.extend(
                        std::str::from_utf8(&self.bytes[start..self.at])
                            .ok()?
                            .encode_utf16(),
                    );
                }
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        self.take(b'\\')?;
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => byte.into(),
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                self.at += 4;
                let hex = |unit: u16, byte: &u8| {
                    let digit = char::from(*byte).to_digit(16)?;
                    Some(unit * 16 + u16::try_from(digit).ok()?)
                };
                digits.iter().try_fold(0, hex)?
            }
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _ = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).ok()?;
        text.parse::<f64>().ok()?.is_finite().then_some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \n\r\t]{1,3}"]
}

/// With its quotes: text, escapes, now and then a lone surrogate or a raw control character.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        20 => "[a-zA-Z0-9_ éÉß😀\u{2028}\u{feff}\u{7f}]{0,4}",
        2 => "[a-z é]{12,40}",
        8 => proptest::sample::select(vec![
            "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\u00e9", "\\u005f", "\\u2028",
            "\\ud83d\\ude00", "\\uD83D\\uDE00",
        ]).prop_map(str::to_owned),
        1 => proptest::sample::select(vec!["\\ud800", "\\udc00", "\\ud83dx", "\\x", "\\u12", "\n", "\u{1}"])
            .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..3).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Often a reserved name, or one that differs from another only in case.
fn name() -> impl Strategy<Value = String> {
    let known = vec![
        "\"a\"",
        "\"A\"",
        "\"b\"",
        "\"c\"",
        "\"\\u0061\"",
        "\"é\"",
        "\"É\"",
        "\"\\u00c9\"",
        "\"e\\u0301\"",
        "\"k\"",
        "\"\u{212a}\"",
        "\"ß\"",
        "\"SS\"",
        "\"\"",
        "\"_\"",
        "\"_offset\"",
        "\"_OffSet\"",
        "\"\\u005foffset\"",
        "\"_value_text\"",
        "\"_window_start\"",
        "\"year\"",
        "\"Month\"",
        "\"DAY\"",
        "\"__offset\"",
        "\"offset\"",
    ];
    prop_oneof![1 => string(), 3 => proptest::sample::select(known).prop_map(str::to_owned)]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => proptest::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        4 => "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        1 => "-?[0-9]{0,3}\\.?[0-9]{0,3}[eE]?[+-]?(30[0-9]|31[0-9]|400)",
        4 => string(),
    ]
}

/// The text of a value, with blanks wherever they are allowed.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let nested = scalar().prop_recursive(4, 24, 4, |inner| {
        let item = (blanks(), inner.clone(), blanks()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let field = (blanks(), name(), blanks(), blanks(), inner, blanks())
            .prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"));
        let enclosed = |open: char, close: char, parts: Vec<String>, blank: String| {
            if parts.is_empty() {
                format!("{open}{blank}{close}")
            } else {
                format!("{open}{}{close}", parts.join(","))
            }
        };
        prop_oneof![
            1 => (blanks(), proptest::collection::vec(item, 0..4))
                .prop_map(move |(blank, items)| enclosed('[', ']', items, blank)),
            3 => (blanks(), proptest::collection::vec(field, 0..4))
                .prop_map(move |(blank, fields)| enclosed('{', '}', fields, blank)),
        ]
    });
    (blanks(), nested, blanks()).prop_map(|(a, value, b)| format!("{a}{value}{b}"))
}

/// Any bytes: values, values with some bytes changed, and random bytes.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0usize..4,
        proptest::sample::select(b"{}[]\",:\\u0e+-. \n\r\t\x00\x1f\x7f\x80\xc3\xff".to_vec()),
    );
    let changed = (text(), proptest::collection::vec(change, 1..4)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (index, what, byte) in changes {
            if bytes.is_empty() {
                bytes.push(byte);
            }
            let at = index.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        bytes
    });
    let alphabet = proptest::sample::select(b"{}[]\",:\\u0123def.-+ \n\rtrulasn".to_vec());
    prop_oneof![
        4 => text().prop_map(String::into_bytes),
        4 => changed,
        1 => proptest::collection::vec(alphabet, 0..12),
        1 => proptest::collection::vec(any::<u8>(), 0..24),
    ]
}
