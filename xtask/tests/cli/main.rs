//! The command line from outside: whole outputs, exit codes, and the files that remain in the project.

mod answers;
mod combinations;
mod deploy_docker;
mod deploy_systemd;
mod detect;
mod health;
mod in_git;
mod install;
mod manage;
mod operate;
mod other_projects;
mod preflight;
mod python;
mod readme;
mod sandbox;
mod terminal;
mod tidy;
mod tty;
mod tty_keys;
mod tty_steps;
mod update;
mod uv;
mod values;
