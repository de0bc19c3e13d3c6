/* Changes of requests; see modify.h. A client's own copy of what is set is taken out first, in every
 * spelling, so that ours is the only one; and ours cannot be named away by Connection (struct field: ours).
 */
#include "gw/http/modify.h"

#include "gw/base/obj.h"
#include "gw/base/urlpath.h"

#define YOUTUBE "youtube.com youtube-nocookie.com youtubei.googleapis.com youtube.googleapis.com"

enum engine_how { DOMAIN, COUNTRY };

struct engine {
    const char *host;
    enum engine_how how;
    const char *paths, *name, *value;
};

static const struct engine engines[] = {
#define S(id, host, how, paths, name, value) {host, how, paths, name, value},
#include "gw/http/search.tbl"
#undef S
};

static const struct {
    const char *name, *domains;
} tenants[] = {
#define T(name, domains) {name, domains},
#include "gw/http/tenant.tbl"
#undef T
};

/* ---- hosts ---- */

static bool is_below(span host, span domain)
{
    return span_eq(host, domain) ||
           (host.n > domain.n && span_has_suffix(host, domain) && host.p[host.n - domain.n - 1] == '.');
}

/* Takes the next word off a list with blanks between. */
static bool word_next(span *list, span *word)
{
    size_t blank = span_find(*list, ' ', 0);
    *word = span_cut(*list, 0, blank);
    *list = blank == SIZE_MAX ? SPAN_NONE : span_cut(*list, blank + 1, list->n);
    return word->n > 0;
}

static bool is_below_any(span host, const char *domains)
{
    span list = span_str(domains), one;
    while (word_next(&list, &one)) {
        if (is_below(host, one))
            return true;
    }
    return false;
}

/* "com", "be", "cat", "co.uk", "com.br": what may stand behind the name of a firm that is in every country.
 */
static bool is_country(span s)
{
    size_t dot = span_find(s, '.', 0);
    span first = span_cut(s, 0, dot);
    if (dot == SIZE_MAX)
        return first.n == 2 || span_eq(first, SPAN("com")) || span_eq(first, SPAN("cat"));
    return s.n - dot - 1 == 2 && (span_eq(first, SPAN("co")) || span_eq(first, SPAN("com")));
}

static bool is_in_country(span host, span firm)
{
    for (size_t at = 0; at < host.n; at++) {
        size_t dot = span_find(host, '.', at);
        if (dot == SIZE_MAX)
            return false;
        if (span_eq(span_cut(host, at, dot), firm) && is_country(span_cut(host, dot + 1, host.n)))
            return true;
        at = dot;
    }
    return false;
}

static bool is_path(span path, const char *paths)
{
    span list = span_str(paths), one;
    if (list.n == 0)
        return true;
    while (word_next(&list, &one)) {
        if (span_has_prefix(path, one) && (path.n == one.n || path.p[one.n] == '/'))
            return true;
    }
    return false;
}

/* ---- query ---- */

static int hex(uint8_t c)
{
    uint8_t l = ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* Is this the name of a parameter, whatever its case and percent-encoding? */
static bool is_named(span s, span name)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++, n++) {
        uint8_t c = s.p[i];
        if (c == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0) {
            c = (uint8_t)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
            i += 2;
        }
        if (n == name.n || ascii_lower(c) != name.p[n])
            return false;
    }
    return n == name.n;
}

/* The query with this value for the parameter, once, at its end. */
static enum rc force_parameter(struct msg *m, span name, span value, struct arena *mem)
{
    uint8_t *out = arena_alloc(mem, m->query.n + name.n + value.n + 2);
    size_t n = 0;
    if (!out)
        return RC_NOMEM;
    for (span left = m->query; left.n > 0;) {
        size_t end = span_find(left, '&', 0);
        span pair = span_cut(left, 0, end);
        left = end == SIZE_MAX ? SPAN_NONE : span_cut(left, end + 1, left.n);
        if (pair.n == 0 || is_named(span_cut(pair, 0, span_find(pair, '=', 0)), name))
            continue;
        memcpy(out + n, pair.p, pair.n);
        n += pair.n;
        out[n++] = '&';
    }
    memcpy(out + n, name.p, name.n);
    n += name.n;
    out[n++] = '=';
    memcpy(out + n, value.p, value.n);
    m->query = span_of(out, n + value.n);
    m->has_query = true;
    return RC_OK;
}

static enum rc safe_search(struct msg *m, span host, struct arena *mem, struct modified *did)
{
    uint8_t *path = NULL;
    size_t path_n = 0;
    if (m->path.n == 0)
        return RC_OK; /* OPTIONS * */
    for (size_t i = 0; i < N_ELEMS(engines); i++) {
        const struct engine *e = &engines[i];
        span name = span_str(e->host);
        if (e->how == DOMAIN ? !is_below(host, name) : !is_in_country(host, name))
            continue;
        if (!path) {
            path = arena_alloc(mem, m->path.n + 1);
            if (!path)
                return RC_NOMEM;
            path_n = urlpath_normalise(m->path, path);
        }
        if (!is_path(span_of(path, path_n), e->paths))
            continue;
        TRY(force_parameter(m, span_str(e->name), span_str(e->value), mem));
        did->safe_search = true;
    }
    return RC_OK;
}

/* ---- fields ---- */

bool modify_same_name(span a, span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        uint8_t x = a.p[i] == '_' ? '-' : ascii_lower(a.p[i]), y = b.p[i] == '_' ? '-' : ascii_lower(b.p[i]);
        if (x != y)
            return false;
    }
    return true;
}

