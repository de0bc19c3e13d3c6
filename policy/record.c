/* Records as bytes and back; see record.h. Written and read in the same order by two short functions a
 * section, so that a difference between them shows at once in the round trip that the unit test does over
 * every field. The reader trusts nothing: lengths are checked against what is there, counts against their
 * caps, words against their enumerations. */
#include "policy/record.h"

#include <endian.h>

#include "gw/base/obj.h"

enum { TEXT_SHORT = 40, TEXT_MIDDLE = 128 };

/* Bits of the flags. */
enum {
    FLAG_EXPLICIT = 1,
    FLAG_TLS = 2,
    FLAG_DECRYPTED = 4,
    FLAG_ECH = 8,
    FLAG_UPLOAD = 16,
    FLAG_FORBID = 32,
    FLAG_OBSERVED = 64,
    FLAG_HASH = 128, /* the content's hash follows */
    FLAGS = 255
};

/* The longest of everything: fixed part, one-byte strings, path, hash, then the lists. */
_Static_assert(RECORD_FIXED + 12 * 256 + 2 + RECORD_PATH + 32 + FACTS_MAX_PATTERNS * (1 + RECORD_TEXT) +
                       8 * FACTS_MAX_CLICKED + 5 * VERDICT_MAX_MODS + 4 * VERDICT_MAX_LOGS +
                       FACTS_MAX_CATS * (8 + RECORD_LIST + RECORD_TEXT) +
                       FACTS_MAX_GROUPS * (3 + RECORD_TEXT) + 2 + 8 * FACTS_CAT_WORDS <=
                   RECORD_MAX,
               "a record of the largest size fits");

/* ---- writing ---- */

struct writer {
    uint8_t *p;
    size_t at;
};

static inline void put(struct writer *w, uint64_t v, size_t bytes)
{
    v = htole64(v);
    memcpy(w->p + w->at, &v, bytes);
    w->at += bytes;
}

static void put_raw(struct writer *w, const void *p, size_t n)
{
    memcpy(w->p + w->at, p, n);
    w->at += n;
}

/* One byte of length, at most `most` bytes. */
static void put_text(struct writer *w, span s, size_t most)
{
    size_t n = s.n < most ? s.n : most;
    put(w, n, 1);
    if (n)
        put_raw(w, s.p, n);
}

static unsigned flags_of(const struct record *r)
{
    static const uint8_t none[32];
    const struct facts *f = &r->facts;
    unsigned flags = 0;
    flags |= f->explicit_proxy ? FLAG_EXPLICIT : 0;
    flags |= f->tls ? FLAG_TLS : 0;
    flags |= f->decrypted ? FLAG_DECRYPTED : 0;
    flags |= f->ech ? FLAG_ECH : 0;
    flags |= f->upload ? FLAG_UPLOAD : 0;
    flags |= r->verdict.forbid ? FLAG_FORBID : 0;
    flags |= r->verdict.observed ? FLAG_OBSERVED : 0;
    flags |= memcmp(f->hash, none, sizeof none) != 0 ? FLAG_HASH : 0;
    return flags;
}

static void put_head(struct writer *w, const struct record *r)
{
    const struct verdict *v = &r->verdict;
    put(w, (uint64_t)r->node << RECORD_CODE_BITS | r->number, 8);
    put(w, RECORD_VERSION, 2);
    put(w, RECORD_FIXED, 2);
    put(w, r->facts.step, 1);
    put(w, v->action, 1);
    put(w, v->layer, 1);
    put(w, v->why, 1);
    put(w, (uint64_t)r->wall_us, 8);
    put(w, r->flow, 8);
    put_raw(w, r->snapshot, SNAP_HASH);
}

static void put_facts(struct writer *w, const struct record *r)
{
    const struct facts *f = &r->facts;
    put(w, f->known, 8);
    put(w, f->lost, 8);
    put(w, (uint64_t)f->time_s, 8);
    put(w, r->took_ns, 4);
    put(w, flags_of(r), 2);
    put(w, f->dst_port, 2);
    put(w, f->proto, 1);
    put(w, f->id_source, 1);
    put(w, f->src.family, 1);
    put(w, f->dst.family, 1);
    put(w, f->id_age_s, 4);
    put_raw(w, f->src.b, sizeof f->src.b);
    put_raw(w, f->dst.b, sizeof f->dst.b);
    put(w, f->zone, 2);
    put(w, f->app_confidence, 1);
    put(w, f->severity, 1);
    put(w, f->defects, 4);
    put(w, f->signature, 4);
    put(w, f->quota_used_s, 4);
    put(w, f->size, 8);
}

