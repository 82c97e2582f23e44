#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/hash.h"
#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/metadata.h"
#include "jobmanager/sealed.h"

enum { METADATA_VERSION = 1, JOB_ID_BYTES = 16, METADATA_BYTES_MAX = 256 << 20 };
static const char metadata_magic[8] = {'L', 'E', 'A', 'T', 'C', 'H', 'K', '1'};

/* Filling a whole message by hand, one allocation a field, is what protobuf-c's parser does; so messages are copied by
 * packing them and parsing the bytes again. */
static Leat__Pb__SubtaskSnapshot *copy_subtask(const Leat__Pb__SubtaskSnapshot *from)
{
    size_t size = leat__pb__subtask_snapshot__get_packed_size(from);
    uint8_t *packed = leat_alloc(size);
    if (!packed) return NULL;
    leat__pb__subtask_snapshot__pack(from, packed);
    Leat__Pb__SubtaskSnapshot *copy = leat__pb__subtask_snapshot__unpack(NULL, size, packed);
    leat_free(packed);
    return copy;
}

static uint32_t max_parallelism_of(const Leat__Pb__Vertex *vertex)
{
    return vertex->has_max_parallelism ? vertex->max_parallelism
                                       : (uint32_t)leat_default_max_parallelism((int32_t)vertex->parallelism);
}

Leat__Pb__CheckpointMetadata *leat_metadata_new(const Leat__Pb__JobGraph *graph, const uint8_t *job_id,
                                                int64_t checkpoint_id, int64_t now_ms, const char *commit_user)
{
    Leat__Pb__CheckpointMetadata draft = LEAT__PB__CHECKPOINT_METADATA__INIT;
    draft.version = METADATA_VERSION;
    draft.job = (ProtobufCBinaryData){JOB_ID_BYTES, (uint8_t *)(uintptr_t)job_id};
    draft.checkpoint = (uint64_t)checkpoint_id;
    draft.timestamp_ms = now_ms;
    draft.job_name = graph->name;
    draft.commit_user = (char *)(uintptr_t)commit_user;
    draft.key_hash_version = LEAT_KEY_HASH_VERSION;
    Leat__Pb__VertexSnapshot *vertices = leat_calloc(graph->n_vertices, sizeof *vertices);
    Leat__Pb__VertexSnapshot **pointers = leat_calloc(graph->n_vertices, sizeof *pointers);
    Leat__Pb__CheckpointMetadata *made = NULL;
    if (vertices && pointers) {
        for (size_t i = 0; i < graph->n_vertices; i++) {
            const Leat__Pb__Vertex *vertex = graph->vertices[i];
            leat__pb__vertex_snapshot__init(&vertices[i]);
            vertices[i].uid = vertex->operators[0]->uid;
            vertices[i].parallelism = vertex->parallelism;
            vertices[i].max_parallelism = max_parallelism_of(vertex);
            pointers[i] = &vertices[i];
        }
        draft.n_vertices = graph->n_vertices;
        draft.vertices = pointers;
        size_t size = leat__pb__checkpoint_metadata__get_packed_size(&draft);
        uint8_t *packed = leat_alloc(size);
        if (packed) {
            leat__pb__checkpoint_metadata__pack(&draft, packed);
            made = leat__pb__checkpoint_metadata__unpack(NULL, size, packed);
        }
        leat_free(packed);
    }
    leat_free(vertices);
    leat_free(pointers);
    return made;
}

void leat_metadata_free(Leat__Pb__CheckpointMetadata *metadata)
{
    if (metadata) leat__pb__checkpoint_metadata__free_unpacked(metadata, NULL);
}

bool leat_metadata_add_subtask(Leat__Pb__CheckpointMetadata *metadata, uint32_t vertex,
                               const Leat__Pb__SubtaskSnapshot *snapshot)
{
    if (vertex >= metadata->n_vertices) return false;
    Leat__Pb__VertexSnapshot *part = metadata->vertices[vertex];
    Leat__Pb__SubtaskSnapshot *copy = copy_subtask(snapshot);
    if (!copy) return false;
    for (size_t i = 0; i < part->n_subtasks; i++) {
        if (part->subtasks[i]->subtask != snapshot->subtask) continue;
        leat__pb__subtask_snapshot__free_unpacked(part->subtasks[i], NULL);
        part->subtasks[i] = copy;
        return true;
    }
    Leat__Pb__SubtaskSnapshot **grown = leat_realloc(part->subtasks, (part->n_subtasks + 1) * sizeof *grown);
    if (!grown) {
        leat__pb__subtask_snapshot__free_unpacked(copy, NULL);
        return false;
    }
    part->subtasks = grown;
    part->subtasks[part->n_subtasks++] = copy;
    return true;
}

bool leat_metadata_add(Leat__Pb__CheckpointMetadata *metadata, const Leat__Pb__CheckpointAck *ack,
                       uint64_t *state_bytes)
{
    Leat__Pb__SubtaskSnapshot draft = LEAT__PB__SUBTASK_SNAPSHOT__INIT;
    draft.subtask = ack->subtask;
    draft.n_operators = ack->n_operators;
    draft.operators = ack->operators;
    draft.is_finished = ack->is_finished;
    for (size_t i = 0; i < ack->n_operators; i++) {
        *state_bytes += ack->operators[i]->has_size ? ack->operators[i]->size : ack->operators[i]->state.len;
    }
    return leat_metadata_add_subtask(metadata, ack->vertex, &draft);
}

