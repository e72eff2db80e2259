//! Tests through the public interface only.

mod files;
mod measured;
mod properties;
#[path = "../strategies/mod.rs"]
mod strategies;
mod writers;
