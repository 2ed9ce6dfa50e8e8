//! Which tables of the history must not be used, from the catalog of PostgreSQL.

use super::table_list;
use crate::history_sql::HistorySql;
use crate::trust::{Purpose, TableName, TrustSql};

/// Begins the text of the failed check.
const MARK: &str = "untrusted table";

/// SQLSTATE `wrong_object_type`.
const WRONG_OBJECT_TYPE: &str = "42809";

/// The SQL of the check.
pub const TRUST: TrustSql = TrustSql {
    problems,
    check: |problems| format!("SELECT CAST(pg_catalog.concat('{MARK} ', bad.table_name) AS integer) FROM ({problems}) bad"),
    // Some kinds of relations cannot even be locked.
    is_failure: |error| error.message.contains(MARK) || error.code.as_deref() == Some(WRONG_OBJECT_TYPE),
    writers: Some(writers),
};

/// Common table expressions. `own`: the roles that the current user or the user of the session is or is a member of; a superuser
/// counts as a member only of roles that were granted. `trusted`: these, superusers, the owner of the database, and the owner of
/// a schema that was chosen on purpose. Any user who may create a schema can choose its name, and so its place in `search_path`.
fn roles(history_sql: &HistorySql) -> String {
    let equal = history_sql.dialect().names.equal;
    let owner_of_schema = history_sql.stated_schema().map(|schema| {
        format!(" UNION SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname {equal} {}", history_sql.text(schema))
    });
    format!(
        "WITH RECURSIVE own AS (SELECT r.oid AS role FROM pg_catalog.pg_roles r \
         WHERE r.rolname {equal} CURRENT_USER OR r.rolname {equal} SESSION_USER \
         UNION SELECT a.roleid FROM pg_catalog.pg_auth_members a JOIN own o ON a.member {equal} o.role), \
         trusted AS (SELECT o.role FROM own o \
         UNION SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolsuper OR r.rolname {equal} 'pg_database_owner' \
         UNION SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname {equal} pg_catalog.current_database(){})",
        owner_of_schema.unwrap_or_default()
    )
}

/// A condition: a role, given by its number, can be trusted by this session.
fn is_trusted(role: &str) -> String {
    format!("EXISTS (SELECT 1 FROM trusted known WHERE known.role OPERATOR(pg_catalog.=) {role})")
}

/// The qualified name of a relation, from the aliases of its row and of that of its schema.
fn label(schema: &str, relation: &str) -> String {
    format!(
        "pg_catalog.concat(pg_catalog.quote_ident({schema}.nspname::pg_catalog.text), '.', \
         pg_catalog.quote_ident({relation}.relname::pg_catalog.text))"
    )
}

/// The name of a role, as text.
fn role_name(role: &str) -> String {
    format!("pg_catalog.pg_get_userbyid({role})::pg_catalog.text")
}

/// The number of a table; null if it does not exist.
fn oid(history_sql: &HistorySql, table: TableName<'_>) -> String {
    let schema = table.schema.map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
    let name = history_sql.text(&format!("{schema}{}", history_sql.name(table.name)));
    format!("pg_catalog.to_regclass({name})::pg_catalog.oid")
}

