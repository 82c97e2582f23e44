/* A machine that misbehaves, for LD_PRELOAD: calls fail as a control file says, from one moment to the next.
 *
 * LEAT_FAULTS names the control file, which tests/faults/shim.py writes and every process maps: one `struct fault` for
 * the job manager, one for the task managers. LEAT_FAULTS_BELOW is the folder whose files fail; LEAT_FAULTS_NOT_BELOW a
 * folder in it that does not (the logs). System calls are made directly, so that neither libc nor a sanitizer is asked
 * for the next one of the name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct fault {
    int32_t write_errno;      /* writing below the folder; 0: works */
    int32_t descriptor_errno; /* making a descriptor, of any kind */
    int64_t clock_offset_s;   /* added to the time of day */
    uint64_t refused;         /* calls that failed, counted here */
};

static volatile struct fault *fault; /* NULL: not ours, or no control file */
static char below[4096], not_below[4096];

static void __attribute__((constructor)) begin(void)
{
    const char *control = getenv("LEAT_FAULTS"), *folder = getenv("LEAT_FAULTS_BELOW");
    const char *spared = getenv("LEAT_FAULTS_NOT_BELOW");
    bool is_jobmanager = strncmp(program_invocation_short_name, "leat-jobm", 9) == 0;
    bool is_taskmanager = strncmp(program_invocation_short_name, "leat-task", 9) == 0;
    if (!control || (!is_jobmanager && !is_taskmanager)) return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return;
    void *mapped = mmap(NULL, 2 * sizeof(struct fault), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED) return;
    snprintf(below, sizeof below, "%s", folder ? folder : "/");
    snprintf(not_below, sizeof not_below, "%s", spared ? spared : "");
    fault = (struct fault *)mapped + (is_jobmanager ? 0 : 1);
}

static bool refuse(int errno_value)
{
    if (errno_value == 0) return false;
    __atomic_add_fetch(&fault->refused, 1, __ATOMIC_RELAXED);
    errno = errno_value;
    return true;
}

static bool starts(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return length && strncmp(path, folder, length) == 0;
}

static bool refuse_path(const char *path)
{
    int errno_value = fault ? fault->write_errno : 0;
    if (errno_value == 0 || !starts(path, below) || starts(path, not_below)) return false;
    return refuse(errno_value);
}

static bool refuse_file(int file)
{
    if (!fault || fault->write_errno == 0) return false;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return false;
    path[length] = '\0';
    return refuse_path(path);
}

static bool refuse_descriptor(void)
{
    return fault && refuse(fault->descriptor_errno);
}

/* --- files --- */

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
    if (refuse_descriptor() || (writes && refuse_path(path))) return -1;
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static mode_t mode_of(int flags, va_list *list)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(*list, mode_t) : 0;
}

#define OPEN(name)                                                                                                     \
    EXPORT int name(const char *path, int flags, ...)                                                                  \
    {                                                                                                                  \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode_t mode = mode_of(flags, &list);                                                                           \
        va_end(list);                                                                                                  \
        return open_at(AT_FDCWD, path, flags, mode);                                                                   \
    }
#define OPENAT(name)                                                                                                   \
    EXPORT int name(int folder, const char *path, int flags, ...)                                                      \
    {                                                                                                                  \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode_t mode = mode_of(flags, &list);                                                                           \
        va_end(list);                                                                                                  \
        return open_at(folder, path, flags, mode);                                                                     \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

EXPORT ssize_t write(int file, const void *data, size_t size)
{
    return refuse_file(file) ? -1 : syscall(SYS_write, file, data, size);
}

EXPORT ssize_t writev(int file, const struct iovec *parts, int count)
{
    return refuse_file(file) ? -1 : syscall(SYS_writev, file, parts, count);
}

EXPORT ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    return refuse_file(file) ? -1 : syscall(SYS_pwrite64, file, data, size, offset);
}

EXPORT ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
    return refuse_file(file) ? -1 : syscall(SYS_pwrite64, file, data, size, offset);
}

EXPORT int ftruncate(int file, off_t size)
{
    return refuse_file(file) ? -1 : (int)syscall(SYS_ftruncate, file, size);
}

EXPORT int fsync(int file)
{
    return refuse_file(file) ? -1 : (int)syscall(SYS_fsync, file);
}

EXPORT int fdatasync(int file)
{
    return refuse_file(file) ? -1 : (int)syscall(SYS_fdatasync, file);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return refuse_path(path) ? -1 : (int)syscall(SYS_mkdir, path, mode);
}

EXPORT int rename(const char *from, const char *to)
{
    return refuse_path(to) ? -1 : (int)syscall(SYS_rename, from, to);
}

EXPORT int link(const char *from, const char *to)
{
    return refuse_path(to) ? -1 : (int)syscall(SYS_link, from, to);
}

/* A full disk lets one remove, one that is read-only or broken does not. */
EXPORT int unlink(const char *path)
{
    bool may = !fault || fault->write_errno == ENOSPC || fault->write_errno == EDQUOT;
    return !may && refuse_path(path) ? -1 : (int)syscall(SYS_unlink, path);
}

/* --- descriptors --- */

EXPORT int socket(int domain, int type, int protocol)
{
    return refuse_descriptor() ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

EXPORT int accept4(int file, struct sockaddr *address, socklen_t *size, int flags)
{
    return refuse_descriptor() ? -1 : (int)syscall(SYS_accept4, file, address, size, flags);
}

EXPORT int accept(int file, struct sockaddr *address, socklen_t *size)
{
    return refuse_descriptor() ? -1 : (int)syscall(SYS_accept, file, address, size);
}

EXPORT int eventfd(unsigned value, int flags)
{
    return refuse_descriptor() ? -1 : (int)syscall(SYS_eventfd2, value, flags);
}

EXPORT int pipe2(int ends[2], int flags)
{
    return refuse_descriptor() ? -1 : (int)syscall(SYS_pipe2, ends, flags);
}

EXPORT int epoll_create1(int flags)
{
    return refuse_descriptor() ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

/* --- the time of day --- */

EXPORT int clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = (int)syscall(SYS_clock_gettime, clock, out);
    if (result == 0 && fault && clock == CLOCK_REALTIME) out->tv_sec += fault->clock_offset_s;
    return result;
}

EXPORT int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    int result = (int)syscall(SYS_gettimeofday, out, zone);
    if (result == 0 && fault) out->tv_sec += fault->clock_offset_s;
    return result;
}

EXPORT time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
