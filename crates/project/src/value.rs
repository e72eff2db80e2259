//! Values that cannot work, whatever the program does with them: judged before they are written, and by the checks.

use detect::{DeployMethod, Environment};

use crate::Variable;
use crate::matrix::is_empty;

/// The names by which this machine reaches itself; `install` prints the first that the service answers to.
pub const LOCAL_NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// The transports that Celery's library kombu knows, without the part behind `+`.
const TRANSPORTS: [&str; 25] = [
    "amqp",
    "amqps",
    "azureservicebus",
    "azurestoragequeues",
    "confluentkafka",
    "consul",
    "etcd",
    "filesystem",
    "gcpubsub",
    "kafka",
    "librabbitmq",
    "memory",
    "mongodb",
    "pgmq",
    "pyamqp",
    "pyro",
    "qpid",
    "redis",
    "rediss",
    "sentinel",
    "slmq",
    "sqla",
    "sqlalchemy",
    "sqs",
    "zookeeper",
];

/// Returns the reason why a value of a variable cannot work, without the value itself; a predicate for a message. An empty
/// value is none.
#[must_use]
pub fn unusable_reason(
    variable: Variable,
    value: &str,
    environment: Environment,
    method: DeployMethod,
) -> Option<String> {
    match variable {
        _ if is_empty(value) => None,
        Variable::AllowedHosts => {
            let hosts = || value.split(',').map(str::trim).filter(|host| !host.is_empty());
            let is_own = (environment, method) == (Environment::Dev, DeployMethod::Bare);
            hosts().find_map(host_reason).or_else(|| {
                (is_own && local_name(value).is_none())
                    .then(|| "has neither `localhost` nor `127.0.0.1`: the page on this machine answers 400".to_owned())
            })
        }
        Variable::BrokerUrl => value.split(';').map(str::trim).filter(|url| !url.is_empty()).find_map(broker_reason),
        _ => None,
    }
}

/// Texts in the secrets of samples and tutorials: their letters and digits, in lower case.
const IN_SAMPLES: [&str; 6] = ["changeme", "changethis", "insecuresecret", "replaceme", "secretkey", "yoursecret"];
/// Whole secrets of samples.
const SAMPLES: [&str; 3] = ["insecure", "secret", "supersecret"];
/// What `django-admin startproject` begins a key with.
const STARTPROJECT: &str = "djangoinsecure";
/// A longer secret with such a text in it has a random part as well.
const LONGEST_SAMPLE: usize = 40;

/// The reason why such a secret is refused: a predicate for a message.
pub const OF_SAMPLE: &str = "has the value of a sample, which is public";

/// Returns whether a secret is one of a sample or a tutorial, such as `your-secret-key-here`: public, and as good as none.
#[must_use]
pub fn is_sample_secret(value: &str) -> bool {
    let plain: String = value.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let has_text = || plain.len() <= LONGEST_SAMPLE && IN_SAMPLES.iter().any(|text| plain.contains(text));
    SAMPLES.contains(&plain.as_str()) || plain.starts_with(STARTPROJECT) || has_text()
}

/// Returns the name of this machine that a list of hosts admits, for a URL; `None` if it admits none.
#[must_use]
pub fn local_name(allowed_hosts: &str) -> Option<&'static str> {
    let admits = |name: &str| allowed_hosts.split(',').map(str::trim).any(|pattern| is_match(pattern, name));
    LOCAL_NAMES.into_iter().find(|name| admits(name))
}

/// Returns whether a pattern of `ALLOWED_HOSTS` admits a host, as Django's `validate_host` compares them.
fn is_match(pattern: &str, host: &str) -> bool {
    let below = pattern.strip_prefix('.').is_some_and(|domain| host.eq_ignore_ascii_case(domain));
    pattern == "*" || pattern.eq_ignore_ascii_case(host) || below
}