/// Who may write a table: roles with a privilege on it, on one of its columns, or on a view or a rule of a trusted user through
/// which it is written; and members of roles that are trusted and may write it, because a member can act as its role.
fn writers(history_sql: &HistorySql, table: TableName<'_>) -> String {
    let equal = history_sql.dialect().names.equal;
    let (relation, is_trusted_role) = (label("n", "c"), is_trusted("g.role"));
    let (role, via) = (quoted_role("a.member"), quoted_role("h.role"));
    let grantee = format!("CASE WHEN g.role {equal} 0 THEN 'PUBLIC' ELSE {} END", quoted_role("g.role"));
    format!(
        "{}, {}, found AS (SELECT {grantee} AS role, {relation} AS relation, \
         pg_catalog.string_agg(g.privilege, ', ' ORDER BY g.privilege) AS privileges \
         FROM granted g JOIN pg_catalog.pg_class c ON c.oid {equal} g.relation \
         JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace WHERE NOT {is_trusted_role} AND g.privilege IS NOT NULL \
         GROUP BY g.role, n.nspname, c.relname) \
         SELECT {relation}, w.role, w.privileges, w.revoke FROM (\
         SELECT f.role, CASE WHEN f.relation {equal} {relation} THEN f.privileges \
         ELSE pg_catalog.concat(f.privileges, ' on ', f.relation) END AS privileges, \
         pg_catalog.concat('REVOKE ', f.privileges, ' ON ', f.relation, ' FROM ', f.role) AS revoke \
         FROM found f, pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace WHERE c.oid {equal} {} \
         UNION ALL SELECT {role}, pg_catalog.concat('member of ', {via}), pg_catalog.concat('REVOKE ', {via}, ' FROM ', {role}) \
         FROM holders h JOIN pg_catalog.pg_auth_members a ON a.roleid {equal} h.role WHERE NOT {}) w, \
         pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace WHERE c.oid {equal} {} ORDER BY 2, 3",
        roles(history_sql),
        holders(&oid(history_sql, table), equal),
        oid(history_sql, table),
        is_trusted("a.member"),
        oid(history_sql, table)
    )
}

/// The name of a role for SQL.
fn quoted_role(role: &str) -> String {
    format!("pg_catalog.quote_ident({})", role_name(role))
}

/// Common table expressions. `relations`: the table, and the views and tables of trusted users whose rules use it. `granted`: the
/// privileges to write these; null for the owner. `holders`: the trusted roles that may write the table, and the role of the
/// system that may.
fn holders(table: &str, equal: &str) -> String {
    let catalog = |name: &str| format!("'pg_catalog.{name}'::pg_catalog.regclass::pg_catalog.oid");
    let writes = format!("x.privilege_type {equal} ANY (ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])");
    let is_written = "(c.relkind OPERATOR(pg_catalog.<>) 'v' \
         OR (pg_catalog.pg_relation_is_updatable(c.oid, true) OPERATOR(pg_catalog.&) 28) OPERATOR(pg_catalog.<>) 0)";
    format!(
        "relations AS (SELECT c.oid AS relation FROM pg_catalog.pg_class c WHERE c.oid {equal} {table} \
         UNION SELECT v.oid FROM relations s JOIN pg_catalog.pg_depend d ON d.refobjid {equal} s.relation \
         JOIN pg_catalog.pg_rewrite w ON w.oid {equal} d.objid JOIN pg_catalog.pg_class v ON v.oid {equal} w.ev_class \
         WHERE d.refclassid {equal} {} AND d.classid {equal} {} AND v.relkind OPERATOR(pg_catalog.<>) 'm' AND {}), \
         granted AS (SELECT s.relation, x.grantee AS role, x.privilege_type AS privilege FROM relations s \
         JOIN pg_catalog.pg_class c ON c.oid {equal} s.relation CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x \
         WHERE {writes} AND {is_written} \
         UNION SELECT s.relation, x.grantee, pg_catalog.concat(x.privilege_type, ' (', \
         pg_catalog.quote_ident(t.attname::pg_catalog.text), ')') FROM relations s \
         JOIN pg_catalog.pg_class c ON c.oid {equal} s.relation JOIN pg_catalog.pg_attribute t ON t.attrelid {equal} c.oid \
         CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) x WHERE {writes} AND {is_written} \
         UNION SELECT s.relation, c.relowner, NULL FROM relations s JOIN pg_catalog.pg_class c ON c.oid {equal} s.relation), \
         holders AS (SELECT r.oid AS role FROM pg_catalog.pg_roles r WHERE r.rolsuper OR r.rolname {equal} 'pg_write_all_data' \
         UNION SELECT g.role FROM granted g WHERE {} \
         UNION SELECT a.member FROM holders h JOIN pg_catalog.pg_auth_members a ON a.roleid {equal} h.role WHERE {})",
        catalog("pg_class"),
        catalog("pg_rewrite"),
        is_trusted("v.relowner"),
        is_trusted("g.role"),
        is_trusted("a.member")
    )
}

