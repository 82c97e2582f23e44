/* The Parquet format: finds and opens the module on first use and speaks to it (formats/parquet/module.h). */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/memory.h"
#include "formats/arrow_columns.h"
#include "formats/format.h"
#include "formats/parquet/module.h"

static pthread_once_t module_once = PTHREAD_ONCE_INIT;
static const leat_parquet_module *module; /* set by open_module; NULL: see module_error */
static leat_error module_error;

enum { PATH_BYTES = 4096 };
static const char module_file[] = "leat-parquet.so";

static const leat_parquet_host host = {leat_alloc_aligned, leat_free};

/* Remembers the last reason why it is not there. */
static bool open_at(const char *folder, const char *below)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s%s/%s", folder, below, module_file);
    if (length < 0 || length >= (int)sizeof path || access(path, R_OK) != 0) return false;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    /* POSIX's way from an object pointer to a function pointer. */
    leat_parquet_module_get get = NULL;
    if (handle) *(void **)(void *)&get = dlsym(handle, LEAT_PARQUET_MODULE_SYMBOL);
    if (!get) {
        const char *reason = dlerror();
        (void)leat_fail(&module_error, LEAT_UNSUPPORTED, "open %s: %s", path, reason ? reason : "not a module of Leat");
        return false;
    }
    const leat_parquet_module *found = get(&host);
    if (found->abi != LEAT_PARQUET_ABI) {
        (void)leat_fail(&module_error, LEAT_UNSUPPORTED, "%s is of another version (%d, not %d)", path, found->abi,
                        LEAT_PARQUET_ABI);
        return false;
    }
    module = found; /* never closed: C++ libraries do not like to go before the process does */
    return true;
}

static void open_module(void)
{
    char program[PATH_BYTES];
    const char *configured = getenv("LEAT_MODULES");
    if (configured && open_at(configured, "")) return;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
    char *slash = strrchr(program, '/');
    if (slash) *slash = 0;
    /* Beside the program; installed; in the build folder (programs in its root, and one below). */
    static const char *const places[] = {"", "/../" LEAT_LIBDIR "/leat", "/../lib/leat", "/formats/parquet",
                                         "/../formats/parquet"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (open_at(program, places[i])) return;
    }
    if (module_error.code == LEAT_OK) {
        (void)leat_fail(&module_error, LEAT_UNSUPPORTED, "the Parquet module %s is not there (looked beside %s)",
                        module_file, program);
    }
    leat_fail_hint(&module_error, "set LEAT_MODULES to the folder with %s", module_file);
}

static leat_code need_module(leat_error *error)
{
    pthread_once(&module_once, open_module);
    if (module) return LEAT_OK;
    if (error) *error = module_error;
    return module_error.code;
}

static leat_code failed(int code, const leat_parquet_failure *failure, leat_error *error)
{
    return code == LEAT_OK ? LEAT_OK : leat_fail(error, (leat_code)code, "Parquet: %s", failure->text);
}

typedef struct parquet_writer {
    leat_datafile_writer writer; /* first */
    leat_parquet_writer *inner;
} parquet_writer;

enum { ROW_GROUP_BYTES = 8 << 20, ROW_GROUP_ROWS_MAX = 8 << 20 };

static leat_code parquet_writer_new(const leat_schema *schema, const leat_datafile_write_options *options,
                                    leat_datafile_writer **out, leat_error *error)
{
    LEAT_TRY(need_module(error));
    parquet_writer *self = leat_calloc(1, sizeof *self);
    if (!self) return leat_fail_no_memory(error);
    struct ArrowSchema arrow;
    leat_code code = leat_arrow_export_schema(schema, &arrow, error);
    if (code == LEAT_OK) {
        leat_parquet_write_options inner = {
            .compression = options->compression ? options->compression : "zstd",
            .compression_level = options->compression_level,
            .row_group_bytes = options->row_group_bytes > 0 ? options->row_group_bytes : ROW_GROUP_BYTES,
            .row_group_rows_max = ROW_GROUP_ROWS_MAX,
            .field_ids = options->field_ids,
        };
        leat_parquet_failure failure;
        code = failed(module->writer_new(&arrow, &inner, &self->inner, &failure), &failure, error);
    }
    if (code == LEAT_OK)
        *out = &self->writer;
    else
        leat_free(self);
    return code;
}

static leat_code parquet_write(leat_datafile_writer *writer, leat_batch *batch, leat_error *error)
{
    parquet_writer *self = (parquet_writer *)writer;
    struct ArrowArray array;
    leat_parquet_failure failure;
    LEAT_TRY(leat_arrow_export_batch(&writer->schema, batch, &array, error));
    return failed(module->write(self->inner, &array, &failure), &failure, error);
}

