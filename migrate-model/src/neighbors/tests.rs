//! What the first run of a service says about the histories that it finds, by table.

use super::*;
use crate::catalog_table::{CatalogTable, TableAccess, TableReach};
use crate::dialect::Dialect;
use crate::migration::Migration;
use crate::origin::{ForeignRow, MigrationFile};
use crate::origins;
use crate::script::Script;
use crate::set_settings::SetSettings;

/// The text of every migration in these tests.
const TEXT: &str = "CREATE TABLE t (id int);\n";

/// A set of the service `shop`: paths of up files, each with its version and name.
fn set(files: &[(&str, &str, &str)]) -> MigrationSet {
    set_with(files, |_| {})
}

fn set_with(files: &[(&str, &str, &str)], change: impl FnOnce(&mut SetSettings)) -> MigrationSet {
    let migration = |(path, version, name): &(&str, &str, &str)| {
        let script = Script::read(TEXT.to_owned(), path, Dialect::Postgres).0;
        Migration::new(version.parse().unwrap(), (*name).to_owned(), script, None)
    };
    let mut settings = SetSettings::new("shop", Dialect::Postgres);
    change(&mut settings);
    MigrationSet::new(settings, files.iter().map(migration).collect())
}

fn two() -> MigrationSet {
    set(&[("migrations/001_a.up.sql", "001", "a"), ("migrations/002_b.up.sql", "002", "b")])
}

fn place(schema: &str, records: &str) -> HistoryPlace {
    HistoryPlace { schema: schema.to_owned(), records: records.to_owned() }
}

fn table(schema: &str, columns: &str) -> CatalogTable {
    let columns = CatalogTable::columns_of(&columns.replace(", ", "\n"));
    CatalogTable {
        schema: schema.to_owned(),
        name: "x".to_owned(),
        columns,
        access: TableAccess::Readable,
        reach: TableReach::Qualified,
    }
}

/// The history of another tool, recognized by its columns; each row has the columns that are read.
fn foreign(schema: &str, columns: &str, rows: &[&[&str]]) -> ForeignHistory {
    let table = table(schema, columns);
    let (origin, known) = origins::recognize(&table, std::slice::from_ref(&table)).unwrap_or_else(|| panic!("{columns}"));
    let row = |row: &&[&str]| ForeignRow(row.iter().map(|text| Some((*text).to_owned()).filter(|text| text != "NULL")).collect());
    let records = (known.read)(&rows.iter().map(row).collect::<Vec<_>>());
    ForeignHistory { origin, place: place(schema, "x"), reach: TableReach::Qualified, records: Ok(records) }
}

fn row(service: &str, migration: &Migration) -> NeighborRow {
    NeighborRow {
        service: service.to_owned(),
        version: migration.version.to_string(),
        checksum: migration.up.checksum.to_string(),
        sql_checksum: migration.up.sql_checksum.to_string(),
        state: "applied".to_owned(),
    }
}

/// Level, code and message of each finding.
fn lines(set: &MigrationSet, histories: Vec<NeighborHistory>, foreign: Vec<ForeignHistory>) -> Vec<String> {
    let neighborhood = Neighborhood { place: place("app", "migration_records"), histories, foreign };
    let findings = findings(set, &neighborhood);
    findings.iter().map(|finding| format!("{} {}: {}", finding.level.name(), finding.code, finding.message)).collect()
}

#[test]
fn a_history_of_this_service_elsewhere() {
    let set = two();
    let rows: Vec<NeighborRow> = set.iter().map(|migration| row("shop", migration)).collect();
    let history = |schema: &str, records: &str, rows: Option<&Vec<NeighborRow>>| {
        vec![NeighborHistory { place: place(schema, records), rows: rows.cloned().ok_or(NotRead::Denied) }]
    };
    assert_eq!(
        lines(&set, history("public", "migration_records", Some(&rows)), Vec::new()),
        [
            "error other-schema: `shop` has no history in `app.migration_records`, but `public.migration_records` contains one with 2 migrations"
        ]
    );
    // Other names of tables are another place, too.
    assert!(lines(&set, history("app", "records", Some(&rows)), Vec::new())[0].starts_with("error other-schema: "));
    assert!(lines(&set, history("public", "migration_records", None), Vec::new())[0].contains("this user cannot read"));
    assert_eq!(lines(&set, history("public", "migration_records", Some(&Vec::new())), Vec::new()), [""; 0]);
}

