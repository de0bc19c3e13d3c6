/* Checks a policy part once, so that decide() can read it without a further check: every offset, index, order
 * and padding bit. Work is bounded by the size of the part. Also the look-ups in it. See image.h. */
#include "policy/image.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "policy/words.h"

/* ---- checks ---- */

enum { MOST_OFFSET_S = 7 * 86400 };

static bool run_ok(struct img_run r, uint64_t n)
{
    return r.at <= n && r.n <= n - r.at;
}

static bool texts_ok(const struct image *m, const struct img_run *runs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!run_ok(runs[i], m->n_BYTES))
            return false;
    }
    return true;
}

static bool addr_ok(const struct img_addr *a, bool none_too)
{
    return (a->family == 4 && a->bits <= 32) || (a->family == 6 && a->bits <= 128) ||
           (none_too && a->family == 0);
}

static bool settings_ok(const struct image *m)
{
    const struct img_settings *s = m->set;
    const struct img_run texts[] = {s->trust, s->crl, s->telephone, s->mail, s->node, s->time_zone};
    if (s->n_listen > N_ELEMS(s->listen) || s->n_resolvers > N_ELEMS(s->resolver) ||
        s->n_ports > N_ELEMS(s->port) || s->pool > POOL_NONE || s->workers > LIM_WORKERS ||
        !texts_ok(m, texts, N_ELEMS(texts)))
        return false;
    for (unsigned i = 0; i < s->n_listen; i++) {
        if (s->listen[i].kind > LISTEN_EXPLICIT || !addr_ok(&s->listen[i].addr, true))
            return false;
    }
    for (unsigned i = 0; i < s->n_resolvers; i++) {
        if (!addr_ok(&s->resolver[i], false))
            return false;
    }
    if (s->forwarded > SET_FORWARDED_ADD || s->n_open > N_ELEMS(s->open) ||
        s->n_management > N_ELEMS(s->management))
        return false;
    for (unsigned i = 0; i < s->n_open; i++) {
        if (!addr_ok(&s->open[i], false))
            return false;
    }
    for (unsigned i = 0; i < s->n_management; i++) {
        if (!addr_ok(&s->management[i], false))
            return false;
    }
    return (s->internet_zone == UINT32_MAX || s->internet_zone < m->n_ZONES) && s->n_categories == m->n_CATS;
}

static bool zones_ok(const struct image *m)
{
    if (m->n_ZONES >= ZONE_NONE || m->n_CATS > IMG_CATEGORIES)
        return false;
    for (uint32_t i = 0; i < m->n_ZONES; i++) {
        const struct img_zone *z = &m->ZONES[i];
        if (!texts_ok(m, (struct img_run[]){z->name, z->interface}, 2) || !run_ok(z->vpn, m->n_BYTES) ||
            !run_ok(z->networks, m->n_NETWORKS) || z->networks.n > UINT16_MAX)
            return false;
    }
    for (uint32_t i = 0; i < m->n_NETWORKS; i++) {
        if (!addr_ok(&m->NETWORKS[i], false))
            return false;
    }
    for (uint32_t i = 0; i < m->n_GROUPS; i++) {
        if (!run_ok(m->GROUPS[i].name, m->n_BYTES))
            return false;
    }
    return texts_ok(m, m->CATS, m->n_CATS);
}

/* Numbers of groups: they are looked up in GROUPS. */
static bool groups_ok(const struct image *m, struct img_run r, uint64_t *budget)
{
    if (!run_ok(r, m->n_NUMBERS) || r.n > *budget)
        return false;
    *budget -= r.n;
    for (uint32_t i = 0; i < r.n; i++) {
        if (m->NUMBERS[r.at + i] >= m->n_GROUPS)
            return false;
    }
    return true;
}

static bool users_ok(const struct image *m)
{
    uint64_t budget = m->n_NUMBERS;
    for (uint32_t i = 0; i < m->n_USERS; i++) {
        if (!run_ok(m->USERS[i].name, m->n_BYTES) || !groups_ok(m, m->USERS[i].groups, &budget))
            return false;
    }
    for (uint32_t i = 0; i < m->n_ATTRS; i++) {
        if (!groups_ok(m, m->ATTRS[i].numbers, &budget))
            return false;
    }
    for (uint32_t i = 0; i < m->n_LISTS; i++) {
        if (!run_ok(m->LISTS[i].numbers, m->n_NUMBERS))
            return false;
    }
    return true;
}

