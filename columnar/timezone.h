/* Time zones from the system's TZif files (RFC 8536). A zone is immutable once loaded and may be used by any thread. */
#pragma once

#include <stdint.h>

#include "common/error.h"

typedef struct leat_zone leat_zone;

/* An IANA name ("Europe/Berlin", "UTC"), or a fixed offset ("GMT+02:00", "+02:00"); NULL: UTC. LEAT_INVALID: unknown.
 * Zones are kept by name for the process's life, at most LEAT_ZONES_MAX; the first use of a name reads a file: do it
 * where an operator opens or a query is planned. Any thread. */
enum { LEAT_ZONES_MAX = 64 };
LEAT_CHECKED leat_code leat_zone_find(const char *name, const leat_zone **out, leat_error *error);
/* Seconds east of UTC at an instant. `zone` NULL: UTC. */
int64_t leat_zone_offset_s(const leat_zone *zone, int64_t utc_us);
/* A local wall-clock time as an instant: in a gap as if the clock had not moved, twice: the earlier, as java.time. */
int64_t leat_zone_to_utc_us(const leat_zone *zone, int64_t local_us);
static inline int64_t leat_zone_to_local_us(const leat_zone *zone, int64_t utc_us)
{
    return utc_us + leat_zone_offset_s(zone, utc_us) * 1000000;
}
