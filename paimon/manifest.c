/* Lists of entries and how they merge; hash index files. */
#include "paimon/manifest.h"

#include <string.h>

#include "common/memory.h"
#include "paimon/path.h"
#include "storage/storage.h"

enum { CAPACITY_MIN = 16, HASH_INDEX_BYTES_MAX = 1 << 30 };

/* Arrays in the arena grow by copying, so that they are contiguous. */
static leat_code grow(void *array_pointer, size_t count, size_t *capacity, size_t element_bytes, leat_arena *arena,
                      leat_error *error)
{
    if (count < *capacity) return LEAT_OK;
    size_t target = *capacity ? *capacity * 2 : CAPACITY_MIN, bytes;
    void *grown = leat_mul_size(target, element_bytes, &bytes) ? leat_arena_take(arena, bytes) : NULL;
    if (!grown) return leat_fail(error, LEAT_LIMIT, "%zu manifest entries do not fit in the plan's memory", count);
    void *old;
    memcpy(&old, array_pointer, sizeof old);
    if (count) memcpy(grown, old, count * element_bytes);
    memcpy(array_pointer, &grown, sizeof grown);
    *capacity = target;
    return LEAT_OK;
}

#define ADD(list, type)                                                                                                \
    leat_code leat_paimon_##list##_add(leat_paimon_##list *self, const type *item, leat_arena *arena,                  \
                                       leat_error *error)                                                              \
    {                                                                                                                  \
        LEAT_TRY(grow(&self->items, self->count, &self->capacity, sizeof *item, arena, error));                        \
        self->items[self->count++] = *item;                                                                            \
        return LEAT_OK;                                                                                                \
    }

ADD(manifests, leat_paimon_manifest)
ADD(entries, leat_paimon_entry)
ADD(index_files, leat_paimon_index_file)

static bool same_bytes(const uint8_t *left, size_t left_size, const uint8_t *right, size_t right_size)
{
    return left_size == right_size && (left_size == 0 || memcmp(left, right, left_size) == 0);
}

static bool same_text(const char *left, const char *right)
{
    return left && right ? strcmp(left, right) == 0 : left == right;
}

bool leat_paimon_entry_same_file(const leat_paimon_entry *left, const leat_paimon_entry *right)
{
    const leat_paimon_file *a = &left->file, *b = &right->file;
    if (left->bucket != right->bucket || a->level != b->level || strcmp(a->name, b->name) != 0) return false;
    if (!same_bytes(left->partition, left->partition_size, right->partition, right->partition_size)) return false;
    if (a->extra_files_count != b->extra_files_count || !same_text(a->external_path, b->external_path)) return false;
    for (size_t i = 0; i < a->extra_files_count; i++)
        if (strcmp(a->extra_files[i], b->extra_files[i]) != 0) return false;
    return same_bytes(a->embedded_index, a->embedded_index_size, b->embedded_index, b->embedded_index_size);
}

/* Open addressing by file name; a slot holds 1 + the index of the newest entry of its identity. */
typedef struct entry_table {
    const leat_paimon_entry *items;
    uint32_t *slots;
    size_t mask;
} entry_table;

static uint32_t *find_slot(const entry_table *table, const leat_paimon_entry *entry)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a; names are random */
    for (const char *at = entry->file.name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    for (size_t at = (size_t)(hash ^ hash >> 32) & table->mask;; at = (at + 1) & table->mask) {
        uint32_t slot = table->slots[at];
        if (!slot || leat_paimon_entry_same_file(&table->items[slot - 1], entry)) return &table->slots[at];
    }
}

