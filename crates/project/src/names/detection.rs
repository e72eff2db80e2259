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

/// Parts of the names of variables that belong to something else.
const OTHERS: [&str; 9] = ["_FILE", "_PATH", "DB_", "DATABASE_", "EMAIL_", "MYSQL_", "PG_", "POSTGRES_", "SENTRY_"];
/// The ends of names of parts of a URL.
const PARTS: [&str; 6] = ["_DB", "_HOST", "_PASS", "_PASSWORD", "_PORT", "_USER"];

impl Hints {
    /// Returns whether a name that a statement reads can be the one of this variable.
    fn fits(&self, name: &str, statement: &str) -> bool {
        let is_part = || {
            let is_joined = ["+", "%", ".format(", "{"].iter().any(|sign| statement.contains(sign));
            PARTS.iter().any(|end| name.ends_with(end)) || (statement.contains("://") && is_joined)
        };
        self.words.iter().any(|word| name.contains(word))
            && !OTHERS.iter().any(|other| name.contains(other))
            && !(self.variable == Variable::BrokerUrl && is_part())
    }
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
        (None, None) => {
            let source = if shown.code.is_empty() { NameSource::Default } else { NameSource::Unread };
            let (name, source) =
                in_sample(hints, shown, &is_free).unwrap_or_else(|| (variable.default_name().to_owned(), source));
            (Some(name), source)
        }
    };
    let mut format = Format::default();
    if let Some(name) = name.as_deref() {
        let statements = shown.code.assigned(hints.settings).into_iter().filter(|found| found.name == name);
        let returned = |function: &str| shown.code.returned(function);
        let mut formats = statements.map(|found| Format::of_statement(variable, &found.statement, name, returned));
        format = formats.find(Format::is_known).unwrap_or(format);
        if let Some(example) = shown.sample.and_then(|(sample, _)| sample.get(name)) {
            format.adopt(variable, &example.value);
        }
    }
    Named { name, source, format }
}

/// Returns the name that the settings read: that of an assignment, else a known one anywhere.
fn in_code<'a>(hints: &Hints, code: &'a SettingsCode, is_free: &dyn Fn(&str) -> bool) -> Option<Found<'a>> {
    if code.has_prefix() {
        return None;
    }
    let default = hints.variable.default_name();
    let is_right = |found: &Found<'_>| is_free(found.name) && hints.fits(found.name, &found.statement);
    let mut assigned: Vec<_> = code.assigned(hints.settings).into_iter().filter(is_right).collect();
    let position = assigned.iter().position(|found| found.name == default).unwrap_or(0);
    if position < assigned.len() {
        return Some(assigned.swap_remove(position));
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
        let found = names(files, Settings::default());
        let found = found.iter().map(|name| name.replace("default, which the settings do not seem to read", "default"));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{files:?}");
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
    fn names_of_something_else_are_left_alone() {
        for code in [
            "SECRET_KEY = Path(os.environ['SECRET_KEY_FILE']).read_text()\n",
            "CELERY_BROKER_URL = 'redis://%s:%s/0' % (os.environ['REDIS_HOST'], os.environ['REDIS_PORT'])\n",
            "CELERY_BROKER_URL = f\"redis://{os.environ['REDIS_HOST']}/0\"\n",
            "ALLOWED_HOSTS = ['*'] if os.environ.get('DB_HOST') == 'x' else []\n",
            "RECAPTCHA = dict(SECRET_KEY=os.environ['RECAPTCHA_SECRET_KEY'])\n",
            "with env.prefixed('APP_'):\n    DEBUG = env.bool('DEBUG')\n",
        ] {
            check(&[("shop/settings.py", code)], DEFAULTS);
        }
    }

    #[test]
    fn names_are_found_in_two_steps() {
        let code = "DOMAIN_NAME = config('DOMAIN_NAME')\nALLOWED_HOSTS = [DOMAIN_NAME]\n_debug = os.environ['X_DEBUG']\n\
                    DEBUG = _debug == 'True'\n";
        let found = names(&[("shop/settings.py", code)], Settings::default());
        let condition = "DEBUG = True\nif os.environ.get('X_DEBUG') == 'False':\n    DEBUG = False\n";
        let by_condition = names(&[("shop/settings.py", condition)], Settings::default());
        assert_eq!(by_condition[0], "X_DEBUG (shop/settings.py:2)");
        assert_eq!(found[0], "X_DEBUG (shop/settings.py:3)");
        assert_eq!(found[2], "DOMAIN_NAME (shop/settings.py:1)");
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
        let unread = "DJANGO_DEBUG (default, which the settings do not seem to read)";
        assert_eq!(found[..3], [unread, "DEBUG (setting `variables`)", "off (setting `variables`)"]);
    }
}
