//! `cargo xtask deploy-systemd` on a real systemd, by a user with sudo, with others who keep asking.

pub(crate) mod broken;
pub(crate) mod environment;
pub(crate) mod faults;
pub(crate) mod first;
pub(crate) mod foreign;
pub(crate) mod kinds;
pub(crate) mod redeploy;
pub(crate) mod server;
