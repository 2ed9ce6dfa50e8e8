//! Checks migrations in version order, each against the schema that the earlier ones leave.

mod grouping;
mod history_parts;
pub(crate) mod script_parser;
mod session_state;

use self::grouping::group_by_rule;
use self::session_state::{SessionSettings, SessionState};
use crate::action_index::ActionIndex;
use crate::allow::Allowed;
use crate::context::{self, Age, DownResult, File, FileContext, ParsedStatement, StatementContext};
use crate::effort;
use crate::impact::{ImpactContext, impacts};
use crate::lock_tracker::LockTracker;
use crate::owners;
use crate::relation::HistoryPoint;
use crate::round_trip;
use crate::rule::{Rule, RuleCheck};
use crate::rule_finding::{FindingLimit, RuleFinding, RuleFindings};
use crate::rules;
use crate::server::Server;
use crate::simulation::Simulation;
use crate::statement_index::StatementIndex;
use migrate_model::checksum::Checksum;
use migrate_model::dialect::Dialect;
use migrate_model::directives;
use migrate_model::files::parallel;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_model::place::{Place, SourceText};
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::syntax::{Control, Syntax};
use migrate_model::target::Direction;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::Duration;

/// Which migrations are checked, against which rules and which server.
#[derive(Debug, Clone)]
pub struct LintOptions {
    /// The product and version that the migrations run on.
    pub server: Server,
    /// Levels by rule name; `None` disables the rule. Other rules have their default level.
    pub levels: BTreeMap<String, Option<Level>>,
    /// Tables that are expected to stay small, with or without their schema.
    pub small_tables: Vec<String>,
    /// Which migrations are checked.
    pub scope: LintScope,
    /// The migrations that are deployed nowhere, if these are not all that are checked.
    pub undeployed: Option<BTreeSet<usize>>,
    /// How many further places a finding lists; `None` for all.
    pub places_listed: Option<usize>,
    /// The configured `lock_timeout` of the session, for files that set none.
    pub lock_timeout: Option<String>,
    /// The configured `statement_timeout` of the session, for files that set none.
    pub statement_timeout: Option<String>,
    /// The configured statements that each session executes before a file.
    pub session: Vec<String>,
}

/// Which migrations are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LintScope {
    /// All, each as if the earlier ones were deployed.
    All,
    /// Those at these indexes of the history, which are not deployed.
    Only(BTreeSet<usize>),
}

impl LintOptions {
    fn finding_limit(&self) -> FindingLimit {
        if self.places_listed.is_none() { FindingLimit::None } else { FindingLimit::SamePlace }
    }

    /// All files, default levels and the default server of the dialect.
    pub fn new(dialect: Dialect) -> Self {
        LintOptions {
            server: Server::of(dialect),
            levels: BTreeMap::new(),
            small_tables: Vec::new(),
            scope: LintScope::All,
            undeployed: None,
            places_listed: Some(8),
            lock_timeout: None,
            statement_timeout: None,
            session: Vec::new(),
        }
    }

    /// The level of a rule; `None` if the rule is disabled.
    pub fn level(&self, rule: &Rule) -> Option<Level> {
        match self.levels.get(rule.code.name) {
            Some(level) => *level,
            None => (!rule.opt_in).then_some(rule.level),
        }
    }
}

/// A place in an up migration that a rule flags, as needed by `fix`.
#[derive(Debug, Clone)]
pub struct FixTarget {
    /// Index of the migration in the history.
    pub migration: usize,
    /// Index of the statement in the up migration.
    pub statement: usize,
    /// The rule flags a statement inside the body of a block.
    pub in_block: bool,
    /// Name of the rule.
    pub rule: &'static str,
    /// The flagged part of the statement, in bytes of its text; `None` for the whole statement.
    pub range: Option<Range<usize>>,
    /// Text that resolves the finding when it is appended to the statement.
    pub append: Option<String>,
}

/// Findings, and the places in up migrations that they are about.
#[derive(Debug, Clone, Default)]
pub struct LintResult {
    /// One finding for each rule and file.
    pub findings: Vec<Finding>,
    /// Every place, before grouping by file.
    pub fix_targets: Vec<FixTarget>,
}

/// Checks migrations, which must be in version order.
pub fn lint(history: &[Migration], options: &LintOptions) -> Vec<Finding> {
    lint_with_targets(history, options).findings
}

