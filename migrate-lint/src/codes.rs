//! The codes of this crate that are not rules.

use crate::{allow, effort, folder_lint, owners};
use migrate_model::code::Code;

/// All codes of this crate except the rules, in alphabetical order.
pub static ALL: &[&Code] = &[
    &folder_lint::BAD_RULE_SETTING,
    &owners::CONFLICTING_DEFINITION,
    &owners::DISPUTED_TABLE,
    &effort::FILE_TOO_COMPLEX,
    &owners::FOREIGN_OBJECT,
    &owners::FOREIGN_TABLE,
    &owners::UNKNOWN_OWNED,
    &allow::UNUSED_ALLOW,
];
