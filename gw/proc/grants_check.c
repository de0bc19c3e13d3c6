/* What a grant must be; see grants_check.h. */
#include "gw/proc/grants_check.h"

#include "gw/base/addr.h"
#include "gw/base/limits.h"
#include "gw/base/utf8.h"
#include "policy/grants_ask.h"
#include "policy/snapshot.h"
#include "signatures/catkey.h"

enum { DAY_S = 86400, HOUR_S = 3600, WORDS_MOST = 512 };

#define SHOWN(s) (int)utf8_cut(s, 200).n, (const char *)((s).p ? (s).p : (const uint8_t *)"")

bool grant_kind_of(const char *word, enum grant_kind *out)
{
    for (unsigned k = 0; k < GRANT_KINDS; k++) {
        if (span_eq(span_str(word), span_str(grant_kind_text(k)))) {
            *out = (enum grant_kind)k;
            return true;
        }
    }
    return false;
}

bool grant_scope_of(const char *word, enum grant_scope *out)
{
    for (unsigned s = 0; s < GRANT_SCOPES; s++) {
        if (span_eq(span_str(word), span_str(grant_scope_text(s)))) {
            *out = (enum grant_scope)s;
            return true;
        }
    }
    return false;
}

static enum rc refuse(struct buf *err, const char *sentence, span what)
{
    return buf_printf(err, "%s%.*s", sentence, SHOWN(what)) == RC_OK ? RC_CONFIG : RC_NOMEM;
}

/* Nothing in it that a terminal would obey or hide. */
static bool all_shown(span s)
{
    bool shown = true;
    for (size_t i = 0; i < s.n && shown;)
        i += utf8_shown(s, i, &shown);
    return shown;
}

bool grant_sentence(span s)
{
    return span_trim(s).n && s.n <= WORDS_MOST && all_shown(s);
}

/* ---- what for ---- */

static size_t normal_host(span host, uint8_t *out)
{
    struct addr a;
    char text[ADDR_TEXT];
    if (addr_parse(host, &a)) {
        span s = span_str(addr_text(&a, text));
        memcpy(out, s.p, s.n);
        return s.n;
    }
    return catkey_name(host, out);
}

/* "https://host/path?query" -> "host/path". A query is never looked at, so it would mean every query. */
static enum rc normal_url(struct grant *g, uint8_t room[GRANT_ROOM], struct buf *err)
{
    span s = g->target;
    span scheme = span_has_prefix(s, SPAN("https://")) ? SPAN("https://") : SPAN("http://");
    if (!span_has_prefix(s, scheme))
        return refuse(err, "a URL begins with https:// or http://: ", s);
    s = span_cut(s, scheme.n, s.n);
    size_t slash = span_find(s, '/', 0);
    span path = slash == SIZE_MAX ? SPAN("/") : span_cut(s, slash, s.n);
    if (span_find(path, '?', 0) != SIZE_MAX || span_find(path, '#', 0) != SIZE_MAX)
        return refuse(err, "a grant cannot hang on what stands behind ? or #: ", g->target);
    span host = span_cut(s, 0, slash);
    if (path.n > LIM_GRANT_TEXT - LIM_NAME_BYTES || host.n > LIM_NAME_BYTES)
        return refuse(err, "this URL is too long: ", host);
    if (!all_shown(path))
        return refuse(err, "this URL has characters that cannot be seen; write them with %: ", g->target);
    size_t n = normal_host(host, room);
    if (n == 0)
        return refuse(err, "this is not a host name: ", host);
    memcpy(room + n, path.p, path.n);
    g->target = span_of(room, n + path.n);
    return RC_OK;
}

