/* A batch as one body frame of the data plane:
 *
 *   magic u32 "LBT1" | rows u32 | columns u32 | flags u32 (1: has kinds)
 *   a column: layout u32 | flags u32 (1: has validity) | heap bytes u64 | values offset u64 | validity offset u64 |
 *             heap offset u64
 *   kinds offset u64
 *   … buffers, each at a multiple of 64 from the start of the body
 *
 * The selection is applied while writing; the heaps of a column become one, with only the bytes that are used. */
#pragma once

#include "columnar/batch.h"

/* Bytes that leat_batch_wire_write will write. */
size_t leat_batch_wire_bytes(const leat_batch *batch);
/* `body` is 64-byte aligned and leat_batch_wire_bytes long; padding is zeroed. */
void leat_batch_wire_write(const leat_batch *batch, uint8_t *body);
/* Columns point into `body`, which each shares. body->data must be 64-byte aligned. Nothing in it is trusted: offsets,
 * sizes, views and kinds are checked. `schema` gives the expected layouts. LEAT_CORRUPT says what was wrong. */
LEAT_CHECKED leat_code leat_batch_wire_read(leat_buffer *body, const leat_layout *layouts, int32_t columns_count,
                                            leat_batch **out, leat_error *error);
