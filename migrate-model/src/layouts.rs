//! The list of layouts, in the order in which they are tried.

mod directory;
mod flyway;
mod paired;
mod simple;

use crate::layout::Layout;

/// All layouts. `simple` accepts almost any name that begins with a digit, so it is last.
pub static ALL: &[&Layout] = &[&directory::LAYOUT, &flyway::LAYOUT, &paired::LAYOUT, &simple::LAYOUT];

/// The layout of new files in a folder without migrations.
pub static DEFAULT: &Layout = &paired::LAYOUT;

/// The layout with this name in `migrate.toml`.
pub fn named(name: &str) -> Option<&'static Layout> {
    ALL.iter().copied().find(|layout| layout.name == name)
}

/// What users call the migration with this up path: the file name, unless its layout has another name.
pub fn title(path: &str) -> &str {
    let file_name = || path.rsplit('/').next().unwrap_or(path);
    ALL.iter().find_map(|layout| (layout.title)(path)).unwrap_or_else(file_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{NameMatch, NewMigration};
    use crate::target::Direction;

    /// What a layout names, it can parse: the paths of a new migration, beside any files of its own.
    #[test]
    fn new_paths_are_parsed_by_their_layout() {
        let version = "042".parse().unwrap();
        for layout in ALL {
            for (ups, downs) in [(&[][..], &[][..]), (&[layout.example][..], &[][..]), (&[layout.example][..], &["x"][..])] {
                let paths = (layout.new_paths)(&NewMigration { version: &version, name: "add_note", ups, downs });
                let all: Vec<String> = std::iter::once(&paths.up).chain(&paths.down).cloned().collect();
                let detected = (layout.detect)(&all);
                for (path, direction) in all.iter().zip([Direction::Up, Direction::Down]) {
                    match (layout.parse)(detected, path) {
                        NameMatch::Matched(parsed) => {
                            assert_eq!((&parsed.version, &*parsed.name, parsed.direction), (&version, "add_note", direction));
                        }
                        other => panic!("{}: `{path}` is {other:?}", layout.name),
                    }
                }
                if let Some(down) = paths.down {
                    assert_eq!((layout.down_path)(&paths.up), down, "{}", layout.name);
                }
            }
        }
    }

    #[test]
    fn titles() {
        for (path, expected) in [
            ("migrations/001_a.up.sql", "001_a.up.sql"),
            ("migrations/2025-01-02-030405_a/up.sql", "2025-01-02-030405_a"),
            ("migrations/01_init/migration.sql", "01_init"),
            ("V1__a.sql", "V1__a.sql"),
        ] {
            assert_eq!(title(path), expected);
        }
    }
}
