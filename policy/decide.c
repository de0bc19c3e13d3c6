/* The evaluator; see decide.h. Per dimension of a table one bit set of the rules that can still match, ANDed
 * word by word; the first set bit whose rule waits for nothing decides. No allocation, no state: the sets of
 * a dimension are used in place where one value alone was met, and joined on the stack otherwise. */
#include "policy/decide.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "policy/grants_ask.h"
#include "policy/image.h"
#include "policy/words.h"

enum { MOST_WORDS = LIM_POLICY_RULES / 64, OWN_TOKENS = 136 };

/* Two words of a bit set; the compiler makes vector instructions of it, whatever the processor has. Blocks
 * are written out as four of them: kept in registers, they take a third of the time of an array. */
typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
_Static_assert(IMG_BLOCK_WORDS == 8, "a block is four pairs");

static inline const pair *pairs(const uint64_t *bits)
{
    return (const pair *)(const void *)bits;
}

static inline pair *own_pairs(uint64_t *bits)
{
    return (pair *)(void *)bits;
}

/* What is asked of a table besides the facts. */
struct query {
    const struct snapshot *snap;
    const struct facts *f;
    enum table table;
    bool closed;            /* no later step: open means no match */
    bool forbids_alone;     /* only `forbid` rules count */
    uint32_t defect, event; /* tokens of DIM_DEFECT and DIM_EVENT */
};

/* What came out of a table. */
struct found {
    bool hit;
    uint32_t rule;  /* of the table */
    uint64_t waits; /* facts that open rules before it (or all, without a hit) wait for */
    bool may_allow; /* one of those open rules does not block */
};

/* Tokens met in one dimension: up to three runs of numbers. */
struct tokens {
    struct {
        const uint32_t *v;
        uint32_t n;
    } run[3];
    unsigned n_runs;
    uint32_t own[OWN_TOKENS];
    uint32_t n_own;
};

static void add_run(struct tokens *k, const struct image *m, struct img_run r)
{
    if (r.n) {
        k->run[k->n_runs].v = m->NUMBERS + r.at;
        k->run[k->n_runs++].n = r.n;
    }
}

static void add_own(struct tokens *k, uint32_t token)
{
    if (k->n_own < OWN_TOKENS)
        k->own[k->n_own++] = token;
}

/* ---- the tokens of each dimension ---- */

static void place_tokens(struct tokens *k, const struct image *m, enum img_map map, const struct addr *a,
                         uint32_t zone)
{
    uint32_t list = image_addr(m, map, a);
    if (zone < m->n_ZONES)
        add_own(k, zone);
    if (list != UINT32_MAX)
        add_run(k, m, m->LISTS[list].numbers);
}

static uint32_t zone_to(const struct image *m, const struct addr *dst)
{
    uint32_t zone = image_addr(m, MAP_ZONE, dst);
    return zone == UINT32_MAX ? m->set->internet_zone : zone;
}

static void person_tokens(struct tokens *k, const struct image *m, const struct facts *f)
{
    uint32_t user = image_string(m, STRINGS_USER, f->user);
    uint32_t list = image_addr(m, MAP_GROUP, &f->src);
    if (user < m->n_USERS) {
        add_run(k, m, m->USERS[user].groups);
        add_own(k, m->n_GROUPS + user);
    }
    if (list != UINT32_MAX)
        add_run(k, m, m->LISTS[list].numbers);
    if (f->user.n == 0 && list == UINT32_MAX)
        add_own(k, img_token_unidentified(m->n_GROUPS, m->n_USERS));
}

static void category_tokens(struct tokens *k, const struct image *m, const struct facts *f)
{
    for (unsigned i = 0; i < f->n_cats && i < FACTS_MAX_CATS; i++)
        add_own(k, f->cats[i]);
    if (f->n_cats == 0)
        add_own(k, m->n_CATS);
}

