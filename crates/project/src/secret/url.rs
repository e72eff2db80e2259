//! The secrets in URLs.

use super::is_secret;

/// A user without a password may be a key (`https://0123456789abcdef@sentry.io/1`) or just a user (`https://me@host`).
const SHORTEST_KEY: usize = 12;

/// The secrets of the URLs in a value: `scheme://user:password@host`, `https://key@host`, `scheme://host?password=…`.
/// Celery takes several URLs, separated by `;`.
pub fn url_passwords(value: &str) -> impl Iterator<Item = &str> {
    let parts: Vec<&str> = value.split("://").collect();
    let rests: Vec<_> = parts.windows(2).map(|pair| (pair[0], pair[1])).collect();
    rests.into_iter().flat_map(|(scheme, rest)| of_authority(scheme, rest).into_iter().chain(of_query(rest)))
}

fn of_authority<'a>(scheme: &str, rest: &'a str) -> Option<&'a str> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let has_port = |host: &str| host.split_once(':').is_none_or(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    // An `@` in the path does not end the authority, if the text before it is a host.
    if !rest[..end].contains('@') && has_port(&rest[..end]) {
        return None;
    }
    // A password that should have been escaped ends at the last `@`.
    let (user, _) = rest.rsplit_once('@')?;
    match user.split_once(':') {
        Some((_, password)) => (!password.is_empty()).then_some(password),
        None => (scheme.ends_with("http") || scheme.ends_with("https"))
            .then_some(user)
            .filter(|it| it.len() >= SHORTEST_KEY),
    }
}

fn of_query(rest: &str) -> impl Iterator<Item = &str> {
    let query = rest.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let parameters = query.split(['&', ';', '#']).filter_map(|parameter| parameter.split_once('='));
    parameters.filter(|(name, value)| is_secret(name) && !value.is_empty()).map(|(_, value)| value)
}
