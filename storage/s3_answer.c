#include "storage/s3_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/memory.h"
#include "storage/xml.h"

/* Texts of S3's go into errors and logs: characters that could break a line become '?'. */
static void copy_text(const leat_bytes *from, char *out, size_t size)
{
    snprintf(out, size, "%s", (const char *)from->data);
    for (char *at = out; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
    }
}

bool leat_s3_read_failure(const void *body, size_t size, leat_s3_failure *out)
{
    *out = (leat_s3_failure){0};
    leat_xml xml;
    leat_xml_init(&xml, body, size);
    leat_xml_event event = LEAT_XML_OPEN;
    bool is_failure = false;
    leat_code code = LEAT_OK;
    while (code == LEAT_OK && event != LEAT_XML_END) {
        code = leat_xml_next(&xml, &event, NULL);
        if (code != LEAT_OK || event != LEAT_XML_CLOSE) continue;
        if (leat_xml_is(&xml, "Error", "Code")) copy_text(&xml.text, out->code, sizeof out->code);
        if (leat_xml_is(&xml, "Error", "Message")) copy_text(&xml.text, out->message, sizeof out->message);
        if (leat_xml_is(&xml, "Error", "RequestId")) copy_text(&xml.text, out->request_id, sizeof out->request_id);
        if (leat_xml_is(&xml, "Error", "Region")) copy_text(&xml.text, out->region, sizeof out->region);
        is_failure |= leat_xml_is(&xml, NULL, "Error");
    }
    leat_xml_done(&xml);
    if (!is_failure || code != LEAT_OK) *out = (leat_s3_failure){0};
    return is_failure && code == LEAT_OK;
}

static leat_code fail_as_told(const leat_s3_failure *failure, leat_error *error)
{
    return leat_fail(error, LEAT_IO, "S3 answered %s: %s", failure->code[0] ? failure->code : "an error",
                     failure->message);
}

static int from_hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* In place: %XX, and '+' for a blank. False: a '%' that stands for nothing, or for a NUL. */
static bool unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *to++ = (char)(*at == '+' ? ' ' : *at);
            continue;
        }
        int high = from_hex(at[1]), low = high < 0 ? -1 : from_hex(at[2]);
        if (low < 0 || (high == 0 && low == 0)) return false;
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return true;
}

typedef struct page_reader {
    leat_xml xml;
    leat_bytes key;
    leat_s3_object object;
    bool is_escaped; /* the answer's own word: servers that ignore encoding-type leave it out */
    leat_code (*take)(void *arg, const leat_s3_object *object, leat_error *error);
    void *arg;
} page_reader;

static bool parse_size(const leat_bytes *text, uint64_t *out)
{
    char *end;
    const char *digits = (const char *)text->data;
    if (digits[0] < '0' || digits[0] > '9') return false;
    *out = strtoull(digits, &end, 10);
    return *end == '\0' && text->size < 20;
}

static leat_code keep_key(page_reader *self, leat_error *error)
{
    leat_bytes_reset(&self->key);
    leat_bytes_text(&self->key, (const char *)self->xml.text.data);
    LEAT_TRY(leat_bytes_check(&self->key, error));
    if (self->is_escaped && !unescape((char *)self->key.data)) {
        return leat_fail(error, LEAT_CORRUPT, "a list of objects: '%s' is not a key", (const char *)self->key.data);
    }
    self->object.key = (const char *)self->key.data;
    return LEAT_OK;
}

static leat_code end_object(page_reader *self, bool is_prefix, leat_error *error)
{
    if (!self->object.key) return leat_fail(error, LEAT_CORRUPT, "a list of objects: an entry without key");
    self->object.is_prefix = is_prefix;
    leat_code code = self->take(self->arg, &self->object, error);
    self->object = (leat_s3_object){0};
    return code;
}

static leat_code close_in_page(page_reader *self, leat_s3_page *out, leat_error *error)
{
    leat_xml *xml = &self->xml;
    const char *text = (const char *)xml->text.data;
    if (leat_xml_is(xml, "Contents", "Key") || leat_xml_is(xml, "CommonPrefixes", "Prefix"))
        return keep_key(self, error);
    if (leat_xml_is(xml, "Contents", "Size") && !parse_size(&xml->text, &self->object.size))
        return leat_fail(error, LEAT_CORRUPT, "a list of objects: '%.40s' is not a size", text);
    if (leat_xml_is(xml, "Contents", "LastModified")) self->object.modified_ms = leat_s3_parse_date(text);
    if (leat_xml_is(xml, "ListBucketResult", "Contents")) return end_object(self, false, error);
    if (leat_xml_is(xml, "ListBucketResult", "CommonPrefixes")) return end_object(self, true, error);
    if (leat_xml_is(xml, "ListBucketResult", "IsTruncated")) out->is_truncated = strcmp(text, "true") == 0;
    if (leat_xml_is(xml, "ListBucketResult", "NextContinuationToken")) {
        leat_free(out->token);
        out->token = leat_strdup(text);
        if (!out->token) return leat_fail_no_memory(error);
    }
    return LEAT_OK;
}

/* Reads ahead: the word may stand behind the keys. Broken answers are told of when they are read. */
static bool says_escaped(const void *body, size_t size)
{
    leat_xml xml;
    leat_xml_init(&xml, body, size);
    leat_xml_event event = LEAT_XML_OPEN;
    bool is_escaped = false;
    while (leat_xml_next(&xml, &event, NULL) == LEAT_OK && event != LEAT_XML_END) {
        if (event == LEAT_XML_CLOSE && leat_xml_is(&xml, "ListBucketResult", "EncodingType"))
            is_escaped = strcmp((const char *)xml.text.data, "url") == 0;
    }
    leat_xml_done(&xml);
    return is_escaped;
}

