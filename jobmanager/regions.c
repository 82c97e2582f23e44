#include "common/memory.h"
#include "jobmanager/internal.h"

leat_code leat_jm_regions_make(leat_jm_job *job, leat_error *error)
{
    const Leat__Pb__JobGraph *graph = job->graph;
    size_t count = graph->n_vertices;
    int32_t *region = leat_calloc(count, sizeof *region);
    job->regions = leat_calloc(count, sizeof *job->regions);
    if (!region || !job->regions) {
        leat_free(region);
        return leat_fail_no_memory(error);
    }
    for (size_t v = 0; job->has_checkpoints && v < count; v++)
        region[v] = (int32_t)v;
    /* The smallest number wanders along the edges until nothing changes. */
    for (bool has_changed = true; has_changed;) {
        has_changed = false;
        for (size_t e = 0; e < graph->n_edges; e++) {
            int32_t *source = &region[graph->edges[e]->source], *target = &region[graph->edges[e]->target];
            if (*source == *target) continue;
            has_changed = true;
            *source = *target = *source < *target ? *source : *target;
        }
    }
    for (int32_t t = 0; t < job->tasks_count; t++) {
        leat_jm_task *task = &job->tasks[t];
        bool is_first = region[task->vertex] == task->vertex && task->subtask == 0;
        if (is_first) job->regions[job->regions_count++] = (leat_jm_region){.is_down = true};
        /* Tasks are in the order of vertices: the region's first vertex came before. */
        task->region = is_first ? job->regions_count - 1 : leat_jm_region_of_vertex(job, region[task->vertex]);
    }
    leat_free(region);
    return LEAT_OK;
}

int32_t leat_jm_region_of_attempt(const leat_jm_job *job, uint32_t attempt)
{
    for (int32_t r = 0; r < job->regions_count; r++) {
        if (job->regions[r].attempt == attempt) return r;
    }
    return -1;
}

int32_t leat_jm_region_of_vertex(const leat_jm_job *job, int32_t vertex)
{
    int32_t t = 0;
    while (job->tasks[t].vertex != vertex)
        t++;
    return job->tasks[t].region;
}

bool leat_jm_is_down(const leat_jm_job *job, int32_t vertex)
{
    return job->regions[leat_jm_region_of_vertex(job, vertex)].is_down;
}

bool leat_jm_all_down(const leat_jm_job *job)
{
    for (int32_t r = 0; r < job->regions_count; r++) {
        if (!job->regions[r].is_down) return false;
    }
    return true;
}
