//! What has to hold for a project on its two axes, and the looks at the outside that tell whether it does.
//!
//! A [`Site`] is what is looked at; [`plan`] says which [`Probe`]s that takes; [`run()`] asks them all at the same time
//! and gives their [`Outcome`]s, which a [`Report`] tells in several forms. Nothing here prints, prompts, reads the
//! process environment or exits. Programs are started by [`command`] alone, each under a deadline and in a process
//! group of its own.

pub mod catalogue;
pub mod command;
pub mod compose;
mod deadline;
pub mod group;
pub mod http;
pub mod matrix;
mod outcome;
mod probes;
mod project;
mod pyproject;
mod python;
mod redis;
pub mod report;
mod run;
pub mod secret;
mod site;
mod socket;
mod tracked;
mod uv;

pub use deadline::Deadline;
pub use group::{Ground, plan};
pub use outcome::{Finding, Outcome, Repair, Status};
pub use probes::{PROBE_TIMEOUT, SystemProbes};
pub use project::{Project, ProjectError, SAMPLE_FILE, Settings};
pub use pyproject::{Pyproject, PyprojectError};
pub use python::{Python, PythonError, find_python, find_system_python};
pub use report::Report;
pub use run::{Event, Limits, Probe, run, run_again};
pub use site::{Machine, Site, variables};
pub use tracked::{EnvInGit, InGit, env_target, in_git};
pub use uv::{Uv, UvError, find_uv};
