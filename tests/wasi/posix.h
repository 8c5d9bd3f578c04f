/* posix.h: what the unit tests use of POSIX and WASI has not; included before all else. */
#ifndef DUN_TESTS_WASI_POSIX_H
#define DUN_TESTS_WASI_POSIX_H

#include <sys/types.h>

int mkstemp(char *path);
char *mkdtemp(char *path);
int mkfifo(const char *path, mode_t mode); /* an empty file stands for a pipe without a writer */
int dup(int fd);                           /* of the last tmpfile only */
int system(const char *command);           /* rm -rf only */

/* Only so that it links: the tests that call these are left out, see wasi.cmake. */
pid_t fork(void);
pid_t getpid(void);
pid_t waitpid(pid_t child, int *status, int how);
int pipe(int ends[2]);

#endif
