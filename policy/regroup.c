/* What a record needs to know of a snapshot: the groups that an identity is in, and which facts are looked at
 * at all; see record.h. */
#include "policy/image.h"
#include "policy/record.h"

uint32_t snapshot_n_groups(const struct snapshot *s)
{
    return s->img.n_GROUPS;
}

span snapshot_group_name(const struct snapshot *s, uint32_t group)
{
    return group < s->img.n_GROUPS ? image_bytes(&s->img, s->img.GROUPS[group]) : SPAN_NONE;
}

uint16_t snapshot_groups_of(const struct snapshot *s, const struct facts *f, uint16_t *out, size_t cap)
{
    const struct image *m = &s->img;
    uint32_t user = f->user.n ? image_string(m, STRINGS_USER, f->user) : UINT32_MAX;
    uint16_t n = 0;
    if (user >= m->n_USERS)
        return 0;
    struct img_run groups = m->USERS[user].groups;
    for (uint32_t i = 0; i < groups.n && n < cap; i++)
        out[n++] = (uint16_t)m->NUMBERS[groups.at + i];
    return n;
}

static uint64_t dim_needs(enum dim d)
{
    static const uint64_t needs[] = {
#define D(id, facts) facts,
#include "policy/dim.tbl"
#undef D
    };
    return needs[d];
}

bool snapshot_asks(const struct snapshot *s, enum fact fact)
{
    uint64_t asked = 0;
    for (uint32_t t = 0; t < s->img.n_TABLES; t++) {
        for (unsigned d = 0; d < DIM_N; d++)
            asked |= s->img.TABLES[t].dim[d].asked ? dim_needs(d) : 0;
    }
    return asked >> fact & 1;
}