/// Judges one host. Django compares it with the `Host` header without its port, in which it accepts lower-case letters,
/// digits, `.` and `-`, and an IPv6 address in brackets (`django.http.request.host_validation_re`).
fn host_reason(host: &str) -> Option<String> {
    let reason = |reason: &str| Some(format!("has a host {reason}"));
    if host == "*" {
        return None;
    }
    if host.contains("://") {
        return reason("with a scheme: write the name alone, such as `example.org`");
    }
    if host.contains(['"', '\'', '[', ']']) && !is_ipv6(host) {
        return reason("in quotes or brackets: write `example.org,www.example.org`");
    }
    if is_ipv6(host) {
        return None;
    }
    if host.contains(|c: char| c.is_whitespace() || c == ';') {
        return reason("with blanks or `;` in it: separate hosts by commas");
    }
    if host.contains('/') {
        return reason("with a path: write the name alone, such as `example.org`");
    }
    if host.matches(':').count() > 1 {
        return reason("that is an IPv6 address without brackets: write `[::1]`");
    }
    if host.contains(':') {
        return reason("with a port, which is not compared: write the name alone, such as `example.org`");
    }
    if host.ends_with('.') {
        return reason("with a dot at its end, which Django takes off the requested host");
    }
    if host.contains('*') {
        return reason("with `*` in it: a leading dot admits all names below a domain, such as `.example.org`");
    }
    if !host.is_ascii() {
        return reason("that is not ASCII: write the form that browsers send, such as `xn--bcher-kva.example`");
    }
    let is_valid = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if is_valid { None } else { reason("with a character that Django accepts in no host") }
}

