//! Fields of a JSON object by path, and the canonical form, in which equal values are equal text.

use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::decode::fields::{each, is_number, scalar};
use crate::types::decimal::Decimal;

/// Readable values are at most this deep; text from a command line may be deeper.
const DEPTH_MAX: usize = 128;

/// The most digits of a number whose forms are compared.
const DIGITS_MAX: u64 = 400;

/// A scalar that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundScalar<'a> {
    /// A number as it is written.
    pub text: Cow<'a, str>,
    pub is_number: bool,
}

impl FoundScalar<'_> {
    fn into_owned<'o>(self) -> FoundScalar<'o> {
        FoundScalar {
            text: self.text.into_owned().into(),
            is_number: self.is_number,
        }
    }

    /// The one form of a number: files of typed columns write 42 as 42.00, and 1.0E7 as 10000000.
    pub fn number(&self) -> Option<String> {
        self.is_number.then(|| plain_number(&self.text)).flatten()
    }
}

/// A number without exponent, and without zeros that don't count. None: the text is no number of JSON, or has too many digits.
pub fn plain_number(text: &str) -> Option<String> {
    let number = Decimal::parse(text).filter(|_| is_number(text))?;
    let places = u64::try_from(number.places()).unwrap_or(0);
    let length = number.whole_digits().checked_add(places)?;
    if length > DIGITS_MAX {
        return None;
    }
    let fixed = number.fixed(u32::try_from(length).ok()?.max(1), u32::try_from(places).ok()?)?;
    Some(fixed.to_string())
}

/// Calls `visit` with every scalar at `path`, which is in lower case with dots between names.
/// Names are compared without case, and may have dots themselves. Arrays are not entered.
pub fn at_path<'a>(
    object: &'a str,
    path: &str,
    visit: &mut dyn FnMut(FoundScalar<'a>),
) -> Result<(), serde_json::Error> {
    each(object, &mut |name, raw| at_field(&name, raw, path, visit))
}

/// The same for one field of an object.
pub fn at_field<'a>(name: &str, raw: &'a str, path: &str, visit: &mut dyn FnMut(FoundScalar<'a>)) {
    match rest_of(path, name) {
        None => {}
        Some("") => {
            if let Some(found) = found_in(raw) {
                visit(found);
            }
        }
        Some(rest) => {
            let raw = raw.trim_ascii_start();
            let Some(rest) = rest.strip_prefix('.') else {
                return;
            };
            if raw.starts_with('{') {
                // Below the top level serde_json has checked that this is an object.
                let _ = at_path(raw, rest, visit);
            } else if raw.starts_with('"')
                && let Some(text) = scalar(raw).filter(|text| text.starts_with('{'))
            {
                // A column of texts and objects holds both as text.
                let _ = at_path(&text, rest, &mut |found| visit(found.into_owned()));
            }
        }
    }
}

/// The text of a string, a number or a boolean.
pub fn found_in(raw: &str) -> Option<FoundScalar<'_>> {
    let is_number = raw
        .trim_ascii_start()
        .starts_with(|c: char| c == '-' || c.is_ascii_digit());
    scalar(raw).map(|text| FoundScalar { text, is_number })
}

/// The rest of a lower-case path after a name; None if the path does not begin with it.
fn rest_of<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let rest = if name.is_ascii() {
        let (head, rest) = path.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name).then_some(rest)?
    } else {
        path.strip_prefix(name.to_lowercase().as_str())?
    };
    (rest.is_empty() || rest.starts_with('.')).then_some(rest)
}

