/* Records of a flow's decisions; see record.h. */
#include "gw/flow/record.h"

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/siem/code.h"
#include "gw/siem/event.h"

/* The record that waits for its verdict to take effect. */
struct made {
    struct record r;
    const struct flow *flow;
    const struct snapshot *snap; /* borrowed: the flow or exchange that it is of holds it */
    size_t n;
    uint8_t bytes[RECORD_MAX];
};

enum rc record_init(struct engine *e)
{
    e->made = calloc(1, sizeof *e->made);
    return e->made ? RC_OK : RC_NOMEM;
}

void record_fini(struct engine *e)
{
    free(e->made);
    e->made = NULL;
}

/* The user of a flow has one pseudonym a day: made once, kept with the flow. */
span flow_pseudonym(struct flow *f, span user, char out[PSEUDO_TEXT])
{
    const struct engine *e = f->e;
    if (user.n == 0)
        return SPAN_NONE;
    uint32_t day = (uint32_t)(clock_wall_s() / 86400);
    const uint8_t *key = e->pseudo_key[day > e->pseudo_day];
    if (user.p != f->user.p || user.n != f->user.n) {
        pseudonym(key, user, out);
        return span_str(out);
    }
    if (f->pseudo_day != day || f->pseudo_of != user.p) {
        pseudonym(key, user, f->pseudo);
        f->pseudo_day = day;
        f->pseudo_of = user.p;
    }
    return span_str(f->pseudo);
}

void record_made(struct flow *f, const struct snapshot *snap, const struct facts *x, const struct verdict *v,
                 int64_t took_ns)
{
    struct made *m = f->e->made;
    char text[PSEUDO_TEXT];
    record_fill(&m->r, snap, x, v, flow_pseudonym(f, x->user, text));
    m->r.flow = f->id;
    m->r.wall_us = clock_wall_us();
    m->r.took_ns = (uint32_t)(took_ns < 0 ? 0 : took_ns < UINT32_MAX ? took_ns : UINT32_MAX);
    m->n = record_encode(&m->r, m->bytes);
    m->flow = f;
    m->snap = snap;
}

/* From here on it counts, for the rule that decided too. */
static void put(struct flow *f, const char *code)
{
    struct made *m = f->e->made;
    unsigned node;
    uint64_t number;
    gw_assert(m->flow == f && code_parse(span_str(code), &node, &number) == RC_OK);
    record_set_code(m->bytes, node, number);
    engine_record(f->e, span_of(m->bytes, m->n));
    engine_hit(f->e, m->snap, m->r.verdict.rule);
    for (unsigned i = 0; i < m->r.verdict.n_logs; i++)
        engine_hit(f->e, m->snap, m->r.verdict.logs[i]);
    m->flow = NULL;
}

void record_of_flow(struct flow *f)
{
    engine_code(f->e, f->code);
    put(f, f->code);
}

void record_beside(struct flow *f)
{
    char code[sizeof f->code];
    engine_code(f->e, code);
    put(f, code);
}

/* The code that the exchange has from its beginning, unless an earlier decision took it. */
void record_of_txn(struct txn *t)
{
    if (t->recorded)
        engine_code(t->f->e, t->code);
    t->recorded = true;
    put(t->f, t->code);
}
