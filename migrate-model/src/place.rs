//! The place in a file that a message refers to.

use std::ops::Range;

/// A line and a column, both counted from 1; columns are characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The position of a byte offset in a text. An offset inside a character counts as the start of this character.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        Position::after(text, 0, 1, offset)
    }

    /// The position of a byte offset after another one, whose line is known.
    fn after(text: &str, known: usize, line: usize, offset: usize) -> Self {
        let line_break = line_break(text);
        let line_start = text[..offset].rfind(line_break).map_or(0, |at| at + 1);
        Position {
            line: line + text.as_bytes()[known.min(offset)..offset].iter().filter(|byte| **byte == line_break as u8).count(),
            column: text[line_start..offset].chars().count() + 1,
        }
    }
}

/// The last character of the line ends of a text: that of a file of an old Mac has no line feed.
pub fn line_break(text: &str) -> char {
    if !text.contains('\n') && text.contains('\r') { '\r' } else { '\n' }
}

/// A file and, if the problem has one, a part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The path of the file in messages.
    pub file: String,
    /// `None` if the place is the whole file.
    pub span: Option<SourceSpan>,
}

/// A line of a file and the relevant part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceSpan {
    /// Where the part begins.
    pub position: Position,
    /// The complete line, without its line end.
    pub line_text: String,
    /// The part, as a range of bytes of `line_text`.
    pub part: Range<usize>,
}

impl Place {
    /// The place of a whole file.
    pub fn file(file: impl Into<String>) -> Self {
        Place { file: file.into(), span: None }
    }

    /// The place of a range of bytes in the text of a file. A range over several lines ends with its first line.
    pub fn range(file: impl Into<String>, text: &str, range: Range<usize>) -> Self {
        Place::range_after(file, text, range, (0, 1))
    }

    /// The same, if the line of an earlier byte is known. Of a long text, only the part since then is read.
    pub fn range_after(file: impl Into<String>, text: &str, range: Range<usize>, (known, line): (usize, usize)) -> Self {
        let mut start = range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_break = line_break(text);
        let line_start = text[..start].rfind(line_break).map_or(0, |at| at + 1);
        let line_end = text[start..].find(line_break).map_or(text.len(), |at| start + at);
        let line_text = text[line_start..line_end].trim_end_matches('\r');
        let from = (start - line_start).min(line_text.len());
        let mut to = range.end.saturating_sub(line_start).clamp(from, line_text.len());
        while !line_text.is_char_boundary(to) {
            to += 1;
        }
        let position = Position::after(text, known, line, start);
        Place { file: file.into(), span: Some(SourceSpan { position, line_text: line_text.to_owned(), part: from..to }) }
    }

    /// `file:line:column`, or only the file.
    pub fn label(&self) -> String {
        match &self.span {
            Some(span) => format!("{}:{}:{}", self.file, span.position.line, span.position.column),
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
        let span = place.span.clone().unwrap();
        assert_eq!(span.line_text, "two three");
        assert_eq!(&span.line_text[span.part.clone()], "three");
        assert_eq!(place.label(), "f.sql:2:5");
    }
}