/// The canonical form: objects and arrays without blanks, names sorted, numbers as written; any other text unchanged.
pub fn canonical(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    if !trimmed.starts_with(['{', '[']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(trimmed.len());
    match write_canonical(trimmed, DEPTH_MAX, &mut out) {
        Some(()) => Cow::Owned(out),
        None => Cow::Borrowed(text),
    }
}

fn write_canonical(raw: &str, depth_left: usize, out: &mut String) -> Option<()> {
    let depth_left = depth_left.checked_sub(1)?;
    match raw.as_bytes().first()? {
        b'{' => {
            let mut fields = BTreeMap::new();
            each(raw, &mut |name, value| {
                fields.insert(name, value);
            })
            .ok()?;
            out.push('{');
            for (at, (name, value)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(&name).ok()?);
                out.push(':');
                write_canonical(value, depth_left, out)?;
            }
            out.push('}');
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            out.push('[');
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_canonical(item.get(), depth_left, out)?;
            }
            out.push(']');
        }
        b'"' => {
            let text: String = serde_json::from_str(raw).ok()?;
            out.push_str(&serde_json::to_string(&text).ok()?);
        }
        _ => out.push_str(raw),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(object: &str, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        at_path(object, path, &mut |scalar| found.push(scalar.text.into_owned())).unwrap();
        found
    }

    #[test]
    fn fields_are_found_by_path_without_case() {
        let object =
            r#"{"USER_ID":"U-1","n":12.30,"user":{"Id":"x","b":true,"z":null},"user.id":"dotted","É":"e"}"#;
        assert_eq!(found(object, "user_id"), ["U-1"]);
        assert_eq!(found(object, "n"), ["12.30"]);
        assert_eq!(found(object, "user.id"), ["x", "dotted"]);
        assert_eq!(found(object, "user.b"), ["true"]);
        assert_eq!(found(object, "é"), ["e"]);
        for path in ["user", "user.z", "use", "user_id.x", "user_idx", ""] {
            assert!(found(object, path).is_empty(), "{path}");
        }
    }

    #[test]
    fn objects_in_texts_are_entered() {
        let object = r#"{"user":"{\"id\":42,\"more\":{\"x\":\"y\"}}","plain":"{no"}"#;
        assert_eq!(found(object, "user.id"), ["42"]);
        assert_eq!(found(object, "user.more.x"), ["y"]);
        assert!(found(object, "plain.x").is_empty());
    }

    #[test]
    fn a_number_has_one_form() {
        for (text, plain) in [
            ("42", Some("42")),
            ("42.00", Some("42")),
            ("1.0E7", Some("10000000")),
            ("-0.50", Some("-0.5")),
            ("5e-3", Some("0.005")),
            ("-0.0", Some("0")),
            ("042", None),
            ("4.", None),
            ("4.E5", None),
            ("4.e5", None),
            ("+4", None),
            (".4", None),
            ("x", None),
            ("1e999", None),
        ] {
            assert_eq!(plain_number(text).as_deref(), plain, "{text}");
        }
    }

    #[test]
    fn escapes_are_read() {
        assert_eq!(found(r#"{"\u0055SER_ID":"U\u002d1"}"#, "user_id"), ["U-1"]);
        assert!(each("[1]", &mut |_, _| {}).is_err());
        assert!(each("{} x", &mut |_, _| {}).is_err());
    }

    #[test]
    fn equal_objects_are_equal_text() {
        let one = canonical(r#" {"b": [1, {"y":"\u0041","x":1.0}], "a": {} } "#);
        assert_eq!(one, r#"{"a":{},"b":[1,{"x":1.0,"y":"A"}]}"#);
        assert_eq!(canonical("plain {"), "plain {");
        assert_eq!(canonical("{broken"), "{broken");
        assert_eq!(canonical("[]"), "[]");
        assert_eq!(canonical("{}"), "{}");
        assert_eq!(canonical("[{}, { }]"), "[{},{}]");
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        assert_eq!(canonical(&deep), deep);
    }

    proptest! {
        /// The order of names and blanks don't matter, and a canonical text does not change.
        #[test]
        fn canonical_is_one_form(fields in proptest::collection::btree_map(".{0,8}", ".{0,8}", 0..6)) {
            let object = |fields: Vec<(&String, &String)>, blank: &str| {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{blank}{}{blank}:{blank}{}", serde_json::json!(name), serde_json::json!(value)))
                    .collect();
                format!("{{{}{blank}}}", fields.join(","))
            };
            let plain = object(fields.iter().collect(), "");
            let other = object(fields.iter().rev().collect(), " ");
            prop_assert_eq!(canonical(&plain), canonical(&other));
            let once = canonical(&plain).into_owned();
            prop_assert_eq!(canonical(&once), once.as_str());
        }
    }
}