/* Categories of lists, and of names. */
static bool categories_ok(const struct image *m)
{
    for (uint32_t i = 0; i < m->n_LISTCATS; i++) {
        struct img_run r = m->LISTCATS[i];
        if (!run_ok(r, m->n_NUMBERS))
            return false;
        for (uint32_t k = 0; k < r.n; k++) {
            if (m->NUMBERS[r.at + k] >= m->n_CATS)
                return false;
        }
    }
    for (uint32_t i = 0; i < m->n_NAMECATS; i++) {
        struct img_run r = m->NAMECATS[i];
        if (!run_ok(r, m->n_NUMBERS) || r.n % IMG_NAMED != 0)
            return false;
        for (const uint32_t *n = m->NUMBERS + r.at; n < m->NUMBERS + r.at + r.n; n += IMG_NAMED) {
            if (n[0] >= m->n_CATS || !run_ok((struct img_run){n[3], n[4]}, m->n_BYTES))
                return false;
        }
    }
    return true;
}

static bool ranges_ok(const struct image *m, struct img_run r, uint32_t n_values)
{
    if (!run_ok(r, m->n_RANGES))
        return false;
    for (uint32_t i = r.at; i < r.at + r.n; i++) {
        const struct img_range *a = &m->RANGES[i], *b = a + 1;
        if (a->value != UINT32_MAX && a->value >= n_values)
            return false;
        if (i + 1 < r.at + r.n && (a->hi > b->hi || (a->hi == b->hi && a->lo >= b->lo)))
            return false;
    }
    return true;
}

static bool maps_ok(const struct image *m)
{
    for (unsigned i = 0; i < MAP_N; i++) {
        uint32_t n = i == MAP_ZONE ? m->n_ZONES : i == MAP_USER ? m->n_USERS : m->n_LISTS;
        if (!ranges_ok(m, m->set->map_v4[i], n) || !ranges_ok(m, m->set->map_v6[i], n))
            return false;
    }
    for (unsigned i = 0; i < STRINGS_N; i++) {
        struct img_run r = m->set->strings[i];
        if (!run_ok(r, m->n_BUCKETS) || (r.n & (r.n - 1)) != 0)
            return false;
    }
    for (uint32_t i = 0; i < m->n_BUCKETS; i++) {
        if (!run_ok(m->BUCKETS[i].key, m->n_BYTES))
            return false;
    }
    return true;
}

/* ---- time ---- */

static bool shifts_ok(const struct image *m, struct img_run r)
{
    if (!run_ok(r, m->n_SHIFTS) || r.n == 0)
        return false;
    for (uint32_t i = r.at; i < r.at + r.n; i++) {
        const struct img_shift *s = &m->SHIFTS[i];
        if (s->offset_s < -MOST_OFFSET_S || s->offset_s > MOST_OFFSET_S || (i > r.at && s->at <= s[-1].at))
            return false;
    }
    return true;
}

static bool slot_ok(const struct img_slot *s)
{
    if (s->weekly)
        return s->from >= 0 && s->from < WEEK_MIN && s->to > s->from && s->to <= 2 * WEEK_MIN;
    return s->from >= -(int64_t)IMG_MINUTE_BIAS && s->to > s->from && s->to <= (int64_t)IMG_MINUTE_BIAS;
}

/* Numbers in these lists are schedules of this part. */
static bool times_ok(const struct image *m)
{
    if (m->n_SCHEDULES > LIM_POLICY_SCHEDULES || m->n_TZONES > LIM_POLICY_TIME_ZONES ||
        !shifts_ok(m, m->set->shifts))
        return false;
    for (uint32_t i = 0; i < m->n_TZONES; i++) {
        const struct img_tzone *z = &m->TZONES[i];
        if (!run_ok(z->name, m->n_BYTES) || !shifts_ok(m, z->shifts) ||
            !ranges_ok(m, z->weekly, m->n_LISTS) || !ranges_ok(m, z->dated, m->n_LISTS) ||
            !ranges_ok(m, z->except, m->n_LISTS))
            return false;
    }
    for (uint32_t i = 0; i < m->n_SCHEDULES; i++) {
        const struct img_schedule *s = &m->SCHEDULES[i];
        if (!run_ok(s->name, m->n_BYTES) || !run_ok(s->slots, m->n_SLOTS) || s->tzone >= m->n_TZONES)
            return false;
    }
    for (uint32_t i = 0; i < m->n_SLOTS; i++) {
        if (!slot_ok(&m->SLOTS[i]))
            return false;
    }
    return true;
}

