//! The list of all codes of this crate, for `cargo migrate explain`.

use crate::code::Code;
use crate::{check, directives, divergence, execution, folder, lock_file, project, settings, statement};

/// All of them, by name.
pub static ALL: &[&Code] = &[
    &divergence::AHEAD,
    &directives::BAD_DIRECTIVE,
    &lock_file::BAD_LOCK_FILE,
    &folder::BAD_NAME,
    &settings::BAD_SETTING,
    &check::BELOW_LOCKED,
    &execution::CANNOT_RUN_IN_TRANSACTION,
    &divergence::CHANGED_AFTER_APPLY,
    &divergence::CHANGED_WHILE_PARTIALLY_APPLIED,
    &statement::COPY_TO_STDOUT,
    &divergence::COSMETIC_CHANGE,
    &folder::DOWN_WITHOUT_UP,
    &check::DRAFT_MISSING,
    &folder::DUPLICATE_VERSION,
    &check::EMPTY_FILE,
    &execution::ENUM_VALUE_IN_USE,
    &check::FILE_MISSING,
    &check::LOCKED_FILE_CHANGED,
    &lock_file::LOCK_CHAIN_MISMATCH,
    &directives::MARKED_FILE,
    &directives::MISPLACED_DIRECTIVE,
    &check::MISSING_DOWN,
    &divergence::MISSING_FILE,
    &folder::MIXED_LAYOUTS,
    &folder::NOT_UTF8,
    &project::NO_DIALECT,
    &divergence::NO_DOWN_MIGRATION,
    &folder::NO_FOLDER,
    &check::NO_LOCK_FILE,
    &folder::NUL_CHARACTER,
    &folder::OUTSIDE_FOLDER,
    &divergence::OUT_OF_ORDER,
    &folder::PAIR_NAMES_DIFFER,
    &divergence::PARTIALLY_APPLIED,
    &statement::PSQL_COMMAND,
    &divergence::REQUIRES,
    &statement::SQL_AFTER_COPY,
    &execution::UNBALANCED_TRANSACTION,
    &check::UNKNOWN_FILE,
    &check::UNLOCKED_DRAFT,
    &folder::UNREADABLE,
    &directives::UNSUPPORTED_DIRECTIVE,
    &statement::UNTERMINATED,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_and_kebab_case() {
        for (at, code) in ALL.iter().enumerate() {
            assert!(code.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            assert!(ALL[at + 1..].iter().all(|other| other.name != code.name), "{} twice", code.name);
            assert!(code.explanation.len() > 80, "{} is not explained", code.name);
        }
    }
}
