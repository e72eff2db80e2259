//! The system env file: the environment of the units. Made of `.env` where there is none; there, it is the operator's.

use detect::{DEPLOY_METHOD, ENV_FILE};
use envfile::{EnvFile, LineKind, Reader, Reading, encode_for_systemd};
use project::secret;

use crate::failure::Problem;

/// The first line of a file that a deploy has made.
pub(super) const HEADER: &str = "# The environment of the units, for systemd alone. Made from the checkout's `.env` by \
                      `cargo xtask deploy-systemd`; yours from now on.\n";

/// The planned change of the system env file. No `Debug`: it holds secrets.
#[derive(Clone)]
pub(super) struct EnvPlan {
    /// The variables after the change, as systemd parses them.
    pub(super) variables: Vec<(String, String)>,
    /// The new content, if it changes.
    pub(super) content: Option<Vec<u8>>,
    pub(super) is_there: bool,
    /// The variables that are added.
    pub(super) added: Vec<String>,
    /// The variables whose value in `.env` is taken over.
    pub(super) taken_over: Vec<String>,
    /// The variables that are set there to another value than in `.env`, which is kept.
    pub(super) kept: Vec<Kept>,
    /// Names that systemd accepts for no variable.
    pub(super) left_out: Vec<String>,
}

/// A variable that is not as in `.env`; secret values are redacted.
#[derive(Clone)]
pub(super) struct Kept {
    variable: String,
    theirs: String,
    ours: String,
}

impl Kept {
    pub(super) fn message(&self) -> String {
        let Kept { variable, theirs, ours } = self;
        if theirs == ours {
            return format!("`{variable}` is another one than in `{ENV_FILE}`: kept");
        }
        format!("`{variable}` is `{theirs}`, and `{ours}` in `{ENV_FILE}`: kept")
    }
}

impl EnvPlan {
    /// The value of a variable; an empty one is an unset one.
    pub(super) fn value(&self, variable: &str) -> Option<&str> {
        let (_, value) = self.variables.iter().find(|(key, _)| key == variable)?;
        Some(value.as_str()).filter(|value| !value.trim().is_empty())
    }

    /// Returns the secrets that the output of the units must not show.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.variables.iter().flat_map(|(name, value)| secret::in_variable(name, value)).collect()
    }

    /// A file that stays as it is.
    pub(super) fn unchanged(theirs: Option<&EnvFile>) -> Self {
        EnvPlan {
            variables: theirs.map(as_systemd_reads).unwrap_or_default(),
            content: None,
            is_there: theirs.is_some(),
            added: Vec::new(),
            taken_over: Vec::new(),
            kept: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Compares the operator's file with `.env`. Returns all problems at once.
    pub(super) fn of(
        ours: &EnvFile,
        theirs: Option<&EnvFile>,
        path: &str,
        takes_over: bool,
    ) -> Result<Self, Vec<Problem>> {
        let mut plan = EnvPlan::unchanged(theirs);
        let mut assignments = Vec::new();
        let mut problems = Vec::new();
        // The service does not depend on its deployment method.
        let ours = project::variables(ours).into_iter().filter(|(key, _)| key != DEPLOY_METHOD);
        for (key, value) in ours {
            let known = theirs.filter(|file| file.get(&key).is_some()).map(|file| file.reading(Reader::Systemd, &key));
            if known.as_ref() == Some(&Reading::Value(value.clone())) {
                continue;
            }
            if !is_name(&key) {
                plan.left_out.push(key);
                continue;
            }
            match known {
                Some(known) if !takes_over => {
                    let known = match known {
                        Reading::Value(known) => secret::shown(&key, &known),
                        other => format!("not to be read by systemd: it {other}"),
                    };
                    let ours = secret::shown(&key, &value);
                    plan.kept.push(Kept { variable: key, theirs: known, ours });
                    continue;
                }
                Some(_) => plan.taken_over.push(key.clone()),
                None => plan.added.push(key.clone()),
            }
            match encode_for_systemd(&value) {
                Ok(form) => assignments.push((key, value, form)),
                Err(error) => problems.push(Problem::new(format!("`{ENV_FILE}`: `{key}`: {error}"))),
            }
        }
        if !assignments.is_empty() || theirs.is_none() {
            let content = written(theirs, &assignments);
            let file = EnvFile::parse(&content);
            for (key, value, _) in &assignments {
                if file.reading(Reader::Systemd, key) != Reading::Value(value.clone()) {
                    let message = format!(
                        "`{path}`: `{key}` cannot be written: systemd would take it for a part of a line before it"
                    );
                    problems.push(Problem::new(message).hint(format!("sudoedit {path}")));
                }
            }
            plan.variables = as_systemd_reads(&file);
            plan.content = Some(content);
        }
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }
}

/// The operator's lines as they are, with the assignments where the variable stood, or at the end.
fn written(theirs: Option<&EnvFile>, assignments: &[(String, String, String)]) -> Vec<u8> {
    let mut content = if theirs.is_none() { HEADER.as_bytes().to_vec() } else { Vec::new() };
    let mut left: Vec<_> = assignments.iter().collect();
    for line in theirs.iter().flat_map(|file| file.lines()) {
        let key = line.key().filter(|_| line.kind() == LineKind::Assignment);
        if !assignments.iter().any(|(name, ..)| Some(name.as_str()) == key) {
            content.extend(line.raw());
        } else if let Some(at) = left.iter().position(|(name, ..)| Some(name.as_str()) == key) {
            let (name, _, form) = left.remove(at);
            content.extend(format!("{name}={form}\n").bytes());
        }
    }
    if !content.is_empty() && !content.ends_with(b"\n") {
        content.push(b'\n');
    }
    for (name, _, form) in left {
        content.extend(format!("{name}={form}\n").bytes());
    }
    content
}

fn as_systemd_reads(file: &EnvFile) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for key in file.keys() {
        if let Reading::Value(value) = file.reading(Reader::Systemd, key)
            && is_name(key)
            && !variables.iter().any(|(known, _)| known == key)
        {
            variables.push((key.to_owned(), value));
        }
    }
    variables
}

