/* SQL scripts: variables, splitting, grammar. */
#include <stddef.h>
#include <stdint.h>

#include "sql/parse.h"
#include "sql/script.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const leat_sql_variable variable = {"A", "'x'; SELECT 1"};
    leat_script script;
    leat_error error;
    if (leat_script_init(&script, "fuzz", (const char *)data, size, &variable, 1, &error) == LEAT_OK) {
        leat_arena arena;
        leat_arena_init(&arena, 64 << 20);
        leat_parse parse = {.arena = &arena, .text = script.text, .size = script.size};
        leat_code code;
        do {
            code = leat_parse_statement(&parse, &error);
            if (code != LEAT_OK) code = leat_script_locate(&script, parse.error_place, code, &error);
            parse.at = parse.end;
            leat_arena_reset(&arena);
        } while (code == LEAT_OK && parse.statement);
        leat_arena_done(&arena);
    }
    leat_script_done(&script);
    return 0;
}
