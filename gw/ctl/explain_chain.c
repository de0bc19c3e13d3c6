/* A decision told step by step; see explain.h. */
#include "gw/ctl/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"
#include "gw/ctl/moment.h"
#include "policy/explain.h"
#include "policy/grants.h"
#include "policy/diag.h"
#include "policy/words.h"

enum { GROUPS_SHOWN = 64 };

static json_t *chain_add(json_t *chain, const char *step, const char *text)
{
    json_t *safe = json_string(text);
    json_t *o = json_pack("{s:s, s:o}", "step", step, "text", safe ? safe : json_string("?"));
    json_array_append_new(chain, o);
    return o;
}

void chain_say(json_t *chain, const char *step, const char *fmt, ...)
{
    AUTO_FREE char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n >= 0)
        chain_add(chain, step, text);
}

/* ---- facts ---- */

static void say_zone(json_t *chain, const struct explain_subject *s)
{
    char src[ADDR_TEXT];
    const struct set_zone *z = snapshot_zone(s->snap, s->facts->zone);
    addr_text(&s->facts->src, src);
    if (!z)
        chain_say(chain, "zone", "%s is in no zone", src);
    else if (s->facts->vpn.n)
        chain_say(chain, "zone", "%.*s, through the VPN %.*s", SHOW(z->name), SHOW(s->facts->vpn));
    else
        chain_say(chain, "zone", "%.*s, for %s is in its network%s", SHOW(z->name), src,
                  z->ca_none ? "; nothing is intercepted there" : "");
}

static void say_identity(json_t *chain, const struct explain_subject *s)
{
    static const char *const sources[ID_N] = {
        "you", "the policy", "RADIUS", "the directory", "the proxy's log-in", "the VPN", "the portal"};
    static const char *const by[] = {"by name", "by network", "by attribute"};
    const struct facts *f = s->facts;
    struct group_hit hit[GROUPS_SHOWN];
    unsigned n = snapshot_groups_of(s->snap, f, hit, GROUPS_SHOWN);
    if (!(f->known & FACT_BIT(USER)))
        chain_say(chain, "identity", "not known");
    else if (f->user.n == 0)
        chain_say(chain, "identity", "unidentified");
    else
        chain_say(chain, "identity", "%.*s%s, says %s", SHOW(s->user.n ? s->user : f->user),
                  s->user.n ? " (a pseudonym)" : "", f->id_source < ID_N ? sources[f->id_source] : "?");
    for (unsigned i = 0; i < n && i < GROUPS_SHOWN; i++) {
        span name = snapshot_group_name(s->snap, hit[i].group);
        chain_say(chain, "group", "%.*s, %s%s", SHOW(name), by[hit[i].by],
                  hit[i].stale ? ", but that was said too long ago" : "");
    }
    if (n > GROUPS_SHOWN)
        chain_say(chain, "group", "and %u more; all of them count", n - GROUPS_SHOWN);
}

static void say_request(json_t *chain, const struct explain_subject *s)
{
    const struct facts *f = s->facts;
    char dst[ADDR_TEXT] = "";
    if (f->known & FACT_BIT(DST))
        addr_text(&f->dst, dst);
    chain_say(chain, "hello", "%.*s%s%s%s, port %u, %s%s%s", SHOW(f->name), f->name.n && dst[0] ? " at " : "",
              dst, f->name.n || dst[0] ? "" : "no name", f->dst_port,
              !(f->known & FACT_BIT(TLS)) ? "protocol not seen yet"
              : f->tls                    ? "TLS"
                                          : "plain HTTP",
              f->explicit_proxy ? ", by the proxy" : "", f->ech ? ", with ECH" : "");
    for (unsigned d = 0; d < 32; d++) {
        if (f->defects >> d & 1)
            chain_say(chain, "certificate", "%.*s", SHOW(defect_word(d)));
    }
    if (f->known & FACT_BIT(METHOD))
        chain_say(chain, "request", "%.*s %.*s%s", SHOW(f->method),
                  SHOW(f->known & FACT_BIT(PATH) ? f->path : SPAN("(path not kept)")),
                  f->upload ? ", an upload" : "");
}