/* ---- rules ---- */

static bool rule_ok(const struct image *m, const struct img_rule *r)
{
    const struct img_run texts[] = {r->text,   r->shown, r->name,   r->file,
                                    r->reason, r->owner, r->ticket, r->purpose};
    if (!texts_ok(m, texts, N_ELEMS(texts)) || !run_ok(r->mods, m->n_MODS) ||
        !run_ok(r->schedules, m->n_NUMBERS) || r->schedules.n > LIM_POLICY_SCHEDULES || r->verb > VERB_N ||
        r->table > TABLE_N || r->answer >= ANSWER_N)
        return false;
    for (uint32_t i = 0; i < r->schedules.n; i++) {
        if (m->NUMBERS[r->schedules.at + i] >= m->n_SCHEDULES)
            return false;
    }
    return true;
}

static bool rules_ok(const struct image *m)
{
    for (uint32_t i = 0; i < m->n_RULES; i++) {
        if (!rule_ok(m, &m->RULES[i]))
            return false;
    }
    for (uint32_t i = 0; i < m->n_MODS; i++) {
        if (!run_ok(m->MODS[i].value, m->n_BYTES) || m->MODS[i].kind >= MOD_N)
            return false;
    }
    return true;
}

/* Bits of word `w` of a set that stand for no rule. */
static uint64_t behind_last(const struct img_table *t, uint32_t w)
{
    uint32_t rules = t->rules.n;
    return w < rules / 64 ? 0 : w > rules / 64 ? ~UINT64_C(0) : ~UINT64_C(0) << (rules % 64);
}

/* A bit set that starts at word `at`: inside BITS, nothing set behind the last rule. */
static bool bits_ok(const struct image *m, const struct img_table *t, uint32_t at)
{
    if (!run_ok((struct img_run){at, t->n_words}, m->n_BITS))
        return false;
    for (uint32_t w = t->rules.n / 64; w < t->n_words; w++) {
        if (m->BITS[at + w] & behind_last(t, w))
            return false;
    }
    return true;
}

/* What all sets, tokens and anchors may hold together, so that overlapping ones cost no more than the part is
 * long. */
struct budget {
    uint64_t numbers, tokens, anchors, clauses;
};

/* A set of rules, as bits or as an ascending list. `budget` bounds all lists together. */
static bool set_ok(const struct image *m, const struct img_table *t, struct img_run set, uint64_t *budget)
{
    if (set.n == IMG_DENSE)
        return bits_ok(m, t, set.at);
    if (!run_ok(set, m->n_NUMBERS) || set.n > *budget)
        return false;
    *budget -= set.n;
    for (uint32_t i = 0; i < set.n; i++) {
        uint32_t rule = m->NUMBERS[set.at + i];
        if (rule >= t->rules.n || (i && rule <= m->NUMBERS[set.at + i - 1]))
            return false;
    }
    return true;
}

/* What one rule asks: numbers from `at` on. `budget` bounds all clauses together. */
static bool clauses_ok(const struct image *m, const struct img_table *t, uint64_t at, uint64_t *budget)
{
    if (at >= m->n_NUMBERS)
        return false;
    for (uint32_t left = m->NUMBERS[at++] >> IMG_ASKS_SHIFT; left; left--) {
        if (at >= m->n_NUMBERS || *budget == 0)
            return false;
        uint32_t head = m->NUMBERS[at++];
        if (!(t->asked >> (head & IMG_CLAUSE_DIM) & 1))
            return false;
        at += head >> IMG_CLAUSE_SHIFT;
        --*budget;
    }
    return at <= m->n_NUMBERS;
}

