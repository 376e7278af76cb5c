//! What only ksqlDB's statements say: the size of windows, delimiters, whether single values are wrapped.

use std::collections::BTreeMap;

/// What a CREATE statement says, as far as it matters to the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CreateStatement {
    /// The WITH clause, its names in upper case.
    pub properties: BTreeMap<String, String>,
    pub window: Option<StatedWindow>,
    /// The first source that it selects from.
    pub from: Option<String>,
}

/// A window clause, or the properties of a source that has windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatedWindow {
    /// TUMBLING, HOPPING or SESSION
    pub kind: String,
    /// None for sessions, whose bounds are in their keys.
    pub size_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A keyword, or a name in upper case.
    Word(String),
    /// A name in backquotes or double quotes, as it is.
    Name(String),
    /// A text in quotes.
    Text(String),
    Number(String),
    Sign(char),
}

impl CreateStatement {
    /// Reads a statement. What it doesn't understand it passes over.
    pub fn read(text: &str) -> CreateStatement {
        let tokens = tokens(text);
        let properties = properties(&tokens);
        CreateStatement {
            window: window_clause(&tokens).or_else(|| window_of(&properties)),
            from: source(&tokens),
            properties,
        }
    }

    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            _ if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
            _ if rest.starts_with("/*") => (None, rest.find("*/").map_or(rest.len(), |end| end + 2)),
            '\'' | '`' | '"' => {
                let (inner, length) = quoted(rest, first);
                let token = if first == '\'' {
                    Token::Text(inner)
                } else {
                    Token::Name(inner)
                };
                (Some(token), length)
            }
            c if c.is_ascii_digit() => {
                let length = length_of(rest, |c| c.is_ascii_alphanumeric() || c == '.');
                (Some(Token::Number(rest[..length].to_owned())), length)
            }
            c if c.is_alphabetic() || c == '_' || c == '@' => {
                let length = length_of(rest, |c| c.is_alphanumeric() || c == '_' || c == '@');
                (Some(Token::Word(rest[..length].to_uppercase())), length)
            }
            c if c.is_whitespace() => (None, c.len_utf8()),
            c => (Some(Token::Sign(c)), c.len_utf8()),
        };
        tokens.extend(token);
        rest = &rest[length..];
    }
    tokens
}

fn length_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// The text in quotes, in which two of them stand for one, and the length with them.
fn quoted(text: &str, quote: char) -> (String, usize) {
    let mut inner = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            inner.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            inner.push(quote);
            chars.next();
        } else {
            return (inner, at + c.len_utf8());
        }
    }
    (inner, text.len())
}

fn word(token: Option<&Token>) -> Option<&str> {
    match token {
        Some(Token::Word(word)) => Some(word),
        _ => None,
    }
}

fn is_sign(token: Option<&Token>, sign: char) -> bool {
    token == Some(&Token::Sign(sign))
}

/// `WITH (NAME = value, …)`
fn properties(tokens: &[Token]) -> BTreeMap<String, String> {
    let is_with = |at: &usize| word(tokens.get(*at)) == Some("WITH") && is_sign(tokens.get(at + 1), '(');
    let mut properties = BTreeMap::new();
    let Some(with) = (0..tokens.len()).find(is_with) else {
        return properties;
    };
    let inside = tokens[with + 2..]
        .iter()
        .take_while(|token| **token != Token::Sign(')'));
    let inside: Vec<&Token> = inside.collect();
    for pair in inside.split(|token| **token == Token::Sign(',')) {
        if let [name, Token::Sign('='), value @ ..] = pair
            && let Token::Word(name) | Token::Name(name) | Token::Text(name) = name
        {
            let value: String = value.iter().map(|token| token.text()).collect();
            properties.insert(name.to_uppercase(), value);
        }
    }
    properties
}

impl Token {
    fn text(&self) -> String {
        match self {
            Token::Word(text) | Token::Name(text) | Token::Text(text) | Token::Number(text) => text.clone(),
            Token::Sign(sign) => sign.to_string(),
        }
    }
}

/// `WINDOW HOPPING (SIZE 5 MINUTES, ADVANCE BY 1 MINUTE)`
fn window_clause(tokens: &[Token]) -> Option<StatedWindow> {
    let window = (0..tokens.len()).find(|&at| {
        word(tokens.get(at)) == Some("WINDOW")
            && matches!(word(tokens.get(at + 1)), Some("TUMBLING" | "HOPPING" | "SESSION"))
            && is_sign(tokens.get(at + 2), '(')
    })?;
    let kind = word(tokens.get(window + 1))?.to_owned();
    let is_session = kind == "SESSION";
    let mut inside = tokens[window + 3..].windows(3);
    let size = inside.find_map(|three| match three {
        [Token::Word(size), Token::Number(number), Token::Word(unit)] if size == "SIZE" => {
            duration_ms(number, unit)
        }
        _ => None,
    });
    Some(StatedWindow {
        kind,
        size_ms: size.filter(|_| !is_session),
    })
}

/// WINDOW_TYPE and WINDOW_SIZE of a source that was declared over a topic.
fn window_of(properties: &BTreeMap<String, String>) -> Option<StatedWindow> {
    let size = properties.get("WINDOW_SIZE");
    let size = size.and_then(|size| size.trim().split_once(char::is_whitespace));
    Some(StatedWindow {
        kind: properties.get("WINDOW_TYPE")?.to_uppercase(),
        size_ms: size.and_then(|(number, unit)| duration_ms(number, unit.trim())),
    })
}

