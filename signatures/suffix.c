/* Public suffixes; see suffix.h. */
#include "signatures/suffix.h"

#include <libpsl.h>
#include <stdio.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "signatures/catfile.h"

enum { SHA1_TEXT = 2 * SHA1_BYTES + 1 };

/* ---- the rules ---- */

static uint64_t bits(uint64_t h)
{
    return UINT64_C(1) << (h & 63) | UINT64_C(1) << (h >> 6 & 63) | UINT64_C(1) << (h >> 12 & 63);
}

static size_t rule_word(uint64_t h)
{
    return (h >> 32) % SUFFIX_WORDS;
}

static size_t wild_word(uint64_t h)
{
    return (h >> 32) % SUFFIX_WILD_WORDS;
}

/* Whether a rule may be about the name. */
static bool may_have(const struct suffixes *s, const struct catkey_hashes *h)
{
    return (s->rules[rule_word(h->own)] & bits(h->own)) == bits(h->own) ||
           (s->wild[wild_word(h->parent)] & bits(h->parent)) == bits(h->parent);
}

static bool is_list_of_libpsl(span text)
{
    uint8_t digest[SHA1_BYTES];
    char hex[SHA1_TEXT];
    const char *want = psl_builtin_sha1sum();
    if (!want || sha1(text, digest) != RC_OK)
        return false;
    for (unsigned i = 0; i < SHA1_BYTES; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    return span_ieq(span_str(hex), span_str(want));
}

/* `co.uk`, `*.ck`, `!www.ck`; a line may also be empty or a comment. Whatever stands behind the name is none
 * of it. False: a line that we do not understand, so that something may be missing. */
static bool add_rule(struct suffixes *s, const uint64_t seed[4], span line)
{
    struct catkey key;
    size_t n = 0;
    while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t' && line.p[n] != '\r')
        n++;
    span rule = span_cut(line, 0, n);
    if (rule.n == 0 || span_has_prefix(rule, SPAN("//")))
        return true;
    bool wild = span_has_prefix(rule, SPAN("*."));
    rule = span_cut(rule, wild ? 2 : rule.p[0] == '!', rule.n);
    if (!catkey_host(rule, &key) || key.kind != CATKEY_NAME)
        return false;
    uint64_t h = catkey_hash_name(seed, span_of(key.text, key.n), NULL);
    s->rules[rule_word(h)] |=
        bits(h); /* of a name with `*.` before it too, as libpsl takes that for a suffix */
    if (wild)
        s->wild[wild_word(h)] |= bits(h);
    return true;
}

void suffixes_init(struct suffixes *s, const uint64_t seed[4])
{
    const char *path = psl_builtin_filename();
    struct buf text;
    *s = (struct suffixes){0};
    buf_init(&text, LIM_LIST_BYTES);
    s->known = path && catfile_read(path, &text, NULL) == RC_OK && is_list_of_libpsl(buf_span(&text));
    for (span rest = buf_span(&text); s->known && rest.n;) {
        span line = span_cut(rest, 0, span_find(rest, '\n', 0));
        s->known = add_rule(s, seed, line);
        rest = span_cut(rest, line.n + 1, rest.n);
    }
    buf_fini(&text);
}

/* ---- the question ---- */

/* Second-level names that a country gives to many, and that not all countries have in the public suffix list:
 * gov.be. */
static bool is_shared_second_level(span label)
{
    static const char *const shared[] = {"gov", "gouv", "gob", "govt", "fgov", "mil", "edu",
                                         "ac",  "co",   "com", "net",  "org",  "go"};
    for (size_t i = 0; i < N_ELEMS(shared); i++) {
        if (span_eq(label, span_str(shared[i])))
            return true;
    }
    return false;
}

bool suffixes_have(const struct suffixes *s, span name, const struct catkey_hashes *h)
{
    char z[LIM_NAME_BYTES + 1];
    size_t dot = span_find(name, '.', 0);
    if (dot == SIZE_MAX)
        return true;
    if (name.n - dot == 3 && dot <= 4 && is_shared_second_level(span_cut(name, 0, dot)))
        return true;
    if (s->known && !may_have(s, h))
        return false;
    memcpy(z, name.p, name.n);
    z[name.n] = '\0';
    return psl_is_public_suffix2(psl_builtin(), z, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) != 0;
}
