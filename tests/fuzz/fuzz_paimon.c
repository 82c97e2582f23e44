/* The first byte says what the rest is: schema file, snapshot file, committable, split, row. */
#include <stdint.h>

#include "paimon/binary_row.h"
#include "paimon/scan.h"
#include "paimon/schema.h"
#include "paimon/snapshot.h"
#include "tests/fuzz/fuzz.h"

static void read_schema(const uint8_t *data, size_t size, leat_arena *arena)
{
    leat_paimon_schema schema;
    if (leat_paimon_schema_parse((const char *)data, size, arena, &schema, NULL) != LEAT_OK) return;
    leat_bytes out = {0};
    leat_paimon_schema again;
    if (leat_paimon_schema_print(&schema, &out, NULL) == LEAT_OK &&
        leat_paimon_schema_parse((const char *)out.data, out.size, arena, &again, NULL) == LEAT_OK) {
        leat_paimon_schema_done(&again);
    }
    leat_bytes_done(&out);
    leat_paimon_schema_done(&schema);
}

static void read_row(const uint8_t *data, size_t size)
{
    static const leat_type types[] = {
        {.kind = LEAT_TYPE_INT},
        {.kind = LEAT_TYPE_VARCHAR, .precision = LEAT_LENGTH_MAX},
        {.kind = LEAT_TYPE_DECIMAL, .precision = 38, .scale = 2},
        {.kind = LEAT_TYPE_TIMESTAMP, .precision = 9},
        {.kind = LEAT_TYPE_DOUBLE},
    };
    leat_binary_row row;
    if (leat_binary_row_open(data, size, "row", &row, NULL) != LEAT_OK) return;
    leat_bytes text = {0};
    for (int32_t i = 0; i < 5; i++) {
        leat_paimon_value value;
        if (leat_binary_row_get(&row, i, &types[i], &value, NULL) != LEAT_OK || value.is_null) continue;
        leat_paimon_value_print(&types[i], &value, true, &text);
        leat_paimon_value_print(&types[i], &value, false, &text);
    }
    leat_bytes_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    leat_paimon_snapshot snapshot;
    leat_paimon_message message;
    leat_paimon_split split;
    leat_code code = LEAT_OK;
    switch (data[0] % 5) {
    case 0: read_schema(data + 1, size - 1, &arena); break;
    case 1: code = leat_paimon_snapshot_parse((const char *)data + 1, size - 1, &arena, &snapshot, NULL); break;
    case 2: code = leat_paimon_message_read(data + 1, size - 1, &arena, &message, NULL); break;
    case 3: code = leat_paimon_split_read(data + 1, size - 1, &arena, &split, NULL); break;
    default: read_row(data + 1, size - 1); break;
    }
    (void)code;
    leat_arena_done(&arena);
    return 0;
}