/* The name and every parent of it, or the address as text. */
static void domain_tokens(struct tokens *k, const struct image *m, const struct facts *f)
{
    char text[ADDR_TEXT];
    uint64_t h = IMG_HASH_START;
    span name = f->name;
    if (name.n == 0 && f->dst.family) {
        uint32_t token = image_string(m, STRINGS_DOMAIN, span_str(addr_text(&f->dst, text)));
        if (token != UINT32_MAX)
            add_own(k, token);
        return;
    }
    for (size_t i = name.n; i-- > 0;) {
        h = image_hash_byte(h, name.p[i]);
        if (i != 0 && name.p[i - 1] != '.')
            continue;
        uint32_t token = image_find(m, STRINGS_DOMAIN, span_cut(name, i, name.n), image_hash_end(h));
        if (token != UINT32_MAX)
            add_own(k, token);
    }
}

static void port_tokens(struct tokens *k, const struct image *m, uint16_t port)
{
    uint32_t list = image_range(m, m->set->map_v4[MAP_PORT], 0, port);
    if (list != UINT32_MAX)
        add_run(k, m, m->LISTS[list].numbers);
}

static void tokens_of(const struct query *q, enum dim d, struct tokens *k)
{
    const struct image *m = &q->snap->img;
    const struct facts *f = q->f;
    k->n_runs = 0;
    k->n_own = 0;
    switch (d) {
    case DIM_CATEGORY: category_tokens(k, m, f); break;
    case DIM_FOR: person_tokens(k, m, f); break;
    case DIM_DOMAIN: domain_tokens(k, m, f); break;
    case DIM_FROM: place_tokens(k, m, MAP_FROM, &f->src, f->zone); break;
    case DIM_TO: place_tokens(k, m, MAP_TO, &f->dst, zone_to(m, &f->dst)); break;
    case DIM_PORT: port_tokens(k, m, f->dst_port); break;
    case DIM_METHOD: add_own(k, image_string(m, STRINGS_METHOD, f->method)); break;
    case DIM_UPLOAD: add_own(k, f->upload ? 0 : UINT32_MAX); break;
    case DIM_DEFECT: add_own(k, q->defect); break;
    case DIM_EVENT: add_own(k, q->event); break;
    case DIM_N: break;
    }
    if (k->n_own) {
        k->run[k->n_runs].v = k->own;
        k->run[k->n_runs++].n = k->n_own;
    }
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

/* ---- the rules of a dimension that can match ---- */

struct joined {
    const struct image *m;
    const struct img_table *t;
    const uint64_t *bits; /* as it stands; in place or `own` */
    uint64_t *own;        /* n_words on the stack */
    bool untouched;       /* `bits` is still "do not ask" */
};

static void make_own(struct joined *j)
{
    if (j->bits != j->own)
        memcpy(j->own, j->bits, j->t->n_words * sizeof *j->own);
    j->bits = j->own;
}

static void join_accept(struct joined *j, struct img_run set)
{
    if (set.n == 0)
        return;
    if (set.n == IMG_DENSE && j->untouched) { /* has the "do not ask" bits in it */
        j->bits = &j->m->BITS[set.at];
    } else if (set.n == IMG_DENSE) {
        make_own(j);
        for (uint32_t w = 0; w < j->t->n_words / 2; w++)
            own_pairs(j->own)[w] |= pairs(&j->m->BITS[set.at])[w];
    } else {
        make_own(j);
        for (uint32_t i = 0; i < set.n; i++) {
            uint32_t rule = j->m->NUMBERS[set.at + i];
            j->own[rule / 64] |= UINT64_C(1) << (rule % 64);
        }
    }
    j->untouched = false;
}

static void join_except(struct joined *j, struct img_run set)
{
    if (set.n == 0)
        return;
    make_own(j);
    if (set.n == IMG_DENSE) {
        for (uint32_t w = 0; w < j->t->n_words / 2; w++)
            own_pairs(j->own)[w] &= ~pairs(&j->m->BITS[set.at])[w];
        return;
    }
    for (uint32_t i = 0; i < set.n; i++) {
        uint32_t rule = j->m->NUMBERS[set.at + i];
        j->own[rule / 64] &= ~(UINT64_C(1) << (rule % 64));
    }
}

/* All accepted first, then the exceptions: what is excepted stays out whatever else was met. */
static const uint64_t *join(const struct query *q, enum dim d, uint64_t *own)
{
    const struct image *m = &q->snap->img;
    const struct img_table *t = &m->TABLES[q->table];
    const struct img_dim *dim = &t->dim[d];
    struct joined j = {.m = m, .t = t, .bits = &m->BITS[dim->dont_care], .own = own, .untouched = true};
    struct tokens k;
    tokens_of(q, d, &k);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned r = 0; r < k.n_runs; r++) {
            for (uint32_t i = 0; i < k.run[r].n; i++) {
                if (k.run[r].v[i] >= dim->tokens.n)
                    continue;
                const struct img_token *token = &m->TOKENS[dim->tokens.at + k.run[r].v[i]];
                if (pass == 0)
                    join_accept(&j, token->accept);
                else
                    join_except(&j, token->except);
            }
        }
    }
    return j.bits;
}

