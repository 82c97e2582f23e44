/* Where S3 is, who we are there, and how patient we are. */
#pragma once

#include "common/config.h"
#include "storage/s3_sign.h"

typedef struct leat_s3_options {
    char *endpoint; /* "https://host[:port]" without a slash at its end; NULL: Amazon's of the region */
    char *region;
    char *access_key, *secret_key, *session_token; /* token NULL: none */
    bool is_path_style;                            /* asked for; leat_s3_is_path_style tells what is done */
    int64_t connect_timeout_ms, stall_timeout_ms, retry_interval_ms, retry_budget_ms;
    int64_t retries_max, connections_max, uploads_max;
    size_t part_bytes;
} leat_s3_options;

/* From the configuration (s3.*), else the environment (AWS_*), else the profile files of the AWS tools
 * (~/.aws/credentials, ~/.aws/config). Keys and token come from one of these, never mixed. LEAT_DENIED when there are
 * none, LEAT_INVALID for values that cannot be. Errors hold no secrets. */
LEAT_CHECKED leat_code leat_s3_options_load(const leat_config *config, leat_s3_options *out, leat_error *error);
void leat_s3_options_done(leat_s3_options *options);

/* One value of an INI text: "[section]" then "key = value"; a copy for leat_free, *out NULL when it is not there. */
LEAT_CHECKED leat_code leat_ini_find(const char *text, const char *section, const char *key, char **out,
                                     leat_error *error);
