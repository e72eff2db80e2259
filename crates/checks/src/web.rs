//! The judgement of a response of the web service.

use project::web::{self, is_healthy};
use project::{Project, Variable};
use subprocess::Address;
use subprocess::http::{Answer, HttpError};

use crate::CheckName;
use crate::outcome::Outcome;

/// Returns the outcome of a request for [`health_path`] the project's `health-path`; see [`is_healthy`].
pub(crate) fn judge(
    name: CheckName,
    address: &Address,
    project: &Project,
    host: &str,
    result: &Result<Answer, HttpError>,
) -> Outcome {
    let health_path = project.settings.health_path.as_deref();
    let answer = match result {
        Ok(answer) => answer,
        Err(error) if error.is_denied() => return Outcome::skip(name, error.to_string()),
        Err(error) => return Outcome::err(name, error.to_string()),
    };
    let Answer { status, location } = answer;
    let location = location.as_deref().filter(|_| (300..400).contains(status));
    let redirect = location.map(|location| format!(", a redirect to `{location}`")).unwrap_or_default();
    let path = web::health_path(health_path);
    let message = format!("`{path}` answers {status}{redirect} ({address}, as {host})");
    let is_healthy = is_healthy(*status, health_path);
    let outcome = if is_healthy { Outcome::ok(name, message) } else { Outcome::err(name, message) };
    match status {
        400 => outcome.hint(format!("`{host}` may not be in `{}`", project.names.shown(Variable::AllowedHosts))),
        _ if !is_healthy && location.is_some_and(|location| location.starts_with("https://")) => outcome.hint(format!(
            "set `SECURE_PROXY_SSL_HEADER`, or leave `{path}` out of the redirect (`SECURE_REDIRECT_EXEMPT`)"
        )),
        _ => outcome,
    }
}

#[cfg(test)]
mod tests {
    use project::Settings;
    use subprocess::SocketError;

    use super::*;
    use crate::outcome::Status;

    fn project(health_path: Option<&str>) -> Project {
        let settings = Settings { health_path: health_path.map(str::to_owned), ..Settings::default() };
        Project::with("/srv/shop".into(), settings).expect("a project")
    }

    #[track_caller]
    fn check_judge(health_path: Option<&str>, status: u16, location: Option<&str>, expected: &str) -> Outcome {
        let answer = Ok(Answer { status, location: location.map(str::to_owned) });
        let address = Address::Tcp("127.0.0.1".into(), 8000);
        let outcome = judge(CheckName::known("systemd.http"), &address, &project(health_path), "example.org", &answer);
        assert_eq!(format!("{}: {}", outcome.status, outcome.message), expected);
        outcome
    }

    #[test]
    fn a_path_that_the_project_sets_answers_with_success() {
        let check = |status, location, expected| check_judge(Some("/healthz"), status, location, expected);
        check(200, None, "ok: `/healthz` answers 200 (127.0.0.1:8000, as example.org)");
        check(204, None, "ok: `/healthz` answers 204 (127.0.0.1:8000, as example.org)");
        check(
            302,
            Some("/login"),
            "err: `/healthz` answers 302, a redirect to `/login` (127.0.0.1:8000, as example.org)",
        );
        let tls = Some("https://example.org/healthz");
        let redirected = check(
            301,
            tls,
            "err: `/healthz` answers 301, a redirect to `https://example.org/healthz` (127.0.0.1:8000, as example.org)",
        );
        assert!(redirected.hint.is_some_and(|hint| hint.contains("SECURE_PROXY_SSL_HEADER")));
        let refused = check(400, None, "err: `/healthz` answers 400 (127.0.0.1:8000, as example.org)");
        assert_eq!(refused.hint.as_deref(), Some("`example.org` may not be in `DJANGO_ALLOWED_HOSTS`"));
        check(404, None, "err: `/healthz` answers 404 (127.0.0.1:8000, as example.org)");
        check(503, None, "err: `/healthz` answers 503 (127.0.0.1:8000, as example.org)");
    }

    #[test]
    fn without_a_path_any_response_but_400_and_a_server_error_is_healthy() {
        let check = |status, location, expected| check_judge(None, status, location, expected);
        check(200, None, "ok: `/` answers 200 (127.0.0.1:8000, as example.org)");
        check(302, Some("/login"), "ok: `/` answers 302, a redirect to `/login` (127.0.0.1:8000, as example.org)");
        check(404, None, "ok: `/` answers 404 (127.0.0.1:8000, as example.org)");
        let refused = check(400, None, "err: `/` answers 400 (127.0.0.1:8000, as example.org)");
        assert_eq!(refused.hint.as_deref(), Some("`example.org` may not be in `DJANGO_ALLOWED_HOSTS`"));
        check(500, None, "err: `/` answers 500 (127.0.0.1:8000, as example.org)");
    }

    #[test]
    fn socket_errors_keep_their_messages() {
        let address = Address::Unix("/run/shop.sock".into());
        let error = |kind: std::io::ErrorKind| Err(SocketError::Io(address.clone(), kind.into()).into());
        let judge = |result| judge(CheckName::known("systemd.http"), &address, &project(None), "localhost", &result);
        let refused = judge(error(std::io::ErrorKind::ConnectionRefused));
        assert_eq!((refused.status, refused.message.as_str()), (Status::Err, "connection refused by `/run/shop.sock`"));
        let denied = judge(error(std::io::ErrorKind::PermissionDenied));
        assert_eq!(
            (denied.status, denied.message.as_str()),
            (Status::Skip, "this user may not connect to `/run/shop.sock`")
        );
    }
}
