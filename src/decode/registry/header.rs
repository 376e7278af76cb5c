//! Where a record says which schema it was written with: before its payload, or in a header of the record.

use crate::json::Reason;
use crate::record::Header;

use super::super::schema::SchemaId;

/// Whether it is about a record's key or its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Key,
    Value,
}

impl Side {
    /// The record header that carries the id.
    fn header(self) -> &'static str {
        match self {
            Side::Key => "__key_schema_id",
            Side::Value => "__value_schema_id",
        }
    }
}

/// The id of a record's schema, the payload without it, and what follows the id in a record header: the indexes of Protobuf's
/// message. That is None where the id stands before the payload.
pub type IdAndPayload<'a> = (SchemaId, &'a [u8], Option<Vec<u8>>);

/// Finds the id of a record's schema.
///
/// # Errors
/// There is no id, or it is cut short.
pub fn find<'a>(payload: &'a [u8], headers: &[Header<'_>], side: Side) -> Result<IdAndPayload<'a>, Reason> {
    let name = side.header();
    // A producer that forwards what it read may leave the old header in: the last one is its own.
    match headers.iter().rev().find(|header| header.name == name.as_bytes()) {
        Some(header) => {
            let (id, rest) = split(header.value.unwrap_or_default())
                .map_err(|reason| reason.of_the(&format!("record header {name}")))?;
            Ok((id, payload, Some(rest.to_vec())))
        }
        None => split(payload).map(|(id, rest)| (id, rest, None)),
    }
}

/// The payload with its id before it, if a record header has the id. That is read as the record itself, without its headers.
pub fn framed<'m>(
    payload: &[u8],
    headers: &[Header<'_>],
    side: Side,
    memory: &'m mut Vec<u8>,
) -> Option<&'m [u8]> {
    let name = side.header();
    let header = headers
        .iter()
        .rev()
        .find(|header| header.name == name.as_bytes())?;
    memory.clear();
    memory.extend_from_slice(header.value?);
    memory.extend_from_slice(payload);
    Some(memory)
}

/// Takes the id off: 00 and a number of 4 bytes, or 01 and a GUID of 16.
fn split(bytes: &[u8]) -> Result<(SchemaId, &[u8]), Reason> {
    let cut = || Reason::from("the id of its schema is cut short");
    match bytes.split_first() {
        Some((0, rest)) => {
            let (id, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            Ok((SchemaId::Number(u32::from_be_bytes(*id)), rest))
        }
        Some((1, rest)) => {
            let (id, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            Ok((SchemaId::Guid(*id), rest))
        }
        Some(_) => Err("no id of a schema: its first byte is neither 00 nor 01".into()),
        None => Err("no id of a schema: it is empty".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUID: [u8; 16] = *b"0123456789abcdef";

    fn header<'a>(name: &'a str, value: Option<&'a [u8]>) -> Header<'a> {
        Header {
            name: name.as_bytes(),
            value,
        }
    }

    fn fault(payload: &[u8], headers: &[Header<'_>]) -> String {
        find(payload, headers, Side::Value).unwrap_err().to_string()
    }

    #[test]
    fn an_id_stands_before_the_payload() {
        let found = find(b"\0\0\0\x01\x02rest", &[], Side::Key);
        assert_eq!(found, Ok((SchemaId::Number(258), &b"rest"[..], None)));
        assert_eq!(
            find(b"\0\xff\xff\xff\xff", &[], Side::Key),
            Ok((SchemaId::Number(u32::MAX), &b""[..], None))
        );
        let payload = [&[1], &GUID[..], b"rest"].concat();
        let found = find(&payload, &[], Side::Value);
        assert_eq!(found, Ok((SchemaId::Guid(GUID), &b"rest"[..], None)));
    }

    #[test]
    fn the_last_header_of_its_side_wins() {
        let old = [&[1], &[7; 16][..]].concat();
        let new = [&[1], &GUID[..], &[2, 4]].concat();
        let headers = [
            header("__value_schema_id", Some(&old)),
            header("__value_schema_id", Some(&new)),
            header("__key_schema_id", Some(b"\0\0\0\0\x05")),
            header("__VALUE_SCHEMA_ID", Some(b"x")),
        ];
        let payload = b"\0\0\0\0\x01";
        let value = find(payload, &headers, Side::Value);
        assert_eq!(value, Ok((SchemaId::Guid(GUID), &payload[..], Some(vec![2, 4]))));
        let key = find(payload, &headers, Side::Key);
        assert_eq!(key, Ok((SchemaId::Number(5), &payload[..], Some(vec![]))));
    }

    #[test]
    fn no_id_is_a_reason_that_repeats_no_bytes() {
        let (none, short) = (
            "no id of a schema: its first byte is neither 00 nor 01",
            "the id of its schema is cut short",
        );
        assert_eq!(fault(b"{\"a\":1}", &[]), none);
        assert_eq!(fault(b"\0\0\0\x01", &[]), short);
        assert_eq!(fault(&[1; 16], &[]), short);
        assert_eq!(fault(b"", &[]), "no id of a schema: it is empty");
        for (value, told) in [
            (None, "no id of a schema: it is empty"),
            (Some(&b"secret"[..]), none),
            (Some(&[1; 16]), short),
        ] {
            let told = format!("record header __value_schema_id: {told}");
            let headers = [header("__value_schema_id", value)];
            assert_eq!(fault(b"\0\0\0\0\x01", &headers), told);
        }
    }

    proptest! {
        /// What is taken off is what was put before.
        #[test]
        fn an_id_is_taken_off(id: u32, guid: [u8; 16], rest: Vec<u8>, other: Vec<u8>) {
            let number = [&[0], &id.to_be_bytes()[..], &rest].concat();
            let named = [&[1], &guid[..], &rest].concat();
            for (bytes, id) in [(number, SchemaId::Number(id)), (named, SchemaId::Guid(guid))] {
                prop_assert_eq!(find(&bytes, &[], Side::Key), Ok((id, &rest[..], None)));
                let headers = [header("__key_schema_id", Some(&bytes))];
                prop_assert_eq!(find(&other, &headers, Side::Key), Ok((id, &other[..], Some(rest.clone()))));
            }
        }
    }
}
