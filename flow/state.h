/* Keyed state, by batch only: an operator asks for the records of a batch of keys, changes them in place, and says
 * which it changed. A record is a struct of the operator's; how it is written and freed is in its leat_state_records.
 *
 *   keys of a batch ──▶ get_many ──▶ records ──▶ (changed in place) ──▶ put_many
 *   snapshot: cut ──▶ (the stream goes on; a record is written out before it changes) ──▶ advance … ──▶ whole
 *   restore: put back what is within this subtask's key groups
 *
 * Keys are byte strings (leat_state_keys encodes columns, format LEAT_STATE_KEY_VERSION) with the hash that the
 * exchange used (columnar/hash.h), so that a subtask holds exactly its key groups. Records stay where they are until
 * removed. One subtask, one thread. */
#pragma once

#include "columnar/batch.h"
#include "common/bytes.h"

enum { LEAT_STATE_KEY_VERSION = 1, LEAT_STATE_CUTS_MAX = 16 /* snapshots under way at once */ };

/* Encoded keys of a batch's selected rows. Reused from batch to batch. */
typedef struct leat_state_keys {
    leat_bytes data;
    uint32_t *offsets; /* count + 1 */
    uint64_t *hashes;
    size_t offsets_capacity, hashes_capacity;
    int32_t count;
} leat_state_keys;

/* Per column: u8 (1: NULL), else the value: fixed width, or u32 length and bytes. −0.0 is 0.0, and there is one NaN. */
LEAT_CHECKED leat_code leat_state_keys_encode(leat_state_keys *keys, const leat_batch *batch, const int32_t *columns,
                                              const leat_type *types, int32_t columns_count, leat_error *error);
void leat_state_keys_done(leat_state_keys *keys);
/* A key's columns into builder columns first … of the row begun last. LEAT_CORRUPT if it is no such key. */
LEAT_CHECKED leat_code leat_state_key_decode(const uint8_t *key, size_t size, const leat_type *types,
                                             int32_t columns_count, leat_batch_builder *builder, leat_error *error);

/* What a record is. `self` is the operator. */
typedef struct leat_state_records {
    size_t record_bytes; /* zeroed when created */
    void *self;
    void (*clear)(void *self, void *record); /* frees what it points to */
    void (*write)(void *self, const void *record, leat_bytes *out);
    leat_code (*read)(void *self, leat_reader *reader, void *record, leat_error *error);
} leat_state_records;

typedef struct leat_state leat_state;

typedef struct leat_state_entry {
    uint64_t hash;
    const uint8_t *key;
    uint32_t key_size;
    void *record;
} leat_state_entry;

typedef struct leat_state_vtable {
    /* records[i] of key i; NULL where there is none and `creates` is false. They may be changed until the next cut:
     * snapshots under way have them from here on. */
    leat_code (*get_many)(leat_state *self, const leat_state_keys *keys, bool creates, void **records,
                          leat_error *error);
    /* These records were changed since get_many. */
    leat_code (*put_many)(leat_state *self, void *const *records, int32_t count, leat_error *error);
    /* The record and its key are gone. */
    leat_code (*remove)(leat_state *self, void *record, leat_error *error);
    /* The key of a record that get_many gave. */
    leat_state_entry (*entry)(leat_state *self, void *record);
    /* Entries one after another: *cursor starts at 0; false at the end. Nothing may be created or removed meanwhile. */
    bool (*iterate)(leat_state *self, size_t *cursor, leat_state_entry *out);
    int64_t (*count)(const leat_state *self);
    size_t (*bytes)(const leat_state *self); /* held, without what records point to */
    /* The cut, which costs nothing: *out gets a head now, and by and by all entries as they are now, in any order:
     * those that are about to change or go when get_many or remove meets them, the others with `advance`. The caller
     * may take bytes away from *out between calls; it stays where it is until it is whole or the state is closed. */
    leat_code (*cut)(leat_state *self, leat_bytes *out, leat_error *error);
    /* A bounded step of the snapshot that goes to *out; *is_whole: that was the last one. */
    leat_code (*advance)(leat_state *self, leat_bytes *out, bool *is_whole, leat_error *error);
    /* Bytes in the `out`s of all snapshots that are not whole yet. */
    size_t (*waiting_bytes)(const leat_state *self);
    /* Takes the entries whose key group (of max_parallelism) is in first … end - 1. */
    leat_code (*restore)(leat_state *self, leat_reader *reader, int32_t max_parallelism, int32_t first_group,
                         int32_t end_group, leat_error *error);
    void (*close)(leat_state *self);
} leat_state_vtable;

struct leat_state {
    const leat_state_vtable *vtable;
};

/* The default backend: a hash table in memory. */
LEAT_CHECKED leat_code leat_state_hashmap_new(const leat_state_records *records, leat_state **out, leat_error *error);
