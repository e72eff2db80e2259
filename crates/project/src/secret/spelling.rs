//! The ways in which programs spell a text when they quote it.

/// The text as it stands, percent-decoded, and as Python's `repr`, JSON and URLs would have it.
pub(super) fn spellings(text: &str) -> Vec<String> {
    let decoded = String::from_utf8(subprocess::percent_decoded(text)).ok().filter(|decoded| decoded != text);
    let mut spellings = Vec::new();
    for plain in [Some(text.to_owned()), decoded].into_iter().flatten() {
        // A character that stands for no quotes: neither kind is escaped.
        for quote in ['\\', '\'', '"'] {
            spellings.extend([as_it_is, in_json, in_bytes].map(|spell| backslashed(&plain, quote, spell)));
        }
        let encoded = percent_encoded(&plain, "");
        spellings.extend([percent_encoded(&plain, "/"), encoded.replace("%20", "+"), encoded, plain]);
    }
    spellings.sort();
    spellings.dedup();
    spellings
}

/// As in a URL; `safe` characters stay.
fn percent_encoded(text: &str, safe: &str) -> String {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || safe.as_bytes().contains(&byte);
    let encoded =
        text.bytes().map(|byte| if is_kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    encoded.collect::<Vec<_>>().concat()
}

/// Escapes a text as Python or JSON does between quotes of this kind; `spell` escapes a non-ASCII character.
fn backslashed(text: &str, quote: char, spell: fn(char) -> String) -> String {
    let escaped = text.chars().map(|c| match c {
        '\\' => r"\\".to_owned(),
        c if c == quote => format!("\\{c}"),
        c if c.is_ascii() => c.to_string(),
        c => spell(c),
    });
    escaped.collect::<Vec<_>>().concat()
}

fn as_it_is(c: char) -> String {
    c.to_string()
}

fn in_json(c: char) -> String {
    let units = c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>();
    units.concat()
}

fn in_bytes(c: char) -> String {
    c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\x{byte:02x}")).collect::<Vec<_>>().concat()
}