/// A condition: the owner of the table has given it an expression that the planner evaluates, with the rights of the reader: one of an
/// index, of extended statistics, of a check, of a generated column or of the bound of a partition.
fn runs_when_planned(equal: &str) -> String {
    format!(
        "c.relispartition OR EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid {equal} c.oid \
         AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)) \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_statistic_ext e WHERE e.stxrelid {equal} c.oid) \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conrelid {equal} c.oid AND k.contype {equal} 'c') \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_attribute v WHERE v.attrelid {equal} c.oid \
         AND v.attgenerated OPERATOR(pg_catalog.<>) '')"
    )
}

/// What a change of the table `c` would run: a trigger of another user, or with a condition or arguments, whose author is unknown;
/// or what hangs on a table that references this one, where the server changes its rows or its owner is another user.
fn attached(equal: &str) -> String {
    let (of_trigger, of_child) = (is_trusted("p.proowner"), is_trusted("h.relowner"));
    // It can leave out a row, or change it, without an error: TRIGGER_TYPE_BEFORE.
    let before = format!("(t.tgtype OPERATOR(pg_catalog.&) 2::pg_catalog.int2) {equal} 2::pg_catalog.int2");
    let changes = |column: &str| format!("k.{column} {equal} ANY ('{{c,n,d}}')");
    format!(
        "SELECT CASE WHEN t.tgqual IS NOT NULL THEN 'trigger with a condition' WHEN NOT {of_trigger} THEN 'trigger' \
         WHEN {before} THEN 'trigger before' ELSE 'trigger with arguments' END AS problem, \
         pg_catalog.concat(t.tgname, pg_catalog.chr(10), {}) AS detail \
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid {equal} t.tgfoid \
         WHERE t.tgrelid {equal} c.oid AND NOT t.tgisinternal \
         AND (t.tgqual IS NOT NULL OR t.tgnargs OPERATOR(pg_catalog.>) 0 OR {before} OR NOT {of_trigger}) \
         UNION ALL SELECT 'reference', pg_catalog.concat({}, pg_catalog.chr(10), {}) \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class h ON h.oid {equal} k.conrelid \
         JOIN pg_catalog.pg_namespace m ON m.oid {equal} h.relnamespace WHERE k.contype {equal} 'f' AND k.confrelid {equal} c.oid \
         AND (NOT {of_child} OR {} OR {})",
        role_name("p.proowner"),
        label("m", "h"),
        role_name("h.relowner"),
        changes("confdeltype"),
        changes("confupdtype")
    )
}

/// A query for the history that the table `c` hides: a table of the same name and of another owner in a later schema of
/// `search_path`. The schema of `c` is that of the history, and no one has stated it.
fn hidden(history_sql: &HistorySql) -> String {
    if history_sql.stated_schema().is_some() {
        return "SELECT NULL::pg_catalog.text AS history".to_owned();
    }
    let equal = history_sql.dialect().names.equal;
    format!(
        "SELECT {} AS history FROM pg_catalog.pg_class h JOIN pg_catalog.pg_namespace m ON m.oid {equal} h.relnamespace \
         WHERE n.nspname::pg_catalog.text {equal} {} AND h.relname {equal} c.relname AND h.relkind {equal} 'r' \
         AND h.oid OPERATOR(pg_catalog.<>) c.oid AND h.relowner OPERATOR(pg_catalog.<>) c.relowner \
         AND m.nspname {equal} ANY (pg_catalog.current_schemas(false)) LIMIT 1",
        label("m", "h"),
        table_list::place(history_sql)
    )
}

