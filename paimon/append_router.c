#include "common/memory.h"
#include "paimon/append.h"
#include "paimon/catalog.h"
#include "paimon/hash.h"
#include "paimon/pk/append_columns.h"
#include "paimon/schema.h"
#include "paimon/table_config.h"

enum { ARENA_BYTES = 16 << 20 };

typedef struct append_router {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_paimon_key partition_key, bucket_key;
    int32_t buckets, writers, columns_count;
    leat_bytes scratch;
    int32_t *partitions, *hashes; /* one a selected row */
} append_router;

static leat_code router_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)operator;
    (void)restored;
    (void)error;
    return LEAT_OK;
}

/* Paimon's rule: (|hash(partition)| rem p + bucket) rem p. */
static int32_t writer_of(int32_t partition_hash, int32_t bucket, int32_t writers)
{
    int64_t positive = partition_hash < 0 ? -(int64_t)partition_hash : partition_hash;
    return (int32_t)((positive % writers + bucket) % writers);
}

static leat_code router_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                leat_error *error)
{
    (void)input;
    (void)progress;
    append_router *self = (append_router *)operator;
    leat_batch *from = *batch;
    LEAT_TRY(leat_paimon_hash_rows(from, self->partition_key.columns, self->partition_key.types,
                                   self->partition_key.count, &self->scratch, self->partitions, error));
    LEAT_TRY(leat_paimon_hash_rows(from, self->bucket_key.columns, self->bucket_key.types, self->bucket_key.count,
                                   &self->scratch, self->hashes, error));
    leat_batch *to;
    int32_t *writers;
    LEAT_TRY(leat_pk_append_columns(from, self->columns_count, 1, &writers, &to, error));
    for (int32_t i = 0; i < from->selected; i++) {
        int32_t bucket = leat_paimon_bucket(self->hashes[i], self->buckets);
        writers[leat_batch_row(from, i)] = writer_of(self->partitions[i], bucket, self->writers);
    }
    leat_code code = leat_context_emit(operator->context, &to, error);
    leat_batch_free(to);
    return code;
}

static void router_close(leat_operator *operator)
{
    append_router *self = (append_router *)operator;
    leat_bytes_done(&self->scratch);
    leat_free(self->partitions);
    leat_free(self->hashes);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable router_vtable = {
    .type = "paimon-append-router",
    .open = router_open,
    .process_batch = router_process,
    .close = router_close,
};

static leat_code read_config(append_router *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_paimon_bucket_mode mode;
    leat_reader_init(&reader, config, size);
    self->writers = (int32_t)leat_reader_u32(&reader);
    LEAT_TRY(leat_paimon_table_read(&reader, &self->arena, &self->table, error));
    LEAT_TRY(leat_paimon_schema_bucket_mode(&self->table.schema, &mode, &self->buckets, error));
    if (self->writers <= 0 || self->buckets <= 0) return leat_fail(error, LEAT_CORRUPT, "a router's configuration");
    LEAT_TRY(leat_paimon_schema_partition_key(&self->table.schema, &self->arena, &self->partition_key, error));
    LEAT_TRY(leat_paimon_schema_bucket_key(&self->table.schema, &self->arena, &self->bucket_key, error));
    self->columns_count = self->table.schema.fields_count;
    self->partitions = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->partitions);
    self->hashes = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->hashes);
    return self->partitions && self->hashes ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code router_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    append_router *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & router_vtable;
    self->operator.context = context;
    leat_arena_init(&self->arena, ARENA_BYTES);
    leat_code code = read_config(self, config, config_size, error);
    if (code == LEAT_OK)
        *out = &self->operator;
    else
        router_close(&self->operator);
    return code;
}

leat_code leat_paimon_append_router_config_write(const leat_paimon_table *table, int32_t parallelism, leat_bytes *out,
                                                 leat_error *error)
{
    leat_bytes_put_u32(out, (uint32_t)parallelism);
    return leat_paimon_table_write(table, out, error);
}

const leat_operator_factory leat_paimon_append_router_factory = {"paimon-append-router", router_create};
