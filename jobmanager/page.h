/* The plain web page at "/": jobmanager/page.html, put into the program at build time. */
#pragma once

#include <stddef.h>

extern const unsigned char leat_page[];
extern const size_t leat_page_bytes;
