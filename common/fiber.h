/* Fibers: blocking-style code that runs in one thread and gives way where it would block. For tests/sim, where every
 * call of the environment is a switch point (DESIGN 2.1). A fiber runs on a stack of its own (ucontext); switches are
 * announced to AddressSanitizer. Not thread-safe: all fibers of a scheduler belong to one thread. */
#pragma once

#include <stdbool.h>

#include "common/error.h"

typedef struct leat_fiber leat_fiber;

/* A fiber that will run `run(arg)` when first resumed. */
LEAT_CHECKED leat_code leat_fiber_new(void (*run)(void *arg), void *arg, leat_fiber **out, leat_error *error);
/* Runs it until it yields or ends; true when it has ended (then free it). Called from outside fibers only. */
bool leat_fiber_resume(leat_fiber *fiber);
/* From within a fiber: back to who resumed it. */
void leat_fiber_yield(void);
/* The fiber that runs; NULL outside. */
leat_fiber *leat_fiber_current(void);
/* Ended ones only: what is on a live stack would be lost. */
void leat_fiber_free(leat_fiber *fiber);
