//! Looks at migrations, one after another, with all that was before them in mind.

use crate::allow::Allowed;
use crate::context::{self, DownResult, File, FileContext, HeldLock, ParsedStatement, StatementContext};
use crate::impact::{ImpactContext, impacts};
use crate::owners;
use crate::relation::HistoryPoint;
use crate::round_trip;
use crate::rule::{Check, Rule};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::rules;
use crate::server::Server;
use crate::simulation::Simulation;
use migrate_model::checksum::Checksum;
use migrate_model::dialect::Dialect;
use migrate_model::directives;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_model::place::Place;
use migrate_model::reader;
use migrate_model::script::{self, Script};
use migrate_model::syntax::{Control, Setting, Syntax};
use migrate_model::target::Direction;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::Duration;

/// What is looked at, and how.
#[derive(Debug, Clone)]
pub struct LintOptions {
    /// The server.
    pub server: Server,
    /// What rules weigh here, by name; none is looked for that weighs nothing.
    pub levels: BTreeMap<String, Option<Level>>,
    /// Tables that are known to stay small.
    pub small_tables: Vec<String>,
    /// Which files are not deployed.
    pub scope: LintScope,
    /// What settings say of `lock_timeout`, for rules that ask whether there is one.
    pub lock_timeout: Option<String>,
    /// The same of `statement_timeout`.
    pub statement_timeout: Option<String>,
}

/// Which files are not deployed, and so looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LintScope {
    /// Nobody knows: all are looked at, each as if those before it were deployed.
    All,
    /// Those at these places of the history.
    Only(BTreeSet<usize>),
}

impl LintOptions {
    /// Every rule as it comes, and all files.
    pub fn new(dialect: Dialect) -> Self {
        LintOptions {
            server: Server::of(dialect),
            levels: BTreeMap::new(),
            small_tables: Vec::new(),
            scope: LintScope::All,
            lock_timeout: None,
            statement_timeout: None,
        }
    }

    /// What a rule weighs here.
    pub fn level(&self, rule: &Rule) -> Option<Level> {
        match self.levels.get(rule.code.name) {
            Some(level) => *level,
            None => (!rule.opt_in).then_some(rule.level),
        }
    }
}

/// A place where a rule found something, for those who would change it.
#[derive(Debug, Clone)]
pub struct FixTarget {
    /// The place of the migration in the history.
    pub migration: usize,
    /// The statement of its way up.
    pub statement: usize,
    /// Inside a block?
    pub in_block: bool,
    /// The rule.
    pub rule: &'static str,
    /// Which part of the statement, as bytes of its text.
    pub range: Option<Range<usize>>,
    /// What could be written behind the statement.
    pub append: Option<String>,
}

/// Everything that rules find in migrations that are in version order.
pub fn lint(history: &[Migration], options: &LintOptions) -> Vec<Finding> {
    lint_with_targets(history, options).0
}

/// The same, and the places one by one.
pub fn lint_with_targets(history: &[Migration], options: &LintOptions) -> (Vec<Finding>, Vec<FixTarget>) {
    let dialect = options.server.dialect();
    let chosen = rules::ALL.iter().copied().filter(|rule| rule.on.contains(&dialect));
    let enabled: Vec<EnabledRule> = chosen.filter_map(|rule| Some((rule, options.level(rule)?))).collect();
    let down = enabled.iter().copied().filter(|(rule, _)| rule.down).collect();
    let mut linting = Linter {
        history,
        options,
        chosen: enabled,
        enabled_for_down: down,
        simulation: Simulation::new(dialect),
        first_with_checksum: HashMap::new(),
        transaction: 0,
        findings: Vec::new(),
        targets: Vec::new(),
    };
    let mut findings = Vec::new();
    for index in 0..history.len() {
        linting.migration(index);
        findings.extend(group_by_rule(std::mem::take(&mut linting.findings)));
    }
    (findings, linting.targets)
}

