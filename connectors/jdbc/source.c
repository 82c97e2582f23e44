#include <mysql.h>
#include <string.h>

#include "common/memory.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/mysql/result.h"

/* One SELECT, streamed. A job fetches the next batch on an I/O thread while the last one is on its way. State: the
 * number of rows emitted; a restart reads again and passes over that many, which is exact as long as the table stands
 * still and has a primary key to order by. */

enum { ARENA_BYTES_MAX = 1 << 20, ROWS_PER_BATCH = 4096, BATCH_BYTES = 1 << 20 };

typedef struct jdbc_source {
    leat_operator base; /* first */
    leat_arena arena;
    leat_jdbc_config config;
    int64_t emitted;
    bool is_fetching;
    /* The job's while it runs. */
    leat_job job;
    MYSQL *mysql;
    MYSQL_RES *result;
    leat_batch_builder builder;
    leat_batch *fetched;
    bool is_at_end;
    int64_t to_skip;
    leat_code code;
    leat_error error;
    atomic_bool is_done;
} jdbc_source;

static leat_code begin(jdbc_source *self, leat_error *error)
{
    const leat_jdbc_config *config = &self->config;
    LEAT_TRY(leat_mysql_connect(&config->address, &self->mysql, error));
    leat_bytes sql = {0};
    leat_bytes_text(&sql, "SELECT ");
    for (int32_t i = 0; i < config->schema.fields_count; i++) {
        if (i) leat_bytes_put_u8(&sql, ',');
        leat_mysql_put_name(&sql, config->schema.fields[i].name);
        /* FLOAT's text form is rounded to 6 digits; as a DOUBLE it is whole, and DECIMALs and others don't mind. */
        if (config->schema.fields[i].type.kind == LEAT_TYPE_FLOAT) leat_bytes_text(&sql, "+0E0");
    }
    if (config->schema.fields_count == 0) leat_bytes_text(&sql, "1");
    leat_bytes_text(&sql, " FROM ");
    leat_jdbc_put_table(&sql, config->table);
    for (int32_t i = 0; i < config->primary_key_count; i++) {
        leat_bytes_text(&sql, i ? "," : " ORDER BY ");
        leat_mysql_put_name(&sql, config->schema.fields[config->primary_key[i]].name);
    }
    if (config->limit >= 0) leat_bytes_format(&sql, " LIMIT %lld", (long long)config->limit);
    leat_code code = leat_bytes_check(&sql, error);
    char what[160];
    snprintf(what, sizeof what, "read MySQL table '%s'", config->table);
    if (code == LEAT_OK && mysql_real_query(self->mysql, (const char *)sql.data, sql.size) != 0) {
        code = leat_mysql_fail(self->mysql, what, error);
    }
    leat_bytes_done(&sql);
    if (code != LEAT_OK) return code;
    self->result = mysql_use_result(self->mysql);
    return self->result ? LEAT_OK : leat_mysql_fail(self->mysql, what, error);
}

static leat_code put_row(jdbc_source *self, MYSQL_ROW row, leat_error *error)
{
    const unsigned long *lengths = mysql_fetch_lengths(self->result);
    const MYSQL_FIELD *fields = mysql_fetch_fields(self->result);
    LEAT_TRY(leat_batch_builder_begin_row(&self->builder, LEAT_ROW_INSERT, error));
    for (int32_t i = 0; i < self->config.schema.fields_count; i++) {
        const leat_field *field = &self->config.schema.fields[i];
        leat_mysql_cell cell;
        leat_code code = leat_mysql_result_cell(&fields[i], row[i], lengths[i], &cell, error);
        if (code == LEAT_OK && cell.kind == LEAT_CELL_NULL && !field->type.nullable) {
            code = leat_fail(error, LEAT_INVALID, "NULL in a column declared NOT NULL");
        }
        if (code == LEAT_OK) code = leat_mysql_put_cell(&self->builder, i, &field->type, &cell, error);
        if (code != LEAT_OK)
            return leat_fail_in(error, code, "table '%s', column '%s'", self->config.table, field->name);
    }
    return LEAT_OK;
}

