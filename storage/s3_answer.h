/* What S3's answers say: XML bodies, dates, lists of keys. Untrusted, and pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* An <Error>. What is not in it is "". */
typedef struct leat_s3_failure {
    char code[64], message[256], request_id[128], region[32];
} leat_s3_failure;

/* False when the body holds no <Error>; then *out is all "". */
bool leat_s3_read_failure(const void *body, size_t size, leat_s3_failure *out);

typedef struct leat_s3_object {
    const char *key; /* decoded; of a common prefix with its slash */
    bool is_prefix;
    uint64_t size;
    int64_t modified_ms;
} leat_s3_object;

typedef struct leat_s3_page {
    bool is_truncated;
    char *token; /* for the next page; freed by leat_s3_page_done */
} leat_s3_page;

/* Calls `take` with each object and common prefix of a ListObjectsV2 answer; the key is borrowed for the call. */
LEAT_CHECKED leat_code leat_s3_read_page(const void *body, size_t size,
                                         leat_code (*take)(void *arg, const leat_s3_object *object, leat_error *error),
                                         void *arg, leat_s3_page *out, leat_error *error);
void leat_s3_page_done(leat_s3_page *page);

/* The text of <root><name>…, a copy for leat_free: an upload's id, a copy's etag. LEAT_CORRUPT when it is not there,
 * LEAT_IO when the answer is an <Error> though its status was a success, as it may be when S3 took long. */
LEAT_CHECKED leat_code leat_s3_read_field(const void *body, size_t size, const char *root, const char *name, char **out,
                                          leat_error *error);
/* Of a DeleteObjects answer: the error for the first key that was not removed. */
LEAT_CHECKED leat_code leat_s3_read_removal(const void *body, size_t size, leat_error *error);

/* "Wed, 25 Nov 2026 02:39:55 GMT" and "2026-11-25T02:39:55.000Z", in milliseconds since the epoch; -1: neither. */
int64_t leat_s3_parse_date(const char *text);
