//! `systemd.redis`: whether the broker runs and answers.

use subprocess::Deadline;
use subprocess::redis::{Pong, Redis, RedisError};
use systemd::Unit;

use super::REDIS as NAME;
use crate::outcome::Outcome;

/// The names that distributions give to the unit of Redis.
pub const UNITS: [&str; 2] = ["redis-server.service", "redis.service"];

/// Celery's default broker.
const DEFAULT_URL: &str = "redis://localhost:6379/0";

/// Asks the Redis of the broker's URL.
#[must_use]
pub fn outcome(broker_url: Option<&str>, units: &[Unit], deadline: &Deadline) -> Outcome {
    let redis = match Redis::of_url(broker_url.unwrap_or(DEFAULT_URL)) {
        Ok(redis) => redis,
        Err(error) if error.is_unasked() => return Outcome::skip(NAME, error.to_string()),
        Err(error) => return Outcome::err(NAME, error.to_string()),
    };
    let is_local = redis.address.is_local();
    let answer = redis.ping(deadline);
    if is_local { local(unit(units), &answer) } else { remote(&answer) }
}

/// The unit of Redis: the one that is active, else one that is installed.
fn unit(units: &[Unit]) -> Option<&Unit> {
    let installed = || units.iter().filter(|unit| UNITS.contains(&unit.name.as_str()) && unit.is_installed());
    installed().find(|unit| unit.is_active()).or_else(|| installed().next())
}

fn remote(answer: &Result<Pong, RedisError>) -> Outcome {
    match answer {
        Ok(Pong { address }) => Outcome::ok(NAME, format!("`{address}` answers")),
        Err(error) if error.is_unasked() => Outcome::skip(NAME, error.to_string()),
        Err(error) => Outcome::err(NAME, error.to_string()),
    }
}

fn local(unit: Option<&Unit>, answer: &Result<Pong, RedisError>) -> Outcome {
    let state = match unit {
        Some(unit) => format!("`{}` is {}", unit.name, unit.get("ActiveState")),
        None => "no unit of Redis is installed".to_owned(),
    };
    let is_active = unit.is_some_and(Unit::is_active);
    match answer {
        Ok(Pong { address }) if is_active => Outcome::ok(NAME, format!("{state}, and `{address}` answers")),
        Ok(Pong { address }) => Outcome::ok(NAME, format!("{state}, but `{address}` answers: it is run otherwise")),
        Err(error) if error.is_unasked() => Outcome::skip(NAME, format!("{state}, but {error}")),
        Err(error) => {
            let outcome = Outcome::err(NAME, format!("{state}, and {error}"));
            match unit {
                // A server responds: starting another one would not help.
                _ if !error.is_unreachable() => outcome,
                Some(unit) if is_active => outcome.hint(format!("journalctl -u {} -n 50", unit.name)),
                Some(unit) => {
                    let name = unit.name.strip_suffix(".service").unwrap_or(&unit.name);
                    outcome.hint(format!("sudo systemctl start {name}"))
                }
                None => outcome.hint("sudo apt install redis-server"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use subprocess::{Address, SocketError};

    use super::super::recorded::{recorded, unit as recorded_unit};
    use super::*;

    fn address() -> Address {
        Address::Tcp("localhost".into(), 6379)
    }

    fn refused() -> RedisError {
        SocketError::Io(address(), io::ErrorKind::ConnectionRefused.into()).into()
    }

    #[track_caller]
    fn check(outcome: &Outcome, expected: &str, hint: Option<&str>) {
        assert_eq!(format!("{}: {}", outcome.status, outcome.message), expected);
        assert_eq!(outcome.hint.as_deref(), hint);
    }

    #[test]
    fn of_two_units_the_one_that_is_active_counts() {
        let units = recorded();
        assert_eq!(unit(&units).map(|unit| unit.name.as_str()), Some("redis-server.service"));
        let stopped = recorded_unit("redis-server.service").with("ActiveState", "inactive");
        assert_eq!(unit(&[stopped.clone(), recorded_unit("redis.service")]).map(|unit| &*unit.name), Some(UNITS[1]));
        assert_eq!(unit(&[stopped]).map(|unit| unit.name.as_str()), Some(UNITS[0]));
        assert!(unit(&[recorded_unit("shop.service")]).is_none());
    }

    #[test]
    fn a_redis_of_this_machine() {
        let active = recorded_unit("redis-server.service");
        let stopped = active.clone().with("ActiveState", "inactive");
        let healthy = "ok: `redis-server.service` is active, and `localhost:6379` answers";
        check(&local(Some(&active), &Ok(Pong { address: address() })), healthy, None);
        let otherwise = "ok: `redis-server.service` is inactive, but `localhost:6379` answers: it is run otherwise";
        check(&local(Some(&stopped), &Ok(Pong { address: address() })), otherwise, None);
        let otherwise = "ok: no unit of Redis is installed, but `localhost:6379` answers: it is run otherwise";
        check(&local(None, &Ok(Pong { address: address() })), otherwise, None);
        check(
            &local(Some(&active), &Err(refused())),
            "err: `redis-server.service` is active, and connection refused by `localhost:6379`",
            Some("journalctl -u redis-server.service -n 50"),
        );
        check(
            &local(Some(&stopped), &Err(refused())),
            "err: `redis-server.service` is inactive, and connection refused by `localhost:6379`",
            Some("sudo systemctl start redis-server"),
        );
        check(
            &local(None, &Err(refused())),
            "err: no unit of Redis is installed, and connection refused by `localhost:6379`",
            Some("sudo apt install redis-server"),
        );
        check(
            &local(Some(&active), &Err(RedisError::WrongPassword(address()))),
            "err: `redis-server.service` is active, and `localhost:6379` refuses the password of the broker URL",
            None,
        );
    }

    #[test]
    fn a_redis_elsewhere() {
        check(&remote(&Ok(Pong { address: address() })), "ok: `localhost:6379` answers", None);
        check(&remote(&Err(refused())), "err: connection refused by `localhost:6379`", None);
    }

    #[test]
    fn unsupported_urls() {
        let check = |url, expected| {
            let outcome = outcome(Some(url), &[], &Deadline::within(Duration::from_secs(20)));
            check(&outcome, expected, None);
        };
        check("amqp://me:hunter2@db//", "skip: the broker is not Redis");
        check("rediss://me:hunter2@db", "skip: `db:6379` uses TLS, which is not asked");
        check("redis://me:hunter2@db:x", "err: the broker URL is not a URL such as `redis://localhost:6379/0`");
    }
}
