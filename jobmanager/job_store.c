#include "jobmanager/job_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/memory.h"
#include "jobmanager/sealed.h"
#include "storage/storage.h"

enum { STORE_VERSION = 1, LEADER_BYTES_MAX = 4096, RECORD_BYTES_MAX = 64 << 20, LEAD_TRIES_MAX = 100 };

static const char leader_magic[8] = {'L', 'E', 'A', 'T', 'L', 'E', 'A', 'D'};
static const char job_magic[8] = {'L', 'E', 'A', 'T', 'J', 'O', 'B', '1'};

/* --- who leads --- */

static leat_code read_leader(const leat_job_store *self, const char *path, uint64_t *epoch,
                             leat_storage_version *version, leat_error *error)
{
    leat_bytes bytes = {0};
    ProtobufCMessage *message = NULL;
    leat_code code = leat_storage_get_version(self->env->storage, path, LEADER_BYTES_MAX, &bytes, version, error);
    if (code == LEAT_OK) {
        code = leat_unseal(&bytes, leader_magic, &leat__pb__leader_record__descriptor, path, "leader's record",
                           &message, error);
    }
    leat_bytes_done(&bytes);
    if (code != LEAT_OK) return code;
    const Leat__Pb__LeaderRecord *record = (Leat__Pb__LeaderRecord *)message;
    *epoch = record->epoch;
    if (record->version != STORE_VERSION)
        code =
            leat_fail(error, LEAT_UNSUPPORTED, "%s is of version %u; this is %d", path, record->version, STORE_VERSION);
    protobuf_c_message_free_unpacked(message, NULL);
    return code;
}

/* One try to write an epoch above the one there. LEAT_CONFLICT, LEAT_EXISTS: another was faster. */
static leat_code try_to_lead(leat_job_store *self, const char *path, leat_error *error)
{
    leat_storage_version version;
    uint64_t before = 0;
    leat_code code = read_leader(self, path, &before, &version, error);
    bool is_first = code == LEAT_NOT_FOUND;
    if (code != LEAT_OK && !is_first) return code;
    Leat__Pb__LeaderRecord record = LEAT__PB__LEADER_RECORD__INIT;
    record.version = STORE_VERSION;
    record.epoch = before + 1;
    leat_bytes bytes = {0};
    code = leat_seal(&record.base, leader_magic, &bytes, error);
    leat_storage *storage = self->env->storage;
    if (code == LEAT_OK && is_first)
        code = leat_storage_put(storage, path, bytes.data, bytes.size, LEAT_PUT_IF_ABSENT, error);
    else if (code == LEAT_OK)
        code = leat_storage_replace(storage, path, bytes.data, bytes.size, &version, error);
    leat_bytes_done(&bytes);
    if (code == LEAT_OK) self->epoch = record.epoch;
    return code;
}

leat_code leat_job_store_open(leat_job_store *self, leat_env *env, const char *dir, leat_error *error)
{
    *self = (leat_job_store){.env = env, .dir = leat_strdup(dir)};
    char *path = leat_format("%s/leader", dir);
    leat_code code = self->dir && path ? LEAT_CONFLICT : leat_fail_no_memory(error);
    for (int i = 0; i < LEAD_TRIES_MAX && (code == LEAT_CONFLICT || code == LEAT_EXISTS); i++)
        code = try_to_lead(self, path, error);
    leat_free(path);
    if (code == LEAT_OK) return code;
    leat_job_store_done(self);
    return leat_fail_in(error, code, "job store in %s", dir);
}

void leat_job_store_done(leat_job_store *self)
{
    leat_free(self->dir);
    *self = (leat_job_store){0};
}

leat_code leat_job_store_check(const leat_job_store *self, leat_error *error)
{
    char *path = leat_format("%s/leader", self->dir);
    if (!path) return leat_fail_no_memory(error);
    leat_storage_version version;
    uint64_t epoch = 0;
    leat_code code = read_leader(self, path, &epoch, &version, error);
    leat_free(path);
    if (code != LEAT_OK) return leat_fail_in(error, code, "who leads");
    if (epoch == self->epoch) return LEAT_OK;
    return leat_fail(error, LEAT_CANCELED,
                     "another job manager has taken over (epoch %" PRIu64 "; this one's is %" PRIu64 ")", epoch,
                     self->epoch);
}

/* --- jobs --- */

