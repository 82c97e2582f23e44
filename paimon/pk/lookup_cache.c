#include "paimon/pk/lookup_cache.h"

#include "common/memory.h"

static leat_code init_generation(const leat_pk_row_cache *self, leat_pk_cache_generation *generation, leat_error *error)
{
    LEAT_TRY(leat_pk_buffer_init(&generation->rows, &self->config->options, error));
    LEAT_TRY(leat_pk_lookup_view_new(self->config, &generation->view, error));
    generation->origins = leat_calloc((size_t)self->rows_max, sizeof *generation->origins);
    return generation->origins ? LEAT_OK : leat_fail_no_memory(error);
}

leat_code leat_pk_row_cache_init(leat_pk_row_cache *self, const leat_pk_lookup_config *config, int32_t rows_max,
                                 leat_error *error)
{
    *self = (leat_pk_row_cache){.config = config, .rows_max = rows_max / 2 + rows_max % 2};
    if (rows_max == 0) return LEAT_OK;
    self->targets = leat_alloc(LEAT_BATCH_ROWS_MAX * sizeof *self->targets);
    if (!self->targets) return leat_fail_no_memory(error);
    LEAT_TRY(init_generation(self, &self->young, error));
    return init_generation(self, &self->old, error);
}

static void free_generation(leat_pk_cache_generation *generation)
{
    leat_pk_lookup_view_free(generation->view);
    leat_pk_buffer_done(&generation->rows);
    leat_free(generation->origins);
}

void leat_pk_row_cache_done(leat_pk_row_cache *self)
{
    free_generation(&self->young);
    free_generation(&self->old);
    leat_free(self->targets);
    *self = (leat_pk_row_cache){0};
}

static bool find_in(const leat_pk_row_cache *self, const leat_pk_cache_generation *generation, const leat_batch *keys,
                    int32_t position, uint32_t hash, const leat_pk_lookup_bucket *bucket, int32_t *row)
{
    leat_pk_buffer_find(&generation->rows, keys, self->config->probe_columns, position, &hash, 1, row);
    if (*row < 0) return false;
    const leat_pk_cache_origin *origin = &generation->origins[*row];
    return origin->bucket == bucket && origin->version == bucket->version;
}

const leat_pk_cache_generation *leat_pk_row_cache_find(const leat_pk_row_cache *self, const leat_batch *keys,
                                                       int32_t position, uint32_t hash,
                                                       const leat_pk_lookup_bucket *bucket, int32_t *row)
{
    if (self->rows_max == 0) return NULL;
    if (find_in(self, &self->young, keys, position, hash, bucket, row)) return &self->young;
    return find_in(self, &self->old, keys, position, hash, bucket, row) ? &self->old : NULL;
}

/* At most as many as there is room for. */
static leat_code add_some(leat_pk_row_cache *self, const leat_batch *batch, const uint16_t *rows,
                          const uint32_t *hashes, leat_pk_lookup_bucket *const *buckets, int32_t count,
                          leat_error *error)
{
    leat_pk_cache_generation *young = &self->young;
    leat_batch added = *batch;
    added.selection = rows;
    added.selected = count;
    LEAT_TRY(leat_pk_buffer_add(&young->rows, batch, rows, hashes, count, 0, error));
    leat_pk_buffer_find(&young->rows, &added, self->config->options.keys, 0, hashes, count, self->targets);
    for (int32_t i = 0; i < count; i++)
        young->origins[self->targets[i]] = (leat_pk_cache_origin){buckets[i], buckets[i]->version};
    return LEAT_OK;
}

leat_code leat_pk_row_cache_add(leat_pk_row_cache *self, const leat_batch *batch, const uint32_t *hashes,
                                leat_pk_lookup_bucket *const *buckets, int32_t count, leat_error *error)
{
    uint16_t rows[LEAT_BATCH_ROWS_MAX];
    if (self->rows_max == 0 || count == 0) return LEAT_OK;
    for (int32_t i = 0; i < count; i++)
        rows[i] = (uint16_t)i;
    for (int32_t done = 0; done < count;) {
        int32_t room = self->rows_max - self->young.rows.state.rows;
        if (room == 0) {
            leat_pk_cache_generation dropped = self->old;
            self->old = self->young;
            self->young = dropped;
            leat_pk_buffer_reset(&self->young.rows);
            continue;
        }
        int32_t taken = count - done < room ? count - done : room;
        LEAT_TRY(add_some(self, batch, rows + done, hashes + done, buckets + done, taken, error));
        done += taken;
    }
    leat_pk_lookup_view_refresh(self->config, &self->young.rows.state, self->young.view);
    leat_pk_lookup_view_refresh(self->config, &self->old.rows.state, self->old.view);
    return LEAT_OK;
}
