/* Barrier alignment of a subtask over its input channels: a pure machine.
 *
 *   IDLE ── first barrier n ──▶ ALIGNING n ── barrier n on every open channel ──▶ CUT n ──▶ IDLE
 *             a barrier m > n while ALIGNING n gives n up (its sources did not all get the trigger) and aligns m.
 *
 * A channel that brought the barrier is blocked until the cut; ended channels count as aligned. Older barriers are
 * ignored and counted. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

typedef enum leat_align_effect_kind {
    LEAT_ALIGN_NONE,
    LEAT_ALIGN_CUT, /* of checkpoint_id; all channels are open again */
} leat_align_effect_kind;

typedef struct leat_align_effect {
    leat_align_effect_kind kind;
    int64_t checkpoint_id;
    int64_t given_up_id; /* 0, or a checkpoint that this subtask declines */
    int64_t aligned_since_us;
} leat_align_effect;

typedef struct leat_aligner {
    int32_t channels_count, blocked_count, ended_count;
    bool *is_blocked, *has_ended; /* a channel; owned */
    int64_t current_id;           /* being aligned; 0: none */
    int64_t last_id;              /* newest that was cut or given up */
    int64_t started_us;
    int64_t stale_barriers;
} leat_aligner;

LEAT_CHECKED leat_code leat_aligner_init(leat_aligner *aligner, int32_t channels_count, leat_error *error);
void leat_aligner_done(leat_aligner *aligner);
static inline bool leat_aligner_is_blocked(const leat_aligner *aligner, int32_t channel)
{
    return aligner->is_blocked[channel];
}
leat_align_effect leat_aligner_on_barrier(leat_aligner *aligner, int32_t channel, int64_t checkpoint_id,
                                          int64_t now_us);
/* The channel has ended; may complete an alignment. */
leat_align_effect leat_aligner_on_end(leat_aligner *aligner, int32_t channel, int64_t now_us);
