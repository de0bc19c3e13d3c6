/* Log lines by hand-made formatters: one reservation of LIM_EVENT_BYTES, then plain stores. Every field has
 * its row and its cap in event.tbl, and all caps with all names fit (checked below at compile time), so the
 * writer needs no bounds check per byte beyond the field's own. Whatever comes out of put_text is printable:
 * control characters, invisible ones that turn or hide text (bidi, zero width, line separators) and terminal
 * escapes appear as \uXXXX. */
#include "gw/siem/event.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/base/utf8.h"

struct field {
    const char *key; /* "name": with its quotes and colon */
    uint16_t key_n, cap;
    const char *name, *text;
};

#define OBJECT_TOP    ""
#define OBJECT_HTTP   "http."
#define OBJECT_FLOW   "flow."
#define OBJECT_TLS    "tls."
#define OBJECT_ENGINE "engine."
#define OBJECT_PERRON "perron."
#define OBJECT_TIMES  "perron.times_us."

static const struct field field[EVENT_FIELDS] = {
#define F(id, object, name, cap, text) {"\"" name "\":", sizeof(name) + 2, cap, OBJECT_##object name, text},
#include "gw/siem/event.tbl"
#undef F
};

/* Key with quotes, colon and comma, value with quotes, and its name once more in perron.cut. */
enum {
    ALL_FIELDS = 0
#define F(id, object, name, cap, text) +(cap) + 2 * (int)sizeof(name) + 9
#include "gw/siem/event.tbl"
#undef F
    ,
    ALL_OBJECTS = 256 /* names and braces of the objects */
};
_Static_assert(ALL_FIELDS + ALL_OBJECTS <= LIM_EVENT_BYTES, "a line with every field at its cap fits");

struct out {
    uint8_t *p;
    bool first; /* no comma before the next member */
    bool any_cut;
    bool cut[EVENT_FIELDS];
};

const char *event_field_name(enum event_field f)
{
    return f < EVENT_FIELDS ? field[f].name : NULL;
}

const char *event_field_text(enum event_field f)
{
    return f < EVENT_FIELDS ? field[f].text : NULL;
}

/* Inlined so that a field's row is known where it is written: key and length become constants, the copy a few
 * stores. */
#define INLINE inline __attribute__((always_inline))

/* ---- numbers and times ---- */

static INLINE void put_raw(struct out *o, const void *p, size_t n)
{
    memcpy(o->p, p, n);
    o->p += n;
}
#define PUT_LIT(o, lit) put_raw(o, lit, sizeof(lit) - 1)

/* 00 to 99, two digits each. */
#define TEN(t) t "0" t "1" t "2" t "3" t "4" t "5" t "6" t "7" t "8" t "9"
static const char pairs[] =
    TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6") TEN("7") TEN("8") TEN("9");
#undef TEN

static INLINE void put_pair(uint8_t *to, uint64_t v)
{
    memcpy(to, pairs + 2 * v, 2);
}

static void put_u64(struct out *o, uint64_t v)
{
    size_t n = 1;
    for (uint64_t left = v; left >= 10; left /= 1000)
        n += left >= 1000 ? 3 : left >= 100 ? 2 : 1;
    uint8_t *to = o->p + n;
    for (; v >= 100; v /= 100)
        put_pair(to -= 2, v % 100);
    if (v >= 10)
        put_pair(to - 2, v);
    else
        to[-1] = (uint8_t)('0' + v);
    o->p += n;
}

static void put_hex64(struct out *o, uint64_t v)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *o->p++ = (uint8_t) "0123456789abcdef"[v >> shift & 15];
}

/* An even number of digits. */
static INLINE void put_digits(struct out *o, uint32_t v, unsigned n)
{
    for (unsigned i = n; i > 0; i -= 2, v /= 100)
        put_pair(o->p + i - 2, v % 100);
    o->p += n;
}

/* Days since 1970 to a date of the proleptic Gregorian calendar, by eras of 400 years. */
static void put_date(struct out *o, uint32_t days)
{
    uint32_t z = days + 719468, era = z / 146097, doe = z % 146097;
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    uint32_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    put_digits(o, yoe + era * 400 + (month <= 2), 4);
    *o->p++ = '-';
    put_digits(o, month, 2);
    *o->p++ = '-';
    put_digits(o, day, 2);
}

