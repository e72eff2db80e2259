//! Health checks of a project on its two axes, and the forms of their report.
//!
//! A [`Target`] is the subject of the checks; [`plan`] returns the [`Probe`]s for it; [`run()`] runs them all at the same
//! time and returns their [`Outcome`]s, which a [`Report`] renders in several forms. Nothing here prints, prompts,
//! reads the process environment or exits. Programs are started by [`subprocess::Command`] alone, each under a deadline
//! and in a process group of its own.

pub mod catalogue;
mod check_name;
pub mod group;
mod outcome;
mod probes;
pub mod report;
mod run;
mod target;
mod web;

pub use check_name::CheckName;
pub use group::{ServiceContext, plan};
pub use outcome::{Finding, Outcome, Repair, Status};
pub use probes::{PROBE_TIMEOUT, SystemProbes};
pub use report::Report;
pub use run::{Event, Limits, Probe, run, run_again};
pub use target::{HostFacts, Target};
