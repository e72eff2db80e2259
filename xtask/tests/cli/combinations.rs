//! What `install` leaves in `.env`: every combination of the axes, from every kind of file that it may find.

use snapbox::{assert_data_eq, str};

use crate::sandbox::Sandbox;

/// What is given with the call: everything that the combination requires.
const COMBINATIONS: [(&str, &str); 4] = [
    ("dev+bare", "--env dev --method bare"),
    ("dev+docker", "--env dev --method docker"),
    (
        "prod+bare",
        "--env prod --method bare --set DJANGO_ALLOWED_HOSTS=example.org --set CELERY_BROKER_URL=redis://localhost/0",
    ),
    ("prod+docker", "--env prod --method docker --set DJANGO_ALLOWED_HOSTS=example.org"),
];

/// The lines that are not comments, of the `.env` of each combination. Line ends are shown where they are not LF.
fn results(sandbox: impl Fn() -> Sandbox) -> String {
    let mut results = Vec::new();
    for (name, args) in COMBINATIONS {
        let sandbox = sandbox().shims(&["uv", "python", "docker"]);
        sandbox.xtask(&format!("install --yes --no-deploy {args}")).assert().success();
        results.push(name.to_owned());
        let file = sandbox.read(".env");
        for line in file.split_inclusive('\n').filter(|line| !line.starts_with("# ") && !line.trim().is_empty()) {
            results.push(format!("    {}", without_key(line.trim_end_matches('\n')).replace('\r', "<CR>")));
        }
    }
    results.join("\n")
}

/// A generated key, told by its length and alphabet.
fn without_key(line: &str) -> String {
    let key = line.trim_end_matches('\r').strip_prefix("DJANGO_SECRET_KEY=").unwrap_or_default();
    let is_generated = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_generated { line.replace(key, "<64 random characters>") } else { line.to_owned() }
}

