/* Ranges, merged from left to right; see iset.h. */
#include "policy/iset.h"

#include <stdlib.h>

static struct iset *iset_room(struct arena *mem, uint32_t n)
{
    return arena_alloc(mem, sizeof(struct iset) + n * sizeof(struct irange));
}

static void iset_add(struct iset *s, uint32_t lo, uint32_t hi)
{
    if (lo >= hi)
        return;
    if (s->n && s->v[s->n - 1].hi >= lo) {
        if (s->v[s->n - 1].hi < hi)
            s->v[s->n - 1].hi = hi;
        return;
    }
    s->v[s->n++] = (struct irange){lo, hi};
}

const struct iset *iset_range(struct arena *mem, uint32_t lo, uint32_t hi)
{
    struct iset *s = iset_room(mem, 1);
    if (s)
        iset_add(s, lo, hi);
    return s;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

const struct iset *iset_of(struct arena *mem, uint32_t *v, uint32_t n)
{
    struct iset *s = iset_room(mem, n);
    if (n > 1)
        qsort(v, n, sizeof *v, by_number);
    for (uint32_t i = 0; s && i < n; i++)
        iset_add(s, v[i], v[i] + 1);
    return s;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

const struct iset *iset_and(struct arena *mem, const struct iset *a, const struct iset *b)
{
    struct iset *s = a && b ? iset_room(mem, a->n + b->n) : NULL;
    for (uint32_t i = 0, j = 0; s && i < a->n && j < b->n;) {
        iset_add(s, most(a->v[i].lo, b->v[j].lo), least(a->v[i].hi, b->v[j].hi));
        if (a->v[i].hi < b->v[j].hi)
            i++;
        else
            j++;
    }
    return s;
}

const struct iset *iset_or(struct arena *mem, const struct iset *a, const struct iset *b)
{
    struct iset *s = a && b ? iset_room(mem, a->n + b->n) : NULL;
    for (uint32_t i = 0, j = 0; s && (i < a->n || j < b->n);) {
        bool left = j == b->n || (i < a->n && a->v[i].lo <= b->v[j].lo);
        const struct irange *r = left ? &a->v[i++] : &b->v[j++];
        iset_add(s, r->lo, r->hi);
    }
    return s;
}

const struct iset *iset_minus(struct arena *mem, const struct iset *a, const struct iset *b)
{
    struct iset *s = a && b ? iset_room(mem, a->n + b->n) : NULL;
    uint32_t j = 0;
    for (uint32_t i = 0; s && i < a->n; i++) {
        uint32_t lo = a->v[i].lo;
        while (j < b->n && b->v[j].hi <= lo)
            j++;
        for (uint32_t k = j; k < b->n && b->v[k].lo < a->v[i].hi; k++) {
            iset_add(s, lo, b->v[k].lo);
            lo = most(lo, b->v[k].hi);
        }
        iset_add(s, lo, a->v[i].hi);
    }
    return s;
}

/* First range that ends behind x. */
static uint32_t find(const struct iset *s, uint32_t x)
{
    uint32_t lo = 0, hi = s->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->v[mid].hi > x)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

bool iset_has(const struct iset *s, uint32_t x)
{
    uint32_t i = find(s, x);
    return i < s->n && s->v[i].lo <= x;
}

unsigned iset_meet(const struct iset *a, const struct iset *b)
{
    unsigned out = 0;
    for (uint32_t i = 0; i < a->n && out != (ISET_IN | ISET_OUT); i++) {
        uint32_t at = a->v[i].lo;
        for (uint32_t j = find(b, at); at < a->v[i].hi; j++) {
            if (j == b->n || b->v[j].lo >= a->v[i].hi) {
                out |= ISET_OUT;
                break;
            }
            out |= ISET_IN | (b->v[j].lo > at ? ISET_OUT : 0u);
            at = b->v[j].hi;
        }
    }
    return out;
}
