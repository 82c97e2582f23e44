/* Objects of S3: the operations on one object. Lists and folders are in s3_list.c, the streamed writer in s3_upload.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "storage/s3_client.h"

/* --- reading --- */

typedef struct read_check {
    leat_s3 *s3;
    size_t out_before;
    uint64_t offset;
    size_t size;
    char md5[LEAT_MD5_HEX_BYTES]; /* of a body that did not fit its etag; "": none yet */
} read_check;

/* "bytes 0-9/100". */
static bool parse_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total)
{
    return sscanf(text, "bytes %19" SCNu64 "-%19" SCNu64 "/%19" SCNu64, first, last, total) == 3 && *first <= *last &&
           *last < *total;
}

/* The etag of a whole, unencrypted object that was put at once is the MD5 of its bytes. */
static bool is_md5(const leat_s3_reply *reply)
{
    return strlen(reply->etag) == 34 && reply->etag[0] == '"' && strspn(reply->etag + 1, "0123456789abcdef") == 32 &&
           (!reply->encryption[0] || strcmp(reply->encryption, "AES256") == 0);
}

static leat_code check_etag(leat_s3_call *call, read_check *self, leat_error *error)
{
    const leat_s3_reply *reply = &call->reply;
    if (!is_md5(reply) || atomic_load(&self->s3->etags) == LEAT_S3_ETAGS_OTHER) return LEAT_OK;
    uint8_t hash[16];
    char hex[LEAT_MD5_HEX_BYTES];
    const uint8_t *data = reply->out->data ? reply->out->data + self->out_before : (const uint8_t *)"";
    if (leat_md5(data, reply->out->size - self->out_before, hash, NULL) != LEAT_OK) return LEAT_OK; /* policy forbids */
    leat_hex(hash, sizeof hash, hex);
    if (memcmp(hex, reply->etag + 1, 32) == 0) {
        atomic_store(&self->s3->etags, LEAT_S3_ETAGS_MD5);
        return LEAT_OK;
    }
    /* The same bytes again: no accident of the way, it is what the server has. */
    if (strcmp(hex, self->md5) == 0) {
        if (atomic_load(&self->s3->etags) == LEAT_S3_ETAGS_MD5)
            return leat_fail(error, LEAT_CORRUPT, "the bytes are not those of etag %s", reply->etag);
        atomic_store(&self->s3->etags, LEAT_S3_ETAGS_OTHER);
        leat_log(LEAT_LOG_WARN, "s3", "this server's etags are not MD5s of the bytes: they are not compared any more");
        return LEAT_OK;
    }
    memcpy(self->md5, hex, sizeof hex);
    return leat_fail(error, LEAT_IO, "the bytes that came are not those of etag %s", reply->etag);
}

/* Whether what came is what was asked for. That it has its Content-Length is seen to by the transport. */
static leat_code check_read(leat_s3_call *call, leat_error *error)
{
    read_check *self = call->check_arg;
    const leat_s3_reply *reply = &call->reply;
    uint64_t got = reply->out->size - self->out_before, first = 0, last = 0, total = got;
    if (reply->status == 206) {
        bool is_range = parse_range(reply->content_range, &first, &last, &total);
        bool is_whole = got == self->size || last + 1 == total;
        if (!is_range || first != self->offset || last - first + 1 != got || !is_whole)
            return leat_fail(error, LEAT_IO, "%" PRIu64 " bytes came as '%s'", got, reply->content_range);
    } else if (self->offset) {
        return leat_fail(error, LEAT_UNSUPPORTED, "the server gives no ranges of objects");
    }
    return got == total ? check_etag(call, self, error) : LEAT_OK;
}

static leat_code s3_size(leat_storage *storage, const char *path, uint64_t *out, leat_error *error)
{
    leat_s3_place place;
    LEAT_TRY(leat_s3_place_of(path, false, &place, error));
    leat_s3_call call = {.operation = "HeadObject", .method = "HEAD", .place = &place};
    leat_code code = leat_s3_send((leat_s3 *)storage, &call, error);
    if (code == LEAT_OK && !call.reply.has_length)
        code = leat_fail(error, LEAT_CORRUPT, "HeadObject %s: the reply has no Content-Length", path);
    if (code == LEAT_OK) *out = call.reply.length;
    leat_s3_call_done(&call);
    return code;
}

/* Beyond every object, and far enough from where a server's arithmetic ends. */
#define OFFSET_MAX ((uint64_t)1 << 60)