void chain_hit(json_t *chain, const struct snapshot *snap, const struct category_hit *h)
{
    span name = snapshot_category_name(snap, h->category);
    bool own = span_eq(h->list, SPAN("domain")); /* then the file is the policy's */
    bool named = span_has_suffix(h->list, h->file);
    span file = named ? SPAN_NONE : h->file;
    chain_say(chain, "category", "%.*s%s: %.*s%s%.*s, line %u: `%.*s`", SHOW(name), h->except ? ", not" : "",
              (int)h->list.n, (const char *)h->list.p,
              named ? ""
              : own ? " in "
                    : ", ",
              (int)file.n, file.n ? (const char *)file.p : "", (unsigned)h->line, SHOW(h->entry));
}

void chain_categories(json_t *chain, const struct explain_subject *s)
{
    const struct facts *f = s->facts;
    if (!(f->known & FACT_BIT(NAME)))
        return;
    struct category_hit hit[CHAIN_HITS];
    size_t n = snapshot_category_hits(s->snap, f, hit, CHAIN_HITS);
    if (f->n_cats == 0)
        chain_say(chain, "category", "none: the name is in no list");
    for (size_t i = 0; i < n; i++)
        chain_hit(chain, s->snap, &hit[i]);
    for (unsigned c = 0; f->may_used && c < FACTS_CAT_WORDS * 64; c++) {
        if (facts_may(f, c))
            chain_say(chain, "category", "the path may add %.*s",
                      SHOW(snapshot_category_name(s->snap, (uint16_t)c)));
    }
}

static void say_time(json_t *chain, const struct explain_subject *s)
{
    char text[MOMENT_TEXT], until[MOMENT_TEXT];
    moment_text(s->facts->time_s, text);
    chain_say(chain, "time", "%s", text);
    for (uint32_t i = 0; i < snapshot_n_schedules(s->snap); i++) {
        int64_t end;
        span name = snapshot_schedule_name(s->snap, i);
        if (!snapshot_schedule_active(s->snap, i, s->facts->time_s, &end))
            continue;
        moment_text(end, until);
        chain_say(chain, "schedule", "%.*s is on%s%s", SHOW(name), end == INT64_MAX ? "" : ", until ",
                  end == INT64_MAX ? "" : until);
    }
}

void chain_facts(json_t *chain, const struct explain_subject *s)
{
    say_time(chain, s);
    say_zone(chain, s);
    say_identity(chain, s);
    say_request(chain, s);
    chain_categories(chain, s);
}

/* ---- rules ---- */

struct telling {
    json_t *chain;
    const struct explain_subject *s;
};

/* "category, for" of the dimensions in `bits`. */
static void words_of(uint32_t bits, char *out, size_t cap)
{
    size_t n = 0;
    out[0] = '\0';
    for (unsigned d = 0; d < DIM_N; d++) {
        span w = decide_dim_word(d);
        if (bits >> d & 1 && n < cap)
            n += (size_t)snprintf(out + n, cap - n, "%s%.*s", n ? ", " : "", SHOW(w));
    }
}

static void why_text(const struct why_not *w, enum considered_match match, char *out, size_t cap)
{
    char words[200];
    if (match == CONSIDERED_YES) {
        snprintf(out, cap, "matches");
    } else if (w->not_yet || w->over) {
        snprintf(out, cap, "no: %s", w->over ? "it has ended" : "it has not begun");
    } else if (w->refuses) {
        words_of(w->refuses, words, sizeof words);
        snprintf(out, cap, "no: %s%s", words, w->excepts ? " (excepted)" : "");
    } else {
        words_of(w->waits, words, sizeof words);
        snprintf(out, cap, "open: waits for %s", words);
    }
}

static void on_rule(const struct considered *c, void *arg)
{
    static const char *const matches[] = {"no", "yes", "open"};
    struct telling *t = arg;
    char why[256];
    bool in_order = c->table != TABLE_SET && c->table != TABLE_LOG && c->table != TABLE_OBSERVE;
    if ((c->match == CONSIDERED_NO && t->s->brief) || (c->match != CONSIDERED_YES && !in_order))
        return;
    struct rule_info r = snapshot_rule(t->s->snap, c->rule);
    why_text(&c->why, c->match, why, sizeof why);
    AUTO_FREE char *text = NULL;
    if (asprintf(&text, "%.*s:%u  %.*s  -- %s", SHOW(r.file), r.line, SHOW(r.text), why) < 0)
        return;
    json_t *o = chain_add(t->chain, explain_table_word(c->table), text);
    json_object_set_new(o, "match", json_string(matches[c->match]));
    json_object_set_new(o, "rule", json_stringn((const char *)r.text.p, r.text.n));
    json_object_set_new(o, "file", json_stringn((const char *)r.file.p, r.file.n));
    json_object_set_new(o, "line", json_integer(r.line));
    json_object_set_new(o, "why", json_string(why));
}