static leat_code merge_entry(const entry_table *table, bool *is_gone, size_t at, bool keep_deletes, leat_error *error)
{
    const leat_paimon_entry *entry = &table->items[at];
    uint32_t *slot = find_slot(table, entry);
    size_t earlier = *slot ? *slot - 1 : at;
    bool is_there = *slot && !is_gone[earlier] && table->items[earlier].kind == LEAT_PAIMON_ADD;
    *slot = (uint32_t)at + 1;
    if (entry->kind == LEAT_PAIMON_ADD) {
        return is_there ? leat_fail(error, LEAT_CORRUPT, "file %s is added twice", entry->file.name) : LEAT_OK;
    }
    if (is_there)
        is_gone[earlier] = is_gone[at] = true;
    else if (!keep_deletes) {
        return leat_fail(error, LEAT_CORRUPT, "file %s is deleted, but is not there", entry->file.name);
    }
    return LEAT_OK;
}

leat_code leat_paimon_entries_merge(leat_paimon_entries *entries, bool keep_deletes, leat_error *error)
{
    if (entries->count > UINT32_MAX / 4) return leat_fail(error, LEAT_LIMIT, "%zu manifest entries", entries->count);
    size_t slots = CAPACITY_MIN;
    while (slots < entries->count * 2)
        slots *= 2;
    entry_table table = {entries->items, leat_calloc(slots, sizeof *table.slots), slots - 1};
    bool *is_gone = leat_calloc(entries->count, sizeof *is_gone);
    leat_code code = table.slots && is_gone ? LEAT_OK : leat_fail_no_memory(error);
    for (size_t i = 0; code == LEAT_OK && i < entries->count; i++)
        code = merge_entry(&table, is_gone, i, keep_deletes, error);
    size_t kept = 0;
    for (size_t i = 0; code == LEAT_OK && i < entries->count; i++)
        if (!is_gone[i]) entries->items[kept++] = entries->items[i];
    if (code == LEAT_OK) entries->count = kept;
    leat_free(table.slots);
    leat_free(is_gone);
    return code;
}

leat_code leat_paimon_hash_index_load(leat_env *env, const char *table_path, const leat_paimon_index_file *file,
                                      leat_arena *arena, int32_t **hashes, size_t *count, leat_error *error)
{
    const char *path =
        file->external_path ? file->external_path : leat_paimon_path(table_path, "index", file->name, arena);
    if (!path) return leat_fail_no_memory(error);
    leat_bytes bytes = {0};
    leat_code code = leat_storage_get_all(env->storage, path, HASH_INDEX_BYTES_MAX, &bytes, error);
    if (code == LEAT_OK && bytes.size % sizeof(uint32_t) != 0) {
        code =
            leat_fail(error, LEAT_CORRUPT, "hash index %s has %zu bytes, no whole number of hashes", path, bytes.size);
    }
    *count = bytes.size / sizeof(uint32_t);
    *hashes = code == LEAT_OK ? leat_arena_take(arena, bytes.size) : NULL;
    if (code == LEAT_OK && !*hashes) code = leat_fail(error, LEAT_LIMIT, "hash index %s does not fit in memory", path);
    for (size_t i = 0; code == LEAT_OK && i < *count; i++) {
        uint32_t hash;
        memcpy(&hash, bytes.data + i * sizeof hash, sizeof hash);
        (*hashes)[i] = (int32_t)__builtin_bswap32(hash);
    }
    leat_bytes_done(&bytes);
    return code;
}

leat_code leat_paimon_hash_index_store(leat_env *env, const char *table_path, const char *name, const int32_t *hashes,
                                       size_t count, leat_paimon_index_file *out, leat_error *error)
{
    leat_bytes bytes = {0}, path = {0};
    for (size_t i = 0; i < count; i++)
        leat_bytes_put_u32(&bytes, __builtin_bswap32((uint32_t)hashes[i]));
    leat_bytes_format(&path, "%s/index/%s", table_path, name);
    leat_code code = bytes.failed || path.failed ? leat_fail_no_memory(error) : LEAT_OK;
    if (code == LEAT_OK) {
        code =
            leat_storage_put(env->storage, (const char *)path.data, bytes.data, bytes.size, LEAT_PUT_IF_ABSENT, error);
    }
    out->index_type = "HASH";
    out->name = name;
    out->size_bytes = (int64_t)bytes.size;
    out->rows = (int64_t)count;
    leat_bytes_done(&bytes);
    leat_bytes_done(&path);
    return code;
}
