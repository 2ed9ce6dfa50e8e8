//! Rewrites that are mechanical: what a finding asks for, done to the files' texts. Nothing here writes a file.

mod moving;

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
use migrate_model::syntax::{ActionKind, ConstraintKind, CreateIndex, ObjectKind, RowChange, Syntax};
use migrate_model::token::Tokens;
use std::ops::Range;

/// A part of a text, and what comes in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEdit {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What comes there.
    pub text: String,
}

/// A migration that is added behind all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its name, without a version.
    pub name: String,
    /// The way up.
    pub up: String,
    /// The way down.
    pub down: String,
}

/// What is done about the findings in one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Its place in the history.
    pub migration: usize,
    /// The way up, rewritten.
    pub up: String,
    /// The way down, rewritten, if there is one.
    pub down: Option<String>,
    /// Migrations that are added, in order.
    pub added: Vec<NewFile>,
    /// Rules that are satisfied by it.
    pub rules: Vec<&'static str>,
}

/// What can be done about what is found.
pub fn fixes(history: &[Migration], options: &LintOptions) -> Vec<Fix> {
    let LintResult { findings: found, fix_targets: spots } = lint_with_targets(history, options);
    let dialect = options.server.dialect();
    let mut simulation = Simulation::new(dialect);
    for (migration, file) in history.iter().enumerate() {
        for (statement, place) in file.up.statements.iter().enumerate() {
            simulation
                .apply(&reader::read(place.sql(&file.up.text), dialect), HistoryPoint { migration, transaction: statement });
        }
    }
    let mut fixes = Vec::new();
    for (at, migration) in history.iter().enumerate() {
        let mut fixing = Fixer {
            migration,
            schema: &simulation.schema,
            dialect,
            edits: Vec::new(),
            down: Vec::new(),
            added: Vec::new(),
            names: Vec::new(),
            left: migration.up.statements.len(),
            later: &history[at + 1..],
        };
        let mut rules: Vec<&'static str> = Vec::new();
        let mut seen: Vec<usize> = Vec::new();
        for spot in spots.iter().filter(|spot| spot.migration == at && !spot.in_block) {
            // One rewrite for a statement; another run sees what is left.
            if !seen.contains(&spot.statement) && fixing.fix(spot).is_some() {
                seen.push(spot.statement);
                rules.push(spot.rule);
            }
        }
        if !rules.is_empty() {
            rules.sort_unstable();
            rules.dedup();
            let fix = Fix {
                migration: at,
                up: edited(&migration.up.text, fixing.edits),
                down: migration.down.as_ref().map(|down| edited(&down.text, fixing.down)),
                added: fixing.added,
                rules,
            };
            if !worsens(&fix, history, options, &found) {
                fixes.push(fix);
            }
        }
    }
    fixes
}

/// Is something found with a rewrite that was not found without it?
fn worsens(fix: &Fix, history: &[Migration], options: &LintOptions, found: &[Finding]) -> bool {
    let dialect = options.server.dialect();
    let mut history = history.to_vec();
    let fixed = &mut history[fix.migration];
    fixed.up = Script::read(fix.up.clone(), &fixed.up.file, dialect).0;
    let version = history[history.len() - 1].version.clone();
    let mut options = options.clone();
    for added in &fix.added {
        if let LintScope::Only(places) = &mut options.scope {
            places.insert(history.len());
        }
        history.push(Migration {
            version: version.clone(),
            name: added.name.clone().into(),
            up: Script::read(added.up.clone(), &added.name, dialect).0,
            down: None,
        });
    }
    let weighs = |finding: &&Finding| finding.level >= Level::Warning;
    let file = |finding: &Finding| finding.place.as_ref().map(|place| place.file.clone());
    let known =
        |finding: &Finding| found.iter().filter(weighs).any(|known| known.code == finding.code && file(known) == file(finding));
    lint(&history, &options).iter().filter(weighs).any(|finding| !known(finding))
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
    schema: &'a Schema,
    dialect: Dialect,
    edits: Vec<TextEdit>,
    down: Vec<TextEdit>,
    added: Vec<NewFile>,
    names: Vec<String>,
    /// How many statements the way up still has.
    left: usize,
    later: &'a [Migration],
}

