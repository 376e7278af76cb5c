//! Limits of MySQL's JSON type: it can't hold all valid JSON.

/// How deeply arrays and objects may be nested.
const LEVELS_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 65_535;

/// Checks a valid JSON text against the limits.
pub(in crate::warehouse) fn check(json: &str) -> Result<(), String> {
    // The fast path need not find the strings: most texts are short and hardly nested.
    let opening = json.bytes().filter(|&byte| byte == b'[' || byte == b'{').count();
    if opening <= LEVELS_MAX && json.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    let (bytes, mut at, mut levels) = (json.as_bytes(), 0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                let is_name = json[at..].trim_start().starts_with(':');
                if is_name && is_too_long(&json[start..at]) {
                    return Err(format!("a name in it is longer than {NAME_BYTES_MAX} bytes"));
                }
            }
            b'[' | b'{' => levels += 1,
            b']' | b'}' => levels = levels.saturating_sub(1),
            _ => {}
        }
        if levels > LEVELS_MAX {
            return Err(format!("nested in more than {LEVELS_MAX} levels"));
        }
    }
    Ok(())
}

/// The place after the end of a string, if `at` is inside of it.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Escapes are decoded before counting, because they are longer than the characters they stand for.
fn is_too_long(name: &str) -> bool {
    name.len() > NAME_BYTES_MAX
        && serde_json::from_str::<String>(name).is_ok_and(|name| name.len() > NAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_names_are_bounded() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let named = |name: &str| format!("{{\"a\":[\"[[\"], \"{name}\" : \"b\"}}");
        let x = |count: usize| "x".repeat(count);
        let brackets = format!("[\"\\\"{}\"]", "[".repeat(200));
        let side_by_side = format!("[{}1]", "[{}],".repeat(99));
        let escaped = named(&"\\u00e9".repeat(NAME_BYTES_MAX / 2));
        for fits in [
            &nested(100),
            &brackets,
            &side_by_side,
            &named(&x(NAME_BYTES_MAX)),
            &escaped,
            &format!("[{:?}]", x(NAME_BYTES_MAX + 1)),
        ] {
            assert_eq!(check(fits), Ok(()), "{}", &fits[..40]);
        }
        for (too_much, reason) in [
            (nested(101), "levels"),
            (format!("[1,{}]", nested(100)), "levels"),
            (named(&x(NAME_BYTES_MAX + 1)), "name"),
            (named(&"\\u00e9".repeat(NAME_BYTES_MAX / 2 + 1)), "name"),
        ] {
            assert!(
                check(&too_much).unwrap_err().contains(reason),
                "{}",
                &too_much[..40]
            );
        }
    }
}
