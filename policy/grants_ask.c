/* From facts to a question about grants; see grants_ask.h. */
#include "policy/grants_ask.h"

#include "policy/image.h"

static span zone_name(const struct snapshot *s, uint16_t zone)
{
    return zone < s->img.n_ZONES ? s->zones[zone].name : SPAN_NONE;
}

bool snapshot_exempt(const struct snapshot *s, uint16_t zone, int64_t time_s, struct grant *out)
{
    return s->grants.n_exempt && grants_exempt(&s->grants, zone_name(s, zone), time_s, out);
}

static void put_groups(const struct snapshot *s, const uint32_t *groups, size_t n, struct grants_query *q)
{
    for (size_t i = 0; i < n && q->n_groups < GRANTS_GROUPS; i++) {
        if (groups[i] < s->img.n_GROUPS)
            q->group[q->n_groups++] = image_bytes(&s->img, s->img.GROUPS[groups[i]]);
    }
}

enum grants_word snapshot_grants(const struct snapshot *s, const struct facts *f, const uint32_t *groups,
                                 size_t n_groups, struct grant *out)
{
    char src[ADDR_TEXT], dst[ADDR_TEXT];
    struct grants_query q;
    if (s->grants.n == s->grants.n_exempt)
        return GRANTS_NO;
    memset(&q, 0, sizeof q);
    q.user = f->user;
    q.address = span_str(addr_text(&f->src, src));
    q.zone = zone_name(s, f->zone);
    q.name = f->name.n || !f->dst.family ? f->name : span_str(addr_text(&f->dst, dst));
    q.path = f->path;
    q.path_known = (f->known & FACT_BIT(PATH)) != 0;
    q.time_s = f->time_s;
    put_groups(s, groups, n_groups, &q);
    for (unsigned i = 0; i < f->n_cats && q.n_cats < GRANTS_CATS; i++)
        q.cat[q.n_cats++] = snapshot_category_name(s, f->cats[i]);
    return grants_find(&s->grants, &q, out);
}

const struct grants *snapshot_all_grants(const struct snapshot *s)
{
    return &s->grants;
}