fn is_ipv6(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Judges a broker URL as kombu splits it (`kombu.utils.url.url_to_parts`, by Python's `urlparse`).
fn broker_reason(url: &str) -> Option<String> {
    let reason = |reason: &str| Some(reason.to_owned());
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return reason("has blanks in it");
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return reason("has no scheme: write a URL, such as `redis://localhost:6379/0`");
    };
    let transport = scheme.split('+').next().unwrap_or_default().to_ascii_lowercase();
    if !TRANSPORTS.contains(&transport.as_str()) {
        return reason("has a scheme that Celery does not know: `redis`, `rediss` and `amqp` are common ones");
    }
    // The others have no host, or address several.
    if !["amqp", "amqps", "pyamqp", "redis", "rediss", "sentinel"].contains(&transport.as_str()) || scheme.contains('+')
    {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let port = match host.rsplit_once(']') {
        Some((_, port)) => port.strip_prefix(':'),
        None => host.split_once(':').map(|(_, port)| port),
    };
    let has_port = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    // A path may have an `@` as well.
    if !has_port && user.is_empty() && path.contains('@') {
        return reason("has a `/`, `?` or `#` in its password: write it as `%2F`, `%3F` or `%23`");
    }
    if path.contains('#') {
        return reason("has a `#` in it, which ends the URL: write it as `%23`");
    }
    if user.contains(['[', ']']) {
        return reason("has a bracket in its password: write it as `%5B` or `%5D`");
    }
    if !has_port {
        return reason("has a port that is not a number from 0 to 65535");
    }
    let database = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let is_number = database.is_empty() || database.contains('%') || database.parse::<i64>().is_ok();
    if transport.starts_with("redis") && !is_number {
        return reason("has a database that is not a number, such as `/0`");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variable: Variable, value: &str, expected: &str) {
        let reason = unusable_reason(variable, value, Environment::Prod, DeployMethod::Bare).unwrap_or_default();
        match expected {
            "" => assert_eq!(reason, "", "{value}"),
            expected => assert!(reason.contains(expected), "{value}: {reason}"),
        }
    }

    #[test]
    fn hosts_that_django_compares_with_nothing() {
        for (value, expected) in [
            ("example.org", ""),
            (" example.org , www.Example.org,", ""),
            (".example.org,10.0.0.1,[::1],*,x-1", ""),
            ("https://shop.example.org", "a scheme"),
            ("example.org,http://x", "a scheme"),
            ("example.org:8000", "a port"),
            ("example.org/shop", "a path"),
            ("a b", "blanks or `;`"),
            ("a;b", "blanks or `;`"),
            ("a\nb", "blanks or `;`"),
            ("[\"a\"]", "quotes or brackets"),
            ("['a', 'b']", "quotes or brackets"),
            ("'example.org'", "quotes or brackets"),
            ("::1", "without brackets"),
            ("[::1]:8000", "quotes or brackets"),
            ("*.example.org", "a leading dot"),
            ("example.org.", "a dot at its end"),
            (".", "a dot at its end"),
            ("b\u{fc}cher.example", "not ASCII"),
            ("my_host", "accepts in no host"),
            ("user@example.org", "accepts in no host"),
        ] {
            check(Variable::AllowedHosts, value, expected);
        }
    }

    #[test]
    fn a_development_server_answers_on_its_own_machine() {
        let reason = |value: &str, environment, method| {
            unusable_reason(Variable::AllowedHosts, value, environment, method).is_some()
        };
        assert!(reason("shop.example", Environment::Dev, DeployMethod::Bare));
        assert!(!reason("shop.example", Environment::Dev, DeployMethod::Docker));
        assert!(!reason("shop.example", Environment::Prod, DeployMethod::Bare));
        for (value, name) in [
            ("*", Some("127.0.0.1")),
            ("shop.example, LOCALHOST", Some("localhost")),
            (".localhost", Some("localhost")),
            ("localhost,127.0.0.1", Some("127.0.0.1")),
            ("[::1]", None),
        ] {
            assert_eq!(local_name(value), name, "{value}");
        }
    }

    #[test]
    fn secrets_of_samples_are_none() {
        for sample in [
            "changeme",
            "CHANGE-ME!",
            "your-secret-key-here",
            "django-insecure-x^7&",
            "secret",
            "please_change_this",
            "your-django-secret-key",
            "!!!SET DJANGO_SECRET_KEY!!!",
            "<secret-key>",
        ] {
            assert!(is_sample_secret(sample), "{sample}");
        }
        for secret in ["", "kJ2-change-9x", "a-real-secret-of-mine", "secretsecretsecret"] {
            assert!(!is_sample_secret(secret), "{secret}");
        }
    }

    #[test]
    fn brokers_that_celery_cannot_reach() {
        for (value, expected) in [
            ("", ""),
            ("redis://localhost:6379/0", ""),
            ("redis://", ""),
            ("redis:///1", ""),
            ("redis://:p%23w@h:6379/0", ""),
            ("redis://user:p@ss@h", ""),
            ("rediss://h:6380/0?ssl_cert_reqs=required", ""),
            ("redis://[::1]:6379/0", ""),
            ("redis+socket:///run/redis.sock?virtual_host=1", ""),
            ("amqp://guest:guest@mq:5672//", ""),
            ("amqp://a;amqp://b:5672/x", ""),
            ("sentinel://a:26379;sentinel://b:26379", ""),
            ("sqs://key:secret@", ""),
            ("sqla+postgresql://u:p@db/x", ""),
            ("memory://", ""),
            ("amqp://mq/team@prod", ""),
            ("amqp://a;", ""),
            ("rediss://h:6380/0?ssl_ca_certs=/etc/me@x.pem", ""),
            ("sqlalchemy+sqlite:///x", ""),
            ("redis://:p[w@h:6379/0", "a bracket"),
            ("sentinel://a:26379;sentinel://b:notaport", "a port"),
            ("redis://h/0/", "a database"),
            ("redis://:te#st@h:6379/0", "`%23`"),
            ("redis://:te/st@h:6379/0", "`%2F`"),
            ("redis://:te?st@h", "`%3F`"),
            ("redis://h:6379/0#x", "ends the URL"),
            ("localhost:6379", "no scheme"),
            ("redis:/h", "no scheme"),
            ("redis://h:notaport/0", "a port"),
            ("redis://h:70000/0", "a port"),
            ("redis://[::1]:x/0", "a port"),
            ("redis://h/zero", "a database"),
            ("http://h", "a scheme"),
            ("postgres://h/db", "a scheme"),
            ("redis://h :6379", "blanks"),
            ("amqp://a;b", "no scheme"),
        ] {
            check(Variable::BrokerUrl, value, expected);
        }
    }
}
