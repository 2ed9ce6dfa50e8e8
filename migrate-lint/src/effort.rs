//! How much work the statements of one file may cause.
//!
//! A statement may concern every object of the schema: thousands of statements about a table that thousands of views read are
//! millions of changes. What a file may cost grows with its size only; the rest of a file that costs more is not checked, and
//! says so.

use migrate_model::code::Code;
use std::cell::Cell;

/// A file that is not checked to its end.
pub static FILE_TOO_COMPLEX: Code = Code::new(
    "file-too-complex",
    "The statements of a file concern so many objects that `lint` would need minutes to check them: a thousand changes of a table that a \
     thousand views read, for example. `lint` limits its work for each file to about one million objects, and 20 more for each byte of the file; for all files together, it is limited to five million, and 20 more for each byte. After this limit, the rest of the file is not checked, and the checks of later files do not know what this rest changes. Split \
     the file, or drop the dependent objects before the changes and create them again after.",
);

/// The work for one file, in units of about one visited object.
#[derive(Debug, Clone)]
pub struct Effort {
    spent: Cell<usize>,
    limit: usize,
    /// What its size allows the file.
    for_size: usize,
    /// What all later files together may cost beyond what their sizes allow.
    reserve: usize,
    /// The number of searches through all objects.
    searches: Cell<usize>,
}

/// What each file may cost, and what it may cost more for each byte of its text. Ordinary statements cost about one unit for
/// each byte.
const PER_FILE: usize = 1_000_000;
const PER_BYTE: usize = 20;
/// What all files together may cost beyond what their sizes allow: many small files may cost no more than a few.
const RESERVE: usize = 5 * PER_FILE;
/// How many searches through all objects a file may cause.
const SEARCHES: usize = 100;

/// The cost of an object that is changed.
pub const CHANGE: usize = 8;
/// The cost of a name that a changed object mentions, such as the type of a column.
pub const MENTION: usize = 2;
/// The cost of a part of a table that another table gets with `LIKE` or `INHERITS`: some hundred bytes.
pub const COPY: usize = 32;
/// How many statements of the file, held locks, or parts of a table are looked at for the cost of one object.
pub const GLANCES: usize = 8;
/// How many bytes of a block are searched for the cost of one object.
pub const SEARCHED_BYTES: usize = 256;
/// The cost of a finding, or of the impact of a statement on a table.
pub const FINDING: usize = 4;

impl Default for Effort {
    fn default() -> Self {
        Effort::for_file(0)
    }
}

impl Effort {
    /// The limit for a file of this size.
    pub fn for_file(bytes: usize) -> Self {
        Effort::with_reserve(bytes, RESERVE)
    }

    /// The limit for a file of this size after this one.
    #[must_use]
    pub fn next_file(&self, bytes: usize) -> Self {
        let beyond_size = self.spent.get().saturating_sub(self.for_size);
        Effort::with_reserve(bytes, self.reserve.saturating_sub(beyond_size))
    }

    fn with_reserve(bytes: usize, reserve: usize) -> Self {
        let for_size = PER_BYTE * bytes;
        let limit = for_size + PER_FILE.min(reserve);
        Effort { spent: Cell::new(0), limit, for_size, reserve, searches: Cell::new(0) }
    }

    /// May another search through all objects begin?
    pub fn may_search(&self) -> bool {
        self.searches.set(self.searches.get() + 1);
        self.searches.get() <= SEARCHES
    }

    /// Counts some work.
    pub fn spend(&self, units: usize) {
        self.spent.set(self.spent.get().saturating_add(units));
    }

    /// Has the file cost more than it may?
    pub fn is_exhausted(&self) -> bool {
        self.spent.get() > self.limit
    }

