/* The operator "paimon-pk-router": hashes keys, and says which subtask of the next stage a row goes to.
 *
 *   dynamic buckets: columns + key hash + target (an assigner);  fixed: columns + bucket + key hash + target (a writer)
 */
#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/catalog.h"
#include "paimon/hash.h"
#include "paimon/pk.h"
#include "paimon/pk/append_columns.h"
#include "paimon/pk/key_hash.h"
#include "paimon/pk/options.h"
#include "paimon/pk/route.h"
#include "paimon/table_config.h"

enum { ARENA_BYTES_MAX = 64 << 20 };

typedef struct pk_router {
    leat_operator operator; /* first */
    leat_arena arena;
    leat_paimon_table table;
    leat_pk_options options;
    leat_type *key_types, *bucket_types, *partition_types;
    int32_t targets; /* parallelism of the next stage */
    bool has_own_bucket_key;
    leat_pk_key_hash key_hash, bucket_hash, partition_hash;
    int32_t *partitions, *keys, *buckets; /* hashes, one a selected row */
} pk_router;

static leat_code check_nulls(const pk_router *self, const leat_batch *batch, leat_error *error)
{
    const leat_schema *schema = &self->options.schema;
    for (int32_t c = 0; c < schema->fields_count; c++) {
        const leat_column *column = &batch->columns[c];
        bool is_key = false;
        for (int32_t k = 0; k < self->options.keys_count; k++)
            is_key = is_key || self->options.keys[k] == c;
        if ((schema->fields[c].type.nullable && !is_key) || !column->validity) continue;
        for (int32_t i = 0; i < batch->selected; i++) {
            if (leat_bit_get(column->validity, leat_batch_row(batch, i))) continue;
            return leat_fail(error, LEAT_INVALID,
                             "Column '%s' is NOT NULL, however, a null value is being written into it.",
                             schema->fields[c].name);
        }
    }
    return LEAT_OK;
}

static leat_code hash_all(pk_router *self, const leat_batch *batch, leat_error *error)
{
    LEAT_TRY(leat_pk_key_hash_run(&self->key_hash, batch, self->keys, error));
    if (self->options.partition_count)
        LEAT_TRY(leat_pk_key_hash_run(&self->partition_hash, batch, self->partitions, error));
    return self->has_own_bucket_key ? leat_pk_key_hash_run(&self->bucket_hash, batch, self->buckets, error) : LEAT_OK;
}

static void fill_dynamic(const pk_router *self, const leat_batch *batch, int32_t **added)
{
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        added[0][row] = self->keys[i];
        added[1][row] = leat_pk_assigner_of(self->partitions[i], self->keys[i], self->targets);
    }
}

static void fill_fixed(const pk_router *self, const leat_batch *batch, int32_t **added)
{
    const int32_t *hashes = self->has_own_bucket_key ? self->buckets : self->keys;
    for (int32_t i = 0; i < batch->selected; i++) {
        int32_t row = leat_batch_row(batch, i);
        int32_t bucket = leat_paimon_bucket(hashes[i], self->options.bucket);
        added[0][row] = bucket;
        added[1][row] = self->keys[i];
        added[2][row] = leat_pk_writer_of(self->partitions[i], bucket, self->targets);
    }
}

static leat_code router_process(leat_operator *operator, int32_t input, leat_batch **batch, leat_progress *progress,
                                leat_error *error)
{
    (void)input;
    (void)progress;
    pk_router *self = (pk_router *)operator;
    if ((*batch)->selected == 0) return LEAT_OK;
    LEAT_TRY(check_nulls(self, *batch, error));
    LEAT_TRY(hash_all(self, *batch, error));
    bool is_dynamic = self->options.bucket == LEAT_PK_BUCKET_DYNAMIC;
    int32_t *added[LEAT_PK_COLUMNS_MAX];
    leat_batch *routed;
    LEAT_TRY(
        leat_pk_append_columns(*batch, self->options.schema.fields_count, is_dynamic ? 2 : 3, added, &routed, error));
    if (is_dynamic) {
        fill_dynamic(self, routed, added);
    } else {
        fill_fixed(self, routed, added);
    }
    leat_code code = leat_context_emit(operator->context, &routed, error);
    leat_batch_free(routed);
    return code;
}

