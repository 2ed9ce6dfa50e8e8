//! Files that let a code host and Git look at migrations: a workflow, and a hook.

use migrate_model::project::Project;
use std::path::{Path, PathBuf};

/// The workflow, from the root of the repository.
pub const WORKFLOW: &str = ".github/workflows/migrations.yml";

/// The hook, from the root of the repository.
pub const HOOK: &str = ".githooks/pre-commit";

/// The root of the repository that a project is in; its own when there is none.
pub fn root(project: &Project) -> PathBuf {
    let own = std::path::absolute(&project.root).unwrap_or_else(|_| project.root.clone());
    own.ancestors().find(|folder| folder.join(".git").exists()).map_or(own.clone(), Path::to_owned)
}

/// What both run: in a workspace every package that has migrations.
fn command(project: &Project) -> &'static str {
    let own = std::path::absolute(&project.root).unwrap_or_else(|_| project.root.clone());
    if own == root(project) { "cargo migrate" } else { "cargo migrate --workspace" }
}

/// The workflow of GitHub Actions.
pub fn workflow(project: &Project) -> String {
    let (command, version) = (command(project), env!("CARGO_PKG_VERSION"));
    format!(
        "# What migrations would do to a database that is in use, at the lines of a pull request.\n\
         name: migrations\n\
         on:\n  pull_request:\n    paths: [\"**/*.sql\", \"**/migrate.lock\", \"**/migrate.toml\"]\n\
         jobs:\n  lint:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n        with:\n          fetch-depth: 0\n\
         \x20     # From wherever your copy of it comes; the version is the one that wrote this file.\n\
         \x20     - run: cargo install cargo-migrate --version {version} --locked\n\
         \x20     - run: {command} lint --offline --since \"origin/${{{{ github.base_ref }}}}\" --format github\n\
         \x20     - run: {command} check\n\
         \x20       if: always()\n"
    )
}

/// The hook of Git.
pub fn hook(project: &Project) -> String {
    let command = command(project);
    format!(
        "#!/bin/sh\n# Looks at migrations before they are committed. Turn it on with `git config core.hooksPath .githooks`.\n\
         git diff --cached --name-only | grep -q -e '\\.sql$' -e 'migrate\\.lock$' -e 'migrate\\.toml$' || exit 0\n\
         {command} check && {command} lint --offline\n"
    )
}
