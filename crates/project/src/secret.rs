//! Secrets: the variables that hold them, and their redaction in values and in other text.

mod shape;
mod spelling;
mod url;

use std::collections::{BTreeSet, HashMap};

use envfile::{EnvFile, Line, LineKind};

use spelling::spellings;
pub use url::url_passwords;

use crate::matrix::parse_switch;

/// The text that replaces a secret.
pub const MASK: &str = "********";

/// A shorter value is left alone in running text: covering every `1` would make nonsense of a log.
const SHORTEST: usize = 4;

/// Parts of a variable's name that make it the name of a secret.
const PARTS: [&str; 9] =
    ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY", "PRIVATEKEY", "ACCESSKEY", "AUTHTOKEN"];

/// Words that do so between underscores, with or without a number.
const WORDS: [&str; 9] = ["PASS", "PGPASS", "PW", "PWD", "TOKEN", "TOKENS", "KEY", "KEYS", "DSN"];

/// Words that mark a secret within a text that is no URL, such as `host=db password=…` or `{"token": "…"}`.
const MENTIONS: [&str; 6] = ["password", "passwd", "secret", "token", "api_key", "private_key"];

/// Whether a variable of this name holds a secret, such as `DJANGO_SECRET_KEY` or `PGPASSWORD`.
#[must_use]
pub fn is_secret(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    let is_word = |word: &str| WORDS.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit()));
    PARTS.iter().any(|part| name.contains(part)) || name.split('_').any(is_word) || name.ends_with("_AUTH")
}

/// Returns whether a variable is a setting in spite of its name: a number or a switch, as `ACCESS_TOKEN_LIFETIME=3600`. A
/// number can be the password of a `DB_PASSWORD`.
#[must_use]
pub fn is_plain_setting(variable: &str, value: &str) -> bool {
    let last = variable.rsplit('_').next().unwrap_or_default();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    !is_secret(last) && (is_number || parse_switch(value).is_some())
}

/// Whether a value of a variable with an innocent name names a secret within it, as `password=…`, `"secretKey": …` or
/// `--password …`. The parameters of a URL are judged one by one.
fn mentions_secret(value: &str) -> bool {
    let is_url = value.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|it| it.is_ascii_alphanumeric()));
    let lower = value.to_ascii_lowercase();
    let is_netrc = lower.starts_with("machine ");
    let is_named = |at: usize, word: &str| {
        let rest = &lower[at + word.len()..];
        // The rest of a name, and its quotes.
        let behind = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_-".contains(c));
        let behind = behind.trim_start_matches(['"', '\'', '\\']).trim_start();
        let is_option = is_netrc || lower[..at].ends_with("--");
        behind.starts_with([':', '=']) || (is_option && rest.starts_with(' ') && !behind.is_empty())
    };
    !is_url && MENTIONS.iter().any(|word| lower.match_indices(*word).any(|(at, word)| is_named(at, word)))
}

/// A variable's value as it may be shown: a secret is covered, and so is the password in a URL, and a part that looks like a
/// secret.
#[must_use]
pub fn shown(variable: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    if is_secret(variable) || mentions_secret(value) {
        return MASK.to_owned();
    }
    let mut by_shape = shape::secrets_in(variable, value);
    by_shape.retain(|secret| !secret.is_empty());
    // The longest first, as one can be a part of another.
    by_shape.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let value = by_shape.iter().fold(value.to_owned(), |shown, secret| shown.replace(secret, MASK));
    url_passwords(&value).fold(value.clone(), |shown, password| {
        shown
            .replace(&format!(":{password}@"), &format!(":{MASK}@"))
            .replace(&format!("//{password}@"), &format!("//{MASK}@"))
            .replace(&format!("={password}"), &format!("={MASK}"))
    })
}

