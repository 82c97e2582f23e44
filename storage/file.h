/* Inside of the storage of files. */
#pragma once

#include "storage/storage.h"

/* The local path of "file:/a" or "/a"; in the input. */
LEAT_CHECKED leat_code leat_file_path(const char *uri, const char **out, leat_error *error);
LEAT_CHECKED leat_code leat_file_get_version(leat_storage *storage, const char *uri, size_t limit_bytes,
                                             leat_bytes *out, leat_storage_version *version, leat_error *error);
LEAT_CHECKED leat_code leat_file_replace(leat_storage *storage, const char *uri, const void *data, size_t size,
                                         leat_storage_version *version, leat_error *error);
/* The version of bytes: a hash of them. Also of the storage in memory. */
void leat_version_of(const void *data, size_t size, leat_storage_version *out);
