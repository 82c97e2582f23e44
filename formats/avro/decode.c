/* Binary values by schema resolution. */
#include <inttypes.h>
#include <string.h>

#include "formats/avro/avro.h"
#include "formats/avro/codec.h"

typedef struct decoder {
    leat_reader *reader;
    leat_arena *arena;
    leat_error *error;
} decoder;

/* Elements may take no bytes (null, empty records); so many are believed without bytes behind them. */
enum { EMPTY_ITEMS_MAX = 1 << 20 };

static leat_code cut_off(decoder *self)
{
    return leat_fail(self->error, LEAT_CORRUPT, "Avro data ends in a value, at offset %zu",
                     (size_t)(self->reader->at - self->reader->start));
}

static leat_code take_bytes(decoder *self, size_t size, leat_avro_value *out)
{
    out->bytes.data = leat_reader_take(self->reader, size);
    out->bytes.size = size;
    return out->bytes.data ? LEAT_OK : cut_off(self);
}

static leat_code take_sized(decoder *self, leat_avro_value *out)
{
    int64_t size = leat_avro_read_long(self->reader);
    if (size < 0) return leat_fail(self->error, LEAT_CORRUPT, "Avro data has a text of %" PRId64 " bytes", size);
    return take_bytes(self, (size_t)size, out);
}

/* Count of the next block of an array or map; 0 at the end. `bytes` is its size when it says one, else -1. */
static leat_code next_items(decoder *self, int64_t *count, int64_t *bytes)
{
    *count = leat_avro_read_long(self->reader);
    *bytes = -1;
    if (*count < 0 && *count != INT64_MIN) {
        *count = -*count;
        *bytes = leat_avro_read_long(self->reader);
        if (*bytes < 0) return cut_off(self);
    }
    if (self->reader->failed) return cut_off(self);
    size_t most = leat_reader_left(self->reader);
    if (most < EMPTY_ITEMS_MAX) most = EMPTY_ITEMS_MAX;
    if (*count < 0 || (uint64_t)*count > most) {
        return leat_fail(self->error, LEAT_CORRUPT, "Avro data has a list of %" PRId64 " elements", *count);
    }
    return LEAT_OK;
}

static leat_code skip(decoder *self, const leat_avro_schema *schema, int depth);

static leat_code skip_items(decoder *self, const leat_avro_schema *schema, int depth)
{
    for (;;) { /* each round reads at least a byte */
        int64_t count, bytes;
        LEAT_TRY(next_items(self, &count, &bytes));
        if (count == 0) return LEAT_OK;
        if (bytes >= 0) {
            if (!leat_reader_take(self->reader, (size_t)bytes)) return cut_off(self);
            continue;
        }
        for (int64_t i = 0; i < count; i++) {
            leat_avro_value key;
            if (schema->kind == LEAT_AVRO_MAP) LEAT_TRY(take_sized(self, &key));
            LEAT_TRY(skip(self, schema->fields[0].schema, depth + 1));
        }
    }
}

/* The branch that a union's value has. */
static leat_code read_branch(decoder *self, const leat_avro_schema *schema, size_t *out)
{
    int64_t branch = leat_avro_read_long(self->reader);
    if (self->reader->failed) return cut_off(self);
    if (branch < 0 || (uint64_t)branch >= schema->count) {
        return leat_fail(self->error, LEAT_CORRUPT, "Avro data has branch %" PRId64 " of a union of %zu", branch,
                         schema->count);
    }
    *out = (size_t)branch;
    return LEAT_OK;
}

static leat_code skip(decoder *self, const leat_avro_schema *schema, int depth)
{
    leat_avro_value value;
    if (depth > LEAT_AVRO_DEPTH_MAX) return leat_fail(self->error, LEAT_LIMIT, "Avro data is nested too deeply");
    switch (schema->kind) {
    case LEAT_AVRO_NULL: break;
    case LEAT_AVRO_BOOLEAN: (void)leat_reader_u8(self->reader); break;
    case LEAT_AVRO_INT:
    case LEAT_AVRO_LONG:
    case LEAT_AVRO_ENUM: (void)leat_avro_read_long(self->reader); break;
    case LEAT_AVRO_FLOAT: (void)leat_reader_take(self->reader, 4); break;
    case LEAT_AVRO_DOUBLE: (void)leat_reader_take(self->reader, 8); break;
    case LEAT_AVRO_BYTES:
    case LEAT_AVRO_STRING: return take_sized(self, &value);
    case LEAT_AVRO_FIXED: return take_bytes(self, schema->count, &value);
    case LEAT_AVRO_ARRAY:
    case LEAT_AVRO_MAP: return skip_items(self, schema, depth);
    case LEAT_AVRO_RECORD:
        for (size_t i = 0; i < schema->count; i++)
            LEAT_TRY(skip(self, schema->fields[i].schema, depth + 1));
        break;
    case LEAT_AVRO_UNION: {
        size_t branch;
        LEAT_TRY(read_branch(self, schema, &branch));
        return skip(self, schema->fields[branch].schema, depth + 1);
    }
    }
    return self->reader->failed ? cut_off(self) : LEAT_OK;
}