#[test]
fn a_place_that_is_stated() {
    let files = [("migrations/001_a.up.sql", "001", "a")];
    let stated = set_with(&files, |contents| contents.run.history.schema = Some("app".to_owned()));
    let ignored = set_with(&files, |contents| contents.run.ignored_histories = vec!["other-schema".to_owned()]);
    let rows: Vec<NeighborRow> = stated.iter().map(|migration| row("shop", migration)).collect();
    let history = |schema: &str, records: &str, rows| vec![NeighborHistory { place: place(schema, records), rows }];
    let elsewhere = history("tenant_1", "migration_records", Ok(rows.clone()));
    assert_eq!(
        lines(&stated, elsewhere.clone(), Vec::new()),
        ["note other-schema: `tenant_1.migration_records` also contains a history of `shop`, with 1 migration"]
    );
    assert_eq!(lines(&stated, history("tenant_1", "migration_records", Err(NotRead::RunsCode)), Vec::new()), [""; 0]);
    assert_eq!(lines(&ignored, elsewhere, Vec::new()), [""; 0]);
    // The schema is stated, but in it, other tables contain the history.
    let beside = lines(&stated, history("app", "records", Ok(rows)), Vec::new());
    assert!(beside[0].starts_with("error other-schema: "), "{beside:?}");
}

#[test]
fn another_service_with_the_same_migrations() {
    let set = two();
    let same: Vec<NeighborRow> = set.iter().map(|migration| row("store", migration)).collect();
    let different = NeighborRow { checksum: String::new(), sql_checksum: String::new(), ..same[1].clone() };
    let edited = NeighborRow { checksum: String::new(), ..same[1].clone() };
    let of = |rows: Vec<NeighborRow>| {
        lines(&set, vec![NeighborHistory { place: place("app", "migration_records"), rows: Ok(rows) }], Vec::new())
    };
    let expected = "error other-service: in `app.migration_records`, 2 of 2 migrations of `shop` are applied under the service name \
                    `store`, with the same checksums";
    assert_eq!(of(same.clone()), [expected]);
    assert_eq!(of(vec![same[0].clone(), edited]), [expected], "only comments differ");
    assert_eq!(of(vec![same[0].clone()]).len(), 1);
    assert_eq!(of(vec![same[0].clone(), different.clone()]), [""; 0], "two services with the same first file");
    assert_eq!(of(vec![different]), [""; 0]);
    let ignoring = set_with(&[("migrations/001_a.up.sql", "001", "a")], |contents| {
        contents.run.ignored_histories = vec!["other-service".to_owned()];
    });
    let history = NeighborHistory { place: place("app", "migration_records"), rows: Ok(same) };
    assert_eq!(lines(&ignoring, vec![history], Vec::new()), [""; 0]);
}

/// Each tool: the columns of its table on PostgreSQL, rows, and the file that the first row is about.
#[test]
fn each_tool_is_recognized_by_its_columns() {
    let sqlx =
        "version:bigint, description:text, installed_on:timestamptz, success:boolean, checksum:bytea, execution_time:bigint";
    let atlas = "version:varchar, description:varchar, type:bigint, applied:bigint, total:bigint, executed_at:timestamptz, \
                 execution_time:bigint, error:text, error_stmt:text, hash:varchar, partial_hashes:jsonb, operator_version:varchar";
    let flyway = "installed_rank:integer, version:varchar, description:varchar, type:varchar, script:varchar, checksum:integer, \
                  installed_by:varchar, installed_on:timestamp, execution_time:integer, success:boolean";
    let prisma = "id:varchar, checksum:varchar, finished_at:timestamptz, migration_name:varchar, logs:text, \
                  rolled_back_at:timestamptz, started_at:timestamptz, applied_steps_count:integer";
    let file = ("migrations/001_a.up.sql", "001", "a");
    let plain = ("001_a.sql", "001", "a");
    let folder = ("2025-01-02-030405_a/up.sql", "2025-01-02-030405", "a");
    for (tool, columns, rows, file) in [
        ("sqlx", sqlx, &[&["1", "a", "true", "00"][..]][..], file),
        ("diesel", "version:varchar, run_on:timestamp", &[&["00000000000000"], &["20250102030405"]], folder),
        (
            "refinery",
            "version:integer, name:varchar, applied_on:varchar, checksum:varchar",
            &[&["1", "a"]],
            ("V1__a.sql", "1", "a"),
        ),
        ("sea-orm", "version:varchar, applied_at:bigint", &[&["m20220101_000001_a"]], ("20220101_000001_a.sql", "20220101", "a")),
        ("golang-migrate", "version:bigint, dirty:boolean", &[&["1", "false"]], file),
        (
            "goose",
            "id:integer, version_id:bigint, is_applied:boolean, tstamp:timestamp",
            &[&["1", "0", "true"], &["2", "1", "true"]],
            file,
        ),
        ("dbmate", "version:varchar", &[&["001"]], plain),
        ("flyway", flyway, &[&["1", "1", "a", "SQL", "true"]], ("V001__a.sql", "001", "a")),
        ("prisma", prisma, &[&["01_a", "00", "2025", "2025", "NULL"]], ("01_a/migration.sql", "01", "a")),
        ("node-pg-migrate", "id:integer, name:varchar, run_on:timestamp", &[&["001_a"]], file),
        ("supabase", "version:text, statements:text[], name:text", &[&["001", "a"]], plain),
        ("atlas", atlas, &[&["001", "a", "2", "2"]], plain),
        (
            "link",
            "id:integer, service:varchar, version:integer, name:varchar, applied_at:timestamp, checksum:varchar",
            &[&["shop", "1", "a", "00"]],
            file,
        ),
        ("link", "service:varchar, version:integer, applied_at:timestamp, description:varchar", &[&["shop", "1"]], file),
        ("takumi", "id:integer, migration_name:varchar, applied_at:timestamp", &[&["001_a.sql"]], plain),
        (
            "trossapp",
            "id:integer, version:integer, description:text, applied_at:timestamp, applied_by:varchar, success:boolean",
            &[&["1", "true"]],
            plain,
        ),
    ] {
        let set = set(&[file]);
        let history = foreign("other", columns, rows);
        assert_eq!(history.origin.name, tool);
        let key = (history.origin.key)(&MigrationFile { path: file.0 });
        assert!(key.is_some(), "{tool}: {}", file.0);
        let lines = lines(&set, Vec::new(), vec![history]);
        assert!(
            lines[0].starts_with(&format!("error foreign-history: `other.x` is the history of {tool}, ")),
            "{tool}: {lines:?}"
        );
        assert!(lines[0].contains("1 of 1 migration of `shop`"), "{tool}: {lines:?}");
    }
}

