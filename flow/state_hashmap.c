/* Entries lie in a dense array of blocks (entry, key, record each in one allocation); the table holds their numbers,
 * found by the low bits of the hash with linear probing. A removed entry's number is taken over by the last one. */
#include <string.h>

#include "columnar/hash.h"
#include "common/memory.h"
#include "flow/state.h"

typedef struct block {
    uint64_t hash;
    uint32_t number; /* in the dense array */
    uint32_t key_size;
    max_align_t record[]; /* record_bytes, then the key */
} block;

typedef struct hashmap {
    leat_state state; /* first */
    leat_state_records records;
    size_t record_bytes; /* rounded up */
    block **blocks;
    size_t count, capacity;
    uint32_t *table;   /* number + 1; 0: free */
    size_t table_size; /* a power of two */
    size_t held_bytes;
} hashmap;

enum { TABLE_MIN = 1024, ENTRIES_MAX = UINT32_MAX - 1 };

static uint8_t *key_of(const hashmap *self, block *at)
{
    return (uint8_t *)at->record + self->record_bytes;
}

static block *block_of(void *record)
{
    return (block *)(void *)((char *)record - offsetof(block, record));
}

/* Where the key is, or the free place where it would be. */
static size_t find(const hashmap *self, uint64_t hash, const uint8_t *key, size_t key_size)
{
    size_t at = hash & (self->table_size - 1);
    for (; self->table[at]; at = (at + 1) & (self->table_size - 1)) {
        block *entry = self->blocks[self->table[at] - 1];
        bool is_same = entry->hash == hash && entry->key_size == key_size;
        if (is_same && (key_size == 0 || memcmp(key_of(self, entry), key, key_size) == 0)) break;
    }
    return at;
}

/* At most half full. */
static leat_code grow_table(hashmap *self, leat_error *error)
{
    if ((self->count + 1) * 2 <= self->table_size) return LEAT_OK;
    size_t size = self->table_size * 2;
    uint32_t *table = leat_calloc(size, sizeof *table);
    if (!table) return leat_fail_no_memory(error);
    for (size_t i = 0; i < self->count; i++) {
        size_t at = self->blocks[i]->hash & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = (uint32_t)i + 1;
    }
    leat_free(self->table);
    self->table = table;
    self->table_size = size;
    return LEAT_OK;
}

static leat_code create(hashmap *self, uint64_t hash, const uint8_t *key, size_t key_size, block **out,
                        leat_error *error)
{
    if (self->count >= ENTRIES_MAX) return leat_fail(error, LEAT_LIMIT, "more than %u keys in a subtask", ENTRIES_MAX);
    LEAT_TRY(grow_table(self, error));
    LEAT_TRY(leat_grow(&self->blocks, &self->capacity, self->count + 1, sizeof *self->blocks, error));
    size_t bytes = sizeof(block) + self->record_bytes + key_size;
    block *entry = leat_alloc(bytes);
    if (!entry) return leat_fail_no_memory(error);
    *entry = (block){.hash = hash, .number = (uint32_t)self->count, .key_size = (uint32_t)key_size};
    memset(entry->record, 0, self->record_bytes);
    if (key_size) memcpy(key_of(self, entry), key, key_size);
    self->table[find(self, hash, key, key_size)] = (uint32_t)self->count + 1;
    self->blocks[self->count++] = entry;
    self->held_bytes += bytes;
    *out = entry;
    return LEAT_OK;
}

static leat_code get_many(leat_state *state, const leat_state_keys *keys, bool creates, void **records,
                          leat_error *error)
{
    hashmap *self = (hashmap *)state;
    for (int32_t i = 0; i < keys->count; i++) {
        const uint8_t *key = keys->data.data + keys->offsets[i];
        size_t size = keys->offsets[i + 1] - keys->offsets[i];
        uint32_t number = self->table[find(self, keys->hashes[i], key, size)];
        block *entry = number ? self->blocks[number - 1] : NULL;
        if (!entry && creates) LEAT_TRY(create(self, keys->hashes[i], key, size, &entry, error));
        records[i] = entry ? entry->record : NULL;
    }
    return LEAT_OK;
}

/* In memory a change in place is all there is. */
static leat_code put_many(leat_state *state, void *const *records, int32_t count, leat_error *error)
{
    (void)state;
    (void)records;
    (void)count;
    (void)error;
    return LEAT_OK;
}

static size_t place_of(const hashmap *self, uint32_t number)
{
    size_t at = self->blocks[number]->hash & (self->table_size - 1);
    while (self->table[at] != number + 1)
        at = (at + 1) & (self->table_size - 1);
    return at;
}

/* Closes the gap at a place: later entries of the run that may stand there move up. */
static void clear_place(hashmap *self, size_t gap)
{
    size_t mask = self->table_size - 1;
    for (size_t at = (gap + 1) & mask; self->table[at]; at = (at + 1) & mask) {
        size_t home = self->blocks[self->table[at] - 1]->hash & mask;
        bool may_move = ((at - home) & mask) >= ((at - gap) & mask);
        if (!may_move) continue;
        self->table[gap] = self->table[at];
        gap = at;
    }
    self->table[gap] = 0;
}

