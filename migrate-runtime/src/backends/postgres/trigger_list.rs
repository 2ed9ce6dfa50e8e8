//! Queries for the triggers of tables, and for the routines that they call.

use super::SYSTEM;

/// The body of the routine `p` of the language `l`, or null if it is not text that our reader understands. Of one that is
/// compiled, the catalog tells: it is declared to change nothing, or it belongs to the system or to an extension whose functions
/// compute values.
const BODY: &str = "CASE WHEN l.lanname OPERATOR(pg_catalog.=) ANY ('{sql,plpgsql}') \
    AND p.prosrc OPERATOR(pg_catalog.<>) '' THEN p.prosrc \
    WHEN l.lanname OPERATOR(pg_catalog.=) ANY ('{c,internal}') AND (p.provolatile OPERATOR(pg_catalog.<>) 'v' \
    OR p.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend e JOIN pg_catalog.pg_extension x ON x.oid OPERATOR(pg_catalog.=) e.refobjid \
    WHERE e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid \
    AND e.objid OPERATOR(pg_catalog.=) p.oid AND e.deptype OPERATOR(pg_catalog.=) 'e' \
    AND x.extname OPERATOR(pg_catalog.=) ANY ('{btree_gin,btree_gist,citext,cube,earthdistance,fuzzystrmatch,hstore,intarray,isn,\
ltree,moddatetime,pg_trgm,pgcrypto,postgis,seg,tsm_system_rows,unaccent,uuid-ossp,vector}'))) THEN 'SELECT 1' END";

/// Does the operator `o` belong to the system or to an extension?
const IS_OF_THE_SYSTEM: &str = "o.oid OPERATOR(pg_catalog.<) 16384::pg_catalog.oid OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend e \
    WHERE e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass::pg_catalog.oid \
    AND e.objid OPERATOR(pg_catalog.=) o.oid AND e.deptype OPERATOR(pg_catalog.=) 'e')";

