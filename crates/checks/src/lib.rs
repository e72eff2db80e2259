//! What has to hold for a project on its two axes, and the looks at the outside that tell whether it does.
//!
//! The thin start of `cargo xtask health`: the facts and checks that `install` needs to verify its own work.
//! Nothing here prints, prompts, reads the process environment or exits. Programs are started by [`command`] alone,
//! each under a deadline and in a process group of its own.

pub mod command;
pub mod group;
pub mod matrix;
mod outcome;
mod probes;
mod project;
mod pyproject;
mod python;
pub mod secret;
mod uv;

pub use outcome::{Outcome, Status};
pub use probes::SystemProbes;
pub use project::{Project, ProjectError, SAMPLE_FILE, Settings};
pub use pyproject::{Pyproject, PyprojectError};
pub use python::{Python, PythonError, find_python};
pub use uv::{Uv, find_uv};
