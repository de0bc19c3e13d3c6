/* Exchanges of HTTP/2 are decided again, as again.c does it for the one of HTTP/1; see h2.h. */
#include "gw/flow/h2.h"

#include "gw/base/obj.h"
#include "gw/flow/record.h"

static bool runs(const struct txn *t)
{
    return t->open && !t->answered;
}

/* An answer that has begun is broken off; one that has not becomes our page. */
static void over(struct exchange *x, enum reason why, span detail)
{
    engine_unhold(&x->hold);
    if (x->t.began)
        exchange_break(x, why, detail, H2E_CANCEL);
    else
        answer_page(&x->t, why, detail);
}

void h2flow_over(struct flow *f, enum reason why, span detail)
{
    struct h2flow *h = f->h2;
    f->refused = true;
    f->reason = why;
    f->detail = detail;
    for (struct list *l = h->open.next; l != &h->open; l = l->next) {
        struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        if (!runs(&x->t))
            continue;
        x->t.verdict = f->verdict;
        memcpy(x->t.code, f->code, sizeof x->t.code);
        over(x, why, detail);
    }
    h2flow_origin_over(f, why, detail);
    pump(f);
}

static void judge_one(struct exchange *x, enum reason why)
{
    struct txn *t = &x->t;
    struct flow *f = t->f;
    if (t->snap != f->e->snap) {
        snapshot_put(t->snap);
        t->snap = snapshot_get(f->e->snap);
    }
    if (!t->verdict.made)
        return;
    judge_request(t, &t->verdict);
    if (t->verdict.does == ACT_ALLOW)
        return;
    record_of_txn(t);
    f->e->n.ended_again++;
    over(x, t->verdict.does == ACT_WARN && !t->began ? REASON_WARNED : why, SPAN_NONE);
}

void h2flow_judge(struct flow *f, enum reason why)
{
    struct h2flow *h = f->h2;
    for (struct list *l = h->open.next; l != &h->open; l = l->next) {
        struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        if (runs(&x->t))
            judge_one(x, why);
    }
    pump(f);
}

int64_t h2flow_ends_at(const struct flow *f)
{
    int64_t ends = INT64_MAX;
    for (const struct list *l = f->h2->open.next; l != &f->h2->open; l = l->next) {
        const struct txn *t = &CONTAINER_OF(l, struct exchange, link)->t;
        if (runs(t) && t->verdict.made && t->verdict.valid_until < ends)
            ends = t->verdict.valid_until;
    }
    return ends;
}

bool h2flow_is_old(const struct flow *f)
{
    for (const struct list *l = f->h2->open.next; l != &f->h2->open; l = l->next) {
        const struct txn *t = &CONTAINER_OF(l, struct exchange, link)->t;
        if (runs(t) && t->snap != f->e->snap)
            return true;
    }
    return false;
}
