/* Committables of a Paimon writer that were prepared and are not known to be committed. Each later checkpoint carries
 * them (and the writer's state keeps them over a restart), so that what an aborted checkpoint prepared is committed
 * with the next one. */
#pragma once

#include "flow/operator.h"

typedef struct leat_paimon_carried_item {
    int64_t checkpoint_id;  /* that prepared it */
    leat_bytes committable; /* leat_paimon_message_write */
} leat_paimon_carried_item;

typedef struct leat_paimon_carried {
    leat_paimon_carried_item *items; /* in the order of preparing */
    size_t count, capacity;
} leat_paimon_carried;

void leat_paimon_carried_done(leat_paimon_carried *self);
/* Takes the committable (it is empty after it). */
LEAT_CHECKED leat_code leat_paimon_carried_add(leat_paimon_carried *self, int64_t checkpoint_id,
                                               leat_bytes *committable, leat_error *error);
/* Adds those up to the snapshot's checkpoint to its committables, and writes its state: them, and nothing else. */
LEAT_CHECKED leat_code leat_paimon_carried_snapshot(const leat_paimon_carried *self, leat_operator_snapshot *snapshot,
                                                    leat_error *error);
/* Adds what leat_paimon_carried_snapshot wrote; after a rescale parts are dealt out by the subtask that wrote them. */
LEAT_CHECKED leat_code leat_paimon_carried_restore(leat_paimon_carried *self, const leat_operator_context *context,
                                                   const leat_restored *restored, leat_error *error);
/* After a checkpoint was committed: those up to it are forgotten. */
void leat_paimon_carried_confirm(leat_paimon_carried *self, int64_t checkpoint_id);
