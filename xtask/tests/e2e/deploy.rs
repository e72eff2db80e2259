//! `cargo xtask deploy-docker` on a real engine, with users who keep asking.

pub(crate) mod broken;
pub(crate) mod data;
pub(crate) mod faults;
pub(crate) mod first;
pub(crate) mod foreign;
pub(crate) mod own_rules;
pub(crate) mod pulled;
pub(crate) mod redeploy;
pub(crate) mod remote;
pub(crate) mod shared;
pub(crate) mod stack;
pub(crate) mod tls;
pub(crate) mod traefik;
pub(crate) mod watch;