/* Anchored rules of the table, ascending. */
static bool anchors_ok(const struct image *m, const struct img_table *t, struct img_run set, struct budget *b)
{
    if (!run_ok(set, m->n_ANCHORS) || set.n > b->anchors)
        return false;
    b->anchors -= set.n;
    for (uint32_t i = set.at; i < set.at + set.n; i++) {
        const struct img_anchor *a = &m->ANCHORS[i];
        if (a->rule >= t->rules.n || (i > set.at && a->rule <= a[-1].rule) ||
            a->also >> IMG_ALSO_SHIFT > DIM_N || !clauses_ok(m, t, a->asks, &b->clauses))
            return false;
    }
    return true;
}

static bool loose_ok(const struct image *m, const struct img_table *t, struct budget *b)
{
    return !t->anchored ||
           (!img_is_small(t->rules.n) && !(t->anchored & ~t->asked) && anchors_ok(m, t, t->loose, b));
}

static bool token_ok(const struct image *m, const struct img_table *t, const struct img_token *k,
                     struct budget *b)
{
    if (img_is_small(t->rules.n))
        return !((k->accept_bits | k->except_bits) & behind_last(t, 0));
    return set_ok(m, t, k->accept, &b->numbers) && set_ok(m, t, k->except, &b->numbers) &&
           anchors_ok(m, t, k->anchors, b);
}

static bool dim_ok(const struct image *m, const struct img_table *t, unsigned dim, struct budget *b)
{
    const struct img_dim *d = &t->dim[dim];
    if (!(t->asked >> dim & 1))
        return d->tokens.n == 0;
    if (t->n_words == 0 || !bits_ok(m, t, d->dont_care) || !bits_ok(m, t, d->free) ||
        !run_ok(d->tokens, m->n_TOKENS) || d->tokens.n > b->tokens)
        return false;
    b->tokens -= d->tokens.n;
    for (uint32_t i = 0; i < d->tokens.n; i++) {
        if (!token_ok(m, t, &m->TOKENS[d->tokens.at + i], b))
            return false;
    }
    return !img_is_small(t->rules.n) || d->dont_care_word == m->BITS[d->dont_care];
}

static bool table_ok(const struct image *m, const struct img_table *t, uint32_t first)
{
    return t->rules.at == first && run_ok(t->rules, m->n_RULES) && t->rules.n <= LIM_POLICY_RULES &&
           t->n_words == img_words(t->rules.n) && bits_ok(m, t, t->all) && bits_ok(m, t, t->forbids) &&
           bits_ok(m, t, t->timed) &&
           (!img_is_small(t->rules.n) || !t->n_words || t->timed_word == m->BITS[t->timed]) &&
           t->lead <= t->rules.n && t->asked < UINT32_C(1) << DIM_N;
}

static bool tables_ok(const struct image *m)
{
    struct budget budget = {m->n_NUMBERS, m->n_TOKENS, m->n_ANCHORS, (uint64_t)DIM_N * 2 * m->n_ANCHORS};
    uint32_t rules = 0;
    if (m->n_TABLES != TABLE_N)
        return false;
    for (unsigned i = 0; i < TABLE_N; i++) {
        const struct img_table *t = &m->TABLES[i];
        if (!table_ok(m, t, rules) || !loose_ok(m, t, &budget))
            return false;
        rules += t->rules.n;
        for (unsigned d = 0; d < DIM_N; d++) {
            if (!dim_ok(m, t, d, &budget))
                return false;
        }
    }
    return true;
}

/* Start of section `s`, or NULL. */
static const void *section_at(span part, const struct img_head *h, unsigned s, size_t record, uint32_t *n)
{
    uint64_t off = h->section[s].off, count = h->section[s].n;
    if (off % 8 != 0 || off > part.n || count > (part.n - off) / record || count > UINT32_MAX / 2)
        return NULL;
    *n = (uint32_t)count;
    return part.p + off;
}