static void put_verdict(struct writer *w, const struct record *r)
{
    const struct verdict *v = &r->verdict;
    put(w, v->rule, 4);
    put(w, v->grant, 4);
    put(w, r->rule_key, 8);
    put(w, v->waits_for, 8);
    put(w, (uint64_t)v->valid_until, 8);
    put(w, v->category, 2);
    put(w, v->n_mods, 1);
    put(w, v->n_logs, 1);
    put(w, r->facts.n_cats, 1);
    put(w, r->facts.n_groups, 1);
    put(w, r->facts.n_clicked, 1);
    put(w, r->facts.n_patterns, 1);
}

static void put_texts(struct writer *w, const struct record *r)
{
    const struct facts *f = &r->facts;
    put_text(w, r->zone, RECORD_TEXT);
    put_text(w, r->rule, RECORD_TEXT);
    put_text(w, f->vpn, RECORD_TEXT);
    put_text(w, f->user, TEXT_SHORT);
    put_text(w, f->name, LIM_NAME_BYTES);
    put_text(w, f->ja4, TEXT_SHORT);
    put_text(w, f->app, RECORD_TEXT);
    put_text(w, f->method, TEXT_SHORT);
    put_text(w, f->type, RECORD_TEXT);
    put_text(w, f->virus, TEXT_MIDDLE);
    span path = span_cut(f->path, 0, RECORD_PATH);
    put(w, path.n, 2);
    if (path.n)
        put_raw(w, path.p, path.n);
    if (flags_of(r) & FLAG_HASH)
        put_raw(w, f->hash, sizeof f->hash);
}

static void put_lists(struct writer *w, const struct record *r)
{
    const struct facts *f = &r->facts;
    const struct verdict *v = &r->verdict;
    for (unsigned i = 0; i < f->n_patterns; i++)
        put_text(w, f->patterns[i], RECORD_TEXT);
    for (unsigned i = 0; i < f->n_clicked; i++)
        put(w, f->clicked[i], 8);
    for (unsigned i = 0; i < v->n_mods; i++) {
        put(w, v->mods[i].kind, 1);
        put(w, v->mods[i].rule, 4);
    }
    for (unsigned i = 0; i < v->n_logs; i++)
        put(w, v->logs[i], 4);
    for (unsigned i = 0; i < f->n_cats; i++) {
        put(w, f->cats[i], 2);
        put(w, r->hits[i].line, 4);
        put_text(w, r->hits[i].list, RECORD_LIST);
        put_text(w, r->hits[i].name, RECORD_TEXT);
    }
    for (unsigned i = 0; i < f->n_groups; i++) {
        put(w, f->groups[i], 2);
        put_text(w, r->groups[i], RECORD_TEXT);
    }
    put(w, f->may_used, 2);
    for (unsigned i = 0; i < FACTS_CAT_WORDS; i++) {
        if (f->may_used >> i & 1)
            put(w, f->may[i], 8);
    }
}

size_t record_encode(const struct record *r, uint8_t out[RECORD_MAX])
{
    struct writer w = {.p = out};
    gw_assert(r->facts.n_cats <= FACTS_MAX_CATS && r->facts.n_groups <= FACTS_MAX_GROUPS &&
              r->facts.n_clicked <= FACTS_MAX_CLICKED && r->facts.n_patterns <= FACTS_MAX_PATTERNS &&
              r->verdict.n_mods <= VERDICT_MAX_MODS && r->verdict.n_logs <= VERDICT_MAX_LOGS);
    put_head(&w, r);
    put_facts(&w, r);
    put_verdict(&w, r);
    gw_assert(w.at == RECORD_FIXED);
    put_texts(&w, r);
    put_lists(&w, r);
    gw_assert(w.at <= RECORD_MAX);
    return w.at;
}

void record_set_code(uint8_t bytes[RECORD_MAX], uint32_t node, uint64_t number)
{
    struct writer w = {.p = bytes};
    put(&w, (uint64_t)node << RECORD_CODE_BITS | number, 8);
}