/* "2026-11-24T10:00:00.000001+0000" in quotes, as EVE writes it. */
static void put_time(struct out *o, int64_t wall_us)
{
    static const int64_t last = INT64_C(253402300799999999); /* end of the year 9999 */
    uint64_t us = (uint64_t)(wall_us < 0 ? 0 : wall_us > last ? last : wall_us), s = us / 1000000;
    uint32_t of_day = (uint32_t)(s % 86400);
    *o->p++ = '"';
    put_date(o, (uint32_t)(s / 86400));
    *o->p++ = 'T';
    put_digits(o, of_day / 3600, 2);
    *o->p++ = ':';
    put_digits(o, of_day / 60 % 60, 2);
    *o->p++ = ':';
    put_digits(o, of_day % 60, 2);
    *o->p++ = '.';
    put_digits(o, (uint32_t)(us % 1000000), 6);
    PUT_LIT(o, "+0000\"");
}

/* ---- strangers' text ---- */

enum { ESCAPED = 12 }; /* most bytes that one character becomes */

/* What a byte that begins a character needs: 0 nothing, 'u' \u00XX, 'm' more bytes (UTF-8), else a short
 * escape. */
static const uint8_t escape[256] = {
    [0 ... 7] = 'u', ['\b'] = 'b',      ['\t'] = 't', ['\n'] = 'n',  [11] = 'u',  ['\f'] = 'f',
    ['\r'] = 'r',    [14 ... 31] = 'u', ['"'] = '"',  ['\\'] = '\\', [127] = 'u', [128 ... 255] = 'm',
};

static size_t unicode_escape(uint8_t *to, uint32_t cp)
{
    to[0] = '\\';
    to[1] = 'u';
    for (int i = 0; i < 4; i++)
        to[2 + i] = (uint8_t) "0123456789abcdef"[cp >> (12 - 4 * i) & 15];
    return 6;
}

static size_t replacement(uint8_t *to)
{
    to[0] = 0xef; /* U+FFFD */
    to[1] = 0xbf;
    to[2] = 0xbd;
    return 3;
}

/* A character of more than one byte; the bytes it took are added to *at. */
static size_t escape_wide(span s, size_t *at, uint8_t to[ESCAPED])
{
    uint32_t cp;
    size_t len = utf8_at(s, *at, &cp);
    const uint8_t *from = s.p + *at;
    *at += len ? len : 1;
    if (len == 0)
        return replacement(to);
    if (!utf8_is_invisible(cp)) {
        memcpy(to, from, len);
        return len;
    }
    if (cp < 0x10000)
        return unicode_escape(to, cp);
    size_t n = unicode_escape(to, 0xd800 + ((cp - 0x10000) >> 10)); /* RFC 8259 section 7: surrogate pair */
    return n + unicode_escape(to + n, 0xdc00 + (cp & 0x3ff));
}

/* One character of s that needs it as JSON text; the bytes it took are added to *at. */
static size_t escape_one(span s, size_t *at, uint8_t to[ESCAPED])
{
    uint8_t c = s.p[*at], how = escape[c];
    if (how == 'm')
        return escape_wide(s, at, to);
    (*at)++;
    if (c == 0) /* valid JSON as \u0000, but databases behind a SIEM refuse the whole line */
        return replacement(to);
    if (how == 'u')
        return unicode_escape(to, c);
    to[0] = '\\';
    to[1] = how;
    return 2;
}

#define EACH_BYTE(v) (UINT64_C(0x0101010101010101) * (v))

/* Eight bytes of which none needs an escape? Each subtraction sets the top bit of a byte that is below 0x20,
 * '"', '\\' or 0x7f; a borrow can only come from such a byte. */
static bool all_plain(uint64_t w)
{
    return ((w | (w - EACH_BYTE(0x20)) | ((w ^ EACH_BYTE('"')) - EACH_BYTE(1)) |
             ((w ^ EACH_BYTE('\\')) - EACH_BYTE(1)) | ((w ^ EACH_BYTE(0x7f)) - EACH_BYTE(1))) &
            EACH_BYTE(0x80)) == 0;
}

