/* Look-ups in field.tbl; see field.h. Rows are few and most names differ in length, so the table is walked.
 */
#include "gw/http/field.h"

#include "gw/base/obj.h"

enum { HOP = 1, END = 2, HEAD = 4 };

struct row {
    uint8_t n, flags;
    const char *name;
};

static const struct row rows[] = {
#define F(name, flags) {sizeof(name) - 1, flags, name},
#include "gw/http/field.tbl"
#undef F
};

/* Those rows stand first. */
static const size_t n_hop = 0
#define F(name, flags) +((flags)&HOP ? 1 : 0)
#include "gw/http/field.tbl"
#undef F
    ;

/* Lengths of the names that are hop by hop: one test sends most others on their way. */
static const uint32_t hop_lengths = 0
#define F(name, flags) | ((flags)&HOP ? UINT32_C(1) << (sizeof(name) - 1) : 0)
#include "gw/http/field.tbl"
#undef F
    ;

/* Families whose members all are END | HEAD; the last ones belong to `set` rules (tenant.tbl). */
static const char *const families[] = {
    "accept",         "access-control-",     "content-",         "if-",
    "sec-",           "x-forwarded-",        "restrict-access-", "x-googapps-",
    "x-slack-",       "youtube-restrict",    "x-dropbox-",       "x-client-ip",
    "true-client-ip", "client-ip",           "x-forwarded",      "x-originating-ip",
    "x-remote-",      "x-cluster-client-ip", "x-proxyuser-ip"};

/* Origins read `_` as `-` in names. */
static bool begins_as(span name, span family)
{
    for (size_t i = 0; i < family.n; i++) {
        if (i == name.n || (name.p[i] == '_' ? '-' : ascii_lower(name.p[i])) != family.p[i])
            return false;
    }
    return true;
}

static unsigned flags_of(span name)
{
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        if (rows[i].n == name.n && begins_as(name, span_of(rows[i].name, rows[i].n)))
            return rows[i].flags;
    }
    for (size_t i = 0; i < N_ELEMS(families); i++) {
        span family = span_str(families[i]);
        if (begins_as(name, family))
            return END | HEAD;
    }
    return 0;
}

bool field_is_hop(span name)
{
    if (name.n == 0 || name.n >= 32 || !(hop_lengths >> name.n & 1))
        return false;
    for (size_t i = 0; i < n_hop; i++) {
        if (rows[i].n == name.n && ascii_lower(name.p[0]) == (uint8_t)rows[i].name[0] &&
            span_ieq(name, span_of(rows[i].name, rows[i].n)))
            return true;
    }
    return false;
}

bool field_is_end_to_end(span name)
{
    return flags_of(name) & END;
}

bool field_may_trail(span name)
{
    return !(flags_of(name) & HEAD);
}