static void take_out(struct msg *m, span name)
{
    uint16_t kept = 0;
    for (size_t i = 0; i < m->n_fields; i++) {
        if (!modify_same_name(m->fields[i].name, name))
            m->fields[kept++] = m->fields[i];
    }
    m->n_fields = kept;
}

static enum rc put_in(struct msg *m, span name, span value)
{
    take_out(m, name);
    if (m->n_fields == N_ELEMS(m->fields))
        return RC_NOMEM;
    m->fields[m->n_fields++] = (struct field){.name = name, .value = value, .ours = true, .secret = true};
    return RC_OK;
}

static bool concerns(span host, span name)
{
    for (size_t i = 0; i < N_ELEMS(tenants); i++) {
        if (modify_same_name(name, span_str(tenants[i].name)))
            return is_below_any(host, tenants[i].domains);
    }
    return true;
}

static enum rc set_headers(struct msg *m, span host, const struct modify *how, struct modified *did)
{
    for (size_t i = 0; i < how->n_headers && i < MODIFY_HEADERS; i++) {
        if (!concerns(host, how->headers[i].name))
            continue;
        TRY(put_in(m, how->headers[i].name, how->headers[i].value));
        did->headers |= UINT32_C(1) << i;
    }
    return RC_OK;
}

/* ---- who stands behind us ---- */

static bool tells_origin(span name)
{
    static const char *const names[] = {"via",
                                        "forwarded",
                                        "x-real-ip",
                                        "x-client-ip",
                                        "true-client-ip",
                                        "x-cluster-client-ip",
                                        "x-originating-ip",
                                        "x-remote-ip",
                                        "x-remote-addr",
                                        "x-proxyuser-ip",
                                        "client-ip",
                                        "x-forwarded"};
    static const char family[] = "x-forwarded-";
    if (modify_same_name(span_cut(name, 0, sizeof family - 1), span_str(family)))
        return true;
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        if (modify_same_name(name, span_str(names[i])))
            return true;
    }
    return false;
}

static void hide_inside(struct msg *m)
{
    uint16_t kept = 0;
    for (size_t i = 0; i < m->n_fields; i++) {
        if (m->fields[i].ours || !tells_origin(m->fields[i].name))
            m->fields[kept++] = m->fields[i];
    }
    m->n_fields = kept;
}

static enum rc forwarded(struct msg *m, const struct modify *how, struct arena *mem)
{
    char text[ADDR_TEXT];
    if (how->forwarded == FORWARDED_KEEP)
        return RC_OK;
    hide_inside(m);
    if (how->forwarded == FORWARDED_REMOVE)
        return RC_OK;
    span client = arena_dup(mem, span_str(addr_text(&how->client, text)));
    if (client.n == 0)
        return RC_NOMEM;
    TRY(put_in(m, SPAN("X-Forwarded-For"), client));
    return put_in(m, SPAN("Via"), SPAN("1.1 perron"));
}

enum rc modify_request(struct msg *m, span host, const struct modify *how, struct arena *mem,
                       struct modified *did)
{
    *did = (struct modified){0};
    TRY(forwarded(m, how, mem));
    if (how->safe_search)
        TRY(safe_search(m, host, mem, did));
    TRY(set_headers(m, host, how, did));
    if (how->youtube == YOUTUBE_OPEN || !is_below_any(host, YOUTUBE))
        return RC_OK;
    did->youtube = true;
    return put_in(m, SPAN("YouTube-Restrict"),
                  how->youtube == YOUTUBE_STRICT ? SPAN("Strict") : SPAN("Moderate"));
}

/* ---- Alt-Svc ---- */

/* The end of an element of a list in which quoted strings may hold anything; SIZE_MAX: a quote is not closed.
 */
static size_t element_end(span s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == ',' && !quoted)
            return i;
    }
    return quoted ? SIZE_MAX : s.n;
}

/* By its protocol, percent-encoded or not: h3, h3-29, hq-interop, quic. What has none is not understood. */
static bool is_over_quic(span element)
{
    uint8_t id[8] = {0};
    size_t n = 0, eq = span_find(element, '=', 0);
    span raw = span_trim(span_cut(element, 0, eq));
    if (eq == SIZE_MAX)
        return !span_ieq(span_trim(element), SPAN("clear"));
    for (size_t i = 0; i < raw.n && n < sizeof id; i++) {
        bool coded = raw.p[i] == '%' && i + 2 < raw.n && hex(raw.p[i + 1]) >= 0 && hex(raw.p[i + 2]) >= 0;
        id[n++] = ascii_lower(coded ? (uint8_t)(hex(raw.p[i + 1]) << 4 | hex(raw.p[i + 2])) : raw.p[i]);
        i += coded ? 2 : 0;
    }
    span name = span_of(id, n);
    return n == 0 || span_has_prefix(name, SPAN("h3")) || span_has_prefix(name, SPAN("hq")) ||
           span_has_prefix(name, SPAN("quic"));
}

size_t modify_alt_svc(span in, uint8_t *out)
{
    size_t n = 0;
    while (in.n > 0) {
        size_t end = element_end(in);
        if (end == SIZE_MAX)
            return 0;
        span one = span_trim(span_cut(in, 0, end));
        in = span_cut(in, end + 1, in.n);
        if (one.n == 0 || is_over_quic(one))
            continue;
        if (n > 0)
            out[n++] = ',';
        memmove(out + n, one.p, one.n);
        n += one.n;
    }
    return n;
}