/// A rule, and what it weighs.
type EnabledRule = (&'static Rule, Level);

struct Linter<'a> {
    history: &'a [Migration],
    options: &'a LintOptions,
    chosen: Vec<EnabledRule>,
    /// Those that look at ways down, too.
    enabled_for_down: Vec<EnabledRule>,
    simulation: Simulation,
    /// The first migration of each sum.
    first_with_checksum: HashMap<Checksum, usize>,
    transaction: usize,
    findings: Vec<Finding>,
    targets: Vec<FixTarget>,
}

/// What a session was set to, as far as the file says.
#[derive(Debug, Default, Clone)]
struct SessionState {
    utc: bool,
    unchecked: bool,
    lock_timeout: Option<String>,
    statement_timeout: Option<String>,
    foreign_keys: Option<bool>,
}

impl SessionState {
    fn set(&mut self, read: &ParsedStatement) {
        match &read.syntax {
            Syntax::Set(settings) => settings.iter().for_each(|setting| self.setting(setting)),
            // Inside a transaction it does nothing.
            Syntax::Pragma { name, value: Some(value) } if name == "foreign_keys" && !read.in_transaction => {
                self.foreign_keys = Some(!matches!(value.as_str(), "off" | "0" | "false" | "no"));
            }
            _ => {}
        }
    }

    fn setting(&mut self, setting: &Setting) {
        let value = setting.value.as_deref();
        match setting.name.as_str() {
            "timezone" => {
                self.utc =
                    value.is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "utc" | "0" | "etc/utc" | "gmt"))
            }
            "foreign_key_checks" => self.unchecked = value.is_some_and(|value| matches!(value, "0" | "off")),
            "lock_timeout" => self.lock_timeout = Some(value.unwrap_or("0").to_owned()),
            "statement_timeout" => self.statement_timeout = Some(value.unwrap_or("0").to_owned()),
            "all" if value.is_none() => *self = SessionState::default(),
            _ => {}
        }
    }
}