/* ---- the first rule that matches ---- */

struct sets {
    const uint64_t *known[DIM_N + 1]; /* to be ANDed */
    unsigned n_known;
    enum dim open[DIM_N]; /* dimensions whose facts are missing */
    unsigned n_open;
};

static void step_trail(struct verdict *out, uint32_t rule, uint8_t match, uint64_t waits)
{
    unsigned at = out->n_trail < TRAIL_MAX ? out->n_trail++ : TRAIL_MAX - 1;
    out->trail[at] = (struct trail_step){rule, match, waits};
}

/* Facts that this rule waits for: 0 when it asks about none of the open dimensions. */
static uint64_t waits_of(const struct query *q, const struct sets *s, uint32_t rule)
{
    const struct image *m = &q->snap->img;
    uint64_t waits = 0;
    for (unsigned i = 0; i < s->n_open; i++) {
        const uint64_t *free_bits = &m->BITS[m->TABLES[q->table].dim[s->open[i]].free];
        if (!(free_bits[rule / 64] >> (rule % 64) & 1))
            waits |= dim_needs(s->open[i]) & ~q->f->known;
    }
    return waits;
}

static bool is_block(unsigned verb)
{
    return verb == VERB_BLOCK || verb == VERB_FORBID;
}

/* Goes through the rules of one word; true when one of them decides. */
static bool try_word(const struct query *q, const struct sets *s, uint32_t word, uint64_t bits,
                     struct found *found, struct verdict *out)
{
    uint32_t first = q->snap->img.TABLES[q->table].rules.at;
    for (; bits; bits &= bits - 1) {
        uint32_t rule = word * 64 + (uint32_t)__builtin_ctzll(bits);
        if (q->forbids_alone && q->snap->img.RULES[first + rule].verb != VERB_FORBID)
            continue;
        uint64_t waits = s->n_open ? waits_of(q, s, rule) : 0;
        if (out)
            step_trail(out, first + rule, waits ? 2 : 1, waits);
        found->waits |= waits;
        if (waits)
            found->may_allow |= !is_block(q->snap->img.RULES[first + rule].verb);
        if (!waits) {
            found->hit = true;
            found->rule = rule;
            return true;
        }
    }
    return false;
}

/* The AND of one block; false when nothing is left. */
static inline bool and_block(const struct sets *s, uint32_t word, uint64_t out[IMG_BLOCK_WORDS])
{
    const pair *p = pairs(s->known[0] + word);
    pair a = p[0], b = p[1], c = p[2], d = p[3];
    for (unsigned i = 1; i < s->n_known; i++) {
        p = pairs(s->known[i] + word);
        a &= p[0];
        b &= p[1];
        c &= p[2];
        d &= p[3];
    }
    pair any = a | b | c | d;
    if ((any[0] | any[1]) == 0)
        return false;
    pair *to = own_pairs(out);
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    return true;
}

