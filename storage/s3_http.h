/* One HTTP request to S3, and its reply: the seam below which sockets are. Tests script it; production is libcurl,
 * opened when the first request is made, so that a process without S3 does not carry it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "storage/s3_sign.h"

typedef struct leat_s3_wire {
    const char *method, *url;
    const leat_s3_pair *headers;
    size_t headers_count;
    const void *body;
    size_t body_size;
    int64_t connect_timeout_ms, stall_timeout_ms, timeout_ms; /* timeout: of the whole */
} leat_s3_wire;

enum { LEAT_S3_ERROR_BYTES_MAX = 64 << 10 };

/* Fields that the reply does not have are "". */
typedef struct leat_s3_reply {
    int status;
    int sends;       /* how often the request went out: libcurl repeats one whose kept connection had died */
    leat_bytes *out; /* where the body of a 2xx status is appended; NULL: into `text` */
    size_t out_max;  /* bytes; more is an error */
    leat_bytes text; /* the body of other statuses, up to LEAT_S3_ERROR_BYTES_MAX */
    char etag[128], date[64], request_id[128], region[32], content_range[96], mark[64], encryption[32];
    bool has_length, is_head_whole; /* the empty line behind the head came */
    uint64_t length;                /* Content-Length; what HEAD asks for */
} leat_s3_reply;

typedef struct leat_s3_transport leat_s3_transport;
struct leat_s3_transport {
    /* LEAT_OK when a whole reply came, whatever its status. LEAT_UNAVAILABLE, LEAT_TIMEOUT, LEAT_IO may pass. Any
     * thread. */
    leat_code (*send)(leat_s3_transport *self, const leat_s3_wire *wire, leat_s3_reply *reply, leat_error *error);
    void (*free)(leat_s3_transport *self);
};

/* At most `connections_max` requests at once; others wait their turn. LEAT_UNSUPPORTED when libcurl is not there. */
LEAT_CHECKED leat_code leat_s3_curl_new(size_t connections_max, leat_s3_transport **out, leat_error *error);

/* Takes one line of a reply's head: the status, or a field. For transports. */
void leat_s3_reply_line(leat_s3_reply *reply, const char *line, size_t size);
/* Forgets what an earlier try was told; `out` keeps what it had before that try. */
void leat_s3_reply_reset(leat_s3_reply *reply, size_t out_size);
