/* Checkpoints as they lie on storage: "<dir>/chk-<n>/_metadata", and the state in objects that it names. Linear code:
 * blocks. */
#pragma once

#include "proto/checkpoint.pb-c.h"
#include "storage/storage.h"

typedef struct leat_checkpoint_ids {
    int64_t *list; /* ascending */
    size_t count, capacity;
} leat_checkpoint_ids;

/* All there are in the folder, also such that were never completed. */
LEAT_CHECKED leat_code leat_checkpoint_list(leat_storage *storage, const char *dir, leat_checkpoint_ids *out,
                                            leat_error *error);
void leat_checkpoint_ids_done(leat_checkpoint_ids *ids);

typedef enum leat_checkpoint_depth {
    LEAT_CHECKPOINT_SIZES, /* each object is there, and as long as it was */
    LEAT_CHECKPOINT_BYTES, /* and its bytes have their checksum: reads all of it */
} leat_checkpoint_depth;

/* LEAT_CORRUPT and LEAT_NOT_FOUND name the object that is not as it was written. */
LEAT_CHECKED leat_code leat_checkpoint_verify(leat_storage *storage, const char *dir,
                                              const Leat__Pb__CheckpointMetadata *metadata, leat_checkpoint_depth depth,
                                              leat_error *error);

/* What a completed one says; its objects are not looked at. LEAT_NOT_FOUND when it is not there, or was never
 * completed.
 */
LEAT_CHECKED leat_code leat_checkpoint_load(leat_storage *storage, const char *dir, int64_t checkpoint_id,
                                            Leat__Pb__CheckpointMetadata **out, leat_error *error);

/* The newest one below `before` that was completed and is whole; *out is NULL when there is none. What is wrong with
 * the newest damaged one on the way is in `damage`, all are logged. */
LEAT_CHECKED leat_code leat_checkpoint_find(leat_storage *storage, const char *dir, const leat_checkpoint_ids *ids,
                                            int64_t before, leat_checkpoint_depth depth,
                                            Leat__Pb__CheckpointMetadata **out, leat_error *damage, leat_error *error);

/* "…/chk-<n>", also with a slash or "/_metadata" behind it, → its folder above (to be freed) and n. A folder without
 * a number is searched for its newest one. LEAT_INVALID, LEAT_NOT_FOUND with a hint. Blocks. */
LEAT_CHECKED leat_code leat_checkpoint_locate(leat_storage *storage, const char *path, char **dir,
                                              int64_t *checkpoint_id, leat_error *error);
