#include "sql/script.h"

#include <stdio.h>
#include <string.h>

#include "common/memory.h"

static leat_code add_piece(leat_script *script, size_t at, size_t original, bool is_value, leat_error *error)
{
    LEAT_TRY(
        leat_grow(&script->pieces, &script->pieces_capacity, script->pieces_count + 1, sizeof *script->pieces, error));
    script->pieces[script->pieces_count++] = (leat_script_piece){(int32_t)at, (int32_t)original, is_value};
    return LEAT_OK;
}

static bool is_name_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static const char *find_variable(const leat_sql_variable *variables, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(variables[i].name) == length && memcmp(variables[i].name, name, length) == 0)
            return variables[i].value;
    return NULL;
}

/* One `${…}` at `at`; *end is behind it. A '$' that begins none stays. */
static leat_code replace_one(leat_script *script, size_t at, const leat_sql_variable *variables, size_t count,
                             leat_bytes *out, size_t *end, leat_error *error)
{
    const char *text = script->original;
    size_t size = (size_t)script->original_size, name = at + 2, stop = name;
    while (stop < size && is_name_character(text[stop]))
        stop++;
    bool has_default = stop + 1 < size && text[stop] == ':' && text[stop + 1] == '-';
    const char *close =
        stop > name && stop < size && (has_default || text[stop] == '}') ? memchr(text + stop, '}', size - stop) : NULL;
    if (!close) {
        leat_bytes_put(out, "${", 2);
        *end = at + 2;
        return leat_bytes_check(out, error);
    }
    *end = (size_t)(close - text) + 1;
    const char *value = find_variable(variables, count, text + name, stop - name);
    if (!value && !has_default) {
        (void)leat_fail(error, LEAT_INVALID, "The variable '%.*s' has no value", (int)(stop - name), text + name);
        leat_fail_hint(error, "give it with --var %.*s=value or in the environment, or a default: ${%.*s:-value}",
                       (int)(stop - name), text + name, (int)(stop - name), text + name);
        return LEAT_INVALID;
    }
    LEAT_TRY(add_piece(script, out->size, at, true, error));
    if (value)
        leat_bytes_put(out, value, strlen(value));
    else
        leat_bytes_put(out, text + stop + 2, (size_t)(close - text) - stop - 2);
    LEAT_TRY(add_piece(script, out->size, *end, false, error));
    return leat_bytes_check(out, error);
}

leat_code leat_script_init(leat_script *script, const char *name, const char *text, size_t size,
                           const leat_sql_variable *variables, size_t variables_count, leat_error *error)
{
    *script = (leat_script){0};
    if (size > LEAT_SCRIPT_BYTES_MAX)
        return leat_fail(error, LEAT_LIMIT, "%s: a script has at most %d bytes", name, LEAT_SCRIPT_BYTES_MAX);
    if (memchr(text, 0, size)) return leat_fail(error, LEAT_INVALID, "%s: the text holds a NUL byte", name);
    script->name = leat_strdup(name);
    script->original = leat_strndup(text, size);
    if (!script->name || !script->original) return leat_fail_no_memory(error);
    script->original_size = (int32_t)size;
    leat_bytes out = {0};
    size_t at = 0;
    leat_code code = add_piece(script, 0, 0, false, error);
    while (code == LEAT_OK && at < size) {
        const char *next = memmem(text + at, size - at, "${", 2);
        size_t stop = next ? (size_t)(next - text) : size;
        leat_bytes_put(&out, text + at, stop - at);
        at = stop;
        if (!next) break;
        code = replace_one(script, stop, variables, variables_count, &out, &at, error);
        if (code != LEAT_OK) {
            script->pieces_count = 1; /* the place is one of the original text */
            leat_sql_range place = {(int32_t)stop, (int32_t)stop + 2};
            script->text = script->original;
            code = leat_script_locate(script, place, code, error);
            script->text = NULL;
        }
    }
    leat_bytes_text(&out, "");
    if (code == LEAT_OK) code = leat_bytes_check(&out, error);
    if (code == LEAT_OK && out.size > LEAT_SCRIPT_BYTES_MAX)
        code = leat_fail(error, LEAT_LIMIT, "%s: a script has at most %d bytes", name, LEAT_SCRIPT_BYTES_MAX);
    if (code != LEAT_OK) {
        leat_bytes_done(&out);
        return code;
    }
    script->text = (char *)out.data;
    script->size = (int32_t)out.size;
    return LEAT_OK;
}

void leat_script_done(leat_script *script)
{
    leat_free(script->name);
    leat_free(script->original);
    leat_free(script->text);
    leat_free(script->pieces);
    *script = (leat_script){0};
}

static int32_t to_original(const leat_script *script, int32_t at)
{
    const leat_script_piece *piece = script->pieces;
    for (size_t i = 1; i < script->pieces_count && script->pieces[i].at <= at; i++)
        piece = &script->pieces[i];
    int32_t original = piece->is_value ? piece->original : piece->original + (at - piece->at);
    return original < script->original_size ? original : script->original_size;
}

int32_t leat_script_line(const leat_script *script, int32_t at)
{
    int32_t line = 1, end = to_original(script, at);
    for (int32_t i = 0; i < end; i++)
        line += script->original[i] == '\n';
    return line;
}

leat_code leat_script_locate(const leat_script *script, leat_sql_range place, leat_code code, leat_error *error)
{
    enum { SHOWN = 100 }; /* bytes of a long line that are shown around the place */
    if (!error) return code;
    const char *text = script->original;
    int32_t at = to_original(script, place.start), begin = at, end = at, line = 1, column = 1;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    while (end < script->original_size && text[end] != '\n' && text[end] != '\r')
        end++;
    for (int32_t i = 0; i < begin; i++)
        line += text[i] == '\n';
    for (int32_t i = begin; i < at; i++)
        column += ((unsigned char)text[i] & 0xc0) != 0x80;
    int32_t shown = begin, caret = 0;
    if (at - begin > SHOWN / 2 && end - begin > SHOWN) shown = at - SHOWN / 2;
    while (shown < at && ((unsigned char)text[shown] & 0xc0) == 0x80)
        shown++;
    int32_t shown_end = end - shown > SHOWN ? shown + SHOWN : end;
    while (shown_end > shown && shown_end < end && ((unsigned char)text[shown_end] & 0xc0) == 0x80)
        shown_end--;
    char padding[SHOWN + 8];
    for (int32_t i = shown; i < at && caret < SHOWN; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80) padding[caret++] = text[i] == '\t' ? '\t' : ' ';
    padding[caret] = 0;
    char said[sizeof error->text];
    snprintf(said, sizeof said, "%s", error->text);
    snprintf(error->text, sizeof error->text, "%s:%d:%d: %.640s\n%.*s\n%s^", script->name, line, column, said,
             shown_end - shown, text + shown, padding);
    return code;
}
