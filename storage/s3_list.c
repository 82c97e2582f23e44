/* S3's lists of keys, and the folders that are made of them: S3 itself has none. */
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "storage/s3_client.h"

enum {
    PAGE_BYTES_MAX = 16 << 20, /* 1,000 keys, each escaped twice */
    LIST_ENTRIES_MAX = 1 << 22,
    PAGES_MAX = 1 << 20,
};

typedef leat_code take_object(void *arg, const leat_s3_object *object, leat_error *error);

/* One page after another: `end` is called after each, and may make room. */
typedef struct pages {
    leat_s3 *s3;
    const leat_s3_place *folder;
    bool is_flat; /* all keys below the folder, else its own entries */
    take_object *take;
    leat_code (*end)(void *arg, leat_error *error);
    void *arg;
} pages;

static leat_code read_page(const pages *self, leat_bytes *body, leat_s3_page *page, leat_error *error)
{
    leat_s3_call call = {.operation = "ListObjectsV2", .method = "GET", .place = self->folder, .is_of_bucket = true};
    leat_bytes_reset(body);
    call.reply.out = body;
    call.reply.out_max = PAGE_BYTES_MAX;
    leat_s3_call_query(&call, "list-type", "2");
    leat_s3_call_query(&call, "encoding-type", "url"); /* XML cannot hold every key */
    leat_s3_call_query(&call, "prefix", self->folder->key);
    if (!self->is_flat) leat_s3_call_query(&call, "delimiter", "/");
    if (page->token) leat_s3_call_query(&call, "continuation-token", page->token);
    leat_code code = leat_s3_send(self->s3, &call, error);
    leat_s3_call_done(&call);
    leat_s3_page_done(page);
    LEAT_TRY(code);
    code = leat_s3_read_page(body->data, body->size, self->take, self->arg, page, error);
    return code == LEAT_OK
               ? LEAT_OK
               : leat_fail_in(error, code, "ListObjectsV2 s3://%s/%s", self->folder->bucket, self->folder->key);
}

static leat_code read_pages(const pages *self, leat_error *error)
{
    leat_bytes body = {0};
    leat_s3_page page = {0};
    leat_code code = LEAT_OK;
    int count = 0;
    do {
        code = read_page(self, &body, &page, error);
        if (code == LEAT_OK && self->end) code = self->end(self->arg, error);
        if (code == LEAT_OK && ++count > PAGES_MAX) code = leat_fail(error, LEAT_LIMIT, "a list without end");
    } while (code == LEAT_OK && page.is_truncated);
    leat_s3_page_done(&page);
    leat_bytes_done(&body);
    return code;
}

/* --- listing --- */

typedef struct lister {
    const leat_s3_place *folder;
    leat_storage_list *out;
} lister;

static leat_code take_entry(void *arg, const leat_s3_object *object, leat_error *error)
{
    lister *self = arg;
    leat_storage_list *out = self->out;
    size_t prefix = strlen(self->folder->key);
    if (strncmp(object->key, self->folder->key, prefix) != 0)
        return leat_fail(error, LEAT_CORRUPT, "the key '%.200s' is not of the folder", object->key);
    const char *name = object->key + prefix;
    size_t length = strlen(name);
    if (object->is_prefix && length && name[length - 1] == '/') length--;
    if (!length) return LEAT_OK; /* the object by which some tools mark an empty folder */
    if (out->count >= LIST_ENTRIES_MAX) return leat_fail(error, LEAT_LIMIT, "more than %d entries", LIST_ENTRIES_MAX);
    LEAT_TRY(leat_grow(&out->entries, &out->capacity, out->count + 1, sizeof *out->entries, error));
    char *copy = leat_strndup(name, length);
    if (!copy) return leat_fail_no_memory(error);
    out->entries[out->count++] = (leat_storage_entry){
        .name = copy, .is_folder = object->is_prefix, .size = object->size, .modified_ms = object->modified_ms};
    return LEAT_OK;
}

static int compare_entries(const void *left, const void *right)
{
    return strcmp(((const leat_storage_entry *)left)->name, ((const leat_storage_entry *)right)->name);
}

leat_code leat_s3_list(leat_storage *storage, const char *folder, leat_storage_list *out, leat_error *error)
{
    leat_s3_place place;
    LEAT_TRY(leat_s3_place_of(folder, true, &place, error));
    lister into = {&place, out};
    const pages wanted = {.s3 = (leat_s3 *)storage, .folder = &place, .take = take_entry, .arg = &into};
    LEAT_TRY(read_pages(&wanted, error));
    if (out->count) qsort(out->entries, out->count, sizeof *out->entries, compare_entries);
    return LEAT_OK;
}

