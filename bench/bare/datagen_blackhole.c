/* ROWS: three random INT columns, every value checksummed. */
#include "bench/bare/bare.h"

int main(int argc, char **argv)
{
    int64_t rows = argc > 1 ? strtoll(argv[1], NULL, 10) : 100000000;
    static bare_block block;
    bare_random random = {1};
    uint64_t check = 0;
    for (int64_t left = rows; left > 0; left -= BARE_ROWS) {
        int64_t count = left < BARE_ROWS ? left : BARE_ROWS;
        bare_generate(&random, &block);
        for (int c = 0; c < BARE_COLUMNS; c++) {
            for (int64_t i = 0; i < count; i++)
                check += (uint32_t)block.columns[c][i];
        }
    }
    bare_report(rows, check);
    return 0;
}
