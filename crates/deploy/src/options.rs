//! Defaults and spelling of the options that the backends share.

use std::time::Duration;

use subprocess::quoted;

/// The time that a new container or unit has to become healthy.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The time that new containers or units must stay healthy before the deploy relies on them.
pub const DEFAULT_STABILITY: Duration = Duration::from_secs(5);

/// Spells the times that differ from their defaults.
pub(crate) fn times(timeout: Duration, stability: Duration) -> impl Iterator<Item = String> {
    let options = [("--timeout", timeout, DEFAULT_TIMEOUT), ("--stability", stability, DEFAULT_STABILITY)];
    let options = options.into_iter().filter(|(_, value, default)| value != default);
    options.map(|(name, value, _)| format!("{name} {}", quoted(&humantime::format_duration(value).to_string())))
}

/// Spells the flags that are set.
pub(crate) fn flags(flags: impl IntoIterator<Item = (&'static str, bool)>) -> impl Iterator<Item = String> {
    flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag.to_owned())
}