/* Sixteen bytes, each all ones where it needs an escape. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static INLINE bytes16 escapes_at(const uint8_t *p)
{
    bytes16 b;
    memcpy(&b, p, sizeof b);
    return (bytes16)((b < 0x20) | (b == '"') | (b == '\\') | (b >= 0x7f));
}

/* At least sixteen bytes. */
static bool is_long_plain(span s)
{
    uint64_t halves[2];
    bytes16 found = escapes_at(s.p + s.n - sizeof found);
    for (size_t i = 0; i + sizeof found < s.n; i += sizeof found)
        found |= escapes_at(s.p + i);
    memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) == 0;
}

static uint64_t eight_at(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static uint64_t four_at(const uint8_t *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* Most strings are; the last bytes are looked at beside some that were seen already. */
static bool is_plain(span s)
{
    if (s.n >= 16)
        return is_long_plain(s);
    if (s.n >= 8)
        return all_plain(eight_at(s.p)) && all_plain(eight_at(s.p + s.n - 8));
    if (s.n >= 4)
        return all_plain(four_at(s.p) << 32 | four_at(s.p + s.n - 4));
    for (size_t i = 0; i < s.n; i++) {
        if (escape[s.p[i]] != 0)
            return false;
    }
    return true;
}

/* Bytes from `at` on that stand for themselves. */
static size_t plain_run(span s, size_t at)
{
    size_t end = at;
    while (s.n - end >= 8 && all_plain(eight_at(s.p + end)))
        end += 8;
    while (end < s.n && escape[s.p[end]] == 0)
        end++;
    return end - at;
}

/* At most cap bytes; true when it had to be cut. */
static bool put_escaped(struct out *o, span s, size_t cap)
{
    uint8_t one[ESCAPED];
    bool cut = false;
    for (size_t at = 0; at < s.n && !cut;) {
        size_t n = plain_run(s, at);
        cut = n > cap;
        n = cut ? cap : n;
        put_raw(o, s.p + at, n);
        at += n;
        cap -= n;
        if (cut || at == s.n)
            break;
        n = escape_one(s, &at, one);
        cut = n > cap;
        if (!cut) {
            put_raw(o, one, n);
            cap -= n;
        }
    }
    return cut;
}

/* A JSON string of at most cap bytes between its quotes; true when it had to be cut. */
static bool put_text(struct out *o, span s, size_t cap)
{
    bool cut = false;
    *o->p++ = '"';
    if (s.n <= cap && is_plain(s))
        put_raw(o, s.p, s.n);
    else
        cut = put_escaped(o, s, cap);
    *o->p++ = '"';
    return cut;
}

/* ---- members ---- */

static INLINE void put_key(struct out *o, enum event_field f)
{
    if (!o->first)
        *o->p++ = ',';
    o->first = false;
    put_raw(o, field[f].key, field[f].key_n);
}

static INLINE void put_span(struct out *o, enum event_field f, span s)
{
    if (s.n == 0)
        return;
    put_key(o, f);
    if (put_text(o, s, field[f].cap))
        o->any_cut = o->cut[f] = true;
}

static INLINE void put_str(struct out *o, enum event_field f, const char *s)
{
    if (s)
        put_span(o, f, span_str(s));
}

static INLINE void put_num(struct out *o, enum event_field f, uint64_t v)
{
    put_key(o, f);
    put_u64(o, v);
}

static INLINE void put_num_unless_0(struct out *o, enum event_field f, uint64_t v)
{
    if (v)
        put_num(o, f, v);
}

static void put_when(struct out *o, enum event_field f, int64_t wall_us)
{
    put_key(o, f);
    put_time(o, wall_us);
}

/* RFC 5952: the first longest run of two or more zero groups becomes "::". */
static void put_v6(struct out *o, const uint8_t b[16])
{
    uint16_t g[8];
    size_t run = 8, run_n = 1;
    for (size_t i = 0; i < 8; i++)
        g[i] = (uint16_t)(b[2 * i] << 8 | b[2 * i + 1]);
    for (size_t i = 0, n; i < 8; i += n + 1) {
        for (n = 0; i + n < 8 && g[i + n] == 0; n++)
            ;
        if (n > run_n) {
            run = i;
            run_n = n;
        }
    }
    for (size_t i = 0; i < 8; i++) {
        if (i == run) {
            PUT_LIT(o, "::");
            i += run_n - 1;
            continue;
        }
        if (i > 0 && i != run + run_n)
            *o->p++ = ':';
        bool shown = false;
        for (int shift = 12; shift >= 0; shift -= 4) {
            unsigned digit = g[i] >> shift & 15;
            shown = shown || digit || shift == 0;
            if (shown)
                *o->p++ = (uint8_t) "0123456789abcdef"[digit];
        }
    }
}

static void put_v4(struct out *o, const uint8_t b[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (i)
            *o->p++ = '.';
        put_u64(o, b[i]);
    }
}

static void put_addr(struct out *o, enum event_field f, const struct addr *a)
{
    if (a->family == 0)
        return;
    put_key(o, f);
    *o->p++ = '"';
    if (a->family == 4)
        put_v4(o, a->b);
    else
        put_v6(o, a->b);
    *o->p++ = '"';
}

#define OPEN(o, name)                 \
    do {                              \
        if (!(o)->first)              \
            *(o)->p++ = ',';          \
        (o)->first = true;            \
        PUT_LIT(o, "\"" name "\":{"); \
    } while (0)

static void shut(struct out *o)
{
    *o->p++ = '}';
    o->first = false;
}

/* ---- objects ---- */

static void put_head(struct out *o, int64_t wall_us, const char *type)
{
    *o->p++ = '{';
    o->first = true;
    put_when(o, EVENT_TIMESTAMP, wall_us);
    put_str(o, EVENT_EVENT_TYPE, type);
}

static void put_flow_id(struct out *o, const struct event_flow_id *id, const char *app_proto, span node)
{
    put_num(o, EVENT_FLOW_ID, id->flow_id);
    put_addr(o, EVENT_SRC_IP, &id->src);
    put_num_unless_0(o, EVENT_SRC_PORT, id->src_port);
    put_addr(o, EVENT_DEST_IP, &id->dst);
    put_num_unless_0(o, EVENT_DEST_PORT, id->dst_port);
    put_str(o, EVENT_PROTO, "TCP");
    put_str(o, EVENT_APP_PROTO, app_proto);
    put_span(o, EVENT_HOST, node);
}

static void put_times(struct out *o, const struct event_perron *p)
{
    if (!(p->t_hello | p->t_decide | p->t_resolve | p->t_connect | p->t_upstream | p->t_mint |
          p->t_client_tls | p->t_total))
        return;
    OPEN(o, "times_us");
    put_num_unless_0(o, EVENT_T_HELLO, p->t_hello);
    put_num_unless_0(o, EVENT_T_DECIDE, p->t_decide);
    put_num_unless_0(o, EVENT_T_RESOLVE, p->t_resolve);
    put_num_unless_0(o, EVENT_T_CONNECT, p->t_connect);
    put_num_unless_0(o, EVENT_T_UPSTREAM, p->t_upstream);
    put_num_unless_0(o, EVENT_T_MINT, p->t_mint);
    put_num_unless_0(o, EVENT_T_CLIENT_TLS, p->t_client_tls);
    put_num_unless_0(o, EVENT_T_TOTAL, p->t_total);
    shut(o);
}

static void put_decision(struct out *o, const struct event_perron *p)
{
    put_str(o, EVENT_CODE, p->code);
    put_str(o, EVENT_ACTION, p->action);
    put_str(o, EVENT_REASON, p->reason ? p->reason : "internal");
    put_span(o, EVENT_DETAIL, p->detail);
    put_span(o, EVENT_RULE, p->rule);
    put_span(o, EVENT_RULE_AT, p->rule_at);
    put_span(o, EVENT_CATEGORY, p->category);
    if (p->grant) {
        put_key(o, EVENT_GRANT);
        put_u64(o, p->grant);
    }
    put_str(o, EVENT_LIFTED, p->lifted);
    if (p->observed) {
        put_key(o, EVENT_OBSERVED);
        PUT_LIT(o, "true");
    }
    put_span(o, EVENT_SET, p->set);
    put_span(o, EVENT_CHANGED, p->changed);
    put_span(o, EVENT_LOG, p->log);
    put_span(o, EVENT_ZONE, p->zone);
    put_span(o, EVENT_USER, p->user);
    put_str(o, EVENT_SNAPSHOT, p->snapshot);
    put_str(o, EVENT_WAY, p->way);
    put_str(o, EVENT_MODE, p->mode);
    put_times(o, p);
}

static void put_cut(struct out *o)
{
    if (!o->any_cut)
        return;
    PUT_LIT(o, ",\"cut\":[");
    bool first = true;
    for (size_t f = 0; f < EVENT_FIELDS; f++) {
        if (!o->cut[f])
            continue;
        if (!first)
            *o->p++ = ',';
        first = false;
        put_raw(o, field[f].key, (size_t)field[f].key_n - 1);
    }
    *o->p++ = ']';
}

/* The line's end, always in these words: identity.c reads them back. */
static void put_identity(struct out *o, const struct event_perron *p)
{
    put_cut(o);
    put_num(o, EVENT_WORKER, p->worker);
    put_key(o, EVENT_BOOT);
    *o->p++ = '"';
    put_hex64(o, p->boot);
    *o->p++ = '"';
    put_num(o, EVENT_SEQ, p->seq);
    PUT_LIT(o, "}}");
}

static enum rc begin(struct buf *out, struct out *o)
{
    buf_clear(out);
    TRY(buf_reserve(out, LIM_EVENT_BYTES));
    o->p = out->p + out->w;
    return RC_OK;
}

static enum rc finish(struct buf *out, const struct out *o)
{
    out->w = (size_t)(o->p - out->p);
    gw_assert(buf_len(out) <= LIM_EVENT_BYTES);
    return RC_OK;
}

/* A path that still has its query loses it here: the last place where that can be seen to. */
static span without_query(span path, bool *had)
{
    for (size_t i = 0; i < path.n; i++) {
        if (path.p[i] == '?' || path.p[i] == '#') {
            *had = true;
            return span_cut(path, 0, i);
        }
    }
    return path;
}

enum rc event_http_json(struct buf *out, const struct event_http *e)
{
    struct out o = {0};
    bool query = e->had_query;
    TRY(begin(out, &o));
    put_head(&o, e->id.wall_us, "http");
    put_flow_id(&o, &e->id, "http", e->perron.node);
    put_num(&o, EVENT_TX_ID, e->tx_id);
    OPEN(&o, "http");
    put_span(&o, EVENT_HOSTNAME, e->hostname);
    put_num_unless_0(&o, EVENT_HTTP_PORT, e->port);
    put_span(&o, EVENT_URL, without_query(e->path, &query));
    put_span(&o, EVENT_USER_AGENT, e->user_agent);
    put_span(&o, EVENT_CONTENT_TYPE, e->content_type);
    put_span(&o, EVENT_REFER, e->referer_host);
    put_span(&o, EVENT_METHOD, e->method);
    put_span(&o, EVENT_PROTOCOL, e->protocol);
    put_num_unless_0(&o, EVENT_STATUS, e->status);
    put_num(&o, EVENT_LENGTH, e->bytes);
    shut(&o);
    OPEN(&o, "perron");
    put_decision(&o, &e->perron);
    if (query) {
        put_key(&o, EVENT_QUERY);
        PUT_LIT(&o, "true");
    }
    put_num_unless_0(&o, EVENT_BYTES_UP, e->bytes_up);
    put_identity(&o, &e->perron);
    return finish(out, &o);
}

/* EVE's own few reasons, where ours is one of them. */
static const char *eve_reason(const struct event_perron *p)
{
    span why = span_str(p->reason);
    if (span_eq(why, SPAN("shutdown")))
        return "shutdown";
    if (span_eq(why, SPAN("idle")) || span_has_suffix(why, SPAN("timeout")))
        return "timeout";
    bool stopped = p->action && !p->observed && span_eq(span_str(p->action), SPAN("block"));
    return stopped ? "forced" : NULL;
}

static void put_flow(struct out *o, const struct event_flow *e)
{
    uint64_t age_us = e->id.wall_us > e->start_us ? (uint64_t)e->id.wall_us - (uint64_t)e->start_us : 0;
    OPEN(o, "flow");
    put_num(o, EVENT_TOSERVER, e->bytes_toserver);
    put_num(o, EVENT_TOCLIENT, e->bytes_toclient);
    put_when(o, EVENT_START, e->start_us);
    put_when(o, EVENT_END, e->id.wall_us);
    put_num(o, EVENT_AGE, age_us / 1000000);
    put_str(o, EVENT_STATE, "closed");
    put_str(o, EVENT_FLOW_REASON, eve_reason(&e->perron));
    put_num(o, EVENT_TX_CNT, e->exchanges);
    shut(o);
}

static void put_tls(struct out *o, const struct event_flow *e)
{
    OPEN(o, "tls");
    put_span(o, EVENT_SUBJECT, e->subject);
    put_span(o, EVENT_ISSUERDN, e->issuer);
    put_span(o, EVENT_SNI, e->sni);
    put_str(o, EVENT_TLS_VERSION, e->version);
    put_span(o, EVENT_JA4, e->ja4);
    if (e->alpn.n) {
        put_key(o, EVENT_ALPN);
        *o->p++ = '[';
        if (put_text(o, e->alpn, field[EVENT_ALPN].cap - 2))
            o->any_cut = o->cut[EVENT_ALPN] = true;
        *o->p++ = ']';
    }
    shut(o);
}

enum rc event_flow_json(struct buf *out, const struct event_flow *e)
{
    struct out o = {0};
    TRY(begin(out, &o));
    put_head(&o, e->id.wall_us, "flow");
    put_flow_id(&o, &e->id, e->tls ? "tls" : "http", e->perron.node);
    put_flow(&o, e);
    if (e->tls)
        put_tls(&o, e);
    OPEN(&o, "perron");
    put_decision(&o, &e->perron);
    put_str(&o, EVENT_DEFECT, e->defect);
    put_str(&o, EVENT_ECH, e->ech ? "true" : NULL);
    put_str(&o, EVENT_REVOCATION, e->revocation);
    put_str(&o, EVENT_ORIGIN_TLS, e->origin_tls);
    put_str(&o, EVENT_CLIENT_TLS, e->client_tls);
    put_identity(&o, &e->perron);
    return finish(out, &o);
}

enum rc event_policy_json(struct buf *out, const struct event_policy *e)
{
    struct out o = {0};
    TRY(begin(out, &o));
    put_head(&o, e->wall_us, "engine");
    put_span(&o, EVENT_HOST, e->perron.node);
    OPEN(&o, "engine");
    put_str(&o, EVENT_MESSAGE,
            e->message                            ? e->message
            : span_eq(e->outcome, SPAN("loaded")) ? "a policy is in force"
                                                  : "a policy was refused");
    put_str(&o, EVENT_MODULE, "policy");
    shut(&o);
    OPEN(&o, "perron");
    put_decision(&o, &e->perron);
    put_span(&o, EVENT_WHO, e->who);
    put_span(&o, EVENT_FILE, e->file);
    put_span(&o, EVENT_OUTCOME, e->outcome);
    put_str(&o, EVENT_OLD, e->old_hash);
    put_str(&o, EVENT_NEW, e->new_hash);
    put_identity(&o, &e->perron);
    return finish(out, &o);
}

enum rc event_note_json(struct buf *out, const struct event_note *e)
{
    struct out o = {0};
    TRY(begin(out, &o));
    put_head(&o, e->wall_us, "engine");
    put_span(&o, EVENT_HOST, e->perron.node);
    OPEN(&o, "engine");
    put_str(&o, EVENT_MESSAGE, e->message);
    put_str(&o, EVENT_MODULE, e->module ? e->module : "logger");
    shut(&o);
    OPEN(&o, "perron");
    put_decision(&o, &e->perron);
    if (!e->process) {
        put_identity(&o, &e->perron);
        return finish(out, &o);
    }
    put_str(&o, EVENT_PROCESS, e->process);
    put_cut(&o);
    put_key(&o, EVENT_BOOT);
    *o.p++ = '"';
    put_hex64(&o, e->perron.boot);
    PUT_LIT(&o, "\"}}");
    return finish(out, &o);
}