#[test]
fn rails_is_told_from_dbmate_by_its_second_table() {
    let tables =
        [table("app", "version:varchar"), table("app", "key:varchar, value:varchar, created_at:timestamp, updated_at:timestamp")];
    assert_eq!(origins::recognize(&tables[0], &tables).unwrap().0.name, "rails");
    assert_eq!(origins::recognize(&tables[0], &tables[..1]).unwrap().0.name, "dbmate");
    assert!(origins::recognize(&table("app", "version:timestamp"), &[]).is_none());
    assert!(origins::recognize(&table("app", "version:varchar, more:int"), &[]).is_none());
    // A team has added a column.
    let extended = "version:bigint, description:text, installed_on:timestamptz, success:boolean, checksum:bytea, \
                    execution_time:bigint, deployed_by:text";
    assert_eq!(origins::recognize(&table("app", extended), &[]).unwrap().0.name, "sqlx");
}

#[test]
fn what_was_reverted_is_not_applied_and_what_failed_is() {
    let set = two();
    let goose = "id:integer, version_id:bigint, is_applied:boolean, tstamp:timestamp";
    let history = foreign("app", goose, &[&["1", "1", "true"], &["2", "1", "false"], &["3", "9", "true"]]);
    assert_eq!(
        lines(&set, Vec::new(), vec![history]),
        [
            "note foreign-history: `app.x` is the history of goose, with 1 applied migration; none of them is a migration of `shop`"
        ]
    );
    let history = foreign("app", "version:bigint, dirty:boolean", &[&["2", "true"]]);
    assert_eq!(
        lines(&set, Vec::new(), vec![history]),
        [
            "error foreign-history: `app.x` is the history of golang-migrate, at version 2; 2 of 2 migrations of `shop` have this version or a lower one"
        ]
    );
}

/// A number alone says little: in the schema of the history it counts, elsewhere only if a file has it.
#[test]
fn one_number_for_everything() {
    let of = |schema: &str, version: &str| {
        lines(&two(), Vec::new(), vec![foreign(schema, "version:bigint, dirty:boolean", &[&[version, "false"]])])
    };
    for (schema, version, level) in
        [("app", "7", "error"), ("other", "7", "note"), ("other", "1", "error"), ("app", "0", "note"), ("other", "002", "error")]
    {
        assert!(of(schema, version)[0].starts_with(level), "{schema} {version}: {:?}", of(schema, version));
    }
    assert!(of("other", "7")[0].contains("in a schema in which"), "{:?}", of("other", "7"));
    // Where the migrations find their tables, it counts, too.
    let reached = foreign("other", "version:bigint, dirty:boolean", &[&["7", "false"]]);
    let reached = lines(&two(), Vec::new(), vec![ForeignHistory { reach: TableReach::Unqualified, ..reached }]);
    assert!(reached[0].starts_with("error"), "{reached:?}");
    assert_eq!(of("app", "-1"), [""; 0]);
    let link = "service:varchar, version:integer, applied_at:timestamp, description:varchar";
    let other_service = lines(&two(), Vec::new(), vec![foreign("app", link, &[&["billing", "2"]])]);
    assert!(other_service[0].starts_with("note"), "{other_service:?}");
}

