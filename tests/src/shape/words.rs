//! Words that the glossary replaces by the usual terms, left in documents, string literals and comments.

use super::rust_text::{self, Kind};
use super::{Checkout, Measure, Place};

/// A word or phrase to replace. It is matched in any case, as whole words, also across a line break.
struct Word {
    phrase: &'static str,
    /// Longer phrases in which it has an ordinary use and is not counted.
    ordinary: &'static [&'static str],
}

const fn word(phrase: &'static str) -> Word {
    Word { phrase, ordinary: &[] }
}

const fn word_except(phrase: &'static str, ordinary: &'static [&'static str]) -> Word {
    Word { phrase, ordinary }
}

/// Where a phrase is part of another, the longer one counts.
const WORDS: &[Word] = &[
    word("way up"),
    word("ways up"),
    word("way down"),
    word("ways down"),
    word("way back"),
    word("anew"),
    word("made anew"),
    word("foretell"),
    word("foretold"),
    word("nobody"),
    word("somebody"),
    word("whoever"),
    word("those who"),
    word("begun"),
    word("not heard of"),
    word("fate"),
    // A place in a network, a lock queue, and what a failed build leaves are behind; time and order are after.
    word_except(
        "behind",
        &[
            "behind a pooler",
            "behind a connection pooler",
            "behind a transaction pooler",
            "behind poolers",
            "behind the pooler",
            "behind pgbouncer",
            "behind `pgbouncer`",
            "behind a proxy",
            "behind a load balancer",
            "behind a feature",
            "behind features",
            "queue behind",
            "queued behind",
            "queues behind",
            "leave behind",
            "leaves behind",
            "left behind",
            "invalid index behind",
            "fall behind",
            "falls behind",
            "lag behind",
            "lags behind",
        ],
    ),
    word("stands on"),
    word("stand on"),
    word("by hand"),
    word("release that runs"),
    word("running release"),
    word("put back"),
    word("give back"),
    word("given back"),
    word("gives back"),
    word("patience"),
    word("patient"),
    word("impatient"),
    word("commits by itself"),
    word("stops writers"),
    word("stops others"),
    word_except("house", &["in house", "in-house"]),
    word("river"),
    // The modules of ARCHITECTURE, not a table of an example.
    word_except("rooms", &["table rooms", "into rooms", "from rooms", "on rooms"]),
    word("mend"),
    word("mended"),
    word("mends"),
    word("slip"),
    // "`x` is no revision" is to be "is not a valid revision"; "there is no database" is right.
    word_except("is no", &["there is no", "is no longer", "is no more than", "is no less than", "is no different"]),
    word_except("are no", &["there are no", "are no longer", "are no more than", "are no less than", "are no different"]),
    word_except("is none", &["there is none"]),
    word("stands below"),
    word("once more"),
    word_except("goes on", &["what goes on"]),
    word("silence"),
    word("silences"),
    word("settled"),
    word("surroundings"),
    word("unfinished"),
    // A function of SQL is stable; a state may be steady.
    word_except("steady", &["steady state"]),
];

/// Words left, in Markdown files, in string literals and in comments of production.
pub fn left_in_texts(checkout: &Checkout) -> Vec<Measure> {
    let mut documents = Vec::new();
    for document in &checkout.documents {
        for (line, text) in paragraphs(&document.text) {
            documents.extend(places(&document.path, line, text));
        }
    }
    let (mut literals, mut comments) = (Vec::new(), Vec::new());
    for source in &checkout.sources {
        for piece in rust_text::pieces(&source.text) {
            if source.is_in_tests(piece.line) {
                continue;
            }
            let places = places(&source.path, piece.line, &piece.text);
            match piece.kind {
                Kind::Comment => comments.extend(places),
                Kind::Literal => literals.extend(places),
            }
        }
    }
    vec![
        Measure::of_places("words to replace in documents", documents),
        Measure::of_places("words to replace in string literals", literals),
        Measure::of_places("words to replace in comments", comments),
    ]
}

/// Parts of a text that empty lines divide, each with its first line.
fn paragraphs(text: &str) -> Vec<(usize, &str)> {
    let mut line = 1;
    let mut paragraphs = Vec::new();
    for paragraph in text.split("\n\n") {
        paragraphs.push((line, paragraph));
        line += paragraph.matches('\n').count() + 2;
    }
    paragraphs
}

/// The words of a text that begins on this line.
fn places(file: &str, first_line: usize, text: &str) -> Vec<Place> {
    let (text, lines) = flat(text, first_line);
    let mut words: Vec<&Word> = WORDS.iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.phrase.len()));
    let mut counted: Vec<(usize, usize)> = Vec::new();
    let mut places = Vec::new();
    for Word { phrase, ordinary } in words {
        let allowed: Vec<(usize, usize)> = ordinary.iter().flat_map(|longer| occurrences(&text, longer)).collect();
        for (start, end) in occurrences(&text, phrase) {
            let is_within = |ranges: &[(usize, usize)]| ranges.iter().any(|range| range.0 <= start && end <= range.1);
            if !is_within(&allowed) && !is_within(&counted) {
                counted.push((start, end));
                places.push((start, Place::new(file, lines[start], format!("\"{phrase}\""))));
            }
        }
    }
    places.sort_by_key(|(start, _)| *start);
    places.into_iter().map(|(_, place)| place).collect()
}

