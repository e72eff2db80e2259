//! `systemctl show`: the state of units.

use std::fmt;
use std::time::Duration;

use project::secret::Secrets;
use project::text::counted;
use rustix::time::{ClockId, clock_gettime};
use subprocess::{Command, CommandError, Deadline};

/// The properties that are read; systemd leaves out those that a unit of its kind does not have.
const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,UnitFileState,Type,Result,NRestarts,\
                          ExecMainStatus,ActiveEnterTimestampMonotonic,FragmentPath,NeedDaemonReload,Listen,ExecStart,\
                          MainPID,InvocationID,DropInPaths,Job,TimeoutStopUSec,TriggeredBy,StateDirectory";

/// The state of a unit.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// The name by which it was asked for; an alias has the properties of the unit behind it.
    pub name: String,
    properties: Vec<(String, String)>,
}

impl Unit {
    /// The value of a property; empty if the unit has none.
    #[must_use]
    pub fn get(&self, property: &str) -> &str {
        self.all(property).next().unwrap_or_default()
    }

    /// The values of a property that can be there several times.
    pub fn all(&self, property: &str) -> impl Iterator<Item = &str> {
        self.properties.iter().filter(move |(key, _)| key == property).map(|(_, value)| value.as_str())
    }

    /// The value of a property that is a number; 0 if it is none.
    #[must_use]
    pub fn number(&self, property: &str) -> u64 {
        self.get(property).parse().unwrap_or_default()
    }

    /// Whether there is such a unit.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        !matches!(self.get("LoadState"), "" | "not-found")
    }

    /// Returns whether the unit runs, by its `ActiveState`; a unit that is reloading does.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.get("ActiveState"), "active" | "reloading" | "refreshing")
    }

    /// Returns the unit with another value of a property, for tests of code that judges units.
    #[must_use]
    pub fn with(mut self, property: &str, value: &str) -> Self {
        self.properties.retain(|(key, _)| key != property);
        self.properties.push((property.to_owned(), value.to_owned()));
        self
    }

    /// Returns how the unit's main process ended: systemd's result, with the signal or exit status.
    #[must_use]
    pub fn exit_reason(&self) -> String {
        let result = self.get("Result");
        match (result, self.get("ExecMainStatus")) {
            ("signal" | "core-dump", signal) => format!("`{result}` {signal}"),
            (_, "" | "0") => format!("`{result}`"),
            (_, status) => format!("`{result}`, exit status {status}"),
        }
    }

    /// The name of the socket unit that starts it on demand, if there is one.
    #[must_use]
    pub fn socket(&self) -> String {
        socket_of(&self.name)
    }
}

/// Returns the time since boot, by the clock of systemd's monotonic timestamps.
#[must_use]
pub fn uptime() -> Duration {
    // The clock does not go negative.
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// The socket unit that belongs to a service by its name.
#[must_use]
pub fn socket_of(service: &str) -> String {
    format!("{}.socket", service.strip_suffix(".service").unwrap_or(service))
}

/// Asks for all units in one go.
///
/// # Errors
/// If `systemctl` fails, or does not respond in time.
pub fn show(names: &[String], secrets: &Secrets, deadline: &Deadline) -> Result<Vec<Unit>, ShowError> {
    let args = ["show", PROPERTIES, "--"].into_iter().chain(names.iter().map(String::as_str));
    let finished = Command::new("systemctl", args).run(deadline).map_err(ShowError::NoAnswer)?;
    if finished.is_success() {
        return parse(names, finished.stdout()).map_err(ShowError::Failed);
    }
    Err(ShowError::Failed(format!("`systemctl` fails: {}", secrets.redact(&finished.failure_reason()))))
}

/// Returns the instances of templates that are up, starting, or have failed, in order.
///
/// # Errors
/// If `systemctl` fails, or does not respond in time.
pub fn instances<'a>(
    templates: impl IntoIterator<Item = &'a str>,
    secrets: &Secrets,
    deadline: &Deadline,
) -> Result<Vec<String>, ShowError> {
    // A template has no other characters that a pattern could take for its own.
    let patterns: Vec<String> = templates.into_iter().map(|name| name.replace("@.", "@*.")).collect();
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let args = ["list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager", "--"].map(str::to_owned);
    let finished =
        Command::new("systemctl", args.into_iter().chain(patterns)).run(deadline).map_err(ShowError::NoAnswer)?;
    if finished.is_success() {
        return Ok(listed(finished.stdout()));
    }
    Err(ShowError::Failed(format!("`systemctl` fails: {}", secrets.redact(&finished.failure_reason()))))
}

