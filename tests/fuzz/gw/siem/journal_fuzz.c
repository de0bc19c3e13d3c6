/* A segment and its index from anybody: walked, searched and opened for writing without harm, and what is
 * written behind it can be read. Input: u16 length of the index, the index, the segment. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/siem/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"000000000001.seg", "000000000001.idx", "000000000001.tmp",
                                    "000000000002.seg", "000000000002.idx", "map"};
static const uint8_t code[8] = {7, 0, 0, 0, 0, 1, 0, 0};

static void write_file(int dir, const char *name, const uint8_t *p, size_t n)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    gw_assert(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    close(fd);
}

static enum rc last(const struct journal_frame *f, void *arg)
{
    struct journal_frame *out = arg;
    uint8_t sum = 0;
    for (size_t i = 0; i < f->record.n; i++)
        sum ^= f->record.p[i];
    *out = *f;
    out->worker ^= sum ^ sum;
    return RC_OK;
}

static void walk(int dir, struct journal_frame *end)
{
    struct journal_walk w = {.dir = dir, .verify = true, .each = last, .arg = end};
    gw_assert(journal_walk(&w) == RC_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int dir = -1;
    struct journal_frame f = {0};
    struct buf bytes = {0};
    struct journal *j;
    unsigned more;
    if (dir < 0) {
        char memory[] = "/dev/shm/perron-fuzz-XXXXXX", disk[] = "/tmp/perron-fuzz-XXXXXX";
        const char *path = mkdtemp(memory); /* where a sync costs nothing */
        dir = open(path ? path : mkdtemp(disk), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        gw_assert(dir >= 0);
        log_setup("fuzz", LOG_ERROR);
    }
    size_t n = size < 2 ? 0 : (size_t)(data[0] << 8 | data[1]);
    n = n + 2 > size ? size < 2 ? 0 : size - 2 : n;
    size_t from = size < 2 ? size : n + 2;
    write_file(dir, names[1], data + (size < 2 ? 0 : 2), n);
    write_file(dir, names[0], data + from, size - from);
    walk(dir, &f);
    (void)!journal_find(dir, journal_code(1, 7), &bytes, &f, &more);
    gw_assert(journal_new(&j) == RC_OK);
    journal_target(j, fcntl(dir, F_DUPFD_CLOEXEC, 0));
    gw_assert(journal_add(j, 1, 2, 3, span_of(code, sizeof code)) == RC_OK);
    gw_assert(journal_write(j, true) == RC_OK);
    journal_free(j);
    walk(dir, &f);
    gw_assert(f.boot == 1 && f.worker == 2 && f.seq == 3 && f.code == journal_code(1, 7));
    buf_fini(&bytes);
    for (size_t i = 0; i < N_ELEMS(names); i++)
        unlinkat(dir, names[i], 0);
    return 0;
}
