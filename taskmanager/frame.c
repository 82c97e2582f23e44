#include "taskmanager/frame.h"

#include <string.h>

enum { MAGIC = 0x4441454c /* "LEAD" */ };

static void put(uint8_t *out, size_t at, const void *value, size_t size)
{
    memcpy(out + at, value, size);
}

void leat_frame_write(const leat_frame *frame, uint8_t out[LEAT_FRAME_BYTES])
{
    memset(out, 0, LEAT_FRAME_BYTES);
    uint32_t magic = MAGIC;
    put(out, 0, &magic, 4);
    out[4] = frame->kind;
    put(out, 8, &frame->attempt, 4);
    put(out, 12, &frame->edge, 4);
    put(out, 16, frame->job, LEAT_JOB_ID_BYTES);
    put(out, 32, &frame->source, 4);
    put(out, 36, &frame->target, 4);
    put(out, 40, &frame->sequence, 8);
    put(out, 48, &frame->value, 8);
    put(out, 56, &frame->bytes, 8);
}

leat_code leat_frame_read(const void *data, size_t size, leat_frame *out, leat_error *error)
{
    const uint8_t *in = data;
    uint32_t magic = 0;
    if (size == LEAT_FRAME_BYTES) memcpy(&magic, in, 4);
    if (magic != MAGIC) return leat_fail(error, LEAT_CORRUPT, "data frame of %zu bytes has no Leat header", size);
    bool is_element = in[4] >= LEAT_ELEMENT_BATCH && in[4] <= LEAT_ELEMENT_END;
    if (!is_element && in[4] != LEAT_FRAME_CREDIT) {
        return leat_fail(error, LEAT_CORRUPT, "data frame of unknown kind %u", in[4]);
    }
    out->kind = in[4];
    memcpy(&out->attempt, in + 8, 4);
    memcpy(&out->edge, in + 12, 4);
    memcpy(out->job, in + 16, LEAT_JOB_ID_BYTES);
    memcpy(&out->source, in + 32, 4);
    memcpy(&out->target, in + 36, 4);
    memcpy(&out->sequence, in + 40, 8);
    memcpy(&out->value, in + 48, 8);
    memcpy(&out->bytes, in + 56, 8);
    return LEAT_OK;
}
