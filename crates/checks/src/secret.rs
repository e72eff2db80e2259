//! What must not be shown: which variables hold secrets, and how they are covered in values and in other text.

use envfile::EnvFile;

/// What stands in the place of a secret.
pub const MASK: &str = "********";

/// A shorter value is left alone in running text: covering every `1` would make nonsense of a log.
const SHORTEST: usize = 4;

/// What makes a variable's name that of a secret, wherever it stands in the name.
const PARTS: [&str; 6] = ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY"];

/// What does so as a word of its own, between underscores.
const WORDS: [&str; 8] = ["PASS", "PGPASS", "PWD", "TOKEN", "TOKENS", "KEY", "KEYS", "DSN"];

/// Whether a variable of this name holds a secret, such as `DJANGO_SECRET_KEY` or `PGPASSWORD`.
#[must_use]
pub fn is_secret(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    PARTS.iter().any(|part| name.contains(part)) || name.split('_').any(|word| WORDS.contains(&word))
}

/// A variable's value as it may be shown: a secret is covered, and so is the password in a URL.
#[must_use]
pub fn shown(variable: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    if is_secret(variable) {
        return MASK.to_owned();
    }
    url_passwords(value).fold(value.to_owned(), |shown, password| {
        shown
            .replace(&format!(":{password}@"), &format!(":{MASK}@"))
            .replace(&format!("={password}"), &format!("={MASK}"))
    })
}

/// A raw line of a `.env` file as it may be shown.
#[must_use]
pub fn covered_line(raw: &str, secrets: &Secrets) -> String {
    let file = EnvFile::parse(raw.as_bytes());
    let entry = file.entries().next();
    let shown = entry.as_ref().map(|entry| shown(entry.key, &entry.value));
    match (entry, shown, raw.split_once('=')) {
        (Some(entry), Some(shown), Some((name, _))) if shown != entry.value => format!("{name}={shown}"),
        _ => secrets.cover(raw),
    }
}

/// The passwords of the URLs in a value: `scheme://user:password@host`, `scheme://host?password=…`. Celery takes several
/// URLs, separated by `;`.
pub fn url_passwords(value: &str) -> impl Iterator<Item = &str> {
    value.split("://").skip(1).flat_map(|rest| of_authority(rest).into_iter().chain(of_query(rest)))
}

fn of_authority(rest: &str) -> Option<&str> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let has_port = |host: &str| host.split_once(':').is_none_or(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    // A password that should have been escaped ends at the last `@`, whatever is in it.
    let authority = if rest[..end].contains('@') || has_port(&rest[..end]) { &rest[..end] } else { rest };
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty()).then_some(password)
}

fn of_query(rest: &str) -> impl Iterator<Item = &str> {
    let query = rest.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let parameters = query.split(['&', ';', '#']).filter_map(|parameter| parameter.split_once('='));
    parameters.filter(|(name, value)| is_secret(name) && !value.is_empty()).map(|(_, value)| value)
}

/// The secrets of a project, to be covered wherever other programs' words are shown.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The secrets that stand in these files, also in assignments that a later one overrides.
    #[must_use]
    pub fn of<'a>(files: impl IntoIterator<Item = &'a EnvFile>) -> Self {
        let mut secrets = Vec::new();
        for entry in files.into_iter().flat_map(EnvFile::entries) {
            if is_secret(entry.key) {
                secrets.extend(entry.value.lines().map(str::to_owned));
            }
            secrets.extend(url_passwords(&entry.value).map(str::to_owned));
        }
        Secrets::default().and(secrets)
    }

    /// These secrets as well.
    #[must_use]
    pub fn and(mut self, secrets: impl IntoIterator<Item = String>) -> Self {
        self.0.extend(secrets.into_iter().filter(|secret| secret.len() >= SHORTEST));
        // The longest first, so that a secret within another one does not leave the rest standing.
        self.0.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        self.0.dedup();
        self
    }

    /// The text with every secret covered.
    #[must_use]
    pub fn cover(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
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
            "OPENAI_APIKEY",
            "AWS_ACCESS_KEY_ID",
            "SENTRY_DSN",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["DJANGO_DEBUG", "DJANGO_ALLOWED_HOSTS", "CELERY_BROKER_URL", "MONKEY", "KEYBOARD_LAYOUT", "TOKENIZERS"]
        {
            assert!(!is_secret(name), "{name}");
        }
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
    }

    #[test]
    fn raw_lines_are_covered() {
        let secrets = Secrets::of([&EnvFile::parse(b"URL=redis://:hunter2@db\n")]);
        let check = |raw, expected| assert_eq!(covered_line(raw, &secrets), expected);
        check("export DJANGO_SECRET_KEY='abc' # x", "export DJANGO_SECRET_KEY=********");
        check("DJANGO_SECRET_KEY=", "DJANGO_SECRET_KEY=");
        check("URL=redis://:hunter2@db", "URL=redis://:********@db");
        check("OTHER='redis://:abc@c/0' # x", "OTHER=redis://:********@c/0");
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
            secrets.cover("gone1, abcdef and abcd, x, plain; amqp://u:hunter2@q refused"),
            "********, ******** and ********, x, plain; amqp://u:********@q refused"
        );
    }
}
