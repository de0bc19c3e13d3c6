/* The model's answers; see model.h. */
#include "tests/unit/policy/model_words.h"

#include <time.h>

#include "gw/base/obj.h"

/* What must be known before the noun can be asked. */
static const uint64_t NEEDS[NOUNS] = {
    FACT_BIT(NAME), FACT_BIT(USER),      FACT_BIT(NAME),   FACT_BIT(SRC),     FACT_BIT(DST),
    FACT_BIT(PORT), FACT_BIT(METHOD),    FACT_BIT(METHOD), FACT_BIT(PATH),    0,
    FACT_BIT(TYPE), FACT_BIT(SIGNATURE), FACT_BIT(VIRUS),  FACT_BIT(PATTERN), FACT_BIT(APP)};

/* ---- time ---- */

enum { TABLE_MIN = 12 * 1440 };
static bool on[4][TABLE_MIN];

/* The hours of HEAD's schedules, from a clock on the wall. */
static bool on_the_wall(unsigned s, const struct tm *t)
{
    unsigned min = (unsigned)(t->tm_hour * 60 + t->tm_min);
    bool sat = t->tm_wday == 6, sun = t->tm_wday == 0, mon = t->tm_wday == 1;
    switch (s) {
    case 0:
        return !sat && !sun && !(t->tm_mon == 2 && t->tm_mday == 29) &&
               ((min >= 495 && min < 720) || (min >= 780 && min < 990));
    case 1: return ((sat || sun) && min >= 1320) || ((sun || mon) && min < 180);
    case 2: return t->tm_mon == 2 && t->tm_mday == 28 && min >= 90 && min < 210;
    default: return min >= 120 && min < 840;
    }
}

static void fill_times(void)
{
    static bool filled;
    for (unsigned s = 0; s < 4 && !filled; s++) {
        assert_int_equal(setenv("TZ", s == 3 ? "America/New_York" : "Europe/Brussels", 1), 0);
        tzset();
        for (unsigned i = 0; i < TABLE_MIN; i++) {
            time_t at = TIME_FIRST + (time_t)i * 60;
            struct tm t;
            assert_non_null(localtime_r(&at, &t));
            on[s][i] = on_the_wall(s, &t);
        }
    }
    filled = true;
}

static bool in_schedule(unsigned s, int64_t at)
{
    fill_times();
    assert_true(at >= TIME_FIRST && at < TIME_FIRST + TABLE_MIN * 60);
    return on[s][(at - TIME_FIRST) / 60];
}

bool model_turns(const struct model *m, const struct facts *f, int64_t at)
{
    (void)m;
    if (at >= TIME_FIRST + TABLE_MIN * 60)
        return true;
    for (unsigned s = 0; s < 4; s++) {
        if (in_schedule(s, at) != in_schedule(s, at - 1))
            return true;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (at == DATES[i].since || at == DATES[i].until)
            return true;
    }
    return at - f->time_s == 3601 - (int64_t)f->id_age_s || at - f->time_s == 3600 - (int64_t)f->quota_used_s;
}

/* ---- matching ---- */

static bool below(span name, const char *parent)
{
    size_t n = strlen(parent);
    return span_has_suffix(name, span_str(parent)) && (name.n == n || name.p[name.n - n - 1] == '.');
}

static bool in_net(const struct addr *a, const char *text)
{
    struct prefix p;
    assert_true(prefix_parse(span_str(text), &p));
    return a->family && prefix_has(&p, a);
}

static bool is_user(const struct facts *f, const char *name)
{
    return span_eq(f->user, span_str(name));
}

static bool has_attr(const struct facts *f, const char *a, const char *b)
{
    for (unsigned i = 0; i < f->n_attrs; i++) {
        if (span_eq(f->attrs[i], span_str(a)) || span_eq(f->attrs[i], span_str(b)))
            return true;
    }
    return false;
}

static bool met_person(unsigned v, const struct facts *f)
{
    bool fresh = f->id_age_s <= 3600;
    bool eleve = has_attr(f, "radius:class=eleve", "RADIUS:Class = ELEVE");
    bool staff = has_attr(f, "ldap:CN=Staff , DC=test", "-") || is_user(f, "u2") || is_user(f, "u0");
    bool g[4] = {is_user(f, "u0") || is_user(f, "u1"), is_user(f, "u1") || in_net(&f->src, "10.64.0.0/12"),
                 eleve && fresh, staff && fresh};
    bool any = g[0] || g[1] || g[2] || g[3];
    if (v < 4)
        return g[v];
    if (v < 6)
        return is_user(f, v == 4 ? "u0" : "u3");
    return !any && (f->user.n == 0 || ((eleve || staff) && !fresh));
}

