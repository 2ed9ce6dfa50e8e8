//! The place in a file that a message refers to.

use std::cell::OnceCell;
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
        LineCounter::new(line_break(text)).after(&text.as_bytes()[..offset]).position
    }
}

/// The last byte of the line ends of a text: that of a file of an old Mac has no line feed.
fn line_break(text: &str) -> u8 {
    if !text.contains('\n') && text.contains('\r') { b'\r' } else { b'\n' }
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

/// A part of a line of a file, with the text around it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceSpan {
    /// Where the part begins.
    pub position: Position,
    /// The column after the part.
    pub end_column: usize,
    /// The line, without its line end. Of a line longer than [`LINE_LIMIT`], only the text around the start of the part, with
    /// `…` in the place of the rest.
    pub line_text: String,
    /// The part, as a range of bytes of `line_text`.
    pub part: Range<usize>,
}

/// The most bytes of a line that a place keeps. Each finding has a place, and a file may be one line.
pub const LINE_LIMIT: usize = 320;
/// The bytes of a longer line before the part.
const LINE_BEFORE: usize = 80;
/// Stands for what is not kept of a line.
const ELLIPSIS: &str = "…";

impl Place {
    /// The place of a whole file.
    pub fn file(file: impl Into<String>) -> Self {
        Place { file: file.into(), span: None }
    }

    /// The place of a range of bytes in the text of a file. A range over several lines ends with its first line. This reads the
    /// whole text; for many places in one text, use [`SourceText`].
    pub fn range(file: impl AsRef<str>, text: &str, range: Range<usize>) -> Self {
        SourceText::new(file.as_ref(), text).place(range)
    }

    /// `file:line:column`, or only the file.
    pub fn label(&self) -> String {
        match &self.span {
            Some(span) => format!("{}:{}:{}", self.file, span.position.line, span.position.column),
            None => self.file.clone(),
        }
    }
}

/// The text of a file, which finds any number of places in it. The lines are counted once, at the first place.
#[derive(Debug, Clone)]
pub struct SourceText<'a> {
    file: &'a str,
    text: &'a str,
    line_break: u8,
    /// The count at the start of each block of the text.
    blocks: OnceCell<Vec<LineCounter>>,
}

/// The bytes between two counts. It bounds what is read to find a place.
const BLOCK: usize = 256;

/// Where a byte of a text is.
#[derive(Debug, Clone, Copy)]
struct LineCounter {
    position: Position,
    line_start: usize,
    offset: usize,
    line_break: u8,
}

impl LineCounter {
    fn new(line_break: u8) -> Self {
        LineCounter { position: Position { line: 1, column: 1 }, line_start: 0, offset: 0, line_break }
    }

    /// The count after further bytes.
    fn after(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.offset += 1;
            if *byte == self.line_break {
                self.position = Position { line: self.position.line + 1, column: 1 };
                self.line_start = self.offset;
            } else if byte & 0xc0 != 0x80 {
                // Not a continuation byte of UTF-8: a character begins.
                self.position.column += 1;
            }
        }
        self
    }
}

