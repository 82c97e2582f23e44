/* What the bare loops share: the obvious, hand-written, single-threaded programs that Leat's figures are held against.
 * Each prints one line: "rows N cpu_s S check C". None of them links Leat's runtime. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { BARE_ROWS = 8192, BARE_COLUMNS = 3 };

typedef struct bare_block {
    int32_t columns[BARE_COLUMNS][BARE_ROWS];
} bare_block;

/* splitmix64 by Steele, Lea and Flood: a counter and a mixer, so that values do not wait for each other. */
typedef struct bare_random {
    uint64_t counter;
} bare_random;

static inline uint64_t bare_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform in [min, max]; two values from one mix, a multiplication instead of a division. */
static inline void bare_fill(bare_random *random, int32_t *restrict out, int32_t min, int32_t max)
{
    uint64_t span = (uint64_t)(max - min + 1), base = random->counter;
    for (int i = 0; i < BARE_ROWS; i += 2) {
        uint64_t mixed = bare_mix(base + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15));
        out[i] = min + (int32_t)(((mixed & UINT32_MAX) * span) >> 32);
        out[i + 1] = min + (int32_t)(((mixed >> 32) * span) >> 32);
    }
    random->counter = base + BARE_ROWS * UINT64_C(0x9e3779b97f4a7c15);
}

/* A whole block of order_id, amount, client_id as in the lab. */
static inline void bare_generate(bare_random *random, bare_block *block)
{
    bare_fill(random, block->columns[0], 1, 100);
    bare_fill(random, block->columns[1], 10, 1000);
    bare_fill(random, block->columns[2], 1, 10);
}

static inline double bare_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline void bare_report(int64_t rows, uint64_t check)
{
    printf("rows %lld cpu_s %.3f check %llu\n", (long long)rows, bare_cpu_s(), (unsigned long long)check);
}