Leat__Pb__SubtaskSnapshot *leat_metadata_copy_subtask(const Leat__Pb__CheckpointMetadata *metadata, uint32_t vertex,
                                                      uint32_t subtask)
{
    const Leat__Pb__VertexSnapshot *part = metadata->vertices[vertex];
    for (size_t i = 0; i < part->n_subtasks; i++) {
        if (part->subtasks[i]->subtask == subtask) return copy_subtask(part->subtasks[i]);
    }
    return NULL;
}

bool leat_metadata_set_enumerator(Leat__Pb__CheckpointMetadata *metadata, int32_t vertex, const leat_bytes *state)
{
    Leat__Pb__VertexSnapshot *part = metadata->vertices[vertex];
    uint8_t *copy = leat_alloc(state->size);
    if (!copy) return false;
    if (state->size) memcpy(copy, state->data, state->size);
    leat_free(part->enumerator.data);
    part->has_enumerator = true;
    part->enumerator = (ProtobufCBinaryData){state->size, copy};
    return true;
}

/* --- matching --- */

static bool has_operator(const Leat__Pb__Vertex *vertex, const char *uid)
{
    for (size_t i = 0; i < vertex->n_operators; i++) {
        if (strcmp(vertex->operators[i]->uid, uid) == 0) return true;
    }
    return false;
}

static leat_code fail_match(const char *uid, leat_error *error)
{
    leat_code code =
        leat_fail(error, LEAT_INVALID, "the checkpoint has state of operator '%s', which this job has not", uid);
    leat_fail_hint(error, "a checkpoint belongs to its statement: run the same one, with the same tables");
    return code;
}

static leat_code check_vertex(const Leat__Pb__VertexSnapshot *part, const Leat__Pb__Vertex *vertex, leat_error *error)
{
    bool has_state = part->has_enumerator;
    for (size_t s = 0; s < part->n_subtasks; s++) {
        for (size_t o = 0; o < part->subtasks[s]->n_operators; o++) {
            const Leat__Pb__OperatorSnapshot *snapshot = part->subtasks[s]->operators[o];
            bool is_empty = !snapshot->has_state && !snapshot->path && !snapshot->n_committables;
            if (is_empty) continue;
            has_state = true;
            if (!vertex || !has_operator(vertex, snapshot->uid)) return fail_match(snapshot->uid, error);
        }
    }
    if (!vertex) return has_state ? fail_match(part->uid, error) : LEAT_OK;
    if (!has_state || part->max_parallelism == max_parallelism_of(vertex)) return LEAT_OK;
    leat_code code = leat_fail(error, LEAT_INVALID, "operator '%s' has %u key groups, and %u in the checkpoint",
                               part->uid, max_parallelism_of(vertex), part->max_parallelism);
    leat_fail_hint(error, "SET 'pipeline.max-parallelism' = '%u'", part->max_parallelism);
    return code;
}

static Leat__Pb__VertexSnapshot *empty_vertex(const Leat__Pb__Vertex *vertex)
{
    Leat__Pb__VertexSnapshot *made = leat_alloc(sizeof *made);
    if (!made) return NULL;
    leat__pb__vertex_snapshot__init(made);
    made->uid = leat_strdup(vertex->operators[0]->uid);
    made->parallelism = vertex->parallelism;
    made->max_parallelism = max_parallelism_of(vertex);
    if (made->uid) return made;
    leat_free(made);
    return NULL;
}

static size_t find_part(const Leat__Pb__CheckpointMetadata *metadata, const char *uid)
{
    size_t i = 0;
    while (i < metadata->n_vertices && (!metadata->vertices[i] || strcmp(metadata->vertices[i]->uid, uid) != 0))
        i++;
    return i;
}

/* Parts move from the metadata into `matched`; what stays behind has no vertex. */
static leat_code match(Leat__Pb__CheckpointMetadata *metadata, const Leat__Pb__JobGraph *graph,
                       Leat__Pb__VertexSnapshot **matched, leat_error *error)
{
    for (size_t v = 0; v < graph->n_vertices; v++) {
        const Leat__Pb__Vertex *vertex = graph->vertices[v];
        size_t at = find_part(metadata, vertex->operators[0]->uid);
        if (at < metadata->n_vertices) {
            LEAT_TRY(check_vertex(metadata->vertices[at], vertex, error));
            matched[v] = metadata->vertices[at];
            metadata->vertices[at] = NULL;
        } else {
            matched[v] = empty_vertex(vertex);
            if (!matched[v]) return leat_fail_no_memory(error);
        }
    }
    for (size_t i = 0; i < metadata->n_vertices; i++) {
        if (metadata->vertices[i]) LEAT_TRY(check_vertex(metadata->vertices[i], NULL, error));
    }
    return LEAT_OK;
}