static unsigned zone_of(const struct facts *f)
{
    return f->vpn.n == 0 ? f->zone : span_eq(f->vpn, SPAN("site")) ? 3 : ZONE_NONE;
}

static bool met_place(unsigned noun, unsigned v, const struct facts *f)
{
    if (noun == FROM)
        return v < 3 ? zone_of(f) == v + 1 : in_net(&f->src, VALUES[FROM][v] + 8);
    bool lan = in_net(&f->dst, "10.0.0.0/8") || in_net(&f->dst, "fd00::/8");
    bool guests = in_net(&f->dst, "172.16.0.0/12");
    return v == 0 ? lan : v == 1 ? !lan && !guests : in_net(&f->dst, VALUES[TO][v] + 8);
}

static bool met_port(unsigned v, const struct facts *f)
{
    static const uint16_t ports[][2] = {{443, 443}, {1, 1000}, {400, 500}, {8443, 8443}, {53, 53}, {1, 60}};
    if (v == 6)
        return f->proto == 1 || f->proto == 58;
    bool right = v < 4 ? f->proto == 6 || f->proto == 0 : f->proto == 17;
    return right && f->dst_port >= ports[v][0] && f->dst_port <= ports[v][1];
}

static bool met_path(unsigned v, span path);

/* The one spelling of the odd paths that are drawn. */
static span spelt(span path)
{
    static const char *const odd[][2] = {
        {"/a//b", "/a/b"}, {"/A/%62/", "/a/b"}, {"/x/..//a;k/b", "/a/b"}, {"/a/../%2561b", "/ab"}};
    for (size_t i = 0; i < N_ELEMS(odd); i++)
        path = span_eq(path, span_str(odd[i][0])) ? span_str(odd[i][1]) : path;
    return path;
}

/* Whether a list of the category has a URL of this name; with the path, whether it is this one. */
static bool has_url(unsigned lists, unsigned category, span name, const span *path)
{
    span one = path ? spelt(*path) : SPAN_NONE;
    for (unsigned i = 0; i < N_URLS && lists != LISTS_NONE; i++) {
        size_t k = strlen(URLS[i].path);
        if (URLS[i].category == category && below(name, URLS[i].host) &&
            (!path || (span_has_prefix(one, span_str(URLS[i].path)) && (one.n == k || one.p[k] == '/'))))
            return true;
    }
    if (lists != LISTS_EXPRESSIONS || category != 0)
        return false;
    return !path || span_eq(one, SPAN("/a/bc/d"));
}

static bool in_by_name(unsigned category, const struct facts *f)
{
    bool b = below(f->name, "b.example");
    return category == 0   ? below(f->name, "example")
           : category == 1 ? b || below(f->name, "other.test")
                           : b && !below(f->name, "a.b.example");
}

/* Whether the host is in the category: certain, or may be so by a path that is not known. */
static int in_category(unsigned lists, unsigned category, const struct facts *f)
{
    bool path = f->known & FACT_BIT(PATH), out = category == 2 && below(f->name, "a.b.example");
    if (in_by_name(category, f))
        return YES;
    if (out || !has_url(lists, category, f->name, path ? &f->path : NULL))
        return NO;
    return path ? YES : OPEN;
}

/* The same for a value of a condition, the last one of which is `none`. */
static int met_category(unsigned lists, unsigned v, const struct facts *f)
{
    int in[3] = {in_category(lists, 0, f), in_category(lists, 1, f), in_category(lists, 2, f)};
    if (v < 3)
        return in[v];
    if (in[0] == YES || in[1] == YES || in[2] == YES)
        return NO;
    return in[0] == OPEN || in[1] == OPEN || in[2] == OPEN ? OPEN : YES;
}

static bool met_name(unsigned v, const struct facts *f)
{
    static const char *const names[] = {"example", "b.example", "a.b.example", "other.test"};
    return v < 4 ? below(f->name, names[v]) : f->name.n == 0 && in_net(&f->dst, "198.51.100.7");
}

static bool met_path(unsigned v, span path)
{
    static const char *const heads[] = {"/", "/a", "/a/b", "/ab"};
    size_t n = strlen(heads[v]);
    path = spelt(path);
    return v == 0 || (span_has_prefix(path, span_str(heads[v])) && (path.n == n || path.p[n] == '/'));
}

static bool met_pattern(unsigned v, const struct facts *f)
{
    for (unsigned i = 0; i < f->n_patterns; i++) {
        if (span_eq(f->patterns[i], span_str(VALUES[PATTERN][v])))
            return true;
    }
    return false;
}

