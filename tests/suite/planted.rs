//! PostgreSQL: whoever may create objects in a schema of `search_path` plants functions, operators and types under the names that
//! our own SQL uses. None of them may run when an administrator migrates (CVE-2018-1058).

use migrate_model::dialect::Dialect;
use migrate_model::token::{Kind as TokenKind, Token, Tokens};
use migrate_runtime::{LockStrategy, Migrator};
use migrate_tests::{Binary, Kind, Outcome, Proxy, TestDatabase, TestFolder, until};
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeSet;
use std::process::Stdio;

/// Scripts without an operator or a function.
const FILES: &[(&str, &str)] = &[
    (
        "001_a.up.sql",
        "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY i ON a (id);\nINSERT INTO a VALUES (1);\n\
         CREATE TABLE p (id int) PARTITION BY RANGE (id);\nCREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);\n\
         ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;\nREINDEX TABLE CONCURRENTLY a;",
    ),
    ("001_a.down.sql", "DROP TABLE p1, p;\nDROP INDEX CONCURRENTLY i;\nDROP TABLE a;"),
    ("002_b.up.sql", "CREATE TABLE b (id int);"),
    ("002_b.down.sql", "DROP TABLE b;"),
];

/// What the parser reads as an expression, although it looks like a call.
const SYNTAX: &[&str] = &[
    "all", "and", "any", "array", "as", "bit", "by", "case", "cast", "coalesce", "conflict", "else", "except", "exists",
    "extract", "from", "in", "into", "join", "key", "lateral", "not", "on", "operator", "or", "range", "select", "set", "then",
    "using", "values", "when", "where",
];

/// Types that the grammar knows, so that they need no schema.
const TYPES: &[&str] = &["bigint", "bit", "int", "integer"];

/// Words that compare with an operator which `search_path` selects.
const COMPARISONS: &[&str] = &["between", "ilike", "in", "like", "nullif", "similar", "distinct"];

fn symbols(sql: &str) -> Vec<(usize, String)> {
    let operator = |byte: u8| b"+-*/<>=~!@#%^&|`?".contains(&byte);
    let mut symbols: Vec<(usize, String)> = Vec::new();
    for token in Tokens::new(sql, Dialect::Postgres).filter(|token| token.kind == TokenKind::Symbol) {
        let text = token.text(sql);
        if !text.bytes().all(operator) {
            continue;
        }
        match symbols.last_mut() {
            Some((start, before)) if *start + before.len() == token.start => before.push_str(text),
            _ => symbols.push((token.start, text.to_owned())),
        }
    }
    symbols
}

/// A list of columns follows the name of a common table expression: `(a, b) AS (SELECT`.
fn names_columns(sql: &str, tokens: &[Token]) -> bool {
    let mut rest = tokens
        .iter()
        .skip_while(|token| token.kind == TokenKind::Word || [b'(', b','].iter().any(|symbol| token.is_symbol(sql, *symbol)));
    let words = [(); 4].map(|()| rest.next().map_or("", |token| token.text(sql)).to_lowercase());
    words == [")", "as", "(", "select"]
}

/// What a message of ours leaves to `search_path`.
fn left_to_search_path(sql: &str) -> Vec<String> {
    let tokens: Vec<Token> = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank()).collect();
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text(sql)).to_lowercase();
    let mut problems = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let (before, word, after) = (at.checked_sub(1).map(text).unwrap_or_default(), text(at), text(at + 1));
        let is_word = token.kind == TokenKind::Word;
        let is_comparison = COMPARISONS.contains(&word.as_str()) && before != "select" && (word != "in" || after == "(");
        // `CASE x WHEN y` compares, and so does `JOIN t USING (x)`.
        let is_hidden = word == "case" && after != "when" || word == "using" && after == "(";
        if is_word && (is_comparison || is_hidden) {
            problems.push(format!("{word} {after}"));
        }
        // A list of columns follows the name of a table.
        let names_table = ["table", "on", "as", "into"].contains(&before.as_str())
            || at >= 3 && text(at - 1) == "." && ["into", "exists", "on"].contains(&text(at - 3).as_str());
        if is_word
            && after == "("
            && ![".", ")"].contains(&before.as_str())
            && !names_columns(sql, &tokens[at + 1..])
            && !names_table
            && !SYNTAX.contains(&word.as_str())
            && !TYPES.contains(&word.as_str())
        {
            problems.push(format!("{word}("));
        }
        let is_type = before == ":" && at >= 2 && text(at - 2) == ":";
        if is_type && word != "pg_catalog" && !TYPES.contains(&word.as_str()) {
            problems.push(format!("::{word}"));
        }
    }
    for (start, symbol) in symbols(sql) {
        let is_qualified = sql[..start].ends_with("OPERATOR(pg_catalog.");
        let counts_all = symbol == "*" && sql[..start].ends_with("count(");
        // `SET name = value`, and the assignments of an `UPDATE`.
        let set = sql[..start].rfind("SET ").filter(|_| symbol == "=");
        let assigns = set.is_some_and(|set| !sql[set..start].contains(" WHERE "));
        // The sign of a number is not an operator.
        let is_sign = symbol == "-" && sql[..start].ends_with('(');
        // `UNLISTEN *`.
        if !is_qualified && !counts_all && !assigns && !is_sign && !sql[..start].ends_with("UNLISTEN ") {
            problems.push(format!("{symbol} in {}", &sql[start.saturating_sub(30)..start]));
        }
    }
    problems
}

