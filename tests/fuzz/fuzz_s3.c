/* Any bytes as what S3 answers: the first byte says whether they are a list, an error, a result, a removal, a reply's
 * head or a profile file. */
#include <stdint.h>
#include <string.h>

#include "common/memory.h"
#include "storage/s3_answer.h"
#include "storage/s3_http.h"
#include "storage/s3_options.h"
#include "tests/fuzz/fuzz.h"

static leat_code take(void *arg, const leat_s3_object *object, leat_error *error)
{
    (void)error;
    *(size_t *)arg += strlen(object->key);
    return LEAT_OK;
}

static void read_page(const uint8_t *data, size_t size)
{
    size_t keys_bytes = 0;
    leat_s3_page page;
    if (leat_s3_read_page(data, size, take, &keys_bytes, &page, NULL) == LEAT_OK) leat_s3_page_done(&page);
}

static void read_field(const uint8_t *data, size_t size)
{
    char *field = NULL;
    if (leat_s3_read_field(data, size, "InitiateMultipartUploadResult", "UploadId", &field, NULL) == LEAT_OK)
        leat_free(field);
}

static void read_head(const uint8_t *data, size_t size)
{
    leat_s3_reply reply = {0};
    for (const uint8_t *end; size && (end = memchr(data, '\n', size));) {
        size_t line = (size_t)(end + 1 - data);
        leat_s3_reply_line(&reply, (const char *)data, line);
        data += line;
        size -= line;
    }
    (void)leat_s3_parse_date(reply.date);
}

static void read_profile(const uint8_t *data, size_t size)
{
    char *text = leat_strndup((const char *)data, size), *value = NULL;
    if (text && leat_ini_find(text, "default", "region", &value, NULL) == LEAT_OK) leat_free(value);
    leat_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    leat_s3_failure failure;
    leat_code code = LEAT_OK;
    switch (data[0] % 6) {
    case 0: read_page(data + 1, size - 1); break;
    case 1: (void)leat_s3_read_failure(data + 1, size - 1, &failure); break;
    case 2: read_field(data + 1, size - 1); break;
    case 3: code = leat_s3_read_removal(data + 1, size - 1, NULL); break;
    case 4: read_head(data + 1, size - 1); break;
    default: read_profile(data + 1, size - 1); break;
    }
    (void)code;
    return 0;
}
