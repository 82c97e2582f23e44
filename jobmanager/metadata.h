/* Checkpoint metadata: filling, packing, storing, reading. The protobuf objects are allocated by leat_alloc's malloc,
 * so that protobuf-c's own free works on them. */
#pragma once

#include "common/bytes.h"
#include "common/env.h"
#include "proto/checkpoint.pb-c.h"
#include "proto/control.pb-c.h"
#include "proto/graph.pb-c.h"
#include "storage/storage.h"

/* Empty, with one entry a vertex. NULL: no memory. */
Leat__Pb__CheckpointMetadata *leat_metadata_new(const Leat__Pb__JobGraph *graph, const uint8_t *job_id,
                                                int64_t checkpoint_id, int64_t now_ms, const char *commit_user);
void leat_metadata_free(Leat__Pb__CheckpointMetadata *metadata); /* NULL is fine */
/* Copies the acknowledgement in (a repeated one replaces the first). False: no memory, or a vertex that is not there.
 */
bool leat_metadata_add(Leat__Pb__CheckpointMetadata *metadata, const Leat__Pb__CheckpointAck *ack,
                       uint64_t *state_bytes);
bool leat_metadata_add_subtask(Leat__Pb__CheckpointMetadata *metadata, uint32_t vertex,
                               const Leat__Pb__SubtaskSnapshot *snapshot);
/* A copy of what a subtask said, without its committables (they were for that checkpoint). NULL: no memory. */
Leat__Pb__SubtaskSnapshot *leat_metadata_copy_subtask(const Leat__Pb__CheckpointMetadata *metadata, uint32_t vertex,
                                                      uint32_t subtask);
bool leat_metadata_set_enumerator(Leat__Pb__CheckpointMetadata *metadata, int32_t vertex, const leat_bytes *state);

/* Brings the vertices into the order of a graph's, by the ids of their head operators; those that the checkpoint has
 * not are empty. LEAT_INVALID when the checkpoint has state that would find no operator, or that can't be divided so.
 */
LEAT_CHECKED leat_code leat_metadata_match(Leat__Pb__CheckpointMetadata *metadata, const Leat__Pb__JobGraph *graph,
                                           leat_error *error);

LEAT_CHECKED leat_code leat_metadata_pack(const Leat__Pb__CheckpointMetadata *metadata, leat_bytes *out,
                                          leat_error *error);
/* Puts what leat_metadata_pack made. LEAT_EXISTS when another attempt's is there. Blocks. */
LEAT_CHECKED leat_code leat_metadata_store(leat_storage *storage, const char *path, const leat_bytes *packed,
                                           leat_error *error);
/* Reads and checks one. LEAT_CORRUPT (damaged) and LEAT_UNSUPPORTED (of another version) name the file. Blocks. */
LEAT_CHECKED leat_code leat_metadata_load(leat_storage *storage, const char *path, Leat__Pb__CheckpointMetadata **out,
                                          leat_error *error);
/* Removes "<dir>/chk-<n>" in the background; failures are logged. */
void leat_metadata_remove_later(leat_env *env, const char *dir, int64_t checkpoint_id);
