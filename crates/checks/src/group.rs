//! The groups of checks, a file each.

pub mod core;
pub mod django;
