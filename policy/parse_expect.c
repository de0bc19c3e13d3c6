/* `expect` lines: what must come out of the policy, checked whenever it is compiled. See parser.h. */
#include "policy/parser.h"

#include "gw/base/obj.h"

static bool outcome(struct parser *p, struct expect *e)
{
    static const char *const outcomes[] = {"block", "allow", "exempt", "inspect", "forbid", "warn"};
    struct suggest near = suggest_for(p->lx.word.text);
    for (size_t i = 0; i < N_ELEMS(outcomes); i++) {
        if (p_at(p, outcomes[i]))
            return p_word(p, "an outcome", &e->outcome);
        suggest_add(&near, span_str(outcomes[i]));
    }
    return p_unknown(p, "`block`, `forbid`, `warn`, `allow`, `exempt` or `inspect`", &near);
}

/* ---- who, where, when ---- */

/* `group g`, `user "u"`, `unidentified`, `for ...`. */
static bool who(struct parser *p, struct expect *e, bool *found)
{
    *found = p_at(p, "group") || p_at(p, "user") || p_at(p, "unidentified") || p_take(p, "for");
    return !*found || p_values(p, NOUN_FOR, &e->who);
}

static bool given(struct parser *p, bool before, const char *word)
{
    if (before)
        diag_error(p->d, p->lx.word.pos, NULL, "`%s` stands twice in this line", word);
    return before;
}

static bool place(struct parser *p, struct expect *e, bool *found)
{
    *found = true;
    if (p_at(p, "from")) {
        if (given(p, e->from, "from"))
            return false;
        lex_next(&p->lx);
        return p_values(p, NOUN_FROM, &e->from);
    }
    if (p_at(p, "to")) {
        if (given(p, e->to, "to"))
            return false;
        lex_next(&p->lx);
        return p_values(p, NOUN_TO, &e->to);
    }
    if (p_at(p, "at")) {
        if (given(p, e->at, "at"))
            return false;
        lex_next(&p->lx);
        e->at_pos = p->lx.word.pos;
        return p_moment(p, &e->at);
    }
    return who(p, e, found);
}

/* ---- what ---- */

static bool is_method(span w)
{
    static const char *const methods[] = {"get", "head", "post", "put", "delete", "patch", "options"};
    for (size_t i = 0; i < N_ELEMS(methods); i++) {
        if (span_ieq(w, span_str(methods[i])))
            return true;
    }
    return false;
}

static bool method_and_url(struct parser *p, struct expect *e)
{
    if (given(p, e->url.text.n, "get \"URL\""))
        return false;
    if (!p_word(p, "a method and a URL", &e->method) || !p_string(p, "a URL", &e->url))
        return false;
    if (span_has_prefix(e->url.text, SPAN("https://")) || span_has_prefix(e->url.text, SPAN("http://")))
        return true;
    diag_error(p->d, e->url.pos, "begin with https:// or http://", "this is not a URL");
    return false;
}

/* tcp 443, udp 53, icmp: one packet rather than a request. */
static bool packet(struct parser *p, struct expect *e, bool *found)
{
    uint64_t port = 0;
    uint8_t proto = p_at(p, "tcp") ? 6 : p_at(p, "udp") ? 17 : p_at(p, "icmp") ? 1 : 0;
    *found = proto != 0;
    if (!*found)
        return true;
    if (given(p, e->firewall, "tcp, udp or icmp"))
        return false;
    lex_next(&p->lx);
    e->firewall = true;
    e->proto = proto;
    if (proto != 1 && (p_at(p, "0") || !p_number(p, 65535, "a port", &port)))
        return p_at(p, "0") && p_expected(p, "a port");
    e->port = (uint16_t)port;
    return true;
}

/* What inspection found: type executable, virus, signature severity 1, pattern NAME, application NAME. */
static bool found_inside(struct parser *p, struct expect *e, bool *found)
{
    uint64_t severity;
    *found = true;
    if (p_take(p, "type"))
        return p_word(p, "a type of file", &e->type);
    if (p_take(p, "pattern"))
        return p_word(p, "a pattern", &e->pattern);
    if (p_take(p, "application"))
        return p_either(p, "an application", &e->application);
    if (p_take(p, "virus"))
        return e->virus = true;
    *found = p_take(p, "signature");
    if (!*found)
        return true;
    if (!p_take(p, "severity"))
        return p_expected(p, "`severity NUMBER`");
    if (p_at(p, "0") || !p_number(p, 255, "a severity, 1 the worst", &severity))
        return p_at(p, "0") && p_expected(p, "a severity, 1 the worst");
    e->severity = (uint8_t)severity;
    return true;
}

static bool part(struct parser *p, struct expect *e)
{
    static const char *const words[] = {"group",   "user", "unidentified", "for",         "from",
                                        "to",      "at",   "upload",       "certificate", "tcp",
                                        "udp",     "icmp", "type",         "virus",       "signature",
                                        "pattern", "get",  "post",         "application"};
    bool found;
    struct suggest near = suggest_for(p->lx.word.text);
    if (!place(p, e, &found))
        return false;
    if (!found && !packet(p, e, &found))
        return false;
    if (!found && !found_inside(p, e, &found))
        return false;
    if (found)
        return true;
    if (p_take(p, "certificate"))
        return p_word(p, "a defect of a certificate", &e->certificate);
    if (p_take(p, "upload"))
        return e->upload = true;
    if (is_method(p->lx.word.text))
        return method_and_url(p, e);
    for (size_t i = 0; i < N_ELEMS(words); i++)
        suggest_add(&near, span_str(words[i]));
    return p_unknown(p, "who, where, when or what, such as `group g` or `get \"URL\"`", &near);
}

/* A request, or a packet. */
static bool is_whole(struct parser *p, const struct expect *e)
{
    bool inside = e->type.text.n || e->pattern.text.n || e->virus || e->severity;
    if (!e->firewall && !e->url.text.n)
        return p_expected(p, e->to ? "`tcp PORT`, `udp PORT` or `icmp`" : "`get \"URL\"`");
    if (!e->firewall)
        return true;
    if (e->url.text.n || inside || e->upload || e->certificate.text.n) {
        diag_error(p->d, e->pos, "leave out `tcp`, `udp` or `icmp`, or what is asked of a request",
                   "an expectation is about a request or about a packet, not both");
        return false;
    }
    if (!e->to)
        return p_expected(p, "`to HOST`");
    if (span_eq(e->outcome.text, SPAN("allow")) || span_eq(e->outcome.text, SPAN("block")) ||
        span_eq(e->outcome.text, SPAN("forbid")))
        return true;
    diag_error(p->d, e->outcome.pos, NULL, "a packet is allowed or blocked, not `%.*s`",
               SHOW(e->outcome.text));
    return false;
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
    if (!is_whole(p, e))
        return false;
    e->text = p_text_from(p, at.off);
    P_APPEND(p->t->expects, e);
    return true;
}
