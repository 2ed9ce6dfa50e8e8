//! Finds the statements of a file by the words in them: a file may have thousands.

use crate::context::ParsedStatement;
use migrate_model::script::Script;
use migrate_model::syntax::Syntax;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

/// The statements of a script, by the words in them. Built when it is first used.
#[derive(Debug)]
pub struct StatementIndex<'a> {
    script: &'a Script,
    statements: &'a [ParsedStatement],
    by_word: OnceCell<ByWord>,
    alters: OnceCell<Vec<usize>>,
}

#[derive(Debug, Default)]
struct ByWord {
    /// Numbers of the statements that are not inside a block, by the words in lower case.
    numbers: HashMap<String, Vec<usize>>,
    /// Numbers of the statements inside blocks.
    in_blocks: Vec<usize>,
}

impl<'a> StatementIndex<'a> {
    /// The statements of a script, with those inside of blocks.
    pub fn new(script: &'a Script, statements: &'a [ParsedStatement]) -> Self {
        StatementIndex { script, statements, by_word: OnceCell::new(), alters: OnceCell::new() }
    }

    /// The numbers of the statements that are `ALTER TABLE`, in order.
    pub fn alters(&self) -> &[usize] {
        self.alters.get_or_init(|| {
            let numbered = self.statements.iter().enumerate();
            let alters = numbered.filter(|(_, statement)| matches!(statement.syntax, Syntax::AlterTable(_)));
            alters.map(|(number, _)| number).collect()
        })
    }

    /// The numbers of the statements in a range whose text contains all of these words, in upper or lower case, in order. There
    /// may be others among them: names that are not one word, and statements inside blocks, are not looked for.
    pub fn with_words<'i>(&'i self, words: &[&str], range: Range<usize>) -> impl Iterator<Item = usize> + use<'i, 'a> {
        let by_word = self.by_word.get_or_init(|| ByWord::of(self.script, self.statements));
        let lists = words.iter().filter_map(|word| words_of(word).next());
        let mut lists: Vec<&[usize]> =
            lists.map(|word| within(by_word.numbers.get(&word).map_or(&[], Vec::as_slice), &range)).collect();
        lists.sort_by_key(|list| list.len());
        let all = if lists.is_empty() { range.clone() } else { 0..0 };
        let shortest = if lists.is_empty() { &[][..] } else { lists.remove(0) };
        let in_all = move |number: &&usize| lists.iter().all(|list| list.binary_search(number).is_ok());
        let in_blocks = if all.is_empty() { within(&by_word.in_blocks, &range) } else { &[] };
        merged(shortest.iter().filter(in_all).copied(), in_blocks.iter().copied()).chain(all)
    }
}

/// The numbers of a sorted list that are in a range.
fn within<'a>(numbers: &'a [usize], range: &Range<usize>) -> &'a [usize] {
    let start = numbers.partition_point(|number| *number < range.start);
    let end = numbers.partition_point(|number| *number < range.end);
    &numbers[start.min(end)..end]
}

/// The numbers of two sorted lists without common ones, in order.
fn merged(left: impl Iterator<Item = usize>, right: impl Iterator<Item = usize>) -> impl Iterator<Item = usize> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some(first), Some(second)) if second < first => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    })
}

impl ByWord {
    fn of(script: &Script, statements: &[ParsedStatement]) -> Self {
        let mut all = ByWord::default();
        for (number, statement) in statements.iter().enumerate() {
            if statement.in_block {
                all.in_blocks.push(number);
                continue;
            }
            for word in words_of(script.statements[statement.statement].sql(&script.text)) {
                let numbers = all.numbers.entry(word).or_default();
                if numbers.last() != Some(&number) {
                    numbers.push(number);
                }
            }
        }
        all
    }
}

/// The words of a text, in lower case. A name with other characters has several.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::HistoryPoint;
    use migrate_model::dialect::Dialect;

    #[test]
    fn statements_are_found_by_all_of_their_words() {
        let text = "CREATE TABLE a (id int); DROP TABLE \"my-Table\"; DO $$ BEGIN DROP TABLE a; END $$; SELECT 'É b_c';";
        let script = Script::read(text.to_owned(), "1.sql", Dialect::Postgres).0;
        let parsed = |(statement, in_block)| ParsedStatement {
            statement,
            syntax: Syntax::Other,
            point: HistoryPoint { migration: 0, transaction: 0 },
            in_transaction: true,
            in_block,
            branch: None,
        };
        let statements = [(0, false), (1, false), (2, false), (2, true), (3, false)].map(parsed);
        let index = StatementIndex::new(&script, &statements);
        let with = |words: &[&str]| index.with_words(words, 0..5).collect::<Vec<_>>();
        // Number 3 is inside the block.
        assert_eq!((with(&["table", "A"]), with(&["my-Table"])), (vec![0, 2, 3], vec![1, 3]));
        assert_eq!((with(&["é", "B_C"]), with(&["b"])), (vec![3, 4], vec![3]));
        assert_eq!(with(&["-"]), [0, 1, 2, 3, 4]);
        let in_range = |range: Range<usize>| index.with_words(&["a"], range).collect::<Vec<_>>();
        assert_eq!((in_range(1..3), in_range(3..5), in_range(3..3)), (vec![2], vec![3], vec![]));
        assert!(index.alters().is_empty());
    }
}
