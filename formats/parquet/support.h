/* What the writer and the reader of this module share: memory of the host process, failures as values. */
#pragma once

#include <arrow/memory_pool.h>
#include <arrow/status.h>
#include <parquet/exception.h>

#include <cstdio>
#include <exception>
#include <new>

#include "formats/parquet/module.h"

#define _Noreturn [[noreturn]]
extern "C" {
#include "common/error.h"
}

namespace leat
{

/* Arrow's memory comes from the host, so that one count knows all of it. */
class HostPool : public arrow::MemoryPool
{
  public:
    explicit HostPool(const leat_parquet_host &host) : host_(host) {}
    arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t **out) override;
    arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment, uint8_t **pointer) override;
    void Free(uint8_t *buffer, int64_t size, int64_t alignment) override;
    int64_t bytes_allocated() const override { return stats_.bytes_allocated(); }
    int64_t max_memory() const override { return stats_.max_memory(); }
    int64_t total_bytes_allocated() const override { return stats_.total_bytes_allocated(); }
    int64_t num_allocations() const override { return stats_.num_allocations(); }
    std::string backend_name() const override { return "leat"; }

  private:
    leat_parquet_host host_;
    arrow::internal::MemoryPoolStats stats_;
};

/* Set once, before anything else is called. */
HostPool *pool();
void set_pool(const leat_parquet_host &host);

int fail(leat_parquet_failure *failure, leat_code code, const char *text);
int fail(leat_parquet_failure *failure, const arrow::Status &status);

/* Runs a function that returns arrow::Status; exceptions become failures, as nothing of C++ may leave the module. */
template <typename Function> int guarded(leat_parquet_failure *failure, Function function)
{
    try {
        arrow::Status status = function();
        return status.ok() ? LEAT_OK : fail(failure, status);
    } catch (const std::bad_alloc &) {
        return fail(failure, LEAT_NO_MEMORY, "no memory");
    } catch (const parquet::ParquetStatusException &exception) {
        return fail(failure, exception.status());
    } catch (const std::exception &exception) {
        return fail(failure, LEAT_CORRUPT, exception.what());
    }
}

extern const leat_parquet_module module_table;

} // namespace leat
