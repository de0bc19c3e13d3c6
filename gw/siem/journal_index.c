/* The index of the segment being written: pairs in memory and, unsorted, in a file; sorted when the segment
 * is complete. It only saves time, so no failure here stops anything: an index that is missing, short or
 * wrong makes a look-up walk the segment. */
#include "gw/siem/journal_int.h"

#include <fcntl.h>
#include <stdlib.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"

enum { PIECE = 4096 };

void jnl_pair(struct journal *j, uint64_t code, uint64_t at)
{
    if (j->n_pairs == j->cap_pairs) {
        size_t cap = j->cap_pairs ? 2 * j->cap_pairs : 4096;
        struct jnx_pair *more = realloc(j->pairs, cap * sizeof *more);
        if (!more)
            return;
        j->pairs = more;
        j->cap_pairs = cap;
    }
    j->pairs[j->n_pairs++] = (struct jnx_pair){code, at};
}

static struct jnx_head head_of(const struct journal *j, bool sorted)
{
    struct jnx_head h = {
        .sorted = sorted, .segment = j->segment, .n = j->n_pairs, .covered = j->size, .min = UINT64_MAX};
    for (size_t i = 0; sorted && i < j->n_pairs; i++) {
        h.min = j->pairs[i].code < h.min ? j->pairs[i].code : h.min;
        h.max = j->pairs[i].code > h.max ? j->pairs[i].code : h.max;
    }
    return h;
}

static enum rc write_pairs(const struct journal *j, int fd, size_t from)
{
    uint8_t piece[PIECE * JNX_PAIR / 16];
    const size_t most = sizeof piece / JNX_PAIR;
    while (from < j->n_pairs) {
        size_t n = j->n_pairs - from < most ? j->n_pairs - from : most;
        for (size_t i = 0; i < n; i++) {
            jnl_put(piece + i * JNX_PAIR, j->pairs[from + i].code, 8);
            jnl_put(piece + i * JNX_PAIR + 8, j->pairs[from + i].at, 8);
        }
        TRY(jnl_pwrite(fd, piece, n * JNX_PAIR, JNX_HEAD + from * JNX_PAIR));
        from += n;
    }
    return RC_OK;
}

/* The head last: what it does not tell of is not looked at. */
static enum rc write_index(const struct journal *j, int fd, size_t from, bool sorted)
{
    uint8_t head[JNX_HEAD];
    struct jnx_head h = head_of(j, sorted);
    TRY(write_pairs(j, fd, from));
    jnx_head_write(&h, head);
    return jnl_pwrite(fd, head, sizeof head, 0);
}

static int open_index(const struct journal *j, const char *ending)
{
    char name[JNL_NAME];
    jnl_name(j->segment, ending, name);
    return openat(j->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

void jnl_index_tell(struct journal *j)
{
    if (j->index < 0) {
        j->index = open_index(j, "idx");
        j->n_told = 0;
    }
    if (j->index >= 0 && write_index(j, j->index, j->n_told, false) == RC_OK) {
        j->n_told = j->n_pairs;
    } else if (j->index >= 0) {
        close(j->index);
        j->index = -1; /* begun anew the next time */
    }
}

static int by_code(const void *a, const void *b)
{
    const struct jnx_pair *x = a, *y = b;
    if (x->code != y->code)
        return x->code < y->code ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

void jnl_index_close(struct journal *j)
{
    char from[JNL_NAME], to[JNL_NAME];
    if (j->index >= 0)
        close(j->index);
    j->index = -1;
    if (j->n_pairs)
        qsort(j->pairs, j->n_pairs, sizeof *j->pairs, by_code);
    jnl_name(j->segment, "tmp", from);
    jnl_name(j->segment, "idx", to);
    AUTO_CLOSE int fd = open_index(j, "tmp");
    if (fd < 0 || write_index(j, fd, 0, true) != RC_OK || renameat(j->dir, from, j->dir, to) != 0)
        log_warn("journal: the index of segment %llu could not be written; look-ups there take longer",
                 (unsigned long long)j->segment);
    jnl_map_add(j);
    j->n_pairs = j->n_told = 0;
}