/* --- removing --- */

typedef struct remover {
    leat_s3 *s3;
    const leat_s3_place *folder;
    leat_bytes names; /* of the page, each with its NUL */
    size_t count;
    bool one_by_one; /* the server removes no batches */
} remover;

static leat_code take_name(void *arg, const leat_s3_object *object, leat_error *error)
{
    remover *self = arg;
    leat_bytes_put(&self->names, object->key, strlen(object->key) + 1);
    self->count++;
    return leat_bytes_check(&self->names, error);
}

static void put_xml_text(leat_bytes *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == '&' || c == '<' || c == '>')
            leat_bytes_format(out, "&#%u;", (unsigned)c);
        else
            leat_bytes_put_u8(out, c);
    }
}

static void put_base64(leat_bytes *out, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)data[i + 2] : 0);
        leat_bytes_put_u8(out, (uint8_t)digits[three >> 18]);
        leat_bytes_put_u8(out, (uint8_t)digits[three >> 12 & 63]);
        leat_bytes_put_u8(out, (uint8_t)(left > 1 ? digits[three >> 6 & 63] : '='));
        leat_bytes_put_u8(out, (uint8_t)(left > 2 ? digits[three & 63] : '='));
    }
    leat_bytes_text(out, "");
}

static leat_code check_removal(leat_s3_call *call, leat_error *error)
{
    return leat_s3_read_removal(call->reply.out->data, call->reply.out->size, error);
}

static leat_code remove_batch(remover *self, leat_bytes *body, leat_bytes *md5, leat_bytes *answer, leat_error *error)
{
    leat_bytes_text(body, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
    const char *name = (const char *)self->names.data;
    for (size_t i = 0; i < self->count; i++, name += strlen(name) + 1) {
        leat_bytes_text(body, "<Object><Key>");
        put_xml_text(body, name);
        leat_bytes_text(body, "</Key></Object>");
    }
    leat_bytes_text(body, "</Delete>");
    LEAT_TRY(leat_bytes_check(body, error));
    uint8_t hash[16];
    LEAT_TRY(leat_md5(body->data, body->size, hash, error));
    put_base64(md5, hash, sizeof hash);
    LEAT_TRY(leat_bytes_check(md5, error));
    leat_s3_call call = {.operation = "DeleteObjects",
                         .method = "POST",
                         .place = self->folder,
                         .is_of_bucket = true,
                         .body = body->data,
                         .body_size = body->size,
                         .check = check_removal};
    call.reply.out = answer;
    call.reply.out_max = PAGE_BYTES_MAX;
    leat_s3_call_query(&call, "delete", "");
    leat_s3_call_header(&call, "content-md5", (const char *)md5->data);
    leat_code code = leat_s3_send(self->s3, &call, error);
    leat_s3_call_done(&call);
    return code;
}

static leat_code remove_each(remover *self, leat_error *error)
{
    const char *name = (const char *)self->names.data;
    for (size_t i = 0; i < self->count; i++, name += strlen(name) + 1) {
        char *path = leat_format("s3://%s/%s", self->folder->bucket, name);
        if (!path) return leat_fail_no_memory(error);
        leat_code code = leat_storage_remove(&self->s3->storage, path, error);
        leat_free(path);
        LEAT_TRY(code);
    }
    return LEAT_OK;
}

static leat_code end_page(void *arg, leat_error *error)
{
    remover *self = arg;
    leat_code code = LEAT_OK;
    if (self->count && !self->one_by_one) {
        leat_bytes body = {0}, md5 = {0}, answer = {0};
        code = remove_batch(self, &body, &md5, &answer, error);
        leat_bytes_done(&body);
        leat_bytes_done(&md5);
        leat_bytes_done(&answer);
        self->one_by_one = code == LEAT_UNSUPPORTED;
    }
    if (self->count && self->one_by_one) code = remove_each(self, error);
    leat_bytes_reset(&self->names);
    self->count = 0;
    return code;
}

leat_code leat_s3_remove_folder(leat_storage *storage, const char *folder, leat_error *error)
{
    leat_s3_place place;
    LEAT_TRY(leat_s3_place_of(folder, true, &place, error));
    if (!place.key[0]) return leat_fail(error, LEAT_INVALID, "%s is a whole bucket: it is not removed", folder);
    remover each = {.s3 = (leat_s3 *)storage, .folder = &place};
    const pages wanted = {
        .s3 = (leat_s3 *)storage, .folder = &place, .is_flat = true, .take = take_name, .end = end_page, .arg = &each};
    leat_code code = read_pages(&wanted, error);
    leat_bytes_done(&each.names);
    return code;
}
