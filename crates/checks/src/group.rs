//! The groups of checks, a file each.

pub mod core;
pub mod django;

use std::sync::atomic::AtomicBool;

use crate::secret::Secrets;
use crate::{Project, Uv};

/// What the checks of a service on this machine work with.
pub struct Ground<'a> {
    /// The checkout.
    pub project: &'a Project,
    /// What Python is started with.
    pub uv: &'a Uv,
    /// The variables of `.env`, on top of the inherited environment.
    pub variables: Vec<(String, String)>,
    /// What must not be shown of what programs print.
    pub secrets: &'a Secrets,
    /// Set by whoever wants no answer any longer.
    pub stop: &'a AtomicBool,
}
