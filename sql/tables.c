/* Names of catalogs, databases and tables, and hints beside them. */
#include <string.h>

#include "common/memory.h"
#include "connectors/registry.h"
#include "sql/internal.h"

leat_catalog *leat_session_get_catalog(leat_session *session, const char *name, leat_arena *arena, leat_error *error)
{
    if (strcmp(session->default_catalog->name, name) == 0) return leat_catalog_ref(session->default_catalog);
    leat_catalog *catalog = leat_catalog_store_get(session->options.catalogs, name);
    if (catalog) return catalog;
    leat_catalog_names names = {0};
    (void)leat_fail(error, LEAT_NOT_FOUND, "A catalog with name [%s] does not exist.", name);
    if (leat_catalog_store_list(session->options.catalogs, arena, &names, NULL) != LEAT_OK ||
        leat_catalog_names_add(&names, arena, session->default_catalog->name, NULL) != LEAT_OK)
        return NULL;
    const char *nearest = leat_catalog_names_nearest(&names, name);
    if (nearest) leat_fail_hint(error, "did you mean '%s'?", nearest);
    return NULL;
}

const char *leat_temporary_database(leat_arena *arena, const char *catalog, const char *database)
{
    return leat_arena_format(arena, "%s\t%s", catalog, database);
}

leat_code leat_full_name(leat_plan *plan, const leat_ast_name *name, const char *full[3])
{
    if (name->count > 3)
        return leat_plan_fail(plan, name->place, LEAT_INVALID,
                              "A table is named by at most catalog, database and table");
    full[0] = name->count > 2 ? name->parts[0] : plan->current_catalog;
    full[1] = name->count > 1 ? name->parts[name->count - 2] : plan->current_database;
    full[2] = name->parts[name->count - 1];
    return LEAT_OK;
}

/* What the database has, temporary objects too; for hints, so failures only mean fewer names. */
static void list_near(leat_plan *plan, leat_catalog *catalog, const char *database, leat_catalog_names *names)
{
    leat_error ignored = {0};
    const char *temporary = leat_temporary_database(plan->arena, catalog->name, database);
    leat_code code = catalog->vtable->list_tables(catalog, database, plan->arena, names, &ignored);
    if (temporary && (code == LEAT_OK || code == LEAT_NOT_FOUND))
        code = plan->session->temporary->vtable->list_tables(plan->session->temporary, temporary, plan->arena, names,
                                                             &ignored);
    (void)code;
}

static leat_code table_is_missing(leat_plan *plan, leat_catalog *catalog, const leat_ast_name *name,
                                  const char *const full[3])
{
    leat_catalog_names names = {0};
    leat_code code = leat_plan_fail(plan, name->places[name->count - 1], LEAT_NOT_FOUND,
                                    "Object '%s' not found within '%s.%s'", full[2], full[0], full[1]);
    list_near(plan, catalog, full[1], &names);
    const char *nearest = leat_catalog_names_nearest(&names, full[2]);
    if (nearest)
        leat_fail_hint(plan->error, "did you mean '%s'?", nearest);
    else
        leat_fail_hint(plan->error, "SHOW TABLES lists what is there");
    return code;
}

