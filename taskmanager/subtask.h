/* A subtask: an actor that runs one chain of operators over its input and output channels.
 *
 *   input channels ─▶ [ head operator ─▶ … ─▶ tail operator ] ─▶ output edges ─▶ output channels
 *
 * Everything here belongs to the subtask and is touched only by the worker that runs it, except what stands under
 * `lock`: the mailbox (messages from the control plane), the input queues, granted credits and wakes. Others put
 * something there and schedule it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/metrics.h"
#include "flow/aligner.h"
#include "flow/channel.h"
#include "flow/operator.h"
#include "flow/registry.h"
#include "proto/control.pb-c.h"
#include "proto/graph.pb-c.h"
#include "taskmanager/executor.h"

typedef struct leat_subtask leat_subtask;
typedef struct leat_task_job leat_task_job;

/* What travels on a channel. From another process a batch arrives as its wire body and is decoded by the worker. */
typedef struct leat_element leat_element;
struct leat_element {
    leat_element *next;
    leat_element_kind kind;
    uint64_t sequence;
    int64_t value;      /* watermark in ms, or checkpoint id */
    int64_t cost_bytes; /* credit it took */
    leat_batch *batch;  /* owned */
    leat_buffer *body;  /* owned; instead of batch */
};
void leat_element_free(leat_element *element);

/* Where the other end of a channel is: in this process, or behind a task manager. */
typedef struct leat_peer {
    leat_subtask *local; /* NULL: remote */
    int32_t location;    /* index into the job's locations */
} leat_peer;

typedef struct leat_input_channel {
    int32_t edge, source_subtask, input;
    leat_peer peer;
    leat_channel_in machine;
    leat_element *first, **last; /* under the subtask's lock */
    int64_t watermark_ms;
    bool has_ended_data;
} leat_input_channel;

typedef struct leat_output_channel {
    leat_peer peer;
    leat_channel_out machine;
    int64_t granted_bytes; /* under the subtask's lock, not yet given to the machine */
    leat_batch_builder builder;
    int64_t builder_since_us; /* when its first row came */
} leat_output_channel;

typedef struct leat_output_edge {
    int32_t edge;
    Leat__Pb__Exchange exchange;
    int32_t *key_columns;
    leat_type *key_types;
    int32_t key_columns_count;
    leat_schema schema;
    leat_layout *layouts;
    int32_t max_parallelism; /* of the target vertex */
    int32_t next_channel;    /* of REBALANCE */
    leat_output_channel *channels;
    int32_t channels_count; /* the target vertex's parallelism; 1 for FORWARD */
    bool is_whole;          /* batches are passed on as they are, no builders */
} leat_output_edge;

enum { LEAT_GAUGES_MAX = 16, LEAT_SNAPSHOTS_MAX = 16 };

typedef struct leat_chain_link {
    leat_operator_context context; /* first: the host gets from it to the link */
    leat_subtask *subtask;
    int32_t index;
    leat_operator *operator;
    bool is_pending; /* the last call said AGAIN */
    atomic_bool is_woken;
    const char *topic; /* that it follows: the operator's; NULL: none */
    bool has_news;
    int64_t timer_us;
    leat_counter records_in, records_out;
    atomic_llong input_watermark_ms, output_watermark_ms; /* INT64_MIN: none yet */
    const char *gauge_names[LEAT_GAUGES_MAX];
    atomic_llong gauges[LEAT_GAUGES_MAX];
    atomic_int gauges_count;
} leat_chain_link;

/* A checkpoint that was cut and is not acknowledged yet. */
typedef struct leat_subtask_snapshot {
    int64_t checkpoint_id;
    bool is_final, is_aborted;         /* is_aborted: nobody wants it, it is only brought to its end */
    leat_operator_snapshot *operators; /* one an operator of the chain, and so are the next two */
    leat_progress *progress;
    struct leat_upload **uploads; /* NULL: nothing of its state is on its way yet */
    int64_t cut_us, sync_us, alignment_us;
} leat_subtask_snapshot;

