//! bash: `set -a; source FILE`, each in a subshell. There is no PATH, so that commands in the file do not exist.

use std::path::Path;

use envfile::Reading;

use crate::{NoAnswer, Real, find, output, program, records};

const SCRIPT: &str = r#"
PATH=/nonexistent
for ((i = 0; i < $1; i++)); do
    (
        unset K Z
        set -a
        source ./$i.env
        printf '%s\0%s\0%s\0' "$i" "${K+value}" "$K" >&3
    ) 3>&1 >/dev/null 2>&1
done
true
"#;

pub(crate) fn ask(folder: &Path, readings: &[Reading]) -> Result<Vec<Real>, NoAnswer> {
    let bash = find("bash")?;
    let count = readings.len();
    let arguments = ["--norc", "--noprofile", "-c", SCRIPT, "bash", &count.to_string()];
    let output = output(program(&bash, folder).args(arguments))?;
    let reals = records(&output, count);
    // bash does not report whether it refused the file or set nothing.
    Ok(reals.into_iter().map(|real| if real == Real::Refused { Real::Unset } else { real }).collect())
}
