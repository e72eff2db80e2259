//! The names that a checkout shows: in its setting `variables`, its settings of Django, its sample and its lock file.

use std::fs;
use std::path::{Path, PathBuf};

use detect::{DEPLOY_METHOD, DJANGO_ENV};
use envfile::EnvFile;

use super::{Format, NameSource, Named, Names, Variable};
use crate::settings::Chosen;
use crate::settings_code::{Found, SettingsCode};

/// The parts of a checkout that show names.
pub(crate) struct Shown<'a> {
    /// The setting `variables`.
    pub(crate) chosen: &'a [(Variable, Chosen)],
    /// The settings of Django.
    pub(crate) code: &'a SettingsCode,
    /// The sample, with its path from the project's root.
    pub(crate) sample: Option<(&'a EnvFile, &'a Path)>,
    /// The file that shows that the project does not depend on Celery.
    pub(crate) no_celery: Option<PathBuf>,
}

/// What is known about the names of a variable.
struct Hints {
    variable: Variable,
    /// The settings of Django that take its value.
    settings: &'static [&'static str],
    /// Other names that projects have for it, the most common first.
    names: &'static [&'static str],
    /// A name that has none of these words belongs to something else.
    words: &'static [&'static str],
}

const HINTS: [Hints; 5] = [
    Hints {
        variable: Variable::Debug,
        settings: &["DEBUG"],
        names: &["DEBUG", "APP_DEBUG", "DEBUG_MODE"],
        words: &["DEBUG"],
    },
    Hints {
        variable: Variable::SecretKey,
        settings: &["SECRET_KEY"],
        names: &["SECRET_KEY", "DJANGO_SECRET", "APP_SECRET_KEY"],
        words: &["SECRET", "KEY"],
    },
    Hints {
        variable: Variable::AllowedHosts,
        settings: &["ALLOWED_HOSTS"],
        names: &["ALLOWED_HOSTS", "DJANGO_HOSTS", "APP_ALLOWED_HOSTS"],
        words: &["HOST", "DOMAIN"],
    },
    Hints {
        variable: Variable::BrokerUrl,
        settings: &["CELERY_BROKER_URL", "BROKER_URL", "broker_url", "broker"],
        names: &["BROKER_URL", "CELERY_BROKER", "REDIS_URL", "RABBITMQ_URL", "CLOUDAMQP_URL"],
        words: &["BROKER", "REDIS", "AMQP", "RABBIT", "CELERY"],
    },
    Hints {
        variable: Variable::AlwaysEager,
        settings: &["CELERY_TASK_ALWAYS_EAGER", "CELERY_ALWAYS_EAGER", "task_always_eager"],
        names: &["CELERY_ALWAYS_EAGER", "TASK_ALWAYS_EAGER", "CELERY_EAGER"],
        words: &["EAGER"],
    },
];

/// Returns the names of a project. A name that one variable has is no other one's.
pub(crate) fn detect(shown: &Shown<'_>) -> Names {
    let mut taken: Vec<String> = [DJANGO_ENV, DEPLOY_METHOD].map(str::to_owned).into();
    taken.extend(shown.chosen.iter().filter_map(|(_, chosen)| chosen.name().map(str::to_owned)));
    let named = HINTS.map(|hints| {
        let named = named(&hints, shown, &taken);
        taken.extend(named.name.clone());
        named
    });
    Names(named)
}

fn named(hints: &Hints, shown: &Shown<'_>, taken: &[String]) -> Named {
    let variable = hints.variable;
    let is_free = |name: &str| !taken.iter().any(|taken| taken == name);
    let chosen = shown.chosen.iter().find(|(chosen, _)| *chosen == variable).map(|(_, chosen)| chosen);
    let code = in_code(hints, shown.code, &is_free);
    let (name, source) = match (chosen, &code) {
        (Some(chosen), _) => (chosen.name().map(str::to_owned), NameSource::Setting),
        (None, _) if variable.is_of_celery() && shown.no_celery.is_some() => {
            (None, NameSource::NoCelery(shown.no_celery.clone().unwrap_or_default()))
        }
        (None, Some(found)) => {
            (Some(found.name.to_owned()), NameSource::Code { file: found.file.to_owned(), line: found.line })
        }
        (None, None) => match in_sample(hints, shown, &is_free) {
            Some((name, source)) => (Some(name), source),
            None => (Some(variable.default_name().to_owned()), NameSource::Default),
        },
    };
    let mut format = Format::default();
    if let Some(name) = name.as_deref() {
        let statement = shown.code.assigned(hints.settings).find(|found| found.name == name);
        format = statement.map_or(format, |found| Format::of_statement(variable, found.statement));
        if let Some(example) = shown.sample.and_then(|(sample, _)| sample.get(name)) {
            format.adopt(variable, &example.value);
        }
    }
    Named { name, source, format }
}

