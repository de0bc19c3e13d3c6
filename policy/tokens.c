/* Values of facts as tokens; see tokens.h. */
#include "policy/tokens.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/base/urlpath.h"
#include "policy/attr.h"

static void add_run(struct tokens *k, const struct image *m, struct img_run r)
{
    if (r.n && k->n_runs < TOKENS_RUNS) {
        k->run[k->n_runs].v = m->NUMBERS + r.at;
        k->run[k->n_runs++].n = r.n;
    }
}

static void add_list(struct tokens *k, const struct image *m, uint32_t list)
{
    if (list < m->n_LISTS)
        add_run(k, m, m->LISTS[list].numbers);
}

static void add_own(struct tokens *k, uint32_t token)
{
    if (k->n_own < TOKENS_OWN)
        k->own[k->n_own++] = token;
}

/* ---- places ---- */

static uint32_t zone_to(const struct image *m, const struct addr *dst)
{
    uint32_t zone = image_addr(m, MAP_ZONE, dst);
    return zone == UINT32_MAX ? m->set->internet_zone : zone;
}

static void place_tokens(struct tokens *k, const struct image *m, enum img_map map, const struct addr *a,
                         uint32_t zone)
{
    add_list(k, m, image_addr(m, map, a));
    if (zone < m->n_ZONES)
        add_own(k, zone);
}

static void port_tokens(struct tokens *k, const struct image *m, const struct facts *f)
{
    unsigned proto = f->proto ? f->proto : IMG_TCP;
    add_list(k, m, image_low(m, m->set->map_v4[MAP_PORT], img_port(proto, f->dst_port)));
}

/* ---- people ---- */

static bool is_stale(const struct image *m, uint32_t group, const struct facts *f)
{
    uint32_t most = m->GROUPS[group].stale_s;
    return most && f->id_age_s > most;
}

static bool has_own(const struct tokens *k, uint32_t token)
{
    for (unsigned i = 0; i < k->n_own; i++) {
        if (k->own[i] == token)
            return true;
    }
    return false;
}

/* A group that hangs on who the user is said to be; false when that is too old for it. */
static bool add_group(struct asking *a, struct tokens *k, uint32_t group)
{
    uint32_t most = a->m->GROUPS[group].stale_s;
    if (is_stale(a->m, group, a->f))
        return false;
    if (has_own(k, group))
        return true;
    if (most)
        asking_until(a, a->f->time_s + (int64_t)(most - a->f->id_age_s) + 1);
    add_own(k, group);
    return true;
}

/* A list of such groups; those without `stale` come first in it. Returns how many were dropped as stale. */
static unsigned add_groups(struct asking *a, struct tokens *k, struct img_run groups)
{
    const struct image *m = a->m;
    unsigned dropped = 0;
    uint32_t n = 0;
    while (n < groups.n && m->GROUPS[m->NUMBERS[groups.at + n]].stale_s == 0)
        n++;
    add_run(k, m, (struct img_run){groups.at, n});
    for (; n < groups.n; n++)
        dropped += !add_group(a, k, m->NUMBERS[groups.at + n]);
    return dropped;
}

/* The groups that a record names. */
static unsigned add_recorded(struct asking *a, struct tokens *k)
{
    unsigned dropped = 0;
    for (unsigned i = 0; i < a->f->n_groups && i < FACTS_MAX_GROUPS; i++) {
        if (a->f->groups[i] < a->m->n_GROUPS)
            dropped += !add_group(a, k, a->f->groups[i]);
    }
    return dropped;
}

static uint32_t find_plain(const struct image *m, span attr, uint32_t hash)
{
    struct img_run r = m->set->strings[STRINGS_ATTR];
    const struct img_bucket *b = &m->BUCKETS[r.at];
    for (uint32_t i = 0; i < r.n; i++) {
        const struct img_bucket *at = &b[(hash + i) & (r.n - 1)];
        if (at->key.n == 0)
            return UINT32_MAX;
        if (at->hash == hash && attr_is(image_bytes(m, at->key), attr))
            return at->value;
    }
    return UINT32_MAX;
}

