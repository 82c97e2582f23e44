#include "cli/table.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

#include "common/memory.h"

/* The next character of the text: its bytes and its columns. Bytes that are no UTF-8 and control characters take one.
 */
static size_t next_character(const char *text, int *columns)
{
    if (*text >= ' ' && *text <= '~') { /* nearly all */
        *columns = 1;
        return 1;
    }
    static bool has_locale; /* once; without it every byte counts as a column */
    if (!has_locale) (void)setlocale(LC_CTYPE, "C.UTF-8");
    has_locale = true;
    wchar_t wide;
    mbstate_t state = {0};
    size_t bytes = mbrtowc(&wide, text, 8, &state);
    if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0) {
        *columns = 1;
        return 1;
    }
    int width = wcwidth(wide);
    *columns = width < 0 ? 1 : width;
    return bytes;
}

int leat_text_width(const char *text)
{
    int width = 0;
    while (*text) {
        int columns;
        text += next_character(text, &columns);
        width += columns;
    }
    return width;
}

leat_code leat_table_view_init(leat_table_view *view, const json_t *columns, const char *first, leat_error *error)
{
    int offset = first ? 1 : 0;
    view->columns_count = (int)json_array_size(columns) + offset;
    view->widths = leat_calloc((size_t)view->columns_count + 1, sizeof *view->widths);
    if (!view->widths) return leat_fail_no_memory(error);
    if (first) view->widths[0] = leat_text_width(first);
    for (int c = offset; c < view->columns_count; c++) {
        const char *name = json_string_value(json_object_get(json_array_get(columns, (size_t)(c - offset)), "name"));
        view->widths[c] = leat_text_width(name ? name : "");
    }
    return LEAT_OK;
}

void leat_table_view_done(leat_table_view *view)
{
    leat_free(view->widths);
    view->widths = NULL;
}

void leat_table_view_fit_type(leat_table_view *view, int column, const char *type)
{
    static const struct {
        const char *prefix;
        int width;
    } known[] = {{"BOOLEAN", 7},     {"TINYINT", 4}, {"SMALLINT", 6}, {"INT", 11},
                 {"BIGINT", 20},     {"DATE", 10},   {"TIME(", 12},   {"TIMESTAMP_LTZ", 26},
                 {"TIMESTAMP(", 26}, {"FLOAT", 15},  {"DOUBLE", 22},  {"DECIMAL", 22}};
    int width = LEAT_TABLE_CELL_MAX;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(type, known[i].prefix, strlen(known[i].prefix)) == 0) width = known[i].width;
    }
    if (width > view->widths[column]) view->widths[column] = width;
}

void leat_table_view_fit_row(leat_table_view *view, const json_t *row, int offset, int cells_max)
{
    for (int c = 0; c < view->columns_count; c++) {
        const char *text = json_string_value(json_array_get(row, (size_t)c + (size_t)offset));
        int width = leat_text_width(text ? text : "<NULL>");
        if (width > cells_max) width = cells_max;
        if (width > view->widths[c]) view->widths[c] = width;
    }
}

void leat_table_print_rule(const leat_table_view *view, FILE *to)
{
    for (int c = 0; c < view->columns_count; c++) {
        fputc('+', to);
        for (int i = 0; i < view->widths[c] + 2; i++)
            fputc('-', to);
    }
    fputs("+\n", to);
}

static void print_cell(const char *text, int width, FILE *to)
{
    int needed = leat_text_width(text), used = 0;
    fputs("| ", to);
    for (int i = needed; i < width; i++)
        fputc(' ', to);
    if (needed <= width) {
        fputs(text, to);
    } else {
        int limit = width > 3 ? width - 3 : 0;
        while (*text) {
            int columns;
            size_t bytes = next_character(text, &columns);
            if (used + columns > limit) break;
            fwrite(text, 1, bytes, to);
            used += columns;
            text += bytes;
        }
        for (; used < limit; used++)
            fputc(' ', to);
        fputs(width > 3 ? "..." : "", to);
    }
    fputc(' ', to);
}

void leat_table_print_head(const leat_table_view *view, const json_t *columns, const char *first, FILE *to)
{
    int offset = first ? 1 : 0;
    leat_table_print_rule(view, to);
    for (int c = 0; c < view->columns_count; c++) {
        const char *name =
            c < offset ? first
                       : json_string_value(json_object_get(json_array_get(columns, (size_t)(c - offset)), "name"));
        print_cell(name ? name : "", view->widths[c], to);
    }
    fputs("|\n", to);
    leat_table_print_rule(view, to);
}

void leat_table_print_row(const leat_table_view *view, const json_t *row, int offset, const char *null_text, FILE *to)
{
    for (int c = 0; c < view->columns_count; c++) {
        const char *text = json_string_value(json_array_get(row, (size_t)c + (size_t)offset));
        print_cell(text ? text : null_text, view->widths[c], to);
    }
    fputs("|\n", to);
}
