#include <stdbool.h>
#include <stdlib.h>

#include "connectors/faker/expression.h"

/* Text that matches a pattern of alternatives, groups, classes, \d \w . and {m,n} * + ?, made while the pattern is
 * read. */

enum { REGEX_DEPTH_MAX = 16, REGEX_REPEAT_MAX = 10, REGEX_TIMES_MAX = 1000 };

typedef struct regex {
    const char *at;
    leat_faker_source *source;
    leat_bytes *out;
    bool is_silent; /* skipping an alternative that was not chosen */
    int depth;
} regex;

static void regex_alternatives(regex *self);

static void regex_put(regex *self, char c)
{
    if (!self->is_silent) leat_bytes_put_u8(self->out, (uint8_t)c);
}

static void regex_class(regex *self)
{
    char members[256];
    size_t count = 0;
    self->at++;
    while (*self->at && *self->at != ']') {
        char low = *self->at++;
        if (low == '\\' && *self->at) low = *self->at++;
        char high = low;
        if (*self->at == '-' && self->at[1] && self->at[1] != ']') {
            high = self->at[1];
            self->at += 2;
        }
        for (int c = low; c <= high && count < sizeof members; c++)
            members[count++] = (char)c;
    }
    if (*self->at == ']') self->at++;
    if (count) regex_put(self, members[leat_faker_below(self->source, count)]);
}

static void regex_atom(regex *self)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    char c = *self->at;
    if (c == '(') {
        self->at++;
        regex_alternatives(self);
        if (*self->at == ')') self->at++;
    } else if (c == '[') {
        regex_class(self);
    } else if (c == '\\' && self->at[1]) {
        char kind = self->at[1];
        self->at += 2;
        if (kind == 'd')
            regex_put(self, (char)('0' + leat_faker_below(self->source, 10)));
        else if (kind == 'w')
            regex_put(self, word[leat_faker_below(self->source, sizeof word - 1)]);
        else
            regex_put(self, kind);
    } else {
        self->at++;
        regex_put(self, c == '.' ? (char)('a' + leat_faker_below(self->source, 26)) : c);
    }
}

/* {m}, {m,n}, *, +, ? after an atom: how often; moves past it. */
static uint64_t regex_repeat(regex *self, const char **after)
{
    const char *at = *after;
    uint64_t least = 1, most = 1;
    if (*at == '*')
        least = 0, most = REGEX_REPEAT_MAX, at++;
    else if (*at == '+')
        most = REGEX_REPEAT_MAX, at++;
    else if (*at == '?')
        least = 0, at++;
    else if (*at == '{') {
        char *end;
        least = most = strtoull(at + 1, &end, 10);
        if (*end == ',') most = strtoull(end + 1, &end, 10);
        at = *end == '}' ? end + 1 : end;
        if (most < least) most = least;
        if (most > REGEX_TIMES_MAX) most = REGEX_TIMES_MAX;
        if (least > most) least = most;
    }
    *after = at;
    return least + leat_faker_below(self->source, most - least + 1);
}

static void regex_sequence(regex *self)
{
    while (*self->at && *self->at != '|' && *self->at != ')') {
        const char *start = self->at;
        bool was_silent = self->is_silent;
        self->is_silent = true; /* once to find the atom's end */
        regex_atom(self);
        self->is_silent = was_silent;
        const char *after = self->at;
        uint64_t times = regex_repeat(self, &after);
        for (uint64_t i = 0; i < times && !was_silent; i++) {
            self->at = start;
            regex_atom(self);
        }
        self->at = after;
    }
}

static void regex_alternatives(regex *self)
{
    if (++self->depth > REGEX_DEPTH_MAX) { /* checked when parsed: only a longer text could come here */
        self->depth--;
        return;
    }
    const char *start = self->at;
    bool was_silent = self->is_silent;
    uint64_t count = 1;
    self->is_silent = true;
    regex_sequence(self);
    while (*self->at == '|') {
        self->at++;
        count++;
        regex_sequence(self);
    }
    const char *end = self->at;
    if (!was_silent) {
        uint64_t chosen = leat_faker_below(self->source, count);
        self->at = start;
        for (uint64_t i = 0; i < chosen; i++) {
            regex_sequence(self);
            self->at++;
        }
        self->is_silent = false;
        regex_sequence(self);
    }
    self->is_silent = was_silent;
    self->at = end;
    self->depth--;
}

void leat_faker_regexify(const char *pattern, leat_faker_source *source, leat_bytes *out)
{
    regex self = {.at = pattern, .source = source, .out = out};
    regex_alternatives(&self);
}
