//! Secrets that are known by their shape, whatever their variable is called; and words that are secrets by their name
//! alone, and far too common to be covered in other text.

/// The beginnings of tokens that their issuers have made recognizable.
const PREFIXES: [&str; 23] = [
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
    "hvs.",
    "npm_",
    "pk_live_",
    "pypi-",
    "rk_live_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "whsec_",
    "xox",
    "ya29.",
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
/// The longest run of letters and digits in a token has at least this length; words and names have shorter ones.
const SHORTEST_RUN: usize = 12;
/// A shorter part of a list is no secret, and may be any number or word.
const SHORTEST_PART: usize = 4;
/// A longer number is not taken for a setting, such as a port or a time.
const LONGEST_NUMBER: usize = 6;

/// Last words of names in a list like `AccountName=x;AccountKey=y`.
const NAMES: [&str; 8] = ["pass", "password", "passwd", "pwd", "secret", "sig", "signature", "token"];
/// Words before `key` that make it a secret: a `sort_key` is none.
const KEYS: [&str; 8] = ["access", "account", "api", "auth", "encryption", "private", "secret", "signing"];

/// Ends of names of variables whose long random values are public.
const PUBLIC: [&str; 11] =
    ["COMMIT", "DIGEST", "FINGERPRINT", "HASH", "ID", "REF", "RELEASE", "REVISION", "SHA", "TAG", "VERSION"];

/// Returns whether a secret is a word, a switch or a number that stands in many texts.
pub(super) fn is_common(secret: &str) -> bool {
    let is_number = secret.len() <= LONGEST_NUMBER && secret.bytes().all(|byte| byte.is_ascii_digit());
    is_number || COMMON.contains(&secret.to_ascii_lowercase().as_str())
}

/// Returns the parts of a value that are secrets by their shape: private keys, values in lists of settings, tokens, and long
/// opaque parts of URLs.
pub(super) fn secrets_in<'a>(name: &str, value: &'a str) -> Vec<&'a str> {
    if value.contains("-----BEGIN ") && value.contains("PRIVATE KEY") {
        return [value].into_iter().chain(value.split("\\n").flat_map(str::lines)).collect();
    }
    let mut secrets = in_list(value);
    let is_public = PUBLIC.iter().any(|end| name.to_ascii_uppercase().ends_with(end));
    for word in value.split(|c: char| c.is_whitespace() || "\"',;#!|<>(){}".contains(c)).filter(|word| !word.is_empty())
    {
        match word.split_once("://") {
            Some((_, rest)) => secrets.extend(opaque_segments(rest)),
            None if is_public => {}
            None => secrets.extend(tokens(word)),
        }
    }
    // `Authorization: Bearer x`
    let mut words = value.split_whitespace();
    while let Some(word) = words.next() {
        let scheme = word.rsplit(['=', ':', '"']).next().unwrap_or_default();
        if ["Basic", "Bearer"].contains(&scheme) {
            let credentials = words.next().map(|word| word.trim_end_matches(['"', '\'', ';', ',']));
            secrets.extend(credentials.filter(|credentials| credentials.len() >= SHORTEST_PART));
        }
    }
    secrets
}

/// Returns the secrets in a list of settings, such as `name=value;name=value`.
fn in_list(value: &str) -> Vec<&str> {
    // The fragment of a URL is none of its parameters.
    let is_end = |c: char| ";&, \n".contains(c) || (c == '#' && value.contains("://"));
    let parts = value.split(is_end).filter_map(|setting| setting.split_once('='));
    let is_secret = |(name, part): &(&str, &str)| part.len() >= SHORTEST_PART && is_name_of_secret(name);
    parts.filter(is_secret).map(|(_, part)| part).collect()
}

/// Returns whether a name in a list of settings is that of a secret: `AccountKey`, `Password`, `sig`.
fn is_name_of_secret(name: &str) -> bool {
    let mut words: Vec<String> = Vec::new();
    for c in name.rsplit(['?', '/']).next().unwrap_or_default().trim().chars() {
        let is_new = c.is_ascii_uppercase()
            && words.last().is_some_and(|word| !word.ends_with(|c: char| c.is_ascii_uppercase()));
        match words.last_mut() {
            Some(word) if c.is_ascii_alphanumeric() && !is_new => word.push(c),
            _ if c.is_ascii_alphanumeric() => words.push(c.to_string()),
            _ => words.push(String::new()),
        }
    }
    let words: Vec<String> =
        words.iter().filter(|word| !word.is_empty()).map(|word| word.to_ascii_lowercase()).collect();
    match words.as_slice() {
        [.., before, last] if last == "key" => KEYS.contains(&before.as_str()),
        [.., last] if last.ends_with("key") => KEYS.contains(&last.trim_end_matches("key")),
        [.., last] => NAMES.contains(&last.as_str()) || last.ends_with("password"),
        [] => false,
    }
}

