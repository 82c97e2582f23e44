#include "jobmanager/sealed.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

enum { MAGIC_BYTES = 8, TAIL_BYTES = 8 + MAGIC_BYTES };

leat_code leat_seal(const ProtobufCMessage *message, const char magic[8], leat_bytes *out, leat_error *error)
{
    LEAT_ASSERT(out->size == 0);
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room = leat_bytes_extend(out, size);
    if (!room) return leat_fail_no_memory(error);
    protobuf_c_message_pack(message, room);
    leat_bytes_put_u64(out, XXH3_64bits(out->data, size));
    leat_bytes_put(out, magic, MAGIC_BYTES);
    return leat_bytes_check(out, error);
}

leat_code leat_unseal(const leat_bytes *bytes, const char magic[8], const ProtobufCMessageDescriptor *kind,
                      const char *path, const char *what, ProtobufCMessage **out, leat_error *error)
{
    bool is_whole = bytes->size >= TAIL_BYTES && memcmp(bytes->data + bytes->size - MAGIC_BYTES, magic, 8) == 0;
    size_t size = is_whole ? bytes->size - TAIL_BYTES : 0;
    if (is_whole) {
        leat_reader tail;
        leat_reader_init(&tail, bytes->data + size, 8);
        is_whole = leat_reader_u64(&tail) == XXH3_64bits(bytes->data, size);
    }
    *out = is_whole ? protobuf_c_message_unpack(kind, NULL, size, bytes->data) : NULL;
    return *out ? LEAT_OK : leat_fail(error, LEAT_CORRUPT, "%s is not a whole %s (%zu bytes)", path, what, bytes->size);
}