impl Fixer<'_> {
    fn fix(&mut self, spot: &FixTarget) -> Option<()> {
        let script = &self.migration.up;
        let range = script.statements[spot.statement].range.clone();
        let sql = script.statements[spot.statement].sql(&script.text);
        let syntax = reader::read(sql, self.dialect);
        match (spot.rule, &syntax) {
            ("index-not-concurrent", Syntax::CreateIndex(index)) => self.index(spot, index, sql, range),
            ("check-not-valid-missing" | "fk-not-valid-missing", Syntax::AlterTable(alter)) => {
                let clause = spot.range.clone()?;
                let action = alter.actions.iter().find(|action| action.range == clause)?;
                let ActionKind::AddConstraint(constraint) = &action.kind else { return None };
                let ending = match &constraint.kind {
                    ConstraintKind::Check(check) => {
                        let relation = self.schema.relation(&self.schema.resolve(&alter.table));
                        let columns =
                            check.mentions.iter().filter(|word| relation.is_some_and(|relation| relation.column(word).is_some()));
                        columns.cloned().chain(["check".to_owned()]).collect::<Vec<_>>().join("_")
                    }
                    ConstraintKind::Foreign { columns, .. } => format!("{}_fkey", columns.join("_")),
                    _ => return None,
                };
                // Before PostgreSQL 18 a partitioned table takes none that is NOT VALID.
                if self.schema.relation(&self.schema.resolve(&alter.table)).is_some_and(|relation| relation.partitioned) {
                    return None;
                }
                let base = format!("{}_{ending}", alter.table.name);
                let mut candidates = [base.clone()].into_iter().chain((1..100).map(|number| format!("{base}{number}")));
                let free = candidates.find(|name| !self.names.contains(name));
                let name = constraint.name.clone().or(free)?;
                let parent = match &constraint.kind {
                    ConstraintKind::Foreign { references, .. } => Some(references.table.name.as_str()),
                    _ => None,
                };
                let tables: Vec<&str> = [alter.table.name.as_str()].into_iter().chain(parent).collect();
                if !self.can_move(MovedStatement::Validation { name: &name }, &tables, spot.statement) {
                    return None;
                }
                self.names.push(name.clone());
                if constraint.name.is_none() {
                    // With a name that is known for sure.
                    let at = range.start + constraint.range.start;
                    self.edits.push(TextEdit { range: at..at, text: format!("CONSTRAINT {} ", quoted(&name)) });
                }
                let end = range.start + clause.end;
                self.edits.push(TextEdit { range: end..end, text: " NOT VALID".to_owned() });
                let table = written(&alter.table);
                self.added.push(NewFile {
                    name: format!("validate_{name}"),
                    up: format!(
                        "-- Reads all rows, while others read and write.\nALTER TABLE {table} VALIDATE CONSTRAINT {};\n",
                        quoted(&name)
                    ),
                    down: "-- The constraint goes with the migration that adds it.\nSELECT 1;\n".to_owned(),
                });
                Some(())
            }
            ("update-delete-no-where" | "dml-after-ddl-same-tx", Syntax::Update(change) | Syntax::Delete(change))
                if self.dialect == Dialect::Postgres && can_be_batched(change, sql) =>
            {
                let relation = self.schema.relation(&self.schema.resolve(&change.table))?;
                let [key] = relation.primary()? else { return None };
                // Rows that move in the order of the key would be met again.
                let moves = change.columns.iter().any(|column| column.eq_ignore_ascii_case(key));
                // Without `BEGIN`, or nothing but `BEGIN` and `COMMIT` would be left.
                let own = script.statements.iter().map(|one| reader::read(one.sql(&script.text), self.dialect));
                if moves || own.into_iter().any(|syntax| matches!(syntax, Syntax::Transaction(_))) {
                    return None;
                }
                let (table, key) = (written(&change.table), quoted(key));
                let statement = sql.trim_end();
                let batches = format!(
                    "-- A thousand rows at a time, a transaction each.\nDO $$\nDECLARE\n    batch_low {table}.{key}%TYPE;\n    batch_high {table}.{key}%TYPE;\nBEGIN\n    LOOP\n        \
                     batch_high := (SELECT {key} FROM (SELECT {key} FROM {table} WHERE batch_low IS NULL OR {key} > batch_low ORDER BY {key} LIMIT 1000) batch ORDER BY {key} DESC LIMIT 1);\n        \
                     EXIT WHEN batch_high IS NULL;\n        {statement}\n            WHERE (batch_low IS NULL OR {key} > batch_low) AND {key} <= batch_high;\n        COMMIT;\n        batch_low := batch_high;\n    END LOOP;\nEND $$;\n"
                );
                // The only statement stays where it is.
                if self.left == 1 {
                    self.edits.push(TextEdit { range: whole(script, range), text: batches });
                    return Some(());
                }
                if !self.can_move(MovedStatement::Rows, &tables_in(sql, self.schema, self.dialect), spot.statement) {
                    return None;
                }
                self.left -= 1;
                self.edits.push(TextEdit { range: whole(script, range), text: String::new() });
                let verb = if matches!(syntax, Syntax::Update(_)) { "update" } else { "delete_from" };
                self.added.push(NewFile {
                    name: format!("{verb}_{}_in_batches", change.table.name),
                    up: batches,
                    down: "-- Rows that were changed stay as they are.\nSELECT 1;\n".to_owned(),
                });
                Some(())
            }
            ("mysql-algorithm-not-stated", _) => {
                let clause = spot.append.clone()?;
                let end = range.start + sql.trim_end().len();
                self.edits.push(TextEdit { range: end..end, text: clause });
                Some(())
            }
            _ => None,
        }
    }

    fn index(&mut self, spot: &FixTarget, index: &CreateIndex, sql: &str, range: Range<usize>) -> Option<()> {
        let script = &self.migration.up;
        let name = index.name.as_ref()?;
        // Behind `INDEX`, which stands within what was read of it.
        let word = sql.to_ascii_uppercase().find("INDEX")? + "INDEX".len();
        // An invalid index of that name must not be taken for it.
        let upper = sql.to_ascii_uppercase();
        let condition = upper[word..].find("IF NOT EXISTS").map(|at| word + at).filter(|_| index.if_not_exists);
        let behind = condition.map_or(word, |at| at + "IF NOT EXISTS".len());
        let concurrent = format!("{} CONCURRENTLY{}", &sql[..word], &sql[behind..]);
        if self.left == 1 {
            self.edits.push(TextEdit { range: range.start + word..range.start + behind, text: " CONCURRENTLY".to_owned() });
            if let Some(at) = self.drop_of(&name.name) {
                let down = self.migration.down.as_ref()?;
                let text = down.statements[at].sql(&down.text);
                let word = text.to_ascii_uppercase().find("INDEX")? + "INDEX".len();
                let start = down.statements[at].range.start + word;
                if down.statements.len() == 1 && !text.to_ascii_uppercase().contains("CONCURRENTLY") {
                    self.down.push(TextEdit { range: start..start, text: " CONCURRENTLY".to_owned() });
                }
            }
            return Some(());
        }
        // What another statement here needs stays.
        let names_it = |sql: &str| Tokens::new(sql, self.dialect).any(|token| token.text(sql).trim_matches('"') == name.name);
        let mut others = script.statements.iter().enumerate().filter(|(at, _)| *at != spot.statement);
        let mentioned = others.any(|(_, other)| names_it(other.sql(&script.text)));
        let moved = MovedStatement::Index { name: &name.name, unique: index.unique };
        if mentioned || !self.can_move(moved, &[&index.table.name], spot.statement) {
            return None;
        }
        self.left -= 1;
        self.edits.push(TextEdit { range: whole(script, range), text: String::new() });
        if let Some(at) = self.drop_of(&name.name) {
            let down = self.migration.down.as_ref()?;
            // The only statement of a way down stays, so that there is one.
            let text = if down.statements.len() == 1 { "SELECT 1;\n".to_owned() } else { String::new() };
            self.down.push(TextEdit { range: whole(down, down.statements[at].range.clone()), text });
        }
        self.added.push(NewFile {
            name: format!("index_{}_concurrently", name.name),
            up: format!("{};\n", concurrent.trim_end()),
            down: format!("DROP INDEX CONCURRENTLY IF EXISTS {};\n", written(name)),
        });
        Some(())
    }

    /// May a statement run behind all others?
    fn can_move(&self, moved: MovedStatement<'_>, tables: &[&str], statement: usize) -> bool {
        can_move(moved, tables, self.migration, statement, self.later, self.dialect)
    }

    /// The statement of the way down that drops an index and nothing else.
    fn drop_of(&self, index: &str) -> Option<usize> {
        let down = self.migration.down.as_ref()?;
        down.statements.iter().position(|statement| match reader::read(statement.sql(&down.text), self.dialect) {
            Syntax::Drop(removal) => removal.kind == ObjectKind::Index && matches!(&*removal.names, [only] if only.name == index),
            _ => false,
        })
    }
}