/// Like [`lint`], with the places that `fix` needs.
pub fn lint_with_targets(history: &[Migration], options: &LintOptions) -> LintResult {
    lint_parts(history, options, &history_parts::divide(history))
}

/// Checks the parts of a history at the same time.
fn lint_parts(history: &[Migration], options: &LintOptions, parts: &[Range<usize>]) -> LintResult {
    let lint_part = |part: &Range<usize>| Linter::new(&history[..part.end], options).check(part.start);
    let mut all = LintResult::default();
    for result in parallel::map_in_batches(parts, 1, lint_part) {
        all.findings.extend(result.findings);
        all.fix_targets.extend(result.fix_targets);
    }
    all
}

/// A rule that is enabled, with its configured level.
#[derive(Clone, Copy)]
struct EnabledRule {
    rule: &'static Rule,
    level: Level,
}

/// A finding of a rule, before it has a place in a file.
struct RuleMatch {
    enabled: EnabledRule,
    finding: RuleFinding,
}

struct Linter<'a> {
    history: &'a [Migration],
    options: &'a LintOptions,
    enabled: Vec<EnabledRule>,
    enabled_for_down: Vec<EnabledRule>,
    simulation: Simulation,
    /// Index of the first migration with each checksum.
    first_with_checksum: HashMap<Checksum, usize>,
    /// Number of the current transaction, counted over the whole history.
    transaction: usize,
    findings: Vec<Finding>,
    fix_targets: Vec<FixTarget>,
}

impl<'a> Linter<'a> {
    fn new(history: &'a [Migration], options: &'a LintOptions) -> Self {
        let applicable = rules::ALL.iter().copied().filter(|rule| rule.on.contains(&options.server.product));
        let enabled: Vec<EnabledRule> =
            applicable.filter_map(|rule| Some(EnabledRule { rule, level: options.level(rule)? })).collect();
        let enabled_for_down = enabled.iter().copied().filter(|enabled| enabled.rule.down).collect();
        Linter {
            history,
            options,
            enabled,
            enabled_for_down,
            simulation: Simulation::new(options.server.dialect()),
            first_with_checksum: HashMap::new(),
            transaction: 0,
            findings: Vec::new(),
            fix_targets: Vec::new(),
        }
    }

    /// Simulates the migrations before `first`, and checks the others.
    fn check(mut self, first: usize) -> LintResult {
        let mut findings = Vec::new();
        for index in 0..self.history.len() {
            self.check_migration(index, index >= first);
            findings.extend(group_by_rule(std::mem::take(&mut self.findings), self.options.places_listed));
        }
        LintResult { findings, fix_targets: self.fix_targets }
    }

    fn dialect(&self) -> Dialect {
        self.options.server.dialect()
    }

    /// Simulates a migration; checks it if it is to be checked and in the scope.
    fn check_migration(&mut self, index: usize, is_to_check: bool) {
        let migration = &self.history[index];
        let no_migrations = BTreeSet::new();
        let (is_in_scope, pending) = match &self.options.scope {
            LintScope::All => (true, &no_migrations),
            LintScope::Only(indexes) => (indexes.contains(&index), self.options.undeployed.as_ref().unwrap_or(indexes)),
        };
        let is_checked = is_to_check && is_in_scope;
        let first = *self.first_with_checksum.entry(effective_checksum(&migration.up, self.dialect())).or_insert(index);
        let statements = self.parse(&migration.up, index);
        let statement_index = StatementIndex::new(&migration.up, &statements);
        let source = SourceText::new(&migration.up.file, &migration.up.text);
        let file = File {
            migration,
            index,
            direction: Direction::Up,
            script: &migration.up,
            source: &source,
            statements: &statements,
            statement_index: &statement_index,
            before: &self.history[..index],
            pending,
            server: self.options.server,
            small_tables: &self.options.small_tables,
        };
        self.simulation.schema.forget_journal();
        let before = self.simulation.schema.savepoint();
        let mut allowed = Allowed::of(&migration.up, self.dialect());
        let is_complete = self.run_script(&file, is_checked.then_some(&mut allowed));
        if !is_checked || !is_complete {
            return;
        }
        let mut down_allowed = migration.down.as_ref().map(|script| Allowed::of(script, self.dialect()));
        let down = migration.down.as_ref().map(|script| self.run_down(script, &file, before, down_allowed.as_mut()));
        let context = FileContext {
            file,
            history: &self.history[..=index],
            same_as: (first != index).then_some(first),
            after: &self.simulation,
            before,
            down: down.as_ref(),
        };
        let matches = check_file(&context, &self.enabled);
        self.report_for_file(&source, matches, &mut allowed, down_allowed.as_mut());
        // The down migration was not checked to its end.
        if self.simulation.schema.effort().is_exhausted() {
            return;
        }
        let is_enabled = |name: &str| self.enabled.iter().any(|enabled| enabled.rule.code.name == name);
        let mut problems = allowed.problems(&migration.up, is_enabled, owners::CODES);
        if let (Some(script), Some(allowed)) = (&migration.down, down_allowed) {
            problems.extend(allowed.problems(script, is_enabled, owners::CODES));
        }
        self.findings.extend(problems);
    }

