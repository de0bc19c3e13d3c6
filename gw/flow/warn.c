/* A warning and the click that goes past it. Nothing is kept for it here: the page's button carries an offer,
 * the click gets a pass as a cookie of the warned host (click.h), and every request brings its passes along.
 * The cookie and the path of the click are ours alone: neither ever reaches an origin. */
#include "gw/flow/flow.h"

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/click.h"
#include "gw/http/cookie.h"
#include "gw/portal/page.h"

#define COOKIE SPAN("perron-warn")
#define OURS   SPAN("/.perron/") /* reserved on every host */

/* ---- who clicks where ---- */

static bool who_is_it(struct txn *t, struct click_who *who)
{
    const struct flow *f = t->f;
    char ip[ADDR_TEXT];
    if (f->zone == ZONE_NONE)
        return false;
    *who = (struct click_who){
        .zone = snapshot_zone(f->snap, f->zone)->name, .user = f->user, .addr = f->src, .host = t->host};
    if (who->host.n == 0 && t->ip.family)
        who->host = arena_dup(&t->arena, span_str(addr_text(&t->ip, ip)));
    return who->host.n > 0;
}

/* ---- passes ---- */

static void keep_pass(struct txn *t, const struct click *c)
{
    for (unsigned i = 0; i < t->n_clicked; i++) {
        if (t->clicked[i] == c->rule_key)
            return;
    }
    if (t->n_clicked < FACTS_MAX_CLICKED)
        t->clicked[t->n_clicked++] = c->rule_key;
}

/* The value of our cookie holds passes with dots between them; a look at a few of them has its price, so no
 * more are looked at than could count. Those that hold are copied to `out` where that is not NULL. */
static void read_passes(struct txn *t, span value, struct buf *out)
{
    struct click_who who;
    unsigned looked = 0;
    if (!who_is_it(t, &who))
        return;
    while (value.n > 0 && looked++ < FACTS_MAX_CLICKED) {
        struct click c;
        size_t dot = span_find(value, '.', 0);
        span one = span_cut(value, 0, dot);
        value = dot == SIZE_MAX ? SPAN_NONE : span_cut(value, dot + 1, value.n);
        if (!click_check(&t->f->e->clicks, CLICK_PASS, &who, one, clock_wall_s(), &c))
            continue;
        keep_pass(t, &c);
        if (out && (buf_put_u8(out, '.') != RC_OK || buf_put(out, one) != RC_OK))
            return;
    }
}

static void read_cookies(struct txn *t, const struct msg *m, struct buf *out)
{
    t->n_clicked = 0;
    for (size_t i = 0; i < m->n_fields; i++) {
        span left = m->fields[i].value, name, value;
        if (!span_ieq(m->fields[i].name, SPAN("cookie")))
            continue;
        while (cookie_next(&left, &name, &value)) {
            if (span_eq(name, COOKIE)) {
                read_passes(t, value, out);
                return;
            }
        }
    }
}

void warn_read(struct txn *t, const struct msg *m)
{
    read_cookies(t, m, NULL);
}

bool warn_strip(struct txn *t, struct msg *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n_fields; i++) {
        struct field *one = &m->fields[i];
        bool ours = span_ieq(one->name, SPAN("cookie")) && cookie_has(one->value, COOKIE);
        if (ours) {
            uint8_t *to = arena_alloc(&t->arena, one->value.n);
            if (!to)
                return false;
            one->value = span_of(to, cookie_without(one->value, COOKIE, to));
        }
        if (!ours || one->value.n > 0)
            m->fields[kept++] = *one;
    }
    m->n_fields = (uint16_t)kept;
    return true;
}

/* ---- the page ---- */

static bool is_visible(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x21 || s.p[i] > 0x7e)
            return false;
    }
    return true;
}

void warn_remember(struct txn *t, const struct msg *m)
{
    size_t n = m->path.n + (m->has_query ? m->query.n + 1 : 0);
    uint8_t *to = n > 0 && n <= LIM_CLICK_TARGET_BYTES ? arena_alloc(&t->arena, n) : NULL;
    if (!to)
        return;
    memcpy(to, m->path.p, m->path.n);
    if (m->has_query) {
        to[m->path.n] = '?';
        if (m->query.n)
            memcpy(to + m->path.n + 1, m->query.p, m->query.n);
    }
    t->target = span_of(to, n);
}

void warn_offer(struct txn *t, struct page *p)
{
    const struct engine *e = t->f->e;
    struct click_who who;
    char text[CLICK_TEXT + 1];
    struct click c = {.rule = t->verdict.rule, .until_s = clock_wall_s() + LIM_CLICK_OFFER_S};
    c.rule_key = t->verdict.rule == RULE_NONE ? 0 : snapshot_rule(t->snap, t->verdict.rule).key;
    if (c.rule_key == 0 || !who_is_it(t, &who) || !click_sign(&e->clicks, CLICK_OFFER, &who, &c, text))
        return; /* a page without a button: there is nothing that a click could lift */
    p->click_token = arena_dup(&t->arena, span_str(text));
    p->click_to = t->target.n ? t->target : t->path;
    p->click_minutes = LIM_CLICK_S / 60;
    p->resend = !span_eq(t->method, SPAN("GET")) && !span_eq(t->method, SPAN("HEAD"));
    if (p->click_to.n > LIM_CLICK_TARGET_BYTES || !is_visible(p->click_to))
        p->click_to = SPAN("/");
}

