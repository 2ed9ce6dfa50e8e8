//! Functions of the servers that leave nothing in a session.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that a parenthesis follows without a call, and functions whose only effect is their result, or a change of data.
const HARMLESS: &str = " all and any array as asc between bigint binary bit by cascade case char character check collate \
    column columns conflict constraint cross cube date datetime dec decimal default desc distinct do double else end enum except \
    exclude exists filter float following for foreign from full group groups grouping having if in index inner int integer \
    intersect interval into is join key lateral left like limit materialized natural not null numeric nvarchar of offset on or \
    order outer over partition preceding precision primary range real references returning right rollup row rows select set \
    sets similar smallint some table tablesample temporary text then time timestamp timestamptz tinyint to union unique unnest \
    update using values varbinary varchar varying when where window with within without year \
    abs age array_agg array_append array_cat array_length array_lower array_position array_prepend array_remove array_replace \
    array_to_json array_to_string array_upper ascii avg bit_and bit_count bit_length bit_or bool_and bool_or btrim cardinality \
    cast cbrt ceil ceiling char_length character_length chr clock_timestamp coalesce col_description concat concat_ws convert \
    convert_from convert_to convert_tz corr cos count crc32 cume_dist cur_date curdate current_database current_date \
    current_schema current_schemas current_setting current_time current_timestamp current_user currval curtime database date_add \
    date_bin date_format date_part date_sub date_trunc datediff day dayofmonth dayofweek dayofyear decode degrees dense_rank \
    div elt encode encrypt every exp export_set extract field find_in_set first_value floor format format_type from_base64 \
    from_days from_unixtime gcd gen_random_bytes gen_random_uuid generate_series generate_subscripts get_bit get_byte greatest \
    group_concat grouping has_column_privilege has_database_privilege has_schema_privilege has_table_privilege hex hour hstore \
    ifnull iif inet_aton inet_ntoa initcap insert instr isnull json json_agg json_array json_array_append json_array_elements \
    json_array_elements_text json_array_length json_arrayagg json_build_array json_build_object json_contains json_depth \
    json_each json_each_text json_extract json_extract_path json_extract_path_text json_insert json_keys json_length \
    json_merge json_merge_patch json_merge_preserve json_object json_object_agg json_object_keys json_objectagg \
    json_populate_record json_quote json_remove json_replace json_search json_set json_strip_nulls json_table json_to_record \
    json_to_recordset json_type json_typeof json_unquote json_valid json_value jsonb jsonb_agg jsonb_array_elements \
    jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text \
    jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists \
    jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_populate_record jsonb_pretty jsonb_set jsonb_set_lax \
    jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours lag last_day last_value lcase \
    lead least length ln load_file local_time localtime localtimestamp locate log log10 log2 lower lpad ltrim make_date \
    make_interval make_set make_time make_timestamp make_timestamptz max md5 mid min minute mod mode month monthname name_const \
    nextval now nth_value ntile nullif num_nonnulls num_nulls obj_description octet_length overlay parse_ident percent_rank \
    percentile_cont percentile_disc period_add period_diff pg_advisory_xact_lock pg_backend_pid pg_cancel_backend \
    pg_column_size pg_get_constraintdef pg_get_expr pg_get_functiondef pg_get_indexdef pg_get_serial_sequence pg_get_viewdef \
    pg_notify pg_relation_size pg_sleep pg_table_is_visible pg_table_size pg_terminate_backend pg_total_relation_size \
    pg_try_advisory_xact_lock pg_typeof pi position pow power quarter quote quote_ident quote_literal quote_nullable radians \
    rand random rank regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array \
    regexp_split_to_table regexp_substr repeat replace reverse round row_number row_to_json rpad rtrim schema sec_to_time second \
    setval setweight sha1 sha2 sha224 sha256 sha384 sha512 sign sin sleep soundex space split_part sqrt statement_timestamp \
    std stddev stddev_pop stddev_samp str_to_date strcmp string_agg string_to_array string_to_table strpos subdate substr \
    substring substring_index subtime sum sysdate system_user tan time_format time_to_sec timediff timeofday timestampadd \
    timestampdiff to_ascii to_base64 to_char to_date to_days to_hex to_json to_jsonb to_number to_regclass to_regnamespace \
    to_regproc to_regrole to_regtype to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim trunc truncate \
    ts_rank txid_current ucase unaccent uncompress unhex unix_timestamp upper user utc_date utc_time utc_timestamp uuid \
    uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuid_generate_v7 uuid_short uuid_to_bin uuidv4 uuidv7 var_pop var_samp \
    variance version week weekday weekofyear width_bucket xmlagg xmlelement xmlforest xpath yearweek bin_to_uuid row_count \
    found_rows last_insert_id conv bin oct char_to_uuid aes_encrypt aes_decrypt compress inet6_aton inet6_ntoa is_free_lock \
    is_used_lock any_value lastval ";

/// Functions whose result depends on their arguments alone, so that a new session computes the same.
const REPEATABLE: &str = " abs ascii cast ceil ceiling char coalesce concat concat_ws convert elt field find_in_set floor format \
    from_base64 greatest hex if ifnull insert instr least left length locate lower lpad ltrim md5 mid nullif replace reverse \
    right round rpad rtrim sha1 sha2 substr substring substring_index to_base64 trim truncate ucase lcase unhex upper ";

static HARMLESS_SET: LazyLock<HashSet<&str>> = LazyLock::new(|| HARMLESS.split_ascii_whitespace().collect());

/// Does a call of this function, in lower case, leave nothing in the session? False for a function that is not known.
pub fn is_harmless(name: &str) -> bool {
    HARMLESS_SET.contains(name)
}

/// Does a function return the same in a new session? False for a function that is not known.
pub fn is_repeatable(name: &str) -> bool {
    REPEATABLE.split_ascii_whitespace().any(|known| known == name)
}

/// Does a function acquire or release a lock that outlives its statement and its transaction?
pub fn takes_lock(name: &str) -> bool {
    let advisory = name.starts_with("pg_advisory_") || name.starts_with("pg_try_advisory_");
    (advisory && !name.contains("_xact_")) || ["get_lock", "release_lock", "release_all_locks"].contains(&name)
}
