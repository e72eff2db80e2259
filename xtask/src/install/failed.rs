//! The error of a step that failed: `.env` is written by then, so that no answer has to be given again.

use detect::ENV_FILE;

use crate::cli;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::typed;

/// Advice for a uv that cannot be installed: pip reports the reason, and not what can be set.
pub(super) const PYPI_ADVICE: &str =
    "behind a proxy set `HTTPS_PROXY`, for another index `PIP_INDEX_URL`, or install uv yourself";

/// Adds to every problem where the answers are, and the command that goes on with them.
pub(super) fn with_next_step(error: &anyhow::Error, args: &cli::Install, context: &Context<'_>) -> anyhow::Error {
    let mut failure = Failure::of(error);
    if failure.exit == Exit::Interrupted {
        return failure.into();
    }
    // The values and the axes are in `.env` by now.
    let again = cli::Install { env: None, method: None, set: Vec::new(), answers: None, ..args.clone() };
    let again = typed::install(&again, context.common.yes, None, None);
    for problem in &mut failure.problems {
        problem.message = format!("{}; the answers are kept in `{ENV_FILE}`", problem.message);
        problem.hint.get_or_insert_with(|| again.clone());
    }
    failure.into()
}
