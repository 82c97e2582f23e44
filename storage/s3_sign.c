#include "storage/s3_sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

static leat_code digest(const EVP_MD *kind, const void *data, size_t size, uint8_t *out, leat_error *error)
{
    unsigned length = 0;
    if (EVP_Digest(data, size, out, &length, kind, NULL) == 1) return LEAT_OK;
    return leat_fail(error, LEAT_UNSUPPORTED, "the hash %s cannot be computed here", EVP_MD_get0_name(kind));
}

void leat_hex(const uint8_t *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * size] = '\0';
}

leat_code leat_sha256_hex(const void *data, size_t size, char out[LEAT_SHA256_HEX_BYTES], leat_error *error)
{
    uint8_t hash[32];
    LEAT_TRY(digest(EVP_sha256(), data, size, hash, error));
    leat_hex(hash, sizeof hash, out);
    return LEAT_OK;
}

leat_code leat_md5(const void *data, size_t size, uint8_t out[16], leat_error *error)
{
    return digest(EVP_md5(), data, size, out, error);
}

static leat_code hmac(const void *key, size_t key_size, const void *data, size_t size, uint8_t out[32],
                      leat_error *error)
{
    unsigned length = 0;
    if (HMAC(EVP_sha256(), key, (int)key_size, data, size, out, &length)) return LEAT_OK;
    return leat_fail(error, LEAT_UNSUPPORTED, "HMAC-SHA256 cannot be computed here");
}

void leat_s3_time(int64_t time_ms, char out[LEAT_S3_TIME_BYTES])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || !strftime(out, LEAT_S3_TIME_BYTES, "%Y%m%dT%H%M%SZ", &parts)) {
        memcpy(out, "19700101T000000Z", LEAT_S3_TIME_BYTES); /* no such year: refused as too far from now */
    }
}

static bool is_plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '~';
}

void leat_s3_escape(const char *text, bool keeps_slash, leat_bytes *out)
{
    for (const char *at = text; *at; at++) {
        if (is_plain(*at) || (keeps_slash && *at == '/'))
            leat_bytes_put_u8(out, (uint8_t)*at);
        else
            leat_bytes_format(out, "%%%02X", (unsigned)(unsigned char)*at);
    }
    leat_bytes_text(out, "");
}

static int compare_pairs(const void *left, const void *right)
{
    return strcmp(((const leat_s3_pair *)left)->name, ((const leat_s3_pair *)right)->name);
}

static leat_code sort_pairs(const leat_s3_pair *pairs, size_t count, leat_s3_pair out[LEAT_S3_PAIRS_MAX],
                            leat_error *error)
{
    if (count > LEAT_S3_PAIRS_MAX) return leat_fail(error, LEAT_LIMIT, "a request of %zu headers or parameters", count);
    if (!count) return LEAT_OK;
    memcpy(out, pairs, count * sizeof *pairs);
    qsort(out, count, sizeof *out, compare_pairs);
    return LEAT_OK;
}

leat_code leat_s3_query(const leat_s3_pair *query, size_t count, leat_bytes *out, leat_error *error)
{
    leat_s3_pair sorted[LEAT_S3_PAIRS_MAX];
    LEAT_TRY(sort_pairs(query, count, sorted, error));
    for (size_t i = 0; i < count; i++) {
        if (i) leat_bytes_put_u8(out, '&');
        leat_s3_escape(sorted[i].name, false, out);
        leat_bytes_put_u8(out, '=');
        leat_s3_escape(sorted[i].value, false, out);
    }
    leat_bytes_text(out, "");
    return leat_bytes_check(out, error);
}

/* A header's value without blanks around it, and with single ones inside. */
static void put_trimmed(const char *value, leat_bytes *out)
{
    bool has_text = false, is_pending = false;
    for (const char *at = value; *at; at++) {
        if (*at == ' ' || *at == '\t') {
            is_pending = has_text;
            continue;
        }
        if (is_pending) leat_bytes_put_u8(out, ' ');
        leat_bytes_put_u8(out, (uint8_t)*at);
        has_text = true;
        is_pending = false;
    }
}

