/* From facts to a question about grants; see grants_ask.h. */
#include "policy/grants_ask.h"

#include "policy/tokens.h"

static span zone_name(const struct snapshot *s, uint16_t zone)
{
    return zone < s->img.n_ZONES ? s->zones[zone].name : SPAN_NONE;
}

bool snapshot_exempt(const struct snapshot *s, uint16_t zone, int64_t time_s, struct grant *out)
{
    return s->grants.n_exempt && grants_exempt(&s->grants, zone_name(s, zone), time_s, out);
}

struct people {
    const struct snapshot *s;
    const struct tokens *k;
};

/* Name of a token's group; users are none. */
static bool group_at(const void *arg, size_t i, span *name)
{
    const struct people *p = arg;
    unsigned r = 0;
    while (r < p->k->n_runs && i >= p->k->run[r].n)
        i -= p->k->run[r++].n;
    if (r == p->k->n_runs)
        return false;
    uint32_t group = p->k->run[r].v[i];
    *name = group < p->s->img.n_GROUPS ? image_bytes(&p->s->img, p->s->img.GROUPS[group].name) : SPAN_NONE;
    return true;
}

/* Whether a grant of a category counts that the path may add; `q` is who asks. */
static bool granted_may(const struct snapshot *s, const struct facts *f, struct grants_query *q,
                        struct grant *out)
{
    q->name = SPAN_NONE;
    q->path_known = true;
    q->n_cats = 0;
    for (uint32_t c = 0; c < s->img.n_CATS; c++) {
        if (facts_may(f, c))
            q->cat[q->n_cats++] = snapshot_category_name(s, (uint16_t)c);
        if (q->n_cats == 0 || (q->n_cats < GRANTS_CATS && c + 1 < s->img.n_CATS))
            continue;
        if (grants_find(&s->grants, q, out) == GRANTS_YES)
            return true;
        q->n_cats = 0;
    }
    return false;
}

enum grants_word snapshot_grants(const struct snapshot *s, const struct facts *f, const struct tokens *people,
                                 struct grant *out)
{
    const struct people who = {s, people};
    char src[ADDR_TEXT], dst[ADDR_TEXT];
    struct grants_query q;
    if (s->grants.n == s->grants.n_exempt)
        return GRANTS_NO;
    memset(&q, 0, sizeof q);
    q.user = f->regroup ? SPAN_NONE : f->user;
    q.granted = f->regroup ? f->granted : 0;
    q.address = span_str(addr_text(&f->src, src));
    q.zone = zone_name(s, f->zone);
    q.name = f->name.n || !f->dst.family ? f->name : span_str(addr_text(&f->dst, dst));
    q.path = f->path;
    q.path_known = (f->known & FACT_BIT(PATH)) != 0;
    q.time_s = f->time_s;
    q.more = group_at;
    q.arg = &who;
    for (unsigned i = 0; i < f->n_cats && q.n_cats < GRANTS_CATS; i++)
        q.cat[q.n_cats++] = snapshot_category_name(s, f->cats[i]);
    enum grants_word word = grants_find(&s->grants, &q, out);
    if (word == GRANTS_NO && f->may_used && !q.path_known && granted_may(s, f, &q, out))
        return GRANTS_OPEN;
    return word;
}

/* ---- what a new grant is looked at for ---- */

bool snapshot_knows_zone(const struct snapshot *s, span name)
{
    for (uint32_t z = 0; z < s->img.n_ZONES; z++) {
        if (span_eq(s->zones[z].name, name))
            return true;
    }
    return false;
}

/* Number of the name in a section of texts, or UINT32_MAX. */
static uint32_t number_of(const struct image *m, const struct img_run *v, uint32_t n, span name)
{
    for (uint32_t i = 0; i < n; i++) {
        if (span_eq(image_bytes(m, v[i]), name))
            return i;
    }
    return UINT32_MAX;
}

/* The same of groups. */
static uint32_t group_number(const struct image *m, span name)
{
    for (uint32_t i = 0; i < m->n_GROUPS; i++) {
        if (span_eq(image_bytes(m, m->GROUPS[i].name), name))
            return i;
    }
    return UINT32_MAX;
}

bool snapshot_knows_group(const struct snapshot *s, span name)
{
    return group_number(&s->img, name) != UINT32_MAX;
}

bool snapshot_knows_category(const struct snapshot *s, span name)
{
    return number_of(&s->img, s->img.CATS, s->img.n_CATS, name) != UINT32_MAX;
}

/* Somebody of the group, by name; nobody: SPAN_NONE. */
static span member_of(const struct image *m, uint32_t group)
{
    for (uint32_t u = 0; u < m->n_USERS; u++) {
        const struct img_run *g = &m->USERS[u].groups;
        for (uint32_t i = 0; i < g->n; i++) {
            if (m->NUMBERS[g->at + i] == group)
                return image_bytes(m, m->USERS[u].name);
        }
    }
    return SPAN_NONE;
}

static void set_person(const struct snapshot *s, const struct grant *g, struct facts *f)
{
    const struct image *m = &s->img;
    span user = g->scope == GRANT_FOR_USER ? g->who : SPAN_NONE;
    if (g->scope == GRANT_FOR_GROUP)
        user = member_of(m, group_number(m, g->who));
    f->user = user;
    if (user.n)
        f->known |= FACT_BIT(USER);
}

static void set_target(const struct snapshot *s, const struct grant *g, struct facts *f)
{
    size_t slash = g->kind == GRANT_URL ? span_find(g->target, '/', 0) : SIZE_MAX;
    f->known |= FACT_BIT(NAME);
    if (g->kind == GRANT_CATEGORY) {
        f->cats[0] = (uint16_t)number_of(&s->img, s->img.CATS, s->img.n_CATS, g->target);
        f->n_cats = 1;
        return;
    }
    f->name = span_cut(g->target, 0, slash);
    if (addr_parse(f->name, &f->dst)) {
        f->name = SPAN_NONE;
        f->known |= FACT_BIT(DST);
    }
    if (slash != SIZE_MAX) {
        f->path = span_cut(g->target, slash, g->target.n);
        f->known |= FACT_BIT(PATH);
    }
    snapshot_categories(s, f);
}

uint32_t snapshot_forbids(const struct snapshot *s, const struct grant *g, int64_t now_s)
{
    for (uint16_t z = 0; z < s->img.n_ZONES && g->kind != GRANT_EXEMPT; z++) {
        struct facts f = {.step = STEP_REQUEST, .time_s = now_s, .zone = z, .tls = true};
        uint32_t rule;
        if (s->zones[z].internet || (g->scope == GRANT_FOR_ZONE && !span_eq(s->zones[z].name, g->who)))
            continue;
        f.known = FACT_BIT(SRC) | FACT_BIT(TLS);
        if (g->scope != GRANT_FOR_ADDRESS || !addr_parse(g->who, &f.src))
            f.src = snapshot_zone_network(s, z, 0).addr;
        set_person(s, g, &f);
        set_target(s, g, &f);
        if (decide_forbids(s, &f, &rule))
            return rule;
    }
    return RULE_NONE;
}

const struct grants *snapshot_all_grants(const struct snapshot *s)
{
    return &s->grants;
}