/// Parses the lines of `list-units`: name, load state and active state come first.
fn listed(output: &str) -> Vec<String> {
    let name = |line: &str| {
        let [name, _, active] = line.split_whitespace().take(3).collect::<Vec<_>>()[..] else { return None };
        (active != "inactive").then(|| name.to_owned())
    };
    let mut names: Vec<String> = output.lines().filter_map(name).collect();
    names.sort();
    names
}

/// The reason why the state of units is unknown.
#[derive(Debug)]
pub enum ShowError {
    /// `systemctl` was not run to its end.
    NoAnswer(CommandError),
    /// `systemctl` fails, or its output is not understood.
    Failed(String),
}

impl fmt::Display for ShowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShowError::NoAnswer(error) => error.fmt(f),
            ShowError::Failed(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ShowError {}

/// The units, in the order in which they were asked for. They are separated by blank lines; but a command line in
/// `ExecStart` can have blank lines in it as well, and comes before the `Id`, which every unit has once.
///
/// # Errors
/// If `systemctl` shows fewer or more units than were named.
pub fn parse(names: &[String], shown: &str) -> Result<Vec<Unit>, String> {
    let mut units = vec![Unit::default()];
    for line in shown.lines() {
        let Some(unit) = units.last_mut() else { break };
        match line.split_once('=') {
            _ if line.is_empty() && !unit.get("Id").is_empty() => units.push(Unit::default()),
            Some((key, value)) => unit.properties.push((key.to_owned(), value.to_owned())),
            None => {}
        }
    }
    units.retain(|unit| !unit.get("Id").is_empty());
    if units.len() != names.len() {
        return Err(format!("`systemctl` shows {} instead of {}", counted(units.len(), "unit"), names.len()));
    }
    for (unit, name) in units.iter_mut().zip(names) {
        unit.name.clone_from(name);
    }
    Ok(units)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Recorded with systemd 252, of units made for it.
    const SHOWN: &str = include_str!("show.txt");
    #[rustfmt::skip]
    const NAMES: [&str; 13] = [
        "redis-server.service", "redis.service", "shop.service", "shop.socket", "loop.service", "loop2.service",
        "fails.service", "killed.service", "disabled.service", "masked.service", "task.service", "gone.service",
        "lines.service",
    ];

    /// The units of the recording.
    pub(crate) fn recorded() -> Vec<Unit> {
        parse(&NAMES.map(str::to_owned), SHOWN).expect("as many as were asked for")
    }

    /// A unit of the recording.
    #[track_caller]
    pub(crate) fn unit(name: &str) -> Unit {
        recorded().into_iter().find(|unit| unit.name == name).expect("recorded")
    }

    #[test]
    fn units_are_separated_and_named_as_requested() {
        let ids: Vec<_> = recorded().iter().map(|unit| unit.get("Id").to_owned()).collect();
        assert_eq!(ids[..3], ["redis-server.service", "redis-server.service", "shop.service"]);
        assert_eq!(ids[2..], NAMES[2..]);
        assert_eq!(unit("redis.service").name, "redis.service");
        let listens = unit("shop.socket");
        assert_eq!(listens.all("Listen").count(), 4);
        assert_eq!((listens.number("NRestarts"), unit("loop2.service").number("NRestarts")), (0, 1));
        // Its command line has a blank line in it.
        assert_eq!((unit("lines.service").get("Type"), unit("lines.service").get("LoadState")), ("simple", "loaded"));
        assert!(unit("shop.socket").is_active() && !unit("gone.service").is_installed());
    }

    #[test]
    fn instances_that_are_not_up_are_left_out() {
        let output = "job@b.service loaded active     running Job b\njob@a.service loaded failed failed  Job a\n\
                      job@c.service loaded inactive dead    Job c\n";
        assert_eq!(listed(output), ["job@a.service", "job@b.service"]);
    }

    #[test]
    fn fewer_units_than_were_asked_for_are_no_answer() {
        let names = ["a.service", "b.service"].map(str::to_owned);
        for (shown, expected) in [
            ("", "`systemctl` shows 0 units instead of 2"),
            ("Id=a.service\nLoadState=loaded\n", "`systemctl` shows 1 unit instead of 2"),
        ] {
            assert_eq!(parse(&names, shown).err().as_deref(), Some(expected));
        }
    }
}
