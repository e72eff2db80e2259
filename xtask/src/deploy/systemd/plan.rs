//! What a deploy is going to do, and what that costs.

use std::path::Path;

use checks::report::BOLD;
use systemd::UnitFile;

use super::begin;
use super::draft;
use super::layout::UNITS;
use super::preflight::Ground;
use super::prove::unknown_address;
use super::root::Root;
use super::steps::Draft;
use super::unit::Role;
use super::verify;
use crate::cli;
use crate::deploy::record::{Outcome, Record, previous, serving};
use crate::exit::{Exit, Failure, Problem};
use crate::ui::Ui;
use crate::world::World;

/// The release that is gone back to, if that is what is wanted.
pub(super) fn target<'a>(args: &cli::DeploySystemd, records: &'a [Record]) -> anyhow::Result<Option<&'a Record>> {
    if !args.rollback {
        return Ok(None);
    }
    let is_there = |record: &&Record| record.folder.as_ref().is_some_and(|folder| folder.is_dir());
    let to = previous(records).filter(is_there).ok_or_else(|| {
        let serving =
            serving(records).map(|record| format!(": release {} serves", record.original())).unwrap_or_default();
        let message = format!("there is no earlier release with other files to go back to{serving}");
        Failure::new(Exit::NotMet, Problem::new(message).hint("ls .xtask/releases"))
    })?;
    Ok(Some(to))
}

/// What `--dry-run` shows.
pub(super) fn print(args: &cli::DeploySystemd, ground: &Ground, world: &World<'_>) -> anyhow::Result<()> {
    let (ui, layout) = (world.ui, &ground.layout);
    let records = ground.records.all()?;
    let to = target(args, &records)?;
    let (record, mut draft) = begin(args, ground, world, to)?;
    draft.dropped = match &ground.root {
        Some(root) => draft::dropped(&ground.records, &record, root)?,
        None => draft::candidates(&ground.records, &record)?,
    };
    let bold = |line: String| ui.result(ui.out().style(BOLD, line));
    bold(format!("Plan for `{}` in {}", layout.name, world.project.root.display()));
    for record in records.iter().filter(|record| record.result == Outcome::UnderWay) {
        ui.result(format_args!("  undo release {}, which did not come to its end", record.id));
    }
    let news = draft::news(&draft, ground, &records, &record.contents);
    if to.is_none() && news.is_empty() {
        ui.result("  nothing: the release that serves is this one");
        return Ok(());
    }
    if let Some(to) = to {
        ui.result(format_args!("  back to release {} of {}", to.id, to.started));
    } else {
        for news in news {
            ui.result(format_args!("  {news}"));
        }
        let (uv, python) = (&ground.tools.uv.version, &ground.tools.python.program);
        ui.result(format_args!("  copy what Git tracks to {}", draft.folder.display()));
        ui.result(format_args!("  {uv} makes its virtual environment, with {python}; static files are collected"));
    }
    if draft.has_socket() {
        ui.result("  prove it on a private socket; an SQLite database is copied, and pending migrations are applied");
    }
    let seconds = args.stability.as_secs_f32();
    ui.result(format_args!(
        "  watch it for {seconds} s, switch, watch it for {seconds} s; go back if anything is not well"
    ));
    let prefix = Root::prefix(world);
    bold(if prefix.is_empty() { "As root".into() } else { "With sudo, and nothing else".to_owned() });
    for step in ground.read.iter().chain(&draft.all()) {
        ui.result(format_args!("  {prefix}{step}"));
    }
    tell(&draft, ground, ui);
    if let Some(data) = &ground.data {
        ui.warning(&data.problem(args, layout, world));
    }
    Ok(())
}

/// What somebody should know beforehand.
pub(super) fn tell(draft: &Draft<'_>, ground: &Ground, ui: &Ui) {
    let warn = |message: String| ui.warning(&Problem::new(message));
    let (layout, source) = (&ground.layout, &ground.source);
    if draft.is_new && source.is_dirty() {
        let untracked = match source.untracked {
            0 => String::new(),
            1 => "; 1 file that Git does not track is left out".to_owned(),
            many => format!("; {many} files that Git does not track are left out"),
        };
        warn(format!("the checkout is not as it was committed: the release is marked `{}`{untracked}", source.tag()));
    }
    for kept in &draft.env.kept {
        let hint = "cargo xtask deploy-systemd --sync-env";
        ui.warning(&Problem::new(format!("`{}`: {}", layout.env_file.display(), kept.told())).hint(hint));
    }
    for name in &draft.env.left_out {
        warn(format!("`.env`: systemd takes no variable of the name `{name}`: left out"));
    }
    let main = layout.main_unit();
    if !draft.has_socket() && draft.standing.invocations.contains_key(&main) {
        let message = format!("`{main}` has no socket unit: restarting it costs a moment in which nobody is answered");
        ui.warning(&Problem::new(message).hint(format!("a `{}.socket` holds requests for that moment", layout.name)));
    }
    let closed: Vec<String> = draft.closed().iter().map(|name| format!("`{name}`")).collect();
    if !closed.is_empty() {
        warn(format!(
            "{} stopped before the start, since a socket has changed: requests are refused for a moment",
            closed.join(" and ")
        ));
    }
    let bound = |unit: &UnitFile| unit.values("Service", "ExecStart").iter().any(|line| verify::bound(line).is_some());
    if !draft.has_socket() && !draft.web().is_some_and(bound) {
        ui.warning(&unknown_address(&main));
    }
    let left = draft.units.iter().filter(|unit| Role::of(unit, layout) != Role::Socket && !unit.is_task());
    for unit in left.filter(|unit| !draft.services.contains(&unit.name)) {
        ui.note(format_args!("     `{}` is not up, and is left alone", unit.name));
    }
    // Where they cannot be read, there is nothing to tell of them.
    let serving = UnitFile::all(&layout.install_dir.join(&layout.unit_dir)).unwrap_or_default();
    let is_gone =
        |name: &str| !draft.units.iter().any(|unit| unit.name == name) && Path::new(UNITS).join(name).exists();
    for name in serving.iter().map(|unit| &unit.name).filter(|name| is_gone(name)) {
        let hint = format!("sudo systemctl disable --now {name}");
        ui.warning(&Problem::new(format!("`{name}` is installed, and not of this release any more")).hint(hint));
    }
}
