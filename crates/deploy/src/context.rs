//! The surroundings of a deploy: the project, the machine, the user, and the operator who can be asked.

use checks::HostFacts;
use project::Project;

use crate::event::Events;
use crate::interrupt::Interrupt;

/// A question that needs the operator's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question, with its question mark.
    pub text: String,
    /// The answer that Enter gives. `false` where the answer can cost data.
    pub default: bool,
}

/// The person who runs the deploy.
pub trait Operator {
    /// Asks for consent. Called only if [`Context::is_interactive`].
    ///
    /// # Errors
    /// If the operator ends the run instead, or cannot be asked after all.
    fn confirm(&self, question: &Question) -> anyhow::Result<bool>;

    /// Lets `sudo` ask for its password. Called only if [`Context::can_ask`].
    ///
    /// # Errors
    /// If `sudo` does not grant root's rights.
    fn authenticate_sudo(&self) -> anyhow::Result<()>;
}

/// The surroundings of a deploy.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The checkout whose commit is deployed.
    pub project: &'a Project,
    /// The facts of this machine.
    pub host_facts: &'a HostFacts,
    /// The user who deploys, such as `deploy@server`; recorded with the release.
    pub user: &'a str,
    /// The user id that the deploy runs as.
    pub uid: u32,
    /// The group id that the deploy runs as.
    pub gid: u32,
    /// Whether `--yes` answers the questions that have a safe answer.
    pub is_yes: bool,
    /// Whether only the plan is wanted.
    pub is_dry_run: bool,
    /// Whether there is a terminal to ask on.
    pub can_ask: bool,
    /// The operator, who can be asked if [`Context::can_ask`].
    pub operator: &'a dyn Operator,
    /// The receiver of the events.
    pub events: Events<'a>,
    /// Set when the operator wants the deploy to stop.
    pub interrupt: &'a Interrupt,
}

impl Context<'_> {
    /// Returns whether the operator can be asked, and wants to be.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        self.can_ask && !self.is_yes
    }

    /// Returns the reason why a question was not asked: a clause for a message.
    pub(crate) fn why_not_asked(&self) -> &'static str {
        if self.can_ask { "`--yes` does not answer this question" } else { "there is no terminal to ask on" }
    }

    /// Asks a question whose answer can cost data; Enter is no.
    pub(crate) fn confirm_danger(&self, text: impl Into<String>) -> anyhow::Result<bool> {
        self.operator.confirm(&Question { text: text.into(), default: false })
    }

    /// Asks a question; Enter is yes.
    pub(crate) fn confirm(&self, text: impl Into<String>) -> anyhow::Result<bool> {
        self.operator.confirm(&Question { text: text.into(), default: true })
    }
}
