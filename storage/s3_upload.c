/* The streamed writer. A small object goes in one request when it is finished; a larger one in parts, of which some are
 * sent in the background while the next is collected. A thread a part: it waits for the network and nothing else. */
#include <pthread.h>
#include <string.h>

#include "common/memory.h"
#include "storage/s3_client.h"

enum {
    PARTS_MAX = 10000,        /* S3's bound */
    PROCESS_UPLOADS_MAX = 32, /* in the background, of all writers; beyond it a writer sends its parts itself */
    ETAG_BYTES = 128,
};

typedef struct part_etag {
    char text[ETAG_BYTES];
} part_etag;

typedef struct upload upload;

/* A part under way. The thread owns all of it until it is joined. */
typedef struct slot {
    upload *owner;
    pthread_t thread;
    bool is_used;
    size_t number; /* from 1 */
    leat_bytes data;
    part_etag etag;
    leat_code code;
    leat_error error;
} slot;

struct upload {
    leat_storage_writer writer; /* first */
    leat_s3 *s3;
    leat_s3_place place;
    leat_bytes buffer; /* what is not in a part yet */
    char *id;          /* NULL: no part was sent */
    char mark[LEAT_S3_MARK_BYTES];
    part_etag *etags;
    size_t etags_count, etags_capacity;
    leat_code code; /* of the first part that failed */
    leat_error error;
    slot self_slot; /* for the part that the writer sends itself */
    size_t slots_count;
    slot slots[];
};

static leat_code check_begin(leat_s3_call *call, leat_error *error)
{
    return leat_s3_read_field(call->reply.text.data, call->reply.text.size, "InitiateMultipartUploadResult", "UploadId",
                              call->check_arg, error);
}

static leat_code begin(upload *self, leat_error *error)
{
    leat_s3_call call = {.operation = "CreateMultipartUpload",
                         .method = "POST",
                         .place = &self->place,
                         .body = "",
                         .check = check_begin,
                         .check_arg = &self->id};
    leat_s3_mark(self->s3, self->mark);
    leat_s3_call_query(&call, "uploads", "");
    leat_s3_call_header(&call, "x-amz-meta-leat-mark", self->mark);
    leat_code code = leat_s3_send(self->s3, &call, error);
    leat_s3_call_done(&call);
    return code;
}

static void send_part(slot *part)
{
    char number[16];
    snprintf(number, sizeof number, "%zu", part->number);
    leat_s3_call call = {.operation = "UploadPart",
                         .method = "PUT",
                         .place = &part->owner->place,
                         .body = part->data.data,
                         .body_size = part->data.size};
    leat_s3_call_query(&call, "partNumber", number);
    leat_s3_call_query(&call, "uploadId", part->owner->id);
    part->error = (leat_error){0};
    part->code = leat_s3_send(part->owner->s3, &call, &part->error);
    if (part->code == LEAT_OK && !call.reply.etag[0])
        part->code = leat_fail(&part->error, LEAT_CORRUPT, "the reply to a part has no etag");
    snprintf(part->etag.text, sizeof part->etag.text, "%s", call.reply.etag);
    leat_s3_call_done(&call);
}

static void *run_part(void *arg)
{
    slot *part = arg;
    send_part(part);
    return NULL;
}

/* A part has come to its end: its etag is kept, or its error. */
static void settle(upload *self, slot *part)
{
    if (part->code == LEAT_OK) {
        self->etags[part->number - 1] = part->etag;
    } else if (self->code == LEAT_OK) {
        self->code = part->code;
        self->error = part->error;
    }
    leat_bytes_reset(&part->data);
}

static void join_slot(upload *self, slot *part)
{
    if (!part->is_used) return;
    pthread_join(part->thread, NULL);
    atomic_fetch_sub(&self->s3->uploads, 1);
    part->is_used = false;
    settle(self, part);
}

static void join_all(upload *self)
{
    for (size_t i = 0; i < self->slots_count; i++)
        join_slot(self, &self->slots[i]);
}

/* Slots are used in turn, so that the one that is waited for has had the most time. False: the process has enough. */
static bool start_in_background(upload *self)
{
    if (!self->slots_count) return false;
    slot *part = &self->slots[self->etags_count % self->slots_count];
    join_slot(self, part);
    if (atomic_fetch_add(&self->s3->uploads, 1) >= PROCESS_UPLOADS_MAX) {
        atomic_fetch_sub(&self->s3->uploads, 1);
        return false;
    }
    leat_bytes taken = part->data;
    part->data = self->buffer;
    part->owner = self;
    part->number = self->etags_count + 1;
    part->is_used = pthread_create(&part->thread, NULL, run_part, part) == 0;
    if (!part->is_used) { /* no thread to be had: the writer does it */
        atomic_fetch_sub(&self->s3->uploads, 1);
        part->data = taken;
        return false;
    }
    self->buffer = taken;
    return true;
}