static bool met(unsigned noun, unsigned v, const struct facts *f)
{
    switch (noun) {
    case DOMAIN: return met_name(v, f);
    case FOR: return met_person(v, f);
    case FROM:
    case TO: return met_place(noun, v, f);
    case PORT: return met_port(v, f);
    case METHOD: return span_eq(f->method, span_str(VALUES[METHOD][v]));
    case UPLOAD: return f->upload;
    case PATH: return met_path(v, f->path);
    case DURING: return in_schedule(v, f->time_s);
    case TYPE: return span_eq(f->type, span_str(VALUES[TYPE][v]));
    case SIGNATURE: return v == 0 ? f->severity == 1 : f->severity == 2 || f->severity == 3;
    case VIRUS: return f->virus.n > 0;
    case PATTERN: return met_pattern(v, f);
    default: return span_eq(f->app, v ? SPAN("bittorrent") : SPAN("tor"));
    }
}

static bool any_met(unsigned noun, unsigned set, const struct facts *f)
{
    for (unsigned v = 0; set >> v; v++) {
        if ((set >> v & 1) && met(noun, v, f))
            return true;
    }
    return false;
}

/* The best that any value of the set comes to. */
static int any_category(unsigned lists, unsigned set, const struct facts *f)
{
    int best = NO;
    for (unsigned v = 0; set >> v; v++) {
        int one = set >> v & 1 ? met_category(lists, v, f) : NO;
        best = best == YES || one == YES ? YES : best == OPEN || one == OPEN ? OPEN : NO;
    }
    return best;
}

/* Where no path will come, or none is asked about, the name alone counts. */
static int match_category(unsigned lists, const struct mrule *r, const struct facts *f, uint64_t hope)
{
    if (!(f->known & FACT_BIT(PATH)) && !(hope & FACT_BIT(PATH)))
        lists = LISTS_NONE;
    int want = r->want[CATEGORY] ? any_category(lists, r->want[CATEGORY], f) : YES;
    int except = any_category(lists, r->except[CATEGORY], f);
    if (except == YES || want == NO)
        return NO;
    return want == OPEN || except == OPEN ? OPEN : YES;
}

static int match(const struct model *m, const struct mrule *r, const struct facts *f, uint64_t hope,
                 uint64_t *waits)
{
    *waits = 0;
    if (f->time_s < r->since || f->time_s >= r->until)
        return NO;
    if (r->delegated && ((f->known & FACT_BIT(SRC)) == 0 || zone_of(f) != 1))
        return NO;
    bool who_known = f->known & FACT_BIT(USER);
    if (r->delegated && who_known && !met_person(1, f))
        return NO;
    if (r->delegated && !who_known)
        *waits |= FACT_BIT(USER);
    for (unsigned noun = 0; noun < NOUNS; noun++) {
        if (!r->want[noun] && !r->except[noun])
            continue;
        if (NEEDS[noun] & ~f->known)
            *waits |= NEEDS[noun];
        else if (noun == CATEGORY) {
            int in = match_category(m->lists, r, f, hope);
            if (in == NO)
                return NO;
            *waits |= in == OPEN ? FACT_BIT(PATH) : 0;
        } else if ((r->want[noun] && !any_met(noun, r->want[noun], f)) || any_met(noun, r->except[noun], f))
            return NO;
    }
    if (*waits & ~hope)
        return NO;
    return *waits ? OPEN : YES;
}

int model_match(const struct model *m, const struct mrule *r, const struct facts *f, uint64_t *waits)
{
    return match(m, r, f, ~UINT64_C(0), waits);
}

/* ---- deciding ---- */

struct answer {
    int rule; /* -1: none */
    uint64_t waits;
    bool main_lifts, lead_lifts; /* an open rule before it that does not block */
};

static bool blocks(const struct mrule *r)
{
    return r->verb == BLOCK || r->verb == FORBID;
}

static struct answer first(const struct model *m, const struct mtable *t, unsigned from, bool forbids,
                           const struct facts *f, uint64_t hope)
{
    struct answer a = {.rule = -1};
    for (unsigned i = from; i < t->n && a.rule < 0; i++) {
        const struct mrule *r = &t->rule[i];
        uint64_t waits;
        int is = forbids && r->verb != FORBID ? NO : match(m, r, f, hope, &waits);
        if (is == YES)
            a.rule = (int)i;
        if (is != OPEN)
            continue;
        a.waits |= waits;
        a.lead_lifts |= !blocks(r) && r->delegated;
        a.main_lifts |= !blocks(r) && !r->delegated;
    }
    return a;
}

