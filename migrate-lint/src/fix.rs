//! Mechanical fixes: rewrites the texts of migrations so that a finding no longer applies. Nothing here writes a file.

mod batches;
mod moving;

use self::batches::{batched, can_be_batched};
use self::moving::{MovedStatement, can_move, tables_in};
use crate::lint::{FixTarget, LintOptions, LintResult, LintScope, lint, lint_with_targets};
use crate::relation::HistoryPoint;
use crate::schema::Schema;
use crate::simulation::Simulation;
use migrate_model::dialect::Dialect;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::syntax::{ActionKind, AlterTable, Constraint, ConstraintKind, CreateIndex, ObjectKind, RowChange, Syntax};
use migrate_model::token::Tokens;
use std::ops::Range;

/// A replacement of a part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEdit {
    /// The replaced bytes; empty to insert.
    pub range: Range<usize>,
    /// The text that replaces them; empty to delete.
    pub text: String,
}

/// A migration to be added after all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// The migration name, without a version.
    pub name: String,
    /// Text of the up migration.
    pub up: String,
    /// Text of the down migration.
    pub down: String,
}

/// The fixes for one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Index of the migration in the history.
    pub migration: usize,
    /// New text of the up migration.
    pub up: String,
    /// New text of the down migration, if it has one.
    pub down: Option<String>,
    /// Migrations to be added, in this order.
    pub added: Vec<NewFile>,
    /// Names of the rules whose findings are fixed, sorted.
    pub rules: Vec<&'static str>,
}

/// Fixes for the findings in migrations. One run changes a statement only once; another run fixes its other findings.
pub fn fixes(history: &[Migration], options: &LintOptions) -> Vec<Fix> {
    let LintResult { findings, fix_targets } = lint_with_targets(history, options);
    let dialect = options.server.dialect();
    let simulation = simulate(history, dialect);
    let mut fixes = Vec::new();
    for (index, migration) in history.iter().enumerate() {
        let mut fixer = Fixer {
            migration,
            schema: &simulation.schema,
            dialect,
            up_edits: Vec::new(),
            down_edits: Vec::new(),
            added: Vec::new(),
            constraint_names: Vec::new(),
            remaining_statements: migration.up.statements.len(),
            later: &history[index + 1..],
        };
        let mut rules: Vec<&'static str> = Vec::new();
        let mut fixed_statements: Vec<usize> = Vec::new();
        for target in fix_targets.iter().filter(|target| target.migration == index && !target.in_block) {
            if !fixed_statements.contains(&target.statement) && fixer.fix(target).is_some() {
                fixed_statements.push(target.statement);
                rules.push(target.rule);
            }
        }
        if !rules.is_empty() {
            rules.sort_unstable();
            rules.dedup();
            let fix = fixer.into_fix(index, rules);
            if !adds_findings(&fix, history, options, &findings) {
                fixes.push(fix);
            }
        }
    }
    fixes
}

/// The schema after all migrations.
fn simulate(history: &[Migration], dialect: Dialect) -> Simulation {
    let mut simulation = Simulation::new(dialect);
    for (migration, file) in history.iter().enumerate() {
        simulation.begin_file(file.up.text.len());
        for (statement, place) in file.up.statements.iter().enumerate() {
            let syntax = reader::read(place.sql(&file.up.text), dialect);
            simulation.apply(&syntax, HistoryPoint { migration, transaction: statement });
        }
    }
    simulation
}

/// Does a fix cause a finding, at level warning or above, that the migrations do not have without it?
fn adds_findings(fix: &Fix, history: &[Migration], options: &LintOptions, before: &[Finding]) -> bool {
    let dialect = options.server.dialect();
    let mut history = history.to_vec();
    let fixed = &mut history[fix.migration];
    fixed.up = Script::read(fix.up.clone(), &fixed.up.file, dialect).0;
    let version = history[history.len() - 1].version.clone();
    let mut options = options.clone();
    for added in &fix.added {
        if let LintScope::Only(indexes) = &mut options.scope {
            indexes.insert(history.len());
        }
        history.push(Migration::new(
            version.clone(),
            added.name.clone(),
            Script::read(added.up.clone(), &added.name, dialect).0,
            None,
        ));
    }
    let is_relevant = |finding: &&Finding| finding.level >= Level::Warning;
    let file = |finding: &Finding| finding.place.as_ref().map(|place| place.file.clone());
    let is_known = |finding: &Finding| {
        before.iter().filter(is_relevant).any(|known| known.code == finding.code && file(known) == file(finding))
    };
    lint(&history, &options).iter().filter(is_relevant).any(|finding| !is_known(finding))
}

