/* Type rules of the function table: what the result's type is, and what the arguments are cast to. */
#pragma once

#include "columnar/kernel.h"

#define LEAT_RULE(name)                                                                                                \
    LEAT_CHECKED leat_code leat_rule_##name(const leat_function *self, const leat_type *arguments, int32_t count,      \
                                            leat_function_match *out, leat_error *error);
LEAT_RULE(plus) /* + and − */
LEAT_RULE(times)
LEAT_RULE(divide)
LEAT_RULE(modulo)
LEAT_RULE(compare)
LEAT_RULE(distinct)
LEAT_RULE(in)
LEAT_RULE(between)
LEAT_RULE(boolean)
LEAT_RULE(boolean_not_null)
LEAT_RULE(int_of)
LEAT_RULE(double_of)
LEAT_RULE(string_of)
LEAT_RULE(string_nullable)
LEAT_RULE(first)
LEAT_RULE(varchar_of_first)
LEAT_RULE(varchar_nullable)
LEAT_RULE(concat_operator)
LEAT_RULE(common)
LEAT_RULE(if)
LEAT_RULE(coalesce)
LEAT_RULE(nullif)
LEAT_RULE(floor)
LEAT_RULE(round)
LEAT_RULE(timestamp_ltz)
LEAT_RULE(timestamp_ltz_nullable)
LEAT_RULE(timestamp)
LEAT_RULE(date)
LEAT_RULE(time)

/* "Cannot apply '+' to arguments of type '<CHAR(1)> + <INTEGER>'. Supported form(s): …". */
leat_code leat_fail_apply(const leat_function *self, const leat_type *arguments, int32_t count, leat_error *error);
