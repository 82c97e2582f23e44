#include "operators/multiset.h"

#include <string.h>

#include "common/memory.h"

enum { LEVELS_MAX = 20 };

typedef struct node {
    leat_scalar value;
    int64_t count;
    struct node *previous; /* on level 0 */
    int32_t levels;
    struct node *next[];
} node;

struct leat_multiset {
    node *first[LEVELS_MAX];
    node *last;
    uint64_t values_count;
    uint64_t random; /* levels need no more than a counter, mixed */
};

leat_scalar leat_scalar_of(const leat_type *type, const leat_column *column, int32_t row)
{
    leat_scalar value = {.i128 = 0};
    switch (column->layout) {
    case LEAT_LAYOUT_8: value.i64 = ((const int8_t *)column->values)[row]; break;
    case LEAT_LAYOUT_16: value.i64 = ((const int16_t *)column->values)[row]; break;
    case LEAT_LAYOUT_32:
        if (type->kind == LEAT_TYPE_FLOAT)
            value.f64 = (double)((const float *)column->values)[row];
        else
            value.i64 = ((const int32_t *)column->values)[row];
        break;
    case LEAT_LAYOUT_64:
        if (type->kind == LEAT_TYPE_DOUBLE)
            value.f64 = ((const double *)column->values)[row];
        else
            value.i64 = ((const int64_t *)column->values)[row];
        break;
    case LEAT_LAYOUT_128: value.i128 = ((const __int128 *)column->values)[row]; break;
    case LEAT_LAYOUT_VIEW: {
        const leat_view *view = (const leat_view *)column->values + row;
        value.text.data = leat_view_data(column, view);
        value.text.length = view->length;
        break;
    }
    }
    return value;
}

static bool is_real(const leat_type *type)
{
    return type->kind == LEAT_TYPE_FLOAT || type->kind == LEAT_TYPE_DOUBLE;
}

int leat_scalar_compare(const leat_type *type, const leat_scalar *left, const leat_scalar *right)
{
    if (is_real(type)) {
        double x = left->f64, y = right->f64;
        if (x == y) return 0;
        return x < y ? -1 : x > y ? 1 : (x != x) - (y != y); /* NaN is last */
    }
    switch (leat_type_layout(type)) {
    case LEAT_LAYOUT_128: return (left->i128 > right->i128) - (left->i128 < right->i128);
    case LEAT_LAYOUT_VIEW: {
        int32_t x = left->text.length, y = right->text.length;
        int order = memcmp(left->text.data, right->text.data, (size_t)(x < y ? x : y));
        return order ? order : (x > y) - (x < y);
    }
    default: return (left->i64 > right->i64) - (left->i64 < right->i64);
    }
}

void leat_scalar_write(const leat_type *type, const leat_scalar *value, leat_bytes *out)
{
    switch (leat_type_layout(type)) {
    case LEAT_LAYOUT_128: leat_bytes_put(out, &value->i128, 16); break;
    case LEAT_LAYOUT_VIEW: leat_bytes_put_block(out, value->text.data, (size_t)value->text.length); break;
    default: leat_bytes_put(out, &value->i64, 8); /* f64 lies there too */
    }
}

leat_scalar leat_scalar_read(const leat_type *type, leat_reader *reader)
{
    leat_scalar value = {.i128 = 0};
    const uint8_t *bytes;
    size_t length = 0;
    switch (leat_type_layout(type)) {
    case LEAT_LAYOUT_128:
        bytes = leat_reader_take(reader, 16);
        if (bytes) memcpy(&value.i128, bytes, 16);
        break;
    case LEAT_LAYOUT_VIEW:
        bytes = leat_reader_block(reader, &length);
        if (length > INT32_MAX) reader->failed = true;
        value.text.data = bytes ? (const char *)bytes : "";
        value.text.length = reader->failed ? 0 : (int32_t)length;
        break;
    default: value.i64 = leat_reader_i64(reader);
    }
    return value;
}

leat_code leat_scalar_set(const leat_type *type, const leat_scalar *value, leat_batch_builder *builder, int32_t column,
                          leat_error *error)
{
    switch (type->kind) {
    case LEAT_TYPE_FLOAT: {
        float number = (float)value->f64;
        leat_batch_builder_set_fixed(builder, column, &number);
        return LEAT_OK;
    }
    case LEAT_TYPE_DOUBLE: leat_batch_builder_set_fixed(builder, column, &value->f64); return LEAT_OK;
    case LEAT_TYPE_DECIMAL: leat_batch_builder_set_fixed(builder, column, &value->i128); return LEAT_OK;
    default: break;
    }
    if (leat_type_layout(type) == LEAT_LAYOUT_VIEW) {
        return leat_batch_builder_set_bytes(builder, column, value->text.data, (size_t)value->text.length, error);
    }
    leat_batch_builder_set_fixed(builder, column, &value->i64); /* little-endian: narrower ones are its first bytes */
    return LEAT_OK;
}

leat_multiset *leat_multiset_new(void)
{
    return leat_calloc(1, sizeof(leat_multiset));
}

