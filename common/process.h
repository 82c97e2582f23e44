/* How the programs that serve begin and fail: the same in the job manager and in the task manager. */
#pragma once

#include "common/config.h"

/* Before any thread is made: SIGTERM and SIGINT come as reads of *stop_fd (the caller's) in this thread and all later
 * ones, SIGPIPE not at all; the log gets its level and file (`log_path` NULL: stderr); unknown keys are warned about.
 */
LEAT_CHECKED leat_code leat_process_begin(const leat_config *config, const char *log_path, int *stop_fd,
                                          leat_error *error);
/* "PROGRAM: what failed", and the hint, on stderr. */
void leat_process_failed(const char *program, const leat_error *error);