leat_code leat_plan_find_table(leat_plan *plan, const leat_ast_name *name, const leat_config *dynamic,
                               const leat_catalog_table **out)
{
    const char *full[3];
    LEAT_TRY(leat_full_name(plan, name, full));
    leat_catalog_table *table = leat_arena_take(plan->arena, sizeof *table);
    const char *temporary = leat_temporary_database(plan->arena, full[0], full[1]);
    if (!table || !temporary) return leat_fail_no_memory(plan->error);
    leat_error error = {0};
    leat_code code = plan->session->temporary->vtable->get_table(plan->session->temporary, temporary, full[2],
                                                                 plan->arena, table, &error);
    if (code == LEAT_OK) {
        table->catalog = full[0];
        table->database = full[1];
        table->is_temporary = true;
    }
    if (code == LEAT_NOT_FOUND) {
        leat_catalog *catalog = leat_session_get_catalog(plan->session, full[0], plan->arena, plan->error);
        if (!catalog) return leat_plan_at(plan, name->places[0], LEAT_NOT_FOUND);
        code = catalog->vtable->get_table(catalog, full[1], full[2], plan->arena, table, &error);
        if (code == LEAT_NOT_FOUND)
            code = table_is_missing(plan, catalog, name, full);
        else if (code != LEAT_OK && plan->error)
            *plan->error = error;
        if (code == LEAT_OK && dynamic && catalog->vtable->warn_of_options)
            catalog->vtable->warn_of_options(dynamic, &plan->warnings);
        leat_catalog_unref(catalog);
    } else if (code != LEAT_OK && plan->error) {
        *plan->error = error;
    }
    if (code != LEAT_OK) return leat_plan_at(plan, name->place, code);
    if (dynamic && dynamic->count > 0) {
        if (table->view_query)
            return leat_plan_fail(plan, name->place, LEAT_INVALID,
                                  "View '%s' cannot be enriched with new options. Hints can only be applied to tables.",
                                  full[2]);
        LEAT_TRY(leat_config_copy_in(plan->arena, &table->options, dynamic, &table->options, plan->error));
    }
    *out = table;
    return LEAT_OK;
}

leat_plan_context leat_plan_connector_context(leat_plan *plan)
{
    return (leat_plan_context){.arena = plan->arena,
                               .env = plan->env,
                               .session = plan->config,
                               .is_batch = plan->is_batch,
                               .parallelism = plan->parallelism,
                               .time_zone = plan->time_zone,
                               .secrets = &plan->secrets};
}

/* The connector, with Flink's words when there is none. */
static leat_code find_connector(leat_plan *plan, const leat_catalog_table *definition, leat_sql_range place,
                                const leat_connector **out)
{
    const char *identifier =
        definition->connector ? definition->connector : leat_config_find(&definition->options, "connector");
    if (!identifier)
        return leat_plan_fail(
            plan, place, LEAT_INVALID,
            "Table options of %s do not contain an option key 'connector' for discovering a connector.",
            definition->name);
    const leat_session_options *options = &plan->session->options;
    *out = options->find_connector ? options->find_connector(identifier) : leat_connector_find(identifier);
    if (*out) return LEAT_OK;
    leat_bytes known = {0};
    leat_nearest near = {.word = identifier, .less_than = (int)strlen(identifier) / 2 + 1};
    for (const char *const *at = leat_connectors_list(); *at; at++) {
        leat_bytes_format(&known, "%s%s", known.size > 0 ? ", " : "", *at);
        leat_nearest_look(&near, *at);
    }
    leat_code code = leat_plan_fail(plan, place, LEAT_INVALID,
                                    "Could not find any factory for identifier '%s' that implements "
                                    "'org.apache.flink.table.factories.DynamicTableFactory' in the classpath. "
                                    "Available factory identifiers are: %s",
                                    identifier, known.data ? (const char *)known.data : "");
    if (near.found) leat_fail_hint(plan->error, "did you mean 'connector' = '%s'?", near.found);
    leat_bytes_done(&known);
    return code;
}

static leat_code find_columns(leat_plan *plan, const leat_schema *schema, const char *const *names, int32_t count,
                              const int32_t **out)
{
    int32_t *columns = leat_arena_take(plan->arena, (size_t)(count + 1) * sizeof *columns);
    if (!columns) return leat_fail_no_memory(plan->error);
    for (int32_t i = 0; i < count; i++) {
        columns[i] = leat_schema_find(schema, names[i]);
        if (columns[i] < 0)
            return leat_fail(plan->error, LEAT_INVALID, "The key column '%s' is not a physical column", names[i]);
    }
    *out = columns;
    return LEAT_OK;
}