/// May a condition be written behind it, and may it run again over rows that it has changed? A batch that failed is begun
/// again with all that went well before.
fn can_be_batched(change: &RowChange, sql: &str) -> bool {
    let words: Vec<&str> = Tokens::new(sql, Dialect::Postgres)
        .filter(|token| !token.is_blank())
        .map(|token| token.text(sql).trim_matches('"'))
        .collect();
    let count = |name: &str| words.iter().filter(|word| word.eq_ignore_ascii_case(name)).count();
    let named = |name: &String| change.columns.iter().filter(|own| own.eq_ignore_ascii_case(name)).count();
    let plain = ["WHERE", "RETURNING", "WITH", "CURRENT", "batch_low", "batch_high", "batch"];
    // What reads a column that it sets, or the table once more, gives something else the second time.
    let reads_own = change.columns.iter().any(|column| count(column) > named(column)) || count(&change.table.name) > 1;
    !change.joined && change.limit.is_none() && plain.iter().all(|word| count(word) == 0) && !reads_own
}

/// A statement with its semicolon and the end of its line.
fn whole(script: &Script, range: Range<usize>) -> Range<usize> {
    let rest = &script.text[range.end..];
    let blank = rest.len() - rest.trim_start().len();
    let mut end = range.end;
    if rest[blank..].starts_with(';') {
        end += blank + 1;
    }
    let rest = &script.text[end..];
    let line = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
    if rest[line..].starts_with('\n') {
        end += line + 1;
    }
    range.start..end
}

fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn written(name: &Name) -> String {
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

    /// The first file is deployed.
    fn fix_in(dialect: Dialect, files: &[(&str, &str)]) -> Vec<Fix> {
        let read = |text: &str, file: &str| Script::read(text.to_owned(), file, dialect).0;
        let migration = |(at, (up, down)): (usize, &(&str, &str))| Migration {
            version: at.to_string().parse().unwrap(),
            name: "x".into(),
            up: read(up, &format!("{at}_x.up.sql")),
            down: Some(read(down, &format!("{at}_x.down.sql"))),
        };
        let history: Vec<Migration> = files.iter().enumerate().map(migration).collect();
        let mut options = LintOptions::new(dialect);
        options.scope = LintScope::Only((1..files.len()).collect());
        fixes(&history, &options)
    }

    const T: &str = "CREATE TABLE t (id bigint PRIMARY KEY, a int);";

    #[test]
    fn an_index_goes_into_a_file_of_its_own() {
        let up = "ALTER TABLE t ADD COLUMN b int;\nCREATE INDEX i ON t (a);\n";
        let all = fix(Dialect::Postgres, T, up, "DROP INDEX i;\nALTER TABLE t DROP COLUMN b;\n");
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].up, "ALTER TABLE t ADD COLUMN b int;\n");
        assert_eq!(all[0].down.as_deref(), Some("ALTER TABLE t DROP COLUMN b;\n"));
        assert_eq!(all[0].added[0].up, "CREATE INDEX CONCURRENTLY i ON t (a);\n");
        assert_eq!(all[0].added[0].down, "DROP INDEX CONCURRENTLY IF EXISTS i;\n");
        let alone = fix(Dialect::Postgres, T, "-- Why.\nCREATE UNIQUE INDEX i ON t (a);\n", "DROP INDEX i;\n");
        assert_eq!(alone[0].up, "-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY i ON t (a);\n");
        assert_eq!(alone[0].down.as_deref(), Some("DROP INDEX CONCURRENTLY i;\n"));
        assert_eq!(alone[0].added, []);
    }

    #[test]
    fn what_is_set_before_a_statement_stays_before_it() {
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
        let all = fix(Dialect::Postgres, T, up, "SELECT 1;");
        assert_eq!(all[0].up, "ALTER TABLE t ADD CONSTRAINT \"Odd\" CHECK (a > 0) NOT VALID, ADD COLUMN c int;");
        assert!(all[0].added[0].up.ends_with("ALTER TABLE t VALIDATE CONSTRAINT \"Odd\";\n"));
        let unnamed =
            fix(Dialect::Postgres, T, "ALTER TABLE t ADD CHECK (a > 0);\nALTER TABLE t ADD CHECK (a < 9);\n", "SELECT 1;");
        assert!(unnamed[0].up.contains("ADD CONSTRAINT t_a_check CHECK (a > 0) NOT VALID"), "{}", unnamed[0].up);
        assert!(unnamed[0].up.contains("ADD CONSTRAINT t_a_check1 CHECK (a < 9) NOT VALID"), "{}", unnamed[0].up);
    }

    #[test]
    fn rows_change_in_batches() {
        let all = fix(Dialect::Postgres, T, "UPDATE t SET a = 1;\n", "SELECT 1;");
        let batch = "        UPDATE t SET a = 1\n            WHERE (batch_low IS NULL OR id > batch_low) AND id <= batch_high;";
        assert!(all[0].up.contains(batch), "{}", all[0].up);
        let two = fix(Dialect::Postgres, T, "UPDATE t SET a = 1;\nDELETE FROM t;\n", "SELECT 1;");
        assert_eq!(two[0].up, "UPDATE t SET a = 1;\n", "what stands before stays before");
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
    fn nothing_runs_behind_what_depends_on_it() {
        let ups = |ups: &[&str]| {
            let files: Vec<(&str, &str)> = ups.iter().map(|up| (*up, "SELECT 1;")).collect();
            fix_in(Dialect::Postgres, &files)
        };
        let two = ups(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, c int); CREATE TABLE p (id bigint PRIMARY KEY, n int);",
            "UPDATE t SET c = (SELECT max(n) FROM p);\nDELETE FROM p;\n",
        ]);
        assert_eq!(two[0].up, "UPDATE t SET c = (SELECT max(n) FROM p);\n", "it reads what the other deletes");
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
    fn mysql_is_held_to_what_it_can() {
        let all = fix(Dialect::MySql, "CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;\n", "SELECT 1;");
        assert_eq!(all[0].up, "ALTER TABLE t ADD b int, ALGORITHM=INSTANT;\n");
    }
}