/// A query for the schema in which the first run would create the tables, if another user could drop them there: the owner of a
/// schema can drop everything in it, and the migrations would be applied a second time.
fn schema_of_another(history_sql: &HistorySql, purpose: Purpose) -> String {
    if purpose == Purpose::Reading || history_sql.stated_schema().is_some() {
        return String::new();
    }
    let equal = history_sql.dialect().names.equal;
    format!(
        " UNION ALL SELECT pg_catalog.quote_ident(n.nspname::pg_catalog.text), 'schema', {} FROM pg_catalog.pg_namespace n \
         WHERE n.nspname::pg_catalog.text {equal} {} AND NOT {} AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class c \
         WHERE c.relnamespace {equal} n.oid AND c.relname {equal} {})",
        role_name("n.nspowner"),
        table_list::place(history_sql),
        is_trusted("n.nspowner"),
        history_sql.text(history_sql.records_name())
    )
}

fn problems(history_sql: &HistorySql, tables: &[TableName<'_>], purpose: Purpose) -> String {
    let equal = history_sql.dialect().names.equal;
    let oids = tables.iter().map(|table| oid(history_sql, *table));
    let oids = oids.collect::<Vec<String>>().join(", ");
    let untrusted_owner = format!("NOT {}", is_trusted("c.relowner"));
    let runs_when_planned = runs_when_planned(equal);
    let (owner, attached) = match purpose {
        Purpose::Reading => {
            (String::new(), "SELECT NULL::pg_catalog.text AS problem, NULL::pg_catalog.text AS detail".to_owned())
        }
        Purpose::Writing => {
            let unlogged = format!("c.relpersistence {equal} 'u'");
            (format!(" WHEN {untrusted_owner} THEN 'owner' WHEN {unlogged} THEN 'unlogged'"), attached(equal))
        }
    };
    format!(
        "{} SELECT found.table_name, found.problem, \
         CASE WHEN found.problem {equal} found.attached THEN found.detail \
         WHEN found.problem {equal} 'copy' THEN pg_catalog.concat(found.hidden, pg_catalog.chr(10), found.owner) \
         ELSE found.owner END FROM (\
         SELECT {} AS table_name, CASE WHEN c.relkind {equal} 'v' THEN 'view' WHEN c.relkind {equal} 'm' THEN 'materialized view' \
         WHEN c.relkind {equal} 'f' THEN 'foreign table' WHEN c.relkind {equal} 'p' THEN 'partitioned table' \
         WHEN c.relkind OPERATOR(pg_catalog.<>) 'r' THEN 'relation of another kind' \
         WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite w WHERE w.ev_class {equal} c.oid) THEN 'rules' \
         WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhparent {equal} c.oid) THEN 'children' \
         WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid {equal} a.atttypid \
         JOIN pg_catalog.pg_namespace s ON s.oid {equal} y.typnamespace WHERE a.attrelid {equal} c.oid \
         AND a.attnum OPERATOR(pg_catalog.>) 0 AND s.nspname OPERATOR(pg_catalog.<>) 'pg_catalog') THEN 'types' \
         WHEN {untrusted_owner} AND ({runs_when_planned}) THEN 'expressions' \
         WHEN {untrusted_owner} AND hidden.history IS NOT NULL THEN 'copy'{owner} \
         ELSE attached.problem END AS problem, {} AS owner, attached.problem AS attached, attached.detail, hidden.history AS hidden \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace \
         LEFT JOIN LATERAL ({attached} LIMIT 1) attached ON true LEFT JOIN LATERAL ({}) hidden ON true \
         WHERE c.oid {equal} ANY (ARRAY[{oids}])) found WHERE found.problem IS NOT NULL{}",
        roles(history_sql),
        label("n", "c"),
        role_name("c.relowner"),
        hidden(history_sql),
        schema_of_another(history_sql, purpose)
    )
}
