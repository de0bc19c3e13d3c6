/* Grants: approved requests that let people past `block` and `warn` until a moment, and zones in which
 * nothing is intercepted for a while. They are a part of the snapshot of their own, so that one is live
 * within a second and is in the snapshot's name; all names are text, so that a change of the policy needs no
 * new part.
 *
 * The part: a head, records sorted by kind, target, scope and person, then the bytes of their texts. A part
 * of no bytes has no grants. The checker looks at every offset and at the order; look-ups are binary
 * searches. */
#ifndef POLICY_GRANTS_H
#define POLICY_GRANTS_H

#include "gw/base/buf.h"

enum grant_kind {
    GRANT_URL,      /* target "host/path": exactly this */
    GRANT_NAME,     /* a host name and all below it, or an address as text */
    GRANT_CATEGORY, /* name of a category */
    GRANT_EXEMPT,   /* name of a zone: as if it had `ca none` */
    GRANT_KINDS
};
/* Narrowest first: in this order they are tried. */
enum grant_scope {
    GRANT_FOR_USER,
    GRANT_FOR_ADDRESS,
    GRANT_FOR_GROUP,
    GRANT_FOR_ZONE,
    GRANT_FOR_ALL,
    GRANT_SCOPES
};
const char *grant_kind_text(enum grant_kind k);
const char *grant_scope_text(enum grant_scope s);

struct grant {
    uint32_t id; /* never 0 */
    enum grant_kind kind;
    enum grant_scope scope;
    int64_t since_s, until_s; /* [since, until) in UTC seconds */
    span target, who;         /* who: empty for all */
    span by, reason;
};

struct grant_rec;
/* An open part; borrows its bytes. */
struct grants {
    const struct grant_rec *v;
    uint32_t n, n_exempt, n_urls;
    const uint8_t *bytes;
};

/* The bytes of a part with these grants, appended to `out`; none: nothing is appended. LIMIT: more than
 * LIM_GRANTS, or texts too long. */
enum rc grants_build(const struct grant *v, size_t n, struct buf *out) MUST_USE;
/* BAD when anything is off. `part` must be 8-byte aligned. */
enum rc grants_open(span part, struct grants *out) MUST_USE;
struct grant grants_at(const struct grants *g, uint32_t i);
bool grants_by_id(const struct grants *g, uint32_t id, struct grant *out);

enum { GRANTS_GROUPS = 64, GRANTS_CATS = 64 };
#define GRANTED_ANY UINT32_MAX
/* Who asks for what, and when. */
struct grants_query {
    span user, address, zone; /* empty: nobody, none */
    uint32_t granted;         /* in place of a user: the number of a grant for one that counts; 0: none;
                                 GRANTED_ANY: each does */
    span group[GRANTS_GROUPS];
    size_t n_groups;
    /* Groups beside those, however many: false at the end; an empty name is none. NULL: no more. */
    bool (*more)(const void *arg, size_t i, span *name);
    const void *arg;
    span name; /* or the address as text */
    span path;
    bool path_known;
    span cat[GRANTS_CATS];
    size_t n_cats;
    int64_t time_s;
};
enum grants_word { GRANTS_NO, GRANTS_OPEN /* one may, once the path is known */, GRANTS_YES };
/* The narrowest grant that lets this through; of one scope the narrowest target. OPEN: out is that one. */
enum grants_word grants_find(const struct grants *g, const struct grants_query *q, struct grant *out);
/* Is nothing intercepted in this zone at this moment? */
bool grants_exempt(const struct grants *g, span zone, int64_t time_s, struct grant *out);

#endif
