//! The `.env` that `install` writes: every combination of the axes, from every kind of existing file.

use snapbox::{assert_data_eq, str};

use crate::sandbox::Sandbox;

/// The options of the call: every variable that the combination requires.
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

/// Replaces a generated key, which is recognized by its length and alphabet.
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
    TRUSTED_PROXIES=
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
    TRUSTED_PROXIES=
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
    TRUSTED_PROXIES=
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
    TRUSTED_PROXIES=
"#]]
    );
}

/// A value in a sample answers no question.
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

/// The secrets of a sample are public: a fresh `.env` for prod does not take them over, and a `.env` that has them gets
/// a warning.
#[test]
fn no_example_secret_in_prod() {
    let sample = "POSTGRES_USER=app\nPOSTGRES_PASSWORD=changeme\nDATABASE_URL=postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@db/app\n\
                  CACHE_URL=redis://:changeme@cache/0\nMORE=1\n";
    let project = || Sandbox::project().shims(&["uv", "python", "docker"]).file(".env.sample", sample);
    let sandbox = project();
    let to_prod = "install --yes --env prod --method docker --no-deploy --set DJANGO_ALLOWED_HOSTS=example.org";
    sandbox.check(to_prod, 0, str![[r#"
prod+docker in [ROOT]
  .env: created, only you can read it
    DJANGO_ENV                prod         as answered
    DEPLOY_METHOD             docker       as answered
    DJANGO_DEBUG              0            default
    DJANGO_SECRET_KEY         ********     generated
    DJANGO_ALLOWED_HOSTS      example.org  as answered
    CELERY_BROKER_URL                      Compose provides it
    CELERY_TASK_ALWAYS_EAGER  0            always so here
    POSTGRES_PASSWORD                      empty: an example in the sample
    CACHE_URL                              empty: an example in the sample

Next steps
  cargo xtask deploy-docker --project '[ROOT]'   deploy it
  cargo xtask health --project '[ROOT]'          check the health, and show how to fix problems

"#]], str![[r#"
warning: `.env`: left empty, since the sample has only an example: `POSTGRES_PASSWORD`, `CACHE_URL`
hint: cargo xtask install --project '[ROOT]' --env prod --method docker --set DJANGO_ALLOWED_HOSTS=example.org --no-deploy --yes --answers FILE
.env (new, only you can read it; a copy of .env.sample with these changes)
     -POSTGRES_PASSWORD=********
   2 +POSTGRES_PASSWORD=
     -CACHE_URL=redis://:********@cache/0
   4 +CACHE_URL=
   6 +DJANGO_ENV=prod
   7 +DEPLOY_METHOD=docker
   8 +DJANGO_DEBUG=0
   9 +DJANGO_SECRET_KEY=********
  10 +DJANGO_ALLOWED_HOSTS=example.org
  11 +CELERY_TASK_ALWAYS_EAGER=0

"#]]);
    let file = sandbox.read(".env");
    assert!(!file.contains("changeme"), "{file}");
    // A value that is composed of others uses the operator's.
    assert!(file.contains("DATABASE_URL=postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@db/app\n"), "{file}");
    assert!(file.contains("POSTGRES_USER=app\n") && file.contains("MORE=1\n"), "{file}");
    // An answer is one, and in dev an example will do.
    let answers = "POSTGRES_PASSWORD=the-operators-own\n";
    let sandbox = project().file("answers", answers);
    sandbox.xtask(&format!("{to_prod} --answers answers")).assert().success();
    assert!(sandbox.read(".env").contains(answers));
    let sandbox = project();
    sandbox.xtask("install --yes").assert().success();
    assert!(sandbox.read(".env").contains("POSTGRES_PASSWORD=changeme\n"));
    // Values that are kept for prod are the operator's to replace.
    sandbox.check(&format!("{to_prod} --dry-run"), 0, str![[r#"
Plan for prod+docker in [ROOT]
.env
     -DJANGO_ENV=dev
   6 +DJANGO_ENV=prod
     -DEPLOY_METHOD=bare
   7 +DEPLOY_METHOD=docker
     -DJANGO_DEBUG=1
   8 +DJANGO_DEBUG=0
     -DJANGO_ALLOWED_HOSTS=localhost,127.0.0.1
  10 +DJANGO_ALLOWED_HOSTS=example.org
     -CELERY_TASK_ALWAYS_EAGER=1
  12 +CELERY_TASK_ALWAYS_EAGER=0

"#]], str![[r#"
warning: `.env`: the example of the sample, which is public: `POSTGRES_PASSWORD`, `CACHE_URL`
hint: cargo xtask install --project '[ROOT]' --env prod --method docker --set DJANGO_ALLOWED_HOSTS=example.org --no-deploy --yes --answers FILE
warning: `DJANGO_DEBUG` is 0 in prod+docker: was 1 in dev+bare
warning: `CELERY_TASK_ALWAYS_EAGER` is always 0 in prod+docker: was 1

"#]]);
}
