/* A transport that plays a script, and an environment whose time is made: what the S3 storage is tested over. */
#pragma once

#include <pthread.h>

#include "storage/s3_client.h"

/* What one request is answered with. `method` NULL: the script's end. */
typedef struct step {
    const char *method, *url; /* the end of the address that is expected */
    leat_code code;           /* no reply came */
    int status, sends;        /* sends 0: one */
    const char *head, *body;  /* lines of the head, each with "\n"; MARK in it is the mark that was put last */
} step;

typedef struct world {
    leat_env env; /* first */
    leat_s3_transport transport;
    leat_storage *storage;
    const step *script;
    int at;
    char mark[64], condition[160], date[32];
    int64_t now_ms, mono_us, slept_ms;
    uint64_t random;
    leat_error error;
    /* for the server that remembers */
    pthread_mutex_t lock;
    int parts, parts_now, parts_most, parts_failing;
    size_t parts_bytes;
} world;

extern world here;
extern const char secret_key[];

/* cmocka's setup and teardown of a test. */
int begin(void **state);
int end(void **state);
void open_storage(int64_t uploads_max);
void put_lines(leat_s3_reply *reply, const char *head);
void give_body(leat_s3_reply *reply, const char *body);
void play(const step *script);
void assert_played(void);
