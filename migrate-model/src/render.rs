//! Renders findings as text, in the same form for compiler errors and for the command.

use crate::finding::{Finding, Level};
use crate::place::Place;
use crate::visible;
use annotate_snippets::{AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};
use std::collections::BTreeMap;

/// Renders a finding with its source line, carets, notes and help; with terminal colors if `colour` is set.
pub fn finding(finding: &Finding, colour: bool) -> String {
    let finding = &*visible::finding(finding);
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
            Some(span) => {
                group = group.element(
                    Snippet::source(span.line_text.as_str())
                        .line_start(span.position.line)
                        .path(place.file.as_str())
                        .annotation(AnnotationKind::Primary.span(span.part.clone())),
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
    let text = renderer.render(&[group]).to_string();
    match finding.place.as_ref().and_then(shown_label) {
        Some((position, label)) => text.replacen(&position, &label, 1),
        None => text,
    }
}

/// The label of a place as the renderer derives it from the text that is shown, and the correct one, if they differ.
fn shown_label(place: &Place) -> Option<(String, String)> {
    let span = place.span.as_ref()?;
    let column = span.line_text.get(..span.part.start)?.chars().count() + 1;
    let position = format!("{}:{}:{column}", place.file, span.position.line);
    (column != span.position.column).then(|| (position, place.label()))
}

/// How many findings of one code in one file are shown as text. The others are counted: they are rarely read, and a file can have
/// one in every few bytes.
pub const SHOWN_OF_CODE: usize = 100;

/// The findings that are shown as text, and a sentence about the others of each code and file.
pub fn shown<'a>(all: impl IntoIterator<Item = &'a Finding>) -> (Vec<&'a Finding>, Vec<String>) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut listed = Vec::new();
    for finding in all {
        let file = finding.place.as_ref().map_or("", |place| place.file.as_str());
        let count = counts.entry((file, finding.code.name)).or_default();
        *count += 1;
        if *count <= SHOWN_OF_CODE || file.is_empty() {
            listed.push(finding);
        }
    }
    let omitted = counts.into_iter().filter(|((file, _), count)| *count > SHOWN_OF_CODE && !file.is_empty());
    let omitted = omitted.map(|((file, code), count)| {
        format!("not shown: {} more `{code}` in `{}`", count - SHOWN_OF_CODE, visible::one_line(file))
    });
    (listed, omitted.collect())
}

/// Renders findings, separated by blank lines; of one code in one file, the first hundred and the number of the others.
pub fn findings<'a>(all: impl IntoIterator<Item = &'a Finding>, colour: bool) -> String {
    let (listed, omitted) = shown(all);
    let texts: Vec<String> = listed.into_iter().map(|problem| finding(problem, colour)).chain(omitted).collect();
    texts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

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

    #[test]
    fn findings_of_one_code_and_file_are_counted_after_the_first_hundred() {
        static CODE: Code = Code::new("unbalanced-transaction", "");
        static OTHER: Code = Code::new("unterminated", "");
        let of = |code, file: &str| Finding::error(code, "a problem").at(Place::file(file));
        let mut all: Vec<Finding> = (0..1_000).map(|_| of(&CODE, "a.sql")).collect();
        all.extend([of(&OTHER, "a.sql"), of(&CODE, "b.sql")]);
        let (listed, omitted) = shown(&all);
        assert_eq!(listed.len(), 102);
        assert_eq!(omitted, ["not shown: 900 more `unbalanced-transaction` in `a.sql`"]);
        assert!(findings(&all, false).ends_with("\n\nnot shown: 900 more `unbalanced-transaction` in `a.sql`"));
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        static CODE: Code = Code::new("unbalanced-transaction", "");
        let text = format!("SELECT 1;\n{}", "COMMIT;".repeat(20_000));
        let cut = Finding::error(&CODE, "this commits a transaction that the file does not begin").at(Place::range(
            "a.sql",
            &text,
            70_010..70_017,
        ));
        let last = Finding::error(&CODE, "this commits a transaction that the file does not begin").at(Place::range(
            "a.sql",
            &text,
            text.len() - 7..text.len(),
        ));
        insta::assert_snapshot!(format!("{}\n\n{cut}", findings([&cut, &last], false)));
    }
}
