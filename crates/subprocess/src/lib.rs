//! Other programs and services, asked under a deadline: programs in a process group of their own, sockets, HTTP, Redis.
//!
//! Programs are started here and nowhere else in the library crates. Nothing here prints or reads the process
//! environment.

mod attached;
pub mod command;
mod deadline;
mod git;
mod held;
pub mod http;
mod percent;
pub mod redis;
mod shell;
mod socket;
mod transfer;

pub use command::{Command, CommandError, Finished, is_interruption};
pub use deadline::{Deadline, seconds};
pub use held::{Held, Start};
pub use percent::percent_decoded;
pub use shell::quoted;
pub use socket::{Address, SocketError};
