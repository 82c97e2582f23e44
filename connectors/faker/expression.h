/* Faker expressions: text with directives, "#{provider.method 'argument','argument'}" (spec: connectors §8).
 *
 * Names are compared without case and underscores. An unknown directive is refused when the expression is parsed. */
#pragma once

#include <stdint.h>

#include "common/arena.h"
#include "common/bytes.h"

typedef struct leat_faker_expression leat_faker_expression;

/* What one value is made with: a random state and the time. */
typedef struct leat_faker_source {
    uint64_t random;
    int64_t now_ms;
} leat_faker_source;

uint64_t leat_faker_next(leat_faker_source *source);
/* Uniform in 0 … bound - 1; bound > 0. */
uint64_t leat_faker_below(leat_faker_source *source, uint64_t bound);

/* Errors name the directive: "Unable to resolve #{nope.nope} directive". */
LEAT_CHECKED leat_code leat_faker_parse(const char *text, leat_arena *arena, leat_faker_expression **out,
                                        leat_error *error);
/* Appends one made-up text. */
void leat_faker_make(const leat_faker_expression *expression, leat_faker_source *source, leat_bytes *out);

/* regexify.c: appends a text that matches the pattern. */
void leat_faker_regexify(const char *pattern, leat_faker_source *source, leat_bytes *out);
