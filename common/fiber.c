#include "common/fiber.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "common/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifdef HAS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 256 * 1024 };

struct leat_fiber {
    ucontext_t own, caller;
    void (*run)(void *arg);
    void *arg;
    void *stack;
    bool has_ended;
    void *fake_stack, *caller_fake_stack; /* AddressSanitizer's */
    const void *caller_bottom;
    size_t caller_bytes;
};

static leat_fiber *current; /* the one thread's */

static void announce(void **save, const void *bottom, size_t bytes)
{
#ifdef HAS_ASAN
    __sanitizer_start_switch_fiber(save, bottom, bytes);
#else
    (void)save;
    (void)bottom;
    (void)bytes;
#endif
}

static void announced(void *saved, const void **bottom, size_t *bytes)
{
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(saved, bottom, bytes);
#else
    (void)saved;
    (void)bottom;
    (void)bytes;
#endif
}

static void enter(void)
{
    leat_fiber *self = current;
    announced(NULL, &self->caller_bottom, &self->caller_bytes);
    self->run(self->arg);
    self->has_ended = true;
    announce(NULL, self->caller_bottom, self->caller_bytes); /* NULL: this stack is not needed any more */
    current = NULL;
    swapcontext(&self->own, &self->caller);
}

leat_code leat_fiber_new(void (*run)(void *arg), void *arg, leat_fiber **out, leat_error *error)
{
    leat_fiber *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    self->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (self->stack == MAP_FAILED) {
        leat_free(self);
        return leat_fail_no_memory(error);
    }
    (void)mprotect(self->stack, 4096, PROT_NONE); /* a stack that overflows shall not eat its neighbour */
    self->run = run;
    self->arg = arg;
    getcontext(&self->own);
    self->own.uc_stack.ss_sp = self->stack;
    self->own.uc_stack.ss_size = STACK_BYTES;
    makecontext(&self->own, enter, 0);
    *out = self;
    return LEAT_OK;
}

bool leat_fiber_resume(leat_fiber *fiber)
{
    LEAT_ASSERT(!current && !fiber->has_ended);
    current = fiber;
    announce(&fiber->caller_fake_stack, fiber->stack, STACK_BYTES);
    swapcontext(&fiber->caller, &fiber->own);
    announced(fiber->caller_fake_stack, NULL, NULL);
    current = NULL;
    return fiber->has_ended;
}

void leat_fiber_yield(void)
{
    leat_fiber *self = current;
    LEAT_ASSERT(self);
    announce(&self->fake_stack, self->caller_bottom, self->caller_bytes);
    current = NULL;
    swapcontext(&self->own, &self->caller);
    announced(self->fake_stack, &self->caller_bottom, &self->caller_bytes);
}

leat_fiber *leat_fiber_current(void)
{
    return current;
}

void leat_fiber_free(leat_fiber *fiber)
{
    if (!fiber) return;
    LEAT_ASSERT(fiber->has_ended);
    munmap(fiber->stack, STACK_BYTES);
    leat_free(fiber);
}