static leat_code s3_get(leat_storage *storage, const char *path, uint64_t offset, size_t size, leat_bytes *out,
                        leat_error *error)
{
    leat_s3 *self = (leat_s3 *)storage;
    uint64_t object_size;
    if (!size || offset > OFFSET_MAX) return s3_size(storage, path, &object_size, error);
    leat_s3_place place;
    LEAT_TRY(leat_s3_place_of(path, false, &place, error));
    uint64_t last = size < OFFSET_MAX ? offset + size - 1 : 2 * OFFSET_MAX;
    char range[64];
    snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, offset, last);
    read_check check = {.s3 = self, .out_before = out->size, .offset = offset, .size = size};
    leat_s3_call call = {.operation = "GetObject", .method = "GET", .place = &place, .check = check_read};
    call.check_arg = &check;
    call.reply.out = out;
    call.reply.out_max = size;
    leat_s3_call_header(&call, "range", range);
    leat_error failure = {0};
    leat_code code = leat_s3_send(self, &call, &failure);
    if (call.reply.status == 416) code = LEAT_OK; /* the object ends before the range */
    if (code != LEAT_OK && error) *error = failure;
    leat_s3_call_done(&call);
    return code;
}

static leat_code s3_get_version(leat_storage *storage, const char *path, size_t limit_bytes, leat_bytes *out,
                                leat_storage_version *version, leat_error *error)
{
    leat_s3 *self = (leat_s3 *)storage;
    leat_s3_place place;
    LEAT_TRY(leat_s3_place_of(path, false, &place, error));
    read_check check = {.s3 = self, .out_before = out->size, .size = limit_bytes};
    leat_s3_call call = {.operation = "GetObject", .method = "GET", .place = &place, .check = check_read};
    call.check_arg = &check;
    call.reply.out = out;
    call.reply.out_max = limit_bytes;
    leat_code code = leat_s3_send(self, &call, error);
    if (code == LEAT_OK) snprintf(version->text, sizeof version->text, "%s", call.reply.etag);
    leat_s3_call_done(&call);
    return code;
}

/* --- writing --- */

leat_code leat_s3_put_whole(leat_s3 *self, const leat_s3_place *place, const void *data, size_t size, leat_error *error)
{
    leat_s3_call call = {
        .operation = "PutObject", .method = "PUT", .place = place, .body = size ? data : "", .body_size = size};
    leat_code code = leat_s3_send(self, &call, error);
    leat_s3_call_done(&call);
    return code;
}

/* With If-Match or If-None-Match. A refusal that answers a retry may be of our own bytes, written by a try whose reply
 * was lost: they are known by their mark. LEAT_CONFLICT: another's are there. */
static leat_code put_if(leat_s3 *self, const char *path, const void *data, size_t size, const leat_s3_pair *condition,
                        leat_storage_version *version, leat_error *error)
{
    leat_s3_place place;
    LEAT_TRY(leat_s3_place_of(path, false, &place, error));
    char mark[LEAT_S3_MARK_BYTES];
    leat_s3_mark(self, mark);
    leat_s3_call call = {
        .operation = "PutObject", .method = "PUT", .place = &place, .body = size ? data : "", .body_size = size};
    leat_s3_call_header(&call, condition->name, condition->value);
    leat_s3_call_header(&call, "x-amz-meta-leat-mark", mark);
    leat_error failure = {0};
    leat_code code = leat_s3_send(self, &call, &failure);
    if (code == LEAT_OK && version) snprintf(version->text, sizeof version->text, "%s", call.reply.etag);
    if (code == LEAT_CONFLICT && call.is_unsure) {
        bool is_ours;
        leat_code looked = leat_s3_has_mark(self, &place, mark, &is_ours, version, &failure);
        code = looked != LEAT_OK ? looked : is_ours ? LEAT_OK : LEAT_CONFLICT;
    }
    if (code != LEAT_OK && error) *error = failure;
    leat_s3_call_done(&call);
    return code;
}

static leat_code s3_put(leat_storage *storage, const char *path, const void *data, size_t size, leat_put_mode mode,
                        leat_error *error)
{
    leat_s3 *self = (leat_s3 *)storage;
    if (mode == LEAT_PUT_REPLACE) {
        leat_s3_place place;
        LEAT_TRY(leat_s3_place_of(path, false, &place, error));
        return leat_s3_put_whole(self, &place, data, size, error);
    }
    const leat_s3_pair condition = {"if-none-match", "*"};
    leat_code code = put_if(self, path, data, size, &condition, NULL, error);
    return code == LEAT_CONFLICT ? leat_fail(error, LEAT_EXISTS, "create %s: it exists already", path) : code;
}