typedef struct leat_subtask_metrics {
    leat_counter records_in, records_out, bytes_in, bytes_out;
    leat_counter idle_us, backpressured_us;
    atomic_ullong busy_us;
    atomic_llong watermark_ms;
} leat_subtask_metrics;

typedef enum leat_mail_kind {
    LEAT_MAIL_START,
    LEAT_MAIL_CANCEL,
    LEAT_MAIL_STOP, /* sources: produce nothing more */
    LEAT_MAIL_TRIGGER,
    LEAT_MAIL_COMPLETE,
    LEAT_MAIL_ABORTED,
    LEAT_MAIL_SPLIT,
    LEAT_MAIL_NO_MORE_SPLITS,
    LEAT_MAIL_EVENT,
    LEAT_MAIL_COLLECT_ACK,
    LEAT_MAIL_NEWS, /* of the topic in the text */
    LEAT_MAIL_FAIL, /* the data plane found the attempt broken; the text is the error */
} leat_mail_kind;

typedef struct leat_mail leat_mail;
struct leat_mail {
    leat_mail *next;
    leat_mail_kind kind;
    int64_t number; /* checkpoint id, collect sequence */
    size_t size;
    uint8_t data[];
};

typedef enum leat_subtask_state {
    LEAT_SUBTASK_DEPLOYED, /* operators are not open yet */
    LEAT_SUBTASK_READY,    /* open, waits for START */
    LEAT_SUBTASK_RUNNING,
    LEAT_SUBTASK_ENDED,   /* all rows are out; waits for the final checkpoint */
    LEAT_SUBTASK_CLOSING, /* waits for the operators' jobs */
    LEAT_SUBTASK_CLOSED,
} leat_subtask_state;

struct leat_subtask {
    leat_runnable runnable; /* first */
    leat_task_job *job;
    int32_t vertex, index, parallelism, max_parallelism;
    const Leat__Pb__Vertex *plan;
    bool is_source;
    leat_subtask_state state;
    Leat__Pb__TaskState final_state;

    pthread_mutex_t lock;
    leat_mail *mail_first, **mail_last; /* under lock */
    bool is_closed;                     /* under lock: nothing may be delivered any more */

    leat_input_channel *inputs;
    int32_t inputs_count, next_input, ended_data_count;
    leat_aligner aligner;
    leat_output_edge *outputs;
    int32_t outputs_count;

    leat_chain_link *chain;
    int32_t chain_count;
    atomic_int jobs_running; /* spawned by operators */
    atomic_llong memory_bytes;

    leat_source_status source_status;
    bool is_stopped; /* a source that was told to end */
    bool has_end_input_run;
    int64_t last_watermark_ms;
    leat_subtask_snapshot snapshots[LEAT_SNAPSHOTS_MAX];
    int32_t snapshots_count;
    int64_t final_checkpoint_id; /* the first that was cut after the end; 0: none yet */
    uint64_t collect_sent, collect_acked;

    int64_t last_run_end_us; /* for idle and backpressured time */
    bool was_backpressured;
    leat_subtask_metrics metrics;
};

/* Makes a subtask from the plan; channels' peers are filled in by the job. Nothing is opened yet. */
LEAT_CHECKED leat_code leat_subtask_init(leat_subtask *subtask, leat_task_job *job, int32_t vertex, int32_t index,
                                         leat_error *error);
/* After CLOSED. */
void leat_subtask_done(leat_subtask *subtask);

/* Any thread. Takes the mail. False, and the mail is freed, when the subtask is closed. */
bool leat_subtask_post(leat_subtask *subtask, leat_mail *mail);
/* A mail with a copy of the data; NULL: no memory. */
leat_mail *leat_mail_new(leat_mail_kind kind, int64_t number, const void *data, size_t size);
/* Any thread. Takes the element. An element for a closed subtask is freed. */
void leat_subtask_deliver(leat_subtask *subtask, int32_t channel, leat_element *element);
/* Any thread: credit for an output channel. */
void leat_subtask_grant(leat_subtask *subtask, int32_t output, int32_t channel, int64_t bytes);

