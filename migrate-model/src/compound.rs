//! The nesting of compound statements of MySQL and MariaDB: routines, triggers, events, and blocks at top level.
//!
//! `;` ends a statement only where no block is open. A word such as `IF` or `END` opens or closes a block only where a statement
//! can begin, so its position is tracked: `IF(a, b, c)`, `CASE ... END` in an expression and `AS end` are not blocks. Bodies of
//! `sql_mode=ORACLE` are tracked, too. What is not valid SQL ends somewhere; the server rejects it.
//!
//! Sources: MariaDB knowledge base, "Programmatic & Compound Statements" and "SQL_MODE=ORACLE"; MySQL 8.4 manual 15.6.

use crate::token::{Kind, Token};

/// A block that an `END` closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Body,
    /// What precedes the `BEGIN` of a routine in `sql_mode=ORACLE`, and the contents of a package.
    Declarations,
    /// `IF`, `CASE`, `LOOP`, `WHILE`, `REPEAT` and `FOR`.
    Control,
}

/// What a definition creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Definition {
    Trigger,
    Event,
    /// A procedure, a function or a package.
    Routine,
}

/// What the next token is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum BlockPosition {
    /// A statement can begin.
    #[default]
    Start,
    /// After the first word of a statement, which may be a label.
    FirstWord,
    /// Inside a statement without blocks.
    Simple,
    /// After `BEGIN` at top level: a transaction or a block.
    Begin,
    /// Between `CREATE` and the kind of object.
    Create,
    Alter,
    Header(Definition),
    /// After the parameters of a routine.
    Characteristics,
    /// After `AS` or `IS` of a routine.
    RoutineAs,
    /// After `FOR EACH ROW`.
    TriggerOrder,
    /// The name after `FOLLOWS` or `PRECEDES`.
    TriggerName,
    /// Between `IF`, `CASE`, `WHEN`, `WHILE`, `FOR` or `UNTIL` and the statements that follow.
    Condition,
    /// After `DECLARE`.
    Declare,
    /// The conditions after `HANDLER FOR`.
    HandlerCondition,
    /// After a condition of a handler.
    HandlerNext,
    /// `<<label>>`.
    AngleLabel,
}

/// The blocks that are open in a statement.
#[derive(Debug, Default)]
pub struct Compound {
    position: BlockPosition,
    blocks: Vec<Block>,
    /// The number of open `CASE` expressions.
    case_expressions: usize,
    parentheses: usize,
    previous: Option<Token>,
}

/// Words that begin a statement of a routine without blocks. `RETURNS SET(...)` and `CHARACTER SET` are types.
const SIMPLE: [&str; 48] = [
    "ALTER",
    "ANALYZE",
    "CACHE",
    "CALL",
    "CHECK",
    "CHECKSUM",
    "COMMIT",
    "CREATE",
    "DELETE",
    "DO",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "FLUSH",
    "GET",
    "GRANT",
    "HANDLER",
    "INSERT",
    "INSTALL",
    "KILL",
    "LOAD",
    "LOCK",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "RESET",
    "RESIGNAL",
    "RETURN",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "SIGNAL",
    "START",
    "STOP",
    "TRUNCATE",
    "UNINSTALL",
    "UNLOCK",
    "UPDATE",
    "USE",
    "VALUES",
    "WITH",
    "XA",
];

/// Words after `CREATE` that show that no body follows.
const WITHOUT_BODY: [&str; 16] = [
    "TABLE",
    "INDEX",
    "VIEW",
    "DATABASE",
    "SCHEMA",
    "USER",
    "ROLE",
    "SEQUENCE",
    "SERVER",
    "TEMPORARY",
    "TABLESPACE",
    "LOGFILE",
    "RESOURCE",
    "SPATIAL",
    "UNIQUE",
    "FULLTEXT",
];

/// Words that begin a line of a body, but never a statement: what precedes them belongs to the same statement.
const CONTINUATIONS: [&str; 7] = ["END", "UNTIL", "ELSE", "ELSEIF", "ELSIF", "WHEN", "EXCEPTION"];

