//! Parses the statements of a script, with those inside blocks, and with the SQL that dynamic SQL executes.

use crate::context::ParsedStatement;
use crate::relation::HistoryPoint;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::reader::{self, DynamicSql, DynamicTexts, InnerStatement};
use migrate_model::script::Script;
use migrate_model::syntax::Syntax;
use std::collections::HashMap;
use std::ops::Range;

/// Parses the statements of a script; those inside the body of a block follow the statement that contains it.
///
/// `transaction` is the number of the last transaction of the history.
pub fn parse(script: &Script, migration: usize, dialect: Dialect, transaction: &mut usize) -> Vec<ParsedStatement> {
    let mut parser = ScriptParser {
        script,
        dialect,
        texts: DynamicTexts::default(),
        parsed: Vec::with_capacity(script.statements.len()),
        routines: Vec::new(),
        active: Vec::new(),
        routines_by_name: HashMap::new(),
    };
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

/// The branch of the first of several routines that a statement may call.
const FIRST_ROUTINE: usize = 1 << 40;

/// How many calls of a routine are followed in a file. What it executes was checked at the first ones.
const MAX_CALLS: usize = 4;

/// A routine that the script creates.
struct DefinedRoutine {
    name: Name,
    /// The statement that creates it.
    statement: usize,
    /// The body in it; `None` if its names mean something else, because it has a search path of its own.
    body: Option<Range<usize>>,
    /// How many calls were followed.
    calls: usize,
}

impl DefinedRoutine {
    /// May a call with this name mean it?
    fn is_called(&self, called: &Name) -> bool {
        let same = |left: &String, right: &String| left.eq_ignore_ascii_case(right);
        let schemas = self.name.schema.as_ref().zip(called.schema.as_ref());
        same(&self.name.name, &called.name) && schemas.is_none_or(|(left, right)| same(left, right))
    }
}

struct ScriptParser<'a> {
    script: &'a Script,
    dialect: Dialect,
    texts: DynamicTexts,
    parsed: Vec<ParsedStatement>,
    routines: Vec<DefinedRoutine>,
    /// Their positions, by their names in lower case.
    routines_by_name: HashMap<String, Vec<usize>>,
    /// The routines whose bodies are being read: they may call themselves.
    active: Vec<usize>,
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
        let calls = self.called(&outer.syntax, sql);
        // A block may not reach the call, and a change may have no row.
        let is_certain = matches!(outer.syntax, Syntax::Call { .. } | Syntax::Query);
        let sets_path = match outer.syntax {
            Syntax::CreateRoutine { sets_path, .. } => Some(sets_path),
            _ => None,
        };
        self.add(outer, 0..sql.len());
        self.add_inner(inner, statement, point, in_transaction);
        let routine = sets_path.and_then(|sets_path| Some((sets_path, reader::routine_body(sql, self.dialect)?)));
        if let Some((sets_path, (name, body))) = routine {
            let at = self.routines.len();
            self.routines_by_name.entry(name.name.to_ascii_lowercase()).or_default().push(at);
            self.routines.push(DefinedRoutine { name, statement, body: (!sets_path).then_some(body), calls: 0 });
        }
        self.follow(&calls, is_certain, point, in_transaction);
    }

    /// The routines of the script that a statement may call, by position.
    fn called(&self, syntax: &Syntax, sql: &str) -> Vec<usize> {
        let names = match syntax {
            _ if self.routines.is_empty() => return Vec::new(),
            Syntax::Call { name: Some(name) } => vec![name.clone()],
            Syntax::Query | Syntax::Do { .. } | Syntax::Insert(_) | Syntax::Update(_) | Syntax::Delete(_) | Syntax::Set(_) => {
                reader::called_names(sql, self.dialect)
            }
            _ => return Vec::new(),
        };
        self.routines_named(&names)
    }

    fn routines_named(&self, names: &[Name]) -> Vec<usize> {
        let mut called = Vec::new();
        for name in names {
            let candidates = self.routines_by_name.get(&name.name.to_ascii_lowercase()).into_iter().flatten();
            called.extend(candidates.copied().filter(|at| {
                let routine = &self.routines[*at];
                routine.calls < MAX_CALLS && !self.active.contains(at) && routine.is_called(name)
            }));
        }
        called.sort_unstable();
        called.dedup();
        called
    }

    /// Adds the statements that these routines execute, where their bodies are. Of routines with one name, it is not certain which
    /// one is called.
    fn follow(&mut self, calls: &[usize], is_certain: bool, point: HistoryPoint, in_transaction: bool) {
        for at in calls {
            self.routines[*at].calls += 1;
            let DefinedRoutine { statement, ref body, .. } = self.routines[*at];
            let (script, body) = (self.script, body.clone());
            let sql = script.statements[statement].sql(&script.text);
            let name = &self.routines[*at].name;
            let is_only = calls.iter().filter(|other| self.routines[**other].is_called(name)).count() == 1;
            let branch = (!is_certain || !is_only).then_some(FIRST_ROUTINE + at);
            if body.as_ref().is_none_or(|body| reader::executes_text(sql, body.clone(), self.dialect)) {
                let syntax = Syntax::Call { name: None };
                self.parsed.push(ParsedStatement { statement, syntax, point, in_transaction, in_block: true, branch });
            }
            let Some(body) = body else { continue };
            let inner = reader::statements_in_body(sql, body.clone(), branch, self.dialect);
            self.active.push(*at);
            self.add_inner(inner, statement, point, in_transaction);
            let names = reader::called_names(&sql[body], self.dialect);
            let further = self.routines_named(&names);
            self.follow(&further, false, point, in_transaction);
            self.active.pop();
        }
    }

    fn add_inner(&mut self, inner: Vec<InnerStatement>, statement: usize, point: HistoryPoint, in_transaction: bool) {
        for InnerStatement { range, syntax, branch } in inner {
            self.add(ParsedStatement { statement, syntax, point, in_transaction, in_block: true, branch }, range);
        }
    }

    /// Adds a statement, and those that it executes as dynamic SQL. Such a statement has its place where its text is.
    fn add(&mut self, mut parsed: ParsedStatement, range: Range<usize>) {
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
