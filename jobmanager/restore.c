#include "common/memory.h"
#include "jobmanager/internal.h"

/* What a new attempt gets from the newest checkpoint whose commit is done. */

const Leat__Pb__VertexSnapshot *leat_jm_restored_vertex(const leat_jm_job *job, int32_t vertex)
{
    return job->completed ? job->completed->vertices[vertex] : NULL;
}

leat_code leat_jm_fill_restored(leat_jm_job *job, Leat__Pb__Deploy *deploy, leat_error *error)
{
    if (!job->completed) return LEAT_OK;
    const Leat__Pb__CheckpointMetadata *metadata = job->completed;
    deploy->has_restored_checkpoint = true;
    deploy->restored_checkpoint = metadata->checkpoint;
    deploy->restored_dir = (char *)(uintptr_t)leat_jm_completed_dir(job);
    size_t count = 0;
    for (size_t v = 0; v < metadata->n_vertices; v++) {
        for (size_t s = 0; s < metadata->vertices[v]->n_subtasks; s++)
            count += metadata->vertices[v]->subtasks[s]->n_operators;
    }
    Leat__Pb__RestoredPart *parts = leat_calloc(count, sizeof *parts);
    deploy->restored = leat_calloc(count, sizeof *deploy->restored);
    if (!parts || !deploy->restored) {
        leat_free(parts);
        return leat_fail_no_memory(error);
    }
    if (count == 0) leat_free(parts);
    for (size_t v = 0; v < metadata->n_vertices; v++) {
        const Leat__Pb__VertexSnapshot *vertex = metadata->vertices[v];
        for (size_t s = 0; s < vertex->n_subtasks; s++) {
            for (size_t o = 0; o < vertex->subtasks[s]->n_operators; o++) {
                Leat__Pb__RestoredPart *part = &parts[deploy->n_restored];
                leat__pb__restored_part__init(part);
                part->vertex = (uint32_t)v;
                part->subtask = vertex->subtasks[s]->subtask;
                part->parallelism = vertex->parallelism;
                part->snapshot = vertex->subtasks[s]->operators[o];
                deploy->restored[deploy->n_restored++] = part;
            }
        }
    }
    return LEAT_OK;
}

void leat_jm_free_restored(Leat__Pb__Deploy *deploy)
{
    if (deploy->n_restored) leat_free(deploy->restored[0]);
    leat_free(deploy->restored);
}