leat_code leat_s3_read_page(const void *body, size_t size,
                            leat_code (*take)(void *arg, const leat_s3_object *object, leat_error *error), void *arg,
                            leat_s3_page *out, leat_error *error)
{
    page_reader self = {.take = take, .arg = arg, .is_escaped = says_escaped(body, size)};
    *out = (leat_s3_page){0};
    leat_xml_init(&self.xml, body, size);
    leat_xml_event event = LEAT_XML_OPEN;
    bool is_list = false;
    leat_code code = LEAT_OK;
    while (code == LEAT_OK && event != LEAT_XML_END) {
        code = leat_xml_next(&self.xml, &event, error);
        if (code != LEAT_OK || event != LEAT_XML_CLOSE) continue;
        code = close_in_page(&self, out, error);
        is_list |= leat_xml_is(&self.xml, NULL, "ListBucketResult");
    }
    if (code == LEAT_OK && !is_list) code = leat_fail(error, LEAT_CORRUPT, "a list of objects: it is something else");
    if (code == LEAT_OK && out->is_truncated && !out->token)
        code = leat_fail(error, LEAT_CORRUPT, "a list of objects: it goes on, and does not say how");
    leat_xml_done(&self.xml);
    leat_bytes_done(&self.key);
    if (code != LEAT_OK) leat_s3_page_done(out);
    return code;
}

void leat_s3_page_done(leat_s3_page *page)
{
    leat_free(page->token);
    *page = (leat_s3_page){0};
}

leat_code leat_s3_read_field(const void *body, size_t size, const char *root, const char *name, char **out,
                             leat_error *error)
{
    leat_s3_failure failure;
    if (leat_s3_read_failure(body, size, &failure)) return fail_as_told(&failure, error);
    leat_xml xml;
    leat_xml_init(&xml, body, size);
    leat_xml_event event = LEAT_XML_OPEN;
    char *found = NULL;
    leat_code code = LEAT_OK;
    while (code == LEAT_OK && event != LEAT_XML_END) {
        code = leat_xml_next(&xml, &event, error);
        if (code != LEAT_OK || event != LEAT_XML_CLOSE || found || !leat_xml_is(&xml, root, name)) continue;
        found = leat_strdup((const char *)xml.text.data);
        if (!found) code = leat_fail_no_memory(error);
    }
    leat_xml_done(&xml);
    if (code == LEAT_OK && !found)
        code = leat_fail(error, LEAT_CORRUPT, "S3's answer has no <%s> with a <%s>", root, name);
    if (code == LEAT_OK)
        *out = found;
    else
        leat_free(found);
    return code;
}

leat_code leat_s3_read_removal(const void *body, size_t size, leat_error *error)
{
    leat_s3_failure failure = {0};
    if (leat_s3_read_failure(body, size, &failure)) return fail_as_told(&failure, error);
    leat_xml xml;
    leat_xml_init(&xml, body, size);
    leat_xml_event event = LEAT_XML_OPEN;
    bool is_result = false;
    char key[256] = "";
    leat_code code = LEAT_OK;
    while (code == LEAT_OK && event != LEAT_XML_END) {
        code = leat_xml_next(&xml, &event, error);
        if (code != LEAT_OK || event != LEAT_XML_CLOSE) continue;
        if (leat_xml_is(&xml, "Error", "Key")) copy_text(&xml.text, key, sizeof key);
        if (leat_xml_is(&xml, "Error", "Code")) copy_text(&xml.text, failure.code, sizeof failure.code);
        if (leat_xml_is(&xml, "Error", "Message")) copy_text(&xml.text, failure.message, sizeof failure.message);
        is_result |= leat_xml_is(&xml, NULL, "DeleteResult");
        if (leat_xml_is(&xml, "DeleteResult", "Error")) {
            code = fail_as_told(&failure, error);
            code = leat_fail_in(error, code, "remove %s", key);
        }
    }
    leat_xml_done(&xml);
    if (code == LEAT_OK && !is_result) code = leat_fail(error, LEAT_CORRUPT, "S3's answer has no <DeleteResult>");
    return code;
}

int64_t leat_s3_parse_date(const char *text)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm parts = {0};
    char month[4] = "", day_name[4] = "";
    int ms = 0;
    if (sscanf(text, "%3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", day_name, &parts.tm_mday, month, &parts.tm_year,
               &parts.tm_hour, &parts.tm_min, &parts.tm_sec) == 7) {
        parts.tm_mon = -1;
        for (int i = 0; i < 12; i++) {
            if (strcmp(month, months[i]) == 0) parts.tm_mon = i;
        }
    } else if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                      &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &ms) >= 6) {
        parts.tm_mon--;
    } else {
        return -1;
    }
    bool is_fine = parts.tm_year >= 1970 && parts.tm_mon >= 0 && parts.tm_mon < 12 && parts.tm_mday >= 1 &&
                   parts.tm_mday <= 31 && parts.tm_hour >= 0 && parts.tm_hour < 24 && parts.tm_min >= 0 &&
                   parts.tm_min < 60 && parts.tm_sec >= 0 && parts.tm_sec <= 60 && ms >= 0;
    parts.tm_year -= 1900;
    return is_fine ? (int64_t)timegm(&parts) * 1000 + ms : -1;
}