static void by(struct outcome *o, const struct facts *f, const struct mtable *t, int rule, enum action action,
               enum why why)
{
    o->action = action;
    o->why = rule < 0 ? why : WHY_RULE;
    o->rule = rule < 0 ? RULE_NONE : t->first + (uint32_t)rule;
    o->forbid = rule >= 0 && t->rule[rule].verb == FORBID;
    o->observed = rule >= 0 && t->rule[rule].observe_until > f->time_s;
}

static bool clicked(const struct model *m, const struct facts *f, int rule)
{
    uint64_t key = snapshot_rule(m->snap, m->web.first + (uint32_t)rule).key;
    for (unsigned i = 0; i < f->n_clicked; i++) {
        if (f->clicked[i] == key)
            return true;
    }
    return false;
}

/* Whose word counts where a delegated file's rule came first. */
static void ask_main(const struct model *m, const struct facts *f, uint64_t hope, struct answer *a)
{
    unsigned verb = a->rule >= 0 && (unsigned)a->rule < m->lead ? m->web.rule[a->rule].verb : BLOCK;
    struct answer b;
    if (verb == ALLOW) {
        b = first(m, &m->web, m->lead, true, f, hope);
        a->waits |= b.waits;
        if (b.rule >= 0)
            a->rule = b.rule;
    } else if (verb == WARN) {
        b = first(m, &m->web, m->lead, false, f, hope);
        a->waits |= b.waits;
        bool stops = b.rule < 0 || blocks(&m->web.rule[b.rule]);
        bool warns = !stops && m->web.rule[b.rule].verb == WARN && !clicked(m, f, b.rule);
        if (stops || warns) {
            a->rule = b.rule;
            a->main_lifts |= b.main_lifts;
        }
    }
}

static bool web_blocks(const struct model *m, const struct facts *f, uint64_t hope, struct outcome *o)
{
    struct answer a = first(m, &m->web, 0, false, f, hope);
    ask_main(m, f, hope, &a);
    const struct mrule *r = a.rule < 0 ? NULL : &m->web.rule[a.rule];
    bool lifted = r && r->verb == WARN && clicked(m, f, a.rule);
    bool warns = r && r->verb == WARN && !lifted, page = f->step == STEP_REQUEST;
    bool stops = !r || blocks(r) || (warns && !hope && !page);
    bool may_be_lifted = a.main_lifts || (a.lead_lifts && (!r || r->verb != FORBID));
    if (stops && !may_be_lifted) {
        by(o, f, &m->web, a.rule, ACT_BLOCK, WHY_DEFAULT);
        o->waits = 0;
        return true;
    }
    o->waits |= a.waits;
    if (!stops && !a.waits)
        by(o, f, &m->web, a.rule, warns && page ? ACT_WARN : ACT_ALLOW, WHY_RULE);
    if (lifted && !stops && !a.waits)
        o->why = WHY_CLICKED;
    return false;
}

static bool firewall_blocks(const struct model *m, const struct facts *f, struct outcome *o)
{
    if (!m->has_firewall)
        return false;
    struct answer a =
        first(m, &m->firewall, 0, false, f, f->step == STEP_CONNECT ? ~UINT64_C(0) : FACT_BIT(DST));
    bool stops = a.rule < 0 || blocks(&m->firewall.rule[a.rule]);
    if (stops && !a.main_lifts) {
        by(o, f, &m->firewall, a.rule, ACT_BLOCK, WHY_DEFAULT);
        return true;
    }
    by(o, f, &m->firewall, stops ? -1 : a.rule, ACT_ALLOW, WHY_RULE);
    o->waits = a.waits;
    return false;
}

static void connect_tls(const struct model *m, const struct facts *f, uint64_t late, struct outcome *o)
{
    struct answer t = first(m, &m->tls, 0, false, f, 0);
    unsigned verb = t.rule < 0 ? INSPECT : m->tls.rule[t.rule].verb;
    by(o, f, &m->tls, t.rule,
       verb == EXEMPT    ? ACT_EXEMPT
       : verb == INSPECT ? ACT_INSPECT
                         : ACT_BLOCK,
       WHY_DEFAULT);
    if (o->action == ACT_INSPECT && zone_of(f) == 2)
        by(o, f, &m->tls, -1, ACT_EXEMPT, WHY_ZONE_NO_CA);
    if (o->action == ACT_EXEMPT) {
        struct outcome closed = {.rule = RULE_NONE};
        o->waits = 0;
        if (web_blocks(m, f, 0, &closed)) {
            *o = closed;
            return;
        }
    }
    o->waits |= late;
}

