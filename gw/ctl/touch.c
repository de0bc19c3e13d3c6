/* A grant beside recorded decisions; see touch.h. The same look-up is asked as the gateway asks
 * (policy/grants), with one grant in it. */
#include "gw/ctl/touch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/base/map.h"
#include "gw/base/obj.h"
#include "gw/siem/code.h"

enum { EXAMPLES = 5, PEOPLE_MOST = 100000 };

struct touch {
    struct grants one;
    struct map people; /* pseudonym, or address */
    uint64_t n, seen;
    int64_t since_us;
    struct buf latest[EXAMPLES]; /* encoded records, a ring */
};

static bool stopped(const struct record *r)
{
    const struct verdict *v = &r->verdict;
    return (v->action == ACT_BLOCK || v->action == ACT_WARN) && v->layer == LAYER_WEB && !v->forbid;
}

static bool would_lift(const struct grants *g, const struct record *r)
{
    char src[ADDR_TEXT], dst[ADDR_TEXT];
    struct grants_query q;
    struct grant out;
    memset(&q, 0, sizeof q);
    q.address = span_str(addr_text(&r->facts.src, src));
    q.zone = r->zone;
    q.name =
        r->facts.name.n || !r->facts.dst.family ? r->facts.name : span_str(addr_text(&r->facts.dst, dst));
    q.path = r->facts.path;
    q.path_known = (r->facts.known & FACT_BIT(PATH)) != 0;
    for (unsigned i = 0; i < r->facts.n_groups && q.n_groups < GRANTS_GROUPS; i++)
        q.group[q.n_groups++] = r->groups[i];
    for (unsigned i = 0; i < r->facts.n_cats && q.n_cats < GRANTS_CATS; i++)
        q.cat[q.n_cats++] = r->hits[i].name;
    return grants_find(g, &q, &out) != GRANTS_NO;
}

static enum rc each(const struct journal_frame *f, void *arg)
{
    static struct record r;
    struct touch *t = arg;
    if (record_decode(f->record, &r) != RC_OK)
        return RC_OK;
    if (t->seen++ == 0)
        t->since_us = r.wall_us;
    if (!stopped(&r) || !would_lift(&t->one, &r))
        return RC_OK;
    char src[ADDR_TEXT];
    span who = r.facts.user.n ? r.facts.user : span_str(addr_text(&r.facts.src, src));
    enum rc rc = map_put(&t->people, who, t);
    struct buf *kept = &t->latest[t->n++ % EXAMPLES];
    buf_clear(kept);
    return rc == RC_LIMIT || rc == RC_OK ? buf_put(kept, f->record) : rc;
}

static void show_examples(struct touch *t)
{
    static struct record r;
    uint64_t n = t->n < EXAMPLES ? t->n : EXAMPLES;
    for (uint64_t i = 0; i < n; i++) {
        if (record_decode(buf_span(&t->latest[(t->n - n + i) % EXAMPLES]), &r) == RC_OK)
            record_line(&r);
    }
}

static void tell(struct touch *t, const struct grant *g)
{
    char since[40];
    if (g->scope == GRANT_FOR_USER)
        fprintf(stderr,
                "The journal knows no user by name: whom this grant would have touched cannot be told.\n");
    else if (t->n == 0)
        fprintf(stderr, "In the journal (%llu decisions) it would have let nothing through.\n",
                (unsigned long long)t->seen);
    else
        fprintf(stderr, "Since %s it would have let through %llu decision%s of %zu %s. The latest:\n",
                record_time(t->since_us, since), (unsigned long long)t->n, t->n == 1 ? "" : "s", t->people.n,
                t->people.n == 1 ? "person" : "people");
    show_examples(t);
}

void touch_show(int dir, const struct grant *g)
{
    struct touch t = {.n = 0};
    struct grant always = *g;
    struct buf part = {0};
    struct journal_walk walk = {.dir = dir, .each = each, .arg = &t};
    always.id = 1;
    always.since_s = 0;
    always.until_s = 1; /* the query's time is 0 */
    map_init(&t.people, PEOPLE_MOST);
    enum rc rc = grants_build(&always, 1, &part);
    if (rc == RC_OK)
        rc = grants_open(buf_span(&part), &t.one);
    if (rc == RC_OK && g->scope != GRANT_FOR_USER)
        rc = journal_walk(&walk);
    if (rc == RC_OK || rc == RC_NOTFOUND)
        tell(&t, g);
    else
        fprintf(stderr, "perronctl: the journal cannot be read: %s\n", rc_text(rc));
    for (size_t i = 0; i < EXAMPLES; i++)
        buf_fini(&t.latest[i]);
    map_fini(&t.people);
    buf_fini(&part);
}

bool touch_find(int dir, const char *code, struct buf *bytes, struct record *out)
{
    struct journal_frame f;
    unsigned node, n_more;
    uint64_t number;
    if (!record_code_read("", code, &node, &number))
        return false;
    if (journal_find(dir, journal_code(node, number), bytes, &f, &n_more) != RC_OK) {
        ctl_fail("the journal has no decision %s", code);
        return false;
    }
    if (record_decode(f.record, out) == RC_OK && n_more == 0)
        return true;
    ctl_fail("the record of %s cannot be relied on; name the host instead", code);
    return false;
}