/* --- between subtask.c, chain.c, input.c, output.c, snapshot.c --- */

int64_t leat_subtask_now_us(leat_subtask *subtask);

/* chain.c */
LEAT_CHECKED leat_code leat_chain_create(leat_subtask *subtask, leat_error *error);
LEAT_CHECKED leat_code leat_chain_open(leat_subtask *subtask, leat_error *error);
void leat_chain_close(leat_subtask *subtask);
LEAT_CHECKED leat_code leat_chain_process(leat_subtask *subtask, int32_t input, leat_batch **batch, leat_error *error);
LEAT_CHECKED leat_code leat_chain_watermark(leat_subtask *subtask, int64_t watermark_ms, leat_error *error);
/* Resumes the deepest pending operator once; false when none is pending. */
LEAT_CHECKED leat_code leat_chain_resume(leat_subtask *subtask, bool *had_pending, leat_error *error);
bool leat_chain_is_pending(const leat_subtask *subtask);
/* Whether every operator takes batches; whether one holds rows that wait for a timer or a wake. */
bool leat_chain_has_room(const leat_subtask *subtask);
bool leat_chain_is_waiting(const leat_subtask *subtask);
/* News, timers that are due and wakes: at most one call an operator. *deadline_us: the earliest timer left. */
LEAT_CHECKED leat_code leat_chain_fire(leat_subtask *subtask, int64_t now_us, int64_t *deadline_us, bool *did_work,
                                       leat_error *error);
/* end_input of each operator, head first, each drained before the next. */
LEAT_CHECKED leat_code leat_chain_end_input(leat_subtask *subtask, leat_error *error);
LEAT_CHECKED leat_code leat_chain_drain(leat_subtask *subtask, leat_error *error);

/* output.c */
LEAT_CHECKED leat_code leat_outputs_init(leat_subtask *subtask, leat_error *error);
void leat_outputs_done(leat_subtask *subtask);
/* Takes what was granted; whether every channel has room. */
bool leat_outputs_have_room(leat_subtask *subtask);
LEAT_CHECKED leat_code leat_outputs_emit(leat_subtask *subtask, leat_batch **batch, leat_error *error);
/* To all channels, outside credits, after what is held in builders. */
LEAT_CHECKED leat_code leat_outputs_broadcast(leat_subtask *subtask, leat_element_kind kind, int64_t value,
                                              leat_error *error);
/* Sends builders older than the buffer timeout. Returns the next deadline. */
LEAT_CHECKED leat_code leat_outputs_flush(leat_subtask *subtask, int64_t now_us, int64_t *deadline_us,
                                          leat_error *error);

/* input.c */
LEAT_CHECKED leat_code leat_inputs_init(leat_subtask *subtask, leat_error *error);
void leat_inputs_done(leat_subtask *subtask);
/* Handles one element of an input that is not blocked; *did_work false when there is none. */
LEAT_CHECKED leat_code leat_inputs_step(leat_subtask *subtask, bool *did_work, leat_error *error);

/* snapshot.c */
LEAT_CHECKED leat_code leat_subtask_cut(leat_subtask *subtask, int64_t checkpoint_id, int64_t alignment_us,
                                        leat_error *error);
/* Goes on with snapshots that are not whole; acknowledges those that are. */
LEAT_CHECKED leat_code leat_subtask_snapshots_step(leat_subtask *subtask, bool *did_work, leat_error *error);
void leat_subtask_snapshots_abort(leat_subtask *subtask, int64_t checkpoint_id);
/* Drops all of them, what was uploaded too, which an I/O thread does. Nothing of the subtask may run there meanwhile.
 */
void leat_subtask_snapshots_drop(leat_subtask *subtask);
