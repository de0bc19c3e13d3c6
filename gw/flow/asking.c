/* Origins that ask for a client's certificate; see asking.h. */
#include "gw/flow/asking.h"

#include <openssl/sha.h>

#include "gw/base/clock.h"
#include "gw/base/lru.h"
#include "gw/base/obj.h"
#include "gw/flow/flow.h"
#include "gw/flow/record.h"

struct entry {
    struct lru_item item;
    int64_t since_s;
    uint64_t rule;
    struct addr ip;
    uint16_t port;
    uint8_t name_n;
    uint8_t name[LIM_NAME_BYTES];
};
_Static_assert(LIM_NAME_BYTES <= UINT8_MAX, "its length fits");

struct asking {
    struct lru lru;
};

enum { KEY_BYTES = SHA256_DIGEST_LENGTH };

static struct entry *entry_of(struct lru_item *item)
{
    return item ? CONTAINER_OF(item, struct entry, item) : NULL;
}

static void gone(struct lru_item *item)
{
    free(entry_of(item));
}

enum rc asking_new(size_t max, struct asking **out)
{
    struct asking *a = calloc(1, sizeof *a);
    *out = a;
    if (!a)
        return RC_NOMEM;
    lru_init(&a->lru, max, gone);
    return RC_OK;
}

void asking_free(struct asking *a)
{
    if (!a)
        return;
    lru_fini(&a->lru);
    free(a);
}

/* Address and port first: they are of fixed length. */
static void key_of(span name, const struct addr *ip, uint16_t port, uint8_t key[KEY_BYTES])
{
    uint8_t b[1 + 16 + 2 + LIM_NAME_BYTES] = {ip->family};
    size_t n = name.n < LIM_NAME_BYTES ? name.n : LIM_NAME_BYTES;
    memcpy(b + 1, ip->b, ip->family == 4 ? 4 : 16);
    b[17] = (uint8_t)(port >> 8);
    b[18] = (uint8_t)port;
    if (n)
        memcpy(b + 19, name.p, n);
    SHA256(b, 19 + n, key);
}

static struct entry *find(const struct asking *a, span name, const struct addr *ip, uint16_t port)
{
    uint8_t key[KEY_BYTES];
    key_of(name, ip, port, key);
    return entry_of(lru_find(&a->lru, span_of(key, sizeof key)));
}

void asking_note(struct asking *a, span name, const struct addr *ip, uint16_t port, uint64_t rule,
                 int64_t now_s)
{
    uint8_t key[KEY_BYTES];
    struct entry *e = name.n <= LIM_NAME_BYTES ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return;
    e->since_s = now_s;
    e->rule = rule;
    e->ip = *ip;
    e->port = port;
    e->name_n = (uint8_t)name.n;
    if (name.n)
        memcpy(e->name, name.p, name.n);
    key_of(name, ip, port, key);
    if (lru_put(&a->lru, span_of(key, sizeof key), &e->item) != RC_OK)
        free(e);
}

/* A clock that was set back makes an entry as doubtful as one that was set forward. */
static bool holds(const struct entry *e, int64_t now_s)
{
    return now_s >= e->since_s && now_s < e->since_s + LIM_ASKING_S;
}

bool asking_known(struct asking *a, span name, const struct addr *ip, uint16_t port, int64_t now_s)
{
    struct entry *e = find(a, name, ip, port);
    if (!e)
        return false;
    if (!holds(e, now_s)) {
        lru_drop(&a->lru, &e->item);
        return false;
    }
    lru_used(&a->lru, &e->item);
    return true;
}

/* Entries come from few rules: the last one looked for is nearly always the next one too. */
void asking_reloaded(struct asking *a, const struct snapshot *s)
{
    uint64_t last = 0;
    bool there = false;
    for (struct list *l = a->lru.order.next, *next; l != &a->lru.order; l = next) {
        struct entry *e = entry_of(CONTAINER_OF(l, struct lru_item, link));
        next = l->next;
        if (e->rule != last || last == 0)
            there = snapshot_rule_find(s, e->rule) != RULE_NONE;
        last = e->rule;
        if (!there)
            lru_drop(&a->lru, &e->item);
    }
}

json_t *asking_json(const struct asking *a, int64_t now_s)
{
    json_t *list = json_array();
    char ip[ADDR_TEXT];
    for (const struct list *l = a->lru.order.next; l != &a->lru.order; l = l->next) {
        const struct entry *e = CONTAINER_OF(l, const struct entry, item.link);
        if (holds(e, now_s))
            json_array_append_new(list,
                                  json_pack("{s:s#, s:s, s:i, s:I}", "name", (const char *)e->name,
                                            (int)e->name_n, "address", addr_text(&e->ip, ip), "port",
                                            (int)e->port, "until", (json_int_t)(e->since_s + LIM_ASKING_S)));
    }
    return list;
}

/* ---- flows ---- */

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
    struct asking *a = f->e->asking;
    struct addr known[DIAL_MAX];
    size_t n_known = 0;
    int64_t now_s = clock_wall_s();
    struct judged j;
    for (size_t i = 0; i < n && n_known < DIAL_MAX; i++) {
        if (asking_known(a, f->name, &addrs[i], f->dst_port, now_s))
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
    asking_note(f->e->asking, f->name, &f->dst, f->dst_port, key, clock_wall_s());
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