/// The names that are called in a text.
fn called(sql: &str) -> impl Iterator<Item = String> {
    let tokens: Vec<Token> = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank()).collect();
    let calls = tokens.windows(2).filter(|pair| pair[0].kind == TokenKind::Word && pair[1].is_symbol(sql, b'('));
    calls
        .map(|pair| pair[0].text(sql).to_lowercase())
        .filter(|name| !SYNTAX.contains(&name.as_str()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Plants an operator for each symbol and each pair of types, functions under each name, and types.
async fn plant(database: &TestDatabase, symbols: &BTreeSet<String>, names: &BTreeSet<String>) {
    let list = |values: &BTreeSet<String>| values.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        r#"CREATE SEQUENCE public.planted;
DO $do$
DECLARE
  types text[] := ARRAY['pg_catalog.text', 'int2', 'int4', 'int8', 'numeric', 'timestamptz', 'interval', 'oid', 'name', 'bool', 'inet', '"char"', 'regclass', 'regtype'];
  l text; r text; s text; f text; made text; arguments text;
  trap text := $f$ BEGIN PERFORM pg_catalog.nextval('public.planted'); RETURN NULL;
    EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'planted'; END $f$;
BEGIN
  FOREACH l IN ARRAY types LOOP FOREACH r IN ARRAY types LOOP
    FOREACH made IN ARRAY ARRAY['bool', 'pg_catalog.text'] LOOP
      EXECUTE format('CREATE FUNCTION public.%I (%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', 'trap ' || made, l, r, made, trap);
    END LOOP;
    FOREACH s IN ARRAY ARRAY[{symbols}] LOOP
      EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%I)', s, l, r,
        'trap ' || CASE WHEN s ~ '^(=|<>|<|<=|>|>=|~|!~)$' THEN 'bool' ELSE 'pg_catalog.text' END);
    END LOOP;
  END LOOP; END LOOP;
  FOREACH f IN ARRAY ARRAY[{names}] LOOP
    FOR arguments IN
      SELECT '' UNION ALL SELECT a FROM unnest(types) a UNION ALL SELECT a || ', ' || b FROM unnest(types) a, unnest(types) b
      UNION ALL SELECT a || ', pg_catalog.text, ' || b FROM unnest(types) a, unnest(types) b
      UNION ALL SELECT a || ', int4, int4' FROM unnest(types) a
    LOOP
      EXECUTE format('CREATE FUNCTION public.%I (%s) RETURNS pg_catalog.text LANGUAGE plpgsql AS %L', f, arguments, trap);
    END LOOP;
  END LOOP;
END $do$;
CREATE DOMAIN public.text AS pg_catalog.int4;
CREATE DOMAIN public.timestamptz AS pg_catalog.int4;
CREATE DOMAIN public.oid AS pg_catalog.int4;
CREATE DOMAIN public.name AS pg_catalog.int4"#,
        symbols = list(symbols),
        names = list(names)
    );
    database.execute(&sql).await;
    let name = database.value("SELECT pg_catalog.current_database()::pg_catalog.text").await;
    database.execute(&format!("ALTER DATABASE \"{name}\" SET search_path = public, pg_catalog")).await;
}

/// Runs SQL that nothing planted can reach; returns the number of rows.
async fn aside(database: &TestDatabase, sql: &str) -> usize {
    let options: sqlx::postgres::PgConnectOptions = database.url.parse().unwrap();
    let mut connection = sqlx::PgConnection::connect_with(&options.options([("search_path", "pg_catalog")])).await.unwrap();
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows.len()
}

