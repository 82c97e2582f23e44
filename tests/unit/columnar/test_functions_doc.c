/* docs/functions.md comes from the function table. `test_functions_doc PATH --write` writes it anew. */
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/kernel.h"

static const char *path;

/* In a table cell of Markdown. */
static void put_cell(leat_bytes *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') leat_bytes_text(out, "\\");
        leat_bytes_put(out, text, 1);
    }
}

static void make(leat_bytes *out)
{
    leat_bytes_text(out,
                    "# Functions and operators\n\nGenerated from `columnar/functions.inc`. Beside these: `AND`, `OR`, "
                    "`CASE`, `CAST`, `TRY_CAST`, and the aggregates `COUNT`, `SUM`, `MIN`, `MAX`, `AVG`.\n\n"
                    "| function | what it gives | example | answer |\n|---|---|---|---|\n");
    for (int32_t i = 0; i < leat_functions_count; i++) {
        const leat_function *function = &leat_functions[i];
        const char *columns[] = {function->signature, function->doc, function->example, function->answer};
        for (int c = 0; c < 4; c++) {
            bool is_code = c != 1 && columns[c][0];
            leat_bytes_text(out, is_code ? "| `" : "| ");
            put_cell(out, columns[c]);
            leat_bytes_text(out, is_code ? "` " : " ");
        }
        leat_bytes_text(out, "|\n");
    }
}

static void the_page_is_what_the_table_says(void **state)
{
    (void)state;
    leat_bytes want = {0};
    make(&want);
    assert_false(want.failed);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *have = calloc(1, want.size + 2);
    assert_non_null(have);
    size_t size = fread(have, 1, want.size + 1, file);
    fclose(file);
    bool is_same = size == want.size && memcmp(have, want.data, size) == 0;
    free(have);
    leat_bytes_done(&want);
    if (!is_same) fail_msg("docs/functions.md is old: test_functions_doc docs/functions.md --write");
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    path = argv[1];
    if (argc > 2 && strcmp(argv[2], "--write") == 0) {
        leat_bytes page = {0};
        make(&page);
        FILE *file = fopen(path, "wb");
        if (!file) return 1;
        fwrite(page.data, 1, page.size, file);
        leat_bytes_done(&page);
        return fclose(file) != 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_is_what_the_table_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
