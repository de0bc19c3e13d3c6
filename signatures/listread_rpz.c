/* Response policy zones (draft-vixie-dnsop-dns-rpz): QNAME triggers, which mean the name alone, `*.name`,
 * which means what is below it alone, and rpz-ip triggers, which are networks; see listread.h.
 * `rpz-passthru.` excepts; every other action means that the name is in the list. Triggers on clients and
 * name servers are other. */
#include "signatures/catfmt.h"
#include "signatures/listread.h"

/* ---- names ---- */

/* Lower case without the final dot, wildcards and `@` as they are; 0 when it cannot be a name. */
static size_t zone_name(span text, uint8_t *out)
{
    if (text.n && text.p[text.n - 1] == '.')
        text.n--;
    if (text.n == 0 || text.n > LIM_NAME_BYTES)
        return 0;
    for (size_t i = 0; i < text.n; i++)
        out[i] = ascii_lower(text.p[i]);
    return text.n;
}

/* Cuts "." and the suffix off; false when it is not there. */
static bool cut_suffix(span *name, span suffix)
{
    if (name->n <= suffix.n || name->p[name->n - suffix.n - 1] != '.' || !span_has_suffix(*name, suffix))
        return false;
    name->n -= suffix.n + 1;
    return true;
}

static enum list_line set_origin(struct listread *r, span word)
{
    uint8_t name[LIM_NAME_BYTES];
    size_t n = zone_name(word, name);
    span origin = span_of(name, n), apex = span_of(r->apex, r->apex_n);
    if (n == 0)
        return LINE_BAD;
    r->sub_n = 0;
    if (r->apex_n == 0) {
        memcpy(r->apex, name, n);
        r->apex_n = n;
    } else if (!span_eq(origin, apex)) {
        if (!cut_suffix(&origin, apex))
            return LINE_BAD;
        memcpy(r->sub, name, origin.n);
        r->sub_n = origin.n;
    }
    return LINE_NOTHING;
}

/* Owner of a record -> r->owner, relative to the zone. */
static bool set_owner(struct listread *r, span word)
{
    uint8_t name[LIM_NAME_BYTES];
    bool absolute = word.n && word.p[word.n - 1] == '.';
    span apex = span_of(r->apex, r->apex_n), owner = span_of(name, zone_name(word, name));
    if (owner.n == 0)
        return false;
    if (absolute ? span_eq(owner, apex) : span_eq(owner, SPAN("@"))) {
        r->owner_n = 0;
        return true;
    }
    if (absolute && r->apex_n && !cut_suffix(&owner, apex))
        return false;
    bool more = !absolute && r->sub_n;
    if (owner.n + (more ? r->sub_n + 1 : 0) > LIM_NAME_BYTES)
        return false;
    memcpy(r->owner, owner.p, owner.n);
    r->owner_n = owner.n;
    if (more) {
        r->owner[r->owner_n++] = '.';
        memcpy(r->owner + r->owner_n, r->sub, r->sub_n);
        r->owner_n += r->sub_n;
    }
    return true;
}

/* ---- triggers ---- */

/* "24.0.2.0.192" or "48.zz.2.2001" (labels backwards, zz for a run of zeros) -> prefix text -> r->key. */
static bool net_key(struct listread *r, span s)
{
    char text[160];
    size_t n = 0, dots = 0, end = s.n, first = span_find(s, '.', 0);
    if (first == SIZE_MAX || s.n > 60)
        return false;
    for (size_t i = 0; i < s.n; i++)
        dots += s.p[i] == '.';
    char between = dots == 4 && span_find(s, 'z', 0) == SIZE_MAX ? '.' : ':';
    while (end > first) {
        size_t start = end;
        while (s.p[start - 1] != '.')
            start--;
        span label = span_cut(s, start, end);
        if (span_eq(label, SPAN("zz")))
            label = SPAN("::");
        else if (n && text[n - 1] != ':')
            text[n++] = between;
        memcpy(text + n, label.p, label.n);
        n += label.n;
        end = start - 1;
    }
    text[n++] = '/';
    memcpy(text + n, s.p, first);
    return catkey_host(span_of(text, n + first), &r->key) && r->key.kind == CATKEY_NET;
}

static enum list_line trigger(struct listread *r, unsigned flags)
{
    span owner = span_of(r->owner, r->owner_n), raw = owner;
    if (owner.n == 0)
        return LINE_NOTHING; /* the zone's own records */
    if (cut_suffix(&owner, SPAN("rpz-ip")))
        return net_key(r, owner) ? listread_emit(r, flags, raw) : LINE_BAD;
    if (cut_suffix(&owner, SPAN("rpz-client-ip")) || cut_suffix(&owner, SPAN("rpz-nsdname")) ||
        cut_suffix(&owner, SPAN("rpz-nsip")))
        return LINE_OTHER;
    if (span_has_prefix(owner, SPAN("*."))) {
        owner = span_cut(owner, 2, owner.n);
        flags |= CATFMT_BELOW;
    } else {
        flags |= CATFMT_EXACT;
    }
    if (!catkey_host(owner, &r->key) || r->key.kind != CATKEY_NAME)
        return LINE_BAD;
    return listread_emit(r, flags, raw);
}

