//! The durations and moments of the command line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `10s`, `500ms`, `1m 30s`; a number alone is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse::<u64>().map(Duration::from_secs);
    let duration = seconds.or_else(|_| humantime::parse_duration(text)).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > LONGEST {
        return Err("expected more than nothing, and at most a day".to_owned());
    }
    Ok(duration)
}

/// Reads a duration before now, or a time in UTC; returns the time since 1970.
pub(super) fn since(text: &str) -> Result<Duration, String> {
    let now = SystemTime::now();
    let moment = match duration(text) {
        Ok(before) => now.checked_sub(before),
        Err(_) => humantime::parse_rfc3339_weak(text).ok(),
    };
    let since = moment.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    since.ok_or_else(|| "expected a duration such as 10m, or a time such as 2026-12-01T10:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [("10s", 10_000), ("500ms", 500), ("1m 30s", 90_000), ("7", 7_000), (" 24h", 86_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "0", "0s", "25h", "-1", "soon", "1e9", "99999999999999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments() {
        assert_eq!(since("1970-01-02T00:00:00Z"), Ok(Duration::from_secs(86_400)));
        assert_eq!(since("1970-01-01 01:00:00"), Ok(Duration::from_secs(3600)));
        assert!(since("10m").is_ok_and(|since| since > Duration::from_secs(1_700_000_000)));
        for text in ["", "yesterday", "1969-12-31T00:00:00Z", "-5m"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
