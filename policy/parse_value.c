/* Values: networks, ports, strings, and what stands behind each noun. See parser.h. */
#include "policy/parser.h"

static bool value_new(struct parser *p, struct value ***last, struct value **out)
{
    if (!p_new(p, sizeof **out, out))
        return false;
    **last = *out;
    *last = &(*out)->next;
    return true;
}

/* No zone and no host has a name with one of these. */
static bool looks_like_network(span s)
{
    return span_find(s, '/', 0) != SIZE_MAX || span_find(s, ':', 0) != SIZE_MAX ||
           span_find(s, '%', 0) != SIZE_MAX;
}

/* A word that is no network: what is wrong with it. */
static void not_a_network(struct parser *p, struct value *v)
{
    const struct word *w = &v->w;
    struct addr a;
    uint64_t bits;
    size_t slash = span_find(w->text, '/', 0);
    span address = span_cut(w->text, 0, slash);
    span length = slash == SIZE_MAX ? SPAN_NONE : span_cut(w->text, slash + 1, w->text.n);
    bool known = addr_parse(address, &a),
         mapped = known && a.family == 4 && span_find(address, ':', 0) != SIZE_MAX;
    const char *hint = NULL;
    if (span_find(w->text, '%', 0) != SIZE_MAX)
        hint = "leave out `%` and what follows it: a zone says `interface` for that";
    else if (mapped)
        hint = "write it as IPv4";
    else if (known && !span_to_u64(length, a.family == 4 ? 32 : 128, &bits))
        hint = a.family == 4 ? "the length of an IPv4 prefix is 0 to 32"
                             : "the length of an IPv6 prefix is 0 to 128";
    else if (known && length.p[0] == '0' && length.n > 1)
        hint = "write the length without zeros before it";
    else if (known)
        hint = "the bits behind the prefix must be zero: 10.32.0.0/12, not 10.32.0.1/12";
    diag_error(p->d, w->pos, hint, "`%.*s` is not a network", SHOW(w->text));
    v->prefix = (struct prefix){0};
}

bool p_networks(struct parser *p, struct value ***last)
{
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_word(p, "a network such as 10.0.0.0/8", &v->w))
            return false;
        v->kind = VALUE_NETWORK;
        if (!prefix_parse(v->w.text, &v->prefix)) {
            not_a_network(p, v);
            return false;
        }
    } while (p_take_comma(p));
    return true;
}

/* "443" or "8000-8100". */
static bool number_range(span text, uint64_t most, struct value *v)
{
    uint64_t lo, hi;
    size_t dash = span_find(text, '-', 0);
    if (!span_to_u64(span_cut(text, 0, dash), most, &lo))
        return false;
    hi = lo;
    if (dash != SIZE_MAX && !span_to_u64(span_cut(text, dash + 1, text.n), most, &hi))
        return false;
    v->lo = (uint16_t)lo;
    v->hi = (uint16_t)hi;
    return lo >= 1 && lo <= hi;
}

bool p_ports(struct parser *p, uint8_t proto, struct value ***last)
{
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_word(p, "a port or a range such as 8000-8100", &v->w))
            return false;
        v->proto = proto;
        if (!number_range(v->w.text, 65535, v)) {
            diag_error(p->d, v->w.pos, NULL, "`%.*s` is not a port (1 to 65535) or a range of ports",
                       SHOW(v->w.text));
            return false;
        }
    } while (p_take_comma(p));
    return true;
}

bool p_strings(struct parser *p, const char *what, struct value ***last)
{
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_string(p, what, &v->w))
            return false;
        v->kind = VALUE_USER;
    } while (p_take_comma(p));
    return true;
}

/* from, to: `lan`, `zone lan`, `host resolver`, `network 10.0.0.0/8`, `10.0.0.0/8`. The word before a value
 * holds for the values behind it too. */