/* ---- the click ---- */

static int hex_of(uint8_t c)
{
    uint8_t l = ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* A value of a form, decoded into the exchange's arena; SPAN_NONE: not there, or no memory. */
static span form_value(struct txn *t, span query, span name)
{
    while (query.n > 0) {
        size_t end = span_find(query, '&', 0);
        span pair = span_cut(query, 0, end);
        query = end == SIZE_MAX ? SPAN_NONE : span_cut(query, end + 1, query.n);
        size_t eq = span_find(pair, '=', 0), n = 0;
        if (eq == SIZE_MAX || !span_eq(span_cut(pair, 0, eq), name))
            continue;
        span v = span_cut(pair, eq + 1, pair.n);
        uint8_t *out = arena_alloc(&t->arena, v.n + 1);
        for (size_t i = 0; out && i < v.n; i++) {
            bool coded = v.p[i] == '%' && i + 2 < v.n && hex_of(v.p[i + 1]) >= 0 && hex_of(v.p[i + 2]) >= 0;
            out[n++] = coded           ? (uint8_t)(hex_of(v.p[i + 1]) << 4 | hex_of(v.p[i + 2]))
                       : v.p[i] == '+' ? ' '
                                       : v.p[i];
            i += coded ? 2 : 0;
        }
        return out ? span_of(out, n) : SPAN_NONE;
    }
    return SPAN_NONE;
}

/* Always to the host that was clicked on, whatever the link says: only a path is taken from it. */
static enum rc put_location(const struct txn *t, struct buf *out, const struct click_who *who, span to)
{
    const struct flow *f = t->f;
    bool literal = t->host.n == 0 && t->ip.family == 6;
    bool usual = t->port == (f->tls ? 443 : 80);
    TRY(buf_put_str(out, f->tls ? "https://" : "http://"));
    TRY(buf_put_str(out, literal ? "[" : ""));
    TRY(buf_put(out, who->host));
    TRY(buf_put_str(out, literal ? "]" : ""));
    if (!usual)
        TRY(buf_printf(out, ":%u", (unsigned)t->port));
    if (to.n == 0 || to.p[0] != '/' || to.n > LIM_CLICK_TARGET_BYTES || !is_visible(to))
        to = SPAN("/");
    return buf_put(out, to);
}

static enum rc put_passes(struct txn *t, const struct msg *m, struct buf *out, const char *fresh)
{
    TRY(buf_printf(out, "\r\nSet-Cookie: perron-warn=%s", fresh));
    read_cookies(t, m, out); /* the ones it has for other rules stay; with all four places taken the fifth is
                                not looked at, and is clicked again */
    return buf_printf(out, "; Max-Age=%d; Path=/; HttpOnly; SameSite=Lax%s\r\n", LIM_CLICK_S,
                      t->f->tls ? "; Secure" : "");
}

static enum rc put_redirect(struct txn *t, const struct msg *m, const struct click_who *who,
                            const char *fresh, struct buf *out)
{
    buf_clear(out);
    TRY(buf_put_str(out, "HTTP/1.1 303 See Other\r\nLocation: "));
    TRY(put_location(t, out, who, form_value(t, m->query, SPAN("to"))));
    TRY(put_passes(t, m, out, fresh));
    return buf_printf(out,
                      "Perron-Code: %s\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                      "Content-Length: 0\r\nConnection: close\r\n\r\n",
                      t->code);
}

static void clicked(struct txn *t, const struct msg *m, const struct click_who *who, const struct click *c)
{
    struct engine *e = t->f->e;
    char pass[CLICK_TEXT + 1];
    struct click p = {.rule_key = c->rule_key, .rule = c->rule, .until_s = clock_wall_s() + LIM_CLICK_S};
    bool known = c->rule < snapshot_n_rules(t->snap) && snapshot_rule(t->snap, c->rule).key == c->rule_key;
    t->verdict = (struct judged){.action = ACT_ALLOW,
                                 .does = ACT_ALLOW,
                                 .why = WHY_CLICKED,
                                 .made = true,
                                 .rule = known ? c->rule : RULE_NONE,
                                 .category = CATEGORY_NONE,
                                 .grant = GRANT_NONE,
                                 .valid_until = INT64_MAX};
    t->status = 303;
    if (!click_sign(&e->clicks, CLICK_PASS, who, &p, pass) ||
        put_redirect(t, m, who, pass, &e->page) != RC_OK) {
        flow_end(t->f, REASON_LIMIT, SPAN("memory"));
        return;
    }
    e->n.clicked++;
    answer_whole(t, buf_span(&e->page), REASON_CLICKED, SPAN_NONE);
}

enum rc warn_own_path(struct txn *t, const struct msg *m)
{
    struct click_who who;
    struct click c;
    if (!span_has_prefix(m->path, OURS))
        return RC_OK;
    span token = form_value(t, m->query, SPAN("t"));
    if (span_eq(m->path, SPAN("/.perron/continue")) && span_eq(m->method, SPAN("GET")) &&
        who_is_it(t, &who) && click_check(&t->f->e->clicks, CLICK_OFFER, &who, token, clock_wall_s(), &c))
        clicked(t, m, &who, &c);
    else
        answer_page(t, REASON_CLICK, SPAN_NONE);
    return RC_DENIED;
}