/// A raw line of a `.env` file as it may be shown.
#[must_use]
pub fn redacted_line(raw: &str, secrets: &Secrets) -> String {
    let file = EnvFile::parse(raw.as_bytes());
    let entry = file.entries().next();
    let shown = entry.as_ref().map(|entry| shown(entry.key, &entry.value));
    match (entry, shown, raw.split_once('=')) {
        (Some(entry), Some(shown), Some((name, value))) if shown != entry.value => {
            // The quotes may be the point of the line.
            let quote = value.trim_start().chars().next().filter(|c| matches!(c, '\'' | '"'));
            let quote = quote.map(String::from).unwrap_or_default();
            format!("{name}={quote}{shown}{quote}")
        }
        _ => secrets.redact(raw),
    }
}

/// The secrets of a project, to be covered wherever other programs' words are shown.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The longest first, so that a secret within another one does not leave the rest standing.
    all: Vec<String>,
    /// Where those are that start with these bytes: there may be thousands, and texts to redact.
    by_start: HashMap<[u8; SHORTEST], Vec<usize>>,
}

impl Secrets {
    /// Collects the secrets in these files, also in assignments that a later one overrides, and in lines that
    /// python-dotenv does not parse: other readers quote those in their errors.
    #[must_use]
    pub fn of<'a>(files: impl IntoIterator<Item = &'a EnvFile>) -> Self {
        let mut secrets = Vec::new();
        for file in files {
            secrets.extend(file.entries().flat_map(|entry| in_variable(entry.key, &entry.value)));
            secrets.extend(file.lines().filter_map(raw_secret));
            secrets.extend(private_keys(file));
        }
        Secrets::default().and(secrets)
    }

    /// These secrets as well, in all the ways in which programs spell them.
    #[must_use]
    pub fn and(mut self, secrets: impl IntoIterator<Item = String>) -> Self {
        self.all.extend(secrets.into_iter().flat_map(|secret| spellings(&secret)).filter(|it| it.len() >= SHORTEST));
        self.all.retain(|secret| !shape::is_common(secret));
        self.all.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        self.all.dedup();
        self.by_start.clear();
        for (index, secret) in self.all.iter().enumerate() {
            if let Some(start) = secret.as_bytes().first_chunk() {
                self.by_start.entry(*start).or_default().push(index);
            }
        }
        self
    }

    /// The text with every secret covered.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let starting = |at: usize| self.by_start.get(bytes[at..].first_chunk::<SHORTEST>()?).map(|found| (at, found));
        let found = (0..bytes.len()).filter_map(starting).flat_map(|(at, found)| {
            found.iter().copied().filter(move |&index| bytes[at..].starts_with(self.all[index].as_bytes()))
        });
        let found: BTreeSet<usize> = found.collect();
        found.into_iter().fold(text.to_owned(), |text, index| text.replace(&self.all[index], MASK))
    }
}

/// The secrets in the value of a variable: itself, line by line, the passwords of its URLs, and parts that look like
/// secrets.
#[must_use]
pub fn in_variable(name: &str, value: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    if is_secret(name) || mentions_secret(value) {
        secrets.extend(value.lines().map(str::to_owned));
        // A reader that expands `$` reports the text behind it.
        secrets.extend(value.split(['$', '\n']).map(str::to_owned));
    }
    for password in url_passwords(value) {
        // A URL parser may report a part of a password that should have been escaped.
        secrets.extend(password.split(['/', '?', '#', '@', ':', '$']).map(str::to_owned));
        secrets.push(password.to_owned());
    }
    secrets.extend(shape::secrets_in(name, value).into_iter().map(str::to_owned));
    secrets
}

/// Returns the lines of private keys without quotes, of which readers take each line for itself.
fn private_keys(file: &EnvFile) -> Vec<String> {
    let (mut is_inside, mut lines) = (false, Vec::new());
    for line in file.lines() {
        let text = line.text().trim().to_owned();
        if text.contains("-----END ") {
            is_inside = false;
        } else if is_inside {
            lines.push(text);
        } else {
            is_inside = text.contains("-----BEGIN ") && text.contains("PRIVATE KEY");
        }
    }
    lines
}

/// A shorter unparsed line is not redacted: it is no secret, but may be a common word.
const SHORTEST_LINE: usize = 8;