fn succeeds(outcome: &Outcome) {
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}

/// Everything that the command and the library send.
async fn use_everything(database: &TestDatabase, url: &str, lock: &str) {
    let folder = TestFolder::new(FILES);
    folder.write(
        "migrate.toml",
        &format!("service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\nlock = \"{lock}\"\nlease = \"2s\"\n"),
    );
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", url);
    for arguments in [
        &["wait"][..],
        &["status"],
        &["plan"],
        &["up", "--dry-run"],
        &["up"],
        &["verify"],
        &["status"],
        &["redo", "--yes"],
        &["down", "--all", "--yes"],
    ] {
        succeeds(&binary.run(arguments));
    }
    interrupted(database, &folder, &binary).await;
    waiting_and_blocked(database, &folder, &binary).await;
    let set = folder.set(Dialect::Postgres);
    let migrator = Migrator::new(&set).lock(if lock == "lease" { LockStrategy::Lease } else { LockStrategy::Session });
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    migrator.run(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    assert!(migrator.is_up_to_date(&pool).await.unwrap());
    pool.close().await;
    folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id int); -- edited\n");
    binary.run(&["verify"]);
    succeeds(&binary.run(&["repair", "--yes"]));
    succeeds(&binary.run(&["down", "--all", "--yes"]));
}

/// A run that fails at a statement, is resolved, resumes, and is recovered after a kill.
async fn interrupted(database: &TestDatabase, folder: &TestFolder, binary: &Binary) {
    folder.write(
        "migrations/001_a.up.sql",
        "CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY i ON a (id);\nINSERT INTO missing VALUES (1);",
    );
    assert_eq!(binary.run(&["up"]).code, 7);
    succeeds(&binary.run(&["resolve", "--retry", "001"]));
    // The outcome of the statement that was running is looked up in the catalog.
    aside(database, "UPDATE public.migration_records SET state = 'started', statements_done = 1").await;
    assert_eq!(binary.run(&["up"]).code, 7);
    folder.write("migrations/001_a.up.sql", FILES[0].1);
    succeeds(&binary.run(&["up"]));
    succeeds(&binary.run(&["down", "--all", "--yes"]));
}

/// A process that waits for another one, which waits for a table.
async fn waiting_and_blocked(database: &TestDatabase, folder: &TestFolder, binary: &Binary) {
    succeeds(&binary.run(&["up", "--to", "1"]));
    folder.write("migrations/002_b.up.sql", "ALTER TABLE a ADD COLUMN n int;\nCREATE TABLE b (id int);");
    let mut holder = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE a").execute(&mut holder).await.unwrap();
    let mut run =
        binary.command(&["up", "--lock-timeout", "300ms"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    until(async || aside(database, waits).await == 1).await.expect("a run that waits for the table");
    let waiter = binary.run(&["up", "--lock-wait", "1s"]);
    assert_eq!(waiter.code, 6, "{}", waiter.stderr);
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    assert!(run.wait().unwrap().success());
    succeeds(&binary.run(&["down", "--yes"]));
    folder.write("migrations/002_b.up.sql", FILES[2].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_planted_in_postgres_runs() {
    let clean = TestDatabase::new(Kind::Postgres).await;
    let proxy = Proxy::before(Kind::Postgres, &clean.url).await;
    for lock in ["session", "lease"] {
        use_everything(&clean, &proxy.url, lock).await;
    }
    let texts = proxy.texts();
    clean.drop().await;
    let problems: BTreeSet<String> = texts.iter().flat_map(|sql| left_to_search_path(sql)).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    let symbols: BTreeSet<String> = texts.iter().flat_map(|sql| symbols(sql)).map(|(_, symbol)| symbol).collect();
    let names: BTreeSet<String> = texts.iter().flat_map(|sql| called(sql)).collect();
    assert!(symbols.contains("=") && names.contains("concat"), "{symbols:?} {names:?}");

    let planted = TestDatabase::new(Kind::Postgres).await;
    plant(&planted, &symbols, &names).await;
    for lock in ["session", "lease"] {
        use_everything(&planted, &planted.url, lock).await;
    }
    assert_eq!(aside(&planted, "SELECT 1 FROM public.planted WHERE NOT is_called").await, 1, "a planted object was called");
    planted.drop().await;
}
