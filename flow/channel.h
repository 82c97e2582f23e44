/* One logical channel between two subtasks: credits in bytes and sequence numbers (DESIGN 4). Pure machines, one for
 * each end; the shells carry their messages and lock around them.
 *
 *   sender ── element(seq) ──▶ receiver      an element costs its bytes of credit (barriers and the like cost nothing)
 *          ◀── credit(bytes) ──              granted back once the receiver's subtask has consumed them
 *
 * The sender may overdraw by one element: it sends while credit is > 0, so an element larger than the limit passes too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

typedef enum leat_element_kind {
    LEAT_ELEMENT_BATCH = 1,
    LEAT_ELEMENT_WATERMARK = 2,
    LEAT_ELEMENT_BARRIER = 3,
    LEAT_ELEMENT_END_OF_DATA = 4, /* no more rows; barriers still come, until the final checkpoint is complete */
    LEAT_ELEMENT_END = 5,         /* nothing comes any more */
} leat_element_kind;

typedef struct leat_channel_out {
    int64_t limit_bytes;
    int64_t credit_bytes;
    uint64_t next_sequence;
} leat_channel_out;

void leat_channel_out_init(leat_channel_out *channel, int64_t limit_bytes);
static inline bool leat_channel_out_has_room(const leat_channel_out *channel)
{
    return channel->credit_bytes > 0;
}
/* Takes the bytes and gives the element's sequence number. The caller looked at has_room, or sends a barrier. */
uint64_t leat_channel_out_send(leat_channel_out *channel, int64_t bytes);
/* LEAT_CORRUPT if the peer grants more than was ever spent. */
LEAT_CHECKED leat_code leat_channel_out_grant(leat_channel_out *channel, int64_t bytes, leat_error *error);

typedef struct leat_channel_in {
    int64_t limit_bytes;
    int64_t consumed_bytes; /* not yet granted back */
    uint64_t expected_sequence;
    bool has_ended;
} leat_channel_in;

void leat_channel_in_init(leat_channel_in *channel, int64_t limit_bytes);
/* LEAT_CORRUPT on a gap, a repetition, or anything after the end: the attempt must fail. */
LEAT_CHECKED leat_code leat_channel_in_receive(leat_channel_in *channel, uint64_t sequence, leat_element_kind kind,
                                               leat_error *error);
/* The subtask consumed `bytes`. Returns what to grant back now: small amounts are collected to a quarter of the limit.
 */
int64_t leat_channel_in_consume(leat_channel_in *channel, int64_t bytes);
