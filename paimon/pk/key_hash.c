#include "paimon/pk/key_hash.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/hash.h"

leat_code leat_pk_key_hash_init(leat_pk_key_hash *self, const int32_t *columns, const leat_type *types,
                                int32_t columns_count, leat_error *error)
{
    *self = (leat_pk_key_hash){.columns = columns, .types = types, .columns_count = columns_count};
    if (columns_count != 1 || leat_type_layout(&types[0]) != LEAT_LAYOUT_VIEW) return LEAT_OK;
    self->memo = leat_calloc(LEAT_PK_MEMO_ENTRIES, sizeof *self->memo);
    return self->memo ? LEAT_OK : leat_fail_no_memory(error);
}

void leat_pk_key_hash_done(leat_pk_key_hash *self)
{
    leat_free(self->memo);
    leat_bytes_done(&self->scratch);
    *self = (leat_pk_key_hash){0};
}

static int32_t hash_row(leat_pk_key_hash *self, const leat_batch *batch, int32_t row)
{
    leat_bytes_reset(&self->scratch);
    leat_binary_row_from_batch(batch, row, self->columns, self->types, self->columns_count, false, &self->scratch);
    return self->scratch.failed ? 0 : leat_paimon_hash(self->scratch.data, self->scratch.size);
}

/* Length, first and last bytes: enough to tell a stream's few keys apart; a clash only costs a hash. */
static uint32_t memo_slot(const char *text, int32_t length)
{
    uint32_t first = 0, last = 0;
    size_t taken = length < 4 ? (size_t)length : 4;
    memcpy(&first, text, taken);
    memcpy(&last, text + (size_t)length - taken, taken);
    uint64_t mixed = ((uint64_t)first << 32 | last) + (uint64_t)(uint32_t)length * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)((mixed * UINT64_C(0xD6E8FEB86659FD93)) >> 54); /* 10 bits: LEAT_PK_MEMO_ENTRIES */
}

static int32_t hash_text(leat_pk_key_hash *self, const leat_batch *batch, const leat_column *column, int32_t row)
{
    const leat_view *view = (const leat_view *)column->values + row;
    if (view->length > LEAT_PK_MEMO_TEXT) return hash_row(self, batch, row);
    const char *text = leat_view_data(column, view);
    leat_pk_memo_entry *entry = &self->memo[memo_slot(text, view->length)];
    if (entry->length == view->length + 1 && memcmp(entry->text, text, (size_t)view->length) == 0) return entry->hash;
    entry->hash = hash_row(self, batch, row);
    entry->length = view->length + 1;
    memcpy(entry->text, text, (size_t)view->length);
    return entry->hash;
}

/* A row of one number: 8 zero bytes, then the slot. */
static int32_t hash_slot(uint64_t slot)
{
    uint64_t row[2] = {0, slot};
    return leat_paimon_hash((const uint8_t *)row, sizeof row);
}

leat_code leat_pk_key_hash_run(leat_pk_key_hash *self, const leat_batch *batch, int32_t *hashes, leat_error *error)
{
    bool is_plain = self->columns_count == 1 && !batch->columns[self->columns[0]].validity;
    const leat_column *column = is_plain ? &batch->columns[self->columns[0]] : NULL;
    leat_type_kind kind = self->columns_count == 1 ? self->types[0].kind : LEAT_TYPE_NULL;
    if (is_plain && self->memo) {
        for (int32_t i = 0; i < batch->selected; i++) {
            hashes[i] = hash_text(self, batch, column, leat_batch_row(batch, i));
        }
    } else if (is_plain && (kind == LEAT_TYPE_INT || kind == LEAT_TYPE_DATE)) {
        const uint32_t *values = column->values;
        for (int32_t i = 0; i < batch->selected; i++)
            hashes[i] = hash_slot(values[leat_batch_row(batch, i)]);
    } else if (is_plain && kind == LEAT_TYPE_BIGINT) {
        const uint64_t *values = column->values;
        for (int32_t i = 0; i < batch->selected; i++)
            hashes[i] = hash_slot(values[leat_batch_row(batch, i)]);
    } else {
        return leat_paimon_hash_rows(batch, self->columns, self->types, self->columns_count, &self->scratch, hashes,
                                     error);
    }
    return leat_bytes_check(&self->scratch, error);
}
