//! `V001__create_users.sql` and `U001__create_users.sql`, with dotted or underscored versions (`V13.1__a`, `V4_9__b`).

use crate::layout::{Layout, NameMatch, NewMigration, NewPaths, ParsedName};
use crate::target::Direction;
use crate::version::Version;

/// The layout `flyway`.
pub static LAYOUT: Layout = Layout {
    name: "flyway",
    example: "V001__create_users.sql",
    wants_down: false,
    detect: |_| false,
    parse,
    down_path: |up| format!("U{}", up.strip_prefix('V').unwrap_or(up)),
    new_paths,
    folder_use: |_| None,
    title: |_| None,
};

fn parse(_: bool, path: &str) -> NameMatch {
    let Some(stem) = path.strip_suffix(".sql").filter(|stem| !stem.contains('/')) else {
        return NameMatch::NoMatch;
    };
    if stem.starts_with("R__") {
        return NameMatch::Unsupported("repeatable migrations (`R__...`) are not supported by this version");
    }
    let (letter, rest) = stem.split_at(stem.chars().next().map_or(0, char::len_utf8));
    let direction = match letter {
        "V" => Direction::Up,
        "U" => Direction::Down,
        "B" if rest.starts_with(|c: char| c.is_ascii_digit()) => {
            return NameMatch::Unsupported("baseline migrations (`B...`) are not supported by this version");
        }
        _ => return NameMatch::NoMatch,
    };
    match Version::split_from(rest, true) {
        Some((version, name)) if name.starts_with("__") => {
            NameMatch::Matched(ParsedName { version, name: name.trim_start_matches('_').to_owned(), direction })
        }
        _ => NameMatch::NoMatch,
    }
}

/// Only a folder that has undo migrations gets another one.
fn new_paths(new: &NewMigration<'_>) -> NewPaths {
    let rest = format!("{}__{}.sql", new.version, new.name);
    NewPaths { up: format!("V{rest}"), down: (!new.downs.is_empty()).then(|| format!("U{rest}")) }
}