static leat_code s3_replace(leat_storage *storage, const char *path, const void *data, size_t size,
                            leat_storage_version *version, leat_error *error)
{
    const leat_storage_version before = *version;
    const leat_s3_pair condition = {"if-match", before.text};
    leat_code code = put_if((leat_s3 *)storage, path, data, size, &condition, version, error);
    if (code != LEAT_CONFLICT && code != LEAT_NOT_FOUND) return code;
    return leat_fail(error, LEAT_CONFLICT, "replace %s: it has changed", path);
}

static leat_code s3_remove(leat_storage *storage, const char *path, leat_error *error)
{
    leat_s3_place place;
    LEAT_TRY(leat_s3_place_of(path, false, &place, error));
    leat_s3_call call = {.operation = "DeleteObject", .method = "DELETE", .place = &place};
    leat_error failure = {0};
    leat_code code = leat_s3_send((leat_s3 *)storage, &call, &failure);
    leat_s3_call_done(&call);
    if (code == LEAT_NOT_FOUND) return LEAT_OK;
    if (code != LEAT_OK && error) *error = failure;
    return code;
}

static leat_code check_copy(leat_s3_call *call, leat_error *error)
{
    char *etag = NULL;
    LEAT_TRY(
        leat_s3_read_field(call->reply.text.data, call->reply.text.size, "CopyObjectResult", "ETag", &etag, error));
    leat_free(etag);
    return LEAT_OK;
}

static leat_code s3_copy(leat_storage *storage, const char *from, const char *to, leat_error *error)
{
    leat_s3_place source, place;
    LEAT_TRY(leat_s3_place_of(from, false, &source, error));
    LEAT_TRY(leat_s3_place_of(to, false, &place, error));
    leat_bytes name = {0};
    leat_bytes_format(&name, "/%s/", source.bucket);
    leat_s3_escape(source.key, true, &name);
    leat_code code = leat_bytes_check(&name, error);
    leat_s3_call call = {.operation = "CopyObject", .method = "PUT", .place = &place, .body = "", .check = check_copy};
    if (code == LEAT_OK) {
        leat_s3_call_header(&call, "x-amz-copy-source", (const char *)name.data);
        code = leat_s3_send((leat_s3 *)storage, &call, error);
    }
    /* Larger than 5 GB, or a server that has no copies. */
    if (code == LEAT_INVALID && strcmp(call.failure.code, "InvalidRequest") == 0) code = LEAT_UNSUPPORTED;
    if (code == LEAT_NOT_FOUND) code = leat_fail_in(error, code, "copy %s", from);
    leat_s3_call_done(&call);
    leat_bytes_done(&name);
    return code;
}

static void s3_free(leat_storage *storage)
{
    leat_s3 *self = (leat_s3 *)storage;
    self->transport->free(self->transport);
    leat_s3_options_done(&self->options);
    leat_free(self);
}

static const leat_storage_vtable s3_vtable = {.put = s3_put,
                                              .get = s3_get,
                                              .size = s3_size,
                                              .list = leat_s3_list,
                                              .remove = s3_remove,
                                              .remove_folder = leat_s3_remove_folder,
                                              .create = leat_s3_create,
                                              .free = s3_free,
                                              .copy = s3_copy,
                                              .get_version = s3_get_version,
                                              .replace = s3_replace};

leat_code leat_s3_new(leat_s3_options *options, leat_env *env, leat_s3_transport *transport, leat_storage **out,
                      leat_error *error)
{
    leat_s3 *self = leat_calloc(1, sizeof *self);
    if (!self) {
        transport->free(transport);
        leat_s3_options_done(options);
        return leat_fail_no_memory(error);
    }
    self->storage.vtable = &s3_vtable;
    self->env = env;
    self->options = *options;
    self->transport = transport;
    *options = (leat_s3_options){0};
    *out = &self->storage;
    return LEAT_OK;
}

leat_code leat_storage_s3_new(const struct leat_config *config, struct leat_env *env, leat_storage **out,
                              leat_error *error)
{
    leat_s3_options options = {0};
    leat_s3_transport *transport;
    LEAT_TRY(leat_s3_options_load(config, &options, error));
    leat_code code = leat_s3_curl_new((size_t)options.connections_max, &transport, error);
    if (code == LEAT_OK) return leat_s3_new(&options, env, transport, out, error);
    leat_s3_options_done(&options);
    return code;
}
