//! The two questions that only the outside can answer.

use std::fmt;

/// Asks Docker and systemd. An implementation answers each question within a bounded time (2 s).
pub trait Probes {
    /// The names of the running containers that belong to this project's Compose file, in no order.
    ///
    /// # Errors
    /// If Docker does not respond in time. A machine without Docker is no error: no container runs there.
    fn running_containers(&self) -> Result<Vec<String>, Unanswered>;

    /// The service's systemd unit, if it is installed.
    ///
    /// # Errors
    /// When systemd runs here and gives no response in time. Having no systemd is not an error: nothing is installed.
    fn installed_unit(&self) -> Result<Option<String>, Unanswered>;
}

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Who was asked, such as `docker`.
    pub asked: &'static str,
    /// The failure, such as "no response in 2 s".
    pub reason: String,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.asked, self.reason)
    }
}

impl std::error::Error for Unanswered {}

#[cfg(test)]
pub(crate) mod fixed {
    //! Probes with answers that a test decides, and that panic where no question may be asked.

    use super::{Probes, Unanswered};

    #[derive(Default)]
    pub(crate) struct Fixed {
        pub(crate) containers: Option<Result<Vec<String>, Unanswered>>,
        pub(crate) unit: Option<Result<Option<String>, Unanswered>>,
    }

    impl Probes for Fixed {
        fn running_containers(&self) -> Result<Vec<String>, Unanswered> {
            self.containers.clone().expect("docker must not be asked")
        }

        fn installed_unit(&self) -> Result<Option<String>, Unanswered> {
            self.unit.clone().expect("systemd must not be asked")
        }
    }

    pub(crate) fn silent<T>(asked: &'static str) -> Result<T, Unanswered> {
        Err(Unanswered { asked, reason: "no response in 2 s".into() })
    }
}
