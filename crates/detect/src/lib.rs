//! The two axes of a deployment, which environment and which deployment method, and how we know.
//!
//! Nothing here asks the outside by itself: `.env` comes in as an [`EnvFile`](envfile::EnvFile), and Docker and
//! systemd are reached only through the [`Probes`] that the caller hands over, and only when the file did not answer.

mod deploy_method;
mod detected;
mod environment;
mod mode;
mod probes;
mod words;

pub use deploy_method::{DEPLOY_METHOD, DeployMethod, deploy_method};
pub use detected::{Detected, Rejected, Source};
pub use environment::{DJANGO_ENV, Environment, environment};
pub use mode::{Mode, mode};
pub use probes::{Probes, Unanswered};
pub use words::UnknownWord;

/// The file that holds both axes, in the project's root folder.
pub const ENV_FILE: &str = ".env";
