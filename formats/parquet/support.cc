#include "formats/parquet/support.h"

#include <arrow/config.h>

#include <cstring>

namespace leat
{

/* Arrow gives away zero-size blocks and expects a pointer that is not NULL. */
alignas(64) static uint8_t empty_block[64];
static HostPool *the_pool;

HostPool *pool()
{
    return the_pool;
}

void set_pool(const leat_parquet_host &host)
{
    static HostPool host_pool(host);
    the_pool = &host_pool;
}

arrow::Status HostPool::Allocate(int64_t size, int64_t alignment, uint8_t **out)
{
    if (size == 0) {
        *out = empty_block;
        return arrow::Status::OK();
    }
    if (alignment > 64) return arrow::Status::OutOfMemory("alignment of ", alignment);
    *out = static_cast<uint8_t *>(host_.allocate(static_cast<size_t>(size)));
    if (!*out) return arrow::Status::OutOfMemory("no memory for ", size, " bytes");
    stats_.DidAllocateBytes(size);
    return arrow::Status::OK();
}

arrow::Status HostPool::Reallocate(int64_t old_size, int64_t new_size, int64_t alignment, uint8_t **pointer)
{
    uint8_t *grown = nullptr;
    ARROW_RETURN_NOT_OK(Allocate(new_size, alignment, &grown));
    std::memcpy(grown, *pointer, static_cast<size_t>(old_size < new_size ? old_size : new_size));
    Free(*pointer, old_size, alignment);
    *pointer = grown;
    return arrow::Status::OK();
}

void HostPool::Free(uint8_t *buffer, int64_t size, int64_t)
{
    if (buffer == empty_block) return;
    host_.release(buffer);
    stats_.DidFreeBytes(size);
}

int fail(leat_parquet_failure *failure, leat_code code, const char *text)
{
    std::snprintf(failure->text, sizeof failure->text, "%s", text);
    return code;
}

int fail(leat_parquet_failure *failure, const arrow::Status &status)
{
    leat_code code = LEAT_CORRUPT;
    if (status.IsOutOfMemory()) code = LEAT_NO_MEMORY;
    if (status.IsNotImplemented()) code = LEAT_UNSUPPORTED;
    if (status.IsKeyError()) code = LEAT_NOT_FOUND;
    if (status.IsTypeError()) code = LEAT_INVALID;
    if (status.IsIOError()) code = LEAT_IO;
    return fail(failure, code, status.message().c_str());
}

} // namespace leat

extern "C" __attribute__((visibility("default"))) const leat_parquet_module *
leat_parquet_get_module(const leat_parquet_host *host);

const leat_parquet_module *leat_parquet_get_module(const leat_parquet_host *host)
{
    leat::set_pool(*host);
    return &leat::module_table;
}
