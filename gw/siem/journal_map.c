/* The map of closed segments: which stretches of 65,536 codes each holds, so that a look-up opens the one or
 * two segments that can have its code and reads hardly anything from a cold disk. One file, an entry appended
 * when a segment is complete: mark, segment, bytes of the segment, number of stretches, the stretches
 * ascending. As with indexes nothing hangs on it but time: a segment without an entry, or one that has grown
 * since, is looked into. */
#include "gw/siem/journal_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/obj.h"

#define MAP_MARK UINT64_C(0x31504e4a52524550) /* "PERRJNP1" */
enum { MAP_HEAD = 32, STRETCHES = 4096, MAP_MOST = 256 << 20 };
static const char map_name[] = "map";

static size_t stretches_of(const struct journal *j, uint8_t out[STRETCHES * 8])
{
    uint64_t last = UINT64_MAX;
    size_t n = 0;
    for (size_t i = 0; i < j->n_pairs; i++) {
        uint64_t s = j->pairs[i].code >> JNL_STRETCH_BITS;
        if (s == last)
            continue;
        if (n == STRETCHES)
            return SIZE_MAX;
        jnl_put(out + 8 * n++, s, 8);
        last = s;
    }
    return n;
}

void jnl_map_add(struct journal *j)
{
    uint8_t entry[MAP_HEAD + STRETCHES * 8];
    size_t n = stretches_of(j, entry + MAP_HEAD);
    if (n == SIZE_MAX)
        return;
    jnl_put(entry, MAP_MARK, 8);
    jnl_put(entry + 8, j->segment, 8);
    jnl_put(entry + 16, j->size, 8);
    jnl_put(entry + 24, n, 8);
    AUTO_CLOSE int fd =
        openat(j->dir, map_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t ignored = fd < 0 ? -1 : write(fd, entry, MAP_HEAD + n * 8);
    (void)ignored; /* half an entry is passed over */
}

/* ---- reading ---- */

enum rc jnl_map_read(int dir, struct jnl_map *out)
{
    struct stat st;
    AUTO_CLOSE int fd = openat(dir, map_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *out = (struct jnl_map){.n = 0};
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MAP_MOST)
        return RC_OK;
    size_t size = (size_t)st.st_size;
    out->bytes = malloc(size + 1);
    out->entry = malloc((size / MAP_HEAD + 1) * sizeof *out->entry);
    if (!out->bytes || !out->entry) {
        jnl_map_fini(out);
        return RC_NOMEM;
    }
    if (jnl_pread(fd, out->bytes, size, 0) != RC_OK)
        return RC_OK;
    for (size_t at = 0; at + MAP_HEAD <= size;) {
        const uint8_t *p = out->bytes + at;
        uint64_t n = jnl_get(p + 24, 8);
        if (jnl_get(p, 8) != MAP_MARK || n > STRETCHES || at + MAP_HEAD + n * 8 > size) {
            at += 8; /* a torn entry: the next mark */
            continue;
        }
        out->entry[out->n++] =
            (struct jnl_map_entry){jnl_get(p + 8, 8), jnl_get(p + 16, 8), p + MAP_HEAD, (size_t)n};
        at += MAP_HEAD + n * 8;
    }
    return RC_OK;
}

void jnl_map_fini(struct jnl_map *m)
{
    free(m->bytes);
    free(m->entry);
    *m = (struct jnl_map){.n = 0};
}

static bool has_stretch(const struct jnl_map_entry *e, uint64_t stretch)
{
    size_t lo = 0, hi = e->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        uint64_t v = jnl_get(e->stretch + 8 * mid, 8);
        if (v == stretch)
            return true;
        if (v < stretch)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* Entries stand in the order of their segments. */
bool jnl_map_excludes(const struct jnl_map *m, uint64_t segment, uint64_t size, uint64_t code)
{
    size_t lo = 0, hi = m->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->entry[mid].segment < segment)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < m->n && m->entry[lo].segment == segment && m->entry[lo].size == size &&
           !has_stretch(&m->entry[lo], code >> JNL_STRETCH_BITS);
}
