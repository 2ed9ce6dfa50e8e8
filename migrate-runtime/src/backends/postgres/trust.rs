//! Which tables of the history must not be used, from the catalog of PostgreSQL.

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

/// The roles that the current user or the user of the session is or is a member of. A superuser counts as a member only of roles
/// that were granted.
const OWN_ROLES: &str = "WITH RECURSIVE own AS (\
     SELECT r.oid AS role FROM pg_catalog.pg_roles r \
     WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER OR r.rolname OPERATOR(pg_catalog.=) SESSION_USER \
     UNION SELECT a.roleid FROM pg_catalog.pg_auth_members a JOIN own o ON a.member OPERATOR(pg_catalog.=) o.role) \
     SELECT 1 FROM own WHERE own.role OPERATOR(pg_catalog.=) ";

/// A condition: a role, given by its number, can be trusted by this session.
fn is_trusted(role: &str) -> String {
    let equal = "OPERATOR(pg_catalog.=)";
    format!(
        "(n.nspowner {equal} {role} OR EXISTS ({OWN_ROLES}{role}) \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.oid {equal} {role} AND r.rolsuper) \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_database d \
         WHERE d.datname {equal} pg_catalog.current_database() AND d.datdba {equal} {role}))"
    )
}

/// The number of a table; null if it does not exist.
fn oid(history_sql: &HistorySql, table: TableName<'_>) -> String {
    let schema = table.schema.map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
    let name = history_sql.text(&format!("{schema}{}", history_sql.name(table.name)));
    format!("pg_catalog.to_regclass({name})::pg_catalog.oid")
}

/// Privileges of a table, of its columns, and of the role that may write all tables.
fn writers(history_sql: &HistorySql, table: TableName<'_>) -> String {
    let equal = history_sql.dialect().names.equal;
    let (oid, is_trusted) = (oid(history_sql, table), is_trusted("w.grantee"));
    let writes = format!("x.privilege_type {equal} ANY (ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])");
    format!(
        "SELECT found.table_name, found.role, pg_catalog.string_agg(found.privilege, ', ' ORDER BY found.privilege) FROM (SELECT DISTINCT \
         pg_catalog.concat(pg_catalog.quote_ident(n.nspname::pg_catalog.text), '.', \
         pg_catalog.quote_ident(c.relname::pg_catalog.text)) AS table_name, CASE WHEN w.grantee {equal} 0 THEN 'PUBLIC' \
         ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(w.grantee)::pg_catalog.text) END AS role, w.privilege \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace CROSS JOIN LATERAL (\
         SELECT x.grantee, x.privilege_type AS privilege FROM pg_catalog.aclexplode(c.relacl) x WHERE {writes} \
         UNION SELECT x.grantee, pg_catalog.concat(x.privilege_type, ' (', pg_catalog.quote_ident(t.attname::pg_catalog.text), ')') \
         FROM pg_catalog.pg_attribute t CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) x \
         WHERE t.attrelid {equal} c.oid AND {writes} \
         UNION SELECT m.member, 'pg_write_all_data' FROM pg_catalog.pg_auth_members m \
         JOIN pg_catalog.pg_roles g ON g.oid {equal} m.roleid WHERE g.rolname {equal} 'pg_write_all_data') w \
         WHERE c.oid {equal} {oid} AND NOT {is_trusted}) found GROUP BY found.table_name, found.role ORDER BY found.role"
    )
}

/// A condition: the owner of the table has given it an expression that the planner evaluates, with the rights of the reader: one of an
/// index, of extended statistics, of a check or of a generated column.
fn runs_when_planned(equal: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid {equal} c.oid \
         AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)) \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_statistic_ext e WHERE e.stxrelid {equal} c.oid) \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conrelid {equal} c.oid AND k.contype {equal} 'c') \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_attribute v WHERE v.attrelid {equal} c.oid \
         AND v.attgenerated OPERATOR(pg_catalog.<>) '')"
    )
}

fn problems(history_sql: &HistorySql, tables: &[TableName<'_>], purpose: Purpose) -> String {
    let equal = history_sql.dialect().names.equal;
    let oids = tables.iter().map(|table| oid(history_sql, *table));
    let oids = oids.collect::<Vec<String>>().join(", ");
    let owner = "pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text";
    let foreign_trigger = |columns: &str| {
        let trusted = is_trusted("p.proowner");
        format!(
            "SELECT {columns} FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid {equal} t.tgfoid \
             WHERE t.tgrelid {equal} c.oid AND NOT t.tgisinternal AND (t.tgqual IS NOT NULL OR NOT {trusted})"
        )
    };
    let untrusted_owner = format!("NOT {}", is_trusted("c.relowner"));
    let runs_when_planned = runs_when_planned(equal);
    let (writing, detail) = match purpose {
        Purpose::Reading => (String::new(), owner.to_owned()),
        Purpose::Writing => {
            // The condition belongs to the user who created the trigger, and a trigger has no owner.
            let whose = "pg_catalog.concat(t.tgname, pg_catalog.chr(10), \
                         CASE WHEN t.tgqual IS NULL THEN pg_catalog.pg_get_userbyid(p.proowner) END)";
            let trigger = foreign_trigger(whose);
            (
                format!(" WHEN {untrusted_owner} THEN 'owner' WHEN EXISTS ({}) THEN 'trigger'", foreign_trigger("1")),
                format!("CASE WHEN {} THEN coalesce(({trigger} LIMIT 1), {owner}) ELSE {owner} END", is_trusted("c.relowner")),
            )
        }
    };
    format!(
        "SELECT found.table_name, found.problem, found.detail FROM (\
         SELECT pg_catalog.concat(pg_catalog.quote_ident(n.nspname::pg_catalog.text), '.', \
         pg_catalog.quote_ident(c.relname::pg_catalog.text)) AS table_name, \
         CASE WHEN c.relkind {equal} 'v' THEN 'view' WHEN c.relkind {equal} 'm' THEN 'materialized view' \
         WHEN c.relkind {equal} 'f' THEN 'foreign table' WHEN c.relkind {equal} 'p' THEN 'partitioned table' \
         WHEN c.relkind OPERATOR(pg_catalog.<>) 'r' THEN 'relation of another kind' WHEN c.relhasrules THEN 'rules' \
         WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhparent {equal} c.oid) THEN 'children' \
         WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid {equal} a.atttypid \
         JOIN pg_catalog.pg_namespace s ON s.oid {equal} y.typnamespace WHERE a.attrelid {equal} c.oid \
         AND a.attnum OPERATOR(pg_catalog.>) 0 AND s.nspname OPERATOR(pg_catalog.<>) 'pg_catalog') THEN 'types' \
         WHEN {untrusted_owner} AND ({runs_when_planned}) THEN 'expressions'\
         {writing} END AS problem, {detail} AS detail \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace \
         WHERE c.oid {equal} ANY (ARRAY[{oids}])) found WHERE found.problem IS NOT NULL"
    )
}
