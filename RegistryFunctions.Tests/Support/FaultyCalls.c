// Put below a program with LD_PRELOAD: lets calls on chosen files fail. While the file that REGISTRY_FAULTS names exists, it
// holds one rule: call, end of the file's path, what happens, how often. See FaultyCalls.cs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { GO_ON, FAIL, SHORT };

static void append(char *to, size_t size, const char *end) { strncat(to, end, size - strlen(to) - 1); }

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static int path_of(int file, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0;
}

// What the rule says of a call; errno is set where it is to fail, and else as it was.
static int judge(const char *call, int file) {
    int before = errno, verdict = GO_ON;
    const char *rules = getenv("REGISTRY_FAULTS");
    char rule[512], path[4096], mark[4096], wanted[16], end[256], what[16], often[16];
    int opened = rules ? syscall(SYS_openat, AT_FDCWD, rules, O_RDONLY) : -1;
    if (opened >= 0) {
        ssize_t length = syscall(SYS_read, opened, rule, sizeof rule - 1);
        syscall(SYS_close, opened);
        rule[length < 0 ? 0 : length] = 0;
        if (sscanf(rule, "%15s %255s %15s %15s", wanted, end, what, often) == 4 && strcmp(wanted, call) == 0
            && path_of(file, path, sizeof path) && ends_with(path, end)
            && (strcmp(often, "once") != 0 || syscall(SYS_unlinkat, AT_FDCWD, rules, 0) == 0)) {
            snprintf(mark, sizeof mark, "%s", rules);
            append(mark, sizeof mark, ".met");
            int met = syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT, 0600);
            if (met >= 0) syscall(SYS_close, met);
            if (strcmp(what, "hold") == 0) {
                while (syscall(SYS_faccessat, AT_FDCWD, rules, F_OK) == 0) usleep(1000);
            } else if (strcmp(what, "short") == 0) {
                verdict = SHORT;
            } else {
                verdict = FAIL;
                before = atoi(what);
            }
        }
    }

    errno = before;
    return verdict;
}

static int sync_file(long number, int file) { return judge("sync", file) == FAIL ? -1 : (int)syscall(number, file); }

static ssize_t move(const char *call, long number, int file, const void *bytes, size_t count, off64_t at) {
    switch (judge(call, file)) {
    case FAIL: return -1;
    case SHORT: count = (count + 1) / 2;
    }
    return syscall(number, file, bytes, count, at);
}

int fsync(int file) { return sync_file(SYS_fsync, file); }
int fdatasync(int file) { return sync_file(SYS_fdatasync, file); }
ssize_t write(int file, const void *bytes, size_t count) { return move("write", SYS_write, file, bytes, count, 0); }
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) { return move("write", SYS_pwrite64, file, bytes, count, at); }
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) { return move("write", SYS_pwrite64, file, bytes, count, at); }
ssize_t read(int file, void *bytes, size_t count) { return move("read", SYS_read, file, bytes, count, 0); }
ssize_t pread(int file, void *bytes, size_t count, off_t at) { return move("read", SYS_pread64, file, bytes, count, at); }
ssize_t pread64(int file, void *bytes, size_t count, off64_t at) { return move("read", SYS_pread64, file, bytes, count, at); }
