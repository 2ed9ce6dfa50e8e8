//! Parses the bodies of blocks: `DO` of PostgreSQL, and the compound statements of MySQL and MariaDB.
//!
//! A statement in a block is conditional if the block can end normally without it: inside a branch or a loop, after a statement
//! that can leave the block, and where a handler catches errors, because the handler also undoes what was done (PostgreSQL) or
//! skips the rest (MySQL).

use super::literal;
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use std::ops::Range;

/// A statement in the body of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockStatement {
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// The number of its branch, if the block can end normally without it. The statements of a branch are executed together.
    pub branch: Option<usize>,
}

/// Words that begin a statement that the schema, locks or settings depend on.
const STARTS: [&str; 23] = [
    "CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "LOCK", "REFRESH", "COMMENT", "GRANT", "REVOKE",
    "MERGE", "REINDEX", "CLUSTER", "CALL", "COPY", "LOAD", "RENAME", "REPLACE", "OPTIMIZE", "SET", "PREPARE",
];

/// Words that begin a branch or a loop, which ends with `END`.
const BRANCHES: [&str; 7] = ["IF", "CASE", "FOR", "WHILE", "LOOP", "FOREACH", "REPEAT"];

/// Words after which the block may not continue with the next statement.
const EXITS: [&str; 5] = ["RETURN", "EXIT", "LEAVE", "ITERATE", "CONTINUE"];

/// What encloses statements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    /// `BEGIN`.
    Block,
    /// `BEGIN` with a handler, which catches errors.
    CaughtBlock,
    /// A branch or a loop.
    Branch,
}

/// A `BEGIN`, a branch or a loop that has not ended yet.
struct Frame {
    kind: FrameKind,
    /// The number of the branch that its statements belong to.
    branch: usize,
    /// The number of statements before it.
    first: usize,
}

struct BlockParser<'c, 's> {
    cursor: &'c mut Cursor<'s>,
    frames: Vec<Frame>,
    statements: Vec<BlockStatement>,
    /// The number of branches so far.
    branches: usize,
    /// The branch after a statement that can end the block.
    after_exit: Option<usize>,
}

/// The statements of a body, in order. A statement begins after a semicolon or after a word such as `BEGIN` or `THEN`.
pub fn statements(cursor: &mut Cursor<'_>) -> Vec<BlockStatement> {
    let mut parser = BlockParser { cursor, frames: Vec::new(), statements: Vec::new(), branches: 0, after_exit: None };
    let mut begins = true;
    while !parser.cursor.is_at_end() {
        if begins && parser.label() {
            continue;
        }
        if begins {
            parser.statement();
        }
        // `THEN`, `ELSE` and `WHEN` begin another branch.
        if parser.cursor.peek_any(&["THEN", "ELSE"]) {
            parser.next_branch();
        }
        let cursor = &mut *parser.cursor;
        begins = cursor.peek_symbol(b';')
            || cursor.peek_any(&["BEGIN", "THEN", "ELSE", "LOOP", "REPEAT"])
            || cursor.dialect == Dialect::MySql && cursor.peek_any(&["DO", "ATOMIC"])
            || begins && cursor.peek("EXCEPTION");
        cursor.skip();
    }
    parser.statements
}

impl BlockParser<'_, '_> {
    /// Skips `<<label>>` (PostgreSQL) or `label:` (MySQL).
    fn label(&mut self) -> bool {
        let cursor = &mut *self.cursor;
        let before = cursor.position();
        if cursor.symbol(b'<') && cursor.symbol(b'<') {
            cursor.part();
            if cursor.symbol(b'>') && cursor.symbol(b'>') {
                return true;
            }
        } else if cursor.dialect == Dialect::MySql && cursor.part().is_some() && cursor.symbol(b':') && !cursor.peek_symbol(b'=')
        {
            return true;
        }
        cursor.rewind(before);
        false
    }

