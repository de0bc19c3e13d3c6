/* Any bytes as a part of grants: refused, or every look-up stays inside and keeps its promises. */
#include "policy/grants.h"

#include <stdlib.h>

#include "gw/base/obj.h"

static void ask(const struct grants *g, span name, span user, bool path_known, int64_t time_s)
{
    struct grant out;
    struct grants_query q = {.name = name,
                             .user = user,
                             .address = SPAN("10.0.0.1"),
                             .zone = SPAN("lan"),
                             .path = SPAN("/"),
                             .path_known = path_known,
                             .group = {SPAN("pupils"), user},
                             .n_groups = 2,
                             .cat = {SPAN("games")},
                             .n_cats = 1,
                             .time_s = time_s};
    enum grants_word word = grants_find(g, &q, &out);
    if (word != GRANTS_NO)
        gw_assert(out.id && out.kind != GRANT_EXEMPT && out.since_s <= time_s && time_s < out.until_s);
    if (path_known)
        gw_assert(word != GRANTS_OPEN);
    if (grants_exempt(g, SPAN("lan"), time_s, &out))
        gw_assert(out.kind == GRANT_EXEMPT && span_eq(out.target, SPAN("lan")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grants g;
    uint64_t *aligned = malloc(size + 8);
    gw_assert(aligned);
    if (size)
        memcpy(aligned, data, size);
    if (grants_open(span_of(aligned, size), &g) == RC_OK) {
        for (uint32_t i = 0; i < g.n; i++) {
            struct grant one = grants_at(&g, i), again;
            gw_assert(grants_by_id(&g, one.id, &again));
            ask(&g, one.target, one.who, i % 2, one.since_s);
            ask(&g, SPAN("www.casino.test"), one.who, i % 2 == 0, one.until_s - 1);
        }
        ask(&g, SPAN(""), SPAN(""), false, INT64_MAX);
    }
    free(aligned);
    return 0;
}