/// Returns the name that the settings read: that of an assignment, else a known one anywhere.
fn in_code<'a>(hints: &'a Hints, code: &'a SettingsCode, is_free: &dyn Fn(&str) -> bool) -> Option<Found<'a>> {
    let default = hints.variable.default_name();
    let is_right = |found: &Found<'_>| is_free(found.name) && hints.words.iter().any(|word| found.name.contains(word));
    let assigned: Vec<_> = code.assigned(hints.settings).filter(is_right).collect();
    let is_default = |found: &&Found<'_>| found.name == default;
    if let Some(found) = assigned.iter().find(is_default).or(assigned.first()) {
        return Some(*found);
    }
    let known = [default].into_iter().chain(hints.names.iter().copied());
    known.filter(|name| is_free(name)).find_map(|name| code.all().find(|found| found.name == name))
}

/// Returns the known name that the sample has, unless it has the default one.
fn in_sample(hints: &Hints, shown: &Shown<'_>, is_free: &dyn Fn(&str) -> bool) -> Option<(String, NameSource)> {
    let (sample, file) = shown.sample?;
    let known = [hints.variable.default_name()].into_iter().chain(hints.names.iter().copied());
    let (name, entry) = known.filter(|name| is_free(name)).find_map(|name| Some((name, sample.get(name)?)))?;
    Some((name.to_owned(), NameSource::Sample { file: file.to_owned(), line: entry.line }))
}