static __attribute__((noinline)) uint32_t find_attr(const struct image *m, span attr)
{
    uint8_t norm[ATTR_MOST];
    span s = span_of(norm, attr_normalise(attr, norm));
    return s.n ? image_find(m, STRINGS_ATTR, s, attr_hash(s)) : UINT32_MAX;
}

static struct img_run attr_groups(const struct image *m, span attr)
{
    if (m->n_ATTRS == 0)
        return (struct img_run){0};
    uint64_t hash = attr_plain_hash(attr);
    uint32_t id = hash == ATTR_OTHER ? find_attr(m, attr) : find_plain(m, attr, (uint32_t)hash);
    return id < m->n_ATTRS ? m->ATTRS[id].numbers : (struct img_run){0};
}

static unsigned n_attrs(const struct facts *f)
{
    if (f->regroup)
        return 0;
    return f->n_attrs < FACTS_MAX_ATTRS ? f->n_attrs : FACTS_MAX_ATTRS;
}

/* Unidentified is who is in no group and has no name, or only one that is too old. */
static void person_tokens(struct asking *a, struct tokens *k)
{
    const struct image *m = a->m;
    const struct facts *f = a->f;
    uint32_t user = f->regroup ? UINT32_MAX : image_string(m, STRINGS_USER, f->user);
    uint32_t list = image_addr(m, MAP_GROUP, &f->src);
    unsigned dropped = f->regroup ? add_recorded(a, k) : 0;
    if (user < m->n_USERS)
        dropped += add_groups(a, k, m->USERS[user].groups);
    for (unsigned i = 0, n = n_attrs(f); i < n; i++)
        dropped += add_groups(a, k, attr_groups(m, f->attrs[i]));
    add_list(k, m, list);
    if (k->n_own == 0 && k->n_runs == 0 && (f->user.n == 0 || dropped))
        add_own(k, img_token_unidentified(m->n_GROUPS, m->n_USERS));
    if (user < m->n_USERS)
        add_own(k, m->n_GROUPS + user);
}

/* ---- names ---- */

static void category_tokens(struct tokens *k, const struct image *m, const struct facts *f)
{
    for (unsigned i = 0; i < f->n_cats && i < FACTS_MAX_CATS; i++)
        add_own(k, f->cats[i]);
    if (f->n_cats == 0)
        add_own(k, m->n_CATS);
}

static void add_string(struct tokens *k, const struct image *m, enum img_strings which, span s)
{
    uint32_t token = image_string(m, which, s);
    if (token != UINT32_MAX)
        add_own(k, token);
}

static void add_name(struct tokens *k, const struct image *m, span name, uint32_t hash)
{
    uint32_t token = image_find(m, STRINGS_DOMAIN, name, hash);
    if (token != UINT32_MAX)
        add_own(k, token);
}

/* The name and every parent of it, or the address as text. Few of them are named by rules: most end at an
 * empty bucket. */
static void domain_tokens(struct tokens *k, const struct image *m, const struct facts *f)
{
    char text[ADDR_TEXT];
    const struct img_run all = m->set->strings[STRINGS_DOMAIN];
    uint64_t h = IMG_HASH_START;
    span name = f->name;
    if (name.n == 0 && f->dst.family) {
        name = span_str(addr_text(&f->dst, text));
        add_name(k, m, name, image_hash_name(name));
        return;
    }
    for (size_t i = name.n, end = name.n; all.n && i-- > 0;) {
        if (i != 0 && name.p[i - 1] != '.')
            continue;
        h = image_hash_label(h, name, i, end);
        end = i - 1;
        uint32_t hash = image_hash_end(h);
        if (m->BUCKETS[all.at + (hash & (all.n - 1))].key.n)
            add_name(k, m, span_of(name.p + i, name.n - i), hash);
    }
}

