//! The exit codes, and the errors that carry one. They are the deploy library's, so that a verdict has them.

pub(crate) use deploy::{Exit, Failure, Problem};
