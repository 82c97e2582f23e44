/* Tables of text, as Flink's client draws them: right-aligned cells, wide characters counted as two columns.
 *
 *   +----+-------+
 *   | id |  name |
 *   +----+-------+
 *   |  1 |   ann |
 *   +----+-------+
 */
#pragma once

#include <stdio.h>

#include "cli/cli.h"

typedef struct leat_table_view {
    int columns_count;
    int *widths; /* of columns, in terminal columns */
} leat_table_view;

enum { LEAT_TABLE_CELL_MAX = 30 }; /* longer cells are cut to 27 and "..." */

/* Widths from the names of `columns` ({"name","type"}) alone; `first` (NULL: none) is a column before them, "op". */
LEAT_CHECKED leat_code leat_table_view_init(leat_table_view *view, const json_t *columns, const char *first,
                                            leat_error *error);
/* Widens for the type: what a streaming result, whose rows are not known, needs. */
void leat_table_view_fit_type(leat_table_view *view, int column, const char *type);
/* Widens for a row's cells; `cells_max`: LEAT_TABLE_CELL_MAX, or INT_MAX where nothing is cut. */
void leat_table_view_fit_row(leat_table_view *view, const json_t *row, int offset, int cells_max);
void leat_table_view_done(leat_table_view *view);

void leat_table_print_rule(const leat_table_view *view, FILE *to);
void leat_table_print_head(const leat_table_view *view, const json_t *columns, const char *first, FILE *to);
/* Cells from row[offset]; NULL is printed as `null_text`. */
void leat_table_print_row(const leat_table_view *view, const json_t *row, int offset, const char *null_text, FILE *to);
/* Columns of a terminal that the text takes. */
int leat_text_width(const char *text);
