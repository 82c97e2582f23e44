#include "paimon/option_names.h"

#include <string.h>

static const char *const names[] = {
#define OPTION(name) name,
#include "paimon/option_names.inc"
#undef OPTION
};

static const char *const file_system_prefixes[] = {"s3.", "fs.", "oss.", "hadoop.", "schema."};

/* '#' stands for one or more characters. */
static bool matches(const char *pattern, const char *key)
{
    for (; *pattern != '#'; pattern++, key++) {
        if (*pattern != *key) return false;
        if (!*pattern) return true;
    }
    while (*key) {
        if (matches(pattern + 1, ++key)) return true;
    }
    return false;
}

static bool is_known(const char *key)
{
    for (size_t i = 0; i < sizeof file_system_prefixes / sizeof *file_system_prefixes; i++) {
        if (strncmp(key, file_system_prefixes[i], strlen(file_system_prefixes[i])) == 0) return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (matches(names[i], key)) return true;
    }
    return false;
}

static const char *nearest(const char *key)
{
    leat_nearest near = {.word = key, .less_than = (int)strlen(key) / 3 + 1};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        leat_nearest_look(&near, names[i]);
    return near.found;
}

void leat_paimon_warn_of_options(const leat_config *options, leat_bytes *warnings)
{
    for (size_t i = 0; i < options->count; i++) {
        const char *key = options->entries[i].key;
        if (is_known(key)) continue;
        const char *near = nearest(key);
        leat_bytes_format(warnings, "The option '%s' is not one of Paimon's and has no effect%s%s%s\n", key,
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
}
