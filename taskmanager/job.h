/* A job's attempt on one task manager: its plan, its subtasks here, and where the others are. Reference-counted:
 * messages of other threads may still find it while it ends. */
#pragma once

#include "taskmanager/frame.h"
#include "taskmanager/subtask.h"

typedef struct leat_taskmanager leat_taskmanager;

struct leat_task_job {
    atomic_int references;
    leat_task_job *next; /* in the task manager's list, under its lock */
    leat_taskmanager *taskmanager;
    uint8_t id[LEAT_JOB_ID_BYTES];
    char id_text[33];
    uint32_t attempt;
    atomic_bool is_fenced;        /* it is being ended: others may do its work by now */
    Leat__Pb__Envelope *envelope; /* owns deploy */
    const Leat__Pb__Deploy *deploy;
    Leat__Pb__JobGraph *graph;
    leat_config config;
    leat_arena arena;
    bool has_checkpoints;
    int64_t buffer_timeout_us, credit_bytes, batch_bytes, state_inline_bytes;
    size_t state_part_bytes; /* 0: state is not uploaded */
    leat_subtask *subtasks;  /* those that run here */
    int32_t subtasks_count;
    atomic_int open_subtasks; /* not closed yet */
    int32_t here;             /* this task manager's index among the locations */
};

/* Takes the envelope (a Deploy). On success *out has one reference for the caller; nothing runs yet. */
LEAT_CHECKED leat_code leat_task_job_new(leat_taskmanager *taskmanager, Leat__Pb__Envelope *envelope,
                                         leat_task_job **out, leat_error *error);
leat_task_job *leat_task_job_ref(leat_task_job *job);
void leat_task_job_unref(leat_task_job *job);
/* The subtask if it is on this task manager, else NULL. */
leat_subtask *leat_task_job_find(leat_task_job *job, int32_t vertex, int32_t index);
/* Location index of any subtask; -1: unknown. */
int32_t leat_task_job_locate(const leat_task_job *job, int32_t vertex, int32_t index);
/* Checks indices of a frame and hands the element (taken) or credit to the subtask it is for. */
LEAT_CHECKED leat_code leat_task_job_on_frame(leat_task_job *job, const leat_frame *frame, leat_buffer **body,
                                              leat_error *error);
/* Fetches the state that is in files, on an I/O thread, then schedules the subtasks (each opens its operators). */
void leat_task_job_restore(leat_task_job *job);