static void put_names(const leat_s3_pair *sorted, size_t count, leat_bytes *out)
{
    for (size_t i = 0; i < count; i++)
        leat_bytes_format(out, "%s%s", i ? ";" : "", sorted[i].name);
}

leat_code leat_s3_canonical_request(const leat_s3_to_sign *request, leat_bytes *out, leat_error *error)
{
    leat_s3_pair headers[LEAT_S3_PAIRS_MAX];
    LEAT_TRY(sort_pairs(request->headers, request->headers_count, headers, error));
    leat_bytes_format(out, "%s\n%s\n", request->method, request->path);
    LEAT_TRY(leat_s3_query(request->query, request->query_count, out, error));
    leat_bytes_put_u8(out, '\n');
    for (size_t i = 0; i < request->headers_count; i++) {
        leat_bytes_format(out, "%s:", headers[i].name);
        put_trimmed(headers[i].value, out);
        leat_bytes_put_u8(out, '\n');
    }
    leat_bytes_put_u8(out, '\n');
    put_names(headers, request->headers_count, out);
    leat_bytes_format(out, "\n%s", request->payload_sha256);
    return leat_bytes_check(out, error);
}

leat_code leat_s3_signing_key(const char *secret_key, const char *date, const char *region, const char *service,
                              uint8_t out[32], leat_error *error)
{
    char *first = leat_format("AWS4%s", secret_key);
    if (!first) return leat_fail_no_memory(error);
    uint8_t key[32];
    leat_code code = hmac(first, strlen(first), date, strlen(date), key, error);
    explicit_bzero(first, strlen(first));
    leat_free(first);
    LEAT_TRY(code);
    uint8_t next[32];
    LEAT_TRY(hmac(key, sizeof key, region, strlen(region), next, error));
    LEAT_TRY(hmac(next, sizeof next, service, strlen(service), key, error));
    return hmac(key, sizeof key, "aws4_request", strlen("aws4_request"), out, error);
}

static leat_code sign(const leat_s3_to_sign *request, const leat_s3_credentials *credentials, const char *date,
                      leat_bytes *scratch, char out[LEAT_SHA256_HEX_BYTES], leat_error *error)
{
    LEAT_TRY(leat_s3_canonical_request(request, scratch, error));
    char hash[LEAT_SHA256_HEX_BYTES];
    LEAT_TRY(leat_sha256_hex(scratch->data, scratch->size, hash, error));
    leat_bytes_reset(scratch);
    leat_bytes_format(scratch, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", request->time, date, request->region,
                      request->service, hash);
    LEAT_TRY(leat_bytes_check(scratch, error));
    uint8_t key[32], signature[32];
    LEAT_TRY(leat_s3_signing_key(credentials->secret_key, date, request->region, request->service, key, error));
    LEAT_TRY(hmac(key, sizeof key, scratch->data, scratch->size, signature, error));
    leat_hex(signature, sizeof signature, out);
    return LEAT_OK;
}

leat_code leat_s3_authorization(const leat_s3_to_sign *request, const leat_s3_credentials *credentials, leat_bytes *out,
                                leat_error *error)
{
    char date[9], signature[LEAT_SHA256_HEX_BYTES];
    snprintf(date, sizeof date, "%.8s", request->time);
    leat_bytes scratch = {0};
    leat_code code = sign(request, credentials, date, &scratch, signature, error);
    leat_bytes_done(&scratch);
    LEAT_TRY(code);
    leat_s3_pair headers[LEAT_S3_PAIRS_MAX];
    LEAT_TRY(sort_pairs(request->headers, request->headers_count, headers, error));
    leat_bytes_format(out,
                      "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request,SignedHeaders=", credentials->access_key,
                      date, request->region, request->service);
    put_names(headers, request->headers_count, out);
    leat_bytes_format(out, ",Signature=%s", signature);
    return leat_bytes_check(out, error);
}