fn edited(text: &str, mut edits: Vec<TextEdit>) -> String {
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.range.start));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.range, &edit.text);
    }
    text
}

struct Fixer<'a> {
    migration: &'a Migration,
    /// The schema after all migrations.
    schema: &'a Schema,
    dialect: Dialect,
    up_edits: Vec<TextEdit>,
    down_edits: Vec<TextEdit>,
    added: Vec<NewFile>,
    /// Names of the constraints that this fixer has changed.
    constraint_names: Vec<String>,
    /// Number of statements that the up migration still has.
    remaining_statements: usize,
    later: &'a [Migration],
}

/// The statement that is fixed.
#[derive(Clone, Copy)]
struct Statement<'a> {
    /// Index in the up migration.
    index: usize,
    sql: &'a str,
    /// Offset in the text of the up migration.
    start: usize,
}

impl Fixer<'_> {
    /// Fixes a finding; `None` if there is no mechanical fix, and then nothing is changed.
    fn fix(&mut self, target: &FixTarget) -> Option<()> {
        let script = &self.migration.up;
        let text = &script.statements[target.statement];
        let statement = Statement { index: target.statement, sql: text.sql(&script.text), start: text.range.start };
        let syntax = reader::read(statement.sql, self.dialect);
        match (target.rule, &syntax) {
            ("index-not-concurrent", Syntax::CreateIndex(index)) => self.build_concurrently(statement, index),
            ("check-not-valid-missing" | "fk-not-valid-missing", Syntax::AlterTable(alter)) => {
                self.validate_later(statement, alter, target.range.as_ref()?)
            }
            ("update-delete-no-where" | "dml-after-ddl-same-tx", Syntax::Update(change)) => {
                self.run_in_batches(statement, change, "update")
            }
            ("update-delete-no-where" | "dml-after-ddl-same-tx", Syntax::Delete(change)) => {
                self.run_in_batches(statement, change, "delete_from")
            }
            ("mysql-algorithm-not-stated", _) => {
                let end = statement.start + statement.sql.trim_end().len();
                self.up_edits.push(TextEdit { range: end..end, text: target.append.clone()? });
                Some(())
            }
            _ => None,
        }
    }

    fn into_fix(self, migration: usize, rules: Vec<&'static str>) -> Fix {
        Fix {
            migration,
            up: edited(&self.migration.up.text, self.up_edits),
            down: self.migration.down.as_ref().map(|down| edited(&down.text, self.down_edits)),
            added: self.added,
            rules,
        }
    }

    /// Adds a constraint as `NOT VALID` and validates it in a migration of its own. `clause` is the range of the clause that
    /// adds it.
    fn validate_later(&mut self, statement: Statement<'_>, alter: &AlterTable, clause: &Range<usize>) -> Option<()> {
        let action = alter.actions.iter().find(|action| action.range == *clause)?;
        let ActionKind::AddConstraint(constraint) = &action.kind else { return None };
        let relation = self.schema.relation(&self.schema.resolve(&alter.table));
        // Before PostgreSQL 18, a partitioned table rejects NOT VALID foreign keys.
        if relation.is_some_and(|relation| relation.partitioned) {
            return None;
        }
        let name = match &constraint.name {
            Some(name) => name.clone(),
            None => self.free_constraint_name(alter, constraint)?,
        };
        let referenced = match &constraint.kind {
            ConstraintKind::Check(_) => None,
            ConstraintKind::Foreign { references, .. } => Some(references.table.name.as_str()),
            _ => return None,
        };
        let tables: Vec<&str> = [alter.table.name.as_str()].into_iter().chain(referenced).collect();
        if !self.can_move(MovedStatement::Validation { name: &name }, &tables, statement.index) {
            return None;
        }
        if constraint.name.is_none() {
            // The name that the server would generate is not certain.
            let start = statement.start + constraint.range.start;
            self.up_edits.push(TextEdit { range: start..start, text: format!("CONSTRAINT {} ", quoted(&name)) });
        }
        let end = statement.start + clause.end;
        self.up_edits.push(TextEdit { range: end..end, text: " NOT VALID".to_owned() });
        self.added.push(NewFile {
            name: format!("validate_{name}"),
            up: format!(
                "-- Scans the whole table, but does not block reads or writes.\nALTER TABLE {} VALIDATE CONSTRAINT {};\n",
                quoted_name(&alter.table),
                quoted(&name)
            ),
            down: format!(
                "-- A validation cannot be reverted. Make sure that the down migration of `{}` drops the constraint.\nSELECT 1;\n",
                self.migration.title()
            ),
        });
        self.constraint_names.push(name);
        Some(())
    }

    /// A name in the style of PostgreSQL for a constraint that has none; `None` if the kind of constraint cannot be validated
    /// later.
    fn free_constraint_name(&self, alter: &AlterTable, constraint: &Constraint) -> Option<String> {
        let suffix = match &constraint.kind {
            ConstraintKind::Check(check) => {
                let relation = self.schema.relation(&self.schema.resolve(&alter.table));
                let is_column = |word: &&String| relation.is_some_and(|relation| relation.column(word).is_some());
                let columns = check.mentions.iter().filter(is_column).cloned();
                columns.chain(["check".to_owned()]).collect::<Vec<_>>().join("_")
            }
            ConstraintKind::Foreign { columns, .. } => format!("{}_fkey", columns.join("_")),
            _ => return None,
        };
        let base = format!("{}_{suffix}", alter.table.name);
        let mut candidates = [base.clone()].into_iter().chain((1..100).map(|number| format!("{base}{number}")));
        candidates.find(|name| !self.constraint_names.contains(name))
    }

    /// Changes the rows of a table in batches. `verb` begins the name of the new migration.
    fn run_in_batches(&mut self, statement: Statement<'_>, change: &RowChange, verb: &str) -> Option<()> {
        if self.dialect != Dialect::Postgres || !can_be_batched(change, statement.sql) {
            return None;
        }
        let relation = self.schema.relation(&self.schema.resolve(&change.table))?;
        let [key] = relation.primary()? else { return None };
        // A row whose key changes could be processed twice.
        let changes_key = change.columns.iter().any(|column| column.eq_ignore_ascii_case(key));
        // Procedural code with `COMMIT` cannot run inside an explicit transaction.
        let script = &self.migration.up;
        let mut syntaxes = script.statements.iter().map(|statement| reader::read(statement.sql(&script.text), self.dialect));
        if changes_key || syntaxes.any(|syntax| matches!(syntax, Syntax::Transaction(_))) {
            return None;
        }
        let batches = batched(statement.sql, &quoted_name(&change.table), &quoted(key));
        let range = full_range(script, statement.index);
        if self.remaining_statements == 1 {
            self.up_edits.push(TextEdit { range, text: batches });
            return Some(());
        }
        if !self.can_move(MovedStatement::Rows, &tables_in(statement.sql, self.schema, self.dialect), statement.index) {
            return None;
        }
        self.remaining_statements -= 1;
        self.up_edits.push(TextEdit { range, text: String::new() });
        self.added.push(NewFile {
            name: format!("{verb}_{}_in_batches", change.table.name),
            up: batches,
            down: "-- The changed rows are not restored.\nSELECT 1;\n".to_owned(),
        });
        Some(())
    }

    /// Builds an index CONCURRENTLY, in a migration of its own unless it is the only statement.
    fn build_concurrently(&mut self, statement: Statement<'_>, index: &CreateIndex) -> Option<()> {
        let name = index.name.as_ref()?;
        let keyword = after_index_keyword(statement.sql)?;
        // `IF NOT EXISTS` would accept an invalid index of that name, which a failed concurrent build leaves.
        let upper = statement.sql.to_ascii_uppercase();
        let condition = upper[keyword..].find("IF NOT EXISTS").map(|at| keyword + at).filter(|_| index.if_not_exists);
        let rest = condition.map_or(keyword, |at| at + "IF NOT EXISTS".len());
        if self.remaining_statements == 1 {
            let range = statement.start + keyword..statement.start + rest;
            self.up_edits.push(TextEdit { range, text: " CONCURRENTLY".to_owned() });
            return self.drop_concurrently(&name.name);
        }
        let script = &self.migration.up;
        let mentions_index =
            |sql: &str| Tokens::new(sql, self.dialect).any(|token| token.text(sql).trim_matches('"') == name.name);
        let mut others = script.statements.iter().enumerate().filter(|(other, _)| *other != statement.index);
        let is_needed = others.any(|(_, other)| mentions_index(other.sql(&script.text)));
        let moved = MovedStatement::Index { name: &name.name, unique: index.unique };
        if is_needed || !self.can_move(moved, &[&index.table.name], statement.index) {
            return None;
        }
        self.remaining_statements -= 1;
        self.up_edits.push(TextEdit { range: full_range(script, statement.index), text: String::new() });
        if let Some(drop_statement) = self.drop_of(&name.name) {
            let down = self.migration.down.as_ref()?;
            // A down migration must have at least one statement.
            let text = if down.statements.len() == 1 { "SELECT 1;\n".to_owned() } else { String::new() };
            self.down_edits.push(TextEdit { range: full_range(down, drop_statement), text });
        }
        let concurrent = format!("{} CONCURRENTLY{}", &statement.sql[..keyword], &statement.sql[rest..]);
        self.added.push(NewFile {
            name: format!("index_{}_concurrently", name.name),
            up: format!("{};\n", concurrent.trim_end()),
            down: format!("DROP INDEX CONCURRENTLY IF EXISTS {};\n", quoted_name(name)),
        });
        Some(())
    }

    /// Makes the down migration drop an index CONCURRENTLY, if that is its only statement.
    fn drop_concurrently(&mut self, index: &str) -> Option<()> {
        if let Some(drop_statement) = self.drop_of(index) {
            let down = self.migration.down.as_ref()?;
            let text = &down.statements[drop_statement];
            let sql = text.sql(&down.text);
            let start = text.range.start + after_index_keyword(sql)?;
            if down.statements.len() == 1 && !sql.to_ascii_uppercase().contains("CONCURRENTLY") {
                self.down_edits.push(TextEdit { range: start..start, text: " CONCURRENTLY".to_owned() });
            }
        }
        Some(())
    }

    /// May a statement run after all others?
    fn can_move(&self, moved: MovedStatement<'_>, tables: &[&str], statement: usize) -> bool {
        can_move(moved, tables, self.migration, statement, self.later, self.dialect)
    }

    /// The statement of the down migration that drops an index and nothing else.
    fn drop_of(&self, index: &str) -> Option<usize> {
        let down = self.migration.down.as_ref()?;
        down.statements.iter().position(|statement| match reader::read(statement.sql(&down.text), self.dialect) {
            Syntax::Drop(drop) => drop.kind == ObjectKind::Index && matches!(&*drop.names, [only] if only.name == index),
            _ => false,
        })
    }
}