/* ---- reading ---- */

struct reader {
    span s;
    size_t at;
    bool bad;
};

static inline const uint8_t *take(struct reader *r, size_t n)
{
    if (r->bad || r->s.n - r->at < n) {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    return r->s.p + r->at - n;
}

static inline uint64_t get(struct reader *r, size_t bytes)
{
    const uint8_t *p = take(r, bytes);
    uint64_t v = 0;
    if (p)
        memcpy(&v, p, bytes);
    return le64toh(v);
}

/* A number below `end`. */
static unsigned get_below(struct reader *r, size_t bytes, uint64_t end)
{
    uint64_t v = get(r, bytes);
    r->bad |= v >= end;
    return r->bad ? 0 : (unsigned)v;
}

static void get_raw(struct reader *r, void *out, size_t n)
{
    const uint8_t *p = take(r, n);
    if (p)
        memcpy(out, p, n);
}

static span get_span(struct reader *r, size_t n)
{
    const uint8_t *p = take(r, n);
    return p && n ? span_of(p, n) : SPAN_NONE;
}

static span get_text(struct reader *r, size_t most)
{
    return get_span(r, get_below(r, 1, most + 1));
}

/* Length of the fixed part; a later version's may be longer. */
static size_t get_head(struct reader *r, struct record *o, unsigned *version)
{
    uint64_t code = get(r, 8);
    o->node = (uint32_t)(code >> RECORD_CODE_BITS);
    o->number = code & ((UINT64_C(1) << RECORD_CODE_BITS) - 1);
    *version = get_below(r, 2, RECORD_VERSION + 1);
    r->bad |= *version == 0;
    size_t fixed = get(r, 2);
    r->bad |= fixed < RECORD_FIXED;
    o->facts.step = get_below(r, 1, STEP_N);
    o->verdict.action = get_below(r, 1, ACT_WARN + 1);
    o->verdict.layer = get_below(r, 1, LAYER_DNS + 1);
    o->verdict.why = get_below(r, 1, WHY_N);
    o->wall_us = (int64_t)get(r, 8);
    o->flow = get(r, 8);
    get_raw(r, o->snapshot, SNAP_HASH);
    return fixed;
}

static void take_flags(struct record *o, unsigned flags)
{
    o->facts.explicit_proxy = (flags & FLAG_EXPLICIT) != 0;
    o->facts.tls = (flags & FLAG_TLS) != 0;
    o->facts.decrypted = (flags & FLAG_DECRYPTED) != 0;
    o->facts.ech = (flags & FLAG_ECH) != 0;
    o->facts.upload = (flags & FLAG_UPLOAD) != 0;
    o->verdict.forbid = (flags & FLAG_FORBID) != 0;
    o->verdict.observed = (flags & FLAG_OBSERVED) != 0;
}

static bool is_family(unsigned family)
{
    return family == 0 || family == 4 || family == 6;
}

static unsigned get_facts(struct reader *r, struct record *o)
{
    struct facts *f = &o->facts;
    f->known = get(r, 8);
    f->lost = get(r, 8);
    f->time_s = (int64_t)get(r, 8);
    o->took_ns = (uint32_t)get(r, 4);
    unsigned flags = get_below(r, 2, FLAGS + 1);
    take_flags(o, flags);
    f->dst_port = (uint16_t)get(r, 2);
    f->proto = (uint8_t)get(r, 1);
    f->id_source = get_below(r, 1, ID_N);
    f->src.family = (uint8_t)get(r, 1);
    f->dst.family = (uint8_t)get(r, 1);
    r->bad |= !is_family(f->src.family) || !is_family(f->dst.family);
    f->id_age_s = (uint32_t)get(r, 4);
    get_raw(r, f->src.b, sizeof f->src.b);
    get_raw(r, f->dst.b, sizeof f->dst.b);
    f->zone = (uint16_t)get(r, 2);
    f->app_confidence = (uint8_t)get(r, 1);
    f->severity = (uint8_t)get(r, 1);
    f->defects = (uint32_t)get(r, 4);
    f->signature = (uint32_t)get(r, 4);
    f->quota_used_s = (uint32_t)get(r, 4);
    f->size = get(r, 8);
    return flags;
}

static void get_verdict(struct reader *r, struct record *o)
{
    struct verdict *v = &o->verdict;
    v->rule = (uint32_t)get(r, 4);
    v->grant = (uint32_t)get(r, 4);
    o->rule_key = get(r, 8);
    v->waits_for = get(r, 8);
    v->valid_until = (int64_t)get(r, 8);
    v->category = (uint16_t)get(r, 2);
    v->n_mods = (uint16_t)get_below(r, 1, VERDICT_MAX_MODS + 1);
    v->n_logs = (uint16_t)get_below(r, 1, VERDICT_MAX_LOGS + 1);
    v->n_trail = 0;
    o->facts.n_cats = (uint16_t)get_below(r, 1, FACTS_MAX_CATS + 1);
    o->facts.n_groups = (uint16_t)get_below(r, 1, FACTS_MAX_GROUPS + 1);
    o->facts.n_clicked = (uint16_t)get_below(r, 1, FACTS_MAX_CLICKED + 1);
    o->facts.n_patterns = (uint16_t)get_below(r, 1, FACTS_MAX_PATTERNS + 1);
}

static void get_texts(struct reader *r, struct record *o, unsigned flags)
{
    struct facts *f = &o->facts;
    o->zone = get_text(r, RECORD_TEXT);
    o->rule = get_text(r, RECORD_TEXT);
    f->vpn = get_text(r, RECORD_TEXT);
    f->user = get_text(r, TEXT_SHORT);
    f->name = get_text(r, LIM_NAME_BYTES);
    f->ja4 = get_text(r, TEXT_SHORT);
    f->app = get_text(r, RECORD_TEXT);
    f->method = get_text(r, TEXT_SHORT);
    f->type = get_text(r, RECORD_TEXT);
    f->virus = get_text(r, TEXT_MIDDLE);
    f->path = get_span(r, get_below(r, 2, RECORD_PATH + 1));
    memset(f->hash, 0, sizeof f->hash);
    if (flags & FLAG_HASH)
        get_raw(r, f->hash, sizeof f->hash);
}

static void get_may(struct reader *r, struct facts *f, unsigned version)
{
    f->may_used = version >= 2 ? (uint16_t)get(r, 2) : 0;
    for (unsigned i = 0; i < FACTS_CAT_WORDS; i++) {
        if (f->may_used >> i & 1)
            f->may[i] = get(r, 8);
    }
}

static void get_lists(struct reader *r, struct record *o)
{
    struct facts *f = &o->facts;
    struct verdict *v = &o->verdict;
    for (unsigned i = 0; i < f->n_patterns; i++)
        f->patterns[i] = get_text(r, RECORD_TEXT);
    for (unsigned i = 0; i < f->n_clicked; i++)
        f->clicked[i] = get(r, 8);
    for (unsigned i = 0; i < v->n_mods; i++) {
        v->mods[i].kind = get_below(r, 1, MOD_N);
        v->mods[i].rule = (uint32_t)get(r, 4);
        v->mods[i].value = SPAN_NONE;
    }
    for (unsigned i = 0; i < v->n_logs; i++)
        v->logs[i] = (uint32_t)get(r, 4);
    for (unsigned i = 0; i < f->n_cats; i++) {
        f->cats[i] = o->hits[i].category = (uint16_t)get(r, 2);
        o->hits[i].line = (uint32_t)get(r, 4);
        o->hits[i].list = get_text(r, RECORD_LIST);
        o->hits[i].name = get_text(r, RECORD_TEXT);
    }
    for (unsigned i = 0; i < f->n_groups; i++) {
        f->groups[i] = (uint16_t)get(r, 2);
        o->groups[i] = get_text(r, RECORD_TEXT);
    }
}

span record_name(span bytes)
{
    struct reader r = {.s = bytes};
    (void)take(&r, 10); /* code, version */
    (void)take(&r, get(&r, 2) - 12);
    for (unsigned before = 0; before < 4; before++) /* zone, rule, vpn, user */
        (void)take(&r, get(&r, 1));
    span name = get_text(&r, LIM_NAME_BYTES);
    return r.bad ? SPAN_NONE : name;
}

enum rc record_decode(span bytes, struct record *out)
{
    struct reader r = {.s = bytes};
    unsigned version = 0;
    size_t fixed = get_head(&r, out, &version);
    unsigned flags = get_facts(&r, out);
    get_verdict(&r, out);
    if (r.bad)
        return RC_BAD;
    (void)take(&r, fixed - r.at);
    get_texts(&r, out, flags);
    get_lists(&r, out);
    get_may(&r, &out->facts, version);
    out->facts.n_attrs = 0;
    out->facts.regroup = true;
    out->facts.granted = out->verdict.grant == GRANT_NONE ? 0 : out->verdict.grant;
    return r.bad || r.at != bytes.n ? RC_BAD : RC_OK;
}

/* ---- from a decision ---- */

static void fill_names(struct record *r, const struct snapshot *s)
{
    const struct set_zone *zone = snapshot_zone(s, r->facts.zone);
    r->zone = zone ? zone->name : SPAN_NONE;
    r->rule = SPAN_NONE;
    r->rule_key = 0;
    if (r->verdict.rule != RULE_NONE) {
        struct rule_info info = snapshot_rule(s, r->verdict.rule);
        r->rule = info.name.n ? info.name : info.text;
        r->rule_key = info.key;
    }
}

/* A record has no room for long paths: then the file's own name is what tells lists apart. */
static span list_told(span list)
{
    size_t at = list.n;
    while (list.n > RECORD_LIST && at > 0 && list.p[at - 1] != '/')
        at--;
    return list.n > RECORD_LIST ? span_cut(list, at, list.n) : list;
}

/* Of each category the first entry that says so; a name in none costs nothing. */
static void fill_hits(struct record *r, const struct snapshot *s, const struct facts *f)
{
    struct category_hit said[2 * FACTS_MAX_CATS];
    size_t n = f->n_cats ? snapshot_category_hits(s, f, said, N_ELEMS(said)) : 0;
    for (unsigned i = 0; i < r->facts.n_cats; i++) {
        uint16_t c = r->facts.cats[i];
        size_t k = 0;
        while (k < n && (said[k].category != c || said[k].except))
            k++;
        r->hits[i] = (struct record_hit){.category = c,
                                         .line = k < n ? said[k].line : 0,
                                         .list = k < n ? list_told(said[k].list) : SPAN_NONE,
                                         .name = snapshot_category_name(s, c)};
    }
}

/* In more groups than a record holds: then nobody can say later what it was decided on. */
static void fill_groups(struct record *r, const struct snapshot *s, const struct facts *f)
{
    unsigned n = record_groups(s, f, r->facts.groups, FACTS_MAX_GROUPS);
    if (n > FACTS_MAX_GROUPS) {
        r->facts.lost |= FACT_BIT(USER);
        r->facts.known &= ~FACT_BIT(USER);
        n = 0;
    }
    r->facts.n_groups = (uint16_t)n;
    for (unsigned i = 0; i < n; i++)
        r->groups[i] = snapshot_group_name(s, r->facts.groups[i]);
}

/* Whether a list has URLs of this host, so that its categories hang on the path. */
static bool lists_look(const struct snapshot *s, const struct facts *f)
{
    if (!snapshot_lists_urls(s))
        return false;
    struct facts without = *f;
    without.known &= ~FACT_BIT(PATH);
    snapshot_categories(s, &without);
    return without.may_used != 0;
}

void record_fill(struct record *r, const struct snapshot *s, const struct facts *f, const struct verdict *v,
                 span user)
{
    r->facts = *f;
    r->verdict = *v;
    memcpy(r->snapshot, snapshot_hash(s), SNAP_HASH);
    fill_groups(r, s, f);
    r->facts.user = user;
    r->facts.regroup = true;
    r->facts.granted = v->grant == GRANT_NONE ? 0 : v->grant;
    r->facts.n_attrs = 0;
    bool had_path = f->known & FACT_BIT(PATH);
    if (had_path && !(f->path.n <= RECORD_PATH && (snapshot_asks(s, FACT_PATH) || lists_look(s, f)))) {
        r->facts.known &= ~FACT_BIT(PATH);
        r->facts.lost |= FACT_BIT(PATH);
        r->facts.path = SPAN_NONE;
    }
    fill_names(r, s);
    fill_hits(r, s, f);
}