impl Linter<'_> {
    fn migration(&mut self, index: usize) {
        let migration = &self.history[index];
        let nothing = BTreeSet::new();
        let (examined, pending) = match &self.options.scope {
            LintScope::All => (true, &nothing),
            LintScope::Only(places) => (places.contains(&index), places),
        };
        let first =
            *self.first_with_checksum.entry(effective_checksum(&migration.up, self.options.server.dialect())).or_insert(index);
        let reads = self.read(&migration.up, index);
        let file = File {
            migration,
            index,
            direction: Direction::Up,
            script: &migration.up,
            statements: &reads,
            before: &self.history[..index],
            pending,
            server: self.options.server,
            small_tables: &self.options.small_tables,
        };
        self.simulation.schema.forget_journal();
        let mark = self.simulation.schema.savepoint();
        let mut allowed = Allowed::of(&migration.up, self.options.server.dialect());
        self.walk(&file, examined.then_some(&mut allowed));
        if !examined {
            return;
        }
        let mut down_allowed = migration.down.as_ref().map(|script| Allowed::of(script, self.options.server.dialect()));
        let down = migration.down.as_ref().map(|script| self.down(script, &file, mark, down_allowed.as_mut()));
        let context = FileContext {
            file,
            history: &self.history[..=index],
            same_as: (first != index).then_some(first),
            after: &self.simulation,
            before: mark,
            down: down.as_ref(),
        };
        let mut found = Vec::new();
        for (rule, level) in &self.chosen {
            if let Check::File(check) = rule.check {
                let mut rule_findings = RuleFindings::default();
                check(&context, &mut rule_findings);
                found.extend(rule_findings.all.into_iter().map(|rule_finding| (*rule, *level, rule_finding)));
            }
        }
        for (rule, level, rule_finding) in found {
            let place = match &rule_finding.range {
                Some(range) => Place::range(&*migration.up.file, &migration.up.text, range.clone()),
                None => Place::file(&*migration.up.file),
            };
            let below = down_allowed.as_mut().is_some_and(|allowed| allowed.suppresses(rule.code.name, None));
            if !allowed.suppresses(rule.code.name, None) && !below {
                self.findings.push(finding(rule, level, rule_finding, place));
            }
        }
        let known = |name: &str| self.chosen.iter().any(|(rule, _)| rule.code.name == name);
        let mut problems = allowed.problems(&migration.up, known, &owners::CODES);
        if let (Some(script), Some(allowed)) = (&migration.down, down_allowed) {
            problems.extend(allowed.problems(script, known, &owners::CODES));
        }
        self.findings.extend(problems);
    }

    /// The statements of a script, those in blocks among them.
    fn read(&mut self, script: &Script, index: usize) -> Vec<ParsedStatement> {
        let dialect = self.options.server.dialect();
        let mut reads = Vec::with_capacity(script.statements.len());
        let mut unit = 0;
        for (number, statement) in script.statements.iter().enumerate() {
            while script.units.get(unit).is_some_and(|unit| unit.statements.end <= number) {
                unit += 1;
            }
            let own = script.units.get(unit).filter(|unit| unit.statements.contains(&number));
            let in_transaction = own.is_some_and(|unit| unit.in_transaction);
            // What runs outside is a transaction of its own; and so is each unit.
            if !in_transaction || own.is_some_and(|unit| unit.statements.start == number) {
                self.transaction += 1;
            }
            let sql = statement.sql(&script.text);
            let syntax = reader::read(sql, dialect);
            let at = HistoryPoint { migration: index, transaction: self.transaction };
            let inner = reader::inner_statements(sql, &syntax, dialect);
            reads.push(ParsedStatement {
                statement: number,
                syntax,
                point: at,
                in_transaction,
                in_block: false,
                conditional: false,
            });
            reads.extend(inner.into_iter().map(|(range, perhaps)| ParsedStatement {
                statement: number,
                syntax: reader::read_part(sql, range, dialect),
                point: at,
                in_transaction,
                in_block: true,
                conditional: perhaps,
            }));
        }
        reads
    }

    /// Carries a file out, and shows each statement to the rules if it is looked at.
    fn walk(&mut self, file: &File<'_>, mut allowed: Option<&mut Allowed>) {
        let directives = &file.script.directives;
        let given = |said: Option<Duration>, settings: &Option<String>| {
            said.map(|limit| format!("{}ms", limit.as_millis())).or_else(|| settings.clone())
        };
        let mut session = SessionState {
            lock_timeout: given(directives.lock_timeout, &self.options.lock_timeout),
            statement_timeout: given(directives.timeout, &self.options.statement_timeout),
            ..SessionState::default()
        };
        let mut held: Vec<HeldLock> = Vec::new();
        let mut savepoints: Vec<(String, usize)> = Vec::new();
        // What holds only until the transaction ends, and what then holds again.
        let mut outer: Option<SessionState> = None;
        let mut transaction = None;
        self.simulation.begin_file();
        for (number, read) in file.statements.iter().enumerate() {
            if transaction != Some(read.point.transaction) {
                held.clear();
                savepoints.clear();
                session = outer.take().unwrap_or(session);
                self.simulation.end_transaction();
                transaction = Some(read.point.transaction);
            }
            if let Some(allowed) = &mut allowed {
                let sql = file.sql(read);
                let circumstances = ImpactContext {
                    server: file.server,
                    utc: session.utc,
                    foreign_keys_unchecked: session.unchecked,
                    table_is_empty: context::is_empty(&self.simulation.schema, read, file.pending),
                };
                let impacts = impacts(&self.simulation.schema, &read.syntax, sql, circumstances);
                let context = StatementContext {
                    file: *file,
                    schema: &self.simulation.schema,
                    parsed: read,
                    number,
                    sql,
                    impacts: &impacts,
                    held_locks: &held,
                    foreign_keys_unchecked: session.unchecked,
                    lock_timeout: session.lock_timeout.as_deref(),
                    statement_timeout: session.statement_timeout.as_deref(),
                    foreign_keys_enforced: session.foreign_keys.unwrap_or(true),
                };
                let found = match file.direction {
                    Direction::Up => check_statement(&context, &self.chosen),
                    Direction::Down => check_statement(&context, &self.enabled_for_down),
                };
                for (rule, level, rule_finding) in found {
                    if allowed.suppresses(rule.code.name, Some(read.statement)) {
                        continue;
                    }
                    if file.direction == Direction::Up {
                        self.targets.push(FixTarget {
                            migration: file.index,
                            statement: read.statement,
                            in_block: read.in_block,
                            rule: rule.code.name,
                            range: rule_finding.range.clone(),
                            append: rule_finding.append.clone(),
                        });
                    }
                    let start = file.script.statements[read.statement].range.start;
                    let range = rule_finding.range.clone().unwrap_or(0..sql.len());
                    let place = Place::range(&*file.script.file, &file.script.text, start + range.start..start + range.end);
                    self.findings.push(finding(rule, level, rule_finding, place));
                }
                for impact in &impacts {
                    held.push(HeldLock {
                        table: impact.table.clone(),
                        lock: impact.lock,
                        since: read.statement,
                        cause: impact.cause.clone(),
                    });
                }
            }
            if matches!(read.syntax, Syntax::Transaction(Control::Commit | Control::Rollback)) {
                held.clear();
                session = outer.take().unwrap_or(session);
                self.simulation.end_transaction();
            }
            match &read.syntax {
                Syntax::Transaction(Control::Savepoint(name)) => savepoints.push((name.clone(), held.len())),
                // Locks that were taken since are given back. (PostgreSQL manual, 13.3)
                Syntax::Transaction(Control::RollbackTo(name)) => {
                    let since = savepoints.iter().rev().find(|(own, _)| own == name);
                    held.truncate(since.map_or(held.len(), |(_, count)| *count));
                }
                Syntax::Set(settings) if settings.iter().any(|setting| setting.local) && outer.is_none() => {
                    outer = Some(session.clone());
                }
                _ => {}
            }
            // Outside a transaction `SET LOCAL` does nothing.
            let nothing = matches!(&read.syntax, Syntax::Set(settings) if settings.iter().all(|setting| setting.local))
                && !read.in_transaction;
            if nothing {
                outer = None;
                continue;
            }
            session.set(read);
            // What it puts together, or what a function of one's own does, nobody can tell.
            let hidden = match &read.syntax {
                Syntax::Do { body } => reader::executes_text(file.sql(read), body.clone(), file.server.dialect()),
                Syntax::Query => self.simulation.schema.calls_user_function(file.sql(read)),
                _ => false,
            };
            if hidden {
                self.simulation.schema.set_opaque();
            }
            match read.conditional {
                true => self.simulation.apply_conditionally(&read.syntax, read.point),
                false => self.simulation.apply(&read.syntax, read.point),
            }
        }
    }

    /// Goes down again, sees what is otherwise than before, and comes back.
    fn down(&mut self, script: &Script, up: &File<'_>, before: usize, allowed: Option<&mut Allowed>) -> DownResult {
        let reads = self.read(script, up.index);
        let back = self.simulation.schema.savepoint();
        let file = File { direction: Direction::Down, script, statements: &reads, ..*up };
        self.walk(&file, allowed);
        let opaque = |read: &ParsedStatement| {
            read.in_block || matches!(read.syntax, Syntax::Opaque | Syntax::Call { .. } | Syntax::Do { .. })
        };
        let sure = !reads.iter().chain(up.statements).any(opaque);
        let schema = &self.simulation.schema;
        let left =
            schema.changes_since(before).iter().filter_map(|difference| round_trip::leftover(difference, schema)).collect();
        self.simulation.schema.roll_back_to(back);
        DownResult { statements: reads, leftovers: left, fully_parsed: sure }
    }
}

