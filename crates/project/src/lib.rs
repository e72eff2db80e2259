//! A checkout of a service: its settings, its Python, the variables that a combination of the two axes needs, and the
//! secrets that no output may show.
//!
//! Nothing here prints, prompts or reads the process environment.

mod compose_files;
mod downloads;
mod lock;
pub mod matrix;
mod names;
mod other_tool;
mod places;
mod project;
mod pyproject;
mod python;
pub mod secret;
mod settings;
mod settings_code;
mod shared_path;
pub mod text;
mod tracked;
mod uv;
mod uv_variables;
pub mod value;
mod variables;
mod wanted;
pub mod web;
mod workspace;

pub use compose_files::{ComposeFiles, ComposeVariables};
pub use downloads::may_download_python;
pub use lock::{Lock, LockError};
pub use names::{Format, NameSource, Named, Names, Variable};
pub use pep440_rs::Version;
pub use project::{Project, ProjectError};
pub use pyproject::{Pyproject, PyprojectError};
pub use python::{Python, PythonError, find_any_python, find_python, find_system_python, version_in};
pub use settings::{Chosen, Settings};
pub use shared_path::SharedPath;
pub use tracked::{EnvInGit, InGit, env_target, in_git};
pub use uv::{OLDEST_UV, Uv, UvError, find_uv};
pub use uv_variables::{NO_DOWNLOADS, UV_PROJECT_ENVIRONMENT, UvSettings, uv_variables};
pub use variables::variables;
pub use wanted::WantedPython;
