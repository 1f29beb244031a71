/* A disk that refuses from the n-th call on.
 *
 * Loaded with LD_PRELOAD. Counted are write, pwrite, fsync, fdatasync, ftruncate and fallocate of a database's files: paths that
 * begin with $DE_SRC, but for its .lock, .log and .reserve. Call number $DE_N fails with errno $DE_ERRNO and makes the
 * file $DE_FLAG. Unless $DE_ONCE is set, every such call (those of the .reserve too) fails from then on for as long as that
 * file is there. Without $DE_N the test makes the file by itself when the disk is to refuse. Where $DE_ARM is set, counting begins
 * when there is a file of that name. With a $DE_ERRNO of 0 calls do not fail but hang, for as long as $DE_FLAG is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long calls;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int refuses(int fd) {
    const char *source = getenv("DE_SRC"), *flag = getenv("DE_FLAG"), *n = getenv("DE_N"), *code = getenv("DE_ERRNO");
    if (!source || !flag || !code) return 0;
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, source, strlen(source))) return 0;
    if (strstr(path, ".lock") || strstr(path, ".log")) return 0;
    const char *arm = getenv("DE_ARM");
    int is_counted = !strstr(path, ".reserve") && (!arm || !access(arm, F_OK));
    if (is_counted && n && atomic_fetch_add(&calls, 1) + 1 == atol(n)) {
        int file = open(flag, O_WRONLY | O_CREAT, 0600);
        if (file >= 0) close(file);
        errno = atoi(code);
        return 1;
    }
    if (getenv("DE_ONCE") || access(flag, F_OK)) return 0;
    if (!atoi(code)) {
        while (!access(flag, F_OK)) usleep(10000);
        return 0;
    }
    errno = atoi(code);
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return refuses(fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t from) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return refuses(fd) ? -1 : real(fd, data, size, from);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t from) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    return refuses(fd) ? -1 : real(fd, data, size, from);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return refuses(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return refuses(fd) ? -1 : real(fd);
}

int ftruncate(int fd, off_t size) {
    REAL(int, "ftruncate", int, off_t);
    return refuses(fd) ? -1 : real(fd, size);
}

int ftruncate64(int fd, off_t size) {
    REAL(int, "ftruncate64", int, off_t);
    return refuses(fd) ? -1 : real(fd, size);
}

int fallocate(int fd, int mode, off_t from, off_t size) {
    REAL(int, "fallocate", int, int, off_t, off_t);
    return refuses(fd) ? -1 : real(fd, mode, from, size);
}

/* gives the error instead of setting it */
int posix_fallocate(int fd, off_t from, off_t size) {
    REAL(int, "posix_fallocate", int, off_t, off_t);
    return refuses(fd) ? errno : real(fd, from, size);
}
