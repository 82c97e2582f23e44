/* For tests of commits. */
#pragma once

#include <stdio.h>

#include "common/memory.h"
#include "paimon/binary_row.h"
#include "paimon/catalog.h"
#include "paimon/commit.h"
#include "paimon/hash.h"
#include "paimon/manifest.h"
#include "paimon/scan.h"
#include "tests/unit/paimon/env.h"

/* A table of one INT key in a memory storage; data files are named, not written. */
typedef struct world {
    leat_storage *storage;
    test_env env;
    leat_arena arena;
    leat_paimon_table table;
} world;

static const char table_path[] = "mem:/w/default.db/t";

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        leat_error error_ = {0};                                                                                       \
        leat_error *error = &error_;                                                                                   \
        leat_code code_ = (call);                                                                                      \
        if (code_ != LEAT_OK) fail_msg("%s", error_.text);                                                             \
    } while (0)

static inline void make_world(world *self, bool has_key, const char *option, const char *value)
{
    *self = (world){0};
    assert_int_equal(leat_storage_memory_new(&self->storage, NULL), LEAT_OK);
    test_env_init(&self->env, self->storage);
    leat_arena_init(&self->arena, 256 << 20);
    leat_paimon_new_column columns[] = {
        {.name = "k", .type = leat_type_make(LEAT_TYPE_INT, true)},
        {.name = "v", .type = leat_type_string(true), .comment = "a \"value\""},
        {.name = "twice", .type = leat_type_make(LEAT_TYPE_INT, true), .expression = "`k` * 2"}};
    leat_config options = {0};
    if (option) OK(leat_config_set(&options, option, value, error));
    const char *keys[] = {"k"};
    leat_paimon_new_table table = {.database = "default",
                                   .name = "t",
                                   .columns = columns,
                                   .columns_count = 3,
                                   .primary_keys = keys,
                                   .primary_keys_count = has_key ? 1 : 0,
                                   .options = &options};
    OK(leat_paimon_create_database(&self->env.env, "mem:/w/", "default", error));
    OK(leat_paimon_create_table(&self->env.env, "mem:/w/", &table, error));
    OK(leat_paimon_get_table(&self->env.env, "mem:/w", "default", "t", &self->arena, &self->table, error));
    assert_string_equal(self->table.path, table_path);
    leat_config_done(&options);
}

static inline void end_world(world *self)
{
    leat_paimon_table_done(&self->table);
    leat_arena_done(&self->arena);
    leat_storage_free(self->storage);
}

static inline const uint8_t *key_row(world *self, int32_t key, size_t *size)
{
    leat_bytes row = {0};
    leat_binary_row_writer writer;
    leat_type type = leat_type_make(LEAT_TYPE_INT, false);
    leat_paimon_value value = {.integer = key};
    leat_binary_row_begin(&writer, &row, 1, true);
    leat_binary_row_set(&writer, 0, &type, &value);
    const uint8_t *copy = (const uint8_t *)leat_arena_strndup(&self->arena, (const char *)row.data, row.size);
    *size = row.size;
    leat_bytes_done(&row);
    return copy;
}

static inline leat_paimon_file make_file(world *self, const char *name, int32_t level, int32_t min, int32_t max,
                                         int64_t rows)
{
    leat_paimon_file file = {.name = name,
                             .size_bytes = 1000,
                             .rows = rows,
                             .level = level,
                             .has_delete_rows = true,
                             .has_file_source = true,
                             .max_sequence = rows - 1};
    if (self->table.schema.primary_keys_count) {
        file.min_key = key_row(self, min, &file.min_key_size);
        file.max_key = key_row(self, max, &file.max_key_size);
    }
    char path[256];
    snprintf(path, sizeof path, "%s/bucket-0/%s", table_path, name);
    OK(leat_storage_put(self->storage, path, "x", 1, LEAT_PUT_REPLACE, error));
    return file;
}

static inline leat_paimon_message make_message(world *self)
{
    (void)self;
    return (leat_paimon_message){.partition = leat_binary_row_empty,
                                 .partition_size = LEAT_BINARY_ROW_EMPTY_SIZE,
                                 .total_buckets = -1,
                                 .base_snapshot = -1};
}

static inline void add(world *self, leat_paimon_files *files, leat_paimon_file file)
{
    OK(leat_paimon_files_add(files, &file, &self->arena, error));
}

static inline leat_code commit(world *self, const char *user, int64_t identifier, const leat_paimon_message *message,
                               bool is_recovery, leat_paimon_commit_result *result, leat_error *error)
{
    leat_paimon_commit_options options = {.is_recovery = is_recovery};
    return leat_paimon_commit(&self->env.env, &self->table, user, identifier, message, message ? 1 : 0, &options,
                              result, error);
}

static inline leat_paimon_snapshot latest(world *self)
{
    int64_t id;
    leat_paimon_snapshot snapshot;
    OK(leat_paimon_snapshot_latest_id(&self->env.env, table_path, &id, error));
    OK(leat_paimon_snapshot_load(&self->env.env, table_path, id, &self->arena, &snapshot, error));
    return snapshot;
}

/* Names of the live files in manifest order, joined by blanks. */
static inline void assert_live(world *self, const char *wanted)
{
    leat_paimon_snapshot snapshot = latest(self);
    leat_paimon_entries entries = {0};
    OK(leat_paimon_scan_entries(&self->env.env, &self->table, &snapshot, NULL, &self->arena, &entries, error));
    leat_bytes names = {0};
    int64_t rows = 0;
    for (size_t i = 0; i < entries.count; i++) {
        leat_bytes_format(&names, i ? " %s" : "%s", entries.items[i].file.name);
        rows += entries.items[i].file.rows;
    }
    assert_string_equal(names.data ? (const char *)names.data : "", wanted);
    assert_int_equal(rows, snapshot.total_records);
    leat_bytes_done(&names);
}

static inline leat_paimon_index_file index_of(world *self, const char *name, int32_t bucket, const int32_t *hashes,
                                              size_t count)
{
    leat_paimon_index_file file = {
        .partition = leat_binary_row_empty, .partition_size = LEAT_BINARY_ROW_EMPTY_SIZE, .bucket = bucket};
    OK(leat_paimon_hash_index_store(&self->env.env, table_path, name, hashes, count, &file, error));
    return file;
}
