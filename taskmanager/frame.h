/* The header frame of the data plane: a fixed struct in front of the body frame (DESIGN 4).
 *
 *   offset  0 magic u32 "LEAD"   4 kind u8, 3 × 0     8 attempt u32   12 edge u32
 *          16 job id, 16 bytes  32 source subtask u32 36 target u32   40 sequence u64
 *          48 value i64 (watermark, checkpoint id, or bytes of a credit)   56 bytes u64 that the element costs
 */
#pragma once

#include <stdint.h>

#include "common/error.h"
#include "flow/channel.h"

enum { LEAT_FRAME_BYTES = 64, LEAT_JOB_ID_BYTES = 16, LEAT_FRAME_CREDIT = 16 /* kind: from receiver to sender */ };

typedef struct leat_frame {
    uint8_t kind; /* leat_element_kind or LEAT_FRAME_CREDIT */
    uint8_t job[LEAT_JOB_ID_BYTES];
    uint32_t attempt, edge, source, target;
    uint64_t sequence;
    int64_t value;
    uint64_t bytes;
} leat_frame;

void leat_frame_write(const leat_frame *frame, uint8_t out[LEAT_FRAME_BYTES]);
/* LEAT_CORRUPT when it is not such a frame. Indices are not checked against any job here. */
LEAT_CHECKED leat_code leat_frame_read(const void *data, size_t size, leat_frame *out, leat_error *error);
