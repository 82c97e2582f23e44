#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "connectors/jdbc/jdbc.h"
#include "connectors/mysql/value.h"

/* Well below the smallest max_allowed_packet in use (4 MiB on old servers). */
enum { STATEMENT_BYTES_MAX = 1 << 20 };

void leat_jdbc_put_table(leat_bytes *sql, const char *table)
{
    const char *dot = strchr(table, '.');
    char database[256];
    if (dot && (size_t)(dot - table) < sizeof database) {
        snprintf(database, sizeof database, "%.*s", (int)(dot - table), table);
        leat_mysql_put_name(sql, database);
        leat_bytes_put_u8(sql, '.');
        table = dot + 1;
    }
    leat_mysql_put_name(sql, table);
}

typedef enum statement_kind { NONE, UPSERT, DELETE } statement_kind;

typedef struct renderer {
    const leat_jdbc_config *config;
    leat_bytes *out;
    size_t length_at; /* where the running statement's length stands */
    statement_kind kind;
} renderer;

static bool is_key(const leat_jdbc_config *config, int32_t column)
{
    for (int32_t i = 0; i < config->primary_key_count; i++) {
        if (config->primary_key[i] == column) return true;
    }
    return false;
}

static void put_upsert_tail(renderer *self)
{
    const leat_jdbc_config *config = self->config;
    if (config->primary_key_count == 0) return;
    leat_bytes_text(self->out, " ON DUPLICATE KEY UPDATE ");
    bool is_first = true;
    for (int32_t c = 0; c < config->schema.fields_count; c++) {
        bool only_keys = config->primary_key_count == config->schema.fields_count;
        if (is_key(config, c) && !only_keys) continue;
        if (!is_first) leat_bytes_put_u8(self->out, ',');
        is_first = false;
        leat_mysql_put_name(self->out, config->schema.fields[c].name);
        leat_bytes_text(self->out, "=VALUES(");
        leat_mysql_put_name(self->out, config->schema.fields[c].name);
        leat_bytes_put_u8(self->out, ')');
    }
}

static void end_statement(renderer *self)
{
    if (self->kind == NONE) return;
    if (self->kind == UPSERT)
        put_upsert_tail(self);
    else
        leat_bytes_put_u8(self->out, ')');
    if (!self->out->failed) {
        uint32_t length = (uint32_t)(self->out->size - self->length_at - 4);
        memcpy(self->out->data + self->length_at, &length, sizeof length);
    }
    self->kind = NONE;
}

static void put_columns(renderer *self, bool keys_only)
{
    const leat_jdbc_config *config = self->config;
    int32_t count = keys_only ? config->primary_key_count : config->schema.fields_count;
    leat_bytes_put_u8(self->out, '(');
    for (int32_t i = 0; i < count; i++) {
        if (i) leat_bytes_put_u8(self->out, ',');
        leat_mysql_put_name(self->out, config->schema.fields[keys_only ? config->primary_key[i] : i].name);
    }
    leat_bytes_put_u8(self->out, ')');
}

static void begin_statement(renderer *self, statement_kind kind)
{
    bool is_full = self->kind != NONE && self->out->size - self->length_at > STATEMENT_BYTES_MAX;
    if (self->kind == kind && !is_full) {
        leat_bytes_put_u8(self->out, ',');
        return;
    }
    end_statement(self);
    self->length_at = self->out->size;
    leat_bytes_put_u32(self->out, 0);
    self->kind = kind;
    leat_bytes_text(self->out, kind == UPSERT ? "INSERT INTO " : "DELETE FROM ");
    leat_jdbc_put_table(self->out, self->config->table);
    if (kind == UPSERT) put_columns(self, false);
    leat_bytes_text(self->out, kind == UPSERT ? " VALUES " : " WHERE ");
    if (kind == DELETE) {
        put_columns(self, true);
        leat_bytes_text(self->out, " IN (");
    }
}

static leat_code put_row(renderer *self, const leat_batch *batch, int32_t row, bool keys_only, leat_error *error)
{
    const leat_jdbc_config *config = self->config;
    int32_t count = keys_only ? config->primary_key_count : config->schema.fields_count;
    leat_bytes_put_u8(self->out, '(');
    for (int32_t i = 0; i < count; i++) {
        int32_t c = keys_only ? config->primary_key[i] : i;
        if (i) leat_bytes_put_u8(self->out, ',');
        leat_code code =
            leat_mysql_put_literal(self->out, &config->schema.fields[c].type, &batch->columns[c], row, error);
        if (code != LEAT_OK) return leat_fail_in(error, code, "column '%s'", config->schema.fields[c].name);
    }
    leat_bytes_put_u8(self->out, ')');
    return LEAT_OK;
}

leat_code leat_jdbc_render(const leat_jdbc_config *config, const leat_batch *batch, leat_bytes *statements,
                           int64_t *rows, leat_error *error)
{
    renderer self = {.config = config, .out = statements};
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        int8_t kind = leat_batch_kind(batch, row);
        if (kind == LEAT_ROW_UPDATE_BEFORE && config->primary_key_count) continue;
        bool is_add = leat_row_kind_is_add(kind);
        if (!is_add && config->primary_key_count == 0) {
            return leat_fail(error, LEAT_INVALID, "table '%s' has no primary key, so rows can't be taken back (%s)",
                             config->table, leat_row_kind_text((leat_row_kind)kind));
        }
        begin_statement(&self, is_add ? UPSERT : DELETE);
        LEAT_TRY(put_row(&self, batch, row, !is_add, error));
        ++*rows;
    }
    end_statement(&self);
    return leat_bytes_check(statements, error);
}
