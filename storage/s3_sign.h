/* Amazon's Signature Version 4 as S3 wants it, and the hashes it is made of. Pure: no clock, no socket.
 *
 * A path is escaped once and not normalised; the query is sorted by name; the hash of the body is always signed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

enum { LEAT_SHA256_HEX_BYTES = 65, LEAT_MD5_HEX_BYTES = 33, LEAT_S3_TIME_BYTES = 17 };

typedef struct leat_s3_pair {
    const char *name, *value;
} leat_s3_pair;

typedef struct leat_s3_credentials {
    const char *access_key, *secret_key;
    const char *session_token; /* NULL: none */
} leat_s3_credentials;

/* What is signed of a request. Borrowed. */
typedef struct leat_s3_to_sign {
    const char *method, *path; /* the path is escaped */
    const leat_s3_pair *query; /* not escaped, in any order */
    size_t query_count;
    const leat_s3_pair *headers; /* names in lower case, in any order; with host, x-amz-date, x-amz-content-sha256 */
    size_t headers_count;
    const char *payload_sha256; /* in hex, as in x-amz-content-sha256 */
    const char *region, *service;
    const char *time; /* leat_s3_time of now, as in x-amz-date */
} leat_s3_to_sign;

enum { LEAT_S3_PAIRS_MAX = 16 }; /* of query and of headers, each */

/* Hashes in lower-case hex. LEAT_UNSUPPORTED where the system's policy forbids the hash. */
LEAT_CHECKED leat_code leat_sha256_hex(const void *data, size_t size, char out[LEAT_SHA256_HEX_BYTES],
                                       leat_error *error);
LEAT_CHECKED leat_code leat_md5(const void *data, size_t size, uint8_t out[16], leat_error *error);
void leat_hex(const uint8_t *data, size_t size, char *out); /* 2 * size characters and a NUL */

/* "20130524T000000Z" of milliseconds since the epoch. */
void leat_s3_time(int64_t time_ms, char out[LEAT_S3_TIME_BYTES]);
/* Appends `text` with everything but A-Z a-z 0-9 - _ . ~ as %XX; '/' stays when asked for. A NUL is kept behind. */
void leat_s3_escape(const char *text, bool keeps_slash, leat_bytes *out);
/* Appends "a=1&b=2", sorted and escaped: what goes on the wire is what was signed. */
LEAT_CHECKED leat_code leat_s3_query(const leat_s3_pair *query, size_t count, leat_bytes *out, leat_error *error);

/* The canonical request, and what is signed of it; for tests, and for the explanation of a mismatch. */
LEAT_CHECKED leat_code leat_s3_canonical_request(const leat_s3_to_sign *request, leat_bytes *out, leat_error *error);
/* The key of one day, region and service. */
LEAT_CHECKED leat_code leat_s3_signing_key(const char *secret_key, const char *date, const char *region,
                                           const char *service, uint8_t out[32], leat_error *error);
/* Appends the value of the Authorization header. */
LEAT_CHECKED leat_code leat_s3_authorization(const leat_s3_to_sign *request, const leat_s3_credentials *credentials,
                                             leat_bytes *out, leat_error *error);