static bool place_values(struct parser *p, const char *what, struct value ***last)
{
    enum value_kind kind = VALUE_BARE;
    do {
        struct value *v;
        if (p_take(p, "zone"))
            kind = VALUE_ZONE;
        else if (p_take(p, "host"))
            kind = VALUE_HOST;
        else if (p_take(p, "network"))
            kind = VALUE_NETWORK;
        if (!value_new(p, last, &v) || !p_word(p, what, &v->w))
            return false;
        v->kind = kind;
        bool network = prefix_parse(v->w.text, &v->prefix);
        if (kind == VALUE_BARE && network)
            v->kind = VALUE_NETWORK;
        bool meant = v->kind == VALUE_NETWORK || (kind == VALUE_BARE && looks_like_network(v->w.text));
        if (meant && !network) {
            not_a_network(p, v);
            return false;
        }
    } while (p_take_comma(p));
    return true;
}

/* for: `agents`, `group agents`, `user "durand"`, `unidentified`. A string is a user, a bare word a group. */
static bool person_values(struct parser *p, const char *what, struct value ***last)
{
    bool users = false;
    do {
        struct value *v;
        bool said = p_take(p, "user");
        users = users || said;
        if (!said && p_take(p, "group"))
            users = false;
        if (!value_new(p, last, &v))
            return false;
        bool user = said || (users && p->lx.tok == TOK_STRING);
        if (user ? !p_string(p, "a user", &v->w) : !p_word(p, what, &v->w))
            return false;
        bool nobody = span_eq(v->w.text, SPAN("unidentified"));
        v->kind = user ? VALUE_USER : nobody ? VALUE_UNIDENTIFIED : VALUE_GROUP;
    } while (p_take_comma(p));
    return true;
}

static bool word_values(struct parser *p, enum noun noun, const char *what, struct value ***last)
{
    bool strings = noun == NOUN_APPLICATION;
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !(strings ? p_either(p, what, &v->w) : p_word(p, what, &v->w)))
            return false;
        if (noun == NOUN_CATEGORY && span_eq(v->w.text, SPAN("none")))
            v->kind = VALUE_NONE;
    } while (p_take_comma(p));
    return true;
}

/* signature severity 1, 3-4 */
static bool severity_values(struct parser *p, const char *what, struct value ***last)
{
    if (!p_take(p, "severity"))
        return p_expected(p, what);
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_word(p, "a severity, 1 the worst", &v->w))
            return false;
        if (!number_range(v->w.text, 255, v)) {
            diag_error(p->d, v->w.pos, NULL, "`%.*s` is not a severity (1 to 255) or a range of them",
                       SHOW(v->w.text));
            return false;
        }
    } while (p_take_comma(p));
    return true;
}

bool p_values(struct parser *p, enum noun noun, struct value **out)
{
    static const char *const what[] = {
#define N(id, word, dim, blocks, text) text,
#include "policy/noun.tbl"
#undef N
    };
    struct value **last = out;
    switch (noun) {
    case NOUN_FROM:
    case NOUN_TO: return place_values(p, what[noun], &last);
    case NOUN_FOR: return person_values(p, what[noun], &last);
    case NOUN_DOMAIN:
    case NOUN_PATH: return p_strings(p, what[noun], &last);
    case NOUN_TCP: return p_ports(p, 6, &last);
    case NOUN_UDP: return p_ports(p, 17, &last);
    case NOUN_SIGNATURE: return severity_values(p, what[noun], &last);
    case NOUN_CATEGORY:
    case NOUN_SERVICE:
    case NOUN_CERTIFICATE:
    case NOUN_METHOD:
    case NOUN_DURING:
    case NOUN_TYPE:
    case NOUN_PATTERN:
    case NOUN_APPLICATION: return word_values(p, noun, what[noun], &last);
    case NOUN_ICMP:
    case NOUN_UPLOAD:
    case NOUN_VIRUS:
    case NOUN_N: break;
    }
    return true;
}
