/* Interned sets of members; see catset.h. */
#include "signatures/catset.h"

#include <stdlib.h>

#include "signatures/catfmt.h"

static enum rc grow(struct catset *s)
{
    uint32_t cap = s->cap ? s->cap * 2 : 64;
    uint16_t **members = reallocarray(s->members, cap, sizeof *members);
    if (!members)
        return RC_NOMEM;
    s->members = members;
    uint32_t *sizes = reallocarray(s->sizes, cap, sizeof *sizes);
    if (!sizes)
        return RC_NOMEM;
    s->sizes = sizes;
    s->cap = cap;
    return RC_OK;
}

enum rc catset_init(struct catset *s)
{
    *s = (struct catset){.last_member = UINT32_MAX};
    map_init(&s->steps, 0);
    map_init(&s->by_value, 0);
    enum rc rc = grow(s);
    if (rc != RC_OK) {
        catset_fini(s);
        return rc;
    }
    s->members[0] = NULL;
    s->sizes[0] = 0;
    return RC_OK;
}

void catset_fini(struct catset *s)
{
    for (uint32_t i = 1; i <= s->n_sets; i++)
        free(s->members[i]);
    free(s->members);
    free(s->sizes);
    map_fini(&s->steps);
    map_fini(&s->by_value);
    *s = (struct catset){0};
}

static enum rc intern(struct catset *s, const uint16_t *members, uint32_t n, uint32_t *out)
{
    span key = span_of(members, n * sizeof *members);
    void *known = map_find(&s->by_value, key);
    if (known) {
        *out = (uint32_t)(uintptr_t)known;
        return RC_OK;
    }
    if (s->n_sets == CATFMT_SETS)
        return RC_LIMIT;
    if (s->n_sets + 1 == s->cap)
        TRY(grow(s));
    uint16_t *copy = malloc(key.n);
    if (!copy)
        return RC_NOMEM;
    memcpy(copy, members, key.n);
    *out = ++s->n_sets;
    s->members[*out] = copy;
    s->sizes[*out] = n;
    return map_put(&s->by_value, key, (void *)(uintptr_t)*out);
}

/* The sorted members of `set` with `member` put in; how many. */
static uint32_t insert(const struct catset *s, uint32_t set, uint16_t member, uint16_t *out)
{
    const uint16_t *old = s->members[set];
    uint32_t n = 0, i = 0, n_old = s->sizes[set];
    while (i < n_old && old[i] < member)
        out[n++] = old[i++];
    out[n++] = member;
    if (i < n_old && old[i] == member)
        i++;
    while (i < n_old)
        out[n++] = old[i++];
    return n;
}

enum rc catset_with(struct catset *s, uint16_t set, uint16_t member, uint16_t *out)
{
    if (s->last_set == set && s->last_member == member) {
        *out = (uint16_t)s->last_result;
        return RC_OK;
    }
    uint16_t key[2] = {set, member};
    uint32_t result = (uint32_t)(uintptr_t)map_find(&s->steps, span_of(key, sizeof key));
    if (result == 0) {
        uint16_t members[CATSET_MEMBERS + 1];
        if (s->sizes[set] == CATSET_MEMBERS)
            return RC_LIMIT;
        uint32_t n = insert(s, set, member, members);
        TRY(intern(s, members, n, &result));
        TRY(map_put(&s->steps, span_of(key, sizeof key), (void *)(uintptr_t)result));
    }
    s->last_set = set;
    s->last_member = member;
    s->last_result = result;
    *out = (uint16_t)result;
    return RC_OK;
}

uint32_t catset_total(const struct catset *s)
{
    uint32_t total = 0;
    for (uint32_t i = 1; i <= s->n_sets; i++)
        total += s->sizes[i];
    return total;
}
