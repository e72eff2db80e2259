//! The plan of a dry run, and the warnings about a release that are known in advance.

use project::text::{counted, listed};
use subprocess::quoted;

use super::preflight::Preflight;
use super::readiness::unknown_address;
use super::root::Root;
use super::shared;
use super::steps::ReleasePlan;
use super::target::lock_steps;
use super::{Systemd, planning, verify};
use crate::drain;
use crate::event::{Event, Events};
use crate::failure::Problem;
use crate::migrations;
use crate::record::Status;
use ::systemd::UnitFile;
use ::systemd::unit_kind::is_template;

/// Emits the plan.
pub(super) fn emit(backend: &Systemd<'_>) -> anyhow::Result<()> {
    let Systemd { options, context, preflight, .. } = backend;
    let (events, layout) = (&context.events, &preflight.layout);
    let records = preflight.records.all()?;
    let target = backend.rollback_target(&records)?;
    let (record, mut plan) = backend.begin(target)?;
    plan.pruned = match &preflight.root {
        Some(root) => planning::pruned(&preflight.records, &record, root)?,
        None => planning::candidates(&preflight.records, &record)?,
    };
    let title = format!("Plan for `{}` in {}", layout.name, context.project.root.display());
    let unfinished = records.iter().filter(|record| record.result == Status::UnderWay);
    let mut steps: Vec<String> =
        unfinished.map(|record| format!("roll back release {}, whose deploy was not finished", record.id)).collect();
    let changes = planning::changes(&plan, preflight, &records, &record.contents);
    if target.is_none() && changes.is_empty() {
        steps.push("nothing: the release that serves is this one".to_owned());
        events.emit(Event::Plan { title, steps, commands: Vec::new() });
        return Ok(());
    }
    if let Some(target) = target {
        steps.push(format!("back to release {} of {}", target.id, target.started));
    } else {
        steps.extend(changes);
        let (uv, python) = (&preflight.tools.uv.version, &preflight.tools.python.program);
        steps.push(format!("copy the files that Git tracks to {}", plan.folder.display()));
        steps.push(format!("{uv} makes its virtual environment, with {python}; static files are collected"));
        if !plan.state.shared.is_empty() {
            let (names, place) = (shared::named(&plan.state.shared), layout.state_dir());
            steps.push(format!("link {names} to {}, for all releases", place.display()));
        }
        if plan.state.unknown.is_some() {
            steps.push(
                "link the state that the settings have below the project: they cannot be loaded before".to_owned(),
            );
        }
    }
    if plan.is_new {
        steps.push("copy an SQLite database, and apply pending migrations".to_owned());
    }
    let canaries: Vec<&str> = [(plan.has_socket(), "the web service"), (plan.worker().is_some(), "the worker")]
        .into_iter()
        .filter_map(|(has_canary, name)| has_canary.then_some(name))
        .collect();
    if !canaries.is_empty() {
        steps.push(format!("start and verify a canary of {}", canaries.join(" and of ")));
    }
    let seconds = options.stability.as_secs_f32();
    steps.push(format!(
        "watch that for {seconds} s, cut over, watch the release for {seconds} s; roll back if it is unhealthy"
    ));
    let prefix = Root::prefix(context);
    let lock = lock_steps(layout, "");
    let commands =
        lock.iter().chain(&preflight.read).chain(&plan.all()).map(|step| format!("{prefix}{step}")).collect();
    events.emit(Event::Plan { title, steps, commands });
    warn(&plan, preflight, events);
    if let Some(data) = &preflight.data {
        events.warning(data.problem(options, layout, context));
    }
    Ok(())
}

/// Emits the warnings that the operator should read before the deploy.
pub(super) fn warn(plan: &ReleasePlan, preflight: &Preflight, events: &Events<'_>) {
    let warning = |message: String| events.warning(Problem::new(message));
    let (layout, source) = (&preflight.layout, &preflight.source);
    if plan.is_new && source.is_dirty() {
        let untracked = match source.untracked {
            0 => String::new(),
            count => format!("; {} left out", counted(count, "untracked file")),
        };
        warning(format!("the checkout differs from its commit: the release is marked `{}`{untracked}", source.tag()));
    }
    for kept in &plan.env.kept {
        let hint = "cargo xtask deploy-systemd --sync-env";
        events.warning(Problem::new(format!("`{}`: {}", layout.env_file.display(), kept.message())).hint(hint));
    }
    for name in &plan.env.left_out {
        warning(format!("`.env`: systemd takes no variable of the name `{name}`: left out"));
    }
    if let Some(note) = drain::announcement(plan.stop_times.iter().map(|(unit, time)| (unit.as_str(), *time))) {
        events.note(note);
    }
    let main = layout.main_unit();
    if !plan.has_socket() && plan.snapshot.invocations.contains_key(&main) {
        let message = format!("`{main}` has no socket unit: restarting it costs a moment in which requests fail");
        events
            .warning(Problem::new(message).hint(format!("a `{}.socket` holds requests for that moment", layout.name)));
    }
    let closed = plan.closed();
    if !closed.is_empty() {
        warning(format!(
            "{} stopped before the start, since a socket has changed: requests are refused for a moment",
            listed(&closed)
        ));
    }
    let bound = |unit: &UnitFile| unit.values("Service", "ExecStart").iter().any(|line| verify::bound(line).is_some());
    if !plan.has_socket() && !plan.web().is_some_and(bound) {
        events.warning(unknown_address(&main));
    }
    for name in verify::hidden_migrations(&plan.units) {
        events.warning(migrations::hidden(name));
    }
    for (name, reason) in plan.without_canary() {
        events.note(format!("`{name}` gets the new release without a canary before: {reason}"));
    }
    for name in plan.left_alone() {
        events.note(format!("`{name}` is not running, and is left alone"));
    }
    let is_new = |unit: &&UnitFile| unit.is_template() && plan.snapshot.files.get(&unit.name) == Some(&false);
    for template in plan.units.iter().filter(is_new) {
        let instance = template.name.replace("@.", "@NAME.");
        let message = format!("`{}` is a new template, and an instance of it is yours to start", template.name);
        events.note(format!("{message}: sudo systemctl enable --now {instance}"));
    }
    // Unit files that cannot be read are not worth a warning here.
    let serving = UnitFile::all(&layout.install_dir.join(&layout.unit_dir)).unwrap_or_default();
    let is_gone = |name: &str| !plan.units.iter().any(|unit| unit.name == name) && layout.unit_file(name).exists();
    for name in serving.iter().map(|unit| &unit.name).filter(|name| is_gone(name)) {
        let hint = if is_template(name) {
            // Its instances would go on running code that is removed.
            format!("sudo systemctl stop {}", quoted(&name.replace("@.", "@*.")))
        } else {
            format!("sudo systemctl disable --now {name}")
        };
        events.warning(Problem::new(format!("`{name}` is installed, and no longer in this release")).hint(hint));
    }
}