/* ---- the verdict ---- */

static const char *action_word(const struct verdict *v)
{
    static const char *const words[] = {"allowed", "blocked", "passed without decrypting", "to be inspected",
                                        "warned of"};
    return v->forbid ? "forbidden" : (size_t)v->action < N_ELEMS(words) ? words[v->action] : "?";
}

char *explain_verdict(const struct snapshot *snap, const struct verdict *v)
{
    static const char *const whys[WHY_N] = {
        [WHY_RULE] = "by",
        [WHY_DEFAULT] = "because no rule matches",
        [WHY_DEFECT] = "because no rule allows this defect of a certificate",
        [WHY_ZONE_NO_CA] = "because its zone has `ca none`",
        [WHY_NO_ZONE] = "because the client is in no zone",
        [WHY_GRANT] = "by a grant, against",
        [WHY_CLICKED] = "because the warning was clicked through, of",
    };
    char until[60] = "", at[MOMENT_TEXT];
    char *out = NULL;
    const char *why = (size_t)v->why < WHY_N && whys[v->why] ? whys[v->why] : "?";
    if (v->valid_until != INT64_MAX) {
        moment_text(v->valid_until, at);
        snprintf(until, sizeof until, "; holds until %s", at);
    }
    const char *observed = v->observed ? "; observed only, not enforced" : "";
    int n;
    if (v->rule == RULE_NONE) {
        n = asprintf(&out, "%s %s%s%s", action_word(v), why, observed, until);
    } else {
        struct rule_info r = snapshot_rule(snap, v->rule);
        n = asprintf(&out, "%s %s %.*s:%u `%.*s`%s%.*s%s%s", action_word(v), why, SHOW(r.file), r.line,
                     SHOW(r.text), r.reason.n ? ", reason: " : "", SHOW(r.reason), observed, until);
    }
    return n < 0 ? NULL : out;
}

/* Whether the verdict came from a layer ahead of this table, which was then not asked. */
static bool settled_before(const struct verdict *v, enum table t)
{
    bool firewall = v->layer == LAYER_FIREWALL && v->action == ACT_BLOCK;
    bool web = v->layer == LAYER_WEB && v->action == ACT_BLOCK;
    return (firewall && t != TABLE_FIREWALL && t != TABLE_LOG && t != TABLE_OBSERVE) ||
           (web && t == TABLE_TLS);
}

static void say_grant(json_t *chain, const struct explain_subject *s)
{
    struct grant g;
    char until[MOMENT_TEXT];
    if (s->verdict->grant == GRANT_NONE || !grants_by_id(&s->snap->grants, s->verdict->grant, &g))
        return;
    moment_text(g.until_s, until);
    chain_say(chain, "grant", "%u: %.*s for %s%s%.*s, until %s, by %.*s, reason: %.*s", (unsigned)g.id,
              SHOW(g.target), grant_scope_text(g.scope), g.who.n ? " " : "", SHOW(g.who), until, SHOW(g.by),
              SHOW(g.reason));
}

void chain_decision(json_t *chain, const struct explain_subject *s)
{
    static const char *const steps[STEP_N] = {"connect", "certificate", "request", "content"};
    enum table tables[TABLE_N];
    struct telling t = {.chain = chain, .s = s};
    unsigned n = explain_tables(s->snap, s->facts, tables);
    for (unsigned i = 0; i < n; i++) {
        if (!settled_before(s->verdict, tables[i]))
            explain_table(s->snap, s->facts, tables[i], on_rule, &t);
    }
    say_grant(chain, s);
    AUTO_FREE char *text = explain_verdict(s->snap, s->verdict);
    chain_say(chain, s->facts->step < STEP_N ? steps[s->facts->step] : "?", "%s", text ? text : "?");
}

void chain_print(json_t *chain)
{
    for (size_t i = 0; i < json_array_size(chain); i++) {
        json_t *o = json_array_get(chain, i);
        const char *step = json_string_value(json_object_get(o, "step"));
        const char *text = json_string_value(json_object_get(o, "text"));
        printf("%-16s ", step ? step : "");
        ctl_print(stdout, span_str(text ? text : ""), false);
        putchar('\n');
    }
}