/// The offset after the keyword `INDEX` of a statement.
fn after_index_keyword(sql: &str) -> Option<usize> {
    Some(sql.to_ascii_uppercase().find("INDEX")? + "INDEX".len())
}

/// The range of a statement with its semicolon and the rest of its line, if that is blank.
fn full_range(script: &Script, statement: usize) -> Range<usize> {
    let range = &script.statements[statement].range;
    let rest = &script.text[range.end..];
    let blank = rest.len() - rest.trim_start().len();
    let mut end = range.end;
    if rest[blank..].starts_with(';') {
        end += blank + 1;
    }
    let rest = &script.text[end..];
    let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    if rest[blank..].starts_with('\n') {
        end += blank + 1;
    }
    range.start..end
}

fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn quoted_name(name: &Name) -> String {
    match &name.schema {
        Some(schema) => format!("{}.{}", quoted(schema), quoted(&name.name)),
        None => quoted(&name.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::LintScope;

    fn fix(dialect: Dialect, before: &str, up: &str, down: &str) -> Vec<Fix> {
        fix_in(dialect, &[(before, "SELECT 1;"), (up, down)])
    }

    /// Fixes of the last files; the first file is deployed.
    fn fix_in(dialect: Dialect, files: &[(&str, &str)]) -> Vec<Fix> {
        let script = |text: &str, file: &str| Script::read(text.to_owned(), file, dialect).0;
        let migration = |(index, (up, down)): (usize, &(&str, &str))| {
            Migration::new(
                index.to_string().parse().unwrap(),
                "x",
                script(up, &format!("{index}_x.up.sql")),
                Some(script(down, &format!("{index}_x.down.sql"))),
            )
        };
        let history: Vec<Migration> = files.iter().enumerate().map(migration).collect();
        let mut options = LintOptions::new(dialect);
        options.scope = LintScope::Only((1..files.len()).collect());
        fixes(&history, &options)
    }

    const T: &str = "CREATE TABLE t (id bigint PRIMARY KEY, a int);";

    #[test]
    fn an_index_moves_to_its_own_migration() {
        let up = "ALTER TABLE t ADD COLUMN b int;\nCREATE INDEX i ON t (a);\n";
        let fixes = fix(Dialect::Postgres, T, up, "DROP INDEX i;\nALTER TABLE t DROP COLUMN b;\n");
        assert_eq!(fixes.len(), 1);
        assert_eq!(fixes[0].up, "ALTER TABLE t ADD COLUMN b int;\n");
        assert_eq!(fixes[0].down.as_deref(), Some("ALTER TABLE t DROP COLUMN b;\n"));
        assert_eq!(fixes[0].added[0].up, "CREATE INDEX CONCURRENTLY i ON t (a);\n");
        assert_eq!(fixes[0].added[0].down, "DROP INDEX CONCURRENTLY IF EXISTS i;\n");
        let only_statement = fix(Dialect::Postgres, T, "-- Why.\nCREATE UNIQUE INDEX i ON t (a);\n", "DROP INDEX i;\n");
        assert_eq!(only_statement[0].up, "-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (a);\n");
        assert_eq!(only_statement[0].down.as_deref(), Some("DROP INDEX CONCURRENTLY i;\n"));
        assert_eq!(only_statement[0].added, []);
    }

    #[test]
    fn a_statement_after_a_setting_is_not_moved() {
        for up in [
            "SET search_path TO a, public;\nCREATE INDEX i ON t (a);\n",
            "SET ROLE owner;\nALTER TABLE t ADD CHECK (a > 0);\n",
            "BEGIN;\nCREATE INDEX i ON t (a);\nCOMMIT;\n",
        ] {
            assert_eq!(fix(Dialect::Postgres, T, up, "SELECT 1;"), [], "{up}");
        }
        assert_eq!(fix(Dialect::Postgres, T, "SET lock_timeout = '2s';\nCREATE INDEX i ON t (a);\n", "SELECT 1;").len(), 1);
    }

    #[test]
    fn a_constraint_is_validated_later() {
        let up = "ALTER TABLE t ADD CONSTRAINT \"Odd\" CHECK (a > 0), ADD COLUMN c int;";
        let fixes = fix(Dialect::Postgres, T, up, "SELECT 1;");
        assert_eq!(fixes[0].up, "ALTER TABLE t ADD CONSTRAINT \"Odd\" CHECK (a > 0) NOT VALID, ADD COLUMN c int;");
        assert!(fixes[0].added[0].up.ends_with("ALTER TABLE t VALIDATE CONSTRAINT \"Odd\";\n"));
        let unnamed =
            fix(Dialect::Postgres, T, "ALTER TABLE t ADD CHECK (a > 0);\nALTER TABLE t ADD CHECK (a < 9);\n", "SELECT 1;");
        assert!(unnamed[0].up.contains("ADD CONSTRAINT t_a_check CHECK (a > 0) NOT VALID"), "{}", unnamed[0].up);
        assert!(unnamed[0].up.contains("ADD CONSTRAINT t_a_check1 CHECK (a < 9) NOT VALID"), "{}", unnamed[0].up);
    }

    #[test]
    fn changes_of_rows_run_in_batches() {
        let fixes = fix(Dialect::Postgres, T, "UPDATE t SET a = 1;\n", "SELECT 1;");
        let batch = "        UPDATE t SET a = 1\n            WHERE (batch_low IS NULL OR id > batch_low) AND id <= batch_high;";
        assert!(fixes[0].up.contains(batch), "{}", fixes[0].up);
        let two_statements = fix(Dialect::Postgres, T, "UPDATE t SET a = 1;\nDELETE FROM t;\n", "SELECT 1;");
        assert_eq!(two_statements[0].up, "UPDATE t SET a = 1;\n", "the order of the statements remains");
        for other in [
            "UPDATE t SET id = id + 1;",
            "UPDATE t SET a = a + 1;",
            "UPDATE t SET a = (SELECT max(id) FROM t);",
            "UPDATE t SET a = 1 RETURNING id;",
            "UPDATE t SET a = 1 WHERE true;",
            "UPDATE t SET a = u.a FROM u;",
            "BEGIN; UPDATE t SET a = 1; COMMIT;",
        ] {
            assert_eq!(fix(Dialect::Postgres, T, other, "SELECT 1;"), [], "{other}");
        }
        let needed = "CREATE UNIQUE INDEX i ON t (a);\nINSERT INTO t VALUES (1, 1) ON CONFLICT (a) DO NOTHING;\n";
        assert_eq!(fix(Dialect::Postgres, T, needed, "SELECT 1;"), []);
    }

    #[test]
    fn a_statement_with_dependents_is_not_moved() {
        let ups = |ups: &[&str]| {
            let files: Vec<(&str, &str)> = ups.iter().map(|up| (*up, "SELECT 1;")).collect();
            fix_in(Dialect::Postgres, &files)
        };
        let two_statements = ups(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, c int); CREATE TABLE p (id bigint PRIMARY KEY, n int);",
            "UPDATE t SET c = (SELECT max(n) FROM p);\nDELETE FROM p;\n",
        ]);
        assert_eq!(
            two_statements[0].up, "UPDATE t SET c = (SELECT max(n) FROM p);\n",
            "it reads the rows that the other statement deletes"
        );
        for later in [
            &["ALTER TABLE t ADD CONSTRAINT nn CHECK (c IS NOT NULL) NOT VALID;", "ALTER TABLE t VALIDATE CONSTRAINT nn;"][..],
            &["ALTER TABLE t ALTER c SET NOT NULL;"],
            &["DO $$ BEGIN PERFORM f(); END $$;"],
            &["ALTER TABLE t RENAME TO u;"],
            &["INSERT INTO u SELECT c FROM t;"],
        ] {
            let files = [&[T, "ALTER TABLE t ADD COLUMN c int;\nUPDATE t SET c = 0;"], later].concat();
            let moved = |fix: &Fix| fix.migration == 1 && !fix.added.is_empty();
            assert!(!ups(&files).iter().any(moved), "{later:?}");
        }
        let validated = "ALTER TABLE t ADD CONSTRAINT nn CHECK (a IS NOT NULL);";
        assert_eq!(ups(&[T, validated, "ALTER TABLE t ALTER a SET NOT NULL;\nALTER TABLE t DROP CONSTRAINT nn;"]), []);
        assert_eq!(ups(&[T, validated, "ALTER TABLE t ALTER a SET NOT NULL;"]), []);
        assert_eq!(ups(&[T, validated, "ALTER TABLE t ADD COLUMN z int;"]).len(), 1);
        let index = "ALTER TABLE t ADD COLUMN c int;\nCREATE UNIQUE INDEX i ON t (a);\n";
        assert_eq!(ups(&[T, index, "CREATE TABLE u (a int REFERENCES t (a));"]), []);
        assert_eq!(ups(&[T, index, "DROP INDEX CONCURRENTLY i;"]), []);
        assert_eq!(ups(&[T, index, "CREATE TABLE u (a int);"]).len(), 1);
    }

    #[test]
    fn mysql_gets_an_algorithm_clause() {
        let fixes = fix(Dialect::MySql, "CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;\n", "SELECT 1;");
        assert_eq!(fixes[0].up, "ALTER TABLE t ADD b int, ALGORITHM=INSTANT;\n");
    }
}
