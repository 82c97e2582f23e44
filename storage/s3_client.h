/* Inside of the S3 storage: one call with its retries, and what its operations share. */
#pragma once

#include <stdatomic.h>

#include "common/env.h"
#include "storage/s3_answer.h"
#include "storage/s3_http.h"
#include "storage/s3_options.h"
#include "storage/storage.h"

/* What etags that look like MD5s of the bytes have turned out to be. */
enum leat_s3_etags { LEAT_S3_ETAGS_UNKNOWN, LEAT_S3_ETAGS_MD5, LEAT_S3_ETAGS_OTHER };

typedef struct leat_s3 {
    leat_storage storage; /* first */
    leat_env *env;
    leat_s3_options options;
    leat_s3_transport *transport;
    atomic_int_fast64_t skew_ms; /* theirs minus ours, once a request was refused for it */
    atomic_int uploads;          /* parts that are sent in the background now */
    atomic_int etags;            /* leat_s3_etags */
} leat_s3;

enum { LEAT_S3_BUCKET_BYTES = 256, LEAT_S3_KEY_BYTES_MAX = 1024, LEAT_S3_MARK_BYTES = 33 };

/* "s3://bucket/key"; s3a:// is the same. */
typedef struct leat_s3_place {
    char bucket[LEAT_S3_BUCKET_BYTES];
    char key[LEAT_S3_KEY_BYTES_MAX + 2]; /* of a folder with its slash; "": the bucket itself */
} leat_s3_place;

LEAT_CHECKED leat_code leat_s3_place_of(const char *path, bool is_folder, leat_s3_place *out, leat_error *error);

typedef struct leat_s3_call {
    const char *operation; /* for errors: S3's name of it */
    const char *method;
    const leat_s3_place *place;
    bool is_of_bucket;                                                         /* the key is not part of the address */
    leat_s3_pair query[LEAT_S3_PAIRS_MAX / 2], headers[LEAT_S3_PAIRS_MAX / 2]; /* names in lower case */
    size_t query_count, headers_count;
    const void *body;
    size_t body_size;
    /* Looks at a 2xx reply before it is taken for one; a code that may pass makes the call go on. NULL: nothing to see.
     */
    leat_code (*check)(struct leat_s3_call *call, leat_error *error);
    void *check_arg;
    leat_s3_reply reply;     /* `out` and `out_max` are the caller's; done with leat_s3_call_done */
    leat_s3_failure failure; /* of the last reply */
    bool is_unsure;          /* an earlier try may have been carried out: its reply did not come */
} leat_s3_call;

void leat_s3_call_query(leat_s3_call *call, const char *name, const char *value);
void leat_s3_call_header(leat_s3_call *call, const char *name, const char *value);
/* Makes the call until it succeeds (2xx), cannot succeed, or the patience is at its end. Errors name operation, object,
 * status, S3's own words and the request. 404: LEAT_NOT_FOUND; 412: LEAT_CONFLICT. */
LEAT_CHECKED leat_code leat_s3_send(leat_s3 *self, leat_s3_call *call, leat_error *error);
void leat_s3_call_done(leat_s3_call *call);
/* A mark of our own, put on an object so that it is known again when the reply was lost. */
void leat_s3_mark(leat_s3 *self, char out[LEAT_S3_MARK_BYTES]);
/* *out: whether the object that is there now has this mark; if so, its version (NULL: not asked for). */
LEAT_CHECKED leat_code leat_s3_has_mark(leat_s3 *self, const leat_s3_place *place, const char *mark, bool *out,
                                        leat_storage_version *version, leat_error *error);
/* The whole object in one request. */
LEAT_CHECKED leat_code leat_s3_put_whole(leat_s3 *self, const leat_s3_place *place, const void *data, size_t size,
                                         leat_error *error);

/* A storage over this transport, which it owns, also when this fails; the options are moved in. */
LEAT_CHECKED leat_code leat_s3_new(leat_s3_options *options, leat_env *env, leat_s3_transport *transport,
                                   leat_storage **out, leat_error *error);

/* Operations that have files of their own. */
LEAT_CHECKED leat_code leat_s3_list(leat_storage *storage, const char *folder, leat_storage_list *out,
                                    leat_error *error);
LEAT_CHECKED leat_code leat_s3_remove_folder(leat_storage *storage, const char *folder, leat_error *error);
LEAT_CHECKED leat_code leat_s3_create(leat_storage *storage, const char *path, leat_storage_writer **out,
                                      leat_error *error);

/* --- pure parts, for tests --- */

typedef enum leat_s3_verdict {
    LEAT_S3_DONE,  /* 2xx */
    LEAT_S3_AGAIN, /* may pass */
    LEAT_S3_CLOCK, /* refused because of the time that was signed */
    LEAT_S3_NEVER,
} leat_s3_verdict;

/* What to do after a try: `sent` is the transport's code. `clock_off_ms`: how far the reply's date is from ours. */
leat_s3_verdict leat_s3_judge(leat_code sent, int status, const leat_s3_failure *failure, int64_t clock_off_ms);
/* The pause before retry n = 0, 1, …: doubles from `interval_ms` up to a bound, of which `random` takes up to a half.
 */
int64_t leat_s3_pause_ms(int64_t interval_ms, int64_t retry, uint64_t random);
/* Whether the bucket stands in the path. */
bool leat_s3_is_path_style(const leat_s3_options *options, const char *bucket);
/* Host and escaped path, as they are signed, and the address that they make. */
LEAT_CHECKED leat_code leat_s3_address(const leat_s3_options *options, const leat_s3_call *call, leat_bytes *host,
                                       leat_bytes *path, leat_bytes *url, leat_error *error);
