//! The client of Docker and Compose: versions, the host of the engine, containers, and Compose's own reading of a
//! Compose file.
//!
//! Docker's own program is asked, so that the engine is wherever Docker itself looks for it.

pub mod compose;
mod container;
mod engine;
mod health_check;
mod inspected;
mod release;
pub mod roles;

pub use container::{Container, HOLD_FILE, Health, PublishedPort, STATE_LABEL, inspect, is_started_from};
pub use engine::{EngineError, compose_version, host, version};
pub use health_check::{HealthCheck, ImageHealthCheck};
pub use inspected::containers;
pub use release::{LiveRelease, RECORD_LABEL, RELEASE_LABEL, list_records, live_release};
