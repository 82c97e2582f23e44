/* The events inside MySQL's TRANSACTION_PAYLOAD: a whole transaction, compressed (spec/cdc binlog §4). It may be of
 * many GB when inflated, so it is inflated as its events are asked for. */
#pragma once

#include "connectors/mysql/binlog/event.h"

typedef struct ZSTD_DCtx_s ZSTD_DCtx;

typedef struct leat_binlog_payload {
    bool is_open;
    leat_reader packed; /* what is left of it; points into the packet */
    bool is_compressed;
    bool is_drained; /* nothing more comes out */
    ZSTD_DCtx *zstd; /* kept from one to the next */
    leat_bytes inflated;
    size_t start; /* of what was not given yet */
} leat_binlog_payload;

/* `event` is a TRANSACTION_PAYLOAD, whose bytes must stay until the payload is not open any more. */
LEAT_CHECKED leat_code leat_binlog_payload_open(leat_binlog_payload *self, const leat_binlog_event *event,
                                                leat_error *error);
/* The next event, valid until the next call; *has_event false: that was all, and the payload is closed. */
LEAT_CHECKED leat_code leat_binlog_payload_next(leat_binlog_payload *self, const leat_binlog_format *format,
                                                leat_binlog_event *out, bool *has_event, leat_error *error);
void leat_binlog_payload_done(leat_binlog_payload *self);
