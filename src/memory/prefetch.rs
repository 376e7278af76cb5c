//! Memory that is wanted soon: several fetches go on at a time, where each by itself would have to be waited for.

/// Bytes that the processor fetches at once, and how many of them are fetched: what it finds in a row it goes on by itself.
const LINE: usize = 64;
const LINES: usize = 4;

/// Has the processor fetch the beginning of some bytes into its cache.
#[inline]
pub fn fetch(bytes: &[u8]) {
    for byte in bytes.iter().step_by(LINE).take(LINES) {
        std::hint::black_box(*byte);
    }
}