/// Whether systemd takes it for the name of a variable.
fn is_name(key: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    key.chars().all(is_part) && !key.starts_with(|c: char| c.is_ascii_digit()) && !key.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ours: &str, theirs: Option<&str>, takes_over: bool) -> EnvPlan {
        let theirs = theirs.map(|text| EnvFile::parse(text.as_bytes()));
        let plan = EnvPlan::of(&EnvFile::parse(ours.as_bytes()), theirs.as_ref(), "/etc/shop/env", takes_over);
        plan.map_err(|problems| problems.into_iter().map(|it| it.message).collect::<Vec<_>>()).expect("a plan")
    }

    fn content(plan: &EnvPlan) -> &str {
        std::str::from_utf8(plan.content.as_deref().expect("it changes")).expect("UTF-8")
    }

    #[test]
    fn a_new_file_has_the_values_that_django_reads() {
        let made = plan("# a note\nA=1\nexport B=two words # why\nC=\"it's $5\"\nD='${A}'\nE=\n", None, false);
        let lines = "A=1\nB='two words'\nC=\"it's $5\"\nD=1\nE=\n";
        assert_eq!(content(&made), format!("{HEADER}{lines}"));
        assert_eq!((made.value("C"), made.value("E")), (Some("it's $5"), None));
    }

    #[test]
    fn new_variables_are_added_and_existing_ones_kept() {
        let theirs = "# mine\nA=9\nX=kept";
        let added =
            plan("A=1\nB=2\nDJANGO_SECRET_KEY=ours\n", Some(&format!("{theirs}\nDJANGO_SECRET_KEY=theirs")), false);
        assert_eq!(content(&added), format!("{theirs}\nDJANGO_SECRET_KEY=theirs\nB=2\n"));
        let parsed: Vec<_> = added.kept.iter().map(Kept::message).collect();
        assert_eq!(
            parsed,
            ["`A` is `9`, and `1` in `.env`: kept", "`DJANGO_SECRET_KEY` is another one than in `.env`: kept"]
        );
        assert_eq!(added.added, ["B"]);
        assert!(plan("A=9\n", Some(theirs), false).content.is_none());
    }

    #[test]
    fn different_values_are_overwritten_in_place() {
        let taken = plan("A=1\n", Some("A=9 # old\n# mine\nA=8\nX=kept\n"), true);
        assert_eq!(content(&taken), "A=1\n# mine\nX=kept\n");
        assert_eq!(taken.taken_over, ["A"]);
        // A line that systemd cannot parse is not in Django's environment either.
        assert_eq!(content(&plan("A=1\n", Some("export A=1\n"), true)), "A=1\n");
    }

    #[test]
    fn a_line_that_would_swallow_added_lines_is_named() {
        let theirs = EnvFile::parse(b"A='open\n");
        let problems = EnvPlan::of(&EnvFile::parse(b"A=1\nB=2\n"), Some(&theirs), "/etc/shop/env", false).err();
        assert!(
            problems.is_some_and(|problems| problems.iter().any(|it| it.message.contains("`B` cannot be written")))
        );
    }

    #[test]
    fn names_that_systemd_does_not_take_are_left_out() {
        assert_eq!(plan("A.B=1\n", None, false).left_out, ["A.B"]);
    }
}
