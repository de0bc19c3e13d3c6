/* Intervals to ranges: one sweep over all ends; see ranges.h. */
#include "policy/ranges.h"

#include <stdlib.h>

#include "gw/base/array.h"

typedef unsigned __int128 key128;

void intervals_fini(struct intervals *iv)
{
    free(iv->v);
    *iv = (struct intervals){0};
}

enum rc intervals_add(struct intervals *iv, key128 lo, key128 hi, uint32_t id)
{
    struct interval *v = array_room(iv->v, iv->n, &iv->cap, 32, sizeof *v);
    if (!v)
        return RC_NOMEM;
    iv->v = v;
    iv->v[iv->n++] = (struct interval){lo, hi, id};
    return RC_OK;
}

key128 interval_key(const struct addr *a)
{
    key128 k = 0;
    for (unsigned i = 0; i < (a->family == 4 ? 4 : 16); i++)
        k = k << 8 | a->b[i];
    return k;
}

enum rc intervals_add_prefix(struct intervals *iv, const struct prefix *p, uint32_t id)
{
    unsigned host = (p->a.family == 4 ? 32u : 128u) - p->bits;
    key128 lo = interval_key(&p->a);
    key128 mask = host >= 128 ? ~(key128)0 : ((key128)1 << host) - 1;
    return intervals_add(iv, lo, lo | mask, id);
}

struct sweep {
    struct part *p;
    enum range_value how;
    struct map lists;              /* numbers -> 1 + index into LISTS */
    const struct interval **alive; /* intervals that cover the place of the sweep */
    size_t n_alive;
    uint32_t *ids; /* room for a list */
    uint32_t last_value;
};

static int by_lo(const void *a, const void *b)
{
    const struct interval *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t narrowest(const struct sweep *s)
{
    const struct interval *best = s->alive[0];
    for (size_t i = 1; i < s->n_alive; i++) {
        if (s->alive[i]->hi - s->alive[i]->lo < best->hi - best->lo)
            best = s->alive[i];
    }
    return best->id;
}

static enum rc list_of(struct sweep *s, uint32_t *out)
{
    for (size_t i = 0; i < s->n_alive; i++)
        s->ids[i] = s->alive[i]->id;
    qsort(s->ids, s->n_alive, sizeof *s->ids, by_number);
    span key = span_of(s->ids, s->n_alive * sizeof *s->ids);
    uintptr_t known = (uintptr_t)map_find(&s->lists, key);
    if (known) {
        *out = (uint32_t)known - 1;
        return RC_OK;
    }
    struct img_list list = {{part_count(s->p, SECT_NUMBERS), (uint32_t)s->n_alive}};
    TRY(buf_put(&s->p->sect[SECT_NUMBERS], key));
    TRY(part_put(s->p, SECT_LISTS, &list, out));
    return map_put(&s->lists, key, (void *)((uintptr_t)*out + 1));
}

static enum rc put_range(struct sweep *s, key128 from)
{
    uint32_t value = UINT32_MAX;
    if (s->n_alive && s->how == RANGE_NARROWEST)
        value = narrowest(s);
    else if (s->n_alive)
        TRY(list_of(s, &value));
    if (value == s->last_value)
        return RC_OK;
    s->last_value = value;
    struct img_range r = {(uint64_t)(from >> 64), (uint64_t)from, value, 0};
    return part_put(s->p, SECT_RANGES, &r, NULL);
}

static void drop_ended(struct sweep *s, key128 at)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_alive; i++) {
        if (s->alive[i]->hi >= at)
            s->alive[n++] = s->alive[i];
    }
    s->n_alive = n;
}

/* Next place where something begins or has ended; false at the end. */
static bool next_place(const struct sweep *s, const struct intervals *iv, size_t next, key128 *at)
{
    bool found = next < iv->n;
    key128 best = found ? iv->v[next].lo : 0;
    for (size_t i = 0; i < s->n_alive; i++) {
        key128 after = s->alive[i]->hi + 1;
        if (after != 0 && (!found || after < best)) {
            best = after;
            found = true;
        }
    }
    *at = best;
    return found;
}

static enum rc sweep_all(struct sweep *s, const struct intervals *iv)
{
    size_t next = 0;
    key128 at;
    while (next_place(s, iv, next, &at)) {
        drop_ended(s, at);
        for (; next < iv->n && iv->v[next].lo == at; next++)
            s->alive[s->n_alive++] = &iv->v[next];
        TRY(put_range(s, at));
    }
    return RC_OK;
}

enum rc ranges_emit(struct part *p, struct intervals *iv, enum range_value how, struct img_run *out)
{
    struct sweep s = {.p = p, .how = how, .last_value = UINT32_MAX};
    *out = (struct img_run){part_count(p, SECT_RANGES), 0};
    if (iv->n == 0)
        return RC_OK;
    qsort(iv->v, iv->n, sizeof *iv->v, by_lo);
    map_init(&s.lists, 0);
    s.alive = calloc(iv->n, sizeof(*s.alive));
    s.ids = calloc(iv->n, sizeof *s.ids);
    enum rc rc = s.alive && s.ids ? sweep_all(&s, iv) : RC_NOMEM;
    free(s.alive);
    free(s.ids);
    map_fini(&s.lists);
    out->n = part_count(p, SECT_RANGES) - out->at;
    return rc;
}
