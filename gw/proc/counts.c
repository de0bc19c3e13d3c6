/* Counters of rules; see counts.h. The file: a line "perron hits 1", then "KEY COUNT LAST" a rule (hex,
 * decimal, UTC seconds), then "end N". */
#include "gw/proc/counts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "gw/proc/kept_file.h"

enum { LINE_MOST = 64 };
static const char file_name[] = "hits", first_line[] = "perron hits 1";

void counts_init(struct counts *c)
{
    *c = (struct counts){.dir = -1};
    for (size_t w = 0; w < LIM_WORKERS; w++)
        c->fd[w] = -1;
}

void counts_close(struct counts *c)
{
    for (size_t w = 0; w < LIM_WORKERS; w++) {
        hits_unmap(c->now[w]);
        hits_unmap(c->before[w]);
        if (c->fd[w] >= 0)
            close(c->fd[w]);
    }
    free(c->base);
    counts_init(c);
}

/* ---- adding up ---- */

static int by_key(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int newest_first(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return x->last_s > y->last_s ? -1 : x->last_s < y->last_s;
}

static void join(struct hit *into, const struct hit *more)
{
    into->n += more->n;
    if (more->last_s > into->last_s)
        into->last_s = more->last_s;
}

/* Sorts and joins equal keys in place; of too many the ones longest without a hit go. Returns how many are
 * left. */
static size_t settle(struct hit *v, size_t n)
{
    size_t out = 0;
    if (n == 0)
        return 0;
    qsort(v, n, sizeof *v, by_key);
    for (size_t i = 1; i < n; i++) {
        if (v[i].key == v[out].key)
            join(&v[out], &v[i]);
        else
            v[++out] = v[i];
    }
    n = out + 1;
    if (n <= LIM_HITS_KEPT)
        return n;
    qsort(v, n, sizeof *v, newest_first);
    qsort(v, LIM_HITS_KEPT, sizeof *v, by_key);
    return LIM_HITS_KEPT;
}

static size_t append(struct hit *v, size_t n, size_t cap, const struct hits *table)
{
    struct hit h;
    for (size_t it = 0; table && n < cap && hits_next(table, &it, &h);)
        v[n++] = h;
    return n;
}

/* Everything there is, the caller's to free. */
static struct hit *all(const struct counts *c, size_t *n)
{
    size_t cap = c->n_base + 1;
    for (size_t w = 0; w < LIM_WORKERS; w++) {
        cap += c->now[w] ? hits_used(c->now[w]) : 0;
        cap += c->before[w] ? hits_used(c->before[w]) : 0;
    }
    struct hit *v = malloc(cap * sizeof *v);
    if (!v)
        return NULL;
    if (c->n_base)
        memcpy(v, c->base, c->n_base * sizeof *v);
    *n = c->n_base;
    for (size_t w = 0; w < LIM_WORKERS; w++) {
        *n = append(v, *n, cap, c->now[w]);
        *n = append(v, *n, cap, c->before[w]);
    }
    *n = settle(v, *n);
    return v;
}

bool counts_find(const struct counts *c, uint64_t key, struct hit *out)
{
    struct hit one,
        *from = c->n_base ? bsearch(&(struct hit){.key = key}, c->base, c->n_base, sizeof *c->base, by_key)
                          : NULL;
    *out = from ? *from : (struct hit){.key = key};
    for (size_t w = 0; w < LIM_WORKERS; w++) {
        if (c->now[w] && hits_find(c->now[w], key, &one))
            join(out, &one);
        if (c->before[w] && hits_find(c->before[w], key, &one))
            join(out, &one);
    }
    return out->n > 0;
}

/* ---- tables ---- */

static enum rc new_table(struct counts *c, uint32_t w)
{
    int fd;
    struct hits *h;
    TRY(hits_create(&fd));
    enum rc rc = hits_map(fd, &h);
    if (rc != RC_OK) {
        close(fd);
        return rc;
    }
    if (c->fd[w] >= 0)
        close(c->fd[w]);
    c->fd[w] = fd;
    c->now[w] = h;
    return RC_OK;
}

enum rc counts_table(struct counts *c, uint32_t worker, int *fd)
{
    gw_assert(worker < LIM_WORKERS);
    if (!c->now[worker])
        TRY(new_table(c, worker));
    *fd = c->fd[worker];
    return RC_OK;
}

static void take_over(struct counts *c, uint32_t w)
{
    size_t cap = c->n_base + hits_used(c->before[w]);
    struct hit *v = realloc(c->base, (cap + 1) * sizeof *v);
    if (!v)
        return; /* tried again */
    c->base = v;
    c->n_base = settle(v, append(v, c->n_base, cap, c->before[w]));
    hits_unmap(c->before[w]);
    c->before[w] = NULL;
}

bool counts_turn(struct counts *c, uint32_t worker)
{
    gw_assert(worker < LIM_WORKERS);
    if (c->before[worker])
        take_over(c, worker);
    struct hits *full = c->now[worker];
    if (!full || c->before[worker] || (hits_used(full) < LIM_HITS_SLOTS / 2 && hits_lost(full) == 0))
        return false;
    if (new_table(c, worker) != RC_OK)
        return false;
    c->before[worker] = full;
    return true;
}

/* ---- the file ---- */

static enum rc put_lines(struct buf *b, const struct hit *v, size_t n, uint64_t *sum)
{
    *sum = 0;
    TRY(buf_printf(b, "%s\n", first_line));
    for (size_t i = 0; i < n; i++) {
        *sum += v[i].n;
        TRY(buf_printf(b, "%016" PRIx64 " %" PRIu64 " %" PRId64 "\n", v[i].key, v[i].n, v[i].last_s));
    }
    return buf_printf(b, "end %zu\n", n);
}

enum rc counts_write(struct counts *c)
{
    struct buf b = {0};
    size_t n = 0;
    uint64_t sum;
    if (c->dir < 0)
        return RC_OK;
    AUTO_FREE struct hit *v = all(c, &n);
    if (!v)
        return RC_NOMEM;
    enum rc rc = put_lines(&b, v, n, &sum);
    if (rc == RC_OK && sum != c->written) {
        rc = kept_file_write(c->dir, file_name, buf_span(&b));
        if (rc == RC_OK)
            c->written = sum;
    }
    buf_fini(&b);
    return rc;
}

/* A number that ends with this byte; NULL otherwise. */
static const char *number(const char *at, int base, char end, uint64_t *out)
{
    char *stop;
    errno = 0;
    *out = strtoull(at, &stop, base);
    return errno || stop == at || *stop != end || *at == '-' || *at == ' ' ? NULL : stop + 1;
}

static bool read_line(const char *line, struct hit *h)
{
    uint64_t last = 0;
    const char *at = number(line, 16, ' ', &h->key);
    at = at ? number(at, 10, ' ', &h->n) : NULL;
    at = at ? number(at, 10, '\n', &last) : NULL;
    h->last_s = (int64_t)last;
    return at && h->key != 0 && last <= INT64_MAX;
}

/* BAD: it is not what was written. */
static enum rc read_file(struct counts *c, FILE *f)
{
    char line[LINE_MOST], end[LINE_MOST];
    size_t n = 0;
    bool over = false;
    if (!fgets(line, sizeof line, f) || !span_eq(span_str(line), SPAN("perron hits 1\n")))
        return RC_BAD;
    struct hit *v = malloc(LIM_HITS_KEPT * sizeof *v);
    if (!v)
        return RC_NOMEM;
    while (!over && n < LIM_HITS_KEPT && fgets(line, sizeof line, f)) {
        snprintf(end, sizeof end, "end %zu\n", n);
        over = span_eq(span_str(line), span_str(end));
        if (!over && !read_line(line, &v[n++]))
            break;
    }
    if (!over && n == LIM_HITS_KEPT && fgets(line, sizeof line, f)) {
        snprintf(end, sizeof end, "end %zu\n", n);
        over = span_eq(span_str(line), span_str(end));
    }
    if (!over) {
        free(v);
        return RC_BAD;
    }
    c->base = v;
    c->n_base = settle(v, n);
    for (size_t i = 0; i < c->n_base; i++)
        c->written += v[i].n;
    return RC_OK;
}

enum rc counts_open(struct counts *c, int state_dir, struct buf *err)
{
    c->dir = state_dir;
    int fd = openat(state_dir, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f) {
        if (fd >= 0)
            close(fd);
        return fd < 0 && errno == ENOENT ? RC_OK : RC_IO;
    }
    enum rc rc = read_file(c, f);
    fclose(f);
    if (rc != RC_BAD)
        return rc;
    if (renameat(state_dir, file_name, state_dir, "hits.damaged") < 0)
        return RC_IO;
    return buf_printf(err, "the counters of rules were damaged: the file is now `hits.damaged`, and counting "
                           "begins anew\n") == RC_OK
               ? RC_CONFIG
               : RC_NOMEM;
}
