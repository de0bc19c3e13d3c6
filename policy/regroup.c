/* What a record needs to know of a snapshot: the groups that an identity is in, and which facts are looked at
 * at all; see record.h. */
#include "policy/image.h"
#include "policy/record.h"

enum { HITS = 4 * FACTS_MAX_GROUPS };

/* Puts v into the ascending list unless it is there. */
static unsigned insert(uint16_t *list, unsigned n, unsigned cap, uint16_t v)
{
    unsigned at = 0;
    while (at < n && list[at] < v)
        at++;
    if (at < n && list[at] == v)
        return n;
    if (n == cap)
        return cap + 1;
    memmove(list + at + 1, list + at, (n - at) * sizeof *list);
    list[at] = v;
    return n + 1;
}

unsigned record_groups(const struct snapshot *s, const struct facts *f, uint16_t *out, unsigned cap)
{
    struct group_hit hits[HITS];
    unsigned n = 0, n_hits = f->user.n || f->n_attrs ? snapshot_groups_of(s, f, hits, HITS) : 0;
    if (n_hits > HITS)
        return cap + 1;
    for (unsigned i = 0; i < n_hits && n <= cap; i++) {
        if (hits[i].by != GROUP_BY_NETWORK && hits[i].group <= UINT16_MAX)
            n = insert(out, n, cap, (uint16_t)hits[i].group);
    }
    return n;
}

bool snapshot_lists_urls(const struct snapshot *s)
{
    return s->url_lists;
}

bool snapshot_asks(const struct snapshot *s, enum fact fact)
{
    uint64_t asked = 0;
    for (uint32_t t = 0; t < s->img.n_TABLES; t++)
        asked |= s->img.TABLES[t].needs;
    asked |= s->grants.n_urls ? FACT_BIT(PATH) : 0; /* grants of single pages */
    return asked >> fact & 1;
}
