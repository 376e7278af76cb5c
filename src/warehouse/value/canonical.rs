//! MariaDB's UUID and INET types: a value can be spelled in several ways, and in a key all spellings mean one row.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::warehouse::table::column::ColumnType;

/// The places of the hyphens in a UUID.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The one spelling of the value; None if the text is not a value of this type, or only the server can read it.
pub(in crate::warehouse) fn canonical(kind: &ColumnType, text: &str) -> Option<String> {
    match kind {
        ColumnType::Uuid => uuid(text),
        ColumnType::Inet4 => text.parse().ok().map(|address: Ipv4Addr| address.to_string()),
        ColumnType::Inet6 => text.parse().ok().map(|address: Ipv6Addr| address.to_string()),
        _ => None,
    }
}

/// Reads a UUID with all its hyphens or without any, in upper or lower case.
fn uuid(text: &str) -> Option<String> {
    let is_hyphened = text.len() == 36 && HYPHENS.iter().all(|&at| text.as_bytes()[at] == b'-');
    let mut digits = if is_hyphened {
        text.replace('-', "")
    } else {
        text.to_owned()
    };
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    digits.make_ascii_lowercase();
    HYPHENS.iter().for_each(|&at| digits.insert(at, '-'));
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_becomes_one() {
        let same = |kind: &ColumnType, spellings: &[&str]| {
            for spelling in spellings {
                assert_eq!(
                    canonical(kind, spelling).as_deref(),
                    Some(spellings[0]),
                    "{spelling}"
                );
            }
        };
        same(
            &ColumnType::Uuid,
            &[
                "0f8fad5b-d9cb-469f-a165-70867728950e",
                "0F8FAD5B-D9CB-469F-A165-70867728950E",
                "0f8fad5bd9cb469fA16570867728950e",
            ],
        );
        same(&ColumnType::Inet4, &["10.0.0.1"]);
        same(
            &ColumnType::Inet6,
            &["2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:0db8::0001"],
        );
    }

    #[test]
    fn what_is_no_value_has_no_spelling() {
        for text in [
            "",
            "0f8fad5b-d9cb-469f-a165-70867728950",
            "0f8fad5b-d9cb-469f-a165-70867728950g",
            "0f8fad5bd-9cb-469f-a165-70867728950e",
            "0f8fad5b-d9cb-469f-a165-7086772895-e",
            "{0f8fad5b-d9cb-469f-a165-70867728950e}",
            "0f8fad5b-d9cb-469f-a165-7086772895ä",
        ] {
            assert_eq!(canonical(&ColumnType::Uuid, text), None, "{text}");
        }
        assert_eq!(canonical(&ColumnType::Inet4, "10.0.0.256"), None);
        assert_eq!(canonical(&ColumnType::Inet6, "10.0.0.1"), None);
        assert_eq!(canonical(&ColumnType::Date, "2025-10-30"), None);
    }
}