leat_code leat_plan_bind_table(leat_plan *plan, const leat_catalog_table *definition, leat_sql_range place,
                               leat_bound_table **out)
{
    leat_bound_table *bound = leat_arena_take(plan->arena, sizeof *bound);
    leat_field *fields = leat_arena_take(plan->arena, (size_t)(definition->columns_count + 1) * sizeof *fields);
    if (!bound || !fields) return leat_fail_no_memory(plan->error);
    bound->definition = definition;
    bound->place = place;
    bound->path =
        leat_arena_format(plan->arena, "%s.%s.%s", definition->catalog, definition->database, definition->name);
    if (!bound->path) return leat_fail_no_memory(plan->error);
    LEAT_TRY(find_connector(plan, definition, place, &bound->connector));
    if (definition->watermark)
        return leat_plan_fail(plan, place, LEAT_UNSUPPORTED,
                              "Watermarks are not supported yet: %s has one for column '%s'", bound->path,
                              definition->watermark->column);
    int32_t count = 0;
    for (int32_t i = 0; i < definition->columns_count; i++)
        if (!definition->columns[i].expression && !definition->columns[i].is_metadata)
            fields[count++] = (leat_field){definition->columns[i].name, definition->columns[i].type};
    leat_table *table = &bound->table;
    *table = (leat_table){.catalog = definition->catalog,
                          .database = definition->database,
                          .name = definition->name,
                          .schema = {count, fields},
                          .primary_key_count = definition->primary_key_count,
                          .partition_keys = definition->partition_keys,
                          .partition_keys_count = definition->partition_keys_count,
                          .options = &definition->options,
                          .comment = definition->comment};
    leat_code code =
        find_columns(plan, &table->schema, definition->primary_key, definition->primary_key_count, &table->primary_key);
    if (code != LEAT_OK) return leat_plan_at(plan, place, leat_fail_in(plan->error, code, "%s", bound->path));
    *out = bound;
    return LEAT_OK;
}

static bool value_is(const char *value, const char *dashed)
{
    for (; *value && *dashed; value++, dashed++) {
        char v = *value == '_' ? '-' : *value;
        if ((v | 32) != (*dashed | 32)) return false;
    }
    return *value == *dashed;
}

/* One option of a LOOKUP hint. *retry counts the four that belong together. */
static leat_code read_lookup_option(leat_plan *plan, leat_lookup_hint *hint, const leat_ast_pair *pair, int *retry)
{
    const char *key = pair->key, *value = pair->value;
    leat_error *error = plan->error;
    leat_code code = LEAT_OK;
    int64_t number = 0;
    if (!key)
        return leat_plan_fail(plan, pair->place, LEAT_INVALID, "Invalid LOOKUP hint: options are 'key'='value' pairs");
    if (value_is(key, "table")) {
        hint->table = value;
    } else if (value_is(key, "async")) {
        hint->has_async = true;
        code = leat_parse_bool(value, &hint->is_async, error);
    } else if (value_is(key, "output-mode")) {
        hint->has_output_mode = true;
        hint->allow_unordered = value_is(value, "allow-unordered");
        if (!hint->allow_unordered && !value_is(value, "ordered"))
            code =
                leat_fail(error, LEAT_INVALID,
                          "Invalid LOOKUP hint option: output-mode is 'ordered' or 'allow_unordered', not '%s'", value);
    } else if (value_is(key, "capacity")) {
        code = leat_parse_int(value, &number, error);
        if (code == LEAT_OK && (number < 1 || number > 1000000))
            code = leat_fail(error, LEAT_INVALID, "Invalid LOOKUP hint option: capacity must be between 1 and 1000000");
        hint->capacity = (int32_t)number;
    } else if (value_is(key, "timeout")) {
        code = leat_parse_duration_ms(value, &hint->timeout_ms, error);
    } else if (value_is(key, "retry-predicate")) {
        ++*retry;
        if (!value_is(value, "lookup-miss"))
            code = leat_fail(error, LEAT_INVALID,
                             "Invalid LOOKUP hint option: unsupported retry-predicate '%s', only 'lookup_miss' is "
                             "supported currently",
                             value);
    } else if (value_is(key, "retry-strategy")) {
        ++*retry;
        if (!value_is(value, "fixed-delay"))
            code = leat_fail(error, LEAT_INVALID,
                             "Invalid LOOKUP hint option: unsupported retry-strategy '%s', only 'fixed_delay' is "
                             "supported currently",
                             value);
    } else if (value_is(key, "fixed-delay")) {
        ++*retry;
        code = leat_parse_duration_ms(value, &hint->delay_ms, error);
    } else if (value_is(key, "max-attempts")) {
        ++*retry;
        code = leat_parse_int(value, &number, error);
        if (code == LEAT_OK && (number < 1 || number > INT32_MAX))
            code = leat_fail(error, LEAT_INVALID, "Invalid LOOKUP hint option: max-attempts must be positive");
        hint->attempts = (int32_t)number;
    } else {
        (void)leat_fail(error, LEAT_INVALID, "Invalid LOOKUP hint: unknown option '%s'", key);
        leat_fail_hint(error, "known are table, async, output-mode, capacity, timeout, retry-predicate, "
                              "retry-strategy, fixed-delay, max-attempts");
        code = LEAT_INVALID;
    }
    return code == LEAT_OK ? code : leat_plan_at(plan, pair->value_place, code);
}