impl<'a> SourceText<'a> {
    /// The text of a file, with its path in messages.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        SourceText { file, text, line_break: line_break(text), blocks: OnceCell::new() }
    }

    /// The path of the file in messages.
    pub fn file(&self) -> &'a str {
        self.file
    }

    /// The last byte of its line ends.
    pub fn line_break(&self) -> u8 {
        self.line_break
    }

    /// The text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The place of a range of bytes. A range over several lines ends with its first line.
    pub fn place(&self, range: Range<usize>) -> Place {
        let start = self.count(range.start.min(self.text.len()));
        let (from, line_start) = (start.offset, start.line_start);
        let line_end = self.line_end(&start);
        let from = from.min(line_end);
        let mut to = range.end.clamp(from, line_end);
        while !self.text.is_char_boundary(to) {
            to += 1;
        }
        let end_column = if to - from < BLOCK {
            start.position.column + self.text[from..to].chars().count()
        } else {
            self.count(to).position.column
        };
        let (line_text, part) = self.cut(line_start..line_end, from..to);
        let span = SourceSpan { position: start.position, end_column, line_text, part };
        Place { file: self.file.to_owned(), span: Some(span) }
    }

    /// The line around a part, and the part in it.
    fn cut(&self, line: Range<usize>, part: Range<usize>) -> (String, Range<usize>) {
        if line.len() <= LINE_LIMIT {
            return (self.text[line.clone()].to_owned(), part.start - line.start..part.end - line.start);
        }
        let boundary = |mut at: usize| {
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let from = boundary(part.start.saturating_sub(LINE_BEFORE).max(line.start));
        let to = boundary((from + LINE_LIMIT).min(line.end));
        let before = if from > line.start { ELLIPSIS } else { "" };
        let after = if to < line.end { ELLIPSIS } else { "" };
        let shift = |at: usize| at.clamp(from, to) - from + before.len();
        (format!("{before}{}{after}", &self.text[from..to]), shift(part.start)..shift(part.end))
    }

    fn blocks(&self) -> &[LineCounter] {
        self.blocks.get_or_init(|| {
            let mut count = LineCounter::new(self.line_break);
            let counts = self.text.as_bytes().chunks(BLOCK).map(|block| {
                let before = count;
                count = count.after(block);
                before
            });
            counts.collect()
        })
    }

    /// The count at an offset. One inside a character counts as the start of this character.
    fn count(&self, mut offset: usize) -> LineCounter {
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let block = self.blocks().get((offset / BLOCK).min(self.blocks().len().saturating_sub(1)));
        let block = block.copied().unwrap_or_else(|| LineCounter::new(self.line_break));
        block.after(&self.text.as_bytes()[block.offset..offset])
    }

    /// The end of the line of an offset, without its line end.
    fn line_end(&self, at: &LineCounter) -> usize {
        let blocks = self.blocks();
        // The last block that begins in this line contains its end, and all blocks before it do not.
        let last = blocks.partition_point(|block| block.position.line <= at.position.line).saturating_sub(1);
        let from = blocks.get(last).map_or(0, |block| block.offset).max(at.offset);
        let line_end = self.text.as_bytes()[from..]
            .iter()
            .position(|byte| *byte == self.line_break)
            .map_or(self.text.len(), |end| from + end);
        let has_return = line_end > at.line_start && self.text.as_bytes()[line_end - 1] == b'\r';
        line_end - usize::from(has_return)
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
        assert_eq!(span.end_column, 10);
        assert_eq!(place.label(), "f.sql:2:5");
    }

    #[test]
    fn a_place_keeps_a_long_line_only_around_its_part() {
        let line = "COMMIT; ü ".repeat(1_000);
        let text = format!("-- one\n{line}\n-- three");
        let source = SourceText::new("f.sql", &text);
        for number in 0..1_000 {
            let start = "-- one\n".len() + number * "COMMIT; ü ".len();
            let span = source.place(start..start + 7).span.unwrap();
            assert_eq!(span.position, Position { line: 2, column: number * 10 + 1 });
            assert_eq!(span.end_column, number * 10 + 8);
            assert_eq!(&span.line_text[span.part.clone()], "COMMIT;");
            assert!(span.line_text.len() <= LINE_LIMIT + 2 * ELLIPSIS.len(), "{}", span.line_text.len());
            assert_eq!(span.line_text.starts_with(ELLIPSIS), number > 7, "{number}: {}", span.line_text);
        }
        let span = source.place(0..text.len()).span.unwrap();
        assert_eq!((span.line_text.as_str(), span.end_column), ("-- one", 7));
        let span = source.place(7..text.len()).span.unwrap();
        assert_eq!(span.end_column, 10_001);
        assert!(span.line_text.ends_with(ELLIPSIS));
    }

    #[test]
    fn every_place_is_the_same_with_and_without_counts() {
        let text = "aü\r\n\nb\u{1f600}c\r\n".repeat(100);
        let source = SourceText::new("f.sql", &text);
        for start in 0..=text.len() {
            let span = source.place(start..start + 4).span.unwrap();
            assert_eq!(span.position, Position::of(&text, start), "{start}");
            let line = text.split('\n').nth(span.position.line - 1).unwrap().trim_end_matches('\r');
            assert_eq!(span.line_text, line);
        }
    }
}
