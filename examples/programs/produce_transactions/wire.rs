//! The bytes ksqlDB writes: keys of the KAFKA format, the window's suffix, JSON as Jackson prints it.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// JSON in ksqlDB's form: no spaces, UTF-8, but a character beyond the BMP is a pair of `\uXXXX` escapes, which is
/// how Jackson's UTF8JsonGenerator writes it unless told otherwise (jackson-core#223).
pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, Jackson))
        .context("cannot write JSON")?;
    Ok(bytes)
}

/// A key of ksqlDB's KAFKA format in a table with TUMBLING or HOPPING windows: the text, then the window's start in
/// milliseconds as a big-endian i64. The end is not on the wire.
pub(crate) fn windowed_key(text: &str, start_ms: i64) -> Vec<u8> {
    let mut key = text.as_bytes().to_vec();
    key.extend_from_slice(&start_ms.to_be_bytes());
    key
}

/// The starts of the hopping windows that hold an instant, oldest first, as Kafka Streams' TimeWindows counts them.
pub(crate) fn hopping_starts(timestamp_ms: i64, size_ms: i64, advance_ms: i64) -> impl Iterator<Item = i64> {
    let first = (timestamp_ms - size_ms + advance_ms).max(0) / advance_ms * advance_ms;
    (first..=timestamp_ms).step_by(usize::try_from(advance_ms).unwrap_or(usize::MAX))
}

struct Jackson;

impl Formatter for Jackson {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain_from = 0;
        for (at, letter) in fragment
            .char_indices()
            .filter(|(_, letter)| letter.len_utf8() == 4)
        {
            writer.write_all(&fragment.as_bytes()[plain_from..at])?;
            for half in letter.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{half:04X}")?;
            }
            plain_from = at + 4;
        }
        writer.write_all(&fragment.as_bytes()[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_windowed_key_is_the_text_and_its_start() {
        assert_eq!(
            hex(&windowed_key("withdrawal", 1_700_000_100_000)),
            "7769746864726177616c0000018bcfe6eea0"
        );
    }

    #[test]
    fn one_instant_lies_in_five_windows_of_five_minutes() {
        let starts: Vec<i64> = hopping_starts(1_700_000_220_000, 300_000, 60_000).collect();
        assert_eq!(
            starts,
            [
                1_699_999_980_000,
                1_700_000_040_000,
                1_700_000_100_000,
                1_700_000_160_000,
                1_700_000_220_000
            ]
        );
        assert_eq!(hopping_starts(1_700_000_219_999, 300_000, 60_000).count(), 5);
        // ksqlDB's own case, HOPPING 30s/5s: nothing starts before the epoch.
        assert_eq!(
            hopping_starts(5_000, 30_000, 5_000).collect::<Vec<_>>(),
            [0, 5_000]
        );
    }

    #[test]
    fn characters_beyond_the_bmp_are_escaped_and_the_rest_is_utf8() {
        let written = json(&"Zoé 🎧 «a\"b» 𠮷").expect("JSON");
        assert_eq!(
            String::from_utf8_lossy(&written),
            r#""Zoé \uD83C\uDFA7 «a\"b» \uD842\uDFB7""#
        );
        assert_eq!(
            serde_json::from_slice::<String>(&written).expect("JSON"),
            "Zoé 🎧 «a\"b» 𠮷"
        );
    }
}
