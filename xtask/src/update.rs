//! `cargo xtask update`: fetches the upstream of the checkout, and installs or deploys it; or goes back.

mod repository;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use checks::report::BOLD;
use detect::DeployMethod;
use project::Lock;
use project::text::{counted, listed};
use subprocess::Command;

use self::repository::{Journal, News, Repository};
use crate::cli::{self, Color};
use crate::context::Context;
use crate::exit::{Exit, Failure, Problem};
use crate::interrupt::Deferred;
use crate::manage_py::{self, code};
use crate::prompt;
use crate::service::Runner;

/// The command that brings an updated checkout into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Install,
    DeployDocker,
    DeploySystemd,
}

impl Next {
    fn words(self) -> &'static [&'static str] {
        match self {
            // `.env` is settled, and an update asks nothing about it.
            Next::Install => &["install", "--yes", "--no-deploy"],
            Next::DeployDocker => &["deploy-docker"],
            Next::DeploySystemd => &["deploy-systemd"],
        }
    }
}

pub(crate) fn run(args: &cli::Update, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let ui = context.ui;
    let file = context.env_file()?.unwrap_or_default();
    let (_, method) = manage_py::axes(&file, context)?;
    let next = match (method, Runner::of(method, context)?) {
        (DeployMethod::Docker, _) => Next::DeployDocker,
        (DeployMethod::Bare, Some(_)) => Next::DeploySystemd,
        (DeployMethod::Bare, None) => Next::Install,
    };
    let deferred = Deferred::begin()?;
    let repository = Repository::open(&context.project.root, &deferred)?;
    let is_read_only = args.check || context.common.dry_run;
    if !is_read_only {
        repository.require_clean()?;
    }
    // No deploy may be under way while the files change.
    let lock = if is_read_only { None } else { Some(Lock::take(&context.project).map_err(Failure::from)?) };
    let journal = if is_read_only { None } else { Some(repository.journal()?) };
    ui.while_waiting("git fetch", || repository.fetch())?;
    let news = repository.news()?;
    let unfinished = journal.as_ref().and_then(|journal| journal.unfinished.as_ref());
    if news.count == 0 && unfinished.is_none() {
        ui.result(format_args!("up to date with `{}`: {}", repository.upstream, repository.shown("HEAD")?));
        journal.map(Journal::finish).transpose()?;
        return Ok(Exit::Done.into());
    }
    if let Some(before) = unfinished {
        ui.note(format_args!("an earlier update from {} was not finished: it is completed", repository.shown(before)?));
    }
    if news.count > 0 {
        print_news(&news, &repository.upstream, context);
    }
    if args.check {
        return Ok(Exit::Failed.into());
    }
    let shown = ui.typed(&format!("cargo xtask {}", next.words().join(" ")));
    let Some(journal) = journal else {
        ui.result(format_args!("would fast-forward the checkout, then: {shown}"));
        return Ok(Exit::Done.into());
    };
    drop(deferred);
    if context.is_interactive() && !prompt::confirm(&format!("Update, and go on with `{shown}`?"))? {
        ui.note("nothing was changed");
        return Ok(Exit::Done.into());
    }
    let deferred = Deferred::begin()?;
    let repository = Repository::open(&context.project.root, &deferred)?;
    Update { context, repository: &repository, next }.run(journal, lock)
}

fn print_news(news: &News, upstream: &str, context: &Context<'_>) {
    let ui = context.ui;
    let count = counted(usize::try_from(news.count).unwrap_or(usize::MAX), "new commit");
    ui.result(ui.out().style(BOLD, format_args!("{count} in `{upstream}`")));
    for commit in &news.commits {
        ui.result(format_args!("  {commit}"));
    }
    if news.count > news.commits.len() as u64 {
        ui.result("  …");
    }
    if !news.migrations.is_empty() {
        ui.result(format_args!("with {}: {}", counted(news.migrations.len(), "migration"), listed(&news.migrations)));
    }
}

/// An update from here on.
struct Update<'a> {
    context: &'a Context<'a>,
    repository: &'a Repository<'a>,
    next: Next,
}

impl Update<'_> {
    fn run(&self, mut journal: Journal, lock: Option<Lock>) -> anyhow::Result<ExitCode> {
        let Update { context, repository, next, .. } = self;
        let before = match &journal.unfinished {
            Some(commit) => commit.clone(),
            None => repository.head()?,
        };
        journal.note(&before)?;
        if let Err(error) = repository.fast_forward() {
            // Nothing has moved, or only the submodules are missing.
            self.go_back(&before, journal)?;
            return Err(error);
        }
        context.ui.done("checkout", repository.shown("HEAD")?);
        // The command takes it itself.
        drop(lock);
        let ended = self.start(next.words())?;
        if ended == ExitCode::SUCCESS {
            journal.finish()?;
            return Ok(ended);
        }
        self.go_back(&before, journal)?;
        let mut message = format!(
            "the update failed, see above: the checkout is back at {}",
            Repository::open(&context.project.root, &Deferred::begin()?)?.shown(&before)?
        );
        if *next == Next::Install {
            // The dependencies of the commit from before; a deploy has its own, and has rolled back already.
            let restored = self.start(next.words())? == ExitCode::SUCCESS;
            message += if restored { ", and its dependencies are installed again" } else { "" };
            message += "; migrations that were applied stay";
        }
        context.ui.errors(&[Problem::new(message)]);
        Ok(ended)
    }

    /// Goes back to the commit from before, whatever has interrupted the update.
    fn go_back(&self, before: &str, journal: Journal) -> anyhow::Result<()> {
        let deferred = Deferred::begin()?;
        let repository = Repository::open(&self.context.project.root, &deferred)?;
        repository.go_back(before)?;
        journal.finish()
    }

    /// Runs a command of the tool on this terminal. In the checkout that the tool is built from, the updated tool runs.
    fn start(&self, words: &[&str]) -> anyhow::Result<ExitCode> {
        let Context { host, common, project, .. } = self.context;
        let mut command = match &host.executable {
            Ok(executable) if host.manifest_dir.is_none() || common.project.is_some() => {
                vec![executable.into(), "--project".into(), project.root.clone().into_os_string()]
            }
            _ => vec!["cargo".into(), "xtask".into()],
        };
        command.extend(words.iter().map(Into::into));
        let flags = [("--yes", common.yes && !words.contains(&"--yes")), ("--verbose", common.verbose)];
        command.extend(flags.iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| (*flag).into()));
        let color = match common.color {
            Color::Auto => None,
            Color::Always => Some("--color=always"),
            Color::Never => Some("--color=never"),
        };
        command.extend(color.map(Into::into));
        let command = Command::new(&command[0], &command[1..]).dir(&project.root);
        // It gets the terminal's Ctrl-C as well, and rolls back what it has to: it is waited for in any case.
        match command.attached(&AtomicBool::new(false)) {
            Ok(status) => Ok(code(status)),
            Err(error) => Err(Failure::unfinished(words[0], &error).into()),
        }
    }
}