static void first_match(const struct query *q, const struct sets *s, struct found *found, struct verdict *out)
{
    const struct img_table *t = &q->snap->img.TABLES[q->table];
    uint64_t left[IMG_BLOCK_WORDS];
    for (uint32_t w = 0; w < t->n_words; w += IMG_BLOCK_WORDS) {
        if (!and_block(s, w, left))
            continue;
        for (uint32_t i = 0; i < IMG_BLOCK_WORDS; i++) {
            if (left[i] && try_word(q, s, w + i, left[i], found, out))
                return;
        }
    }
}

/* First rule of the table that matches. Steps of the trail go to `out` where that is not NULL. */
static struct found ask(const struct query *q, struct verdict *out)
{
    const struct image *m = &q->snap->img;
    const struct img_table *t = &m->TABLES[q->table];
    uint64_t own[DIM_N][MOST_WORDS];
    struct sets s = {.n_known = 0};
    struct found found = {0};
    for (unsigned d = 0; d < DIM_N; d++) {
        if (!t->dim[d].asked)
            continue;
        if ((dim_needs(d) & ~q->f->known) == 0)
            s.known[s.n_known++] = join(q, d, own[d]);
        else if (q->closed)
            s.known[s.n_known++] = &m->BITS[t->dim[d].free];
        else
            s.open[s.n_open++] = d;
    }
    if (s.n_known == 0)
        s.known[s.n_known++] = &m->BITS[t->all];
    first_match(q, &s, &found, out);
    return found;
}

/* ---- verdicts ---- */

static enum verb verb_of(const struct query *q, const struct found *x)
{
    const struct image *m = &q->snap->img;
    return (enum verb)m->RULES[m->TABLES[q->table].rules.at + x->rule].verb;
}

static bool in_set(const struct image *m, struct img_run set, uint32_t rule)
{
    if (set.n == IMG_DENSE)
        return m->BITS[set.at + rule / 64] >> (rule % 64) & 1;
    for (uint32_t i = 0; i < set.n; i++) {
        if (m->NUMBERS[set.at + i] >= rule)
            return m->NUMBERS[set.at + i] == rule;
    }
    return false;
}

/* The category of the flow that the rule asked for. */
static uint16_t category_of(const struct query *q, uint32_t rule)
{
    const struct image *m = &q->snap->img;
    const struct img_dim *d = &m->TABLES[q->table].dim[DIM_CATEGORY];
    if (!d->asked || (m->BITS[d->dont_care + rule / 64] >> (rule % 64) & 1))
        return CATEGORY_NONE;
    for (unsigned i = 0; i < q->f->n_cats && i < FACTS_MAX_CATS; i++) {
        uint16_t c = q->f->cats[i];
        if (c < m->n_CATS && c < d->tokens.n && in_set(m, m->TOKENS[d->tokens.at + c].accept, rule))
            return c;
    }
    return CATEGORY_NONE;
}

static void by_rule(struct verdict *out, const struct query *q, const struct found *x, enum action action,
                    enum layer layer)
{
    out->action = action;
    out->layer = layer;
    out->why = WHY_RULE;
    out->rule = q->snap->img.TABLES[q->table].rules.at + x->rule;
    out->category = category_of(q, x->rule);
    out->forbid = verb_of(q, x) == VERB_FORBID;
}

static void no_rule(struct verdict *out, enum action action, enum layer layer, enum why why)
{
    out->action = action;
    out->layer = layer;
    out->why = why;
    out->rule = RULE_NONE;
    out->category = CATEGORY_NONE;
    out->forbid = false;
}