/// The sum of what a script does: a line that allows it to be as it is makes no other script of it.
fn effective_checksum(script: &Script, dialect: Dialect) -> Checksum {
    // Nor does the semicolon behind the last statement.
    let open = script.statements.last().is_some_and(|last| !script.text[last.range.end..].trim_start().starts_with(';'));
    if !open && !script.text.contains("allow") {
        return script.sql_checksum;
    }
    let mut text = script.text.to_string();
    for allow in directives::allows(&script.text, dialect).iter().rev() {
        // As long as before, so that nothing else moves.
        text.replace_range(allow.range.clone(), &format!("--{}", " ".repeat(allow.range.len().saturating_sub(2))));
    }
    if open {
        text.push_str("\n;");
    }
    script::sql_checksum(&text, dialect, &script.statements)
}

fn check_statement(context: &StatementContext<'_>, chosen: &[EnabledRule]) -> Vec<(&'static Rule, Level, RuleFinding)> {
    let mut found = Vec::new();
    let mut rule_findings = RuleFindings::default();
    for (rule, level) in chosen {
        if let Check::Statement(check) = rule.check {
            check(context, &mut rule_findings);
            // Nearly always there is nothing, and this runs unoptimised in every build.
            if !rule_findings.all.is_empty() {
                found.extend(rule_findings.all.drain(..).map(|rule_finding| (*rule, *level, rule_finding)));
            }
        }
    }
    found
}

