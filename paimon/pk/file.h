/* A data file as a writer keeps it: its description with memory of its own, shared by reference count (levels,
 * committables and running compactions hold the same file). Used by one thread. */
#pragma once

#include "paimon/table.h"

typedef struct leat_pk_file {
    leat_paimon_file meta;
    leat_arena arena; /* what meta points to */
    int32_t references;
    bool is_unpublished; /* made by a compaction since the last message: nobody else knows it yet */
} leat_pk_file;

typedef struct leat_pk_files {
    leat_pk_file **items;
    size_t count, capacity;
} leat_pk_files;

/* The file that a description is part of. */
static inline const leat_pk_file *leat_pk_file_of(const leat_paimon_file *meta)
{
    return (const leat_pk_file *)(const void *)meta; /* meta is its first member */
}
/* Empty, one reference. */
LEAT_CHECKED leat_code leat_pk_file_new(leat_pk_file **out, leat_error *error);
/* A deep copy. */
LEAT_CHECKED leat_code leat_pk_file_copy(const leat_paimon_file *from, leat_pk_file **out, leat_error *error);
leat_pk_file *leat_pk_file_ref(leat_pk_file *file);
void leat_pk_file_unref(leat_pk_file *file);

/* Adds a reference of its own. */
LEAT_CHECKED leat_code leat_pk_files_add(leat_pk_files *files, leat_pk_file *file, leat_error *error);
/* False when it is not there. Order is kept. */
bool leat_pk_files_remove(leat_pk_files *files, const leat_pk_file *file);
void leat_pk_files_clear(leat_pk_files *files);
void leat_pk_files_done(leat_pk_files *files);