    /// Adds the findings about a file as a whole.
    fn report_for_file(
        &mut self,
        source: &SourceText<'_>,
        matches: Vec<RuleMatch>,
        up: &mut Allowed,
        mut down: Option<&mut Allowed>,
    ) {
        for RuleMatch { enabled, finding } in matches {
            // Both are asked, so that each `allow` counts as used.
            let suppressed_up = up.suppresses(enabled.rule.code.name, None);
            let suppressed_down = down.as_mut().is_some_and(|down| down.suppresses(enabled.rule.code.name, None));
            if !suppressed_up && !suppressed_down {
                let place = match &finding.range {
                    Some(range) => source.place(range.clone()),
                    None => Place::file(source.file()),
                };
                self.findings.push(to_finding(enabled, finding, place));
            }
        }
    }

    fn parse(&mut self, script: &Script, migration: usize) -> Vec<ParsedStatement> {
        script_parser::parse(script, migration, self.options.server.dialect(), &mut self.transaction)
    }

    /// Runs a script on the simulated schema and checks each statement, unless `allowed` is `None`. Returns `false` if that ends
    /// before the last statement, because it takes more work than a file may cause.
    fn run_script(&mut self, file: &File<'_>, mut allowed: Option<&mut Allowed>) -> bool {
        self.simulation.begin_file(file.script.text.len());
        let mut session = self.begin_session(file.script);
        let mut locks = LockTracker::default();
        let mut transaction = None;
        for (number, statement) in file.statements.iter().enumerate() {
            self.simulation.enter_branch(statement.branch.map(|branch| (statement.statement, branch)));
            if transaction != Some(statement.point.transaction) {
                self.end_transaction(&mut session, &mut locks);
                transaction = Some(statement.point.transaction);
            }
            if let Some(allowed) = &mut allowed {
                self.check_statement(file, number, session.settings(), &mut locks, allowed);
            }
            if matches!(statement.syntax, Syntax::Transaction(Control::Commit | Control::Rollback)) {
                self.end_transaction(&mut session, &mut locks);
            }
            locks.apply(&statement.syntax);
            if session.apply(statement) {
                self.simulate(file, statement);
            }
            if self.simulation.schema.effort().is_exhausted() {
                self.simulation.schema.set_opaque();
                self.findings.extend(allowed.is_some().then(|| too_complex(file, statement)));
                break;
            }
        }
        self.simulation.enter_branch(None);
        !self.simulation.schema.effort().is_exhausted()
    }

    /// The settings that a script starts with: those of the configured statements, with the timeouts of its directives, or else
    /// the configured ones.
    fn begin_session(&mut self, script: &Script) -> SessionState {
        let milliseconds = |limit: Duration| format!("{}ms", limit.as_millis());
        let directives = &script.directives;
        let options = self.options;
        let mut settings = SessionSettings::default();
        for sql in &options.session {
            let syntax = reader::read(sql, self.dialect());
            settings.apply_outside_transaction(&syntax);
            if let Syntax::Set(_) = syntax {
                self.simulation.apply(&syntax, HistoryPoint { migration: 0, transaction: 0 });
            }
        }
        SessionState::new(SessionSettings {
            lock_timeout: directives.lock_timeout.map(milliseconds).or_else(|| options.lock_timeout.clone()),
            statement_timeout: directives.timeout.map(milliseconds).or_else(|| options.statement_timeout.clone()),
            ..settings
        })
    }

    fn end_transaction(&mut self, session: &mut SessionState, locks: &mut LockTracker) {
        locks.end_transaction();
        session.end_transaction();
        self.simulation.end_transaction();
    }