/// A query with the columns name, body and kind. For each of these names (literals, in lower case): the triggers and the default
/// values of the tables and views of that name in any schema, and of those that a change of them may change in turn; and the
/// functions that their rules, checks, indexes, policies and domains call, also of the domain of that name. The kind is `trigger`,
/// or `expression` for what is
/// computed from a row that is there: not triggers, rules and default values. For the kind
/// `operator`: all operators that belong neither to the system nor to an extension, and the names of their functions.
pub fn triggers_sql(names: &str) -> String {
    let equal = SYSTEM.equal;
    let acts = "ANY ('{c,n,d}')";
    let class = |name: &str| format!("'pg_catalog.{name}'::pg_catalog.regclass::pg_catalog.oid");
    let (rewrite, relation, constraint, policy) =
        (class("pg_rewrite"), class("pg_class"), class("pg_constraint"), class("pg_policy"));
    let (procedure, operator) = (class("pg_proc"), class("pg_operator"));
    format!(
        "WITH RECURSIVE step AS (\
         SELECT confrelid AS source, conrelid AS target FROM pg_catalog.pg_constraint WHERE contype {equal} 'f' \
         AND (confdeltype {equal} {acts} OR confupdtype {equal} {acts}) \
         UNION SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits \
         UNION SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.objid {equal} r.oid \
         AND d.classid {equal} {rewrite} AND d.refclassid {equal} {relation}), \
         reached AS (\
         SELECT pg_catalog.lower(relname::pg_catalog.text) AS name, oid AS relation FROM pg_catalog.pg_class \
         WHERE relkind {equal} ANY ('{{r,p,v,f,m}}') AND pg_catalog.lower(relname::pg_catalog.text) {equal} ANY (ARRAY[{names}]) \
         UNION SELECT reached.name, step.target FROM reached JOIN step ON step.source {equal} reached.relation), \
         types AS (\
         SELECT reached.name, a.atttypid AS type FROM reached JOIN pg_catalog.pg_attribute a ON a.attrelid {equal} reached.relation \
         UNION SELECT pg_catalog.lower(typname::pg_catalog.text), oid FROM pg_catalog.pg_type \
         WHERE typtype {equal} 'd' AND pg_catalog.lower(typname::pg_catalog.text) {equal} ANY (ARRAY[{names}]) \
         UNION SELECT types.name, part.type FROM types JOIN pg_catalog.pg_type t ON t.oid {equal} types.type \
         CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) AS part (type)), \
         expressions AS (\
         SELECT reached.name, {rewrite} AS class, r.oid FROM reached JOIN pg_catalog.pg_rewrite r ON r.ev_class {equal} reached.relation \
         UNION SELECT reached.name, {constraint}, c.oid FROM reached JOIN pg_catalog.pg_constraint c ON c.conrelid {equal} reached.relation \
         UNION SELECT reached.name, {relation}, i.indexrelid FROM reached JOIN pg_catalog.pg_index i ON i.indrelid {equal} reached.relation \
         UNION SELECT reached.name, {policy}, p.oid FROM reached JOIN pg_catalog.pg_policy p ON p.polrelid {equal} reached.relation \
         UNION SELECT types.name, {constraint}, c.oid FROM types JOIN pg_catalog.pg_constraint c ON c.contypid {equal} types.type \
         WHERE types.type OPERATOR(pg_catalog.<>) 0::pg_catalog.oid), \
         called AS (\
         SELECT e.name, d.refobjid AS routine, CASE WHEN e.class {equal} {rewrite} THEN 'trigger' ELSE 'expression' END AS kind FROM expressions e JOIN pg_catalog.pg_depend d ON d.classid {equal} e.class \
         AND d.objid {equal} e.oid AND d.refclassid {equal} {procedure} \
         UNION SELECT e.name, o.oprcode::pg_catalog.oid, CASE WHEN e.class {equal} {rewrite} THEN 'trigger' ELSE 'expression' END FROM expressions e JOIN pg_catalog.pg_depend d ON d.classid {equal} e.class \
         AND d.objid {equal} e.oid AND d.refclassid {equal} {operator} JOIN pg_catalog.pg_operator o ON o.oid {equal} d.refobjid \
         UNION SELECT reached.name, t.tgfoid, 'trigger' FROM reached JOIN pg_catalog.pg_trigger t ON t.tgrelid {equal} reached.relation \
         WHERE NOT t.tgisinternal AND t.tgenabled OPERATOR(pg_catalog.<>) 'D') \
         SELECT DISTINCT called.name, {BODY}, called.kind FROM called JOIN pg_catalog.pg_proc p ON p.oid {equal} called.routine \
         JOIN pg_catalog.pg_language l ON l.oid {equal} p.prolang \
         UNION SELECT reached.name, pg_catalog.concat('SELECT ', pg_catalog.pg_get_expr(d.adbin, d.adrelid)), \
         CASE WHEN a.attgenerated OPERATOR(pg_catalog.<>) '' THEN 'expression' ELSE 'trigger' END \
         FROM reached JOIN pg_catalog.pg_attrdef d ON d.adrelid {equal} reached.relation \
         JOIN pg_catalog.pg_attribute a ON a.attrelid {equal} d.adrelid AND a.attnum {equal} d.adnum \
         UNION SELECT o.oprname::pg_catalog.text, p.proname::pg_catalog.text, 'operator' FROM pg_catalog.pg_operator o \
         JOIN pg_catalog.pg_proc p ON p.oid {equal} o.oprcode::pg_catalog.oid WHERE NOT ({IS_OF_THE_SYSTEM}) \
         AND p.pronamespace OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid"
    )
}

/// A query with the columns name and body for all routines of these names, apart from those of the system.
pub fn routines_sql(names: &str) -> String {
    let equal = SYSTEM.equal;
    format!(
        "SELECT pg_catalog.lower(p.proname::pg_catalog.text), {BODY} FROM pg_catalog.pg_proc p \
         JOIN pg_catalog.pg_language l ON l.oid {equal} p.prolang JOIN pg_catalog.pg_namespace n ON n.oid {equal} p.pronamespace \
         WHERE n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog' \
         AND pg_catalog.lower(p.proname::pg_catalog.text) {equal} ANY (ARRAY[{names}])"
    )
}