static enum rc check_target(const struct snapshot *s, struct grant *g, uint8_t room[GRANT_ROOM],
                            struct buf *err)
{
    if (g->kind == GRANT_URL)
        return normal_url(g, room, err);
    if (g->kind == GRANT_CATEGORY)
        return snapshot_knows_category(s, g->target)
                   ? RC_OK
                   : refuse(err, "the policy in force has no category ", g->target);
    if (g->kind == GRANT_EXEMPT)
        return snapshot_knows_zone(s, g->target) ? RC_OK
                                                 : refuse(err, "the policy in force has no zone ", g->target);
    size_t n = g->target.n <= LIM_NAME_BYTES + 1 ? normal_host(g->target, room) : 0;
    if (n == 0)
        return refuse(err, "this is not a host name: ", g->target);
    g->target = span_of(room, n);
    return RC_OK;
}

/* ---- for whom ---- */

static enum rc check_who(const struct snapshot *s, struct grant *g, uint8_t *room, struct buf *err)
{
    struct addr a;
    char text[ADDR_TEXT];
    if (g->scope != GRANT_FOR_ALL && !grant_sentence(g->who))
        return refuse(err, g->who.n ? "this is no name: " : "for whom? The name is missing", g->who);
    switch (g->scope) {
    case GRANT_FOR_GROUP:
        return snapshot_knows_group(s, g->who) ? RC_OK
                                               : refuse(err, "the policy in force has no group ", g->who);
    case GRANT_FOR_ZONE:
        return snapshot_knows_zone(s, g->who) ? RC_OK
                                              : refuse(err, "the policy in force has no zone ", g->who);
    case GRANT_FOR_ADDRESS:
        if (!addr_parse(g->who, &a))
            return refuse(err, "this is not an address: ", g->who);
        g->who = span_str(addr_text(&a, text));
        memcpy(room, g->who.p, g->who.n);
        g->who.p = room;
        return RC_OK;
    case GRANT_FOR_ALL: g->who = SPAN_NONE; return RC_OK;
    default: return RC_OK;
    }
}

/* ---- until when, by whom, why ---- */

static enum rc check_words(const struct grant *g, int64_t now_s, struct buf *err)
{
    int64_t most =
        g->kind == GRANT_EXEMPT ? LIM_EXEMPT_HOURS * (int64_t)HOUR_S : LIM_GRANT_DAYS * (int64_t)DAY_S;
    if (!grant_sentence(g->by))
        return refuse(err, "--by wants who answers for it, in at most 512 bytes that can all be seen",
                      SPAN_NONE);
    if (!grant_sentence(g->reason))
        return refuse(err, "--reason wants a sentence of at most 512 bytes that can all be seen", SPAN_NONE);
    if (g->until_s <= now_s)
        return refuse(err, "its end has passed already", SPAN_NONE);
    if (g->until_s - now_s > most)
        return refuse(err,
                      g->kind == GRANT_EXEMPT ? "an exemption lasts 24 hours at most"
                                              : "a grant lasts 366 days at most",
                      SPAN_NONE);
    return RC_OK;
}

enum rc grant_check(const struct snapshot *s, struct grant *g, int64_t now_s, uint8_t room[GRANT_ROOM],
                    struct buf *err)
{
    TRY(check_words(g, now_s, err));
    TRY(check_target(s, g, room, err));
    TRY(check_who(s, g, room + GRANT_ROOM - ADDR_TEXT, err));
    uint32_t rule = snapshot_forbids(s, g, now_s);
    if (rule == RULE_NONE)
        return RC_OK;
    struct rule_info r = snapshot_rule(s, rule);
    return buf_printf(err, "rule `%.*s` (%.*s:%u) does not allow grants", SHOWN(r.text), SHOWN(r.file),
                      r.line) == RC_OK
               ? RC_CONFIG
               : RC_NOMEM;
}

enum rc grant_describe(const struct grant *g, struct buf *out)
{
    if (g->kind == GRANT_EXEMPT)
        return buf_printf(out, "exempt zone %.*s", SHOWN(g->target));
    TRY(buf_printf(out, "grant %s %.*s for %s", grant_kind_text(g->kind), SHOWN(g->target),
                   grant_scope_text(g->scope)));
    return g->who.n ? buf_printf(out, " %.*s", SHOWN(g->who)) : RC_OK;
}