static leat_code remove_record(leat_state *state, void *record, leat_error *error)
{
    (void)error;
    hashmap *self = (hashmap *)state;
    block *entry = block_of(record);
    uint32_t number = entry->number, last = (uint32_t)self->count - 1;
    clear_place(self, place_of(self, number));
    if (number != last) {
        self->table[place_of(self, last)] = number + 1;
        self->blocks[number] = self->blocks[last];
        self->blocks[number]->number = number;
    }
    self->count--;
    self->held_bytes -= sizeof(block) + self->record_bytes + entry->key_size;
    self->records.clear(self->records.self, entry->record);
    leat_free(entry);
    return LEAT_OK;
}

static leat_state_entry entry_of(leat_state *state, void *record)
{
    block *entry = block_of(record);
    return (leat_state_entry){entry->hash, key_of((hashmap *)state, entry), entry->key_size, record};
}

static bool iterate(leat_state *state, size_t *cursor, leat_state_entry *out)
{
    hashmap *self = (hashmap *)state;
    if (*cursor >= self->count) return false;
    *out = entry_of(state, self->blocks[(*cursor)++]->record);
    return true;
}

static int64_t count_entries(const leat_state *state)
{
    return (int64_t)((const hashmap *)state)->count;
}

static size_t count_bytes(const leat_state *state)
{
    const hashmap *self = (const hashmap *)state;
    return self->held_bytes + self->table_size * sizeof *self->table + self->capacity * sizeof *self->blocks;
}

static leat_code snapshot(leat_state *state, leat_bytes *out, leat_error *error)
{
    hashmap *self = (hashmap *)state;
    leat_bytes_put_u8(out, LEAT_STATE_KEY_VERSION);
    leat_bytes_put_u8(out, LEAT_KEY_HASH_VERSION);
    leat_bytes_put_u64(out, self->count);
    for (size_t i = 0; i < self->count; i++) {
        block *entry = self->blocks[i];
        leat_bytes_put_u64(out, entry->hash);
        leat_bytes_put_block(out, key_of(self, entry), entry->key_size);
        self->records.write(self->records.self, entry->record, out);
    }
    return leat_bytes_check(out, error);
}

static leat_code restore(leat_state *state, leat_reader *reader, int32_t max_parallelism, int32_t first_group,
                         int32_t end_group, leat_error *error)
{
    hashmap *self = (hashmap *)state;
    bool is_known = leat_reader_u8(reader) == LEAT_STATE_KEY_VERSION && leat_reader_u8(reader) == LEAT_KEY_HASH_VERSION;
    uint64_t count = leat_reader_u64(reader);
    if (reader->failed || !is_known) return leat_fail(error, LEAT_UNSUPPORTED, "keyed state of another version");
    void *unused = leat_calloc(1, self->record_bytes + 1);
    if (!unused) return leat_fail_no_memory(error);
    leat_code code = LEAT_OK;
    for (uint64_t i = 0; code == LEAT_OK && i < count; i++) {
        uint64_t hash = leat_reader_u64(reader);
        size_t size;
        const uint8_t *key = leat_reader_block(reader, &size);
        if (reader->failed) code = leat_fail(error, LEAT_CORRUPT, "keyed state ends early");
        int32_t group = leat_key_group(hash, max_parallelism);
        bool is_mine = group >= first_group && group < end_group;
        block *entry = NULL;
        if (code == LEAT_OK && is_mine) code = create(self, hash, key, size, &entry, error);
        if (code == LEAT_OK)
            code = self->records.read(self->records.self, reader, entry ? entry->record : unused, error);
        if (!entry) {
            self->records.clear(self->records.self, unused);
            memset(unused, 0, self->record_bytes);
        }
    }
    leat_free(unused);
    return code;
}

static void close_map(leat_state *state)
{
    hashmap *self = (hashmap *)state;
    for (size_t i = 0; i < self->count; i++) {
        self->records.clear(self->records.self, self->blocks[i]->record);
        leat_free(self->blocks[i]);
    }
    leat_free(self->blocks);
    leat_free(self->table);
    leat_free(self);
}

static const leat_state_vtable hashmap_vtable = {.get_many = get_many,
                                                 .put_many = put_many,
                                                 .remove = remove_record,
                                                 .entry = entry_of,
                                                 .iterate = iterate,
                                                 .count = count_entries,
                                                 .bytes = count_bytes,
                                                 .snapshot = snapshot,
                                                 .restore = restore,
                                                 .close = close_map};

leat_code leat_state_hashmap_new(const leat_state_records *records, leat_state **out, leat_error *error)
{
    hashmap *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->state.vtable = &hashmap_vtable;
    self->records = *records;
    self->record_bytes = (records->record_bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    self->table_size = TABLE_MIN;
    self->table = leat_calloc(self->table_size, sizeof *self->table);
    if (!self->table) {
        leat_free(self);
        return leat_fail_no_memory(error);
    }
    *out = &self->state;
    return LEAT_OK;
}
