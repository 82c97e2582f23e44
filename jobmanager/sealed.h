/* Protobuf messages as objects that tell whether they are whole: the packed message, XXH3-64 of it as 8 little-endian
 * bytes, 8 bytes that name the kind. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "common/bytes.h"
#include "common/error.h"

/* Appends the message and its tail to `out`, which is empty. */
LEAT_CHECKED leat_code leat_seal(const ProtobufCMessage *message, const char magic[8], leat_bytes *out,
                                 leat_error *error);
/* *out is freed by protobuf_c_message_free_unpacked. LEAT_CORRUPT names `path` and says that it is not a whole `what`.
 */
LEAT_CHECKED leat_code leat_unseal(const leat_bytes *bytes, const char magic[8], const ProtobufCMessageDescriptor *kind,
                                   const char *path, const char *what, ProtobufCMessage **out, leat_error *error);
