//! The list of the codes of this crate that are no rules.

use crate::{allow, folder_lint, owners};
use migrate_model::code::Code;

/// All of them, by name.
pub static ALL: &[&Code] = &[
    &folder_lint::BAD_RULE_SETTING,
    &owners::CONFLICTING_DEFINITION,
    &owners::DISPUTED_TABLE,
    &owners::FOREIGN_TABLE,
    &allow::UNUSED_ALLOW,
];
