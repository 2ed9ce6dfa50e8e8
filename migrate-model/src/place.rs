//! A place in a file: what a message points at.

use std::ops::Range;

/// A line and a column, both counted from 1; columns are characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// Characters, counted from 1.
    pub column: usize,
}

impl Position {
    /// The position of a byte offset in a text; an offset inside a character is that character's.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// A file and, where one line is to blame, that line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the user knows it.
    pub file: String,
    /// The line to blame.
    pub span: Option<SourceSpan>,
}

/// A line of a file and the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpan {
    /// Where the part begins.
    pub position: Position,
    /// The whole line, without its line end.
    pub line_text: String,
    /// The part, as bytes of `line_text`.
    pub part: Range<usize>,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Place { file: file.into(), span: None }
    }

    /// A range of bytes in a file's text; a range over several lines is cut at the end of its first.
    pub fn range(file: impl Into<String>, text: &str, range: Range<usize>) -> Self {
        let mut start = range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let from = (start - line_start).min(line.len());
        let mut to = range.end.saturating_sub(line_start).clamp(from, line.len());
        while !line.is_char_boundary(to) {
            to += 1;
        }
        Place {
            file: file.into(),
            span: Some(SourceSpan { position: Position::of(text, start), line_text: line.to_owned(), part: from..to }),
        }
    }

    /// `file:line:column`, or the file alone.
    pub fn label(&self) -> String {
        match &self.span {
            Some(spot) => format!("{}:{}:{}", self.file, spot.position.line, spot.position.column),
            None => self.file.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        let text = "a\nüb;\r\nc";
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, 4), Position { line: 2, column: 2 });
        assert_eq!(Position::of(text, 3), Position { line: 2, column: 1 });
        assert_eq!(Position::of(text, 99), Position { line: 3, column: 2 });
    }

    #[test]
    fn a_range_is_cut_at_the_line_end() {
        let place = Place::range("f.sql", "one\r\ntwo three\r\nfour", 9..40);
        let spot = place.span.clone().unwrap();
        assert_eq!(spot.line_text, "two three");
        assert_eq!(&spot.line_text[spot.part.clone()], "three");
        assert_eq!(place.label(), "f.sql:2:5");
    }
}