/* The path and everything it is below; no rule names a longer one than path_most. */
static void below_tokens(struct tokens *k, const struct image *m, span path)
{
    uint64_t h = IMG_HASH_START;
    for (size_t i = 0; i < path.n && i < m->set->path_most; i++) {
        h = image_hash_byte(h, path.p[i]);
        if (i == 0 || (i + 1 < path.n && path.p[i + 1] != '/'))
            continue;
        uint32_t token = image_find(m, STRINGS_PATH, span_cut(path, 0, i + 1), image_hash_end(h));
        if (token != UINT32_MAX)
            add_own(k, token);
    }
}

static __attribute__((noinline)) void odd_path_tokens(struct tokens *k, const struct image *m, span path)
{
    uint8_t normal[LIM_TARGET_BYTES + 1];
    below_tokens(k, m, span_of(normal, urlpath_normalise(span_cut(path, 0, LIM_TARGET_BYTES), normal)));
}

/* In the one spelling that the origin, however it reads a path, may take it for; "/" is above all. */
static void path_tokens(struct tokens *k, const struct image *m, span path)
{
    add_string(k, m, STRINGS_PATH, SPAN("/"));
    if (m->set->path_most < 2)
        return;
    if (urlpath_is_plain(path))
        below_tokens(k, m, path);
    else
        odd_path_tokens(k, m, path);
}

static void pattern_tokens(struct tokens *k, const struct image *m, const struct facts *f)
{
    for (unsigned i = 0; i < f->n_patterns && i < FACTS_MAX_PATTERNS; i++)
        add_string(k, m, STRINGS_PATTERN, f->patterns[i]);
}

/* ---- time ---- */

static bool has_number(const struct image *m, struct img_run r, uint32_t v)
{
    for (uint32_t i = 0; i < r.n; i++) {
        if (m->NUMBERS[r.at + i] == v)
            return true;
    }
    return false;
}

static void add_schedules(struct tokens *k, const struct image *m, uint32_t list, uint32_t except)
{
    if (except >= m->n_LISTS) {
        add_list(k, m, list);
        return;
    }
    struct img_run on = list < m->n_LISTS ? m->LISTS[list].numbers : (struct img_run){0};
    for (uint32_t i = 0; i < on.n; i++) {
        uint32_t schedule = m->NUMBERS[on.at + i];
        if (!has_number(m, m->LISTS[except].numbers, schedule))
            add_own(k, schedule);
    }
}

static void schedule_tokens(struct tokens *k, const struct image *m, int64_t t)
{
    for (uint32_t z = 0; z < m->n_TZONES; z++) {
        struct schedule_lists l = schedule_lists(m, z, t);
        add_schedules(k, m, l.weekly, l.except);
        add_schedules(k, m, l.dated, l.except);
    }
}

const struct schedule_state *asking_schedule(struct asking *a, uint32_t schedule)
{
    uint64_t bit = UINT64_C(1) << (schedule % 64), *made = &a->schedule_made[schedule / 64];
    if (!(*made & bit)) {
        *made |= bit;
        a->schedule[schedule] = schedule_state(a->m, schedule, a->f->time_s);
    }
    return &a->schedule[schedule];
}

/* ---- all of them ---- */

static void fill(struct asking *a, enum dim d, struct tokens *k)
{
    const struct image *m = a->m;
    const struct facts *f = a->f;
    switch (d) {
    case DIM_CATEGORY: category_tokens(k, m, f); break;
    case DIM_FOR: person_tokens(a, k); break;
    case DIM_DOMAIN: domain_tokens(k, m, f); break;
    case DIM_FROM: place_tokens(k, m, MAP_FROM, &f->src, a->zone); break;
    case DIM_TO: place_tokens(k, m, MAP_TO, &f->dst, zone_to(m, &f->dst)); break;
    case DIM_PORT: port_tokens(k, m, f); break;
    case DIM_SCHEDULE: schedule_tokens(k, m, f->time_s); break;
    case DIM_METHOD: add_string(k, m, STRINGS_METHOD, f->method); break;
    case DIM_UPLOAD: add_own(k, f->upload ? 0 : UINT32_MAX); break;
    case DIM_PATH: path_tokens(k, m, f->path); break;
    case DIM_TYPE: add_string(k, m, STRINGS_TYPE, f->type); break;
    case DIM_SIGNATURE: add_own(k, f->severity ? f->severity : UINT32_MAX); break;
    case DIM_VIRUS: add_own(k, f->virus.n ? 0 : UINT32_MAX); break;
    case DIM_PATTERN: pattern_tokens(k, m, f); break;
    case DIM_APPLICATION: add_string(k, m, STRINGS_APP, f->app); break;
    case DIM_DEFECT: add_own(k, a->defect); break;
    case DIM_EVENT: add_own(k, a->event); break;
    default: break;
    }
}