/// Returns the file by which a project does not depend on Celery: `uv.lock`, or where there is none, a
/// `pyproject.toml` with all of its dependencies. Packages for Celery, such as `django-celery-beat`, depend on it.
pub(crate) fn no_celery(root: &Path, lock_file: &Path, pyproject: &Path) -> Option<PathBuf> {
    let without = |path: &Path, is_complete: &dyn Fn(&str) -> bool| {
        let text = fs::read_to_string(path).ok()?;
        let is_without = is_complete(&text) && !text.to_lowercase().contains("celery");
        is_without.then(|| path.strip_prefix(root).unwrap_or(path).to_owned())
    };
    if lock_file.is_file() {
        return without(lock_file, &|text| text.contains("[[package]]"));
    }
    without(pyproject, &|text| {
        let document = toml::from_str::<toml::Table>(text).unwrap_or_default();
        let Some(project) = document.get("project") else { return false };
        let array = |key: &str| project.get(key).and_then(toml::Value::as_array);
        let is_dynamic =
            array("dynamic").is_some_and(|keys| keys.iter().any(|key| key.as_str() == Some("dependencies")));
        array("dependencies").is_some() && !is_dynamic
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Project, Settings};

    /// Returns the names of a project with these files, as `name source`, and the spelling of "off".
    fn names(files: &[(&str, &str)], settings: Settings) -> Vec<String> {
        let root = tempfile::tempdir().expect("a folder");
        let manage = ("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n");
        for (name, text) in files.iter().chain([&manage]) {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        let project = Project::with(root.path().to_owned(), settings).expect("a project");
        let shown = |variable| {
            let Named { name, source, .. } = project.names.named(variable);
            format!("{} ({source})", name.as_deref().unwrap_or("off"))
        };
        Variable::ALL.map(shown).into()
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: [&str; 5]) {
        assert_eq!(names(files, Settings::default()), expected, "{files:?}");
    }

    const DEFAULTS: [&str; 5] = [
        "DJANGO_DEBUG (default)",
        "DJANGO_SECRET_KEY (default)",
        "DJANGO_ALLOWED_HOSTS (default)",
        "CELERY_BROKER_URL (default)",
        "CELERY_TASK_ALWAYS_EAGER (default)",
    ];

    #[test]
    fn a_checkout_that_shows_nothing_has_the_default_names() {
        check(&[], DEFAULTS);
        let code =
            "DEBUG = os.environ['DJANGO_ENV'] == 'dev'\nALLOWED_HOSTS = [os.environ['SERVER']]\nX = env('KEY')\n";
        check(&[("shop/settings.py", code)], DEFAULTS);
    }

    #[test]
    fn the_settings_show_the_names_that_they_read() {
        let code = "SECRET_KEY = env('APP_KEY')\nDEBUG = env.bool('DEBUG')\nALLOWED_HOSTS = config(\n  'HOSTS')\n\
                    CELERY_BROKER_URL = os.environ['REDIS_URL']\nCACHE = os.environ['CELERY_ALWAYS_EAGER']\n";
        let expected = [
            "DEBUG (shop/settings.py:2)",
            "APP_KEY (shop/settings.py:1)",
            "HOSTS (shop/settings.py:3)",
            "REDIS_URL (shop/settings.py:5)",
            "CELERY_ALWAYS_EAGER (shop/settings.py:6)",
        ];
        check(&[("shop/settings.py", code), (".env.sample", "SECRET_KEY=\nBROKER_URL=\n")], expected);
        let celery = "app = Celery('shop', broker=os.getenv('AMQP_URL', 'amqp://'))\n";
        let files = [("shop/settings.py", "SECRET_KEY = env('DJANGO_SECRET_KEY')\n"), ("shop/celery.py", celery)];
        let found = names(&files, Settings::default());
        assert_eq!(found[1], "DJANGO_SECRET_KEY (shop/settings.py:1)");
        assert_eq!(found[3], "AMQP_URL (shop/celery.py:1)");
    }

    #[test]
    fn the_sample_shows_names_that_the_settings_do_not() {
        let sample = "# x\nSECRET_KEY=\nDEBUG=True\nREDIS_URL=\n";
        let expected = [
            "DEBUG (.env.example:3)",
            "SECRET_KEY (.env.example:2)",
            DEFAULTS[2],
            "REDIS_URL (.env.example:4)",
            DEFAULTS[4],
        ];
        check(&[(".env.example", sample)], expected);
        let both = "SECRET_KEY=\nDJANGO_SECRET_KEY=\n";
        assert_eq!(
            names(&[(".env", ""), (".env.sample", both)], Settings::default())[1],
            "DJANGO_SECRET_KEY (.env.sample:2)"
        );
    }

    #[test]
    fn a_project_without_celery_needs_no_broker() {
        let off =
            |file| ["CELERY_BROKER_URL", "CELERY_TASK_ALWAYS_EAGER"].map(|_| format!("off (no Celery in {file})"));
        let celery = |files: &[(&str, &str)]| names(files, Settings::default())[3..].to_vec();
        let without = "[project]\ndependencies = ['django']\n";
        assert_eq!(celery(&[("pyproject.toml", without)]), off("pyproject.toml"));
        assert_eq!(celery(&[("uv.lock", "[[package]]\nname = 'django'\n")]), off("uv.lock"));
        let with = "[[package]]\nname = 'celery'\n";
        for files in [
            [("uv.lock", with), ("pyproject.toml", without)],
            [("pyproject.toml", "[project]\ndependencies = ['Celery[redis]']\n"), ("a", "")],
            [("pyproject.toml", "[project]\ndynamic = ['dependencies']\n"), ("a", "")],
            [("pyproject.toml", "[project\n"), ("a", "")],
        ] {
            assert_eq!(celery(&files), DEFAULTS[3..], "{files:?}");
        }
    }

    #[test]
    fn the_setting_goes_before_everything() {
        let variables =
            vec![(Variable::SecretKey, Chosen::Name("DEBUG".into())), (Variable::AllowedHosts, Chosen::Off)];
        let code = "SECRET_KEY = env('APP_KEY')\nDEBUG = env.bool('DEBUG')\n";
        let found = names(&[("shop/settings.py", code)], Settings { variables, ..Settings::default() });
        assert_eq!(found[..3], [DEFAULTS[0], "DEBUG (setting `variables`)", "off (setting `variables`)"]);
    }
}
