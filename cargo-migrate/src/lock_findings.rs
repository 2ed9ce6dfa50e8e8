//! Which findings of a check are about the lock file.

use migrate_model::files::check;
use migrate_model::files::lock_file;
use migrate_model::finding::Finding;

/// Removes the findings about the lock file.
pub fn apart_from_lock(findings: Vec<Finding>) -> Vec<Finding> {
    let lock_codes = [
        &check::NO_LOCK_FILE,
        &check::UNKNOWN_FILE,
        &check::FILE_MISSING,
        &check::DRAFT_MISSING,
        &check::LOCKED_FILE_CHANGED,
        &check::BELOW_LOCKED,
        &check::UNLOCKED_DRAFT,
        &lock_file::BAD_LOCK_FILE,
        &lock_file::LOCK_CHAIN_MISMATCH,
    ];
    findings.into_iter().filter(|finding| !lock_codes.contains(&finding.code)).collect()
}
