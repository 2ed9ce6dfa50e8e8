//! Files that run `check` and `lint` automatically: a GitHub Actions workflow and a Git hook.

use migrate_model::files::project::Project;
use std::path::{Path, PathBuf};

/// The path of the workflow, relative to the root of the repository.
pub const WORKFLOW: &str = ".github/workflows/migrations.yml";

/// The path of the hook, relative to the root of the repository.
pub const HOOK: &str = ".githooks/pre-commit";

/// The root of the Git repository that contains a project, or the project's root outside a repository.
pub fn root(project: &Project) -> PathBuf {
    let project_root = std::path::absolute(&project.root).unwrap_or_else(|_| project.root.clone());
    project_root.ancestors().find(|folder| folder.join(".git").exists()).map_or(project_root.clone(), Path::to_owned)
}

/// The command that both files run: for all packages with migrations, unless the project is the root of the repository.
fn command(project: &Project) -> &'static str {
    let project_root = std::path::absolute(&project.root).unwrap_or_else(|_| project.root.clone());
    if project_root == root(project) { "cargo migrate" } else { "cargo migrate --workspace" }
}

/// The text of the GitHub Actions workflow.
pub fn workflow(project: &Project) -> String {
    let command = command(project);
    format!(
        "# Annotates a pull request with the effects of its migrations on a live database.\n\
         name: migrations\n\
         on:\n  pull_request:\n    paths: [\"**/*.sql\", \"**/migrate.lock\", \"**/migrate.toml\"]\n\
         # `cargo-migrate` is not published. Set the URL of its Git repository and a commit that you have reviewed.\n\
         env:\n  CARGO_MIGRATE_REPOSITORY: \"\"\n  CARGO_MIGRATE_REVISION: \"\"\n\
         jobs:\n  lint:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n        with:\n          fetch-depth: 0\n\
         \x20     - run: cargo install --git \"$CARGO_MIGRATE_REPOSITORY\" --rev \"$CARGO_MIGRATE_REVISION\" --locked cargo-migrate\n\
         \x20     - run: {command} lint --offline --since \"origin/${{{{ github.base_ref }}}}\" --format github\n\
         \x20     - run: {command} check --format github\n\
         \x20       if: always()\n"
    )
}

/// The text of the Git hook.
pub fn hook(project: &Project) -> String {
    let command = command(project);
    format!(
        "#!/bin/sh\n# Checks and lints migrations before a commit. Enable it with `git config core.hooksPath .githooks`.\n\
         git diff --cached --name-only | grep -q -e '\\.sql$' -e 'migrate\\.lock$' -e 'migrate\\.toml$' || exit 0\n\
         {command} check && {command} lint --offline\n"
    )
}
