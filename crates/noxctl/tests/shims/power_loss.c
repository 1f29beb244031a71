/* The image of a disk that keeps nothing but what was synchronised.
 *
 * Loaded with LD_PRELOAD. What is written to a file whose path begins with $PL_SRC goes where it always goes; at each fsync or
 * fdatasync of it, what was written to it since the last one goes into the file of the same name in the folder $PL_DST too.
 * After a kill, that folder is what a power cut would have left at worst. Renames are not followed, directories neither.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 16
#define SPANS 65536

struct file {
    char path[512];
    int count, whole;
    struct { off_t from, to; } span[SPANS];
};

static struct file *files;
static int used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* The file behind a descriptor, if it is one of ours. Called with the lock held. */
static struct file *of_path(const char *path) {
    const char *source = getenv("PL_SRC");
    if (!source || !getenv("PL_DST") || strncmp(path, source, strlen(source))) return 0;
    const char *end = strrchr(path, '-');
    if (end && !strcmp(end, "-shm")) return 0;
    if (strstr(path, ".reserve") || strstr(path, ".log") || strstr(path, ".lock")) return 0;
    if (!files) files = calloc(FILES, sizeof *files);
    for (int i = 0; i < used; i++)
        if (!strcmp(files[i].path, path)) return &files[i];
    if (used == FILES) abort();
    snprintf(files[used].path, sizeof files->path, "%s", path);
    return &files[used++];
}

static struct file *of(int fd) {
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return of_path(path);
}

static void image(char *to, size_t size, const struct file *f) {
    snprintf(to, size, "%s/%s", getenv("PL_DST"), strrchr(f->path, '/') + 1);
}

static ssize_t (*real_pwrite(void))(int, const void *, size_t, off_t) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off_t);
    return real;
}

static void written(int fd, off_t from, ssize_t n) {
    if (n <= 0) return;
    pthread_mutex_lock(&lock);
    struct file *f = of(fd);
    if (f) {
        int last = f->count - 1;
        if (last >= 0 && f->span[last].to == from) f->span[last].to += n;
        else if (f->count < SPANS) {
            f->span[f->count].from = from;
            f->span[f->count++].to = from + n;
        } else f->whole = 1;
    }
    pthread_mutex_unlock(&lock);
}

static void copy(int from, int to, off_t at, off_t end) {
    static char buffer[1 << 16];
    while (at < end) {
        size_t want = end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
        ssize_t n = pread(from, buffer, want, at);
        if (n <= 0 || real_pwrite()(to, buffer, n, at) != n) return;
        at += n;
    }
}

static void synchronised(int fd) {
    pthread_mutex_lock(&lock);
    struct file *f = of(fd);
    if (f) {
        char path[1024];
        struct stat now;
        image(path, sizeof path, f);
        int from = open(f->path, O_RDONLY), to = open(path, O_WRONLY | O_CREAT, 0600);
        if (from >= 0 && to >= 0 && !fstat(from, &now)) {
            if (f->whole) copy(from, to, 0, now.st_size);
            for (int i = 0; i < f->count; i++) copy(from, to, f->span[i].from, f->span[i].to);
            if (ftruncate(to, now.st_size)) abort();
            f->count = f->whole = 0;
        }
        if (from >= 0) close(from);
        if (to >= 0) close(to);
    }
    pthread_mutex_unlock(&lock);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    off_t from = lseek(fd, 0, SEEK_CUR);
    ssize_t n = real(fd, data, size);
    if (from >= 0) written(fd, from, n);
    return n;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t from) {
    ssize_t n = real_pwrite()(fd, data, size, from);
    written(fd, from, n);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t from) { return pwrite64(fd, data, size, from); }

int fsync(int fd) {
    REAL(int, "fsync", int);
    int result = real(fd);
    if (!result) synchronised(fd);
    return result;
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    int result = real(fd);
    if (!result) synchronised(fd);
    return result;
}

/* A file that is removed is gone from the image too: its successor of the same name has nothing of it. */
int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    int result = real(path);
    if (!result) {
        pthread_mutex_lock(&lock);
        struct file *f = of_path(path);
        if (f) {
            char gone[1024];
            image(gone, sizeof gone, f);
            real(gone);
            f->count = f->whole = 0;
        }
        pthread_mutex_unlock(&lock);
    }
    return result;
}
