#include "flow/aligner.h"

#include <string.h>

#include "common/memory.h"

leat_code leat_aligner_init(leat_aligner *aligner, int32_t channels_count, leat_error *error)
{
    *aligner = (leat_aligner){.channels_count = channels_count};
    aligner->is_blocked = leat_calloc((size_t)channels_count, sizeof *aligner->is_blocked);
    aligner->has_ended = leat_calloc((size_t)channels_count, sizeof *aligner->has_ended);
    return aligner->is_blocked && aligner->has_ended ? LEAT_OK : leat_fail_no_memory(error);
}

void leat_aligner_done(leat_aligner *aligner)
{
    leat_free(aligner->is_blocked);
    leat_free(aligner->has_ended);
    *aligner = (leat_aligner){0};
}

static void unblock_all(leat_aligner *aligner)
{
    memset(aligner->is_blocked, 0, (size_t)aligner->channels_count * sizeof *aligner->is_blocked);
    aligner->blocked_count = 0;
}

static void cut_if_aligned(leat_aligner *aligner, leat_align_effect *effect)
{
    if (!aligner->current_id || aligner->blocked_count + aligner->ended_count < aligner->channels_count) return;
    effect->kind = LEAT_ALIGN_CUT;
    effect->checkpoint_id = aligner->current_id;
    effect->aligned_since_us = aligner->started_us;
    aligner->last_id = aligner->current_id;
    aligner->current_id = 0;
    unblock_all(aligner);
}

leat_align_effect leat_aligner_on_barrier(leat_aligner *aligner, int32_t channel, int64_t checkpoint_id, int64_t now_us)
{
    leat_align_effect effect = {.kind = LEAT_ALIGN_NONE};
    if (checkpoint_id <= aligner->last_id || checkpoint_id < aligner->current_id || aligner->is_blocked[channel]) {
        aligner->stale_barriers++;
        return effect;
    }
    if (checkpoint_id > aligner->current_id) {
        if (aligner->current_id) {
            effect.given_up_id = aligner->last_id = aligner->current_id;
            unblock_all(aligner);
        }
        aligner->current_id = checkpoint_id;
        aligner->started_us = now_us;
    }
    aligner->is_blocked[channel] = true;
    aligner->blocked_count++;
    cut_if_aligned(aligner, &effect);
    return effect;
}

leat_align_effect leat_aligner_on_end(leat_aligner *aligner, int32_t channel, int64_t now_us)
{
    (void)now_us;
    leat_align_effect effect = {.kind = LEAT_ALIGN_NONE};
    if (!aligner->has_ended[channel]) {
        aligner->has_ended[channel] = true;
        aligner->ended_count++;
    }
    cut_if_aligned(aligner, &effect);
    return effect;
}