static bool is_text(leat_avro_kind kind)
{
    return kind == LEAT_AVRO_BYTES || kind == LEAT_AVRO_STRING;
}

/* Whether a value written so can be seen so; records and enums are looked into when they are read. */
static bool fits(const leat_avro_schema *written, const leat_avro_schema *wanted)
{
    if (written->kind == wanted->kind) {
        return written->kind != LEAT_AVRO_FIXED || written->count == wanted->count;
    }
    if (is_text(written->kind) && is_text(wanted->kind)) return true;
    bool is_number = written->kind >= LEAT_AVRO_INT && written->kind <= LEAT_AVRO_DOUBLE;
    return is_number && wanted->kind <= LEAT_AVRO_DOUBLE && wanted->kind > written->kind;
}

static leat_code decode(decoder *self, const leat_avro_schema *written, const leat_avro_schema *wanted, int depth,
                        leat_avro_value *out);

static leat_code decode_record(decoder *self, const leat_avro_schema *written, const leat_avro_schema *wanted,
                               int depth, leat_avro_value *out)
{
    out->list.count = wanted->count;
    out->list.items = leat_arena_take(self->arena, wanted->count * sizeof *out->list.items);
    bool *is_set = written == wanted ? NULL : leat_arena_take(self->arena, wanted->count);
    if (!out->list.items || (written != wanted && !is_set)) return leat_fail_no_memory(self->error);
    for (size_t i = 0; i < written->count; i++) {
        const leat_avro_field *field = &written->fields[i];
        int32_t at = written == wanted ? (int32_t)i : leat_avro_schema_find(wanted, field->name);
        leat_code code = at < 0
                             ? skip(self, field->schema, depth + 1)
                             : decode(self, field->schema, wanted->fields[at].schema, depth + 1, &out->list.items[at]);
        if (code != LEAT_OK) return leat_fail_in(self->error, code, "field %s", field->name);
        if (at >= 0 && is_set) is_set[at] = true;
    }
    for (size_t i = 0; is_set && i < wanted->count; i++) {
        if (is_set[i]) continue;
        if (!wanted->fields[i].fallback) {
            return leat_fail(self->error, LEAT_CORRUPT, "Avro data has no field '%s'", wanted->fields[i].name);
        }
        out->list.items[i] = *wanted->fields[i].fallback;
    }
    return LEAT_OK;
}

/* Room for `count` more elements; the old ones are copied, so that arrays are contiguous. */
static leat_code grow_items(decoder *self, leat_avro_value **items, size_t had, size_t needed, size_t *capacity)
{
    if (needed <= *capacity) return LEAT_OK;
    size_t target = needed > 2 * *capacity ? needed : 2 * *capacity;
    leat_avro_value *grown = leat_arena_take(self->arena, target * sizeof *grown);
    if (!grown) return leat_fail_no_memory(self->error);
    if (had) memcpy(grown, *items, had * sizeof *grown);
    *items = grown;
    *capacity = target;
    return LEAT_OK;
}

static leat_code decode_items(decoder *self, const leat_avro_schema *written, const leat_avro_schema *wanted, int depth,
                              leat_avro_value *out)
{
    bool is_map = written->kind == LEAT_AVRO_MAP;
    size_t items_capacity = 0, keys_capacity = 0;
    out->list.items = out->list.keys = NULL;
    out->list.count = 0;
    for (;;) { /* each round reads at least a byte */
        int64_t count, bytes;
        LEAT_TRY(next_items(self, &count, &bytes));
        if (count == 0) return LEAT_OK;
        size_t had = out->list.count, needed = had + (size_t)count;
        LEAT_TRY(grow_items(self, &out->list.items, had, needed, &items_capacity));
        if (is_map) LEAT_TRY(grow_items(self, &out->list.keys, had, needed, &keys_capacity));
        for (; out->list.count < needed; out->list.count++) {
            leat_avro_value *key = is_map ? &out->list.keys[out->list.count] : NULL;
            if (key) {
                key->kind = LEAT_AVRO_STRING;
                LEAT_TRY(take_sized(self, key));
            }
            LEAT_TRY(decode(self, written->fields[0].schema, wanted->fields[0].schema, depth + 1,
                            &out->list.items[out->list.count]));
        }
    }
}

