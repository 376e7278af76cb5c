//! Sixteen bytes of a text, looked at all at once.

use wide::u8x16;

/// The bytes from a place on. Near the end of the text these are its last ones, and some of them come before the place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    bytes: u8x16,
    /// How many come before it.
    before: usize,
}

impl Block {
    pub(super) const BYTES: usize = 16;

    /// None: the text ends at or before `at`, or is shorter than a block.
    #[inline(always)]
    pub(super) fn at(text: &[u8], at: usize) -> Option<Self> {
        let last = text.len().checked_sub(Block::BYTES)?;
        let begin = at.min(last);
        let before = at - begin;
        let bytes = u8x16::new(*text[begin..].first_chunk()?);
        (before < Block::BYTES).then_some(Block { bytes, before })
    }

    /// The first eight bytes and the last eight, which are all bytes of a short text; None: it has fewer.
    #[inline(always)]
    fn of_ends(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Block::BYTES];
        let (first, last) = bytes.split_at_mut(Block::BYTES / 2);
        first.copy_from_slice(text.first_chunk::<{ Block::BYTES / 2 }>()?);
        last.copy_from_slice(text.last_chunk::<{ Block::BYTES / 2 }>()?);
        let bytes = u8x16::new(bytes);
        Some(Block { bytes, before: 0 })
    }

    /// How many bytes come before the first quote, backslash or control character; None if there is none of those.
    #[inline(always)]
    pub(super) fn string(self) -> Option<usize> {
        let quotes = self.bytes.cmp_eq(u8x16::splat(b'"'));
        let backslashes = self.bytes.cmp_eq(u8x16::splat(b'\\'));
        let controls = self.bytes.min(u8x16::splat(0x1f)).cmp_eq(self.bytes);
        let ends = self.bits(quotes | backslashes | controls);
        (ends != 0).then(|| ends.trailing_zeros() as usize)
    }

    /// How many digits come first; and how many bytes these are with the next byte and the digits after that.
    #[inline(always)]
    pub(super) fn digits(self) -> (usize, usize) {
        let values = self.bytes - u8x16::splat(b'0');
        let digits = self.bits(values.min(u8x16::splat(9)).cmp_eq(values));
        let first = digits.trailing_ones();
        let with_next = digits | 1 << first;
        (first as usize, with_next.trailing_ones() as usize)
    }

    /// A bit for each byte from the place on, the first one lowest.
    #[inline(always)]
    fn bits(self, bytes: u8x16) -> u32 {
        bytes.move_mask().cast_unsigned() >> self.before
    }
}

/// Whether the text needs no escape between quotes.
#[inline]
pub(crate) fn is_plain(text: &str) -> bool {
    let text = text.as_bytes();
    if text.len() >= Block::BYTES {
        let mut blocks = (0..text.len()).step_by(Block::BYTES);
        return blocks.all(|at| Block::at(text, at).is_none_or(|block| block.string().is_none()));
    }
    match Block::of_ends(text) {
        Some(block) => block.string().is_none(),
        None => !text.iter().any(|byte| matches!(byte, b'"' | b'\\' | ..0x20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_text_has_nothing_to_escape(text in "[ -~é\u{20}]{0,40}", odd in "[\"\\\\\u{0}-\u{21}\u{7f}]{0,1}", rest in "[a-z]{0,40}") {
            let text = text + &odd + &rest;
            let plain = !text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
            prop_assert_eq!(is_plain(&text), plain);
        }

        /// Each byte is judged by itself, whatever is beside it.
        #[test]
        fn a_block_finds_what_its_bytes_are(
            text in proptest::collection::vec(
                prop_oneof![
                    8 => b'0'..=b'9',
                    2 => 0x21..=0xffu8,
                    1 => proptest::sample::select(b"\"\\\x1f \x00!#[]/:\x7f\x80\x90\xa2\xb0\xb9\xdc\xff".to_vec()),
                ],
                0..40,
            ),
            at in 0..42usize,
        ) {
            let Some(block) = Block::at(&text, at) else {
                prop_assert!(text.len() < 16 || at >= text.len());
                return Ok(());
            };
            let bytes = &text[at..text.len().min(at + 16)];
            let first = |of: &dyn Fn(u8) -> bool| bytes.iter().position(|&byte| of(byte));
            prop_assert_eq!(block.string(), first(&|byte| matches!(byte, b'"' | b'\\' | ..0x20)));
            let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let whole = digits(bytes);
            let next = whole + 1 + digits(bytes.get(whole + 1..).unwrap_or_default());
            prop_assert_eq!(block.digits(), (whole, next));
        }
    }
}