    /// Checks a statement against the schema before it.
    fn check_statement(
        &mut self,
        file: &File<'_>,
        number: usize,
        session: &SessionSettings,
        locks: &mut LockTracker,
        allowed: &mut Allowed,
    ) {
        let parsed = &file.statements[number];
        let sql = file.sql(parsed);
        let impact_context = ImpactContext {
            server: file.server,
            utc: session.utc,
            foreign_keys_unchecked: session.foreign_keys_unchecked,
            table_is_empty: context::is_empty(&self.simulation.schema, parsed, file.pending),
        };
        let mut impacts = impacts(&self.simulation.schema, &parsed.syntax, sql, impact_context);
        self.simulation.schema.effort().spend(effort::FINDING * impacts.len() + self.glances(file, parsed));
        for impact in &mut impacts {
            if context::is_emptied(&self.simulation.schema, &impact.table, parsed) {
                (impact.scans, impact.rewrites, impact.builds) = (false, false, false);
            }
        }
        let context = StatementContext {
            file: *file,
            schema: &self.simulation.schema,
            parsed,
            number,
            sql,
            action_index: &ActionIndex::new(&parsed.syntax),
            impacts: &impacts,
            held_locks: locks,
            foreign_keys_unchecked: session.foreign_keys_unchecked,
            lock_timeout: session.lock_timeout.as_deref(),
            statement_timeout: session.statement_timeout.as_deref(),
            foreign_keys_enforced: session.foreign_keys.unwrap_or(true),
        };
        let limit = self.options.finding_limit();
        let matches = match file.direction {
            Direction::Up => run_statement_checks(&context, &self.enabled, limit),
            Direction::Down => run_statement_checks(&context, &self.enabled_for_down, limit),
        };
        for rule_match in matches {
            if !allowed.suppresses(rule_match.enabled.rule.code.name, Some(parsed.statement)) {
                self.report(file, parsed, rule_match);
            }
        }
        // No rule is about the locks of a new table, which no other session uses.
        let is_shared = |table| context::age_of_relation(self.simulation.schema.relation(table), parsed.point, file.pending);
        let shared = impacts.iter().filter(|impact| is_shared(&impact.table) == Age::Deployed);
        locks.acquire(shared, parsed.statement);
    }

    /// The cost of what the rules only glance at: the text of the block, and the parts of the altered table.
    fn glances(&self, file: &File<'_>, parsed: &ParsedStatement) -> usize {
        let searched = if parsed.in_block { file.sql(parsed).len() } else { 0 };
        let schema = &self.simulation.schema;
        let parts = match &parsed.syntax {
            Syntax::AlterTable(alter) => {
                let altered = schema.known(&schema.resolve(&alter.table));
                altered.map_or(0, |relation| relation.indexes.len() + relation.constraints.len())
            }
            _ => 0,
        };
        parts / effort::GLANCES + searched / effort::SEARCHED_BYTES
    }

    /// Adds a finding at its place in the file; in an up migration, also for `fix`.
    fn report(&mut self, file: &File<'_>, parsed: &ParsedStatement, RuleMatch { enabled, finding }: RuleMatch) {
        if file.direction == Direction::Up {
            self.fix_targets.push(FixTarget {
                migration: file.index,
                statement: parsed.statement,
                in_block: parsed.in_block,
                rule: enabled.rule.code.name,
                range: finding.range.clone(),
                append: finding.append.clone(),
            });
        }
        let statement = &file.script.statements[parsed.statement];
        let start = statement.range.start;
        let range = finding.range.clone().unwrap_or(0..file.sql(parsed).len());
        let place = file.source.place(start + range.start..start + range.end);
        self.findings.push(to_finding(enabled, finding, place));
    }

    /// Applies a statement to the simulated schema.
    fn simulate(&mut self, file: &File<'_>, statement: &ParsedStatement) {
        // The effect of dynamic SQL, and of a user-defined function, is unknown.
        let has_unknown_effect = match &statement.syntax {
            Syntax::Do { body } => {
                let sql = file.sql(statement);
                let builds_text = !statement.in_block && reader::executes_text(sql, body.clone(), file.server.dialect());
                builds_text || self.simulation.schema.calls_user_function(sql.get(body.clone()).unwrap_or_default())
            }
            Syntax::Query => self.simulation.schema.calls_user_function(file.sql(statement)),
            _ => false,
        };
        if has_unknown_effect {
            self.simulation.schema.set_opaque();
        }
        self.simulation.apply(&statement.syntax, statement.point);
    }