static leat_code read_lookup_hint(leat_plan *plan, const leat_ast_hint *ast)
{
    leat_lookup_hint *hint = leat_arena_take(plan->arena, sizeof *hint);
    int retry = 0;
    if (!hint) return leat_fail_no_memory(plan->error);
    if (plan->hints_count == (int32_t)(sizeof plan->hints / sizeof *plan->hints))
        return leat_plan_fail(plan, ast->place, LEAT_LIMIT, "A statement has at most %d LOOKUP hints",
                              plan->hints_count);
    hint->place = ast->place;
    for (int32_t i = 0; i < ast->options.count; i++)
        LEAT_TRY(read_lookup_option(plan, hint, ast->options.items[i], &retry));
    if (retry != 0 && retry != 4)
        return leat_plan_fail(plan, ast->place, LEAT_INVALID,
                              "Invalid LOOKUP hint: retry options can be both null or all not null");
    hint->has_retry = retry == 4;
    plan->hints[plan->hints_count++] = hint;
    return LEAT_OK;
}

leat_code leat_bind_hints(leat_plan *plan, const leat_ast_list *hints, leat_config *dynamic)
{
    for (int32_t i = 0; i < hints->count; i++) {
        const leat_ast_hint *hint = hints->items[i];
        if (strcmp(hint->name, "LOOKUP") == 0) {
            LEAT_TRY(read_lookup_hint(plan, hint));
            continue;
        }
        if (strcmp(hint->name, "OPTIONS") != 0) {
            leat_bytes_format(&plan->warnings, "The hint %s is not known and has no effect (OPTIONS and LOOKUP are)\n",
                              hint->name);
            continue;
        }
        for (int32_t k = 0; k < hint->options.count; k++) {
            const leat_ast_pair *pair = hint->options.items[k];
            if (!pair->key)
                return leat_plan_fail(plan, pair->place, LEAT_INVALID, "An OPTIONS hint holds 'key'='value' pairs");
            leat_config_entry entry = {(char *)(uintptr_t)pair->key, (char *)(uintptr_t)pair->value};
            leat_config one = {.entries = &entry, .count = 1};
            LEAT_TRY(leat_config_copy_in(plan->arena, dynamic, &one, dynamic, plan->error));
        }
    }
    return LEAT_OK;
}
