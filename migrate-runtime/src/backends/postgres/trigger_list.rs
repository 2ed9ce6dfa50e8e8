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

/// A query with the columns name and body: for each of these names (literals, in lower case), the triggers and
/// the default values of the tables and views of that name in any schema, and of those that a change of them may change in turn.
pub fn triggers_sql(names: &str) -> String {
    let equal = SYSTEM.equal;
    let acts = "ANY ('{c,n,d}')";
    format!(
        "WITH RECURSIVE step AS (\
         SELECT confrelid AS source, conrelid AS target FROM pg_catalog.pg_constraint WHERE contype {equal} 'f' \
         AND (confdeltype {equal} {acts} OR confupdtype {equal} {acts}) \
         UNION SELECT inhparent, inhrelid FROM pg_catalog.pg_inherits \
         UNION SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.objid {equal} r.oid \
         AND d.classid {equal} 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid \
         AND d.refclassid {equal} 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid), \
         reached AS (\
         SELECT pg_catalog.lower(relname::pg_catalog.text) AS name, oid AS relation FROM pg_catalog.pg_class \
         WHERE relkind {equal} ANY ('{{r,p,v,f}}') AND pg_catalog.lower(relname::pg_catalog.text) {equal} ANY (ARRAY[{names}]) \
         UNION SELECT reached.name, step.target FROM reached JOIN step ON step.source {equal} reached.relation) \
         SELECT DISTINCT reached.name, {BODY} FROM reached JOIN pg_catalog.pg_trigger t ON t.tgrelid {equal} reached.relation \
         JOIN pg_catalog.pg_proc p ON p.oid {equal} t.tgfoid JOIN pg_catalog.pg_language l ON l.oid {equal} p.prolang \
         WHERE NOT t.tgisinternal AND t.tgenabled OPERATOR(pg_catalog.<>) 'D' \
         UNION SELECT reached.name, pg_catalog.concat('SELECT ', pg_catalog.pg_get_expr(d.adbin, d.adrelid)) \
         FROM reached JOIN pg_catalog.pg_attrdef d ON d.adrelid {equal} reached.relation"
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
