/* usage.c: what a process has used, as Linux tells in /proc. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "simulate.h"

static bool read_line(uint32_t pid, const char *name, char *line, int size)
{
    char path[64] = "/proc/self/";
    if (pid != 0) {
        (void)snprintf(path, sizeof path, "/proc/%u/", (unsigned)pid);
    }
    strncat(path, name, sizeof path - strlen(path) - 1);
    FILE *file = fopen(path, "r");
    bool got = file != NULL && fgets(line, size, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return got;
}

static uint64_t count_descriptors(uint32_t pid)
{
    char path[64];
    uint64_t count = 0;
    (void)snprintf(path, sizeof path, "/proc/%u/fd",
                   (unsigned)(pid != 0 ? pid : (uint32_t)getpid()));
    DIR *folder = opendir(path);
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return count > 2 ? count - 2 : 0;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Fields 14 and 15 of stat; the name before them, in brackets, may hold anything. */
static bool cpu_of(uint32_t pid, double *cpu_s)
{
    char line[1024];
    unsigned long user = 0;
    unsigned long kernel = 0;
    if (!read_line(pid, "stat", line, sizeof line)) {
        return false;
    }
    const char *rest = strrchr(line, ')');
    if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                               &user, &kernel) != 2) {
        return false;
    }
    *cpu_s = (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
    return true;
}

struct dun_usage dun_usage_of(uint32_t pid)
{
    struct dun_usage usage = {.known = true};
    struct rusage self;
    char line[256];
    unsigned long pages = 0;
    if (pid != 0) {
        usage.known = cpu_of(pid, &usage.cpu_s);
        usage.descriptors = count_descriptors(pid);
    } else if (getrusage(RUSAGE_SELF, &self) == 0) {
        usage.cpu_s = seconds(self.ru_utime) + seconds(self.ru_stime);
    }
    if (read_line(pid, "statm", line, sizeof line) && sscanf(line, "%*u %lu", &pages) == 1) {
        usage.resident = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    return usage;
}