static leat_code router_open(leat_operator *operator, const leat_restored * restored, leat_error *error)
{
    (void)operator;
    (void)restored;
    (void)error;
    return LEAT_OK;
}

static void router_close(leat_operator *operator)
{
    pk_router *self = (pk_router *)operator;
    leat_pk_key_hash_done(&self->key_hash);
    leat_pk_key_hash_done(&self->bucket_hash);
    leat_pk_key_hash_done(&self->partition_hash);
    leat_free(self->partitions);
    leat_free(self->keys);
    leat_free(self->buckets);
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_free(self);
}

static const leat_operator_vtable router_vtable = {
    .type = "paimon-pk-router",
    .open = router_open,
    .process_batch = router_process,
    .close = router_close,
};

static leat_code types_of(pk_router *self, const int32_t *columns, int32_t count, leat_type **out, leat_error *error)
{
    leat_type *types = leat_arena_take(&self->arena, ((size_t)count + 1) * sizeof *types);
    if (!types) return leat_fail_no_memory(error);
    for (int32_t i = 0; i < count; i++)
        types[i] = self->options.schema.fields[columns[i]].type;
    *out = types;
    return LEAT_OK;
}

static leat_code read_config(pk_router *self, const uint8_t *config, size_t size, leat_error *error)
{
    leat_reader reader;
    leat_reader_init(&reader, config, size);
    self->targets = (int32_t)leat_reader_u32(&reader);
    LEAT_TRY(leat_paimon_table_read(&reader, &self->arena, &self->table, error));
    if (self->targets < 1) return leat_fail(error, LEAT_CORRUPT, "router to %d subtasks", self->targets);
    leat_pk_options *options = &self->options;
    LEAT_TRY(leat_pk_options_read(&self->table.schema, true, &self->arena, options, error));
    LEAT_TRY(types_of(self, options->keys, options->keys_count, &self->key_types, error));
    LEAT_TRY(types_of(self, options->bucket_key, options->bucket_key_count, &self->bucket_types, error));
    LEAT_TRY(types_of(self, options->partition, options->partition_count, &self->partition_types, error));
    self->has_own_bucket_key =
        options->bucket_key_count != options->keys_count ||
        memcmp(options->bucket_key, options->keys, (size_t)options->keys_count * sizeof *options->keys) != 0;
    self->partitions = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->partitions);
    self->keys = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->keys);
    self->buckets = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->buckets);
    if (!self->partitions || !self->keys || !self->buckets) return leat_fail_no_memory(error);
    int32_t unpartitioned = leat_paimon_hash(leat_binary_row_empty + 4, LEAT_BINARY_ROW_EMPTY_SIZE - 4);
    for (int32_t i = 0; i < LEAT_BATCH_ROWS_MAX; i++)
        self->partitions[i] = unpartitioned;
    LEAT_TRY(leat_pk_key_hash_init(&self->key_hash, options->keys, self->key_types, options->keys_count, error));
    LEAT_TRY(leat_pk_key_hash_init(&self->bucket_hash, options->bucket_key, self->bucket_types,
                                   options->bucket_key_count, error));
    return leat_pk_key_hash_init(&self->partition_hash, options->partition, self->partition_types,
                                 options->partition_count, error);
}

static leat_code router_create(leat_operator_context *context, const uint8_t *config, size_t config_size,
                               leat_operator **out, leat_error *error)
{
    (void)context;
    pk_router *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->operator.vtable = & router_vtable;
    leat_arena_init(&self->arena, ARENA_BYTES_MAX);
    leat_code code = read_config(self, config, config_size, error);
    if (code != LEAT_OK) {
        router_close(&self->operator);
        return code;
    }
    *out = &self->operator;
    return LEAT_OK;
}

const leat_operator_factory leat_paimon_pk_router_factory = {"paimon-pk-router", router_create};
