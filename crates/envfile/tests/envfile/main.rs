//! Tests through the public interface only.

mod files;
mod measured;
mod properties;
mod writers;
