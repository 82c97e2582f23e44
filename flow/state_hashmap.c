/* Entries lie in a dense array of blocks (entry, key, record each in one allocation); the table holds their numbers,
 * found by the low bits of the hash with linear probing. A removed entry's number is taken over by the last one.
 *
 * Snapshots are copy-on-write by entry, and the copy is the written form. Cuts are numbered from 1; of each entry it is
 * known which cut it is written up to: a new one owes nothing to the cuts before it, so it starts at the newest. An
 * entry that is about to change is first written to every running snapshot whose cut is newer than that; the rest of a
 * snapshot is written by a walk from the array's end down. What moves on removal moves down, from the part that the
 * walk is through with or from its edge, so that the walk misses nothing. */
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

/* A snapshot under way. */
typedef struct running_cut {
    leat_bytes *out; /* the caller's */
    uint32_t number;
    size_t left; /* entries below it were not walked yet */
} running_cut;

typedef struct hashmap {
    leat_state state; /* first */
    leat_state_records records;
    size_t record_bytes; /* rounded up */
    block **blocks;
    uint32_t *written; /* beside blocks: the newest cut that has the entry or is older than it */
    size_t count, capacity, written_capacity;
    running_cut cuts[LEAT_STATE_CUTS_MAX]; /* oldest first */
    int32_t cuts_count;
    uint32_t newest_cut;
    uint32_t *table;   /* number + 1; 0: free */
    size_t table_size; /* a power of two */
    size_t held_bytes;
} hashmap;

enum {
    TABLE_MIN = 1024,
    ENTRIES_MAX = UINT32_MAX - 1,
    CUT_NUMBER_MAX = INT32_MAX, /* 68 years at one a second */
    /* A step of a snapshot takes about as long as a batch. */
    STEP_ENTRIES = 4096,
    STEP_LOOKS = 16 * STEP_ENTRIES, /* entries that were written before are skipped */
    STEP_BYTES = 1 << 20,
    PREFETCH_AHEAD = 8,
};

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

/* Writes an entry to the snapshots that are to have it and don't yet, up to a cut. */
static void preserve(hashmap *self, block *entry, uint32_t cut_number)
{
    uint32_t *written = &self->written[entry->number];
    if (*written >= cut_number) return;
    for (int32_t i = 0; i < self->cuts_count; i++) {
        running_cut *cut = &self->cuts[i];
        if (cut->number <= *written || cut->number > cut_number) continue;
        leat_bytes_put_u64(cut->out, entry->hash);
        leat_bytes_put_block(cut->out, key_of(self, entry), entry->key_size);
        self->records.write(self->records.self, entry->record, cut->out);
    }
    *written = cut_number;
}

static leat_code check_cuts(const hashmap *self, leat_error *error)
{
    for (int32_t i = 0; i < self->cuts_count; i++)
        LEAT_TRY(leat_bytes_check(self->cuts[i].out, error));
    return LEAT_OK;
}

static leat_code create(hashmap *self, uint64_t hash, const uint8_t *key, size_t key_size, block **out,
                        leat_error *error)
{
    if (self->count >= ENTRIES_MAX) return leat_fail(error, LEAT_LIMIT, "more than %u keys in a subtask", ENTRIES_MAX);
    LEAT_TRY(grow_table(self, error));
    LEAT_TRY(leat_grow(&self->blocks, &self->capacity, self->count + 1, sizeof *self->blocks, error));
    LEAT_TRY(leat_grow(&self->written, &self->written_capacity, self->count + 1, sizeof *self->written, error));
    size_t place = find(self, hash, key, key_size);
    if (self->table[place]) return leat_fail(error, LEAT_CORRUPT, "a key of keyed state is there twice");
    size_t bytes = sizeof(block) + self->record_bytes + key_size;
    block *entry = leat_alloc(bytes);
    if (!entry) return leat_fail_no_memory(error);
    *entry = (block){.hash = hash, .number = (uint32_t)self->count, .key_size = (uint32_t)key_size};
    memset(entry->record, 0, self->record_bytes);
    if (key_size) memcpy(key_of(self, entry), key, key_size);
    self->table[place] = (uint32_t)self->count + 1;
    self->written[self->count] = self->newest_cut;
    self->blocks[self->count++] = entry;
    self->held_bytes += bytes;
    *out = entry;
    return LEAT_OK;
}

