//! `001_create_users.up.sql` and `.down.sql`; also `001_create_users_up.sql` and `_down.sql`.

use crate::layout::{Layout, NameMatch, NewMigration, NewPaths};
use crate::target::Direction;

/// The layout `paired`.
pub static LAYOUT: Layout = Layout {
    name: "paired",
    example: "001_create_users.up.sql",
    wants_down: true,
    // `007_scale_up.sql` belongs to this layout only if the folder contains a file that ends with `_down.sql`.
    detect: |paths| paths.iter().any(|path| path.ends_with("_down.sql")),
    parse,
    down_path,
    new_paths,
    folder_use: |_| None,
    title: |_| None,
};

fn parse(underscore_pairs: bool, path: &str) -> NameMatch {
    if path.contains('/') {
        return NameMatch::NoMatch;
    }
    let endings = [(".up.sql", Direction::Up), (".down.sql", Direction::Down)];
    let underscored = [("_up.sql", Direction::Up), ("_down.sql", Direction::Down)];
    let endings = endings.into_iter().chain(underscored.into_iter().filter(|_| underscore_pairs));
    let mut matches = endings.filter_map(|(ending, direction)| Some((path.strip_suffix(ending)?, direction)));
    matches.next().map_or(NameMatch::NoMatch, |(stem, direction)| NameMatch::numbered(stem, direction))
}

fn down_path(up: &str) -> String {
    match (up.strip_suffix(".up.sql"), up.strip_suffix("_up.sql")) {
        (Some(stem), _) => format!("{stem}.down.sql"),
        (None, Some(stem)) => format!("{stem}_down.sql"),
        (None, None) => format!("{up}.down.sql"),
    }
}

/// With the separator of the newest file.
fn new_paths(new: &NewMigration<'_>) -> NewPaths {
    let separator = if new.ups.last().is_some_and(|last| last.ends_with("_up.sql")) { '_' } else { '.' };
    let stem = format!("{}_{}{separator}", new.version, new.name);
    NewPaths { up: format!("{stem}up.sql"), down: Some(format!("{stem}down.sql")) }
}
