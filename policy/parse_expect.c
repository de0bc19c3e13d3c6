/* `expect` lines: what must come out of the policy, checked whenever it is compiled. See parser.h. */
#include "policy/parser.h"

#include <stdio.h>

#include "gw/base/clock.h"

static bool outcome(struct parser *p, struct expect *e)
{
    static const char *const outcomes[] = {"block", "allow", "exempt", "inspect", "forbid"};
    struct suggest near = suggest_for(p->lx.word.text);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (p_at(p, outcomes[i]))
            return p_word(p, "an outcome", &e->outcome);
        suggest_add(&near, span_str(outcomes[i]));
    }
    return p_unknown(p, "`block`, `forbid`, `allow`, `exempt` or `inspect`", &near);
}

/* at 2026-11-24 10:00 (UTC) */
static bool at_time(struct parser *p, struct expect *e)
{
    struct word day, hour;
    char text[32];
    if (!p_word(p, "a date such as 2026-11-24", &day) || !p_word(p, "a time such as 10:00", &hour))
        return false;
    if (day.text.n == 10 && hour.text.n == 5) {
        snprintf(text, sizeof text, "%.10sT%.5s:00Z", (const char *)day.text.p, (const char *)hour.text.p);
        if (clock_parse(span_str(text), &e->at) == RC_OK)
            return true;
    }
    diag_error(p->d, day.pos, "write it as 2026-11-24 10:00", "this is not a date and a time");
    return false;
}

/* Whose request: `group g`, `user "u"`, `unidentified`, `for ...`. */
static bool who(struct parser *p, struct expect *e, bool *found)
{
    *found = p_at(p, "group") || p_at(p, "user") || p_at(p, "unidentified") || p_take(p, "for");
    return !*found || p_values(p, NOUN_FOR, &e->who);
}

static bool method_and_url(struct parser *p, struct expect *e)
{
    if (!p_word(p, "a method and a URL", &e->method) || !p_string(p, "a URL", &e->url))
        return false;
    if (span_has_prefix(e->url.text, SPAN("https://")) || span_has_prefix(e->url.text, SPAN("http://")))
        return true;
    diag_error(p->d, e->url.pos, "begin with https:// or http://", "this is not a URL");
    return false;
}

static bool is_method(span w)
{
    static const char *const methods[] = {"get", "head", "post", "put", "delete", "patch", "options"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (span_ieq(w, span_str(methods[i])))
            return true;
    }
    return false;
}

static bool part(struct parser *p, struct expect *e)
{
    bool found;
    if (!who(p, e, &found))
        return false;
    if (found)
        return true;
    if (p_take(p, "from"))
        return p_values(p, NOUN_FROM, &e->from);
    if (p_take(p, "at"))
        return at_time(p, e);
    if (p_take(p, "certificate"))
        return p_word(p, "a defect of a certificate", &e->certificate);
    if (p_take(p, "upload"))
        return e->upload = true;
    if (is_method(p->lx.word.text))
        return method_and_url(p, e);
    struct suggest near = suggest_for(p->lx.word.text);
    suggest_add(&near, SPAN("group"));
    suggest_add(&near, SPAN("from"));
    suggest_add(&near, SPAN("user"));
    suggest_add(&near, SPAN("upload"));
    suggest_add(&near, SPAN("certificate"));
    return p_unknown(p, "`group`, `user`, `from`, `at`, `certificate`, `upload` or `get \"URL\"`", &near);
}

bool p_expect(struct parser *p, struct pos at)
{
    struct expect *e;
    if (!p_new(p, sizeof *e, &e))
        return false;
    e->pos = at;
    if (!outcome(p, e))
        return false;
    while (!p_at_end(p)) {
        if (!part(p, e))
            return false;
    }
    if (!e->url.text.n)
        return p_expected(p, "`get \"URL\"`");
    e->text = p_text_from(p, at.off);
    P_APPEND(p->t->expects, e);
    return true;
}
