//! The client of systemd: the state of units, unit files, the addresses that units listen on, and the journal.

pub mod address;
pub mod journal;
pub mod show;
pub mod unit_file;
pub mod unit_kind;

pub use show::{ShowError, Unit, instances, show, socket_of, uptime};
pub use unit_file::{UnitFile, UnitFileError};
pub use unit_kind::UnitKind;
