#include "paimon/carried.h"

#include <string.h>

#include "common/memory.h"

enum { STATE_VERSION = 1 };

void leat_paimon_carried_done(leat_paimon_carried *self)
{
    for (size_t i = 0; i < self->count; i++)
        leat_bytes_done(&self->items[i].committable);
    leat_free(self->items);
    *self = (leat_paimon_carried){0};
}

leat_code leat_paimon_carried_add(leat_paimon_carried *self, int64_t checkpoint_id, leat_bytes *committable,
                                  leat_error *error)
{
    LEAT_TRY(leat_grow(&self->items, &self->capacity, self->count + 1, sizeof *self->items, error));
    self->items[self->count++] = (leat_paimon_carried_item){checkpoint_id, *committable};
    *committable = (leat_bytes){0};
    return LEAT_OK;
}

leat_code leat_paimon_carried_snapshot(const leat_paimon_carried *self, leat_operator_snapshot *snapshot,
                                       leat_error *error)
{
    uint32_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += self->items[i].checkpoint_id <= snapshot->checkpoint_id;
    leat_bytes_put_u8(&snapshot->state, STATE_VERSION);
    leat_bytes_put_u32(&snapshot->state, count);
    for (size_t i = 0; i < self->count; i++) {
        const leat_paimon_carried_item *item = &self->items[i];
        if (item->checkpoint_id > snapshot->checkpoint_id) continue;
        leat_bytes_put_i64(&snapshot->state, item->checkpoint_id);
        leat_bytes_put_block(&snapshot->state, item->committable.data, item->committable.size);
        leat_bytes copy = {0};
        leat_bytes_put(&copy, item->committable.data, item->committable.size);
        leat_code code = leat_bytes_check(&copy, error);
        if (code == LEAT_OK) code = leat_operator_snapshot_add(snapshot, &copy, error);
        leat_bytes_done(&copy);
        if (code != LEAT_OK) return code;
    }
    return leat_bytes_check(&snapshot->state, error);
}

static leat_code read_items(leat_paimon_carried *self, leat_reader *reader, leat_error *error)
{
    uint32_t count = leat_reader_u32(reader);
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        int64_t checkpoint_id = leat_reader_i64(reader);
        size_t size;
        const uint8_t *data = leat_reader_block(reader, &size);
        if (!data) break;
        leat_bytes copy = {0};
        leat_bytes_put(&copy, data, size);
        leat_code code = leat_bytes_check(&copy, error);
        if (code == LEAT_OK) code = leat_paimon_carried_add(self, checkpoint_id, &copy, error);
        leat_bytes_done(&copy);
        if (code != LEAT_OK) return code;
    }
    return leat_reader_check(reader, false, "carried committables", error);
}

leat_code leat_paimon_carried_restore(leat_paimon_carried *self, const leat_operator_context *context,
                                      const leat_restored *restored, leat_error *error)
{
    for (size_t i = 0; restored && i < restored->parts_count; i++) {
        const leat_restored_part *part = &restored->parts[i];
        if (part->state_size == 0 || part->subtask % context->parallelism != context->subtask) continue;
        leat_reader reader;
        leat_reader_init(&reader, part->state, part->state_size);
        uint8_t version = leat_reader_u8(&reader);
        if (version != STATE_VERSION) return leat_fail(error, LEAT_CORRUPT, "state of version %d", version);
        LEAT_TRY(read_items(self, &reader, error));
    }
    return LEAT_OK;
}

void leat_paimon_carried_confirm(leat_paimon_carried *self, int64_t checkpoint_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].checkpoint_id <= checkpoint_id)
            leat_bytes_done(&self->items[i].committable);
        else
            self->items[kept++] = self->items[i];
    }
    self->count = kept;
}
