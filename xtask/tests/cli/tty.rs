//! Prompts on a pseudo-terminal.
