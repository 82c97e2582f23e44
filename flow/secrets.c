#include "flow/secrets.h"

#include <string.h>

#include "common/memory.h"

static const char prefix[] = "${secret:";

static const char *name_of(leat_arena *arena, int32_t number)
{
    return leat_arena_format(arena, "%s%d}", prefix, number);
}

static leat_code grow(leat_secrets *self, leat_arena *arena, leat_error *error)
{
    if (self->count < self->capacity) return LEAT_OK;
    int32_t capacity = self->capacity ? self->capacity * 2 : 4;
    const char **values = leat_arena_take(arena, (size_t)capacity * sizeof *values);
    if (!values) return leat_fail_no_memory(error);
    if (self->count > 0) memcpy(values, self->values, (size_t)self->count * sizeof *values);
    self->values = values;
    self->capacity = capacity;
    return LEAT_OK;
}

leat_code leat_secrets_add(leat_secrets *self, leat_arena *arena, const char *value, const char **out,
                           leat_error *error)
{
    *out = value;
    if (!self || !value) return LEAT_OK;
    int32_t number = 0;
    while (number < self->count && strcmp(self->values[number], value) != 0)
        number++;
    if (number == self->count) {
        LEAT_TRY(grow(self, arena, error));
        const char *kept = leat_arena_strdup(arena, value);
        if (!kept) return leat_fail_no_memory(error);
        self->values[self->count++] = kept;
    }
    *out = name_of(arena, number);
    return *out ? LEAT_OK : leat_fail_no_memory(error);
}

leat_code leat_secrets_pack(const leat_secrets *self, leat_arena *arena, Leat__Pb__JobGraph *graph, leat_error *error)
{
    size_t count = (size_t)self->count;
    Leat__Pb__ConfigEntry *entries = leat_arena_take(arena, (count + 1) * sizeof *entries);
    graph->secrets = leat_arena_take(arena, (count + 1) * sizeof *graph->secrets);
    if (!entries || !graph->secrets) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        leat__pb__config_entry__init(&entries[i]);
        entries[i].key = (char *)(uintptr_t)name_of(arena, (int32_t)i);
        entries[i].value.data = (uint8_t *)(uintptr_t)self->values[i];
        entries[i].value.len = strlen(self->values[i]);
        if (!entries[i].key) return leat_fail_no_memory(error);
        graph->secrets[i] = &entries[i];
    }
    graph->n_secrets = count;
    return LEAT_OK;
}

leat_code leat_secrets_unpack(const Leat__Pb__JobGraph *graph, leat_config *config, leat_error *error)
{
    for (size_t i = 0; i < graph->n_secrets; i++) {
        const Leat__Pb__ConfigEntry *entry = graph->secrets[i];
        char *value = leat_strndup((const char *)entry->value.data, entry->value.len);
        if (!value) return leat_fail_no_memory(error);
        leat_code code = leat_config_set(config, entry->key, value, error);
        leat_free(value);
        if (code != LEAT_OK) return code;
    }
    return LEAT_OK;
}

leat_code leat_secret_reveal(const leat_config *config, const char **text, leat_error *error)
{
    if (!*text || strncmp(*text, prefix, sizeof prefix - 1) != 0) return LEAT_OK;
    const char *value = leat_config_find(config, *text);
    if (!value) return leat_fail(error, LEAT_CORRUPT, "the job carries no %s", *text);
    *text = value;
    return LEAT_OK;
}