#[test]
fn the_history_of_another_folder_is_a_note() {
    let set = two();
    let sqlx =
        "version:bigint, description:text, installed_on:timestamptz, success:boolean, checksum:bytea, execution_time:bigint";
    let sum = (origins::named("sqlx").unwrap().checksum.unwrap())(&TEXT.replace('\n', "\r\n"));
    for (rows, expected) in [
        (&[&["1", "x", "true", "00"][..], &["2", "y", "true", "00"]][..], "note"),
        // The same text under another name, with other line ends.
        (&[&["1", "x", "true", &sum], &["2", "y", "true", "00"]], "error"),
        (&[&["7", "a", "true", "00"]], "note"),
        (&[&["1", "a", "true", "00"], &["2", "y", "true", "00"]], "note"),
        (&[&["1", "a", "true", "00"], &["2", "b", "true", "00"]], "error"),
    ] {
        let lines = lines(&set, Vec::new(), vec![foreign("app", sqlx, rows)]);
        assert!(lines[0].starts_with(expected), "{rows:?}: {lines:?}");
    }
    let ignoring = set_with(&[("001_a.sql", "001", "a")], |contents| contents.run.ignored_histories = vec!["sqlx".to_owned()]);
    assert_eq!(lines(&ignoring, Vec::new(), vec![foreign("app", sqlx, &[&["1", "a", "true", "00"]])]), [""; 0]);
}

/// Files that got other versions for this tool: their checksums are those of the other history, or their names.
#[test]
fn renumbered_files_of_another_tool() {
    let texts: Vec<String> = (0..6).map(|number| format!("CREATE TABLE t{number} (id int);\n")).collect();
    let names = ["init", "users", "orders", "items", "prices", "stock"];
    let contents = |range: std::ops::Range<usize>| {
        let migration = |number: usize| {
            let (version, name) = (format!("{}", 101 + number), names[number]);
            let path = format!("migrations/{version}_{name}.up.sql");
            let script = Script::read(texts[number].clone(), &path, Dialect::Postgres).0;
            Migration::new(version.parse().unwrap(), name.to_owned(), script, None)
        };
        MigrationSet::new(SetSettings::new("shop", Dialect::Postgres), range.map(migration).collect())
    };
    let sqlx =
        "version:bigint, description:text, installed_on:timestamptz, success:boolean, checksum:bytea, execution_time:bigint";
    let sum = origins::named("sqlx").unwrap().checksum.unwrap();
    let flyway = "installed_rank:integer, version:varchar, description:varchar, type:varchar, script:varchar, checksum:integer, \
                  installed_by:varchar, installed_on:timestamp, execution_time:integer, success:boolean";
    let by_sqlx = |range: std::ops::Range<usize>| {
        let rows: Vec<[String; 4]> =
            range.map(|number| [(number + 1).to_string(), "other".to_owned(), "true".to_owned(), sum(&texts[number])]).collect();
        let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
        foreign("app", sqlx, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let by_flyway = |range: std::ops::Range<usize>| {
        let rows: Vec<[String; 3]> =
            range.map(|number| [number.to_string(), (number + 1).to_string(), names[number].to_owned()]).collect();
        let rows: Vec<Vec<&str>> =
            rows.iter().map(|row| row.iter().map(String::as_str).chain(["SQL", "true"]).collect()).collect();
        foreign("app", flyway, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    for (set, history, level, part) in [
        (0..6, by_sqlx(0..6), "error", "6 of 6 migrations of `shop` are among them, 6 with the same checksum"),
        // Older files were merged into others; newer files are not applied there.
        (4..6, by_sqlx(0..6), "error", "2 of 2 migrations"),
        (0..6, by_sqlx(0..1), "error", "1 of 6 migrations"),
        // Two services have one equal file.
        (0..4, by_sqlx(3..6), "note", "none of them"),
        (0..6, by_flyway(0..4), "error", "4 of 6 migrations of `shop` are among them"),
        (0..1, by_flyway(0..1), "note", "none of them"),
        (0..4, by_flyway(2..6), "error", "2 of 4 migrations"),
        (0..5, by_flyway(3..6), "error", "2 of 5 migrations"),
        (0..6, by_flyway(6..6), "", ""),
    ] {
        let lines = lines(&contents(set.clone()), Vec::new(), vec![history]);
        let line = lines.first().map_or("", String::as_str);
        assert!(line.starts_with(level) && line.contains(part), "{set:?}: {line}");
    }
}