static uint64_t seen_of(const struct tokens *k)
{
    uint64_t seen = 0;
    for (unsigned r = 0; r < k->n_runs; r++) {
        for (uint32_t i = 0; i < k->run[r].n; i++)
            seen |= img_seen(k->run[r].v[i]);
    }
    return seen;
}

const struct tokens *tokens_make(struct asking *a, enum dim d)
{
    gw_assert(d < DIM_N);
    struct tokens *k = &a->tok[d];
    k->n_runs = k->n_own = 0;
    fill(a, d, k);
    if (k->n_own) {
        gw_assert(k->n_runs < TOKENS_RUNS);
        k->run[k->n_runs].v = k->own;
        k->run[k->n_runs++].n = k->n_own;
    }
    k->seen = seen_of(k);
    if (d != DIM_DEFECT) /* another one at the next question */
        a->made |= UINT32_C(1) << d;
    return k;
}

/* Lines of the cache that every decision reads, on their way before it comes to them. */
static void fetch(const struct facts *f)
{
    __builtin_prefetch(&f->vpn);
    __builtin_prefetch(&f->name);
    __builtin_prefetch(&f->n_attrs);
    __builtin_prefetch(&f->attrs[0]);
    __builtin_prefetch(&f->attrs[4]);
}

void asking_start(struct asking *a, const struct snapshot *snap, const struct facts *f)
{
    fetch(f);
    a->snap = snap;
    a->m = &snap->img;
    a->f = f;
    a->defect = a->event = UINT32_MAX;
    a->made = 0;
    a->next = INT64_MAX;
    memset(a->schedule_made, 0, sizeof a->schedule_made);
    a->zone = f->zone;
    __builtin_prefetch(f->name.p);
    if (f->vpn.n) /* a tunnel that leads to no zone is nowhere, whatever its addresses are */
        a->zone = image_string(a->m, STRINGS_VPN, f->vpn);
}

/* ---- groups, for who asks why ---- */

unsigned snapshot_groups_of(const struct snapshot *s, const struct facts *f, struct group_hit *out,
                            unsigned most)
{
    const struct image *m = &s->img;
    uint32_t user = f->regroup ? UINT32_MAX : image_string(m, STRINGS_USER, f->user),
             list = image_addr(m, MAP_GROUP, &f->src);
    unsigned n = 0;
    for (unsigned i = 0; i < n_attrs(f) + 2; i++) {
        bool by_user = i == n_attrs(f), by_net = i == n_attrs(f) + 1;
        struct img_run none = {0};
        struct img_run r = by_user  ? (user < m->n_USERS ? m->USERS[user].groups : none)
                           : by_net ? (list < m->n_LISTS ? m->LISTS[list].numbers : none)
                                    : attr_groups(m, f->attrs[i]);
        for (uint32_t k = 0; k < r.n; k++) {
            uint32_t group = m->NUMBERS[r.at + k];
            if (group >= m->n_GROUPS)
                continue;
            if (n < most)
                out[n] =
                    (struct group_hit){group,
                                       by_user  ? GROUP_BY_USER
                                       : by_net ? GROUP_BY_NETWORK
                                                : GROUP_BY_ATTR,
                                       by_user || by_net ? 0 : (uint16_t)i, !by_net && is_stale(m, group, f)};
            n++;
        }
    }
    return n;
}
