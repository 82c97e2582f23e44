/* Where the state of a checkpoint lies: "<dir>/chk-<n>/<name>", and "<dir>/shared/…" for what several checkpoints name.
 */
#pragma once

#include <stdint.h>

#define LEAT_STATE_SHARED "shared/" /* a name that begins so is relative to the job's folder */

/* `name` as in the metadata; `dir` the folder of the job that wrote it. To be freed; NULL: no memory. */
char *leat_state_path(const char *dir, uint64_t checkpoint_id, const char *name);