/* ---- records ---- */

/* Words of an SOA behind its two names: the first number is the serial. */
static void soa_words(struct listread *r, span rest)
{
    for (span w = listread_word(&rest); w.n; w = listread_word(&rest)) {
        uint64_t v;
        if (w.p[0] == '(' || w.p[0] == ')')
            w = span_cut(w, 1, w.n);
        if (r->soa_field == 0 && span_to_u64(w, UINT32_MAX, &v)) {
            r->serial = v + 1;
            r->soa_field++;
        }
    }
}

/* TTL (30, 1h, 1w2d) or class. */
static bool is_ttl_or_class(span w)
{
    if (span_ieq(w, SPAN("IN")))
        return true;
    if (w.n == 0 || w.p[0] < '0' || w.p[0] > '9')
        return false;
    for (size_t i = 0; i < w.n; i++) {
        uint8_t c = ascii_lower(w.p[i]);
        if (!((c >= '0' && c <= '9') || c == 's' || c == 'm' || c == 'h' || c == 'd' || c == 'w'))
            return false;
    }
    return true;
}

static bool is_one_of(span w, const char *const *words)
{
    for (; *words; words++) {
        if (span_ieq(w, span_str(*words)))
            return true;
    }
    return false;
}

/* The next word that is neither TTL nor class. */
static span record_type(span *rest)
{
    span type = listread_word(rest);
    while (is_ttl_or_class(type))
        type = listread_word(rest);
    return type;
}

static enum list_line record(struct listread *r, span rest)
{
    static const char *const own[] = {"NS", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "DS", NULL};
    static const char *const data[] = {"A", "AAAA", "TXT", "MX", "HTTPS", "SVCB", "DNAME", NULL};
    span type = record_type(&rest);
    if (span_ieq(type, SPAN("SOA"))) {
        r->soa = r->brackets > 0;
        r->soa_field = 0;
        listread_word(&rest);
        listread_word(&rest);
        soa_words(r, rest);
        return LINE_NOTHING;
    }
    if (is_one_of(type, own))
        return LINE_NOTHING;
    if (is_one_of(type, data))
        return trigger(r, 0);
    span target = listread_word(&rest);
    if (!span_ieq(type, SPAN("CNAME")) || target.n == 0)
        return LINE_BAD;
    if (span_ieq(target, SPAN("rpz-tcp-only.")))
        return LINE_OTHER; /* neither blocks nor excepts */
    return trigger(r, span_ieq(target, SPAN("rpz-passthru.")) ? CATFMT_MEMBER_OUT : 0);
}

/* Cuts a comment off and counts parentheses, both outside quotes. */
static span clean(struct listread *r, span line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.n; i++) {
        uint8_t c = line.p[i];
        if (c == '"')
            quoted = !quoted;
        else if (c == ';' && !quoted)
            return span_cut(line, 0, i);
        else if (c == '(' && !quoted)
            r->brackets++;
        else if (c == ')' && !quoted && r->brackets)
            r->brackets--;
    }
    return line;
}

enum list_line listread_rpz(struct listread *r, span line)
{
    bool inside = r->brackets > 0, soa = r->soa;
    line = clean(r, line);
    span rest = line;
    if (span_trim(line).n == 0)
        return LINE_NOTHING;
    if (inside) {
        if (soa)
            soa_words(r, rest);
        r->soa = r->soa && r->brackets;
        return LINE_NOTHING;
    }
    bool same_owner = line.p[0] == ' ' || line.p[0] == '\t';
    if (line.p[0] == '$') {
        span word = listread_word(&rest);
        if (span_ieq(word, SPAN("$ORIGIN")))
            return set_origin(r, listread_word(&rest));
        return span_ieq(word, SPAN("$TTL")) ? LINE_NOTHING : LINE_OTHER;
    }
    span owner = same_owner ? SPAN_NONE : listread_word(&rest);
    span after = rest;
    if (owner.n && owner.p[owner.n - 1] == '.' && r->apex_n == 0 &&
        span_ieq(record_type(&after), SPAN("SOA")) && set_origin(r, owner) == LINE_BAD)
        return LINE_BAD;
    if (!same_owner && !set_owner(r, owner)) {
        r->owner_n = 0;
        return LINE_BAD;
    }
    return record(r, rest);
}