static void free_parts(Leat__Pb__VertexSnapshot **parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i]) leat__pb__vertex_snapshot__free_unpacked(parts[i], NULL);
    }
    leat_free(parts);
}

leat_code leat_metadata_match(Leat__Pb__CheckpointMetadata *metadata, const Leat__Pb__JobGraph *graph,
                              leat_error *error)
{
    Leat__Pb__VertexSnapshot **matched = leat_calloc(graph->n_vertices, sizeof *matched);
    if (!matched) return leat_fail_no_memory(error);
    leat_code code = match(metadata, graph, matched, error);
    free_parts(metadata->vertices, metadata->n_vertices); /* what was left over */
    metadata->vertices = NULL;
    metadata->n_vertices = 0;
    if (code != LEAT_OK) {
        free_parts(matched, graph->n_vertices);
        return code;
    }
    metadata->vertices = matched;
    metadata->n_vertices = graph->n_vertices;
    return LEAT_OK;
}

leat_code leat_metadata_pack(const Leat__Pb__CheckpointMetadata *metadata, leat_bytes *out, leat_error *error)
{
    return leat_seal(&metadata->base, metadata_magic, out, error);
}

/* Of two that write the same checkpoint (this job manager, and one that was taken for dead) the first one wins; one's
 * own earlier try, whose answer was lost, counts as this one. */
leat_code leat_metadata_store(leat_storage *storage, const char *path, const leat_bytes *packed, leat_error *error)
{
    leat_code code = leat_storage_put(storage, path, packed->data, packed->size, LEAT_PUT_IF_ABSENT, error);
    if (code != LEAT_EXISTS) return code;
    leat_bytes known = {0};
    code = leat_storage_get_all(storage, path, METADATA_BYTES_MAX, &known, error);
    bool is_same = code == LEAT_OK && known.size == packed->size && memcmp(known.data, packed->data, known.size) == 0;
    leat_bytes_done(&known);
    if (code != LEAT_OK || is_same) return code;
    return leat_fail(error, LEAT_EXISTS, "%s is there already, and of another attempt", path);
}

leat_code leat_metadata_load(leat_storage *storage, const char *path, Leat__Pb__CheckpointMetadata **out,
                             leat_error *error)
{
    leat_bytes bytes = {0};
    ProtobufCMessage *message = NULL;
    leat_code code = leat_storage_get_all(storage, path, METADATA_BYTES_MAX, &bytes, error);
    if (code == LEAT_OK) {
        code = leat_unseal(&bytes, metadata_magic, &leat__pb__checkpoint_metadata__descriptor, path, "checkpoint",
                           &message, error);
    }
    leat_bytes_done(&bytes);
    if (code != LEAT_OK) return code;
    Leat__Pb__CheckpointMetadata *read = (Leat__Pb__CheckpointMetadata *)message;
    if (read->version == METADATA_VERSION && read->key_hash_version == LEAT_KEY_HASH_VERSION) {
        *out = read;
        return LEAT_OK;
    }
    code =
        leat_fail(error, LEAT_UNSUPPORTED, "%s: checkpoint of version %u with key hash %u, where %d and %d are known",
                  path, read->version, read->key_hash_version, METADATA_VERSION, LEAT_KEY_HASH_VERSION);
    leat_metadata_free(read);
    return code;
}

typedef struct remove_job {
    leat_job job; /* first */
    char *folder;
} remove_job;

/* The metadata goes first: a folder that is half removed must not look like a checkpoint that is damaged. */
static leat_code remove_checkpoint(leat_storage *storage, const char *folder, leat_error *error)
{
    char *metadata = leat_format("%s/_metadata", folder);
    if (!metadata) return leat_fail_no_memory(error);
    leat_code code = leat_storage_remove(storage, metadata, error);
    leat_free(metadata);
    return code == LEAT_OK ? leat_storage_remove_folder(storage, folder, error) : code;
}

static void run_remove(leat_job *job, leat_env *env)
{
    remove_job *removal = (remove_job *)job;
    leat_error error = {0};
    if (remove_checkpoint(env->storage, removal->folder, &error) != LEAT_OK) {
        leat_log(LEAT_LOG_WARN, "checkpoint", "an old checkpoint stays: %s", error.text);
    }
}

static void done_remove(leat_job *job, leat_env *env)
{
    (void)env;
    leat_free(((remove_job *)job)->folder);
    leat_free(job);
}

/* Takes the folder's name. */
static void remove_later(leat_env *env, char *folder)
{
    remove_job *removal = leat_calloc(1, sizeof *removal);
    if (removal && folder) {
        *removal = (remove_job){.job = {.run = run_remove, .done = done_remove}, .folder = folder};
        if (leat_env_spawn(env, &removal->job, NULL) == LEAT_OK) return;
    }
    leat_log(LEAT_LOG_WARN, "checkpoint", "%s stays: no memory or a full queue", folder ? folder : "an old checkpoint");
    leat_free(folder);
    leat_free(removal);
}

void leat_metadata_remove_later(leat_env *env, const char *dir, int64_t checkpoint_id)
{
    remove_later(env, leat_format("%s/chk-%" PRId64, dir, checkpoint_id));
}
