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

/* xoroshiro128+ by Blackman and Vigna. */
typedef struct bare_random {
    uint64_t a, b;
} bare_random;

static inline uint64_t bare_next(bare_random *random)
{
    uint64_t a = random->a, b = random->b, sum = a + b;
    b ^= a;
    random->a = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
    random->b = (b << 37) | (b >> 27);
    return sum;
}

/* Uniform in [min, max], a multiplication instead of a division. */
static inline int32_t bare_between(bare_random *random, int32_t min, int32_t max)
{
    return min + (int32_t)(((bare_next(random) >> 32) * (uint64_t)(max - min + 1)) >> 32);
}

/* order_id, amount, client_id as in the lab. */
static inline void bare_generate(bare_random *random, bare_block *block, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++)
        block->columns[0][i] = bare_between(random, 1, 100);
    for (int64_t i = 0; i < rows; i++)
        block->columns[1][i] = bare_between(random, 10, 1000);
    for (int64_t i = 0; i < rows; i++)
        block->columns[2][i] = bare_between(random, 1, 10);
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