fn duration_ms(number: &str, unit: &str) -> Option<u64> {
    let unit = unit.to_uppercase();
    let unit_ms: u64 = match unit.strip_suffix('S').unwrap_or(&unit) {
        "MILLISECOND" => 1,
        "SECOND" => 1_000,
        "MINUTE" => 60_000,
        "HOUR" => 3_600_000,
        "DAY" => 86_400_000,
        _ => return None,
    };
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(unit_ms)
        .filter(|&ms| ms > 0)
}

fn source(tokens: &[Token]) -> Option<String> {
    let from = tokens
        .iter()
        .position(|token| *token == Token::Word("FROM".to_owned()))?;
    match tokens.get(from + 1)? {
        Token::Word(name) | Token::Name(name) => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(kind: &str, size_ms: u64) -> Option<StatedWindow> {
        Some(StatedWindow {
            kind: kind.to_owned(),
            size_ms: Some(size_ms).filter(|&ms| ms > 0),
        })
    }

    #[test]
    fn windows_are_found_in_clauses_and_properties() {
        for (text, expected) in [
            (
                "CREATE TABLE T WITH (PARTITIONS=1) AS SELECT K, COUNT(*) N FROM S S WINDOW TUMBLING ( SIZE 5 MINUTES ) GROUP BY K;",
                window("TUMBLING", 300_000),
            ),
            (
                "create table t as select k from s window hopping (size 30 seconds, advance by 10 seconds, retention 7 days, grace period 1 day) group by k;",
                window("HOPPING", 30_000),
            ),
            (
                "CREATE TABLE T AS SELECT K FROM S WINDOW HOPPING (RETENTION 2 DAYS, SIZE 1 HOUR, ADVANCE BY 1 MINUTE) GROUP BY K",
                window("HOPPING", 3_600_000),
            ),
            (
                "CREATE TABLE T AS SELECT K FROM S WINDOW SESSION (60 SECONDS, GRACE PERIOD 1 HOUR) GROUP BY K;",
                window("SESSION", 0),
            ),
            (
                "CREATE STREAM S (K STRING KEY) WITH (KAFKA_TOPIC='t', WINDOW_TYPE='Tumbling', WINDOW_SIZE='10 MILLISECONDS');",
                window("TUMBLING", 10),
            ),
            (
                "CREATE STREAM S (K STRING KEY) WITH (window_type='SESSION', KAFKA_TOPIC='t');",
                window("SESSION", 0),
            ),
            (
                "CREATE TABLE T AS SELECT K, 'WINDOW TUMBLING (SIZE 1 DAY)' X FROM S;",
                None,
            ),
            (
                "CREATE TABLE T AS SELECT K FROM S -- WINDOW TUMBLING (SIZE 1 DAY)\n;",
                None,
            ),
            (
                "CREATE TABLE T AS SELECT K FROM S WINDOW TUMBLING (SIZE 99999999999999999999 DAYS) GROUP BY K;",
                window("TUMBLING", 0),
            ),
        ] {
            assert_eq!(CreateStatement::read(text).window, expected, "{text}");
        }
    }

    #[test]
    fn properties_and_the_source_are_found() {
        let read = CreateStatement::read(
            "CREATE STREAM `my S` WITH (kafka_topic='it''s', \"VALUE_DELIMITER\"='|', KEY_DELIMITER=',', WRAP_SINGLE_VALUE=false, PARTITIONS = 3) AS \
             SELECT * FROM `src, )` s LEFT JOIN B WITHIN (1 HOUR, 2 HOURS) ON s.A = B.A EMIT CHANGES;",
        );
        let properties: Vec<_> = read.properties.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            properties,
            [
                "KAFKA_TOPIC=it's",
                "KEY_DELIMITER=,",
                "PARTITIONS=3",
                "VALUE_DELIMITER=|",
                "WRAP_SINGLE_VALUE=FALSE"
            ]
        );
        assert_eq!(read.from.as_deref(), Some("src, )"));
        assert_eq!(
            CreateStatement::read("create stream a as select x from b;")
                .from
                .as_deref(),
            Some("B")
        );
        assert_eq!(CreateStatement::read(""), CreateStatement::default());
    }

    proptest! {
        /// Whatever stands there: an end, and no panic.
        #[test]
        fn any_text_is_read(text in "(WITH|WINDOW|TUMBLING|SIZE|FROM|[(),='`\"]|--|/\\*|\\PC| |5 DAYS){0,30}") {
            let _ = CreateStatement::read(&text);
        }

        #[test]
        fn sizes_are_exact(number in 1u64..1_000_000, unit in 0usize..5) {
            let (unit, ms) = [("MILLISECONDS", 1), ("SECOND", 1_000), ("minutes", 60_000), ("Hours", 3_600_000), ("DAY", 86_400_000)][unit];
            let text = format!("CREATE TABLE T AS SELECT K FROM S WINDOW TUMBLING (SIZE {number} {unit}) GROUP BY K;");
            prop_assert_eq!(CreateStatement::read(&text).window, window("TUMBLING", number * ms));
        }
    }
}
