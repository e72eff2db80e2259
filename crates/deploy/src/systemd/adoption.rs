//! A folder in the place of the link to the releases: it is the operator's, and becomes the first release.

use std::collections::BTreeMap;

use super::Systemd;
use super::steps::ReleasePlan;
use crate::failure::{Exit, Failure, Problem};
use crate::record::{Record, Status};

impl Systemd<'_> {
    /// Asks before a folder in the place of the link is moved: it is the operator's.
    pub(super) fn accept_adoption(&self, plan: &ReleasePlan) -> anyhow::Result<()> {
        let Some(adopted) = &plan.snapshot.adopted else { return Ok(()) };
        let install_dir = self.preflight.layout.install_dir.display();
        let move_ = format!("`{install_dir}` is a folder: it becomes the first release, as `{}`", adopted.display());
        self.context.events.note(&move_);
        let is_accepted = self.context.is_yes
            || (self.context.is_interactive()
                && self.context.confirm("Move it there, and put a link in its place?")?);
        if is_accepted {
            return Ok(());
        }
        let why = if self.context.is_interactive() { "declined" } else { self.context.why_not_asked() };
        let problem = Problem::new(format!("{move_}: {why}: nothing was changed"));
        let hint = self.options.command_line(true) + ", or move it away";
        Err(Failure::new(Exit::NotMet, problem.hint(hint)).into())
    }

    /// Records the adopted folder as a release that a rollback can go back to.
    pub(super) fn record_adopted(&self, record: &Record) -> anyhow::Result<()> {
        let Some(folder) = record.snapshot.units.as_ref().and_then(|units| units.adopted.clone()) else {
            return Ok(());
        };
        let mut adopted = self.preflight.records.begin_first(self.context.user.to_owned());
        adopted.id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        adopted.contents = BTreeMap::from([("tree".to_owned(), adopted.id.clone())]);
        adopted.folder = Some(folder);
        adopted.is_adopted = true;
        self.preflight.records.write(&adopted.ended(Status::Deployed))
    }
}
