//! How the project's web service is asked for its health.

use subprocess::http::is_one_word;

/// The path that is requested where the project sets none.
const ROOT: &str = "/";

/// The name by which to ask a service: the first in the value of `DJANGO_ALLOWED_HOSTS` that can be asked by.
#[must_use]
pub fn request_host(allowed_hosts: Option<&str>) -> String {
    let names = allowed_hosts.unwrap_or_default().split(|c: char| c == ',' || c.is_whitespace());
    // A leading dot admits the domain itself and all below it.
    let mut names = names.map(|name| name.strip_prefix('.').unwrap_or(name)).filter(|name| !name.is_empty());
    match names.find(|name| *name == "*" || (is_one_word(name) && !name.contains('*'))) {
        None | Some("*") => "localhost".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// The path to ask for, by the project's `health-path`.
#[must_use]
pub fn health_path(health_path: Option<&str>) -> &str {
    health_path.unwrap_or(ROOT)
}

/// Returns whether a status code is that of a healthy service. A `health-path` that the project has set must respond
/// with success; without one, any response is healthy that is neither a server error nor 400.
#[must_use]
pub fn is_healthy(status: u16, health_path: Option<&str>) -> bool {
    // Django refuses the service's own host with 400.
    if health_path.is_some() { (200..300).contains(&status) } else { (200..500).contains(&status) && status != 400 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_to_ask_by() {
        for (value, expected) in [
            (None, "localhost"),
            (Some(" "), "localhost"),
            (Some("*"), "localhost"),
            (Some("example.org,www.example.org"), "example.org"),
            (Some(" , .example.org , x"), "example.org"),
            (Some("a.example b.example"), "a.example"),
            (Some("*.example.org,example.org"), "example.org"),
            (Some("ex\u{7}ample.org,[::1]"), "[::1]"),
        ] {
            assert_eq!(request_host(value), expected, "{value:?}");
        }
    }
}
