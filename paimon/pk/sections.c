#include "paimon/pk/sections.h"

#include <string.h>

#include "paimon/binary_row.h"

typedef struct comparer {
    const leat_type *types;
    int32_t count;
    leat_code code;
    leat_error *error;
} comparer;

static int compare_keys(comparer *self, const uint8_t *left, size_t left_size, const uint8_t *right, size_t right_size)
{
    int order = 0;
    if (self->code == LEAT_OK) {
        self->code =
            leat_binary_row_compare(left, left_size, right, right_size, self->types, self->count, &order, self->error);
    }
    return order;
}

static int compare_files(comparer *self, const leat_paimon_file *left, const leat_paimon_file *right)
{
    int order = compare_keys(self, left->min_key, left->min_key_size, right->min_key, right->min_key_size);
    if (order) return order;
    return compare_keys(self, left->max_key, left->max_key_size, right->max_key, right->max_key_size);
}

/* Buckets have tens to some thousands of files: bottom-up merge sort, as qsort takes no context. */
static void sort_files(comparer *self, const leat_paimon_file **files, const leat_paimon_file **other, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = start + 2 * width < count ? start + 2 * width : count;
            size_t left = start, right = middle;
            for (size_t at = start; at < end; at++) {
                bool takes_left =
                    left < middle && (right == end || compare_files(self, files[left], files[right]) <= 0);
                other[at] = takes_left ? files[left++] : files[right++];
            }
        }
        memcpy(files, other, count * sizeof *files);
    }
}

/* The first run whose last file ends before this one starts. */
static size_t find_run(comparer *self, const leat_pk_section *section, const leat_paimon_file *file)
{
    for (size_t i = 0; i < section->runs_count; i++) {
        const leat_pk_run *run = &section->runs[i];
        const leat_paimon_file *last = run->files[run->count - 1];
        if (compare_keys(self, last->max_key, last->max_key_size, file->min_key, file->min_key_size) < 0) return i;
    }
    return section->runs_count;
}

static leat_code fill_section(comparer *self, const leat_paimon_file **files, size_t count, leat_arena *arena,
                              leat_pk_section *section, leat_error *error)
{
    *section = (leat_pk_section){.files_count = count};
    section->runs = leat_arena_take(arena, count * sizeof *section->runs);
    if (!section->runs) return leat_fail_no_memory(error);
    for (size_t i = 0; i < count; i++) {
        size_t at = find_run(self, section, files[i]);
        leat_pk_run *run = &section->runs[at];
        if (at == section->runs_count) {
            section->runs_count++;
            run->files = leat_arena_take(arena, (count - i) * sizeof *run->files);
            if (!run->files) return leat_fail_no_memory(error);
        }
        run->files[run->count++] = files[i];
        section->size_bytes += files[i]->size_bytes;
    }
    return LEAT_OK;
}

leat_code leat_pk_sections_make(const leat_paimon_file *const *files, size_t count, const leat_type *key_types,
                                int32_t keys_count, leat_arena *arena, leat_pk_sections *out, leat_error *error)
{
    *out = (leat_pk_sections){0};
    comparer self = {key_types, keys_count, LEAT_OK, error};
    const leat_paimon_file **sorted = leat_arena_take(arena, (count + 1) * sizeof *sorted);
    const leat_paimon_file **other = leat_arena_take(arena, (count + 1) * sizeof *other);
    out->items = leat_arena_take(arena, (count + 1) * sizeof *out->items);
    if (!sorted || !other || !out->items) return leat_fail_no_memory(error);
    if (count) memcpy(sorted, files, count * sizeof *sorted);
    sort_files(&self, sorted, other, count);
    for (size_t start = 0; start < count;) {
        const leat_paimon_file *greatest = sorted[start];
        size_t end = start + 1;
        for (; end < count; end++) {
            const leat_paimon_file *file = sorted[end];
            if (compare_keys(&self, file->min_key, file->min_key_size, greatest->max_key, greatest->max_key_size) > 0)
                break;
            if (compare_keys(&self, file->max_key, file->max_key_size, greatest->max_key, greatest->max_key_size) > 0) {
                greatest = file;
            }
        }
        LEAT_TRY(fill_section(&self, &sorted[start], end - start, arena, &out->items[out->count], error));
        out->count++;
        start = end;
    }
    return self.code;
}
