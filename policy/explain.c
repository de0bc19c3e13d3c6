/* The way to a verdict, rule by rule; see explain.h. */
#include "policy/explain.h"

static bool by_order(enum table t)
{
    return t != TABLE_SET && t != TABLE_LOG && t != TABLE_OBSERVE;
}

const char *explain_table_word(enum table table)
{
    static const char *const words[TABLE_N] = {
        [TABLE_TLS] = "tls",           [TABLE_CERT] = "tls certificate",
        [TABLE_WEB] = "web",           [TABLE_ON] = "on",
        [TABLE_FIREWALL] = "firewall", [TABLE_CONTENT] = "content",
        [TABLE_DNS] = "dns",           [TABLE_SET] = "set",
        [TABLE_LOG] = "log",           [TABLE_OBSERVE] = "observe",
    };
    return table < TABLE_N && words[table] ? words[table] : "?";
}

unsigned explain_tables(const struct snapshot *s, const struct facts *f, enum table out[TABLE_N])
{
    unsigned n = 0;
    bool web = f->step == STEP_CONNECT || f->step == STEP_REQUEST;
    if (s->img.set->has_firewall && f->step != STEP_CONTENT)
        out[n++] = TABLE_FIREWALL;
    if (web)
        out[n++] = TABLE_WEB;
    if (f->step == STEP_CONNECT)
        out[n++] = TABLE_TLS;
    if (f->step == STEP_CERTIFICATE && f->defects)
        out[n++] = TABLE_CERT;
    if (f->step == STEP_CONTENT)
        out[n++] = TABLE_CONTENT;
    if (f->step == STEP_REQUEST)
        out[n++] = TABLE_SET;
    out[n++] = TABLE_LOG;
    out[n++] = TABLE_OBSERVE;
    return n;
}

static enum considered_match match_of(const struct why_not *w)
{
    if (w->refuses || w->not_yet || w->over)
        return CONSIDERED_NO;
    return w->waits ? CONSIDERED_OPEN : CONSIDERED_YES;
}

void explain_table(const struct snapshot *s, const struct facts *f, enum table table, explain_fn fn,
                   void *arg)
{
    const struct img_run rules = s->img.TABLES[table].rules;
    for (uint32_t i = 0; i < rules.n; i++) {
        struct considered c = {.table = table, .rule = rules.at + i};
        c.why = decide_why_not(s, f, c.rule);
        c.match = match_of(&c.why);
        c.decides = by_order(table) && c.match == CONSIDERED_YES;
        fn(&c, arg);
        if (c.decides)
            return;
    }
}