void leat_jm_print_job_id(const uint8_t *id, char out[LEAT_JM_JOB_ID_TEXT_BYTES])
{
    for (int i = 0; i < LEAT_JM_JOB_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static char *path_of(const leat_job_store *self, const char *name)
{
    return leat_format("%s/jobs/%s", self->dir, name);
}

leat_code leat_job_store_put(const leat_job_store *self, const Leat__Pb__JobRecord *record, leat_error *error)
{
    char id[LEAT_JM_JOB_ID_TEXT_BYTES];
    LEAT_ASSERT(record->job.len == LEAT_JM_JOB_ID_BYTES);
    leat_jm_print_job_id(record->job.data, id);
    char *path = path_of(self, id);
    leat_bytes bytes = {0};
    Leat__Pb__JobRecord stored = *record;
    stored.version = STORE_VERSION;
    leat_code code = path ? leat_seal(&stored.base, job_magic, &bytes, error) : leat_fail_no_memory(error);
    if (code == LEAT_OK)
        code = leat_storage_put(self->env->storage, path, bytes.data, bytes.size, LEAT_PUT_REPLACE, error);
    leat_bytes_done(&bytes);
    leat_free(path);
    return code == LEAT_OK ? code : leat_fail_in(error, code, "store job %s", id);
}

leat_code leat_job_store_remove(const leat_job_store *self, const char *job_id, leat_error *error)
{
    char *path = path_of(self, job_id);
    leat_code code = path ? leat_storage_remove(self->env->storage, path, error) : leat_fail_no_memory(error);
    leat_free(path);
    return code;
}

static leat_code load_one(const leat_job_store *self, const char *path, Leat__Pb__JobRecord **out, leat_error *error)
{
    leat_bytes bytes = {0};
    ProtobufCMessage *message = NULL;
    leat_code code = leat_storage_get_all(self->env->storage, path, RECORD_BYTES_MAX, &bytes, error);
    if (code == LEAT_OK)
        code = leat_unseal(&bytes, job_magic, &leat__pb__job_record__descriptor, path, "job", &message, error);
    leat_bytes_done(&bytes);
    if (code != LEAT_OK) return code;
    Leat__Pb__JobRecord *read = (Leat__Pb__JobRecord *)message;
    if (read->version != STORE_VERSION || read->job.len != LEAT_JM_JOB_ID_BYTES) {
        code =
            leat_fail(error, LEAT_UNSUPPORTED, "%s is of version %u; this is %d", path, read->version, STORE_VERSION);
        protobuf_c_message_free_unpacked(message, NULL);
        return code;
    }
    *out = read;
    return LEAT_OK;
}

static int compare_age(const void *left, const void *right)
{
    const Leat__Pb__JobRecord *a = *(Leat__Pb__JobRecord *const *)left, *b = *(Leat__Pb__JobRecord *const *)right;
    return (a->submitted_ms > b->submitted_ms) - (a->submitted_ms < b->submitted_ms);
}

static leat_code load_listed(const leat_job_store *self, const leat_storage_list *names, leat_job_records *out,
                             leat_error *error)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->entries[i].is_folder) continue;
        char *path = path_of(self, names->entries[i].name);
        if (!path) return leat_fail_no_memory(error);
        Leat__Pb__JobRecord *record = NULL;
        leat_error found = {0};
        leat_code code = load_one(self, path, &record, &found);
        leat_free(path);
        if (code == LEAT_CORRUPT || code == LEAT_UNSUPPORTED) {
            leat_log(LEAT_LOG_ERROR, "jobmanager", "a job can't be gone on with: %s", found.text);
            continue;
        }
        if (code == LEAT_NOT_FOUND) continue; /* removed since it was listed */
        if (code != LEAT_OK) {
            if (error) *error = found;
            return code;
        }
        if (leat_grow(&out->list, &out->capacity, out->count + 1, sizeof *out->list, error) != LEAT_OK) {
            leat__pb__job_record__free_unpacked(record, NULL);
            return leat_fail_no_memory(error);
        }
        out->list[out->count++] = record;
    }
    return LEAT_OK;
}

leat_code leat_job_store_load(const leat_job_store *self, leat_job_records *out, leat_error *error)
{
    *out = (leat_job_records){0};
    char *folder = leat_format("%s/jobs", self->dir);
    leat_storage_list names = {0};
    leat_code code =
        folder ? leat_storage_list_folder(self->env->storage, folder, &names, error) : leat_fail_no_memory(error);
    if (code == LEAT_OK) code = load_listed(self, &names, out, error);
    leat_storage_list_done(&names);
    leat_free(folder);
    if (code != LEAT_OK) {
        leat_job_records_done(out);
        return leat_fail_in(error, code, "load the jobs");
    }
    if (out->count) qsort(out->list, out->count, sizeof *out->list, compare_age);
    return LEAT_OK;
}

void leat_job_records_done(leat_job_records *records)
{
    for (size_t i = 0; i < records->count; i++)
        leat__pb__job_record__free_unpacked(records->list[i], NULL);
    leat_free(records->list);
    *records = (leat_job_records){0};
}
