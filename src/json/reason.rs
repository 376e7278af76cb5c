//! Why bytes can't be read.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a key or a value, and where in it. It never repeats the bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    what: Cow<'static, str>,
    place: Option<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// From 0.
    Byte(usize),
    /// Both from 1.
    Line { line: usize, column: usize },
}

impl Reason {
    pub fn at_byte(what: impl Into<Cow<'static, str>>, byte: usize) -> Reason {
        Reason {
            what: what.into(),
            place: Some(Place::Byte(byte)),
        }
    }

    /// The reason of the whole: `key: …`.
    #[must_use]
    pub fn of_the(self, part: &str) -> Reason {
        Reason {
            what: format!("{part}: {}", self.what).into(),
            ..self
        }
    }

    /// The same for all records with this fault, wherever they have it.
    #[must_use]
    pub fn without_place(self) -> Reason {
        Reason { place: None, ..self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match self.place {
            None => Ok(()),
            Some(Place::Byte(byte)) => write!(f, " at byte {byte}"),
            Some(Place::Line { line, column }) => write!(f, " at line {line} column {column}"),
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl From<&'static str> for Reason {
    fn from(what: &'static str) -> Reason {
        Reason {
            what: what.into(),
            place: None,
        }
    }
}

impl From<String> for Reason {
    fn from(what: String) -> Reason {
        Reason {
            what: what.into(),
            place: None,
        }
    }
}

impl From<serde_json::Error> for Reason {
    /// serde_json ends its text with the place, if it has one.
    fn from(error: serde_json::Error) -> Reason {
        let place = Place::Line {
            line: error.line(),
            column: error.column(),
        };
        let whole = Reason::from(error.to_string());
        let end = Reason {
            what: "".into(),
            place: Some(place),
        };
        match whole.what.strip_suffix(&end.to_string()) {
            Some(what) => Reason {
                what: what.to_owned().into(),
                place: Some(place),
            },
            None => whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_the_same_wherever_it_is() {
        let reason = |text: &str| Reason::from(serde_json::from_str::<u8>(text).unwrap_err()).of_the("value");
        let (one, other) = (reason("x"), reason("\n  x"));
        assert_eq!(one.to_string(), "value: expected value at line 1 column 1");
        assert_eq!(other.to_string(), "value: expected value at line 2 column 3");
        assert_ne!(one, other);
        assert_eq!(one.without_place(), other.clone().without_place());
        assert_eq!(other.without_place().to_string(), "value: expected value");
        assert_eq!(Reason::at_byte("not UTF-8", 7).to_string(), "not UTF-8 at byte 7");
    }

    /// Also where the producer's own text reads like a place.
    #[test]
    fn only_the_place_is_left_out() {
        let named = Reason::from("the name \"x at line 1 column 2\" occurs twice".to_owned());
        assert_eq!(named.clone().without_place(), named);
    }
}
