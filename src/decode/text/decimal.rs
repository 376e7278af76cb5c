//! Decimals from their bytes, exact.

use super::{push_ascii, push_integer};

/// More would take long to compute, and no reader takes such numbers: these are 9,864 digits.
pub(in crate::decode) const DECIMAL_BYTES_MAX: usize = 4096;

/// Appends a big-endian integer in two's complement × 10^-`scale`, with as many digits after the point as `scale` says. No bytes
/// are 0. Expects at most `DECIMAL_BYTES_MAX` bytes.
pub(in crate::decode) fn push_decimal(out: &mut String, bytes: &[u8], scale: i32) {
    let negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    if negative {
        out.push('-');
    }
    let digits = out.len();
    push_magnitude(out, bytes, negative);
    set_point(out, digits, scale);
}

fn push_magnitude(out: &mut String, bytes: &[u8], negative: bool) {
    let filler = if negative { 0xff } else { 0 };
    if bytes.len() > 16 {
        return push_large_magnitude(out, bytes, filler);
    }
    let mut whole = [filler; 16];
    whole[16 - bytes.len()..].copy_from_slice(bytes);
    let magnitude = i128::from_be_bytes(whole).unsigned_abs();
    match u64::try_from(magnitude) {
        Ok(magnitude) => push_integer(out, magnitude),
        Err(_) => push_integer(out, magnitude),
    }
}

/// Divides by 10^9 again and again.
fn push_large_magnitude(out: &mut String, bytes: &[u8], filler: u8) {
    const BASE: u64 = 1_000_000_000;
    // The most significant first.
    let mut limbs: Vec<u32> = Vec::with_capacity(bytes.len() / 4 + 1);
    for chunk in bytes.rchunks(4).rev() {
        let mut limb = [filler; 4];
        limb[4 - chunk.len()..].copy_from_slice(chunk);
        limbs.push(u32::from_be_bytes(limb));
    }
    if filler != 0 {
        negate(&mut limbs);
    }
    let mut groups: Vec<u32> = Vec::new();
    let mut first = 0;
    while first < limbs.len() {
        let mut rest = 0;
        for limb in &mut limbs[first..] {
            let number = rest << 32 | u64::from(*limb);
            // Both fit 32 bits: the rest is less than the base.
            *limb = (number / BASE) as u32;
            rest = number % BASE;
        }
        groups.push(rest as u32);
        first += limbs[first..].iter().take_while(|&&limb| limb == 0).count();
    }
    while groups.len() > 1 && groups.last() == Some(&0) {
        groups.pop();
    }
    push_integer(out, groups.pop().unwrap_or_default());
    for &group in groups.iter().rev() {
        let mut text = [b'0'; 9];
        let mut left = group;
        for digit in text.iter_mut().rev() {
            *digit += (left % 10) as u8;
            left /= 10;
        }
        push_ascii(out, &text);
    }
}

fn negate(limbs: &mut [u32]) {
    let mut carry = true;
    for limb in limbs.iter_mut().rev() {
        (*limb, carry) = (!*limb).overflowing_add(u32::from(carry));
    }
}

/// Puts the point into the digits that begin here.
fn set_point(out: &mut String, digits: usize, scale: i32) {
    let places = scale.unsigned_abs() as usize;
    let count = out.len() - digits;
    if scale < 0 && &out[digits..] != "0" {
        out.extend(std::iter::repeat_n('0', places));
    }
    if scale > 0 {
        if count <= places {
            out.insert_str(digits, &"0".repeat(places + 1 - count));
        }
        out.insert(out.len() - places, '.');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(bytes: &[u8], scale: i32) -> String {
        let mut out = String::new();
        push_decimal(&mut out, bytes, scale);
        out
    }

    #[test]
    fn the_scale_says_how_many_digits() {
        let cases: &[(&[u8], i32, &str)] = &[
            (&[], 2, "0.00"),
            (&[0], 0, "0"),
            (&[5], 3, "0.005"),
            (&[0xff], 2, "-0.01"),
            (&[0x80], 1, "-12.8"),
            (&[0x00, 0x80], 1, "12.8"),
            (&[0x30, 0x39], 2, "123.45"),
            (&[12], -3, "12000"),
            (&[0], -3, "0"),
            (
                &[
                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                    0xff, 0xfe,
                ],
                0,
                "-2",
            ),
            (&[0; 20], 1, "0.0"),
        ];
        for &(bytes, scale, text) in cases {
            assert_eq!(decimal(bytes, scale), text);
        }
    }

    /// Byte by byte, as on paper: the number so far × 256, and the byte.
    fn on_paper(bytes: &[u8]) -> String {
        let negative = bytes.first().is_some_and(|byte| *byte > 127);
        let mut digits = vec![0u32];
        for &byte in bytes {
            let mut carry = u32::from(if negative { 255 - byte } else { byte });
            for digit in &mut digits {
                carry += *digit * 256;
                *digit = carry % 10;
                carry /= 10;
            }
            while carry > 0 {
                digits.push(carry % 10);
                carry /= 10;
            }
        }
        if negative {
            let nines = digits.iter().take_while(|digit| **digit == 9).count();
            digits[..nines].fill(0);
            digits.resize(digits.len().max(nines + 1), 0);
            digits[nines] += 1;
        }
        let text: String = digits.iter().rev().map(ToString::to_string).collect();
        let text = text.trim_start_matches('0');
        let text = if text.is_empty() { "0" } else { text };
        format!("{}{text}", if negative { "-" } else { "" })
    }

    proptest! {
        #[test]
        fn integers_of_any_size(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decimal(&bytes, 0), on_paper(&bytes));
        }

        #[test]
        fn integers_with_long_runs(first: u8, filler in prop::sample::select(vec![0, 255]), count in 0..40usize, last: u8) {
            let mut bytes = vec![first];
            bytes.resize(count + 1, filler);
            bytes.push(last);
            prop_assert_eq!(decimal(&bytes, 0), on_paper(&bytes));
        }
    }
}
