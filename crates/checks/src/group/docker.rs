//! `docker`: the containers of the Compose file.

use std::sync::Arc;

use crate::Site;
use crate::run::Probe;

pub(super) fn probes(_site: &Arc<Site>) -> Vec<Probe> {
    Vec::new()
}
