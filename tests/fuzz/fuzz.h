/* A fuzzer: bytes in, nothing out. What it may not do is crash, leak, hang, or meet undefined behaviour. The same file
 * is linked with libFuzzer (./dev fuzz) and with driver.c (./dev test unit). */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
