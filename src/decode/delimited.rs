//! DELIMITED: one line of CSV, whose fields are columns by their order.

use std::borrow::Cow;

use super::Reason;
use super::fields::is_number;
use super::text::push_text;
use crate::config::{DeclaredColumn, DeclaredType};

/// A field of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DelimitedField<'t> {
    pub text: Cow<'t, str>,
    pub quoted: bool,
}

/// Divides a line at the delimiter. A field may be in quotes, in which two of them stand for one.
///
/// # Errors
/// A quoted field has no end, or more than one line is there.
pub(super) fn split(line: &str, delimiter: char) -> Result<Vec<DelimitedField<'_>>, Reason> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) if delimiter != '"' => unquote(quoted, delimiter)?,
            _ => plain(rest, delimiter),
        };
        fields.push(field);
        match (after.strip_prefix(delimiter), after) {
            (Some(after), _) => rest = after,
            (None, "" | "\n" | "\r" | "\r\n") => return Ok(fields),
            (None, _) => return Err("not a line of delimited fields".into()),
        }
    }
}

/// The text up to the delimiter or the end of the line, and what follows.
fn plain(text: &str, delimiter: char) -> (DelimitedField<'_>, &str) {
    let end = text.find([delimiter, '\n', '\r']).unwrap_or(text.len());
    let field = DelimitedField {
        text: Cow::Borrowed(&text[..end]),
        quoted: false,
    };
    (field, &text[end..])
}

/// The text behind an opening quote. What stands between the closing quote and the delimiter belongs to the field, as in other
/// readers of CSV.
fn unquote(text: &str, delimiter: char) -> Result<(DelimitedField<'_>, &str), Reason> {
    let unfinished = || Reason::from("a quoted field has no end");
    let mut unquoted = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').ok_or_else(unfinished)?;
        unquoted += part;
        match after.strip_prefix('"') {
            Some(after) => {
                unquoted += "\"";
                rest = after;
            }
            None => {
                let (behind, after) = plain(after, delimiter);
                unquoted += behind.text;
                let field = DelimitedField {
                    text: unquoted,
                    quoted: true,
                };
                return Ok((field, after));
            }
        }
    }
}

/// Appends the line as an object of the columns.
///
/// # Errors
/// It is not one line of as many fields as there are columns.
pub(super) fn write_object(
    line: &str,
    delimiter: char,
    columns: &[DeclaredColumn],
    out: &mut String,
) -> Result<(), Reason> {
    let fields = split(line, delimiter)?;
    if fields.len() != columns.len() {
        return Err(format!(
            "{} delimited fields, but {} are configured",
            fields.len(),
            columns.len()
        )
        .into());
    }
    let fields = fields.iter().map(|field| (&*field.text, field.quoted));
    write_fields(fields, columns, out);
    Ok(())
}

/// Appends an object of the columns. An empty text without quotes is null.
pub(super) fn write_fields<'t>(
    fields: impl IntoIterator<Item = (&'t str, bool)>,
    columns: &[DeclaredColumn],
    out: &mut String,
) {
    for (i, (column, (text, quoted))) in columns.iter().zip(fields).enumerate() {
        out.push(if i == 0 { '{' } else { ',' });
        push_text(out, &column.name);
        out.push(':');
        if text.is_empty() && !quoted {
            out.push_str("null");
        } else {
            write_field(text, column.kind, out);
        }
    }
    out.push('}');
}