static leat_code parquet_take(leat_datafile_writer *writer, leat_bytes *out, leat_error *error)
{
    const uint8_t *data;
    size_t size;
    module->take(((parquet_writer *)writer)->inner, &data, &size);
    if (size) leat_bytes_put(out, data, size);
    return leat_bytes_check(out, error);
}

static int64_t parquet_bytes(const leat_datafile_writer *writer)
{
    return module->bytes(((const parquet_writer *)writer)->inner);
}

static leat_code parquet_finish(leat_datafile_writer *writer, leat_error *error)
{
    leat_parquet_failure failure;
    return failed(module->finish(((parquet_writer *)writer)->inner, &failure), &failure, error);
}

static void parquet_writer_free(leat_datafile_writer *writer)
{
    parquet_writer *self = (parquet_writer *)writer;
    module->writer_free(self->inner);
    leat_free(self);
}

typedef struct parquet_reader {
    leat_datafile_reader reader; /* first */
    leat_parquet_reader *inner;
} parquet_reader;

static leat_code parquet_reader_new(uint64_t file_size, const leat_schema *columns, leat_datafile_reader **out,
                                    leat_error *error)
{
    LEAT_TRY(need_module(error));
    parquet_reader *self = leat_calloc(1, sizeof *self);
    const char **names = leat_calloc((size_t)columns->fields_count + 1, sizeof *names);
    leat_code code = self && names ? LEAT_OK : leat_fail_no_memory(error);
    if (code == LEAT_OK) {
        for (int32_t i = 0; i < columns->fields_count; i++)
            names[i] = columns->fields[i].name;
        leat_parquet_failure failure;
        code = failed(module->reader_new(file_size, names, columns->fields_count, &self->inner, &failure), &failure,
                      error);
    }
    leat_free(names);
    if (code == LEAT_OK)
        *out = &self->reader;
    else
        leat_free(self);
    return code;
}

static void release_given(void *owner)
{
    leat_buffer_unref(owner);
}

static leat_code parquet_give(leat_datafile_reader *reader, uint64_t offset, leat_buffer *bytes, leat_error *error)
{
    leat_parquet_failure failure;
    return failed(module->give(((parquet_reader *)reader)->inner, offset, bytes->data, bytes->size_bytes, release_given,
                               leat_buffer_ref(bytes), &failure),
                  &failure, error);
}

static leat_code parquet_step(leat_datafile_reader *reader, int32_t rows_max, leat_datafile_status *status,
                              leat_batch **out, leat_error *error)
{
    struct ArrowArray array;
    struct ArrowSchema schema;
    leat_parquet_failure failure;
    int inner_status = LEAT_PARQUET_END;
    int code = module->step(((parquet_reader *)reader)->inner, rows_max, &inner_status, &array, &schema, &failure);
    LEAT_TRY(failed(code, &failure, error));
    *status = inner_status == LEAT_PARQUET_NEED ? LEAT_DATAFILE_NEED : LEAT_DATAFILE_END;
    if (inner_status != LEAT_PARQUET_BATCH) return LEAT_OK;
    *status = LEAT_DATAFILE_BATCH;
    leat_code imported = leat_arrow_import_batch(&reader->columns, &array, &schema, out, error);
    schema.release(&schema);
    return imported;
}

static void parquet_start_at(leat_datafile_reader *reader, int64_t row)
{
    module->start_at(((parquet_reader *)reader)->inner, row);
}

static int64_t parquet_first_row(const leat_datafile_reader *reader)
{
    return module->first_row(((const parquet_reader *)reader)->inner);
}

static size_t parquet_needed(leat_datafile_reader *reader, leat_datafile_range *ranges, size_t ranges_max)
{
    leat_parquet_range inner[64];
    size_t limit = ranges_max < 64 ? ranges_max : 64;
    size_t count = module->needed(((parquet_reader *)reader)->inner, inner, limit);
    for (size_t i = 0; i < count; i++)
        ranges[i] = (leat_datafile_range){inner[i].offset, inner[i].size};
    return count;
}

static void parquet_reader_free(leat_datafile_reader *reader)
{
    parquet_reader *self = (parquet_reader *)reader;
    module->reader_free(self->inner);
    leat_free(self);
}

const leat_datafile_format leat_parquet_format = {
    .name = "parquet",
    .writer_new = parquet_writer_new,
    .write = parquet_write,
    .take = parquet_take,
    .bytes = parquet_bytes,
    .finish = parquet_finish,
    .writer_free = parquet_writer_free,
    .reader_new = parquet_reader_new,
    .give = parquet_give,
    .step = parquet_step,
    .start_at = parquet_start_at,
    .first_row = parquet_first_row,
    .needed = parquet_needed,
    .reader_free = parquet_reader_free,
};
