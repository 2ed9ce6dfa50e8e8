//! Renders findings as text, in the same form for compiler errors and for the command.

use crate::finding::{Finding, Level};
use annotate_snippets::{AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};

/// Renders a finding with its source line, carets, notes and help; with terminal colors if `colour` is set.
pub fn finding(finding: &Finding, colour: bool) -> String {
    let title = match finding.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Note => Title::NOTE,
    };
    let title = title.primary_title(finding.message.as_str());
    let mut group = Group::with_title(match finding.code.name {
        "" => title,
        name => title.id(name),
    });
    if let Some(place) = &finding.place {
        match &place.span {
            Some(spot) => {
                group = group.element(
                    Snippet::source(spot.line_text.as_str())
                        .line_start(spot.position.line)
                        .path(place.file.as_str())
                        .annotation(AnnotationKind::Primary.span(spot.part.clone())),
                );
            }
            None => group = group.element(Origin::path(place.file.as_str())),
        }
    }
    for note in &finding.notes {
        group = group.element(Title::NOTE.message(note.as_str()));
    }
    for help in &finding.help {
        group = group.element(Title::HELP.message(help.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]).to_string()
}

/// Renders all findings, separated by blank lines.
pub fn findings<'a>(all: impl IntoIterator<Item = &'a Finding>, colour: bool) -> String {
    let texts: Vec<String> = all.into_iter().map(|problem| finding(problem, colour)).collect();
    texts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::place::Place;

    #[test]
    fn shows_line_and_help() {
        static BAD_DIRECTIVE: Code = Code::new("bad-directive", "");
        static PAIR_NAMES_DIFFER: Code = Code::new("pair-names-differ", "");
        let text = "-- migrate: no-transacton\nSELECT 1;\n";
        let error = Finding::error(&BAD_DIRECTIVE, "there is no directive `no-transacton`")
            .at(Place::range("migrations/001_a.up.sql", text, 12..25))
            .help("write `no-transaction`");
        let message = "`002_b.down.sql` is the down migration of `002_a.up.sql`, but has a different name";
        let warning = Finding::warning(&PAIR_NAMES_DIFFER, message).at(Place::file("migrations/002_b.down.sql"));
        insta::assert_snapshot!(findings([&error, &warning], false));
    }
}