static void decide_step(const struct model *m, const struct facts *f, struct outcome *o)
{
    if (f->step == STEP_CONTENT) {
        struct answer a = first(m, &m->content, 0, false, f, ~UINT64_C(0));
        bool stops = a.rule >= 0 && blocks(&m->content.rule[a.rule]);
        if (stops && !a.main_lifts) {
            by(o, f, &m->content, a.rule, ACT_BLOCK, WHY_RULE);
            return;
        }
        by(o, f, &m->content, stops || a.waits ? -1 : a.rule, ACT_ALLOW, WHY_DEFAULT);
        o->waits = a.waits;
        return;
    }
    if (firewall_blocks(m, f, o))
        return;
    if (f->proto != 0 && f->proto != 6) {
        if (o->rule == RULE_NONE)
            o->why = WHY_DEFAULT;
        return;
    }
    uint64_t late = o->waits;
    if (f->step == STEP_REQUEST) {
        (void)web_blocks(m, f, 0, o);
        return;
    }
    o->waits = 0;
    if (web_blocks(m, f, ~UINT64_C(0), o))
        return;
    if (f->tls) {
        connect_tls(m, f, late, o);
    } else {
        by(o, f, &m->tls, -1, ACT_INSPECT, WHY_DEFAULT);
        o->waits |= late;
    }
}

/* ---- what never decides ---- */

static void add_mods(const struct model *m, const struct facts *f, struct outcome *o)
{
    static const unsigned slots[N_MODS] = {0, 1, 2, 3, 3, 4};
    unsigned taken = 0;
    int quota = -1;
    for (unsigned i = 0; i < m->set.n; i++) {
        const struct mrule *r = &m->set.rule[i];
        uint64_t waits;
        if (match(m, r, f, 0, &waits) != YES)
            continue;
        for (unsigned k = 0; k < N_MODS; k++) {
            if (!(r->mods >> k & 1) || (taken >> slots[k] & 1))
                continue;
            taken |= B(slots[k]);
            quota = k == MOD_OF_QUOTA ? (int)i : quota;
            o->mods[o->n_mods++] = m->set.first + i;
        }
    }
    if (quota >= 0 && (f->known & FACT_BIT(QUOTA)) && f->quota_used_s >= 3600) {
        by(o, f, &m->set, quota, ACT_BLOCK, WHY_RULE);
        o->n_mods = 0;
    }
}

static void add_logs(const struct model *m, const struct facts *f, unsigned of, struct outcome *o)
{
    for (unsigned i = 0; i < m->log.n && o->n_logs < VERDICT_MAX_LOGS; i++) {
        uint64_t waits;
        if ((of & B(m->log.rule[i].block)) && match(m, &m->log.rule[i], f, 0, &waits) == YES)
            o->logs[o->n_logs++] = m->log.first + i;
    }
}

static void add_observed(const struct model *m, const struct facts *f, struct outcome *o)
{
    for (unsigned i = 0; i < m->observe.n; i++) {
        uint64_t waits;
        o->observed |= match(m, &m->observe.rule[i], f, 0, &waits) == YES;
    }
}

static bool from_nowhere(const struct facts *f, struct outcome *o)
{
    *o = (struct outcome){.action = ACT_BLOCK, .why = WHY_NO_ZONE, .rule = RULE_NONE};
    return zone_of(f) == ZONE_NONE || zone_of(f) == 0;
}

struct outcome model_decide(const struct model *m, const struct facts *f)
{
    struct outcome o;
    if (from_nowhere(f, &o))
        return o;
    o = (struct outcome){.action = ACT_ALLOW, .rule = RULE_NONE};
    decide_step(m, f, &o);
    if (f->step == STEP_REQUEST && o.action == ACT_ALLOW)
        add_mods(m, f, &o);
    unsigned of = f->step == STEP_CONTENT   ? B(IN_CONTENT)
                  : f->step == STEP_REQUEST ? B(IN_WEB)
                                            : B(IN_FIREWALL) | (o.action == ACT_INSPECT ? 0 : B(IN_WEB));
    add_logs(m, f, of, &o);
    add_observed(m, f, &o);
    return o;
}

struct outcome model_dns(const struct model *m, const struct facts *f)
{
    struct outcome o;
    if (from_nowhere(f, &o))
        return o;
    o = (struct outcome){.action = ACT_ALLOW, .rule = RULE_NONE};
    struct answer a = first(m, &m->dns, 0, false, f, 0);
    by(&o, f, &m->dns, a.rule, a.rule >= 0 && blocks(&m->dns.rule[a.rule]) ? ACT_BLOCK : ACT_ALLOW,
       WHY_DEFAULT);
    add_logs(m, f, B(IN_DNS), &o);
    add_observed(m, f, &o);
    return o;
}
