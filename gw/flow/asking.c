/* Origins that ask for a client's certificate; see asking.h. */
#include "gw/flow/asking.h"

#include "gw/base/clock.h"
#include "gw/flow/flow.h"
#include "gw/flow/noted.h"
#include "gw/flow/record.h"

/* What policy says of this flow if its origin asks. */
static bool exempted(struct flow *f, struct judged *j)
{
    bool asked = f->cert.asked_client_cert;
    f->cert.asked_client_cert = true;
    judge_certificate(f, j);
    f->cert.asked_client_cert = asked || j->does == ACT_EXEMPT;
    return j->does == ACT_EXEMPT;
}

size_t asking_exempts(struct flow *f, struct addr *addrs, size_t n)
{
    struct noted *a = f->e->asking;
    struct addr known[DIAL_MAX];
    size_t n_known = 0;
    int64_t now_s = clock_wall_s();
    struct judged j;
    for (size_t i = 0; i < n && n_known < DIAL_MAX; i++) {
        if (noted_known(a, f->name, &addrs[i], f->dst_port, now_s))
            known[n_known++] = addrs[i];
    }
    if (n_known == 0 || !engine_has_room(f->e)) /* without room the certificate's step waits for it */
        return n;
    if (!exempted(f, &j)) /* others may be: it stays */
        return n;
    memcpy(addrs, known, n_known * sizeof *addrs);
    judged_until(&j, &f->verdict);
    f->verdict = j;
    record_of_flow(f);
    f->mode = MODE_EXEMPT;
    f->dialled_twice = true; /* by the flow that learnt it */
    f->e->n.inspected--;
    f->e->n.exempt++;
    f->e->n.asking_known++;
    return n_known;
}

static void learn(struct flow *f, uint32_t rule)
{
    if (rule == RULE_NONE)
        return;
    uint64_t key = snapshot_rule(f->snap, rule).key;
    noted_note(f->e->asking, f->name, &f->dst, f->dst_port, key, clock_wall_s());
}

void asking_learn(struct flow *f, const struct judged *j)
{
    learn(f, j->rule);
}

void asking_late(struct flow *f)
{
    uint32_t rule;
    f->e->n.asked_late++;
    if (judge_would(f, f->cert.defects | DEFECT_BIT(ASKS_CLIENT), &rule) == ACT_EXEMPT)
        learn(f, rule);
}
