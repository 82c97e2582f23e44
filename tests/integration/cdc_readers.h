/* mysql-cdc with its enumerator and several readers, in one thread, for tests: splits and events between them pass
 * through the gates of the job manager, checkpoints cut the enumerator first and the readers when each comes to it. */
#pragma once

#include "tests/integration/changelog.h"
#include "tests/integration/host.h"

enum { CDC_READERS_MAX = 4, CDC_SAYINGS_MAX = 4096 };

typedef struct cdc_saying {
    int32_t subtask;
    bool is_split, is_no_more;
    leat_bytes data;
} cdc_saying;

typedef struct cdc_reader_host {
    test_host host; /* first */
    struct cdc_readers *readers;
    bool is_cut; /* of the running checkpoint */
    leat_bytes state, kept;
} cdc_reader_host;

typedef struct cdc_readers {
    leat_enumerator_context context; /* first */
    int count;                       /* 1: alone, without an enumerator */
    leat_enumerator *enumerator;
    cdc_reader_host hosts[CDC_READERS_MAX];
    cdc_saying sayings[CDC_SAYINGS_MAX]; /* not delivered yet */
    int sayings_count;
    int64_t checkpoint; /* the running one; 0: none */
    bool has_kept;      /* a checkpoint is complete */
    leat_bytes enumerator_state, enumerator_kept;
    changelog *made;
    size_t marks[CDC_READERS_MAX], kept_marks[CDC_READERS_MAX];
    void (*take_batch)(changelog *made, int owner, const leat_batch *batch);
} cdc_readers;

void cdc_readers_init(cdc_readers *self, leat_env *env, int count, changelog *made);
/* From the newest complete checkpoint, to which the changelog returns as well. */
leat_code cdc_readers_open(cdc_readers *self, const leat_bytes *config, leat_error *error);
/* One turn of each reader, and of what they and the enumerator have to say to each other. */
leat_code cdc_readers_turn(cdc_readers *self, int wait_ms, leat_error *error);
/* Begins a checkpoint: the readers cut theirs in turns to come. */
leat_code cdc_readers_begin_checkpoint(cdc_readers *self, int64_t id, leat_error *error);
/* Cuts a reader, if it has not; after the last the checkpoint is complete. */
leat_code cdc_readers_cut(cdc_readers *self, int reader, leat_error *error);
/* As after a kill. */
void cdc_readers_close(cdc_readers *self);
void cdc_readers_done(cdc_readers *self);
