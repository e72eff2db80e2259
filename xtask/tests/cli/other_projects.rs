//! Projects with other names, other places and other tools than ours.

use std::path::Path;

use snapbox::cmd::Command;
use snapbox::str;

use crate::sandbox::Sandbox;

const MANAGE: &str = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
const PYPROJECT: &str = "[project]\nname = 'shop'\nrequires-python = '>=3.11'\ndependencies = ['django', 'celery']\n";

/// A project with these settings and this sample.
fn project(settings: &str, sample: &str) -> Sandbox {
    Sandbox::empty()
        .file("manage.py", MANAGE)
        .file("pyproject.toml", PYPROJECT)
        .file("uv.lock", "[[package]]\nname = 'celery'\n")
        .file("shop/settings.py", settings)
        .file(".env.example", sample)
        .link(".venv", "venv")
}

const SETTINGS: &str = "\
SECRET_KEY = os.environ['APP_KEY']
DEBUG = os.environ.get('DEBUG', 'True') != 'False'
ALLOWED_HOSTS = os.environ.get('HOSTS', '').split()
CELERY_BROKER_URL = os.environ['REDIS_URL']
";

#[test]
fn names_and_values_are_those_of_the_settings() {
    let project = project(SETTINGS, "# The key\nAPP_KEY=changeme\nDEBUG=True\nHOSTS=\nREDIS_URL=\n");
    project
        .xtask("install --yes --env prod --method bare --no-deploy --set HOSTS=a.example,b.example --set REDIS_URL=redis://r/0")
        .assert()
        .code(0);
    let file = project.read(".env");
    let has = |line: &str| assert!(file.lines().any(|it| it == line), "{line}: {file}");
    has("DEBUG=False");
    has("HOSTS='a.example b.example'");
    has("REDIS_URL=redis://r/0");
    assert!(!file.contains("DJANGO_") || file.contains("DJANGO_ENV"), "{file}");
    assert!(!file.contains("changeme") && file.contains("APP_KEY="), "{file}");
    // Another run finds everything as it should be, and health agrees.
    project.xtask("install --yes --no-deploy").assert().code(0);
    assert_eq!(project.read(".env"), file);
    project.check(
        "health --only env.matrix,env.sample",
        0,
        str![[r#"
environment    prod     .env:6
deploy method  bare     .env:7
mode           prod     .env:6

  ok   env  2 checks

2 ok, 0 warn, 0 err, 0 skip in [TIME]

"#]],
        "",
    );
}

/// `0` is on for settings that compare with `"False"`.
#[test]
fn a_value_that_the_settings_take_for_another_one_is_an_error() {
    let env = "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\nDEBUG=0\nHOSTS=shop.example\nREDIS_URL=redis://r\nCELERY_TASK_ALWAYS_EAGER=0\nAPP_KEY=";
    let key = "k8Jd03nfKq7Lw2ZxVb5Ty6Ru9Po1Mi4Ea-Sd_Gf8Hj3Kl0Qw7Er2Ty";
    project(SETTINGS, "").file(".env", format!("{env}{key}\n")).check(
        "health --only env.matrix",
        1,
        str![[r#"
environment    prod     .env:1
deploy method  bare     .env:2
mode           prod     .env:1

env
 err   env.matrix  1 variable does not have the value that prod+bare needs
       `.env` line 3: `DEBUG` has to be `False`

Next steps
  1. cargo xtask install --project '[ROOT]'   (env.matrix)

0 ok, 0 warn, 1 err, 0 skip in [TIME]

"#]],
        "",
    );
}

#[test]
fn an_answer_under_another_name_is_refused() {
    let project = project(SETTINGS, "");
    project.check(
        "install --yes --env dev --method bare --set DJANGO_DEBUG=0",
        2,
        "",
        str![[r#"
error: `--set`: `DJANGO_DEBUG` is `DEBUG` in this project (shop/settings.py:2)

"#]],
    );
    assert!(!project.has(".env"));
    project.check(
        "install --yes --env dev --method bare --set APP_KEY=x",
        2,
        "",
        str![[r#"
error: `--set`: `APP_KEY` holds a secret, which others would see in the process list
hint: echo "APP_KEY=$VALUE" | cargo xtask install --project '[ROOT]' --env dev --method bare --answers -

"#]],
    );
}

#[test]
fn names_are_shown_with_their_sources() {
    let settings = "DEBUG = env.bool('DEBUG')\n";
    project(settings, "SECRET_KEY=\nALLOWED_HOSTS=\n")
        .file("uv.lock", "[[package]]\nname = 'django'\n")
        .file("pyproject.toml", format!("{PYPROJECT}[tool.xtask.service.variables]\nallowed-hosts = 'HOSTS'\n"))
        .check(
            "detect",
            0,
            str![[r#"
environment    dev      default
deploy method  bare     default
mode           dev      default
debug          DEBUG                    shop/settings.py:1
secret-key     SECRET_KEY               .env.example:1
allowed-hosts  HOSTS                    setting `variables`
broker-url     not used                 no Celery in uv.lock
always-eager   not used                 no Celery in uv.lock

"#]],
            "",
        );
}

#[test]
fn a_project_without_celery_needs_no_broker() {
    let project = project(SETTINGS, "").file("uv.lock", "[[package]]\nname = 'django'\n");
    project.xtask("install --yes --env prod --method bare --no-deploy --set HOSTS=shop.example").assert().code(0);
    let file = project.read(".env");
    assert!(!file.contains("REDIS_URL") && !file.contains("CELERY"), "{file}");
}

#[test]
fn manage_py_may_be_below_pyproject_toml() {
    let project = Sandbox::empty()
        .file("backend/src/manage.py", MANAGE)
        .file("backend/pyproject.toml", PYPROJECT)
        .file("backend/uv.lock", "")
        .file("backend/.env.example", "SECRET_KEY=\n")
        .link("backend/.venv", "venv");
    project.xtask("install --yes --env dev --method bare --dry-run").assert().code(0).stdout_eq(str![[r#"
...
Commands in [ROOT]/backend; steps that are up to date are skipped
...
"#]]);
    project.xtask("install --yes --env dev --method bare").assert().code(0);
    assert!(project.read(".env").contains("SECRET_KEY="));
}

#[test]
fn several_projects_are_a_choice() {
    let project = Sandbox::empty().file("a/manage.py", "").file("b/manage.py", "");
    project.check(
        "detect",
        2,
        "",
        str![[r#"
error: several Django projects in `[ROOT]`: `a/manage.py` and `b/manage.py`; choose one with the setting `manage-py`

"#]],
    );
    project
        .file("pyproject.toml", "[tool.xtask.service]\nmanage-py = 'b/manage.py'\n")
        .xtask("detect")
        .assert()
        .code(0);
}

#[test]
fn projects_of_other_tools_have_a_command_that_converts_them() {
    let project = Sandbox::empty().file("manage.py", "").file("requirements.txt", "django\n");
    project.check(
        "install --yes --env dev --method bare",
        3,
        "",
        str![[r#"
error: the dependencies are in `requirements.txt` (pip), and `pyproject.toml` with `uv.lock` is expected
hint: cd '[ROOT]' && uv init --bare && uv add -r requirements.txt

"#]],
    );
    assert!(!project.has(".env"));
}

#[test]
fn extras_and_groups_are_those_of_the_settings() {
    let pyproject = "[project]\nname = 'x'\n[project.optional-dependencies]\nprod = ['gunicorn']\nweb = []\n\
                     [dependency-groups]\nprod = ['x']\n";
    let sync = |table: &str, environment: &str| {
        let project = project("", "").file("pyproject.toml", format!("{pyproject}{table}"));
        let args = format!(
            "install --yes --env {environment} --method bare --no-deploy --dry-run --set DJANGO_ALLOWED_HOSTS=localhost --set CELERY_BROKER_URL=redis://r"
        );
        let output = project.xtask(&args).assert().code(0);
        let stdout = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        stdout.lines().find(|line| line.contains("uv sync")).unwrap_or_default().trim().to_owned()
    };
    assert_eq!(sync("", "dev"), "uv sync");
    assert_eq!(sync("", "prod"), "uv sync --frozen --no-dev --extra prod --group prod");
    let table = "[tool.xtask.service]\nextras = ['web', 'prod']\ngroups = []\n";
    assert_eq!(sync(table, "dev"), "uv sync --no-dev --extra web --extra prod");
    assert_eq!(sync(table, "prod"), "uv sync --frozen --no-dev --extra web --extra prod");
}

/// A program on PATH, as `cargo install` puts it there: it finds the checkout around the current folder, and its hints begin
/// with its own name.
#[test]
fn an_installed_program_prints_its_own_name() {
    let project = project(SETTINGS, "").file("shop/urls.py", "");
    let bin = Path::new(env!("CARGO_BIN_EXE_xtask")).parent().expect("a folder");
    let call = |args: &[&str], code: i32| {
        let path = format!("{}:{}", bin.display(), project.path());
        let command = Command::new("xtask").args(args).current_dir(project.root().join("shop")).env_clear();
        let output = command.env("PATH", path).assert().code(code);
        let output = output.get_output();
        String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
    };
    let refused = call(&["install", "--yes", "--env", "prod", "--method", "bare"], 2);
    assert!(refused.contains("hint: xtask install --env prod --method bare --yes --set HOSTS=…"), "{refused}");
    assert!(!refused.contains("cargo xtask"), "{refused}");
    assert!(call(&["install", "--help"], 0).contains("Usage: xtask install [OPTIONS]"));
    assert!(call(&["detect"], 0).contains("shop/settings.py:1"));
}

/// The settings of a project with one statement about DEBUG, and the rest as usual.
fn with_debug(statement: &str) -> Sandbox {
    project(&format!("{SETTINGS}\n{statement}\n").replace("DEBUG = os.environ.get('DEBUG', 'True') != 'False'", ""), "")
}

const PROD: &str = "install --yes --env prod --method docker --no-deploy --set HOSTS=shop.example";

#[test]
fn a_line_that_means_the_forced_value_stays() {
    let env = "DJANGO_ENV=prod\nDEPLOY_METHOD=bare\nDEBUG=False\nAPP_KEY=k8Jd03nfKq7Lw2ZxVb5Ty6Ru9Po1Mi4Ea-Sd_Gf8Hj3Kl0Qw7Er2Ty\n\
               HOSTS=shop.example\nREDIS_URL=redis://r\nCELERY_TASK_ALWAYS_EAGER=off\n";
    for statement in ["DEBUG = only_true_and_false('DEBUG')", "DEBUG = not os.environ.get('DEBUG') == 'False'"] {
        let project = with_debug(statement).file(".env", env);
        project.xtask("install --yes --no-deploy").assert().code(0);
        assert_eq!(project.read(".env"), env, "{statement}");
        project.xtask("health --only env.matrix").assert().code(0);
    }
}

#[test]
fn an_answer_keeps_its_words_where_the_settings_show_none() {
    let project = with_debug("DEBUG = only_true_and_false('DEBUG')");
    project.xtask(&format!("{PROD} --set DEBUG=False")).assert().code(0);
    assert!(project.read(".env").contains("DEBUG=False\n"), "{}", project.read(".env"));
}

/// Any text is on for these settings: off is the empty value.
#[test]
fn off_is_empty_for_settings_that_take_any_text_for_on() {
    let project = with_debug("DEBUG = bool(os.environ.get('DEBUG', True))");
    project.xtask(PROD).assert().code(0);
    let file = project.read(".env");
    assert!(file.lines().any(|line| line == "DEBUG=" || line == "DEBUG=''"), "{file}");
    project.xtask("health --only env.matrix").assert().code(0);
    project.write(".env", file.replace("DEBUG=", "DEBUG=0"));
    let output = project.xtask("health --only env.matrix").assert().code(0);
    let stdout = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(stdout.contains("`DEBUG` shows tracebacks"), "{stdout}");
}

#[test]
fn a_name_that_the_settings_do_not_seem_to_read_is_a_warning() {
    let output = with_debug("DEBUG = False").xtask(PROD).assert().code(0);
    let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(stderr.contains("warning: the settings of Django do not seem to read `DJANGO_DEBUG`"), "{stderr}");
    assert!(stderr.contains("pyproject.toml, or switch it off: variables = { debug = … }"), "{stderr}");
    assert!(!stderr.contains("CELERY_TASK_ALWAYS_EAGER`"), "{stderr}");
}
