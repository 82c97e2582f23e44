#include "flow/channel.h"

#include <inttypes.h>

void leat_channel_out_init(leat_channel_out *channel, int64_t limit_bytes)
{
    *channel = (leat_channel_out){.limit_bytes = limit_bytes, .credit_bytes = limit_bytes};
}

uint64_t leat_channel_out_send(leat_channel_out *channel, int64_t bytes)
{
    channel->credit_bytes -= bytes;
    return channel->next_sequence++;
}

leat_code leat_channel_out_grant(leat_channel_out *channel, int64_t bytes, leat_error *error)
{
    /* Checked by subtraction: a hostile peer may send INT64_MAX. */
    if (bytes < 0 || bytes > channel->limit_bytes - channel->credit_bytes) {
        return leat_fail(error, LEAT_CORRUPT, "grant of %" PRId64 " bytes exceeds what was sent", bytes);
    }
    channel->credit_bytes += bytes;
    return LEAT_OK;
}

void leat_channel_in_init(leat_channel_in *channel, int64_t limit_bytes)
{
    *channel = (leat_channel_in){.limit_bytes = limit_bytes};
}

leat_code leat_channel_in_receive(leat_channel_in *channel, uint64_t sequence, leat_element_kind kind,
                                  leat_error *error)
{
    if (sequence != channel->expected_sequence) {
        return leat_fail(error, LEAT_CORRUPT, "element %" PRIu64 " where %" PRIu64 " is due", sequence,
                         channel->expected_sequence);
    }
    if (channel->has_ended) return leat_fail(error, LEAT_CORRUPT, "element %" PRIu64 " after the end", sequence);
    channel->expected_sequence++;
    channel->has_ended = kind == LEAT_ELEMENT_END;
    return LEAT_OK;
}

int64_t leat_channel_in_consume(leat_channel_in *channel, int64_t bytes)
{
    channel->consumed_bytes += bytes;
    if (channel->consumed_bytes < channel->limit_bytes / 4) return 0;
    int64_t granted = channel->consumed_bytes;
    channel->consumed_bytes = 0;
    return granted;
}