#[test]
fn from_our_sample() {
    assert_data_eq!(
        results(Sandbox::project),
        str![[r#"
dev+bare
    DJANGO_ENV=dev
    DEPLOY_METHOD=bare
    DJANGO_DEBUG=1
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
    CELERY_TASK_ALWAYS_EAGER=1
    CELERY_BROKER_URL=
    DATABASE_PATH=
    MONITORING_TOKEN=
dev+docker
    DJANGO_ENV=dev
    DEPLOY_METHOD=docker
    DJANGO_DEBUG=1
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
    CELERY_TASK_ALWAYS_EAGER=0
    CELERY_BROKER_URL=
    DATABASE_PATH=
    MONITORING_TOKEN=
prod+bare
    DJANGO_ENV=prod
    DEPLOY_METHOD=bare
    DJANGO_DEBUG=0
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=example.org
    CELERY_TASK_ALWAYS_EAGER=0
    CELERY_BROKER_URL=redis://localhost/0
    DATABASE_PATH=
    MONITORING_TOKEN=
prod+docker
    DJANGO_ENV=prod
    DEPLOY_METHOD=docker
    DJANGO_DEBUG=0
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=example.org
    CELERY_TASK_ALWAYS_EAGER=0
    CELERY_BROKER_URL=
    DATABASE_PATH=
    MONITORING_TOKEN=
"#]]
    );
}

/// What merely stands in a sample answers nothing.
#[test]
fn from_a_sample_with_a_value_in_every_key_and_no_method() {
    let sample = "DJANGO_ENV=prod\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=changeme\nDJANGO_ALLOWED_HOSTS=example.com\n\
                  CELERY_BROKER_URL=redis://redis:6379/9\nCELERY_TASK_ALWAYS_EAGER=0\nMORE=1\n";
    assert_data_eq!(
        results(|| Sandbox::project().file(".env.sample", sample)),
        str![[r#"
dev+bare
    DJANGO_ENV=dev
    DJANGO_DEBUG=1
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
    CELERY_BROKER_URL=
    CELERY_TASK_ALWAYS_EAGER=1
    MORE=1
    DEPLOY_METHOD=bare
dev+docker
    DJANGO_ENV=dev
    DJANGO_DEBUG=1
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
    CELERY_BROKER_URL=redis://redis:6379/9
    CELERY_TASK_ALWAYS_EAGER=0
    MORE=1
    DEPLOY_METHOD=docker
prod+bare
    DJANGO_ENV=prod
    DJANGO_DEBUG=0
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=example.org
    CELERY_BROKER_URL=redis://localhost/0
    CELERY_TASK_ALWAYS_EAGER=0
    MORE=1
    DEPLOY_METHOD=bare
prod+docker
    DJANGO_ENV=prod
    DJANGO_DEBUG=0
    DJANGO_SECRET_KEY=<64 random characters>
    DJANGO_ALLOWED_HOSTS=example.org
    CELERY_BROKER_URL=redis://redis:6379/9
    CELERY_TASK_ALWAYS_EAGER=0
    MORE=1
    DEPLOY_METHOD=docker
"#]]
    );
}

#[test]
fn from_a_file_of_the_days_of_install_modes() {
    let old = "INSTALL_MODE=prod\nDJANGO_DEBUG=1\nDJANGO_SECRET_KEY=an-old-key-of-the-operator\n";
    assert_data_eq!(
        results(|| Sandbox::project().file(".env", old)),
        str![[r#"
dev+bare
    INSTALL_MODE=prod
    DJANGO_DEBUG=1
    DJANGO_SECRET_KEY=an-old-key-of-the-operator
    DJANGO_ENV=dev
    DEPLOY_METHOD=bare
    DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
    CELERY_TASK_ALWAYS_EAGER=1
dev+docker
    INSTALL_MODE=prod
    DJANGO_DEBUG=1
    DJANGO_SECRET_KEY=an-old-key-of-the-operator
    DJANGO_ENV=dev
    DEPLOY_METHOD=docker
    DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
    CELERY_TASK_ALWAYS_EAGER=0
prod+bare
    INSTALL_MODE=prod
    DJANGO_DEBUG=0
    DJANGO_SECRET_KEY=an-old-key-of-the-operator
    DJANGO_ENV=prod
    DEPLOY_METHOD=bare
    DJANGO_ALLOWED_HOSTS=example.org
    CELERY_BROKER_URL=redis://localhost/0
    CELERY_TASK_ALWAYS_EAGER=0
prod+docker
    INSTALL_MODE=prod
    DJANGO_DEBUG=0
    DJANGO_SECRET_KEY=an-old-key-of-the-operator
    DJANGO_ENV=prod
    DEPLOY_METHOD=docker
    DJANGO_ALLOWED_HOSTS=example.org
    CELERY_TASK_ALWAYS_EAGER=0
"#]]
    );
}

#[test]
fn from_a_hand_edited_file_with_crlf_and_comments() {
    let edited = "# mine\r\nexport DJANGO_ENV = dev # for now\r\nDEPLOY_METHOD='bare'\r\n\
                  DJANGO_ALLOWED_HOSTS=\"example.net\" # ours\r\nDJANGO_DEBUG=True\r\n\r\nOTHER = kept  as it is";
    assert_data_eq!(
        results(|| Sandbox::project().file(".env", edited)),
        str![[r#"
dev+bare
    export DJANGO_ENV = dev # for now<CR>
    DEPLOY_METHOD='bare'<CR>
    DJANGO_ALLOWED_HOSTS="example.net" # ours<CR>
    DJANGO_DEBUG=True<CR>
    OTHER = kept  as it is<CR>
    DJANGO_SECRET_KEY=<64 random characters><CR>
    CELERY_TASK_ALWAYS_EAGER=1<CR>
dev+docker
    export DJANGO_ENV = dev # for now<CR>
    DEPLOY_METHOD=docker<CR>
    DJANGO_ALLOWED_HOSTS="example.net" # ours<CR>
    DJANGO_DEBUG=True<CR>
    OTHER = kept  as it is<CR>
    DJANGO_SECRET_KEY=<64 random characters><CR>
    CELERY_TASK_ALWAYS_EAGER=0<CR>
prod+bare
    DJANGO_ENV=prod<CR>
    DEPLOY_METHOD='bare'<CR>
    DJANGO_ALLOWED_HOSTS=example.org<CR>
    DJANGO_DEBUG=0<CR>
    OTHER = kept  as it is<CR>
    DJANGO_SECRET_KEY=<64 random characters><CR>
    CELERY_BROKER_URL=redis://localhost/0<CR>
    CELERY_TASK_ALWAYS_EAGER=0<CR>
prod+docker
    DJANGO_ENV=prod<CR>
    DEPLOY_METHOD=docker<CR>
    DJANGO_ALLOWED_HOSTS=example.org<CR>
    DJANGO_DEBUG=0<CR>
    OTHER = kept  as it is<CR>
    DJANGO_SECRET_KEY=<64 random characters><CR>
    CELERY_TASK_ALWAYS_EAGER=0<CR>
"#]]
    );
}
