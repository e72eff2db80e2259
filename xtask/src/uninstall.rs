//! `cargo xtask uninstall`: removes what this tool has created, and keeps the data.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use deploy::uninstall::{Options, Uninstalled};
use deploy::{compose, systemd, uninstall};
use project::Lock;

use crate::cli::{self, Format};
use crate::context::Context;
use crate::deploy::on_terminal;
use crate::exit::{Exit, Failure};
use crate::interrupt::Deferred;
use crate::manage_py;
use crate::service::Runner;

pub(crate) fn run(args: &cli::Uninstall, context: &Context<'_>) -> anyhow::Result<Exit> {
    let file = context.env_file()?.unwrap_or_default();
    let (_, method) = manage_py::axes(&file, context)?;
    let runner = Runner::of(method, context)?;
    let of_checkout = created(&context.venv(&file), context);
    let options = Options { data: args.remove_data.clone(), of_checkout: of_checkout.clone() };
    let deferred = Deferred::begin()?;
    let take = || Lock::take(&context.project).map_err(Failure::from);
    let lock = (!context.common.dry_run && !of_checkout.is_empty()).then(take).transpose()?;
    let result = on_terminal(context, Format::Human, &deferred, |context| match runner {
        Some(Runner::Compose) => compose::uninstall(&options, context),
        Some(Runner::Systemd) => systemd::uninstall(&options, context),
        None => uninstall::of_checkout(&options, context),
    })?;
    match result {
        Uninstalled::Planned => {}
        Uninstalled::Nothing => context.ui.result("nothing is installed here"),
        Uninstalled::Removed => {
            for folder in &of_checkout {
                fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))?;
            }
            context.ui.result("it is uninstalled; `.env` and all other files of the checkout stay");
        }
    }
    drop(lock);
    Ok(Exit::Done)
}

/// Returns the folders of the checkout that this tool has created: its tools, and the virtual environment, where uv made it.
fn created(venv: &std::path::Path, context: &Context<'_>) -> Vec<PathBuf> {
    let made_by_uv =
        fs::read_to_string(venv.join("pyvenv.cfg")).is_ok_and(|text| text.lines().any(|line| line.starts_with("uv =")));
    let own = [(context.project.state_dir(), true), (venv.to_owned(), made_by_uv)];
    own.into_iter().filter(|(folder, is_own)| *is_own && folder.is_dir()).map(|(folder, _)| folder).collect()
}
