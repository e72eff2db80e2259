//! The deployers: a transaction each, whose end is the new release, or the one from before.

pub(crate) mod docker;
mod left;
mod migrated;
mod record;
mod source;
pub(crate) mod systemd;
mod way_back;
