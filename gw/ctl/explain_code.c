/* perronctl explain CODE: the record of a decision, and the same decision made again under the snapshot of
 * then. Both come from the same function on the same facts; where they differ nevertheless, that is said
 * loudly. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "gw/ctl/explain.h"
#include "gw/ctl/old.h"
#include "gw/ctl/record.h"
#include "gw/siem/code.h"
#include "policy/diag.h"
#include "policy/redecide.h"

/* The list and its line as the record has them, which is all there is without the snapshot. */
static void say_recorded(json_t *chain, const struct record_hit *h)
{
    if (h->list.n)
        chain_say(chain, "category", "%.*s: %.*s, line %u", SHOW(h->name), SHOW(h->list), (unsigned)h->line);
    else
        chain_say(chain, "category", "%.*s", SHOW(h->name));
}

/* Where the lists said so: file, line and entry for what the snapshot's lists say of the recorded facts. What
 * stood in a path that is not kept only the record can tell. */
static void say_hits(json_t *chain, const struct snapshot *whole, const struct record *r)
{
    struct category_hit hit[CHAIN_HITS];
    bool shown[FACTS_MAX_CATS] = {false};
    size_t n = whole ? snapshot_category_hits(whole, &r->facts, hit, CHAIN_HITS) : 0;
    for (size_t i = 0; i < n; i++) {
        unsigned c = 0;
        while (c < r->facts.n_cats && r->hits[c].category != hit[i].category)
            c++;
        if (c < r->facts.n_cats)
            shown[c] = true;
        if (c < r->facts.n_cats || hit[i].except)
            chain_hit(chain, whole, &hit[i]);
    }
    for (unsigned c = 0; c < r->facts.n_cats; c++) {
        if (!shown[c])
            say_recorded(chain, &r->hits[c]);
    }
}

static bool same_verdict(const struct verdict *a, const struct verdict *b)
{
    return a->action == b->action && a->why == b->why && a->rule == b->rule && a->forbid == b->forbid &&
           a->observed == b->observed;
}

/* False when the decision comes out another way than it did. */
static bool say_again(json_t *chain, const struct snapshot *snap, const struct snapshot *whole,
                      struct record *r, const struct words *w)
{
    static struct verdict v;
    struct redecide *d = NULL;
    struct explain_subject s = {
        .snap = snap, .facts = &r->facts, .verdict = &v, .user = r->facts.user, .brief = w->brief};
    if (redecide_new(snap, snap, &d) != RC_OK)
        return true;
    uint64_t lacks = redecide(d, NULL, r, &v);
    redecide_free(d);
    chain_facts(chain, &s);
    say_hits(chain, whole, r);
    chain_decision(chain, &s);
    if (lacks) {
        char facts[200];
        chain_say(chain, "again", "cannot be told: the record does not have %s", record_facts(lacks, facts));
        return true;
    }
    bool same = same_verdict(&v, &r->verdict);
    chain_say(chain, "again", "%s",
              same ? "decided again from the record, under the same snapshot: the same"
                   : "decided again from the record, it is NOT the same");
    return same;
}

static void say_record(json_t *chain, const struct record *r, const struct journal_frame *f)
{
    char code[16], at[40], hash[MANIFEST_TEXT];
    record_code(r, code);
    hash_text(r->snapshot, hash);
    chain_say(chain, "code", "%s", code);
    chain_say(chain, "decided", "%s, step %s: %s%s%.*s", record_time(r->wall_us, at),
              record_step(r->facts.step), record_action(r->verdict.action), r->rule.n ? ", by " : "",
              SHOW(r->rule));
    chain_say(chain, "snapshot", "%s", hash);
    chain_say(chain, "spent", "%.1f us", (double)r->took_ns / 1000);
    chain_say(chain, "flow", "%" PRIu64 " (worker %u, record %" PRIu64 ")", r->flow, f->worker, f->seq);
}

static void say_without_snapshot(json_t *chain, const struct record *r)
{
    chain_say(chain, "snapshot", "not kept here, so its rules cannot be gone through again");
    say_hits(chain, NULL, r);
    if (r->facts.n_cats == 0 && r->facts.known & FACT_BIT(NAME))
        chain_say(chain, "category", "none: the name was in no list");
}

static int tell(const struct ctl *ctl, const struct words *w, const struct journal_frame *f)
{
    static struct record r;
    static struct old_snapshots old;
    if (record_decode(f->record, &r) != RC_OK)
        return ctl_fail("the record of %s is none that this version can read", w->target);
    json_t *chain = json_array(), *record = record_json(&r, f); /* before it is decided again */
    bool same = true;
    say_record(chain, &r, f);
    old_init(&old, ctl, w->journal);
    const struct snapshot *snap = old_find(&old, r.snapshot);
    struct snapshot *whole = old_whole(&old, r.snapshot);
    if (snap)
        same = say_again(chain, snap, whole, &r, w);
    else
        say_without_snapshot(chain, &r);
    if (ctl->json) {
        json_t *o = json_pack("{s:s, s:O, s:b, s:O}", "code", w->target, "record", record, "same", same,
                              "chain", chain);
        ctl_print_json(o);
        json_decref(o);
    } else {
        chain_print(chain);
    }
    json_decref(chain);
    json_decref(record);
    snapshot_put(whole);
    old_fini(&old);
    return same ? 0 : ctl_fail("the record of %s does not come out the same; please report it", w->target);
}

int explain_code(const struct ctl *ctl, const struct words *w, unsigned node, uint64_t number)
{
    struct journal_frame f;
    struct buf bytes = {0};
    unsigned n_more;
    AUTO_CLOSE int dir = journal_open_dir(ctl, w->journal);
    if (dir < 0)
        return 1;
    enum rc rc = journal_find(dir, journal_code(node, number), &bytes, &f, &n_more);
    int status = rc == RC_OK ? tell(ctl, w, &f)
                 : rc == RC_NOTFOUND
                     ? ctl_fail("no record has the code %s; --journal names another journal", w->target)
                     : ctl_fail("the journal cannot be read: %s", rc_text(rc));
    buf_fini(&bytes);
    return status;
}
