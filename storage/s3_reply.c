#include <string.h>
#include <strings.h>

#include "storage/s3_http.h"

void leat_s3_reply_reset(leat_s3_reply *reply, size_t out_size)
{
    leat_bytes *out = reply->out, text = reply->text;
    size_t out_max = reply->out_max;
    leat_bytes_reset(&text);
    if (out) out->size = out_size;
    *reply = (leat_s3_reply){.out = out, .out_max = out_max, .text = text};
}

static void keep(const char *value, size_t size, char *out, size_t out_bytes)
{
    if (size >= out_bytes) size = out_bytes - 1;
    memcpy(out, value, size);
    out[size] = '\0';
    for (char *at = out; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?'; /* it may come into an error or a log */
    }
}

/* "HTTP/1.1 200 OK": a new head, after "100 Continue" for example. */
static bool take_status(leat_s3_reply *reply, const char *line, size_t size)
{
    if (size < 5 || memcmp(line, "HTTP/", 5) != 0) return false;
    const char *at = memchr(line, ' ', size), *end = line + size;
    int status = 0;
    for (; at && at < end && *at == ' ';)
        at++;
    for (int i = 0; at && i < 3 && at < end && *at >= '0' && *at <= '9'; i++)
        status = status * 10 + (*at++ - '0');
    reply->status = status;
    reply->is_head_whole = false;
    return true;
}

static void take_length(leat_s3_reply *reply, const char *value, size_t size)
{
    uint64_t length = 0;
    for (size_t i = 0; i < size && i < 19 && value[i] >= '0' && value[i] <= '9'; i++)
        length = length * 10 + (uint64_t)(value[i] - '0');
    reply->length = length;
    reply->has_length = size > 0;
}

void leat_s3_reply_line(leat_s3_reply *reply, const char *line, size_t size)
{
    const struct {
        const char *name;
        char *place;
        size_t bytes;
    } fields[] = {
        {"etag", reply->etag, sizeof reply->etag},
        {"date", reply->date, sizeof reply->date},
        {"x-amz-request-id", reply->request_id, sizeof reply->request_id},
        {"x-amz-bucket-region", reply->region, sizeof reply->region},
        {"content-range", reply->content_range, sizeof reply->content_range},
        {"x-amz-meta-leat-mark", reply->mark, sizeof reply->mark},
        {"x-amz-server-side-encryption", reply->encryption, sizeof reply->encryption},
    };
    if (take_status(reply, line, size)) return;
    if (size <= 2 && size && line[size - 1] == '\n') reply->is_head_whole = true;
    const char *colon = memchr(line, ':', size);
    if (!colon) return;
    size_t name_size = (size_t)(colon - line), value_size = size - name_size - 1;
    const char *value = colon + 1;
    while (value_size && (*value == ' ' || *value == '\t')) {
        value++;
        value_size--;
    }
    while (value_size && strchr(" \t\r\n", value[value_size - 1]))
        value_size--;
    if (name_size == 14 && strncasecmp(line, "content-length", 14) == 0) take_length(reply, value, value_size);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (name_size == strlen(fields[i].name) && strncasecmp(line, fields[i].name, name_size) == 0)
            keep(value, value_size, fields[i].place, fields[i].bytes);
    }
}
