//! Secrets that are known by their shape, whatever their variable is called; and words that are secrets by their name
//! alone, and far too common to be covered in other text.

use super::is_secret;

/// The beginnings of tokens that their issuers have made recognizable.
const PREFIXES: [&str; 21] = [
    "AIza",
    "AKIA",
    "SG.",
    "dckr_pat_",
    "dop_v1_",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "hf_",
    "npm_",
    "pk_live_",
    "pypi-",
    "rk_live_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "whsec_",
    "xox",
];

/// Values of secrets in samples and tutorials, and values of switches: common words in any log.
const COMMON: [&str; 34] = [
    "admin",
    "auto",
    "celery",
    "changeme",
    "debug",
    "default",
    "development",
    "disabled",
    "django",
    "docker",
    "dummy",
    "enabled",
    "example",
    "false",
    "guest",
    "local",
    "localhost",
    "mysql",
    "none",
    "null",
    "password",
    "postgres",
    "postgresql",
    "production",
    "rabbitmq",
    "redis",
    "root",
    "secret",
    "server",
    "test",
    "testing",
    "true",
    "user",
    "username",
];

/// A shorter text is not taken for a token.
const SHORTEST: usize = 20;
/// A longer number is not taken for a setting, such as a port or a time.
const LONGEST_NUMBER: usize = 6;

/// Ends of names in a list like `AccountName=x;AccountKey=y`.
const NAMES: [&str; 8] = ["key", "pass", "password", "passwd", "pwd", "secret", "signature", "token"];

/// Ends of names of variables whose long random values are public.
const PUBLIC: [&str; 8] = ["COMMIT", "DIGEST", "FINGERPRINT", "HASH", "ID", "REVISION", "SHA", "VERSION"];

/// Returns whether a secret is a word, a switch or a number that stands in many texts.
pub(super) fn is_common(secret: &str) -> bool {
    let is_number = secret.len() <= LONGEST_NUMBER && secret.bytes().all(|byte| byte.is_ascii_digit());
    is_number || COMMON.contains(&secret.to_ascii_lowercase().as_str())
}

/// Returns the parts of a value that are secrets by their shape: values in lists of settings, tokens, and long opaque
/// parts of URLs.
pub(super) fn secrets_in<'a>(name: &str, value: &'a str) -> Vec<&'a str> {
    // The fragment of a URL is none of its parameters.
    let is_end = |c: char| ";&, \n".contains(c) || (c == '#' && value.contains("://"));
    let in_list = value.split(is_end).filter_map(|setting| setting.split_once('='));
    let in_list = in_list.filter(|(name, part)| is_name_of_secret(name) && !part.is_empty()).map(|(_, part)| part);
    let is_token = |word: &&str| word.len() >= SHORTEST && PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    let words = value.split(|c: char| c.is_whitespace() || "\"',;:=/?&@".contains(c)).filter(is_token);
    let mut secrets: Vec<&str> = in_list.chain(words).collect();
    secrets.extend(opaque_segments(value));
    let is_public = PUBLIC.iter().any(|end| name.to_ascii_uppercase().ends_with(end));
    if !is_public && !value.contains(['/', '.', ',', ':']) && is_opaque(value) {
        secrets.push(value);
    }
    secrets
}

/// Returns whether a name in a list of settings is that of a secret: `AccountKey`, `Password`, `sig`.
fn is_name_of_secret(name: &str) -> bool {
    let lower = name.trim().trim_start_matches('?').to_ascii_lowercase();
    let is_known = is_secret(name.trim()) || lower == "sig" || NAMES.iter().any(|end| lower.ends_with(end));
    is_known && !lower.ends_with("name")
}

/// Returns the long opaque parts of the paths of URLs: who knows the address of a webhook can use it.
fn opaque_segments(value: &str) -> impl Iterator<Item = &str> {
    let rests = value.split("://").skip(1);
    let paths = rests.filter_map(|rest| Some(rest.split(char::is_whitespace).next()?.split_once('/')?.1));
    paths.flat_map(|path| path.split(['/', '?', '#', '&', '='])).filter(|segment| is_opaque(segment))
}

/// Returns whether a text looks random: one long word in which letters of both cases and digits take turns, unlike in
/// names and in words with hyphens.
fn is_opaque(text: &str) -> bool {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => Some(0),
        b'a'..=b'z' => Some(1),
        b'A'..=b'Z' => Some(2),
        _ => None,
    };
    let is_word = text.bytes().all(|byte| class(byte).is_some() || b"-_+/=:~.%".contains(&byte));
    let classes: Vec<u8> = text.bytes().filter_map(class).collect();
    let turns = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    is_word && classes.len() >= SHORTEST && turns * 5 >= classes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, expected: &[&str]) {
        let mut found = secrets_in(name, value);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, expected, "{name}={value}");
    }

    #[test]
    fn values_in_lists_of_settings() {
        let azure = "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=abc/def==;EndpointSuffix=core.example";
        check("STORAGE", azure, &["abc/def=="]);
        check("BUS", "Endpoint=sb://x.example/;SharedAccessKeyName=Root;SharedAccessKey=s3cr3t=", &["s3cr3t="]);
        check("ODBC", "Server=db;Uid=me;Pwd=hunter2", &["hunter2"]);
        check("URL", "https://x.example/blob?sv=2020&sig=abc%2Fdef", &["abc%2Fdef"]);
        check("OPTIONS", "-c search_path=shop", &[]);
    }

    #[test]
    fn tokens_and_webhooks() {
        check(
            "HOOK",
            "https://hooks.example/services/T0AB1/B0CD2/x9YzQ2w7Lk3Pq8Rt5Vb1Nm4",
            &["x9YzQ2w7Lk3Pq8Rt5Vb1Nm4"],
        );
        check("GIT", "ghp_0123456789abcdefghij", &["ghp_0123456789abcdefghij"]);
        check("JSON", "{\"a\": \"sk_live_0123456789abcdef\"}", &["sk_live_0123456789abcdef"]);
        check("SOMETHING", "f3A9kQ2mX7pL0sW8vB4nT6", &["f3A9kQ2mX7pL0sW8vB4nT6"]);
        check("SOMETHING", "9f86d081884c7d659a2feaa0c55ad015", &["9f86d081884c7d659a2feaa0c55ad015"]);
    }

    #[test]
    fn other_values_are_none() {
        for (name, value) in [
            ("GIT_COMMIT", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            ("PAGE", "https://example.org/2024/my-long-article-title-of-2024.html"),
            ("HOSTS", "a1b2c3.example.org,localhost,127.0.0.1"),
            ("DJANGO_SETTINGS_MODULE", "config.settings.production"),
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin"),
            ("NAME", "server-monitoring-production-2"),
            ("TITLE", "a sentence with SomeWords and 12 numbers in it"),
            ("TIMES", "1,2,3,4,5,6,7,8,9,10,11,12"),
        ] {
            check(name, value, &[]);
        }
    }

    #[test]
    fn common_words_are_covered_in_no_text() {
        for word in ["postgres", "False", "guest", "5432", "Password"] {
            assert!(is_common(word), "{word}");
        }
        for word in ["hunter2", "12345678", "postgres2"] {
            assert!(!is_common(word), "{word}");
        }
    }
}
