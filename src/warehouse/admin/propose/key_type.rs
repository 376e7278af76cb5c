//! The types of a primary key's columns: exact, NOT NULL, and together within what InnoDB indexes.

use super::column_type::ProposedType;
use crate::decode::schema::SchemaType;
use crate::types::column::Type;
use crate::types::seen::SeenValues;

/// Bytes of all columns of an index.
const KEY_BYTES_MAX: u32 = 3_072;
/// Characters of a text, and bytes of a binary one, where that is enough.
const LENGTH: u32 = 255;
/// The longest text of a time of nine digits, which a DATETIME would round.
const NANOSECONDS_CHARS: u32 = 40;

/// The type by what a schema declares, else by the values. Lengths are not final before [`share_out`].
pub(super) fn of_column(declared: Option<&SchemaType>, seen: &SeenValues) -> ProposedType {
    // Times in texts stay texts: two spellings of one time are two keys.
    let text = ProposedType::Varchar(length(seen.chars()));
    let nanoseconds = ProposedType::Varchar(NANOSECONDS_CHARS);
    match declared {
        Some(SchemaType::Text | SchemaType::Enum(_) | SchemaType::Array) => text,
        Some(SchemaType::Map | SchemaType::Record) => text,
        Some(SchemaType::Bytes) => ProposedType::Varbinary(length(seen.chars() / 4 * 3)),
        Some(SchemaType::Timestamp { digits: 7.., .. } | SchemaType::Time { digits: 7.. }) => nanoseconds,
        None | Some(SchemaType::Any) if matches!(seen.kind(), Type::Text | Type::Mixed | Type::Nested) => {
            text
        }
        _ => match super::column_type::of_column(declared, seen) {
            ProposedType::Longtext | ProposedType::Json => text,
            fitting => fitting,
        },
    }
}

/// A length that has room for more than was seen.
fn length(seen: u64) -> u32 {
    let wanted = seen.saturating_add(seen / 2);
    u32::try_from(wanted)
        .unwrap_or(KEY_BYTES_MAX)
        .clamp(LENGTH, KEY_BYTES_MAX)
}

/// Shortens texts and bytes until the whole key can be indexed: each gets as much as it wants, or an equal share.
pub(super) fn share_out(types: &mut [ProposedType]) {
    let fixed = types.iter().filter(|kind| kind.unlimited().is_none());
    let mut left = KEY_BYTES_MAX.saturating_sub(fixed.map(|kind| kind.bytes()).sum());
    let mut limited: Vec<&mut ProposedType> = types
        .iter_mut()
        .filter(|kind| kind.unlimited().is_some())
        .collect();
    // Those that want little leave the rest to the others.
    limited.sort_by_key(|kind| kind.bytes());
    let mut sharing = u32::try_from(limited.len()).unwrap_or(u32::MAX);
    for kind in limited {
        let share = left / sharing.max(1);
        *kind = match *kind {
            ProposedType::Varchar(chars) => {
                ProposedType::Varchar(chars.min(share.saturating_sub(2) / 4).max(1))
            }
            ProposedType::Varbinary(bytes) => {
                ProposedType::Varbinary(bytes.min(share.saturating_sub(2)).max(1))
            }
            other => other,
        };
        left = left.saturating_sub(kind.bytes());
        sharing = sharing.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(declared: Option<SchemaType>, values: &[&str]) -> String {
        let mut seen = SeenValues::default();
        values.iter().for_each(|value| seen.take(value));
        of_column(declared.as_ref(), &seen).to_string()
    }

    #[test]
    fn keys_stay_exact() {
        let nanoseconds = SchemaType::Timestamp { digits: 9, utc: true };
        assert_eq!(of(Some(nanoseconds), &[]), "VARCHAR(40)");
        assert_eq!(of(Some(SchemaType::Float), &[]), "DOUBLE");
        assert_eq!(of(Some(SchemaType::Record), &[]), "VARCHAR(255)");
        assert_eq!(of(Some(SchemaType::Bytes), &[]), "VARBINARY(255)");
        assert_eq!(of(None, &["12"]), "BIGINT");
        assert_eq!(of(None, &["\"2025-10-31\""]), "VARCHAR(255)");
        assert_eq!(of(None, &["12", "\"a\""]), "VARCHAR(255)");
        assert_eq!(of(None, &[&format!("\"{}\"", "x".repeat(400))]), "VARCHAR(600)");
    }

    proptest! {
        #[test]
        fn any_key_can_be_indexed(wanted in proptest::collection::vec((0_u8..4, 1_u32..4_000), 1..16)) {
            let mut types: Vec<ProposedType> = wanted.iter().map(|&(kind, length)| match kind {
                0 => ProposedType::Varchar(length),
                1 => ProposedType::Varbinary(length),
                2 => ProposedType::Bigint,
                _ => ProposedType::Decimal { precision: 65, scale: 30 },
            }).collect();
            let before = types.clone();
            share_out(&mut types);
            let bytes = |types: &[ProposedType]| types.iter().map(|kind| kind.bytes()).sum::<u32>();
            prop_assert!(bytes(&types) <= KEY_BYTES_MAX, "{types:?}");
            if bytes(&before) <= KEY_BYTES_MAX {
                prop_assert_eq!(&types, &before);
            }
        }
    }
}