    /// Reads what begins at the cursor, up to its last token.
    fn statement(&mut self) {
        if self.cursor.peek("BEGIN") {
            self.open(FrameKind::Block);
        } else if self.cursor.peek_any(&BRANCHES) && !self.is_assigned() {
            self.open(FrameKind::Branch);
        } else if self.cursor.peek("END") {
            self.close();
        } else if self.cursor.peek("EXCEPTION") {
            self.catch();
        } else if self.cursor.peek("DECLARE") {
            self.declaration();
        } else if self.cursor.peek_any(&EXITS) {
            self.exit();
        } else if self.cursor.peek("EXECUTE") {
            self.execute();
        } else if self.cursor.peek_any(&STARTS) && !self.is_assigned() {
            let start = self.cursor.offset();
            self.skip_statement();
            self.add(self.cursor.since(start));
        }
    }

    fn open(&mut self, kind: FrameKind) {
        self.branches += 1;
        self.frames.push(Frame { kind, branch: self.branches, first: self.statements.len() });
    }

    fn next_branch(&mut self) {
        self.branches += 1;
        if let Some(frame) = self.frames.last_mut() {
            frame.branch = self.branches;
        }
    }

    fn close(&mut self) {
        self.frames.pop();
        if BRANCHES.iter().any(|word| self.cursor.peek_at(1, word)) {
            self.cursor.skip();
        }
    }

    /// `EXCEPTION`: an error undoes the statements of the block, and the following ones are handlers.
    fn catch(&mut self) {
        if let Some(frame) = self.frames.iter_mut().rfind(|frame| frame.kind != FrameKind::Branch) {
            frame.kind = FrameKind::CaughtBlock;
            let branch = frame.branch;
            for statement in &mut self.statements[frame.first..] {
                statement.branch.get_or_insert(branch);
            }
        }
    }

    /// `DECLARE ... HANDLER FOR ... statement` (MySQL).
    fn declaration(&mut self) {
        let is_handler = self.cursor.dialect == Dialect::MySql && self.cursor.peek_at(2, "HANDLER");
        if let Some(frame) = self.frames.last_mut().filter(|_| is_handler) {
            frame.kind = FrameKind::CaughtBlock;
            while !self.cursor.is_at_end() && !self.cursor.peek_symbol(b';') {
                if self.cursor.peek("BEGIN") || self.cursor.peek_any(&STARTS) && !self.cursor.peek("SET") {
                    return self.statement();
                }
                self.cursor.skip();
            }
        }
    }

    /// `EXIT WHEN` and `CONTINUE` leave only a loop, whose statements are conditional anyway.
    fn exit(&mut self) {
        let leaves_loop = self.cursor.peek_any(&["EXIT", "CONTINUE"])
            && (self.cursor.peek_at(1, "WHEN") || self.cursor.peek_symbol_at(1, b';'))
            && self.frames.iter().any(|frame| frame.kind == FrameKind::Branch);
        if !leaves_loop {
            self.branches += 1;
            self.after_exit = Some(self.branches);
        }
    }

    /// `EXECUTE 'literal'` of PostgreSQL, and `EXECUTE IMMEDIATE 'literal'` of MariaDB.
    fn execute(&mut self) {
        let start = self.cursor.offset();
        let text = literal::executed(self.cursor);
        self.skip_statement();
        let range = self.cursor.since(start);
        match (text, self.cursor.dialect) {
            (Some(text), _) => self.add(text),
            (None, Dialect::MySql) => self.add(range),
            // The text is built at run time.
            (None, _) => {}
        }
    }

    /// `set := 1` assigns a variable.
    fn is_assigned(&self) -> bool {
        [b':', b'=', b'.', b'['].iter().any(|symbol| self.cursor.peek_symbol_at(1, *symbol))
    }

    fn skip_statement(&mut self) {
        while !self.cursor.is_at_end() && !self.cursor.peek_symbol(b';') {
            self.cursor.skip();
        }
    }

    fn add(&mut self, range: Range<usize>) {
        let inner = self.frames.iter().rfind(|frame| frame.kind != FrameKind::Block);
        // A handler of MySQL undoes nothing, so that each statement may succeed alone.
        if inner.is_some_and(|frame| frame.kind == FrameKind::CaughtBlock) && self.cursor.dialect == Dialect::MySql {
            self.next_branch();
        }
        let inner = self.frames.iter().rfind(|frame| frame.kind != FrameKind::Block).map(|frame| frame.branch);
        self.statements.push(BlockStatement { range, branch: inner.or(self.after_exit) });
    }
}