/// In lower case, with a single space for white space and what begins a line of a comment or quote; and the line of each byte.
fn flat(text: &str, first_line: usize) -> (String, Vec<usize>) {
    let (mut flat, mut lines) = (String::new(), Vec::new());
    for (index, line) in text.split('\n').enumerate() {
        let words = line.trim_start_matches([' ', '\t', '/', '!', '*', '>']);
        for word in words.split_whitespace() {
            flat.push_str(&word.to_ascii_lowercase());
            flat.push(' ');
            lines.resize(flat.len(), first_line + index);
        }
    }
    (flat, lines)
}

/// Where a phrase is, as whole words.
fn occurrences(text: &str, phrase: &str) -> Vec<(usize, usize)> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let is_whole = |start: usize, end: usize| {
        !text[..start].chars().next_back().is_some_and(is_word) && !text[end..].chars().next().is_some_and(is_word)
    };
    let ranges = text.match_indices(phrase).map(|(start, _)| (start, start + phrase.len()));
    ranges.filter(|(start, end)| is_whole(*start, *end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(text: &str) -> Vec<String> {
        places("x.md", 1, text).into_iter().map(|place| format!("{} {}", place.line, place.note)).collect()
    }

    #[test]
    fn whole_words_in_any_case_and_across_lines() {
        assert_eq!(noted("A Way Up. The way\nup; way upon, `no-way-down`."), ["1 \"way up\"", "1 \"way up\""]);
        assert_eq!(noted("> the ways\n> down"), ["1 \"ways down\""]);
        assert_eq!(noted("x\nis made anew, anew"), ["2 \"made anew\"", "2 \"anew\""]);
        assert_eq!(noted("anew_x warehouse mending stands_on"), [""; 0]);
    }

    #[test]
    fn ordinary_uses_are_left_alone() {
        assert_eq!(noted("Behind a\npooler, behind PgBouncer; queues behind it; left behind"), [""; 0]);
        assert_eq!(noted("behind the script"), ["1 \"behind\""]);
        assert_eq!(noted("there is no table, it is no longer there, there is none, `x` is no table"), ["1 \"is no\""]);
        assert_eq!(noted("there are no rows; those are no rows"), ["1 \"are no\""]);
    }

    #[test]
    fn texts_are_counted_by_kind() {
        let source = "//! The way\n//! up.\n/// Begun.\nfn f() { g!(\"nobody \\\n   by hand\") } // Its fate.\n\
                      #[cfg(test)]\nmod tests {\n // by hand\n const X: &str = \"anew\";\n}\n";
        let files = [("a/src/lib.rs", source), ("README.md", "# House\n\nThe\n\nriver"), ("a/src/b.rs", "struct Begun;")];
        let measures = left_in_texts(&Checkout::of_texts(&files).unwrap());
        let numbers: Vec<usize> = measures.iter().map(|measure| measure.number).collect();
        assert_eq!(numbers, [2, 2, 3]);
        assert_eq!(measures[0].places[1].line, 5);
        assert_eq!(measures[1].places[1].line, 5);
        assert_eq!(measures[2].places.iter().map(|place| place.line).collect::<Vec<_>>(), [1, 3, 5]);
    }
}
