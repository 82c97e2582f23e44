/* What tests of paimon/ share. */
#pragma once

#include <stdlib.h>
#include <string.h>

/* Bytes against hex text; blanks in it are left out. */
static inline void assert_bytes_hex(const uint8_t *data, size_t size, const char *hex)
{
    size_t at = 0;
    for (; *hex; hex++) {
        if (*hex == ' ') continue;
        char two[3] = {hex[0], hex[1], 0};
        assert_true(at < size);
        assert_int_equal(data[at++], strtoul(two, NULL, 16));
        hex++;
    }
    assert_int_equal(at, size);
}
