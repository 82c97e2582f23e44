#include "storage/s3_options.h"

#include <errno.h>
#include <string.h>

#include "common/memory.h"

enum {
    PROFILE_BYTES_MAX = 1 << 20,
    PART_BYTES_MIN = 5 << 20, /* S3's own bounds */
    PART_BYTES_MAX = 1 << 30,
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **text, size_t *length)
{
    while (*length && is_blank(**text)) {
        (*text)++;
        (*length)--;
    }
    while (*length && is_blank((*text)[*length - 1]))
        (*length)--;
}

static bool equals(const char *text, size_t length, const char *wanted)
{
    return strlen(wanted) == length && memcmp(text, wanted, length) == 0;
}

leat_code leat_ini_find(const char *text, const char *section, const char *key, char **out, leat_error *error)
{
    *out = NULL;
    bool is_inside = false;
    for (const char *line = text; *line;) {
        size_t whole = strcspn(line, "\n"), length = whole;
        const char *start = line;
        line += whole + (line[whole] == '\n');
        bool is_nested = length && is_blank(*start); /* "s3 =" and its indented lines belong to a tool */
        trim(&start, &length);
        if (!length || *start == '#' || *start == ';' || is_nested) continue;
        if (*start == '[') {
            const char *name = start + 1, *end = memchr(start, ']', length);
            size_t name_length = end ? (size_t)(end - name) : 0;
            trim(&name, &name_length);
            is_inside = end && equals(name, name_length, section);
            continue;
        }
        const char *sign = memchr(start, '=', length);
        if (!is_inside || !sign) continue;
        const char *value = sign + 1;
        size_t key_length = (size_t)(sign - start), value_length = length - key_length - 1;
        trim(&start, &key_length);
        trim(&value, &value_length);
        if (!equals(start, key_length, key)) continue;
        leat_free(*out);
        *out = leat_strndup(value, value_length);
        if (!*out) return leat_fail_no_memory(error);
    }
    return LEAT_OK;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The text of a file of the AWS tools; "" when there is none. */
static leat_code load_file(const char *variable, const char *below_home, leat_bytes *out, leat_error *error)
{
    const char *named = environment(variable), *home = environment("HOME");
    leat_bytes_text(out, "");
    if (!named && !home) return leat_bytes_check(out, error);
    char *path = named ? leat_strdup(named) : leat_format("%s/%s", home, below_home);
    if (!path) return leat_fail_no_memory(error);
    FILE *file = fopen(path, "re");
    leat_code code = LEAT_OK;
    if (!file && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
        code = leat_fail_errno(error, leat_code_of_errno(errno), errno, "open %s", path);
    char piece[4096];
    for (size_t got; code == LEAT_OK && file && (got = fread(piece, 1, sizeof piece, file)) > 0;) {
        leat_bytes_put(out, piece, got);
        if (out->size > PROFILE_BYTES_MAX) code = leat_fail(error, LEAT_LIMIT, "%s is too large", path);
    }
    if (file) (void)fclose(file); /* only read */
    explicit_bzero(piece, sizeof piece);
    leat_free(path);
    leat_bytes_text(out, "");
    return code == LEAT_OK ? leat_bytes_check(out, error) : code;
}

typedef struct profile {
    leat_bytes credentials, config;
    char name[128], config_section[160];
} profile;

static void profile_done(profile *self)
{
    if (self->credentials.data) explicit_bzero(self->credentials.data, self->credentials.size);
    if (self->config.data) explicit_bzero(self->config.data, self->config.size);
    leat_bytes_done(&self->credentials);
    leat_bytes_done(&self->config);
}

static leat_code profile_load(profile *self, leat_error *error)
{
    const char *name = environment("AWS_PROFILE");
    if (!name) name = "default";
    bool is_default = strcmp(name, "default") == 0;
    (void)snprintf(self->name, sizeof self->name, "%s", name);
    (void)snprintf(self->config_section, sizeof self->config_section, "%s%s", is_default ? "" : "profile ", name);
    LEAT_TRY(load_file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", &self->credentials, error));
    return load_file("AWS_CONFIG_FILE", ".aws/config", &self->config, error);
}

/* From the credentials file, else the configuration file. */
static leat_code profile_find(const profile *self, const char *key, char **out, leat_error *error)
{
    LEAT_TRY(leat_ini_find((const char *)self->credentials.data, self->name, key, out, error));
    if (*out) return LEAT_OK;
    return leat_ini_find((const char *)self->config.data, self->config_section, key, out, error);
}

/* NULL also for a value that is "". */
static const char *configured(const leat_config *config, leat_option option)
{
    const char *value = leat_config_string(config, option);
    return *value ? value : NULL;
}

static leat_code keep(const char *value, char **out, leat_error *error)
{
    if (!value) return LEAT_OK;
    *out = leat_strdup(value);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

static leat_code check_keys(const leat_s3_options *self, const char *where, leat_error *error)
{
    if (self->access_key && self->secret_key) return LEAT_OK;
    return leat_fail(error, LEAT_INVALID, "S3: %s %s key without %s key", where,
                     self->access_key ? "an access" : "a secret", self->access_key ? "a secret" : "an access");
}

static leat_code load_keys(const leat_config *config, const profile *files, leat_s3_options *out, leat_error *error)
{
    LEAT_TRY(keep(configured(config, LEAT_OPTION_S3_ACCESS_KEY), &out->access_key, error));
    LEAT_TRY(keep(configured(config, LEAT_OPTION_S3_SECRET_KEY), &out->secret_key, error));
    LEAT_TRY(keep(configured(config, LEAT_OPTION_S3_SESSION_TOKEN), &out->session_token, error));
    if (out->access_key || out->secret_key) return check_keys(out, "the configuration has", error);
    leat_free(out->session_token);
    out->session_token = NULL;
    LEAT_TRY(keep(environment("AWS_ACCESS_KEY_ID"), &out->access_key, error));
    LEAT_TRY(keep(environment("AWS_SECRET_ACCESS_KEY"), &out->secret_key, error));
    if (out->access_key || out->secret_key) {
        LEAT_TRY(keep(environment("AWS_SESSION_TOKEN"), &out->session_token, error));
        return check_keys(out, "the environment has", error);
    }
    LEAT_TRY(profile_find(files, "aws_access_key_id", &out->access_key, error));
    LEAT_TRY(profile_find(files, "aws_secret_access_key", &out->secret_key, error));
    LEAT_TRY(profile_find(files, "aws_session_token", &out->session_token, error));
    if (out->access_key || out->secret_key) return check_keys(out, "the AWS profile has", error);
    leat_code code = leat_fail(error, LEAT_DENIED, "S3: there are no credentials");
    leat_fail_hint(error, "set s3.access-key and s3.secret-key in leat.yaml, AWS_ACCESS_KEY_ID and "
                          "AWS_SECRET_ACCESS_KEY in the environment, or ~/.aws/credentials");
    return code;
}

static leat_code load_place(const leat_config *config, const profile *files, leat_s3_options *out, leat_error *error)
{
    const char *region = configured(config, LEAT_OPTION_S3_REGION);
    if (!region) region = environment("AWS_REGION");
    if (!region) region = environment("AWS_DEFAULT_REGION");
    LEAT_TRY(keep(region, &out->region, error));
    if (!out->region) LEAT_TRY(profile_find(files, "region", &out->region, error));
    if (!out->region) LEAT_TRY(keep("us-east-1", &out->region, error));
    const char *endpoint = configured(config, LEAT_OPTION_S3_ENDPOINT);
    if (!endpoint) endpoint = environment("AWS_ENDPOINT_URL_S3");
    if (!endpoint) endpoint = environment("AWS_ENDPOINT_URL");
    LEAT_TRY(keep(endpoint, &out->endpoint, error));
    if (!out->endpoint) LEAT_TRY(profile_find(files, "endpoint_url", &out->endpoint, error));
    return LEAT_OK;
}

/* A header's or an address's line must stay one. */
static leat_code check_text(const char *what, const char *text, leat_error *error)
{
    for (const char *at = text; at && *at; at++) {
        if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f)
            return leat_fail(error, LEAT_INVALID, "S3: %s holds a blank or a character that cannot be in it", what);
    }
    return LEAT_OK;
}

static leat_code check_endpoint(leat_s3_options *self, leat_error *error)
{
    if (!self->endpoint) return LEAT_OK;
    if (!strstr(self->endpoint, "://")) { /* as Hadoop takes it: a host alone */
        char *whole = leat_format("https://%s", self->endpoint);
        if (!whole) return leat_fail_no_memory(error);
        leat_free(self->endpoint);
        self->endpoint = whole;
    }
    size_t length = strlen(self->endpoint);
    while (length && self->endpoint[length - 1] == '/')
        self->endpoint[--length] = '\0';
    const char *host = strstr(self->endpoint, "://");
    bool is_known = strncmp(self->endpoint, "https://", 8) == 0 || strncmp(self->endpoint, "http://", 7) == 0;
    if (is_known && host && host[3] && !strpbrk(host + 3, "/?#@")) return LEAT_OK;
    leat_code code = leat_fail(error, LEAT_INVALID, "S3: the endpoint is not http(s)://host[:port]");
    leat_fail_hint(error, "s3.endpoint is an address without path, user or password, as http://127.0.0.1:9000");
    return code;
}

static leat_code check(leat_s3_options *self, leat_error *error)
{
    LEAT_TRY(check_text("the access key", self->access_key, error));
    LEAT_TRY(check_text("the secret key", self->secret_key, error));
    LEAT_TRY(check_text("the session token", self->session_token, error));
    LEAT_TRY(check_text("the region", self->region, error));
    LEAT_TRY(check_text("the endpoint", self->endpoint, error));
    LEAT_TRY(check_endpoint(self, error));
    if (self->part_bytes < PART_BYTES_MIN || self->part_bytes > PART_BYTES_MAX)
        return leat_fail(error, LEAT_INVALID, "option 's3.multipart.size' is not between 5 mb and 1 gb");
    if (self->connections_max < 1 || self->connections_max > 1024)
        return leat_fail(error, LEAT_INVALID, "option 's3.connection.maximum' is not between 1 and 1024");
    if (self->uploads_max < 0 || self->uploads_max > 64)
        return leat_fail(error, LEAT_INVALID, "option 's3.fast.upload.active.blocks' is not between 0 and 64");
    if (self->retries_max < 0 || self->retries_max > 1000)
        return leat_fail(error, LEAT_INVALID, "option 's3.retry.limit' is not between 0 and 1000");
    if (self->connect_timeout_ms < 1 || self->stall_timeout_ms < 1000)
        return leat_fail(error, LEAT_INVALID,
                         "option 's3.connection.timeout' is shorter than 1 s, or 's3.connection."
                         "establish.timeout' is 0");
    return LEAT_OK;
}

leat_code leat_s3_options_load(const leat_config *config, leat_s3_options *out, leat_error *error)
{
    leat_s3_options self = {
        .is_path_style = leat_config_bool(config, LEAT_OPTION_S3_PATH_STYLE),
        .connect_timeout_ms = leat_config_duration_ms(config, LEAT_OPTION_S3_CONNECT_TIMEOUT),
        .stall_timeout_ms = leat_config_duration_ms(config, LEAT_OPTION_S3_STALL_TIMEOUT),
        .retry_interval_ms = leat_config_duration_ms(config, LEAT_OPTION_S3_RETRY_INTERVAL),
        .retry_budget_ms = leat_config_duration_ms(config, LEAT_OPTION_S3_RETRY_BUDGET),
        .retries_max = leat_config_int(config, LEAT_OPTION_S3_RETRY_LIMIT),
        .connections_max = leat_config_int(config, LEAT_OPTION_S3_CONNECTIONS),
        .uploads_max = leat_config_int(config, LEAT_OPTION_S3_UPLOADS),
        .part_bytes = (size_t)leat_config_memory_bytes(config, LEAT_OPTION_S3_PART_SIZE),
    };
    profile files = {0};
    leat_code code = profile_load(&files, error);
    if (code == LEAT_OK) code = load_keys(config, &files, &self, error);
    if (code == LEAT_OK) code = load_place(config, &files, &self, error);
    if (code == LEAT_OK) code = check(&self, error);
    profile_done(&files);
    if (code == LEAT_OK)
        *out = self;
    else
        leat_s3_options_done(&self);
    return code;
}

static void forget(char **secret)
{
    if (*secret) explicit_bzero(*secret, strlen(*secret));
    leat_free(*secret);
    *secret = NULL;
}

void leat_s3_options_done(leat_s3_options *options)
{
    leat_free(options->endpoint);
    leat_free(options->region);
    forget(&options->access_key);
    forget(&options->secret_key);
    forget(&options->session_token);
    *options = (leat_s3_options){0};
}
