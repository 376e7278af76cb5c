//! Avro's binary encoding, read piece by piece.

use std::borrow::Cow;

use super::super::Reason;

/// 64 bits, seven to a byte.
const LONG_BYTES_MAX: usize = 10;

/// What is left of a payload.
#[derive(Debug)]
pub(super) struct Datum<'p> {
    bytes: &'p [u8],
    at: usize,
}

/// Why a payload is not a value of its schema.
#[derive(Debug)]
pub(super) struct Damage<'s> {
    what: Cow<'static, str>,
    byte: usize,
    /// The names of the fields that led there, the innermost first.
    path: Vec<&'s str>,
}

/// Boxed, since it is rare and would make each `Result` large.
pub(super) type Read<'s, T> = Result<T, Box<Damage<'s>>>;

impl<'p> Datum<'p> {
    pub fn new(bytes: &'p [u8]) -> Datum<'p> {
        Datum { bytes, at: 0 }
    }

    /// The place of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn bytes_left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Takes so many bytes.
    #[inline]
    pub fn take<'s>(&mut self, count: usize) -> Read<'s, &'p [u8]> {
        let taken = self.bytes.get(self.at..).and_then(|left| left.get(..count));
        let taken = taken.ok_or_else(|| damage("the value ends too early", self.at))?;
        self.at += count;
        Ok(taken)
    }

    #[inline]
    pub fn array<'s, const N: usize>(&mut self) -> Read<'s, [u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Bytes with their length before them.
    #[inline]
    pub fn prefixed<'s>(&mut self) -> Read<'s, &'p [u8]> {
        let start = self.at;
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.bytes_left() => self.take(length),
            Ok(_) => Err(damage("a length is more than what is left", start)),
            Err(_) => Err(damage("a length is negative", start)),
        }
    }

    #[inline]
    pub fn text<'s>(&mut self) -> Read<'s, &'p str> {
        let bytes = self.prefixed()?;
        let start = self.at - bytes.len();
        simdutf8::compat::from_utf8(bytes).map_err(|e| damage("not UTF-8", start + e.valid_up_to()))
    }

    pub fn boolean<'s>(&mut self) -> Read<'s, bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(damage("not a boolean", self.at - 1)),
        }
    }

    pub fn int<'s>(&mut self) -> Read<'s, i32> {
        let start = self.at;
        i32::try_from(self.long()?).map_err(|_| damage("an int is more than 32 bits", start))
    }

    /// A zigzag number of variable length.
    #[inline(always)]
    pub fn long<'s>(&mut self) -> Read<'s, i64> {
        let bits = match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                u64::from(byte)
            }
            _ => self.long_bits()?,
        };
        Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
    }

    /// A number of more than one byte.
    fn long_bits<'s>(&mut self) -> Read<'s, u64> {
        let left = &self.bytes[self.at..];
        let mut bits = 0;
        for (number, &byte) in left.iter().take(LONG_BYTES_MAX).enumerate() {
            // The tenth byte has room for one bit.
            if number == LONG_BYTES_MAX - 1 && byte > 1 {
                break;
            }
            bits |= u64::from(byte & 0x7f) << (7 * number);
            if byte < 0x80 {
                self.at += number + 1;
                return Ok(bits);
            }
        }
        let what = if left.len() < LONG_BYTES_MAX {
            "the value ends too early"
        } else {
            "a number is more than 64 bits"
        };
        Err(damage(what, self.at))
    }

    /// The place of one of `count` choices: a union's branches, an enum's symbols.
    #[inline]
    pub fn choice<'s>(&mut self, count: usize, of: &'static str) -> Read<'s, usize> {
        let start = self.at;
        let index = self.long()?;
        match usize::try_from(index) {
            Ok(index) if index < count => Ok(index),
            _ => Err(damage(format!("number {index} of {of} that has {count}"), start)),
        }
    }

    /// How many items follow in the next block of an array or map. None: there is none.
    #[inline]
    pub fn block<'s>(&mut self) -> Read<'s, Option<u64>> {
        let start = self.at;
        let count = self.long()?;
        if count < 0 {
            // The block's size in bytes, for readers that skip it.
            let size = self.long()?;
            if usize::try_from(size).map_or(true, |size| size > self.bytes_left()) {
                return Err(damage("a block is larger than what is left", start));
            }
        }
        Ok((count != 0).then_some(count.unsigned_abs()))
    }
}

#[cold]
pub(super) fn damage<'s>(what: impl Into<Cow<'static, str>>, byte: usize) -> Box<Damage<'s>> {
    Box::new(Damage {
        what: what.into(),
        byte,
        path: Vec::new(),
    })
}

impl<'s> Damage<'s> {
    /// Notes that it is in this field.
    #[cold]
    pub fn within(mut self: Box<Self>, field: &'s str) -> Box<Self> {
        self.path.push(field);
        self
    }

    pub fn reason(self) -> Reason {
        let reason = Reason::at_byte(self.what, self.byte);
        if self.path.is_empty() {
            return reason;
        }
        let path: Vec<_> = self.path.into_iter().rev().collect();
        reason.of_the(&path.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(bytes: &[u8]) -> Result<i64, String> {
        let mut datum = Datum::new(bytes);
        datum.long().map_err(|damage| damage.reason().to_string())
    }

    #[test]
    fn numbers_of_variable_length() {
        assert_eq!(long(&[0]), Ok(0));
        assert_eq!(long(&[1]), Ok(-1));
        assert_eq!(long(&[0x80, 1]), Ok(64));
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(long(&longest), Ok(i64::MIN));
        assert_eq!(long(&[0x80, 0x80, 0]), Ok(0), "longer than it must be");
        assert_eq!(long(&[]).unwrap_err(), "the value ends too early at byte 0");
        assert_eq!(long(&[0x80]).unwrap_err(), "the value ends too early at byte 0");
        let too_long = "a number is more than 64 bits at byte 0";
        assert_eq!(long(&[0x80; 11]).unwrap_err(), too_long);
        assert_eq!(
            long(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2]).unwrap_err(),
            too_long
        );
    }
}