/* ---- grants ---- */

static enum grants_word granted(const struct query *q, struct grant *g)
{
    const struct image *m = &q->snap->img;
    uint32_t groups[GRANTS_GROUPS];
    size_t n = 0;
    struct tokens k = {.n_runs = 0};
    if (q->snap->grants.n == q->snap->grants.n_exempt)
        return GRANTS_NO;
    person_tokens(&k, m, q->f);
    for (unsigned r = 0; r < k.n_runs; r++) {
        for (uint32_t i = 0; i < k.run[r].n && n < GRANTS_GROUPS; i++)
            groups[n++] = k.run[r].v[i];
    }
    enum grants_word word = snapshot_grants(q->snap, q->f, groups, n, g);
    return word == GRANTS_OPEN && q->closed ? GRANTS_NO : word;
}

static void until(struct verdict *out, const struct grant *g)
{
    out->grant = g->id;
    if (g->until_s < out->valid_until)
        out->valid_until = g->until_s;
}

/* What `web` stops: does a grant lift it? They stand behind every `forbid`, also one that comes later than
 * the rule that stopped it, or is still open. */
static enum grants_word lifts(const struct query *q, const struct found *x, struct verdict *out)
{
    struct grant g;
    if (x->hit && verb_of(q, x) == VERB_FORBID)
        return GRANTS_NO;
    enum grants_word word = granted(q, &g);
    if (word == GRANTS_NO)
        return GRANTS_NO;
    struct query forbids = *q;
    forbids.forbids_alone = true;
    struct found f = ask(&forbids, NULL);
    if (f.hit)
        return GRANTS_NO;
    until(out, &g);
    out->waits_for = f.waits | (word == GRANTS_OPEN ? FACT_BIT(PATH) : 0);
    return out->waits_for ? GRANTS_OPEN : GRANTS_YES;
}

bool decide_forbids(const struct snapshot *snap, const struct facts *f, uint32_t *rule)
{
    struct query q = {.snap = snap, .f = f, .table = TABLE_WEB, .closed = true, .forbids_alone = true};
    struct found x = ask(&q, NULL);
    *rule = x.hit ? snap->img.TABLES[TABLE_WEB].rules.at + x.rule : RULE_NONE;
    return x.hit;
}

/* The word of `web` on what is known: true when it blocks for certain, that is when the first certain rule
 * (or the default) blocks and no open rule before it could allow. */
static bool web_blocks(const struct snapshot *snap, const struct facts *f, bool closed, struct verdict *out)
{
    struct query q = {.snap = snap, .f = f, .table = TABLE_WEB, .closed = closed};
    struct found x = ask(&q, out);
    bool blocks = !x.hit || is_block(verb_of(&q, &x));
    out->waits_for = x.waits;
    if (!blocks && !x.waits)
        by_rule(out, &q, &x, ACT_ALLOW, LAYER_WEB);
    if (!blocks || x.may_allow)
        return false;
    enum grants_word lifted = lifts(&q, &x, out);
    if (lifted == GRANTS_OPEN)
        return false;
    out->waits_for = 0;
    if (lifted == GRANTS_YES) {
        if (x.hit)
            by_rule(out, &q, &x, ACT_ALLOW, LAYER_WEB);
        else
            no_rule(out, ACT_ALLOW, LAYER_WEB, WHY_DEFAULT);
        out->why = WHY_GRANT;
        return false;
    }
    if (x.hit)
        by_rule(out, &q, &x, ACT_BLOCK, LAYER_WEB);
    else
        no_rule(out, ACT_BLOCK, LAYER_WEB, WHY_DEFAULT);
    return true;
}