/// Returns the raw text of a line that may be a secret: the value of a secret variable, or a line that is no
/// assignment, such as one of a multi-line key without quotes.
fn raw_secret(line: Line<'_>) -> Option<String> {
    let text = line.text();
    // A name alone is inherited by some, and is no secret.
    let is_name = text.trim().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let raw = match text.split_once('=') {
        Some((name, value)) if is_secret(name.trim().trim_start_matches("export ").trim()) => value,
        _ if line.kind() == LineKind::Unreadable && !is_name && text.trim().len() >= SHORTEST_LINE => text,
        _ => return None,
    };
    let raw = raw.trim().trim_matches(['\'', '"']).trim();
    (!raw.is_empty()).then(|| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "DJANGO_SECRET_KEY",
            "MONITORING_TOKEN",
            "db_password",
            "PGPASSWORD",
            "DB_PWD",
            "DJANGO_DB_PW",
            "OPENAI_APIKEY",
            "AWS_ACCESS_KEY_ID",
            "SENTRY_DSN",
            "API_KEY2",
            "BASIC_AUTH",
            "AUTHTOKEN",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["DJANGO_DEBUG", "DJANGO_ALLOWED_HOSTS", "CELERY_BROKER_URL", "MONKEY", "KEYBOARD_LAYOUT", "TOKENIZERS"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn settings_whose_names_sound_secret() {
        assert!(is_plain_setting("ACCESS_TOKEN_LIFETIME", "3600") && is_plain_setting("USE_SECRET_STORE", "false"));
        assert!(!is_plain_setting("DB_PASSWORD", "123456") && !is_plain_setting("ACCESS_TOKEN_LIFETIME", "1h"));
    }

    #[track_caller]
    fn check(variable: &str, value: &str, expected: &str) {
        assert_eq!(shown(variable, value), expected);
    }

    #[test]
    fn values_as_they_may_be_shown() {
        check("DJANGO_SECRET_KEY", "abc", "********");
        check("DJANGO_SECRET_KEY", "", "");
        check("DJANGO_DEBUG", "1", "1");
        check("CELERY_BROKER_URL", "redis://localhost:6379/0", "redis://localhost:6379/0");
        check("CELERY_BROKER_URL", "redis://:hunter2@db:6379/0", "redis://:********@db:6379/0");
        check("CELERY_BROKER_URL", "redis://me:p@ss@db/0", "redis://me:********@db/0");
        check("CELERY_BROKER_URL", "redis://:a@b/0;redis://:c@d/0", "redis://:********@b/0;redis://:********@d/0");
        check("CELERY_BROKER_URL", "redis://:a@b;redis://:c@d", "redis://:********@b;redis://:********@d");
        check("CELERY_BROKER_URL", "redis://:hun;ter2@db", "redis://:********@db");
        check("URL", "redis://db/0?ssl=1&password=hunter2#x", "redis://db/0?ssl=1&password=********#x");
        check("CELERY_BROKER_URL", "redis://:hun #t/er2@db/0", "redis://:********@db/0");
        check("PAGE", "https://example.org:8000/a:b@c", "https://example.org:8000/a:b@c");
        check("PAGE", "https://example.org/a:b@c", "https://example.org/a:b@c");
        check("URL", "redis://u:A$p@ss:w/o#rd@h", "redis://u:********@h");
        check("SENTRY", "https://0123456789abcdef@sentry.example.org/1", "https://********@sentry.example.org/1");
        check("REPOSITORY", "ssh://git@example.org/x", "ssh://git@example.org/x");
        check("DATABASE", "host=db password=hunter2", "********");
        check("OPTIONS", "--password hunter2", "********");
        check("NETRC", "machine x login y password z", "********");
        check("JSON", r#"{"url": "https://x.example", "secretKey":"hunter2"}"#, "********");
        check("SUBJECT", "Reset your password", "Reset your password");
        check(
            "VALIDATOR",
            "auth.password_validation.CommonPasswordValidator",
            "auth.password_validation.CommonPasswordValidator",
        );
        check("ODBC", "Pwd=test;sig=test1234", "Pwd=********;sig=********");
    }

    #[test]
    fn raw_lines_are_covered() {
        let secrets = Secrets::of([&EnvFile::parse(b"URL=redis://:hunter2@db\n")]);
        let check = |raw, expected| assert_eq!(redacted_line(raw, &secrets), expected);
        check("export DJANGO_SECRET_KEY='abc' # x", "export DJANGO_SECRET_KEY='********'");
        check("DJANGO_SECRET_KEY=", "DJANGO_SECRET_KEY=");
        check("URL=redis://:hunter2@db", "URL=redis://:********@db");
        check("OTHER='redis://:abc@c/0' # x", "OTHER='redis://:********@c/0'");
        check("# once redis://:hunter2@db", "# once redis://:********@db");
        check("DJANGO_DEBUG=1", "DJANGO_DEBUG=1");
        check("# DJANGO_DEBUG=1", "# DJANGO_DEBUG=1");
    }

    #[test]
    fn secrets_are_covered_in_other_programs_words() {
        let file =
            EnvFile::parse(b"A_TOKEN=gone1\nA_TOKEN=abcd\nB_TOKEN=abcdef\nC_KEY=x\nURL=amqp://u:hunter2@q\nD=plain\n");
        let secrets = Secrets::of([&file]);
        assert_eq!(
            secrets.redact("gone1, abcdef and abcd, x, plain; amqp://u:hunter2@q refused"),
            "********, ******** and ********, x, plain; amqp://u:********@q refused"
        );
    }

    #[track_caller]
    fn check_cover(file: &str, text: &str, expected: &str) {
        assert_eq!(Secrets::of([&EnvFile::parse(file.as_bytes())]).redact(text), expected, "{file:?}");
    }

    #[test]
    fn unparsed_lines_are_redacted() {
        check_cover("A_TOKEN='hunter2 open\n", "line 1: unterminated 'hunter2 open", "line 1: unterminated '********");
        check_cover("A_TOKEN=hunter2 # x\n", "systemd has `hunter2 # x`", "systemd has `********`");
        check_cover("K=1\nMIIEvQ+ab/cd\n", "unexpected + in \"MIIEvQ+ab/cd\"", "unexpected + in \"********\"");
        check_cover("A_KEY=abc$define\n", "The \"define\" variable is not set", "The \"********\" variable is not set");
        check_cover("nonsense\nlost\nDJANGO_DEBUG\n", "lost nonsense: DJANGO_DEBUG", "lost ********: DJANGO_DEBUG");
    }

    #[test]
    fn the_last_line_of_a_private_key_is_covered() {
        let file = "KEY=-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nabc5==\n-----END PRIVATE KEY-----\nDEBUG=1\n";
        check_cover(file, "line 3: abc5== and MIIEvQIBADANBgkq, DEBUG=1", "line 3: ******** and ********, DEBUG=1");
    }

    #[test]
    fn common_words_stay_readable() {
        let file = "POSTGRES_PASSWORD=postgres\n#AWS_QUERYSTRING_AUTH=False\nDB_PW=hunter2\nPIN_KEY=1234\n";
        check_cover(file, "postgres: hunter2 is False at 1234", "postgres: ******** is False at 1234");
        check("POSTGRES_PASSWORD", "postgres", "********");
        check("STORAGE", "AccountName=shop;AccountKey=abc==;x=1", "AccountName=shop;AccountKey=********;x=1");
    }

    #[test]
    fn secrets_are_covered_however_they_are_spelled() {
        let file = "A_PASSWORD='TOP\"SEC\\RET@/ é'\n";
        for spelled in [
            r#"TOP"SEC\RET@/ é"#,
            r#"TOP\"SEC\\RET@/ \u00e9"#,
            r#"TOP"SEC\\RET@/ é"#,
            r#"TOP"SEC\\RET@/ \xc3\xa9"#,
            "TOP%22SEC%5CRET%40%2F%20%C3%A9",
            "TOP%22SEC%5CRET%40/%20%C3%A9",
            "TOP%22SEC%5CRET%40%2F+%C3%A9",
        ] {
            check_cover(file, &format!("<{spelled}>"), "<********>");
        }
        check_cover("URL=redis://:TOP%40SEC%2FRET@h\n", "no TOP@SEC/RET", "no ********");
        check_cover("URL=redis://:TOPSECRET/cd@h\n", "port 'TOPSECRET'", "port '********'");
    }
}
