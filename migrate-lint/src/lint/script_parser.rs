//! Parses the statements of a script, with those inside blocks, and with the SQL that dynamic SQL executes.

use crate::context::ParsedStatement;
use crate::relation::HistoryPoint;
use migrate_model::dialect::Dialect;
use migrate_model::reader::{self, DynamicSql, DynamicTexts, InnerStatement};
use migrate_model::script::Script;
use migrate_model::syntax::Syntax;

/// Parses the statements of a script; those inside the body of a block follow the statement that contains it.
///
/// `transaction` is the number of the last transaction of the history.
pub fn parse(script: &Script, migration: usize, dialect: Dialect, transaction: &mut usize) -> Vec<ParsedStatement> {
    let mut parser =
        ScriptParser { script, dialect, texts: DynamicTexts::default(), parsed: Vec::with_capacity(script.statements.len()) };
    let mut unit = 0;
    for statement in 0..script.statements.len() {
        while script.units.get(unit).is_some_and(|unit| unit.statements.end <= statement) {
            unit += 1;
        }
        let unit = script.units.get(unit).filter(|unit| unit.statements.contains(&statement));
        let in_transaction = unit.is_some_and(|unit| unit.in_transaction);
        // Each unit is a transaction, and so is each statement outside one.
        if !in_transaction || unit.is_some_and(|unit| unit.statements.start == statement) {
            *transaction += 1;
        }
        let point = HistoryPoint { migration, transaction: *transaction };
        parser.statement(statement, point, in_transaction);
    }
    parser.parsed
}

/// The branch of the first of several texts that a statement may execute; larger than the branches of blocks.
const FIRST_ALTERNATIVE: usize = 1 << 32;

struct ScriptParser<'a> {
    script: &'a Script,
    dialect: Dialect,
    texts: DynamicTexts,
    parsed: Vec<ParsedStatement>,
}

impl ScriptParser<'_> {
    fn sql(&self, statement: usize) -> &str {
        self.script.statements[statement].sql(&self.script.text)
    }

    fn statement(&mut self, statement: usize, point: HistoryPoint, in_transaction: bool) {
        let sql = self.script.statements[statement].sql(&self.script.text);
        let syntax = reader::read(sql, self.dialect);
        let inner = reader::inner_statements(sql, &syntax, self.dialect);
        let outer = ParsedStatement { statement, syntax, point, in_transaction, in_block: false, branch: None };
        self.add(outer, 0..sql.len());
        self.add_inner(inner, statement, point, in_transaction);
    }

    fn add_inner(&mut self, inner: Vec<InnerStatement>, statement: usize, point: HistoryPoint, in_transaction: bool) {
        for InnerStatement { range, syntax, branch } in inner {
            self.add(ParsedStatement { statement, syntax, point, in_transaction, in_block: true, branch }, range);
        }
    }

    /// Adds a statement, and those that it executes as dynamic SQL. Such a statement has its place where its text is.
    fn add(&mut self, mut parsed: ParsedStatement, range: std::ops::Range<usize>) {
        let ParsedStatement { statement, point, in_transaction, branch, .. } = parsed;
        let sql = self.script.statements[statement].sql(&self.script.text);
        let dynamic = match &parsed.syntax {
            Syntax::Call { name: None } | Syntax::Set(_) | Syntax::Query | Syntax::Other | Syntax::Opaque => {
                self.texts.follow(sql, range, self.dialect, statement, branch.is_some())
            }
            _ => DynamicSql::None,
        };
        let texts = match dynamic {
            DynamicSql::None => {
                self.parsed.push(parsed);
                return;
            }
            DynamicSql::Prepares => {
                self.parsed.push(ParsedStatement { syntax: Syntax::Other, ..parsed });
                return;
            }
            DynamicSql::Executes(texts) => texts,
        };
        if !texts.has_unknown {
            parsed.syntax = Syntax::Other;
        }
        self.parsed.push(parsed);
        let is_alternative = texts.has_unknown || texts.literals.len() > 1;
        for (number, literal) in texts.literals.into_iter().enumerate() {
            let branch = if is_alternative { Some(FIRST_ALTERNATIVE + number) } else { branch };
            let inner = reader::statements_in_literal(self.sql(literal.statement), literal.range, branch, self.dialect);
            self.add_inner(inner, literal.statement, point, in_transaction);
        }
    }
}