/* exempt, inspect or block by `tls`. This is its only step: what is open does not match. */
static void tls_choice(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    struct query q = {.snap = snap, .f = f, .table = TABLE_TLS, .closed = true};
    struct found x = ask(&q, out);
    if (!x.hit) {
        no_rule(out, ACT_INSPECT, LAYER_TLS, WHY_DEFAULT);
        return;
    }
    enum verb v = verb_of(&q, &x);
    by_rule(out, &q, &x,
            v == VERB_EXEMPT    ? ACT_EXEMPT
            : v == VERB_INSPECT ? ACT_INSPECT
                                : ACT_BLOCK,
            LAYER_TLS);
}

static void forget(struct verdict *out)
{
    *out = (struct verdict){
        .rule = RULE_NONE, .grant = GRANT_NONE, .category = CATEGORY_NONE, .valid_until = INT64_MAX};
}

static void decide_connect(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    struct verdict last;
    if (web_blocks(snap, f, false, out))
        return;
    if ((f->known & FACT_BIT(TLS)) && !f->tls) {
        no_rule(out, ACT_INSPECT, LAYER_WEB, WHY_DEFAULT); /* plain HTTP: every request is asked about */
        return;
    }
    uint64_t waits = out->waits_for | (FACT_BIT(TLS) & ~f->known);
    tls_choice(snap, f, out);
    struct grant exempt;
    if (out->action == ACT_INSPECT && snap->zones[f->zone].ca_none) {
        no_rule(out, ACT_EXEMPT, LAYER_TLS, WHY_ZONE_NO_CA);
    } else if (out->action == ACT_INSPECT && snapshot_exempt(snap, f->zone, f->time_s, &exempt)) {
        no_rule(out, ACT_EXEMPT, LAYER_TLS, WHY_ZONE_NO_CA);
        until(out, &exempt);
    }
    out->waits_for = waits;
    if (out->action != ACT_EXEMPT)
        return;
    forget(&last);
    if (web_blocks(snap, f, true, &last))
        *out = last; /* no request will be seen: what only the request could lift stands */
    else
        out->waits_for &= FACT_BIT(TLS);
}

/* Each defect needs a rule that allows it. */
static void decide_certificate(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    no_rule(out, ACT_ALLOW, LAYER_TLS, WHY_DEFAULT);
    for (uint32_t d = 0; d < 32; d++) {
        if (!(f->defects >> d & 1))
            continue;
        struct query q = {.snap = snap, .f = f, .table = TABLE_CERT, .closed = true, .defect = d};
        struct found x = ask(&q, out);
        if (x.hit && verb_of(&q, &x) == VERB_ALLOW) {
            by_rule(out, &q, &x, ACT_ALLOW, LAYER_TLS);
            continue;
        }
        if (x.hit)
            by_rule(out, &q, &x, ACT_BLOCK, LAYER_TLS);
        else
            no_rule(out, ACT_BLOCK, LAYER_TLS, WHY_DEFECT);
        return;
    }
}

static bool is_client_zone(const struct snapshot *snap, const struct facts *f)
{
    return (f->known & FACT_BIT(SRC)) && f->zone < snap->img.n_ZONES && !snap->zones[f->zone].internet;
}

void decide(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    forget(out);
    if (!is_client_zone(snap, f))
        no_rule(out, ACT_BLOCK, LAYER_NONE, WHY_NO_ZONE);
    else if (f->step == STEP_CONNECT)
        decide_connect(snap, f, out);
    else if (f->step == STEP_CERTIFICATE)
        decide_certificate(snap, f, out);
    else
        (void)web_blocks(snap, f, true, out);
}

enum on_answer snapshot_on(const struct snapshot *s, enum on_event ev, const struct facts *f)
{
    static const struct facts nobody = {.zone = ZONE_NONE};
    struct query q = {.snap = s, .f = f ? f : &nobody, .table = TABLE_ON, .closed = true, .event = ev};
    struct found x = ask(&q, NULL);
    return x.hit ? (enum on_answer)s->img.RULES[s->img.TABLES[TABLE_ON].rules.at + x.rule].answer
                 : ANSWER_DEFAULT;
}