/* A pass of its own: looking keys up waits for memory, several keys at once as long as there is little in between. */
static leat_code preserve_many(hashmap *self, void *const *records, int32_t count, leat_error *error)
{
    if (self->cuts_count == 0) return LEAT_OK;
    for (int32_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count && records[i + PREFETCH_AHEAD])
            __builtin_prefetch(&self->written[block_of(records[i + PREFETCH_AHEAD])->number]);
        if (records[i]) preserve(self, block_of(records[i]), self->newest_cut);
    }
    return check_cuts(self, error);
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
    return preserve_many(self, records, keys->count, error);
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
    hashmap *self = (hashmap *)state;
    block *entry = block_of(record);
    uint32_t number = entry->number, last = (uint32_t)self->count - 1;
    if (self->cuts_count) preserve(self, entry, self->newest_cut);
    clear_place(self, place_of(self, number));
    if (number != last) {
        self->table[place_of(self, last)] = number + 1;
        self->blocks[number] = self->blocks[last];
        self->blocks[number]->number = number;
        self->written[number] = self->written[last];
    }
    self->count--;
    for (int32_t i = 0; i < self->cuts_count; i++) {
        if (self->cuts[i].left > self->count) self->cuts[i].left = self->count;
    }
    self->held_bytes -= sizeof(block) + self->record_bytes + entry->key_size;
    self->records.clear(self->records.self, entry->record);
    leat_free(entry);
    return check_cuts(self, error);
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
    return self->held_bytes + self->table_size * sizeof *self->table + self->capacity * sizeof *self->blocks +
           self->written_capacity * sizeof *self->written;
}

static leat_code cut(leat_state *state, leat_bytes *out, leat_error *error)
{
    hashmap *self = (hashmap *)state;
    if (self->cuts_count == LEAT_STATE_CUTS_MAX)
        return leat_fail(error, LEAT_LIMIT, "more than %d snapshots are under way", LEAT_STATE_CUTS_MAX);
    if (self->newest_cut == CUT_NUMBER_MAX) return leat_fail(error, LEAT_LIMIT, "more than %d cuts", CUT_NUMBER_MAX);
    leat_bytes_put_u8(out, LEAT_STATE_KEY_VERSION);
    leat_bytes_put_u8(out, LEAT_KEY_HASH_VERSION);
    leat_bytes_put_u64(out, self->count);
    self->cuts[self->cuts_count++] = (running_cut){.out = out, .number = ++self->newest_cut, .left = self->count};
    return leat_bytes_check(out, error);
}

/* Entries lie all over the memory: those that come soon are fetched while the one at hand is written. */
static void prefetch(const hashmap *self, size_t number)
{
    if (number >= PREFETCH_AHEAD) __builtin_prefetch(self->blocks[number - PREFETCH_AHEAD]);
}

static void walk(hashmap *self, running_cut *cut)
{
    size_t before = cut->out->size;
    int32_t entries = 0;
    for (int32_t looks = 0; looks < STEP_LOOKS && entries < STEP_ENTRIES && cut->left > 0; looks++) {
        size_t number = --cut->left;
        prefetch(self, number);
        if (self->written[number] >= cut->number) continue;
        preserve(self, self->blocks[number], cut->number);
        entries++;
        if (cut->out->size - before >= STEP_BYTES) break;
    }
}

static leat_code advance(leat_state *state, leat_bytes *out, bool *is_whole, leat_error *error)
{
    hashmap *self = (hashmap *)state;
    int32_t at = 0;
    while (at < self->cuts_count && self->cuts[at].out != out)
        at++;
    LEAT_ASSERT(at < self->cuts_count);
    walk(self, &self->cuts[at]);
    LEAT_TRY(check_cuts(self, error));
    *is_whole = self->cuts[at].left == 0;
    if (!*is_whole) return LEAT_OK;
    self->cuts_count--;
    memmove(&self->cuts[at], &self->cuts[at + 1], (size_t)(self->cuts_count - at) * sizeof self->cuts[0]);
    return LEAT_OK;
}

static size_t waiting_bytes(const leat_state *state)
{
    const hashmap *self = (const hashmap *)state;
    size_t bytes = 0;
    for (int32_t i = 0; i < self->cuts_count; i++)
        bytes += self->cuts[i].out->size;
    return bytes;
}

static leat_code restore(leat_state *state, leat_reader *reader, int32_t max_parallelism, int32_t first_group,
                         int32_t end_group, leat_error *error)
{
    hashmap *self = (hashmap *)state;
    uint8_t key_version = leat_reader_u8(reader), hash_version = leat_reader_u8(reader);
    bool is_known = key_version == LEAT_STATE_KEY_VERSION && hash_version == LEAT_KEY_HASH_VERSION;
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
    leat_free(self->written);
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
                                                 .cut = cut,
                                                 .advance = advance,
                                                 .waiting_bytes = waiting_bytes,
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
