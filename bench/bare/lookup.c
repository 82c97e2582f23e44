/* ROWS: three random INT columns, of which one is looked up in a hash table of a million clients: open addressing, two
 * 16-byte values a client. Every value of the joined rows is checksummed. */
#include <string.h>

#include "bench/bare/bare.h"

enum { CLIENTS = 1000000, SLOTS = 1 << 21 };

typedef struct value {
    uint64_t words[2];
} value;

static uint32_t slots[SLOTS]; /* client's place + 1; 0: empty */
static int32_t keys[CLIENTS];
static value countries[CLIENTS], zips[CLIENTS];

static inline uint32_t slot_of(int32_t key)
{
    return (uint32_t)(bare_mix((uint32_t)key) & (SLOTS - 1));
}

static void fill(void)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        keys[i] = (int32_t)i + 1;
        char text[32] = {0};
        snprintf(text, sizeof text, "Country %u", (i + 1) % 200);
        memcpy(&countries[i], text, sizeof countries[i]);
        snprintf(text, sizeof text, "%u", 100000 + i);
        memcpy(&zips[i], text, sizeof zips[i]);
        uint32_t slot = slot_of(keys[i]);
        while (slots[slot])
            slot = (slot + 1) & (SLOTS - 1);
        slots[slot] = i + 1;
    }
}

/* Places of the clients; all are there. */
static void probe(const int32_t *restrict ids, uint32_t *restrict places)
{
    for (int i = 0; i < BARE_ROWS; i++) {
        uint32_t slot = slot_of(ids[i]);
        while (keys[slots[slot] - 1] != ids[i])
            slot = (slot + 1) & (SLOTS - 1);
        places[i] = slots[slot] - 1;
    }
}

static void gather(const value *restrict from, const uint32_t *restrict places, value *restrict to)
{
    for (int i = 0; i < BARE_ROWS; i++)
        to[i] = from[places[i]];
}

static uint64_t sum_values(const value *values)
{
    uint64_t sum = 0;
    for (int i = 0; i < BARE_ROWS; i++)
        sum += values[i].words[0] + values[i].words[1];
    return sum;
}

int main(int argc, char **argv)
{
    int64_t rows = argc > 1 ? strtoll(argv[1], NULL, 10) : 50000000;
    static bare_block block;
    static uint32_t places[BARE_ROWS];
    static value country[BARE_ROWS], zip[BARE_ROWS];
    bare_random random = {1};
    uint64_t check = 0;
    fill();
    for (int64_t left = rows; left > 0; left -= BARE_ROWS) {
        bare_fill(&random, block.columns[0], 1, 100);
        bare_fill(&random, block.columns[1], 10, 1000);
        bare_fill(&random, block.columns[2], 1, CLIENTS);
        probe(block.columns[2], places);
        gather(countries, places, country);
        gather(zips, places, zip);
        for (int i = 0; i < BARE_ROWS; i++)
            check += (uint32_t)block.columns[0][i] + (uint32_t)block.columns[1][i];
        check += sum_values(country) + sum_values(zip);
    }
    bare_report(rows, check);
    return 0;
}
