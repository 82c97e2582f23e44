/* What a changelog makes of a table: rows by key, each change checked against those before it. For tests; memory that
 * runs out ends the program. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "columnar/batch.h"
#include "common/bytes.h"

enum { CHANGELOG_COLUMNS_MAX = 8, CHANGELOG_TABLES_MAX = 4, CHANGELOG_BUCKETS = 1 << 14 };

typedef struct changelog_change {
    leat_row_kind kind;
    int owner;       /* who made it */
    char *key, *row; /* readable; one allocation */
    int64_t next;    /* of the bucket's rows that are there; -1: none */
} changelog_change;

typedef struct changelog {
    int columns_count;
    bool is_key[CHANGELOG_TABLES_MAX][CHANGELOG_COLUMNS_MAX];
    changelog_change *changes;
    size_t changes_count, changes_capacity;
    int64_t buckets[CHANGELOG_BUCKETS];
    size_t rows_count, wrong;
    uint64_t fingerprint; /* of the rows that are there */
    char why[512];        /* the first that was wrong */
    /* The row being put together. */
    int column, table;
    leat_bytes key, row;
} changelog;

/* Columns of a row; the first is the table's number, and part of each key. */
void changelog_init(changelog *self, int columns_count);
void changelog_set_key(changelog *self, int table, int column, bool is_key);
void changelog_done(changelog *self);

/* Values in order, then the row's end. NULL: a NULL. */
void changelog_put(changelog *self, const char *data, size_t size);
void changelog_end_row(changelog *self, int owner, leat_row_kind kind);

/* A point to return to, one an owner: what it made after it did not happen. */
size_t changelog_mark(const changelog *self);
void changelog_return(changelog *self, const size_t *marks);

bool changelog_equal(const changelog *left, const changelog *right);
/* The first rows that only one of them has, with all that happened to their keys in `made`. */
void changelog_print_difference(changelog *made, changelog *wanted);
