//! The command line as people and scripts meet it: whole outputs, exit codes, and what is left in the project.

mod answers;
mod combinations;
mod deploy_docker;
mod deploy_systemd;
mod detect;
mod health;
mod in_git;
mod install;
mod preflight;
mod sandbox;
mod tidy;
mod tty;