/// Returns the tokens in a word that is no URL: itself, or parts of it.
fn tokens(word: &str) -> Vec<&str> {
    // A key of AWS has slashes, and a path as well.
    if word.contains('/') {
        // Without the padding of base64, and the name before it.
        let word = word.trim_end_matches('=');
        let key = word.split_once('=').map_or(word, |(_, key)| key);
        let is_path = key.contains(['.', ':', '=']) || key.starts_with('/') || key.len() < 2 * SHORTEST;
        return if !is_path && is_opaque(key) { vec![key] } else { Vec::new() };
    }
    let is_prefixed = |word: &&str| {
        word.len() >= SHORTEST && longest_run(word) >= SHORTEST_RUN && PREFIXES.iter().any(|it| word.starts_with(it))
    };
    let parts = word.split([':', '=', '.', '@', '?', '&']);
    [word].into_iter().filter(is_prefixed).chain(parts.filter(|part| is_prefixed(part) || is_opaque(part))).collect()
}

/// Returns the long opaque parts of the path of a URL: who knows the address of a webhook can use it. The addresses of files
/// are public.
fn opaque_segments(rest: &str) -> impl Iterator<Item = &str> {
    let path = rest.split_once('/').map(|(_, path)| path).unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let segments = path.split('/').filter(move |_| !is_file).chain(query.split(['&', '=']));
    segments.flat_map(|segment| segment.split(':')).filter(|segment| is_opaque(segment))
}

/// Returns whether a text looks random: one long word in which letters of both cases and digits take turns. In names they do
/// so less often, as in `DefaultEndpointsProtocol`, or have few digits. A UUID is a name.
fn is_opaque(text: &str) -> bool {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => Some(0),
        b'a'..=b'z' => Some(1),
        b'A'..=b'Z' => Some(2),
        _ => None,
    };
    let is_word = text.bytes().all(|byte| class(byte).is_some() || b"-_+/=~%".contains(&byte));
    let classes: Vec<u8> = text.bytes().filter_map(class).collect();
    let turns = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let length = classes.len();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let is_random =
        length >= SHORTEST && ((digits > 1 && turns * 5 >= length) || (length >= 32 && turns * 3 >= length));
    is_word && is_random && !is_uuid(text) && (text.contains('/') || longest_run(text) >= SHORTEST_RUN)
}

fn longest_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max().unwrap_or_default()
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
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
        check("BUS", "endpoint=https://x.example/;accesskey=ab/cd==", &["ab/cd=="]);
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
        check("AWS", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEXYZ", &["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEXYZ"]);
        check("DIGEST", "k=wJalrXUtnFEMI/K7MDENG/bPxRfiCY2EXAMPLEXYZ==", &[]);
        check("SALT", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY2EXAMPLEXYZ==", &["wJalrXUtnFEMI/K7MDENG/bPxRfiCY2EXAMPLEXYZ"]);
        check("BOT", "123456789:AAF-x9YzQ2w7Lk3Pq8Rt5Vb1Nm4;x", &["AAF-x9YzQ2w7Lk3Pq8Rt5Vb1Nm4"]);
        check("VAULT", "hvs.CAESIJ0123456789abcd", &["hvs.CAESIJ0123456789abcd"]);
        check("HEADER", "Authorization: Bearer f3A9kQ2m;x", &["f3A9kQ2m;x"]);
        check("HEADERS", "Authorization=Basic MTIzNDU2", &["MTIzNDU2"]);
        let pem = "-----BEGIN PRIVATE KEY-----\\nMIIEow\\n-----END PRIVATE KEY-----";
        assert!(secrets_in("SIGNING", pem).contains(&"MIIEow") && secrets_in("SIGNING", pem).contains(&pem));
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
            ("SENTRY_RELEASE", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            ("IMAGE_TAG", "sha-9f86d081884c7d659a2feaa0c55ad015"),
            ("TENANT", "123e4567-e89b-42d3-a456-426614174000"),
            ("ASSETS", "https://cdn.example/9f86d081884c7d659a2feaa0c55ad015/main.js"),
            ("SLUG", "Win10x64-Py3-Dj5-Pg16-R7-Nginx1-v2"),
            ("PYPI_HOST", "pypi-mirror.internal.example.org"),
            ("REGION", "sk-bratislava-datacenter-1"),
            ("SORT", "sort_key=name"),
            ("COLUMN", "primary_key=number"),
            ("KEYBOARD", "compass=north"),
            ("PLAN", "bypass=1,pass=1"),
            ("BUS", "SharedAccessKeyName=RootManage"),
            ("CLASS", "PaymentServiceV2EndpointFactoryBean"),
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
