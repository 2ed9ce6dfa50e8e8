//! The list of all codes about files, for `cargo migrate explain`.

use crate::code::Code;
use crate::files::{boundary, check, folder, load, lock_file, project, settings};

/// All codes about files.
pub static ALL: &[&Code] = &[
    &lock_file::BAD_LOCK_FILE,
    &folder::BAD_NAME,
    &settings::BAD_SETTING,
    &check::BELOW_LOCKED,
    &check::CARRIAGE_RETURN,
    &folder::DOWN_WITHOUT_UP,
    &load::OTHER_DIALECT,
    &check::DRAFT_MISSING,
    &folder::DUPLICATE_VERSION,
    &check::FILE_MISSING,
    &check::LOCKED_FILE_CHANGED,
    &lock_file::LOCK_CHAIN_MISMATCH,
    &check::MISSING_DOWN,
    &folder::MIXED_LAYOUTS,
    &folder::NOT_SQL,
    &folder::NOT_UTF8,
    &project::NO_DIALECT,
    &project::NO_SUCH_SET,
    &folder::NO_FOLDER,
    &check::NO_LOCK_FILE,
    &folder::NUL_CHARACTER,
    &folder::OUTSIDE_FOLDER,
    &boundary::OUTSIDE_REPOSITORY,
    &folder::PAIR_NAMES_DIFFER,
    &check::SHORT_TIMESTAMP,
    &check::UNKNOWN_FILE,
    &check::UNLOCKED_DRAFT,
    &folder::UNREADABLE,
];