/// Appends a field as its type has it: a number or boolean as it is written, all else as text.
pub(super) fn write_field(text: &str, kind: DeclaredType, out: &mut String) {
    let is_bare = match kind {
        DeclaredType::Varchar | DeclaredType::Bytes => false,
        DeclaredType::Boolean => matches!(text, "true" | "false"),
        _ => is_number(text) && text.parse::<f64>().is_ok_and(f64::is_finite),
    };
    if is_bare {
        out.push_str(text);
    } else {
        push_text(out, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(line: &str, columns: &[(&str, DeclaredType)]) -> Result<String, String> {
        let columns: Vec<_> = columns
            .iter()
            .map(|&(name, kind)| DeclaredColumn {
                name: name.to_owned(),
                kind,
            })
            .collect();
        let mut out = String::new();
        write_object(line, ',', &columns, &mut out).map_err(|reason| reason.to_string())?;
        Ok(out)
    }

    #[test]
    fn fields_have_the_types_of_their_columns() {
        use DeclaredType::{Bigint, Boolean, Bytes, Decimal, Double, Varchar};
        let decimal = Decimal {
            precision: 9,
            scale: 2,
        };
        for (line, kind, shown) in [
            ("7", Varchar, "\"7\""),
            ("", Varchar, "null"),
            ("\"\"", Varchar, "\"\""),
            ("\"a\nb\"", Varchar, "\"a\\nb\""),
            ("12.30", decimal, "12.30"),
            ("-9007199254740993", Bigint, "-9007199254740993"),
            ("1E400", Double, "\"1E400\""),
            ("NaN", Double, "\"NaN\""),
            ("007", Bigint, "\"007\""),
            ("-", Bigint, "\"-\""),
            ("1 ", Bigint, "\"1 \""),
            ("true", Boolean, "true"),
            ("TRUE", Boolean, "\"TRUE\""),
            ("AQ==", Bytes, "\"AQ==\""),
        ] {
            assert_eq!(
                object(line, &[("A", kind)]),
                Ok(format!("{{\"A\":{shown}}}")),
                "{line}"
            );
        }
        assert_eq!(
            object("0,30000,x", &[("A", Bigint), ("b\"", Bigint), ("C", Varchar)]),
            Ok("{\"A\":0,\"b\\\"\":30000,\"C\":\"x\"}".to_owned())
        );
    }

    #[test]
    fn another_number_of_fields_is_refused() {
        let columns = [("A", DeclaredType::Varchar), ("B", DeclaredType::Varchar)];
        for line in ["a", "a,b,c", ""] {
            assert!(
                object(line, &columns)
                    .unwrap_err()
                    .contains("but 2 are configured"),
                "{line}"
            );
        }
        assert_eq!(
            object("a,b\nc,d", &columns).unwrap_err(),
            "not a line of delimited fields"
        );
        assert_eq!(
            object("a,\"b", &columns).unwrap_err(),
            "a quoted field has no end"
        );
        assert!(object("a,b\r\n", &columns).is_ok());
    }

    #[test]
    fn any_character_is_a_delimiter() {
        for (delimiter, line) in [
            ('é', "a è\u{c3}é\"x é \"\"y\"\"\"éé\"\"é\"b\"c"),
            ('€', "a è\u{c3}€\"x é \"\"y\"\"\"€€\"\"€\"b\"c\r\n"),
            (
                '\u{1f4a5}',
                "a è\u{c3}\u{1f4a5}\"x é \"\"y\"\"\"\u{1f4a5}\u{1f4a5}\"\"\u{1f4a5}\"b\"c",
            ),
        ] {
            let fields = split(line, delimiter).unwrap();
            let fields: Vec<_> = fields.iter().map(|field| (&*field.text, field.quoted)).collect();
            let expected = [
                ("a è\u{c3}", false),
                ("x é \"y\"", true),
                ("", false),
                ("", true),
                ("bc", true),
            ];
            assert_eq!(fields, expected, "{line}");
        }
    }

    proptest! {
        /// Lines that a well-kept writer of CSV has written are read back as they were.
        #[test]
        fn written_lines_are_read_back(
            fields in proptest::collection::vec("[a,;é \"\n\r\t]{0,6}", 1..5),
            delimiter in proptest::sample::select(b",;|\t ".to_vec()),
            always in any::<bool>(),
        ) {
            let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).quote_style(style).from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let read = split(&line, char::from(delimiter)).unwrap();
            let texts: Vec<_> = read.iter().map(|field| field.text.to_string()).collect();
            prop_assert_eq!(texts, fields, "{:?}", line);
        }

        /// Fields without quotes and line ends are what stands between the delimiters.
        #[test]
        fn plain_lines_are_split(line in "[a,;é€è \t\u{feff}\u{0}]{0,8}", delimiter in proptest::sample::select(vec![',', ';', ' ', '\t', 'é', '€'])) {
            let read = split(&line, delimiter).unwrap();
            let texts: Vec<_> = read.iter().map(|field| &*field.text).collect();
            let expected: Vec<_> = line.split(delimiter).collect();
            prop_assert_eq!(texts, expected);
        }

        #[test]
        fn any_line_is_read_or_refused(line in any::<String>(), delimiter in any::<char>()) {
            let _ = split(&line, delimiter);
        }
    }
}