enum rc image_open(span part, struct image *out)
{
    struct img_head h;
    if (part.n < sizeof h || part.n > LIM_POLICY_PART_BYTES || (uintptr_t)part.p % 8 != 0)
        return RC_BAD;
    memcpy(&h, part.p, sizeof h);
    if (h.magic != IMG_MAGIC || h.version != IMG_VERSION || h.n_sections != SECT_N || h.size != part.n)
        return RC_BAD;
    *out = (struct image){0};
#define S(id, type)                                                        \
    out->id = section_at(part, &h, SECT_##id, sizeof(type), &out->n_##id); \
    if (!out->id)                                                          \
        return RC_BAD;
#include "policy/section.tbl"
#undef S
    if (out->n_SETTINGS != 1)
        return RC_BAD;
    out->set = out->SETTINGS;
    bool ok = settings_ok(out) && zones_ok(out) && users_ok(out) && categories_ok(out) && maps_ok(out) &&
              times_ok(out) && rules_ok(out) && tables_ok(out);
    return ok ? RC_OK : RC_BAD;
}

/* ---- look-ups ---- */

/* Halving without a branch on the key: which half it is in cannot be foretold, and to guess wrong costs more
 * than all the rest. */
uint32_t image_range(const struct image *m, struct img_run map, uint64_t hi, uint64_t lo)
{
    const struct img_range *r = &m->RANGES[map.at];
    const unsigned __int128 key = (unsigned __int128)hi << 64 | lo;
    uint32_t n = map.n;
    if (n == 0)
        return UINT32_MAX;
    while (n > 1) {
        uint32_t half = n / 2;
        const struct img_range *up = r + half;
        r = ((unsigned __int128)up->hi << 64 | up->lo) <= key ? up : r;
        n -= half;
    }
    return ((unsigned __int128)r->hi << 64 | r->lo) <= key ? r->value : UINT32_MAX;
}

uint32_t image_low(const struct image *m, struct img_run map, uint64_t lo)
{
    const struct img_range *r = &m->RANGES[map.at];
    uint32_t n = map.n;
    if (n == 0)
        return UINT32_MAX;
    while (n > 1) {
        uint32_t half = n / 2;
        r = r[half].lo <= lo ? r + half : r;
        n -= half;
    }
    return r->lo <= lo ? r->value : UINT32_MAX;
}

static uint64_t load_be(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

uint32_t image_addr(const struct image *m, enum img_map map, const struct addr *a)
{
    if (a->family == 4)
        return image_low(m, m->set->map_v4[map], load_be(a->b, 4));
    if (a->family == 6)
        return image_range(m, m->set->map_v6[map], load_be(a->b, 8), load_be(a->b + 8, 8));
    return UINT32_MAX;
}

uint32_t image_hash(span key)
{
    uint64_t h = IMG_HASH_START;
    for (size_t i = key.n; i-- > 0;)
        h = image_hash_byte(h, key.p[i]);
    return image_hash_end(h);
}

uint32_t image_hash_name(span name)
{
    uint64_t h = IMG_HASH_START;
    for (size_t i = name.n, end = name.n; i-- > 0;) {
        if (i != 0 && name.p[i - 1] != '.')
            continue;
        h = image_hash_label(h, name, i, end);
        end = i - 1;
    }
    return image_hash_end(h);
}

uint32_t image_hash_forward(span key)
{
    uint64_t h = IMG_HASH_START;
    for (size_t i = 0; i < key.n; i++)
        h = image_hash_byte(h, key.p[i]);
    return image_hash_end(h);
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

bool image_accepts(const struct image *m, const struct img_table *t, const struct img_token *token,
                   uint32_t rule)
{
    return img_is_small(t->rules.n) ? token->accept_bits >> rule & 1 : in_set(m, token->accept, rule);
}

bool image_excepts(const struct image *m, const struct img_table *t, const struct img_token *token,
                   uint32_t rule)
{
    return img_is_small(t->rules.n) ? token->except_bits >> rule & 1 : in_set(m, token->except, rule);
}

uint32_t image_find(const struct image *m, enum img_strings which, span key, uint32_t hash)
{
    struct img_run r = m->set->strings[which];
    const struct img_bucket *b = &m->BUCKETS[r.at];
    for (uint32_t i = 0; i < r.n; i++) {
        const struct img_bucket *at = &b[(hash + i) & (r.n - 1)];
        if (at->key.n == 0)
            return UINT32_MAX;
        if (at->hash == hash && at->key.n == key.n && memcmp(m->BYTES + at->key.at, key.p, key.n) == 0)
            return at->value;
    }
    return UINT32_MAX;
}

uint32_t image_string(const struct image *m, enum img_strings which, span key)
{
    return key.n ? image_find(m, which, key, image_hash(key)) : UINT32_MAX;
}
