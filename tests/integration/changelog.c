#include "tests/integration/changelog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum { DIFFERENCES_SHOWN = 6, HISTORY_SHOWN = 40 };

static void must(bool is_good)
{
    if (!is_good) abort();
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

void changelog_init(changelog *self, int columns_count)
{
    *self = (changelog){.columns_count = columns_count};
    for (int i = 0; i < CHANGELOG_BUCKETS; i++)
        self->buckets[i] = -1;
    for (int table = 0; table < CHANGELOG_TABLES_MAX; table++)
        self->is_key[table][0] = true;
}

void changelog_set_key(changelog *self, int table, int column, bool is_key)
{
    self->is_key[table][column] = is_key;
}

void changelog_done(changelog *self)
{
    for (size_t i = 0; i < self->changes_count; i++)
        leat_free(self->changes[i].key);
    leat_free(self->changes);
    leat_bytes_done(&self->key);
    leat_bytes_done(&self->row);
}

/* --- rows --- */

static void put_readable(leat_bytes *out, const char *data, size_t size)
{
    if (!data) leat_bytes_text(out, "null");
    leat_bytes_text(out, data ? "'" : "");
    for (size_t i = 0; data && i < size; i++) {
        uint8_t byte = (uint8_t)data[i];
        if (byte < 0x20 || byte == '\'' || byte == '\\')
            leat_bytes_format(out, "\\%02x", byte);
        else
            leat_bytes_put_u8(out, byte);
    }
    leat_bytes_text(out, data ? "' " : " ");
}

void changelog_put(changelog *self, const char *data, size_t size)
{
    if (self->column == 0) self->table = (int)strtol(data, NULL, 10);
    must(self->table >= 0 && self->table < CHANGELOG_TABLES_MAX && self->column < self->columns_count);
    put_readable(&self->row, data, size);
    if (self->is_key[self->table][self->column]) put_readable(&self->key, data, size);
    self->column++;
}

static int64_t *find(changelog *self, const char *key)
{
    int64_t *at = &self->buckets[hash_of(key) % CHANGELOG_BUCKETS];
    while (*at >= 0 && strcmp(self->changes[*at].key, key) != 0)
        at = &self->changes[*at].next;
    return at;
}

static void apply(changelog *self, size_t index)
{
    changelog_change *change = &self->changes[index];
    int64_t *at = find(self, change->key);
    changelog_change *known = *at >= 0 ? &self->changes[*at] : NULL;
    bool is_add = leat_row_kind_is_add((int8_t)change->kind);
    bool is_wrong = is_add ? known != NULL : !known || strcmp(known->row, change->row) != 0;
    if (is_wrong && self->wrong++ == 0) {
        snprintf(self->why, sizeof self->why, "%s [%s], there is [%s]", leat_row_kind_text(change->kind), change->row,
                 known ? known->row : "");
    }
    if (known) {
        self->fingerprint -= hash_of(known->row);
        self->rows_count--;
        *at = known->next;
    }
    if (!is_add) return;
    at = find(self, change->key);
    change->next = -1;
    *at = (int64_t)index;
    self->fingerprint += hash_of(change->row);
    self->rows_count++;
}

void changelog_end_row(changelog *self, int owner, leat_row_kind kind)
{
    must(self->column == self->columns_count);
    must(leat_grow(&self->changes, &self->changes_capacity, self->changes_count + 1, sizeof *self->changes, NULL) ==
         LEAT_OK);
    must(!self->key.failed && !self->row.failed);
    char *copy = leat_alloc(self->key.size + self->row.size + 2);
    must(copy != NULL);
    changelog_change *change = &self->changes[self->changes_count];
    *change =
        (changelog_change){.kind = kind, .owner = owner, .key = copy, .row = copy + self->key.size + 1, .next = -1};
    memcpy(change->key, self->key.data, self->key.size);
    change->key[self->key.size] = '\0';
    memcpy(change->row, self->row.data, self->row.size);
    change->row[self->row.size] = '\0';
    leat_bytes_reset(&self->key);
    leat_bytes_reset(&self->row);
    self->column = 0;
    apply(self, self->changes_count++);
}

/* --- restores --- */

size_t changelog_mark(const changelog *self)
{
    return self->changes_count;
}

void changelog_return(changelog *self, const size_t *marks)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->changes_count; i++) {
        if (i < marks[self->changes[i].owner])
            self->changes[kept++] = self->changes[i];
        else
            leat_free(self->changes[i].key);
    }
    self->changes_count = kept;
    self->rows_count = 0;
    self->fingerprint = 0;
    for (int i = 0; i < CHANGELOG_BUCKETS; i++)
        self->buckets[i] = -1;
    for (size_t i = 0; i < kept; i++)
        apply(self, i);
}

/* --- comparing --- */

bool changelog_equal(const changelog *left, const changelog *right)
{
    return left->rows_count == right->rows_count && left->fingerprint == right->fingerprint;
}

static void print_history(const changelog *self, const char *key)
{
    int shown = 0;
    for (size_t i = 0; i < self->changes_count && shown < HISTORY_SHOWN; i++) {
        if (strcmp(self->changes[i].key, key) != 0) continue;
        printf("      change %zu: %s [%s]\n", i, leat_row_kind_text(self->changes[i].kind), self->changes[i].row);
        shown++;
    }
}

static void print_missing(const changelog *from, changelog *in, const changelog *made, const char *what)
{
    int shown = 0;
    for (int b = 0; b < CHANGELOG_BUCKETS && shown < DIFFERENCES_SHOWN; b++) {
        for (int64_t at = from->buckets[b]; at >= 0; at = from->changes[at].next) {
            int64_t other = *find(in, from->changes[at].key);
            if (other >= 0 && strcmp(in->changes[other].row, from->changes[at].row) == 0) continue;
            printf("    %s: [%s]\n", what, from->changes[at].row);
            print_history(made, from->changes[at].key);
            shown++;
        }
    }
}

void changelog_print_difference(changelog *made, changelog *wanted)
{
    print_missing(made, wanted, made, "only the changelog has");
    print_missing(wanted, made, made, "only the table has");
}
