//! Deploys as one transaction: at its end the new release serves, or the state from before is restored.
//!
//! [`run`] drives the transaction over a [`Backend`]; there is one backend for Docker Compose ([`compose`]) and one for
//! systemd ([`systemd`]). The library reports progress as [`Event`]s, asks for consent through an [`Operator`], and returns
//! a [`Verdict`]. It neither prints, prompts nor reads the process environment.

mod backend;
pub mod backup;
pub mod compose;
mod context;
mod data_files;
mod drain;
mod event;
mod excerpt;
mod failure;
mod hooks;
mod interrupt;
pub mod json;
mod manage;
mod migrations;
pub mod operate;
mod options;
mod patience;
mod record;
mod source;
pub mod systemd;
mod transaction;
pub mod uninstall;

pub use backend::Backend;
pub use context::{Context, Operator, Question};
pub use event::{Event, Events};
pub use failure::{Exit, Failure, Problem};
pub use interrupt::Interrupt;
pub use manage::{Invocation, ManageCall};
pub use options::{DEFAULT_STABILITY, DEFAULT_TIMEOUT};
pub use record::{Deploy, Releases, Status};
pub use source::Checkout;
pub use transaction::{Outcome, Verdict, run};
