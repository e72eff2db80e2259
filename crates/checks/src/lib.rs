//! What has to hold for a project on its two axes, and the looks at the outside that tell whether it does.
//!
//! A [`Site`] is what is looked at; [`plan`] says which [`Probe`]s that takes; [`run()`] asks them all at the same time
//! and gives their [`Outcome`]s, which a [`Report`] tells in several forms. Nothing here prints, prompts, reads the
//! process environment or exits. Programs are started by [`subprocess::Command`] alone, each under a
//! deadline and in a process group of its own.

pub mod catalogue;
pub mod group;
mod outcome;
mod probes;
pub mod report;
mod run;
mod site;
mod web;

pub use group::{Ground, plan};
pub use outcome::{Finding, Outcome, Repair, Status};
pub use probes::{PROBE_TIMEOUT, SystemProbes};
pub use report::Report;
pub use run::{Event, Limits, Probe, run, run_again};
pub use site::{Machine, Site};
