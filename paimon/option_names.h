/* Which options a Paimon table may have. Unknown ones are kept, as Paimon keeps them, but the user is told. */
#pragma once

#include "common/bytes.h"
#include "common/config.h"

/* A line for each option that Paimon does not know, with the nearest one that it does. Keys of file systems ("s3.…")
 * pass unlooked at. */
void leat_paimon_warn_of_options(const leat_config *options, leat_bytes *warnings);
