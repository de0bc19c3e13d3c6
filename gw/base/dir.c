/* Reading directories; see dir.h. */
#include "gw/base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/array.h"

enum { NUMBERS_LEAST = 64 };

DIR *dir_walk(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0) {
        int why = errno;
        close(fd);
        errno = why;
    }
    return d;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum rc dir_numbers(int dir, bool (*number_of)(const char *name, uint64_t *number), uint64_t **out, size_t *n)
{
    size_t cap = 0;
    uint64_t number;
    *out = NULL;
    *n = 0;
    DIR *d = dir_walk(dir);
    if (!d)
        return RC_IO;
    for (struct dirent *e; (e = readdir(d));) {
        if (!number_of(e->d_name, &number))
            continue;
        uint64_t *more = array_room(*out, *n, &cap, NUMBERS_LEAST, sizeof number);
        if (!more) {
            closedir(d);
            free(*out);
            *out = NULL;
            *n = 0;
            return RC_NOMEM;
        }
        *out = more;
        more[(*n)++] = number;
    }
    closedir(d);
    if (*n)
        qsort(*out, *n, sizeof **out, by_number);
    return RC_OK;
}