    /// What the file has cost.
    #[cfg(test)]
    pub fn spent(&self) -> usize {
        self.spent.get()
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::{LintOptions, lint};
    use crate::relation::HistoryPoint;
    use crate::simulation::Simulation;
    use migrate_model::dialect::Dialect;
    use migrate_model::finding::Finding;
    use migrate_model::migration::Migration;
    use migrate_model::reader;
    use migrate_model::script::Script;

    fn script(text: &str, dialect: Dialect) -> Script {
        Script::read(text.to_owned(), "1.sql", dialect).0
    }

    /// The work of statements with so many repetitions.
    fn spent(text: &str) -> usize {
        let mut simulation = Simulation::new(Dialect::Postgres);
        simulation.begin_file(text.len());
        let script = script(text, Dialect::Postgres);
        for statement in &script.statements {
            let syntax = reader::read(statement.sql(&script.text), Dialect::Postgres);
            simulation.apply(&syntax, HistoryPoint { migration: 0, transaction: 0 });
        }
        simulation.schema.effort().spent()
    }

    fn each(count: usize, text: &str) -> String {
        (0..count).map(|number| text.replace('#', &number.to_string())).collect()
    }

    fn findings(text: &str) -> Vec<Finding> {
        let migration = Migration::new("1".parse().unwrap(), "x", script(text, Dialect::Postgres), None);
        lint(&[migration], &LintOptions::new(Dialect::Postgres))
    }

    #[test]
    fn ordinary_files_cost_a_tenth_of_what_they_may() {
        for text in [
            "CREATE TABLE t# (id bigint PRIMARY KEY, a int NOT NULL DEFAULT 1, b text REFERENCES t0 (id));\n",
            "CREATE VIEW v# AS SELECT a, b FROM t;\n",
            "ALTER TABLE t ADD COLUMN a# int;\n",
            "CREATE INDEX i# ON t (a);\nDROP INDEX i#;\n",
            "CREATE TABLE a# (id int);\nALTER TABLE a# RENAME TO b#;\nDROP TABLE b#;\n",
        ] {
            let text = format!("CREATE TABLE t (a int);\n{}", each(1_000, text));
            assert!(
                spent(&text) < text.len() * super::PER_BYTE / 10,
                "{} for {} bytes: {}",
                spent(&text),
                text.len(),
                &text[24..80]
            );
        }
    }

    #[test]
    fn columns_that_no_statement_changes_cost_nothing() {
        let table = |count| format!("CREATE TABLE t (a int{});\n", each(count, ", a# int"));
        let of_statement = |count, statement: &str| spent(&(table(count) + statement)) - spent(&table(count));
        for statement in ["ALTER TABLE t ADD b int;", "CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE bigint;"] {
            assert_eq!(of_statement(10, statement), of_statement(1_000, statement), "{statement}");
        }
    }

    #[test]
    fn a_file_that_costs_too_much_is_checked_to_some_statement() {
        let count = 1_500;
        let start = format!("CREATE TABLE t (a int);\n{}", each(count, "CREATE VIEW v# AS SELECT a FROM t;\n"));
        let renames = each(count, "ALTER TABLE t RENAME TO u;\nALTER TABLE u RENAME TO t;\n");
        let found = findings(&(start.clone() + &renames));
        let stopped: Vec<&Finding> = found.iter().filter(|finding| finding.code.name == "file-too-complex").collect();
        let line = |finding: &Finding| finding.place.as_ref().and_then(|place| Some(place.span.as_ref()?.position.line));
        assert!(stopped.len() == 1 && line(stopped[0]).is_some_and(|line| line > count + 100), "{stopped:?}");
        assert!(findings(&start).iter().all(|finding| finding.code.name != "file-too-complex"));
    }

    /// Many small files cost no more than a few: each has less than the limit of one file, together they have more.
    #[test]
    fn files_together_have_a_limit() {
        let table = format!("CREATE TABLE t (id int{});", each(1_000, ", a# int"));
        let copies = each(25, "CREATE TABLE f@_# (LIKE t);\n");
        let migration = |number: usize| {
            let text = if number == 1 { table.clone() } else { copies.replace('@', &number.to_string()) };
            let script = script(&text, Dialect::Postgres);
            Migration::new(number.to_string().parse().unwrap(), "x", script, None)
        };
        let too_complex = |count: usize| {
            let history: Vec<Migration> = (1..=count).map(migration).collect();
            let findings = lint(&history, &LintOptions::new(Dialect::Postgres));
            findings.iter().filter(|finding| finding.code.name == "file-too-complex").count()
        };
        assert_eq!((too_complex(5), too_complex(12)), (0, 5));
    }

    #[test]
    fn findings_about_one_place_are_counted_after_the_first_hundred() {
        let text = format!("CREATE TABLE t (a int);\n{}", each(150, "CREATE VIEW v# AS SELECT a FROM t;\n"));
        let found = findings(&(text + "ALTER TABLE t ALTER a TYPE bigint;"));
        let finding = found.iter().find(|finding| finding.code.name == "alter-type-view-dep").unwrap();
        assert!(finding.notes.iter().any(|note| note.contains("and 91 more in this file")), "{:?}", finding.notes);
    }
}
