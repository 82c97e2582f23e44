/* What a job manager leaves on storage, so that the next one goes on with its jobs:
 *
 *   <dir>/leader        who leads: a number that grows with each job manager that begins (its epoch)
 *   <dir>/jobs/<id>     a job that has been accepted and has not ended (proto/job_store.proto)
 *
 * Which checkpoint a job goes on from is not here: it is the newest whole one in its own folder (checkpoint_files.h).
 *
 * Linear code: blocks. Any thread, several at once; the store is not changed once it is open. */
#pragma once

#include "common/env.h"
#include "proto/job_store.pb-c.h"

enum { LEAT_JM_JOB_ID_BYTES = 16, LEAT_JM_JOB_ID_TEXT_BYTES = 2 * LEAT_JM_JOB_ID_BYTES + 1 };
void leat_jm_print_job_id(const uint8_t *id, char out[LEAT_JM_JOB_ID_TEXT_BYTES]);

typedef struct leat_job_store {
    leat_env *env;
    char *dir;
    uint64_t epoch; /* of this job manager, from 1 */
} leat_job_store;

typedef struct leat_job_records {
    Leat__Pb__JobRecord **list;
    size_t count, capacity;
} leat_job_records;

/* Becomes the leader: whoever led before finds it out before its next commit. */
LEAT_CHECKED leat_code leat_job_store_open(leat_job_store *self, leat_env *env, const char *dir, leat_error *error);
void leat_job_store_done(leat_job_store *self);
/* LEAT_CANCELED when another job manager leads by now: then nothing may be committed or removed any more. */
LEAT_CHECKED leat_code leat_job_store_check(const leat_job_store *self, leat_error *error);

/* By the job's id; replaces what is there. The record's version is the store's to set. */
LEAT_CHECKED leat_code leat_job_store_put(const leat_job_store *self, const Leat__Pb__JobRecord *record,
                                          leat_error *error);
LEAT_CHECKED leat_code leat_job_store_remove(const leat_job_store *self, const char *job_id, leat_error *error);
/* All jobs, oldest first. One that can't be read is logged, left where it is, and left out. */
LEAT_CHECKED leat_code leat_job_store_load(const leat_job_store *self, leat_job_records *out, leat_error *error);
void leat_job_records_done(leat_job_records *records);