/// Can a statement not begin with this word, because it is the rest of a body?
pub fn continues_body(sql: &str, word: Token) -> bool {
    CONTINUATIONS.iter().any(|continuation| word.is_word(sql, continuation))
}

impl Compound {
    /// Is a block open, so that `;` does not end the statement?
    pub fn is_open(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Reads the next token that is not blank.
    pub fn read(&mut self, sql: &str, token: Token) {
        // `NEW.end` is a column, and `@begin` is a variable.
        let qualified =
            self.previous.is_some_and(|last| last.is_symbol(sql, b'.') || (last.is_symbol(sql, b'@') && last.end == token.start));
        match token.kind {
            Kind::Symbol => self.symbol(sql, token),
            Kind::Word if !qualified => self.word(sql, token),
            _ => self.operand(),
        }
        self.previous = Some(token);
    }

    fn symbol(&mut self, sql: &str, token: Token) {
        let is = |symbol: u8| token.is_symbol(sql, symbol);
        if is(b';') {
            self.parentheses = 0;
            self.case_expressions = 0;
            self.position = BlockPosition::Start;
        } else if is(b'(') {
            self.parentheses += 1;
            self.operand();
        } else if is(b')') {
            self.parentheses = self.parentheses.saturating_sub(1);
            if self.position == BlockPosition::Header(Definition::Routine) && self.parentheses == 0 {
                self.position = BlockPosition::Characteristics;
            }
        } else if is(b':') && self.position == BlockPosition::FirstWord {
            self.position = BlockPosition::Start;
        } else if is(b'<') && self.position == BlockPosition::Begin {
            self.open(Block::Body, BlockPosition::AngleLabel);
        } else if is(b'<') && self.position == BlockPosition::Start {
            self.position = BlockPosition::AngleLabel;
        } else if is(b'>') && self.position == BlockPosition::AngleLabel {
            let second = self.previous.is_some_and(|last| last.is_symbol(sql, b'>'));
            self.position = if second { BlockPosition::Start } else { BlockPosition::AngleLabel };
        } else if is(b',') && self.position == BlockPosition::HandlerNext {
            self.position = BlockPosition::HandlerCondition;
        } else {
            self.operand();
        }
    }

    /// A name, a literal or an operator.
    fn operand(&mut self) {
        self.position = match self.position {
            BlockPosition::FirstWord | BlockPosition::Begin | BlockPosition::HandlerNext => BlockPosition::Simple,
            BlockPosition::Start => BlockPosition::FirstWord,
            BlockPosition::RoutineAs => BlockPosition::Simple,
            BlockPosition::HandlerCondition => BlockPosition::HandlerNext,
            BlockPosition::TriggerName => BlockPosition::Start,
            position => position,
        };
    }

    fn word(&mut self, sql: &str, token: Token) {
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
        let after = |words: &[&str]| self.previous.is_some_and(|last| words.iter().any(|word| last.is_word(sql, word)));
        match self.position {
            BlockPosition::Start => self.begin_statement(sql, token),
            BlockPosition::FirstWord | BlockPosition::Simple => {
                self.position = BlockPosition::Simple;
                self.expression(sql, token);
            }
            BlockPosition::Begin if is(&["NOT"]) => self.open(Block::Body, BlockPosition::Start),
            BlockPosition::Begin if is(&["WORK"]) => self.position = BlockPosition::Simple,
            BlockPosition::Begin => {
                self.open(Block::Body, BlockPosition::Start);
                self.begin_statement(sql, token);
            }
            BlockPosition::Create if after(&["DEFINER"]) || self.follows_symbol(sql) => {}
            BlockPosition::Create | BlockPosition::Alter => self.definition(sql, token),
            BlockPosition::Header(Definition::Trigger) if is(&["ROW"]) && after(&["EACH"]) => {
                self.position = BlockPosition::TriggerOrder
            }
            BlockPosition::Header(Definition::Event) if is(&["DO"]) && self.parentheses == 0 => {
                self.position = BlockPosition::Start
            }
            BlockPosition::Header(Definition::Routine) | BlockPosition::Characteristics
                if is(&["AS", "IS"]) && self.parentheses == 0 =>
            {
                self.position = BlockPosition::RoutineAs;
            }
            BlockPosition::Header(_) | BlockPosition::AngleLabel => {}
            BlockPosition::Characteristics => self.characteristic(sql, token),
            BlockPosition::RoutineAs => {
                self.open(Block::Declarations, BlockPosition::Start);
                self.begin_statement(sql, token);
            }
            BlockPosition::TriggerOrder if is(&["FOLLOWS", "PRECEDES"]) => self.position = BlockPosition::TriggerName,
            BlockPosition::TriggerOrder => self.begin_statement(sql, token),
            BlockPosition::TriggerName => self.position = BlockPosition::Start,
            BlockPosition::Condition => self.condition(sql, token),
            BlockPosition::Declare if is(&["HANDLER"]) => self.position = BlockPosition::HandlerCondition,
            BlockPosition::Declare => self.expression(sql, token),
            BlockPosition::HandlerCondition if is(&["FOR", "SQLSTATE", "VALUE", "NOT"]) => {}
            BlockPosition::HandlerCondition => self.position = BlockPosition::HandlerNext,
            BlockPosition::HandlerNext => self.begin_statement(sql, token),
        }
    }

    fn follows_symbol(&self, sql: &str) -> bool {
        self.previous.is_some_and(|last| last.is_symbol(sql, b'=') || last.is_symbol(sql, b'@'))
    }

    fn open(&mut self, block: Block, position: BlockPosition) {
        self.blocks.push(block);
        self.position = position;
    }

    /// A word where a statement can begin.
    fn begin_statement(&mut self, sql: &str, token: Token) {
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
        let after = |word: &str| self.previous.is_some_and(|last| last.is_word(sql, word));
        let top = self.blocks.last().copied();
        self.position = BlockPosition::FirstWord;
        if is(&["BEGIN"]) {
            match top {
                None if self.previous.is_none() => self.position = BlockPosition::Begin,
                Some(Block::Declarations) => {
                    self.blocks.pop();
                    self.open(Block::Body, BlockPosition::Start);
                }
                _ => self.open(Block::Body, BlockPosition::Start),
            }
        } else if is(&["END"]) {
            self.blocks.pop();
            self.position = BlockPosition::Simple;
        } else if is(&["IF", "CASE", "WHILE", "FOR"]) {
            self.open(Block::Control, BlockPosition::Condition);
        } else if is(&["LOOP", "REPEAT"]) {
            self.open(Block::Control, BlockPosition::Start);
        } else if is(&["ELSEIF", "ELSIF", "WHEN", "UNTIL"]) && top.is_some() {
            self.position = BlockPosition::Condition;
        } else if (is(&["ELSE", "EXCEPTION"]) && top.is_some())
            || (is(&["NOT"]) && after("BEGIN"))
            || (is(&["ATOMIC"]) && (after("NOT") || after("BEGIN")))
        {
            self.position = BlockPosition::Start;
        } else if is(&["DECLARE"]) {
            match top {
                None => self.open(Block::Declarations, BlockPosition::Declare),
                Some(_) => self.position = BlockPosition::Declare,
            }
        } else if is(&["CREATE"]) && top.is_none() {
            self.position = BlockPosition::Create;
        } else if is(&["ALTER"]) && top.is_none() {
            self.position = BlockPosition::Alter;
        } else if is(&["PROCEDURE", "FUNCTION"]) && top == Some(Block::Declarations) {
            self.position = BlockPosition::Header(Definition::Routine);
        }
    }

    /// A word between `CREATE` or `ALTER` and the kind of object.
    fn definition(&mut self, sql: &str, token: Token) {
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
        if is(&["EVENT"]) {
            self.position = BlockPosition::Header(Definition::Event);
        } else if self.position == BlockPosition::Alter {
            self.position =
                if is(&["DEFINER"]) || self.follows_symbol(sql) { BlockPosition::Alter } else { BlockPosition::Simple };
        } else if is(&["TRIGGER"]) {
            self.position = BlockPosition::Header(Definition::Trigger);
        } else if is(&["PROCEDURE", "FUNCTION", "PACKAGE"]) {
            self.position = BlockPosition::Header(Definition::Routine);
        } else if is(&WITHOUT_BODY) {
            self.position = BlockPosition::Simple;
        }
    }

    /// A word after the parameters of a routine: a type, a characteristic, or the beginning of the body.
    fn characteristic(&mut self, sql: &str, token: Token) {
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
        let is_type = self.previous.is_some_and(|last| {
            ["RETURNS", "CHARACTER", "CHAR", "CHARSET", "COLLATE", "SECURITY"].iter().any(|word| last.is_word(sql, word))
        });
        if is_type || self.parentheses > 0 {
            return;
        }
        if is(&["BEGIN", "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"]) {
            self.begin_statement(sql, token);
        } else if is(&SIMPLE) {
            self.position = BlockPosition::Simple;
        }
    }

    /// A word between `IF` and `THEN`, `WHILE` and `DO`, or the like.
    fn condition(&mut self, sql: &str, token: Token) {
        let is = |words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
        if self.case_expressions == 0 && self.parentheses == 0 {
            if is(&["THEN", "DO", "LOOP"]) {
                self.position = BlockPosition::Start;
                return;
            }
            // `UNTIL a > 3 END REPEAT`
            if is(&["END"]) {
                self.blocks.pop();
                self.position = BlockPosition::Simple;
                return;
            }
        }
        self.expression(sql, token);
    }

    /// A word in an expression: `CASE ... END` nests.
    fn expression(&mut self, sql: &str, token: Token) {
        // `END CASE` after the `END` of a block.
        let after_end = self.previous.is_some_and(|last| last.is_word(sql, "END"));
        if token.is_word(sql, "CASE") && !after_end {
            self.case_expressions += 1;
        } else if token.is_word(sql, "END") {
            self.case_expressions = self.case_expressions.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::token::Tokens;

    /// The number of statements, if `;` ends a statement where no block is open.
    fn count(sql: &str) -> usize {
        let mut compound = Compound::default();
        let (mut count, mut open) = (0, false);
        for token in Tokens::new(sql, Dialect::MySql).filter(|token| !token.is_blank()) {
            if token.is_symbol(sql, b';') && !compound.is_open() {
                count += usize::from(open);
                (compound, open) = (Compound::default(), false);
                continue;
            }
            compound.read(sql, token);
            open = true;
        }
        count + usize::from(open)
    }

    #[test]
    fn one_statement() {
        for sql in [
            "CREATE PROCEDURE p() BEGIN FOR i IN 1..4 DO SELECT i; END FOR; FOR r IN (SELECT 1) DO SELECT r.x; END FOR; END",
            "CREATE FUNCTION f(a ENUM('x'), b INT) RETURNS SET('a') CHARSET utf8 DETERMINISTIC COMMENT 'begin; if' READS SQL DATA \
             SQL SECURITY INVOKER RETURN CASE WHEN b THEN 'a' ELSE IF(1, 'b', 'a') END",
            "CREATE FUNCTION f() RETURNS VARCHAR(3) CHARACTER SET utf8 IF 1 THEN RETURN 'a'; END IF",
            "CREATE PROCEDURE IF NOT EXISTS p() COMMENT 'x' IF 1 THEN SELECT 1; END IF",
            "CREATE PROCEDURE p() l1: BEGIN SELECT 1; END l1",
            "CREATE PROCEDURE p() REPEAT SELECT 1; UNTIL REPEAT('x', 1) = 'x' END REPEAT",
            "CREATE PROCEDURE p() ALTER TABLE t ADD COLUMN IF NOT EXISTS c INT",
            "CREATE DEFINER = event@localhost EVENT e ON SCHEDULE EVERY 1 DAY COMMENT 'do' DO BEGIN IF 1 THEN SELECT 1; END IF; END",
            "ALTER DEFINER = a@b EVENT e DO BEGIN SELECT 1; SELECT 2; END",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW FOLLOWS begin BEGIN SET NEW.end = 1; SET NEW.b = IF(1, 2, 3); END",
            "CREATE TRIGGER t AFTER DELETE ON a FOR EACH ROW IF OLD.a THEN SELECT CASE WHEN 1 THEN 2 END INTO @end; END IF",
            "BEGIN NOT ATOMIC DECLARE x INT DEFAULT CASE WHEN 1 THEN 2 END; WHILE (CASE WHEN x THEN x > 0 ELSE 0 END) DO \
             SET x = x - 1; SELECT CASE x WHEN 1 THEN 5 ELSE 6 END AS a; END WHILE; END",
            "BEGIN NOT ATOMIC SELECT 1 AS end; SELECT 2 end; END",
            "BEGIN NOT ATOMIC IF 0 THEN SELECT 1; ELSEIF (1) THEN SELECT 2; ELSE SELECT 3; END IF; END",
            "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR NOT FOUND, 1062 BEGIN SELECT 1; END; \
             DECLARE EXIT HANDLER FOR SQLSTATE VALUE '23000', cc SELECT 5; SELECT 2; END",
            "BEGIN NOT ATOMIC l: LOOP LEAVE l; END LOOP l; CASE 1 WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; END",
            "IF 1 THEN SELECT 1; END IF",
            "FOR i IN 1..2 DO SELECT i; END FOR",
            "REPEAT SELECT 1; UNTIL 1 END REPEAT",
            "CASE WHEN 1 THEN SELECT 1; END CASE",
            "WHILE 0 DO SELECT 1; END WHILE",
            "LOOP SELECT 1; END LOOP",
            "CREATE OR REPLACE PROCEDURE p AS x INT := 1; CURSOR c IS SELECT 1; BEGIN SELECT x; FOR i IN 1..2 LOOP SELECT i; END LOOP; \
             EXCEPTION WHEN NO_DATA_FOUND THEN SELECT 8; WHEN OTHERS THEN BEGIN SELECT 9; END; END p",
            "CREATE PACKAGE pk AS FUNCTION f RETURN INT; PROCEDURE q; END",
            "CREATE PACKAGE BODY pk AS v INT := 5; FUNCTION f RETURN INT AS BEGIN RETURN v; END; PROCEDURE q AS BEGIN SELECT f(); END; \
             BEGIN SET v = 7; END",
            "DECLARE a INT := 1; BEGIN SELECT a; END",
            "BEGIN <<l>> LOOP EXIT l; END LOOP l; IF 1 THEN SELECT 1; ELSIF 2 THEN NULL; END IF; END",
        ] {
            assert_eq!(count(sql), 1, "{sql}");
            assert_eq!(count(&format!("{sql}; SELECT 1; {sql};")), 3, "{sql}");
        }
    }

    #[test]
    fn several_statements() {
        for (sql, expected) in [
            ("BEGIN; SELECT 1; COMMIT", 3),
            ("BEGIN WORK; SELECT 1; COMMIT WORK", 3),
            ("START TRANSACTION; SELECT CASE 1 WHEN 1 THEN 2 END; COMMIT", 3),
            ("CREATE TABLE trigger_log (`begin` INT, event INT); SELECT 1", 2),
            ("CREATE UNIQUE INDEX event ON t (a); CREATE TEMPORARY TABLE function (a INT); SELECT 1", 3),
            ("CREATE SQL SECURITY DEFINER VIEW trigger AS SELECT 1; SELECT 1", 2),
            ("ALTER TABLE event ADD a INT; ALTER PROCEDURE p COMMENT 'x'; SELECT 1", 3),
            ("DROP TABLE IF EXISTS t; SELECT IF(1, 2, 3); SELECT REPEAT('a', 2)", 3),
            ("CREATE FUNCTION f RETURNS STRING SONAME 'x.so'; SELECT 1", 2),
            ("CREATE PROCEDURE p() SELECT 1; CALL p()", 2),
            ("SELECT CASE 1 WHEN 1 THEN 2; SELECT 1", 2),
            ("", 0),
        ] {
            assert_eq!(count(sql), expected, "{sql}");
        }
    }
}