fn finding(rule: &'static Rule, level: Level, rule_finding: RuleFinding, place: Place) -> Finding {
    let level = rule_finding.level.map_or(level, |own| own.min(level));
    let mut finding = Finding { level, ..Finding::error(&rule.code, rule_finding.message) }.at(place);
    finding.notes = rule_finding.notes;
    finding.help = rule_finding.help;
    let instead = rule_finding.fix.unwrap_or_else(|| rule.fix.to_owned());
    if !instead.is_empty() {
        finding.help.push(instead);
    }
    finding
}

/// What one rule finds in one file is one finding, at the first place, with the others in notes: it is one thing to think about.
fn group_by_rule(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<(Finding, Vec<(usize, String)>)> = Vec::new();
    for finding in findings {
        let file = |finding: &Finding| finding.place.as_ref().map(|place| place.file.clone());
        let line = finding.place.as_ref().and_then(|place| place.span.as_ref()).map(|spot| spot.position.line);
        let first = kept
            .iter_mut()
            .find(|(first, _)| first.code == finding.code && first.level == finding.level && file(first) == file(&finding));
        match (first, line) {
            (Some((_, others)), Some(line)) if rules::find(finding.code.name).is_some() => others.push((line, finding.message)),
            _ => kept.push((finding, Vec::new())),
        }
    }
    let with_others = |(mut first, others): (Finding, Vec<(usize, String)>)| {
        let own = &first.message;
        let same: Vec<String> = others.iter().filter(|(_, message)| message == own).map(|(line, _)| line.to_string()).collect();
        let mut notes = Vec::new();
        if !same.is_empty() {
            notes.push(format!("the same in line {}", same.join(", ")));
        }
        let different: Vec<&(usize, String)> = others.iter().filter(|(_, message)| message != own).collect();
        notes.extend(different.iter().take(MAX_PLACES_LISTED).map(|(line, message)| format!("and in line {line}: {message}")));
        if different.len() > MAX_PLACES_LISTED {
            notes.push(format!("and {} more in this file", different.len() - MAX_PLACES_LISTED));
        }
        first.notes.extend(notes);
        first
    };
    kept.into_iter().map(with_others).collect()
}

/// How many more places of one kind are shown for a file.
const MAX_PLACES_LISTED: usize = 8;

#[cfg(test)]
mod tests;
