use super::*;
use proptest::prelude::*;

#[test]
fn readable_values_keep_their_bytes() {
    for text in [
        "{}",
        "{\"a\":12.340}",
        "1234567890123456789012345",
        "\"\\ud83d\\ude00\"",
        "null",
        "[1,[]]",
        "0E-19",
    ] {
        assert_eq!(check(format!(" \n{text}\t").as_bytes()), Ok(text));
    }
}

#[test]
fn what_readers_refuse_is_an_error_with_its_place() {
    let cases: [(&[u8], &str); 14] = [
        (b"", "EOF"),
        (b"{\"a\":1", "column 6"),
        (b"{\"a\":NaN}", "column 6"),
        (b"01", "column 2"),
        (b"1e400", "number out of range"),
        (b"[1e400]", "number out of range"),
        (b"\"\\ud800\"", "hex escape"),
        (b"{\"a\":{\"b\":\"\\udc00x\"}}", "surrogate"),
        (b"{\"a\":1,\"A\":2}", "twice"),
        (b"{\"a\":1,\"\\u0061\":2}", "twice"),
        (b"{\"\xc3\xa9\":1,\"\xc3\x89\":2}", "twice"),
        (b"\"\xff\"", "byte 1"),
        (b"\xef\xbb\xbf{}", "column 1"),
        (b"{} x", "trailing"),
    ];
    for (bytes, part) in cases {
        let error = check(bytes).unwrap_err();
        assert!(
            error.to_string().contains(part),
            "{error} for {}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn fields_are_at_their_places() {
    let mut checker = Checker::default();
    let mut fields = Vec::new();
    let mut places = |value: &[u8]| {
        let text = checker.check_fields(value, &mut fields).unwrap().text;
        let at = |field: &FieldPlace| {
            (
                text[field.name.clone()].to_owned(),
                text[field.value.clone()].to_owned(),
            )
        };
        fields.iter().map(at).collect::<Vec<_>>()
    };
    let value = b" { \"a\" : [1,{\"b\":2}] ,\"b\":{\"a\":{}},\"c\":\"}\\\",\" }\n";
    assert_eq!(places(value), [], "the names are not known yet");
    let found = places(value);
    let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        found,
        [
            ("a", " [1,{\"b\":2}] "),
            ("b", "{\"a\":{}}"),
            ("c", "\"}\\\",\" ")
        ]
    );
    assert_eq!(places(b"{\"b\":1}"), [("b".to_owned(), "1".to_owned())]);
    for value in ["{}", "[1,2]", "7", "[{\"a\":1},{\"a\":2}]", "{\"z\":1}"] {
        assert_eq!(places(value.as_bytes()), [], "{value}");
    }
}

#[test]
fn depth_ends_at_127() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(check(nested(127).as_bytes()).is_ok());
    assert!(
        check(nested(128).as_bytes())
            .unwrap_err()
            .to_string()
            .contains("recursion")
    );
    assert!(check(nested(100_000).as_bytes()).is_err());
}

#[test]
fn nested_names_may_repeat_and_reserved_ones_count_at_the_top_level() {
    assert!(check(b"{\"x\":{\"a\":1,\"A\":2}}").is_ok());
    let mut checker = Checker::with_reserved(["_Offset".to_owned()]);
    assert_eq!(
        checker.check(b"{\"_OFF\\u0053ET\":1}").unwrap().shape,
        Shape::ReservedObject
    );
    assert_eq!(
        checker.check(b"{\"x\":{\"_offset\":1}}").unwrap().shape,
        Shape::Object
    );
    assert_eq!(checker.check(b"[]").unwrap().shape, Shape::Other);
}

/// Compares the checker with a reader that was written without it.
fn agrees(bytes: &[u8]) {
    let reserved = ["_offset", "_value_text", "_window_start", "year", "month", "day"];
    let mut checker = Checker::with_reserved(reserved.map(str::to_owned));
    // Values that it checked before must make no difference.
    let _ = checker.check(b"{\"a\":1,\"b\":{");
    let found = checker.check(bytes);
    // Nor must the value's own names, which it remembers now.
    assert_eq!(checker.check(bytes), found, "{}", bytes.escape_ascii());
    let expected = oracle::read(bytes).map(|value| {
        let is_reserved = |name: &String| reserved.contains(&&*name.to_lowercase());
        let shape = match &value.names {
            None => Shape::Other,
            Some(names) if names.iter().any(is_reserved) => Shape::ReservedObject,
            Some(_) => Shape::Object,
        };
        Readable {
            text: value.text,
            shape,
            line_ends: value.text.contains(['\n', '\r']),
        }
    });
    assert_eq!(
        found.as_ref().ok(),
        expected.as_ref(),
        "{found:?} for {}",
        bytes.escape_ascii()
    );
    assert!(found.err().is_none_or(|reason| !reason.to_string().is_empty()));
}

#[test]
fn the_oracle_agrees_on_the_hard_cases() {
    for text in [
        "1.7976931348623157e308",
        "-1.7976931348623157E+308",
        "4.9e-324",
        "1e-400",
        "0e999999999",
        "-0",
    ] {
        agrees(text.as_bytes());
        assert!(check(text.as_bytes()).is_ok(), "{text}");
    }
    for text in [
        "1.8e308",
        "1e309",
        "-1e999999999999",
        "1e",
        "-",
        ".5",
        "1.",
        "+1",
        "0x1",
        "Infinity",
        "1 2",
        "\u{b}1",
    ] {
        agrees(text.as_bytes());
        assert!(check(text.as_bytes()).is_err(), "{text}");
    }
    for depth in [1, 126, 127, 128, 129, 1_000, 100_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let levels = depth / (open.matches(['[', '{']).count());
            let text = open.repeat(levels) + "1" + &close.repeat(levels);
            let found = check(text.as_bytes());
            assert_eq!(
                found.is_ok(),
                levels * open.matches(['[', '{']).count() <= 127,
                "{depth}"
            );
        }
    }
    agrees(&[b"[".repeat(127), b"]".repeat(127)].concat());
    agrees(&[b"{\"a\":[".repeat(64), b"]}".repeat(64)].concat());
}

proptest! {
    // Many cases, because two names that differ only in case are rare.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4096)))]
    #[test]
    fn exactly_the_readable_values_are_readable(bytes in oracle::bytes()) {
        agrees(&bytes);
    }
}
