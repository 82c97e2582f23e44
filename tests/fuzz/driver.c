/* What runs a fuzzer in the tests, where libFuzzer is not linked (it is clang's): each input of its corpus as it is,
 * then a bounded number of inputs made from them. It looks at no coverage, so it finds little that is new; it says that
 * what was found stays mended, and it costs a second.
 *
 *   PROGRAM FOLDER RUNS SEED
 *
 * The input that is being run lies in the file that FUZZ_INPUT names, if it is set: what a crash leaves is there. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/fuzz/fuzz.h"

enum { INPUTS_MAX = 4096, INPUT_BYTES_MAX = 1 << 20, GROWTH_BYTES_MAX = 256, EDITS_MAX = 8 };

typedef struct input {
    uint8_t *data;
    size_t size;
} input;

static input inputs[INPUTS_MAX];
static size_t inputs_count;
static uint64_t state;

static uint64_t draw(uint64_t bound)
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return bound ? z % bound : 0;
}

static void load(const char *folder)
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, alphasort); /* sorted: a seed means the same everywhere */
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        bool is_file = names[i]->d_name[0] != '.';
        free(names[i]);
        FILE *file = is_file && inputs_count < INPUTS_MAX ? fopen(path, "rb") : NULL;
        if (!file) continue;
        uint8_t *data = malloc(INPUT_BYTES_MAX);
        size_t size = data ? fread(data, 1, INPUT_BYTES_MAX, file) : 0;
        fclose(file);
        if (data) inputs[inputs_count++] = (input){data, size};
    }
    if (count >= 0) free(names);
}

/* From a buffer of exactly its size, so that a read behind its end is seen. */
static void run(const uint8_t *data, size_t size)
{
    const char *path = getenv("FUZZ_INPUT");
    FILE *file = path ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(data, 1, size, file);
        fclose(file);
    }
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) abort();
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void put_number(uint8_t *at, size_t room)
{
    static const uint64_t edges[] = {0,      1,          0x7f,       0x80,       0xff,      0x7fff,
                                     0xffff, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX};
    uint64_t value = draw(2) ? edges[draw(sizeof edges / sizeof *edges)] : draw(1 << 16);
    size_t bytes = (size_t)1 << draw(4);
    memcpy(at, &value, bytes < room ? bytes : room);
}

/* A piece of another input comes in, or a piece goes. Returns the new size. */
static size_t splice(uint8_t *data, size_t size, size_t capacity)
{
    size_t at = draw(size + 1);
    const input *other = &inputs[draw(inputs_count)];
    size_t from = draw(other->size + 1), count = draw(GROWTH_BYTES_MAX);
    if (count > other->size - from) count = other->size - from;
    if (draw(2) == 0 || size + count > capacity) {
        if (count > size - at) count = size - at;
        memmove(data + at, data + at + count, size - at - count);
        return size - count;
    }
    memmove(data + at + count, data + at, size - at);
    memcpy(data + at, other->data + from, count);
    return size + count;
}

static size_t change(uint8_t *data, size_t size, size_t capacity)
{
    for (uint64_t edits = 1 + draw(EDITS_MAX); edits; edits--) {
        size_t at = size ? draw(size) : 0;
        uint64_t kind = size ? draw(5) : 4;
        if (kind == 0) data[at] ^= (uint8_t)(1u << draw(8));
        if (kind == 1) data[at] = (uint8_t)draw(256);
        if (kind == 2) put_number(data + at, size - at);
        if (kind == 3 && draw(4) == 0) size = at;
        if (kind == 4) size = splice(data, size, capacity);
    }
    return size;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s FOLDER RUNS SEED\n", argv[0]);
        return 2;
    }
    leat_log_set_level(LEAT_LOG_OFF);
    load(argv[1]);
    if (!inputs_count) {
        fprintf(stderr, "%s: no inputs\n", argv[1]);
        return 1;
    }
    state = strtoull(argv[3], NULL, 10);
    uint64_t runs = strtoull(argv[2], NULL, 10);
    for (size_t i = 0; i < inputs_count; i++)
        run(inputs[i].data, inputs[i].size);
    static uint8_t data[INPUT_BYTES_MAX + EDITS_MAX * GROWTH_BYTES_MAX];
    for (uint64_t i = 0; i < runs; i++) {
        const input *base = &inputs[draw(inputs_count)];
        memcpy(data, base->data, base->size);
        run(data, change(data, base->size, sizeof data));
    }
    printf("%zu inputs of the corpus, %llu made from them\n", inputs_count, (unsigned long long)runs);
    for (size_t i = 0; i < inputs_count; i++)
        free(inputs[i].data);
    return 0;
}
