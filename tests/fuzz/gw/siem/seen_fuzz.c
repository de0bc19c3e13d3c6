/* A file of names from anybody, and the same bytes as names that a worker wrote: what is taken is written,
 * and comes back the same; nothing else is in the file. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/siem/seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DAY = 20785 };

static struct seen *open_names(int dir)
{
    struct seen *s;
    gw_assert(seen_new(&s) == RC_OK);
    seen_target(s, fcntl(dir, F_DUPFD_CLOEXEC, 0));
    return s;
}

/* Each line as a name that two flows ask for. */
static void ask_lines(struct seen *s, span text)
{
    for (size_t at = 0; at < text.n;) {
        span line = span_cut(text, at, span_find(text, '\n', at));
        seen_ask(s, line, 1, DAY);
        seen_ask(s, line, 2, DAY);
        at += line.n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int dir = -1;
    if (dir < 0) {
        char memory[] = "/dev/shm/perron-fuzz-XXXXXX", disk[] = "/tmp/perron-fuzz-XXXXXX";
        const char *path = mkdtemp(memory); /* where a sync costs nothing */
        dir = open(path ? path : mkdtemp(disk), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        gw_assert(dir >= 0);
        log_setup("fuzz", LOG_ERROR);
    }
    int fd = openat(dir, "names", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    gw_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
    struct seen *s = open_names(dir);
    ask_lines(s, span_of(data, size));
    gw_assert(seen_write(s, DAY) == RC_OK);
    size_t n = seen_total(s);
    seen_free(s);
    if (n) { /* without a name the file stands as it was */
        s = open_names(dir);
        gw_assert(seen_total(s) == n);
        seen_free(s);
    }
    unlinkat(dir, "names", 0);
    return 0;
}
