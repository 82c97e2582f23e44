/* A checkpoint's metadata object: as it is, and (first byte odd) with the tail made right, as a foreign or older
 * program might write it. What is read is copied and packed again, as recovery does. */
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/memory.h"
#include "jobmanager/metadata.h"
#include "tests/fuzz/fuzz.h"

static void use(Leat__Pb__CheckpointMetadata *metadata)
{
    for (uint32_t v = 0; v < metadata->n_vertices; v++) {
        for (size_t s = 0; s < metadata->vertices[v]->n_subtasks; s++) {
            const Leat__Pb__SubtaskSnapshot *part = metadata->vertices[v]->subtasks[s];
            Leat__Pb__SubtaskSnapshot *copy = leat_metadata_copy_subtask(metadata, v, part->subtask);
            if (copy) leat__pb__subtask_snapshot__free_unpacked(copy, NULL);
        }
    }
    leat_bytes again = {0};
    if (leat_metadata_pack(metadata, &again, NULL) != LEAT_OK) LEAT_ASSERT(again.failed);
    leat_bytes_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    leat_bytes bytes = {0};
    leat_bytes_put(&bytes, data + 1, size - 1);
    if (data[0] & 1) {
        leat_bytes_put_u64(&bytes, XXH3_64bits(data + 1, size - 1));
        leat_bytes_put(&bytes, "LEATCHK1", 8);
    }
    leat_storage *storage;
    if (leat_storage_memory_new(&storage, NULL) == LEAT_OK) {
        Leat__Pb__CheckpointMetadata *metadata;
        leat_code code = leat_storage_put(storage, "mem:/c/_metadata", bytes.data, bytes.size, LEAT_PUT_REPLACE, NULL);
        if (code == LEAT_OK && leat_metadata_load(storage, "mem:/c/_metadata", &metadata, NULL) == LEAT_OK) {
            use(metadata);
            leat_metadata_free(metadata);
        }
        leat_storage_free(storage);
    }
    leat_bytes_done(&bytes);
    return 0;
}
