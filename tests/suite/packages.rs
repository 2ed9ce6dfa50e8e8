//! Every crate can be packaged as it would be published: with all its files, and with dependencies that a registry has.

use std::path::Path;
use std::process::Command;

const CRATES: [&str; 6] = ["migrate-model", "migrate-lint", "migrate-macros", "migrate-runtime", "migrate-cli", "cargo-migrate"];

#[test]
fn every_crate_can_be_packaged() {
    let target = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO"));
    command.args(["package", "--no-verify", "--allow-dirty"]).env("CARGO_TARGET_DIR", target.path()).current_dir(root);
    CRATES.iter().for_each(|name| {
        command.args(["-p", name]);
    });
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in CRATES {
        let package = target.path().join(format!("package/{name}-{}.crate", env!("CARGO_PKG_VERSION")));
        assert!(package.is_file(), "{}", package.display());
    }
}
