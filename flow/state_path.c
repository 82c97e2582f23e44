#include "flow/state_path.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "common/memory.h"

char *leat_state_path(const char *dir, uint64_t checkpoint_id, const char *name)
{
    bool is_shared = strncmp(name, LEAT_STATE_SHARED, strlen(LEAT_STATE_SHARED)) == 0;
    return is_shared ? leat_format("%s/%s", dir, name) : leat_format("%s/chk-%" PRIu64 "/%s", dir, checkpoint_id, name);
}
