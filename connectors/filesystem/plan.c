#include <string.h>

#include "connectors/filesystem/filesystem.h"
#include "formats/text/decoder.h"

static const leat_connector_option known[] = {
    {"path", LEAT_OPTION_STRING, true, "A file, or a folder whose files are read"},
    {"format", LEAT_OPTION_STRING, true, "csv, json or debezium-json"},
    {.key = NULL},
};

/* The options of the format are the format's to know; the rest is checked as for any connector. */
static leat_code check_options(const leat_table *table, const char *format, leat_config *format_options,
                               leat_error *error)
{
    leat_config others = {0};
    leat_code code = LEAT_OK;
    for (size_t i = 0; code == LEAT_OK && i < table->options->count; i++) {
        const leat_config_entry *entry = &table->options->entries[i];
        bool is_formats = format && leat_format_knows_option(format, entry->key);
        code = leat_config_set(is_formats ? format_options : &others, entry->key, entry->value, error);
    }
    if (code == LEAT_OK) code = leat_connector_check_options("filesystem", &others, &table->schema, known, error);
    leat_config_done(&others);
    return code;
}

static leat_code fill_plan(const leat_plan_context *context, const leat_table *table,
                           const leat_source_request *request, const leat_config *format_options, leat_source_plan *out,
                           leat_error *error)
{
    const char *format = leat_config_find(table->options, "format"), *path = leat_config_find(table->options, "path");
    leat_decoder *decoder; /* made once here, so that what is wrong is told while planning */
    LEAT_TRY(leat_decoder_new(format, &table->schema, format_options, &decoder, error));
    leat_decoder_free(decoder);
    int32_t count = request->columns ? request->columns_count : table->schema.fields_count;
    int32_t *columns = leat_arena_take(context->arena, (size_t)(count + 1) * sizeof *columns);
    const char *name = leat_arena_format(context->arena, "Source: %s", table->name);
    if (!columns || !name) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++)
        columns[i] = request->columns ? request->columns[i] : i;
    leat_filesystem_config config = {.schema = table->schema,
                                     .columns = columns,
                                     .columns_count = count,
                                     .format = format,
                                     .options = format_options};
    out->source = (leat_plan_operator){.type = "filesystem-source", .name = name, .description = name};
    leat_filesystem_config_write(&config, &out->source.config);
    out->enumerator = "filesystem";
    leat_bytes_put(&out->enumerator_config, path, strlen(path));
    out->changes = leat_format_is_changelog(format) ? LEAT_CHANGES_ALL : LEAT_CHANGES_INSERT;
    out->is_bounded = true;
    int64_t number = -1;
    const char *parallelism = leat_config_find(table->options, "scan.parallelism");
    if (parallelism) LEAT_TRY(leat_parse_int(parallelism, &number, error));
    out->parallelism = (int32_t)number;
    LEAT_TRY(leat_bytes_check(&out->enumerator_config, error));
    return leat_bytes_check(&out->source.config, error);
}

static leat_code plan_source(const leat_plan_context *context, const leat_table *table,
                             const leat_source_request *request, leat_source_plan *out, leat_error *error)
{
    const char *format = leat_config_find(table->options, "format");
    leat_config format_options = {0};
    leat_code code = check_options(table, format, &format_options, error);
    if (code == LEAT_OK) code = fill_plan(context, table, request, &format_options, out, error);
    leat_config_done(&format_options);
    return code;
}

const leat_connector leat_filesystem_connector = {.identifier = "filesystem", .plan_source = plan_source};