/* Sends the buffer as the next part, and leaves it empty. */
static leat_code flush(upload *self, leat_error *error)
{
    if (self->etags_count >= PARTS_MAX) {
        leat_code code = leat_fail(error, LEAT_LIMIT, "s3://%s/%s: more than %d parts of %zu bytes", self->place.bucket,
                                   self->place.key, PARTS_MAX, self->s3->options.part_bytes);
        leat_fail_hint(error, "a larger s3.multipart.size makes larger objects possible");
        return code;
    }
    if (!self->id) LEAT_TRY(begin(self, error));
    LEAT_TRY(leat_grow(&self->etags, &self->etags_capacity, self->etags_count + 1, sizeof *self->etags, error));
    if (!start_in_background(self)) {
        slot *part = &self->self_slot;
        part->owner = self;
        part->number = self->etags_count + 1;
        part->data = self->buffer;
        send_part(part);
        settle(self, part);
        self->buffer = part->data;
        part->data = (leat_bytes){0};
    }
    self->etags_count++;
    if (self->code != LEAT_OK && error) *error = self->error;
    return self->code;
}

static leat_code upload_write(leat_storage_writer *writer, const void *data, size_t size, leat_error *error)
{
    upload *self = (upload *)writer;
    size_t part_bytes = self->s3->options.part_bytes;
    const char *at = data;
    while (size) {
        if (self->buffer.size == part_bytes) LEAT_TRY(flush(self, error));
        size_t room = part_bytes - self->buffer.size, step = size < room ? size : room;
        leat_bytes_put(&self->buffer, at, step);
        LEAT_TRY(leat_bytes_check(&self->buffer, error));
        at += step;
        size -= step;
    }
    return LEAT_OK;
}

static void upload_free(upload *self)
{
    for (size_t i = 0; i < self->slots_count; i++)
        leat_bytes_done(&self->slots[i].data);
    leat_bytes_done(&self->buffer);
    leat_free(self->id);
    leat_free(self->etags);
    leat_free(self);
}

/* Best effort: what is left is hidden, and a lifecycle rule of the bucket removes it (docs/storage.md). */
static void upload_abort(leat_storage_writer *writer)
{
    upload *self = (upload *)writer;
    join_all(self);
    if (self->id) {
        leat_s3_call call = {.operation = "AbortMultipartUpload", .method = "DELETE", .place = &self->place};
        leat_s3_call_query(&call, "uploadId", self->id);
        leat_code code = leat_s3_send(self->s3, &call, NULL);
        (void)code;
        leat_s3_call_done(&call);
    }
    upload_free(self);
}

static leat_code check_complete(leat_s3_call *call, leat_error *error)
{
    char *etag = NULL;
    const leat_bytes *text = &call->reply.text;
    LEAT_TRY(leat_s3_read_field(text->data, text->size, "CompleteMultipartUploadResult", "ETag", &etag, error));
    leat_free(etag);
    return LEAT_OK;
}

static leat_code make_parts_list(const upload *self, leat_bytes *out, leat_error *error)
{
    leat_bytes_text(out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < self->etags_count; i++) {
        leat_bytes_format(out, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>", i + 1, self->etags[i].text);
    }
    leat_bytes_text(out, "</CompleteMultipartUpload>");
    return leat_bytes_check(out, error);
}

/* When a reply was lost, a retry is told that there is no such upload. The object is known by the mark that the upload
 * was begun with. */
static leat_code complete(upload *self, leat_error *error)
{
    leat_bytes body = {0};
    leat_code code = make_parts_list(self, &body, error);
    leat_s3_call call = {.operation = "CompleteMultipartUpload",
                         .method = "POST",
                         .place = &self->place,
                         .body = body.data,
                         .body_size = body.size,
                         .check = check_complete};
    leat_error failure = {0};
    leat_s3_call_query(&call, "uploadId", self->id);
    if (code == LEAT_OK) code = leat_s3_send(self->s3, &call, &failure);
    bool is_there = false;
    if (code != LEAT_OK && call.is_unsure &&
        leat_s3_has_mark(self->s3, &self->place, self->mark, &is_there, NULL, NULL) == LEAT_OK && is_there) {
        code = LEAT_OK;
    }
    if (code != LEAT_OK && error && failure.code != LEAT_OK) *error = failure;
    leat_s3_call_done(&call);
    leat_bytes_done(&body);
    return code;
}

static leat_code finish_parts(upload *self, leat_error *error)
{
    if (self->buffer.size) LEAT_TRY(flush(self, error));
    join_all(self);
    if (self->code != LEAT_OK) {
        if (error) *error = self->error;
        return self->code;
    }
    return complete(self, error);
}

static leat_code upload_finish(leat_storage_writer *writer, leat_error *error)
{
    upload *self = (upload *)writer;
    if (!self->id) {
        leat_code code = leat_s3_put_whole(self->s3, &self->place, self->buffer.data, self->buffer.size, error);
        upload_free(self);
        return code;
    }
    leat_code code = finish_parts(self, error);
    if (code == LEAT_OK)
        upload_free(self);
    else
        upload_abort(writer);
    return code;
}

static const leat_storage_writer_vtable upload_vtable = {upload_write, upload_finish, upload_abort};

leat_code leat_s3_create(leat_storage *storage, const char *path, leat_storage_writer **out, leat_error *error)
{
    leat_s3 *s3 = (leat_s3 *)storage;
    size_t slots = (size_t)s3->options.uploads_max;
    upload *self = leat_calloc(1, sizeof *self + slots * sizeof *self->slots);
    if (!self) return leat_fail_no_memory(error);
    self->writer.vtable = &upload_vtable;
    self->s3 = s3;
    self->slots_count = slots;
    leat_code code = leat_s3_place_of(path, false, &self->place, error);
    if (code == LEAT_OK)
        *out = &self->writer;
    else
        upload_free(self);
    return code;
}