static void free_node(node *at, bool is_text)
{
    if (is_text) leat_free((void *)(uintptr_t)at->value.text.data);
    leat_free(at);
}

/* Texts are owned when the node says so: levels is negative for none; see add_node. */
void leat_multiset_free(leat_multiset *set)
{
    if (!set) return;
    for (node *at = set->first[0]; at;) {
        node *next = at->next[0];
        free_node(at, at->levels < 0);
        at = next;
    }
    leat_free(set);
}

static int32_t levels_of(const node *at)
{
    return at->levels < 0 ? -at->levels : at->levels;
}

static node **link_at(leat_multiset *set, node *at, int level)
{
    return at ? &at->next[level] : &set->first[level];
}

/* The last node before the value on each level; NULL: the head. */
static node *find(leat_multiset *set, const leat_type *type, const leat_scalar *value, node *before[LEVELS_MAX])
{
    node *at = NULL;
    for (int level = LEVELS_MAX - 1; level >= 0; level--) {
        for (node *next; (next = *link_at(set, at, level)) && leat_scalar_compare(type, &next->value, value) < 0;)
            at = next;
        before[level] = at;
    }
    node *next = *link_at(set, at, 0);
    return next && leat_scalar_compare(type, &next->value, value) == 0 ? next : NULL;
}

static int32_t random_levels(leat_multiset *set)
{
    uint64_t z = (set->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    int32_t levels = 1 + __builtin_ctzll((z >> 20) | (UINT64_C(1) << 40)) / 2; /* a quarter goes up */
    return levels < LEVELS_MAX ? levels : LEVELS_MAX;
}

static leat_code add_node(leat_multiset *set, const leat_type *type, const leat_scalar *value, int64_t count,
                          node *before[LEVELS_MAX], leat_error *error)
{
    int32_t levels = random_levels(set);
    bool is_text = leat_type_layout(type) == LEAT_LAYOUT_VIEW;
    node *fresh = leat_calloc(1, sizeof *fresh + (size_t)levels * sizeof fresh->next[0]);
    if (!fresh) return leat_fail_no_memory(error);
    fresh->value = *value;
    fresh->count = count;
    fresh->levels = is_text ? -levels : levels;
    if (is_text) {
        fresh->value.text.data = leat_strndup(value->text.data, (size_t)value->text.length);
        if (!fresh->value.text.data) {
            leat_free(fresh);
            return leat_fail_no_memory(error);
        }
    }
    for (int level = 0; level < levels; level++) {
        node **link = link_at(set, before[level], level);
        fresh->next[level] = *link;
        *link = fresh;
    }
    fresh->previous = before[0];
    if (fresh->next[0])
        fresh->next[0]->previous = fresh;
    else
        set->last = fresh;
    set->values_count++;
    return LEAT_OK;
}

static void remove_node(leat_multiset *set, node *at, node *before[LEVELS_MAX])
{
    for (int level = 0; level < levels_of(at); level++)
        *link_at(set, before[level], level) = at->next[level];
    if (at->next[0])
        at->next[0]->previous = at->previous;
    else
        set->last = at->previous;
    set->values_count--;
    free_node(at, at->levels < 0);
}

leat_code leat_multiset_add(leat_multiset *set, const leat_type *type, const leat_scalar *value, int64_t change,
                            int64_t *was, int64_t *is, leat_error *error)
{
    node *before[LEVELS_MAX];
    node *at = find(set, type, value, before);
    *was = at ? at->count : 0;
    if (__builtin_add_overflow(*was, change, is)) return leat_fail(error, LEAT_LIMIT, "a value's count is too large");
    if (!at) return *is ? add_node(set, type, value, *is, before, error) : LEAT_OK;
    at->count = *is;
    if (*is == 0) remove_node(set, at, before);
    return LEAT_OK;
}

const leat_scalar *leat_multiset_least(const leat_multiset *set)
{
    const node *at = set->first[0];
    while (at && at->count <= 0)
        at = at->next[0];
    return at ? &at->value : NULL;
}

const leat_scalar *leat_multiset_greatest(const leat_multiset *set)
{
    const node *at = set->last;
    while (at && at->count <= 0)
        at = at->previous;
    return at ? &at->value : NULL;
}

void leat_multiset_write(const leat_multiset *set, const leat_type *type, leat_bytes *out)
{
    leat_bytes_put_u64(out, set->values_count);
    for (const node *at = set->first[0]; at; at = at->next[0]) {
        leat_scalar_write(type, &at->value, out);
        leat_bytes_put_i64(out, at->count);
    }
}

leat_code leat_multiset_read(leat_multiset *set, const leat_type *type, leat_reader *reader, leat_error *error)
{
    uint64_t count = leat_reader_u64(reader);
    for (uint64_t i = 0; i < count && !reader->failed; i++) {
        leat_scalar value = leat_scalar_read(type, reader);
        int64_t times = leat_reader_i64(reader), was, is;
        if (!reader->failed) LEAT_TRY(leat_multiset_add(set, type, &value, times, &was, &is, error));
    }
    return leat_reader_check(reader, false, "values of a group", error);
}