static leat_code decode_enum(decoder *self, const leat_avro_schema *written, const leat_avro_schema *wanted,
                             leat_avro_value *out)
{
    int64_t symbol = leat_avro_read_long(self->reader);
    if (self->reader->failed) return cut_off(self);
    if (symbol < 0 || (uint64_t)symbol >= written->count) {
        return leat_fail(self->error, LEAT_CORRUPT, "Avro data has symbol %" PRId64 " of %zu", symbol, written->count);
    }
    out->integer = symbol;
    if (written == wanted) return LEAT_OK;
    for (size_t i = 0; i < wanted->count; i++) {
        out->integer = (int64_t)i;
        if (strcmp(wanted->symbols[i], written->symbols[symbol]) == 0) return LEAT_OK;
    }
    out->integer = wanted->fallback_symbol;
    return out->integer >= 0 ? LEAT_OK
                             : leat_fail(self->error, LEAT_CORRUPT, "Avro data has the unknown symbol '%s'",
                                         written->symbols[symbol]);
}

static leat_code decode_simple(decoder *self, leat_avro_kind written, leat_avro_kind wanted, leat_avro_value *out)
{
    out->kind = wanted;
    bool is_floating = wanted == LEAT_AVRO_FLOAT || wanted == LEAT_AVRO_DOUBLE;
    switch (written) {
    case LEAT_AVRO_BOOLEAN: out->boolean = leat_reader_u8(self->reader) != 0; break;
    case LEAT_AVRO_INT:
    case LEAT_AVRO_LONG: {
        int64_t value = leat_avro_read_long(self->reader);
        if (written == LEAT_AVRO_INT && (value < INT32_MIN || value > INT32_MAX)) {
            return leat_fail(self->error, LEAT_CORRUPT, "Avro data has an int of %" PRId64, value);
        }
        if (is_floating)
            out->number = (double)value;
        else
            out->integer = value;
        break;
    }
    case LEAT_AVRO_FLOAT: {
        uint32_t bits = leat_reader_u32(self->reader);
        float value;
        memcpy(&value, &bits, sizeof value);
        out->number = (double)value;
        break;
    }
    case LEAT_AVRO_DOUBLE: {
        uint64_t bits = leat_reader_u64(self->reader);
        memcpy(&out->number, &bits, sizeof bits);
        break;
    }
    default: break;
    }
    return self->reader->failed ? cut_off(self) : LEAT_OK;
}

/* The branch of a wanted union that takes a value written so: the same kind (and name) first, else what it can be
 * promoted to. */
static const leat_avro_schema *pick_branch(const leat_avro_schema *written, const leat_avro_schema *wanted, size_t *at)
{
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < wanted->count; i++) {
            const leat_avro_schema *branch = wanted->fields[i].schema;
            bool is_same_name = written->name && branch->name && strcmp(written->name, branch->name) == 0;
            bool is_same_kind = written->kind == branch->kind;
            *at = i;
            if (pass == 0   ? is_same_kind && (!written->name || is_same_name)
                : pass == 1 ? is_same_kind
                            : fits(written, branch)) {
                return branch;
            }
        }
    }
    return NULL;
}

static leat_code decode(decoder *self, const leat_avro_schema *written, const leat_avro_schema *wanted, int depth,
                        leat_avro_value *out)
{
    size_t branch = 0;
    if (depth > LEAT_AVRO_DEPTH_MAX) return leat_fail(self->error, LEAT_LIMIT, "Avro data is nested too deeply");
    if (written->kind == LEAT_AVRO_UNION) {
        LEAT_TRY(read_branch(self, written, &branch));
        bool is_same = written == wanted;
        written = written->fields[branch].schema;
        if (is_same) wanted = written;
        if (written->kind == LEAT_AVRO_UNION)
            return leat_fail(self->error, LEAT_CORRUPT, "Avro schema: a union in a union");
    }
    if (wanted->kind == LEAT_AVRO_UNION && wanted != written) {
        const leat_avro_schema *picked = pick_branch(written, wanted, &branch);
        if (picked) wanted = picked;
    }
    *out = (leat_avro_value){.kind = wanted->kind, .branch = (int32_t)branch};
    if (!fits(written, wanted)) {
        return leat_fail(self->error, LEAT_CORRUPT, "Avro data of kind %d cannot be read as kind %d",
                         (int)written->kind, (int)wanted->kind);
    }
    switch (written->kind) {
    case LEAT_AVRO_BYTES:
    case LEAT_AVRO_STRING: return take_sized(self, out);
    case LEAT_AVRO_FIXED: return take_bytes(self, written->count, out);
    case LEAT_AVRO_RECORD: return decode_record(self, written, wanted, depth, out);
    case LEAT_AVRO_ENUM: return decode_enum(self, written, wanted, out);
    case LEAT_AVRO_ARRAY:
    case LEAT_AVRO_MAP: return decode_items(self, written, wanted, depth, out);
    default: return decode_simple(self, written->kind, wanted->kind, out);
    }
}

leat_code leat_avro_decode(leat_reader *reader, const leat_avro_schema *written, const leat_avro_schema *wanted,
                           leat_arena *arena, leat_avro_value *out, leat_error *error)
{
    decoder self = {.reader = reader, .arena = arena, .error = error};
    return decode(&self, written, wanted ? wanted : written, 0, out);
}
