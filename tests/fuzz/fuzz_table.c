/* A table's folder without its data files, as another engine or a bad disk may leave it: schema, snapshots, hints,
 * manifests, indexes; opened and planned as reads, streams and writers do.
 *
 * The input is files: name (u32 length, bytes; below the table), content (u32 length, bytes). */
#include <string.h>

#include "common/memory.h"
#include "paimon/catalog.h"
#include "paimon/scan.h"
#include "storage/storage.h"
#include "tests/fuzz/fuzz.h"

enum { FILES_MAX = 64, SNAPSHOTS_MAX = 8, NAME_BYTES_MAX = 200 };

static const char folder[] = "mem:/house/d.db/t";

static int64_t now_ms(leat_env *env)
{
    (void)env;
    return 1700000000000;
}

static int64_t mono_us(leat_env *env)
{
    (void)env;
    return 1;
}

static void sleep_ms(leat_env *env, int64_t ms)
{
    (void)env;
    (void)ms;
}

static uint64_t random_number(leat_env *env)
{
    (void)env;
    return 4;
}

static const leat_env_vtable env_vtable = {now_ms, mono_us, sleep_ms, random_number, NULL};

static leat_code put_files(leat_storage *storage, const uint8_t *data, size_t size)
{
    leat_reader reader;
    leat_reader_init(&reader, data, size);
    for (int i = 0; i < FILES_MAX && leat_reader_left(&reader); i++) {
        size_t name_size, content_size;
        const uint8_t *name = leat_reader_block(&reader, &name_size);
        const uint8_t *content = leat_reader_block(&reader, &content_size);
        char path[sizeof folder + NAME_BYTES_MAX + 2];
        if (reader.failed || name_size == 0 || name_size > NAME_BYTES_MAX || memchr(name, '\0', name_size)) break;
        snprintf(path, sizeof path, "%s/%.*s", folder, (int)name_size, (const char *)name);
        LEAT_TRY(leat_storage_put(storage, path, content, content_size, LEAT_PUT_REPLACE, NULL));
    }
    return LEAT_OK;
}

static void use_indexes(leat_env *env, const leat_paimon_snapshot *snapshot, leat_arena *arena)
{
    leat_paimon_index_files files = {0};
    if (!snapshot->index_manifest ||
        leat_paimon_index_manifest_load(env, folder, snapshot->index_manifest, arena, &files, NULL) != LEAT_OK)
        return;
    for (size_t i = 0; i < files.count; i++) {
        int32_t *hashes;
        size_t count;
        if (leat_paimon_hash_index_load(env, folder, &files.items[i], arena, &hashes, &count, NULL) != LEAT_OK) return;
    }
}

static void use_splits(const leat_paimon_splits *splits, leat_arena *arena)
{
    for (size_t i = 0; i < splits->count; i++) {
        leat_bytes bytes = {0};
        leat_paimon_split again;
        leat_paimon_split_write(&splits->items[i], &bytes);
        leat_code code = leat_paimon_split_read(bytes.data, bytes.size, arena, &again, NULL);
        (void)code;
        leat_bytes_done(&bytes);
    }
}

static void use_snapshot(leat_env *env, const leat_paimon_table *table, int64_t id, leat_arena *arena)
{
    leat_paimon_snapshot snapshot;
    if (leat_paimon_snapshot_load(env, folder, id, arena, &snapshot, NULL) != LEAT_OK) return;
    leat_bytes printed = {0};
    leat_paimon_snapshot_print(&snapshot, &printed);
    leat_bytes_done(&printed);
    leat_paimon_scan scan = {.bucket = -1};
    leat_paimon_predicate predicate = {.field_id = 0, .compare = LEAT_PAIMON_GREATER, .value = {.integer = 3}};
    bool is_integer = table->schema.fields_count && leat_type_is_integer(&table->schema.fields[0].type) &&
                      table->schema.fields[0].id == 0;
    if (is_integer) scan.predicates = &predicate;
    if (is_integer) scan.predicates_count = 1;
    leat_paimon_splits splits = {0}, changes = {0};
    if (leat_paimon_plan_snapshot(env, table, &snapshot, &scan, arena, &splits, NULL) == LEAT_OK)
        use_splits(&splits, arena);
    if (leat_paimon_check_streaming(table, NULL) == LEAT_OK &&
        leat_paimon_plan_changes(env, table, &snapshot, NULL, arena, &changes, NULL) == LEAT_OK)
        use_splits(&changes, arena);
    use_indexes(env, &snapshot, arena);
}

static void use_table(leat_env *env, leat_arena *arena)
{
    leat_paimon_table table;
    if (leat_paimon_open_table(env, folder, NULL, arena, &table, NULL) != LEAT_OK) return;
    int64_t newest = 0, oldest = 0, of_user, identifier;
    leat_code code = leat_paimon_snapshot_latest_id(env, folder, &newest, NULL);
    if (code == LEAT_OK) code = leat_paimon_snapshot_earliest_id(env, folder, &oldest, NULL);
    if (code == LEAT_OK && newest)
        code = leat_paimon_snapshot_of_user(env, folder, newest, "user", &of_user, &identifier, NULL);
    for (int64_t i = 0; code == LEAT_OK && newest && i < SNAPSHOTS_MAX && i < newest; i++)
        use_snapshot(env, &table, newest - i, arena);
    leat_paimon_table_done(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    leat_env env = {.vtable = &env_vtable};
    leat_arena arena;
    leat_arena_init(&arena, 64 << 20);
    if (leat_storage_memory_new(&env.storage, NULL) == LEAT_OK) {
        if (put_files(env.storage, data, size) == LEAT_OK) use_table(&env, &arena);
        leat_storage_free(env.storage);
    }
    leat_arena_done(&arena);
    return 0;
}
