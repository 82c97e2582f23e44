#include "paimon/numbers.h"

#include <string.h>

#include "common/bytes.h"
#include "storage/storage.h"

int64_t leat_paimon_parse_number(const char *text, size_t length)
{
    enum { DIGITS_MAX = 18 };
    if (length == 0 || length > DIGITS_MAX) return -1;
    int64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

leat_code leat_paimon_list_numbers(leat_env *env, const char *table_path, const char *folder, const char *prefix,
                                   leat_paimon_range *out, leat_error *error)
{
    leat_bytes path = {0};
    leat_bytes_format(&path, "%s/%s", table_path, folder);
    leat_storage_list list = {0};
    leat_code code = leat_bytes_check(&path, error);
    if (code == LEAT_OK) code = leat_storage_list_folder(env->storage, (const char *)path.data, &list, error);
    leat_bytes_done(&path);
    *out = (leat_paimon_range){-1, -1};
    size_t length = strlen(prefix);
    for (size_t i = 0; code == LEAT_OK && i < list.count; i++) {
        const char *name = list.entries[i].name;
        if (strncmp(name, prefix, length) != 0) continue;
        int64_t number = leat_paimon_parse_number(name + length, strlen(name + length));
        if (number < 0) continue;
        if (out->min < 0 || number < out->min) out->min = number;
        if (number > out->max) out->max = number;
    }
    leat_storage_list_done(&list);
    return code;
}
