/* What a `set` rule sets: safe-search, youtube, quota, header. See parser.h. */
#include "policy/parser.h"

#include <stdio.h>

#include "gw/base/obj.h"

static bool youtube(struct parser *p, struct set_part *s)
{
    if (!p_at(p, "strict") && !p_at(p, "moderate"))
        return p_expected(p, "`strict` or `moderate`");
    return p_word(p, "`strict` or `moderate`", &s->value);
}

/* quota 1h per user per day; the value in one way of writing. */
static bool quota(struct parser *p, struct set_part *s)
{
    static const char *const rest[] = {"per", "user", "per", "day"};
    struct word limit = p->lx.word;
    char text[80];
    if (!p_duration(p, &s->limit_s))
        return false;
    if (s->limit_s > 86400) {
        diag_error(p->d, limit.pos, NULL, "a quota a day of more than a day");
        return false;
    }
    for (size_t i = 0; i < N_ELEMS(rest); i++) {
        if (!p_take(p, rest[i]))
            return p_expected(p, "`per user per day`");
    }
    snprintf(text, sizeof text, "%.*s per user per day", SHOW(limit.text));
    s->value = (struct word){.text = arena_dup(&p->t->mem, span_str(text)), .pos = limit.pos};
    return true;
}

static bool is_header_value(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] > 0x7e)
            return false;
    }
    return s.n > 0;
}

static bool is_header_name(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = ascii_lower(s.p[i]);
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
            return false;
    }
    return s.n > 0 && s.n <= 64;
}

/* Names whose value decides where a request goes or ends, or that are for the next hop alone (HOP in
 * gw/http/field.tbl): not ours to set, or never passed on. */
static bool is_framing(span name)
{
    static const char *const names[] = {"host",
                                        "content-length",
                                        "content-encoding",
                                        "transfer-encoding",
                                        "connection",
                                        "upgrade",
                                        "te",
                                        "trailer",
                                        "expect",
                                        "keep-alive",
                                        "http2-settings",
                                        "proxy",
                                        "proxy-connection",
                                        "proxy-authorization",
                                        "proxy-authenticate",
                                        "proxy-authentication-info"};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (span_ieq(name, span_str(names[i])))
            return true;
    }
    return false;
}

/* header "Name: text" */
static bool header(struct parser *p, struct set_part *s)
{
    if (!p_string(p, "a header", &s->value))
        return false;
    span text = s->value.text;
    size_t colon = span_find(text, ':', 0);
    span name = span_cut(text, 0, colon);
    span value = colon == SIZE_MAX ? SPAN_NONE : span_trim(span_cut(text, colon + 1, text.n));
    if (!is_header_name(name) || !is_header_value(value) || text.n > 4096) {
        diag_error(p->d, s->value.pos, "write \"Name: text\"", "this is not a request header");
        return false;
    }
    if (is_framing(name)) {
        diag_error(p->d, s->value.pos, NULL, "`%.*s` is the gateway's own to set", SHOW(name));
        return false;
    }
    return true;
}

static bool modifier(struct parser *p, struct set_part *s)
{
    static const char *const words[MOD_N] = {[MOD_SAFE_SEARCH] = "safe-search",
                                             [MOD_YOUTUBE] = "youtube",
                                             [MOD_QUOTA] = "quota",
                                             [MOD_HEADER] = "header"};
    struct suggest near = suggest_for(p->lx.word.text);
    for (unsigned m = 0; m < MOD_N; m++)
        suggest_add(&near, span_str(words[m]));
    s->value.pos = p->lx.word.pos;
    if (p_take(p, words[s->kind = MOD_SAFE_SEARCH]))
        return true;
    if (p_take(p, words[s->kind = MOD_YOUTUBE]))
        return youtube(p, s);
    if (p_take(p, words[s->kind = MOD_QUOTA]))
        return quota(p, s);
    if (p_take(p, words[s->kind = MOD_HEADER]))
        return header(p, s);
    return p_unknown(p, "`safe-search`, `youtube`, `quota` or `header`", &near);
}

bool p_modifiers(struct parser *p, struct rule *r)
{
    struct set_part **last = &r->sets;
    do {
        struct set_part *s;
        struct pos at = p->lx.word.pos;
        if (!p_new(p, sizeof *s, &s) || !modifier(p, s))
            return false;
        for (const struct set_part *o = r->sets; o; o = o->next) {
            if (o->kind == s->kind && s->kind != MOD_HEADER) {
                diag_error(p->d, at, NULL, "this modifier stands twice in this rule");
                return false;
            }
        }
        *last = s;
        last = &s->next;
    } while (p_take_comma(p));
    return true;
}