    /// Runs a down migration after its up migration, compares the schema with the one before both, and restores the schema
    /// after the up migration. `before` is the savepoint before the up migration.
    fn run_down(&mut self, script: &Script, up: &File<'_>, before: usize, allowed: Option<&mut Allowed>) -> DownResult {
        let statements = self.parse(script, up.index);
        let after_up = self.simulation.schema.savepoint();
        let index = StatementIndex::new(script, &statements);
        let source = SourceText::new(&script.file, &script.text);
        let file =
            File { direction: Direction::Down, script, source: &source, statements: &statements, statement_index: &index, ..*up };
        let is_complete = self.run_script(&file, allowed);
        let is_opaque = |parsed: &ParsedStatement| {
            parsed.in_block || matches!(parsed.syntax, Syntax::Opaque | Syntax::Call { .. } | Syntax::Do { .. })
        };
        let fully_parsed = is_complete && !statements.iter().chain(up.statements).any(is_opaque);
        let schema = &self.simulation.schema;
        let leftovers =
            schema.changes_since(before).iter().filter_map(|difference| round_trip::leftover(difference, schema)).collect();
        self.simulation.schema.roll_back_to(after_up);
        DownResult { statements, leftovers, fully_parsed }
    }
}

/// The checksum of the SQL of a script, without its `allow` comments and independent of the semicolon after the last statement.
fn effective_checksum(script: &Script, dialect: Dialect) -> Checksum {
    let last = script.statements.last();
    let lacks_semicolon = last.is_some_and(|last| !script.text[last.range.end..].trim_start().starts_with(';'));
    if !lacks_semicolon && !script.text.contains("allow") {
        return script.sql_checksum;
    }
    let mut text = script.text.to_string();
    for allow in directives::allows(&script.text, dialect).iter().rev() {
        // The replacement has the same length, so that the ranges of the statements remain valid.
        text.replace_range(allow.range.clone(), &format!("--{}", " ".repeat(allow.range.len().saturating_sub(2))));
    }
    if lacks_semicolon {
        text.push_str("\n;");
    }
    Script::read(text, &script.file, dialect).0.sql_checksum
}

/// A finding at the statement after which a file is not checked.
fn too_complex(file: &File<'_>, last: &ParsedStatement) -> Finding {
    let range = file.script.statements[last.statement].range.clone();
    let message = "the file is not checked after this statement, because the statements of the file affect too many objects";
    Finding::error(&effort::FILE_TOO_COMPLEX, message).at(file.source.place(range)).help("split the file")
}

fn run_statement_checks(context: &StatementContext<'_>, rules: &[EnabledRule], limit: FindingLimit) -> Vec<RuleMatch> {
    let mut matches = Vec::new();
    let mut findings = RuleFindings::default();
    for enabled in rules {
        if let RuleCheck::Statement(check) = enabled.rule.check {
            check(context, &mut findings);
            // Nearly always there is none, and this runs unoptimised in every build.
            if !findings.all.is_empty() {
                context.schema.effort().spend(effort::FINDING * findings.all.len());
                matches.extend(findings.take(limit).into_iter().map(|finding| RuleMatch { enabled: *enabled, finding }));
            }
        }
    }
    matches
}

fn check_file(context: &FileContext<'_>, rules: &[EnabledRule]) -> Vec<RuleMatch> {
    let mut matches = Vec::new();
    for enabled in rules {
        if let RuleCheck::File(check) = enabled.rule.check {
            let mut findings = RuleFindings::default();
            check(context, &mut findings);
            matches.extend(findings.all.into_iter().map(|finding| RuleMatch { enabled: *enabled, finding }));
        }
    }
    matches
}

fn to_finding(enabled: EnabledRule, rule_finding: RuleFinding, place: Place) -> Finding {
    let level = rule_finding.level.map_or(enabled.level, |limit| limit.min(enabled.level));
    let mut finding = Finding::error(&enabled.rule.code, rule_finding.message).at(place);
    finding.level = level;
    finding.notes = rule_finding.notes;
    finding.help = rule_finding.help;
    let fix = rule_finding.fix.unwrap_or_else(|| enabled.rule.fix.to_owned());
    if !fix.is_empty() {
        finding.help.push(fix);
    }
    finding
}

#[cfg(test)]
mod condition_tests;
#[cfg(test)]
mod routine_tests;
#[cfg(test)]
mod tests;
