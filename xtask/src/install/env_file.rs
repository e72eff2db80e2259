//! The `.env` of an install: its changes, shown with secrets redacted, and written once.

use anyhow::Context as _;
use checks::report::{BOLD, Colors, DIM, GREEN, RED};
use detect::ENV_FILE;
use envfile::{Change, EnvFile, Saved};
use project::Project;
use project::secret::{self, Secrets};

use super::answers::Answers;
use super::settle::{Files, Setting};
use crate::exit::{Exit, Failure, Problem};

/// The edits, made on a copy.
pub(super) struct Preview {
    /// The document as it would be written.
    pub(super) after: EnvFile,
    changes: Vec<Change>,
    is_new: bool,
    /// Whether Git leaves the file alone.
    is_private: bool,
}

impl Preview {
    /// Tries all edits. A value that no line can hold is an error here, before anything is written.
    pub(super) fn of(settings: &[Setting], files: &Files<'_>, is_private: bool) -> anyhow::Result<Self> {
        let mut after = files.existing.unwrap_or(files.sample).clone();
        let changes = apply(settings, &mut after, files.sample)?;
        Ok(Preview { after, changes, is_new: files.existing.is_none(), is_private })
    }

    /// Returns whether the file has all these values already.
    pub(super) fn is_unchanged(&self) -> bool {
        !self.is_new && self.changes.is_empty()
    }

    /// Returns the change of the file in a few words.
    pub(super) fn summary(&self) -> String {
        match (self.is_new, self.changes.len()) {
            (true, _) => format!("created, {}", self.readers()),
            (false, 0) => "unchanged".to_owned(),
            (false, 1) => "1 change".to_owned(),
            (false, changes) => format!("{changes} changes"),
        }
    }

    /// Who reads a new file: its mode is 600, and the repository may have it as well.
    fn readers(&self) -> &'static str {
        if self.is_private { "only you can read it" } else { "its mode is 600" }
    }

    /// Every change as lines that go and lines that come, secrets covered.
    pub(super) fn diff(&self, files: &Files<'_>, colors: Colors) -> Vec<String> {
        let secrets = Secrets::of([files.existing.unwrap_or(files.sample), &self.after]);
        let title = match (self.is_new, files.sample.lines().next().is_some()) {
            (false, _) => ENV_FILE.to_owned(),
            (true, true) => {
                format!("{ENV_FILE} (new, {}; a copy of {} with these changes)", self.readers(), files.sample_name)
            }
            (true, false) => format!("{ENV_FILE} (new, {})", self.readers()),
        };
        let mut lines = vec![colors.style(BOLD, title)];
        // The assignment is the last of its lines, and its number is the one that is known.
        let line = |number: Option<usize>, sign, style, raw: &String| {
            let number = number.map(|number| number.to_string()).unwrap_or_default();
            format!(
                "{number:>4} {}",
                colors.style(style, format_args!("{sign}{}", secret::redacted_line(raw, &secrets)))
            )
        };
        for change in &self.changes {
            let first = change.line.saturating_sub(change.after.len().saturating_sub(1));
            lines.extend(change.before.iter().map(|raw| line(None, '-', RED, raw)));
            lines.extend((first..).zip(&change.after).map(|(number, raw)| line(Some(number), '+', GREEN, raw)));
            lines.extend(
                change.notes.iter().map(|note| format!("     {}", colors.style(DIM, format_args!("({note})")))),
            );
        }
        lines
    }
}

/// Refuses answers of the call that no line can hold, before anything is asked.
pub(super) fn check_writable(given: &Answers, file: &EnvFile, sample: &EnvFile) -> anyhow::Result<()> {
    let failures = given.iter().filter_map(|(variable, answer)| {
        let error = file.clone().set(variable, &answer.value, Some(sample)).err()?;
        Some(Problem::new(format!("`{ENV_FILE}`: {error}")))
    });
    let problems: Vec<_> = failures.collect();
    if problems.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::Usage, problems }.into()) }
}

/// Writes the settings into the present content of the file.
pub(super) fn write(project: &Project, settings: &[Setting], files: &Files<'_>) -> anyhow::Result<Saved> {
    let (_, saved) = envfile::update(&project.env_file(), files.sample, |file| apply(settings, file, files.sample))
        .with_context(|| format!("`{ENV_FILE}` is as it was"))?;
    Ok(saved)
}

/// Makes the edits; returns all that are impossible at once.
fn apply(settings: &[Setting], file: &mut EnvFile, sample: &EnvFile) -> anyhow::Result<Vec<Change>> {
    let (mut changes, mut problems) = (Vec::new(), Vec::new());
    for (variable, value) in settings.iter().filter_map(Setting::edit) {
        match file.set(variable, value, Some(sample)) {
            Ok(change) => changes.extend(change),
            Err(error) => problems.push(Problem::new(format!("`{ENV_FILE}`: {error}"))),
        }
    }
    if !problems.is_empty() {
        return Err(Failure { exit: Exit::Usage, problems }.into());
    }
    // An edit can have moved the lines of those before it.
    for change in &mut changes {
        change.line = file.get(&change.key).map_or(change.line, |entry| entry.line);
    }
    changes.sort_by_key(|change| change.line);
    Ok(changes)
}