static leat_code fetch(jdbc_source *self, leat_error *error)
{
    if (!self->mysql) LEAT_TRY(begin(self, error));
    while (!leat_batch_builder_is_full(&self->builder) && leat_batch_builder_bytes(&self->builder) < BATCH_BYTES) {
        MYSQL_ROW row = mysql_fetch_row(self->result);
        if (!row && mysql_errno(self->mysql)) return leat_mysql_fail(self->mysql, "read rows from MySQL", error);
        if (!row) {
            self->is_at_end = true;
            break;
        }
        if (self->to_skip > 0)
            self->to_skip--;
        else
            LEAT_TRY(put_row(self, row, error));
    }
    return leat_batch_builder_finish(&self->builder, &self->fetched, error);
}

static void run_fetch(leat_job *job, leat_env *env)
{
    (void)env;
    jdbc_source *self = (jdbc_source *)((char *)job - offsetof(jdbc_source, job));
    self->code = fetch(self, &self->error);
}

static void fetch_done(leat_job *job, leat_env *env)
{
    (void)env;
    jdbc_source *self = (jdbc_source *)((char *)job - offsetof(jdbc_source, job));
    atomic_store_explicit(&self->is_done, true, memory_order_release);
    leat_context_wake(self->base.context);
}

static leat_code source_produce(leat_operator *base, leat_source_status *status, leat_error *error)
{
    jdbc_source *self = (jdbc_source *)base;
    leat_batch *batch = NULL;
    if (self->is_fetching && atomic_exchange_explicit(&self->is_done, false, memory_order_acquire)) {
        self->is_fetching = false;
        if (self->code != LEAT_OK) {
            if (error) *error = self->error;
            return self->code;
        }
        batch = self->fetched;
        self->fetched = NULL;
    }
    bool is_at_end = !self->is_fetching && self->is_at_end;
    if (!self->is_fetching && !is_at_end) {
        self->is_fetching = true;
        self->job = (leat_job){.run = run_fetch, .done = fetch_done};
        leat_code code = leat_context_spawn(base->context, &self->job, error);
        if (code != LEAT_OK) {
            leat_batch_free(batch);
            return code;
        }
    }
    *status = is_at_end ? LEAT_SOURCE_END : LEAT_SOURCE_IDLE;
    if (!batch) return LEAT_OK;
    self->emitted += batch->rows;
    return leat_context_emit(base->context, &batch, error);
}

static leat_code source_snapshot(leat_operator *base, leat_operator_snapshot *snapshot, leat_progress *progress,
                                 leat_error *error)
{
    (void)progress;
    leat_bytes_put_i64(&snapshot->state, ((jdbc_source *)base)->emitted);
    return leat_bytes_check(&snapshot->state, error);
}

static leat_code source_open(leat_operator *base, const leat_restored *restored, leat_error *error)
{
    jdbc_source *self = (jdbc_source *)base;
    if (restored && restored->parts_count) {
        leat_reader reader;
        leat_reader_init(&reader, restored->parts[0].state, restored->parts[0].state_size);
        self->emitted = self->to_skip = leat_reader_i64(&reader);
        LEAT_TRY(leat_reader_check(&reader, true, "state of the jdbc source", error));
    }
    return leat_batch_builder_init_schema(&self->builder, &self->config.schema, ROWS_PER_BATCH, error);
}

static void source_close(leat_operator *base)
{
    jdbc_source *self = (jdbc_source *)base;
    leat_batch_free(self->fetched);
    leat_batch_builder_done(&self->builder);
    /* Freeing an unfinished result would read it to its end; closing the connection first drops it. */
    if (self->mysql) mysql_close(self->mysql);
    if (self->result) mysql_free_result(self->result);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable source_vtable = {
    .type = "jdbc-source",
    .open = source_open,
    .produce = source_produce,
    .snapshot = source_snapshot,
    .close = source_close,
};

static leat_code source_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    jdbc_source *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->base.vtable = &source_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = leat_jdbc_config_read(config, config_size, &self->arena, &self->config, error);
    if (code == LEAT_OK) code = leat_secret_reveal(context->config, &self->config.address.password, error);
    if (code == LEAT_OK)
        *out = &self->base;
    else
        source_close(&self->base);
    return code;
}

const leat_operator_factory leat_jdbc_source_factory = {"jdbc-source", source_create};
