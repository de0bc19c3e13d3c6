/* A policy part from anybody: refused, or safe to ask in every way. */
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/obj.h"
#include "policy/part.h"
#include "signatures/catc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Lists as many as the part says, so that it is not refused for that alone. */
static void list_parts(uint32_t n, int fds[SNAP_PARTS])
{
    struct catc *c;
    struct buf hot = {0}, text = {0};
    char name[16];
    gw_assert(catc_new(&c) == RC_OK);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "l%u", i);
        gw_assert(catc_list(c, span_str(name)) == RC_OK);
        gw_assert(catc_text(c, name, LIST_PLAIN, SPAN("c.test\nu.test/a\n")) == RC_OK);
    }
    gw_assert(catc_read(c) == RC_OK && catc_finish(c, &hot, &text) == RC_OK);
    gw_assert(part_seal("fuzz", buf_span(&hot), &fds[SNAP_LISTS]) == RC_OK);
    gw_assert(part_seal("fuzz", buf_span(&text), &fds[SNAP_LISTS_TEXT]) == RC_OK);
    catc_free(c);
    buf_fini(&hot);
    buf_fini(&text);
}

static void ask(const struct snapshot *s, const char *src, const char *name, const char *user)
{
    struct facts f = {.dst_port = 443,
                      .tls = true,
                      .name = span_str(name),
                      .user = span_str(user),
                      .defects = ~UINT32_C(0)};
    struct verdict v;
    gw_assert(addr_parse(span_str(src), &f.src));
    f.dst = f.src;
    f.method = SPAN("GET");
    f.zone = snapshot_zone_of(s, &f.src);
    struct category_hit hits[16];
    snapshot_categories(s, &f);
    gw_assert(snapshot_category_hits(s, &f, hits, 16) <= 16);
    (void)snapshot_categories_confirm(s, &f);
    for (unsigned i = 0; i < 8; i++) {
        f.step = (enum step)(i % 3);
        f.known = i < 3 ? FACT_BIT(SRC) : ~UINT64_C(0) >> (64 - FACT_N);
        f.upload = i > 5;
        decide(s, &f, &v);
        gw_assert(v.n_trail <= TRAIL_MAX && (v.rule == RULE_NONE || v.rule < snapshot_n_rules(s)));
        (void)snapshot_rule(s, v.rule);
        (void)snapshot_category_name(s, v.category);
        (void)snapshot_on(s, (enum on_event)(i % ON_N), &f);
    }
    (void)snapshot_user_of(s, &f.src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image img;
    struct snapshot *s;
    int fds[SNAP_PARTS];
    uint64_t *aligned = malloc(size + 8);
    gw_assert(aligned);
    memcpy(aligned, data, size);
    enum rc rc = image_open(span_of(aligned, size), &img);
    uint32_t n_lists = rc == RC_OK ? img.n_LISTCATS : 0;
    free(aligned);
    if (rc != RC_OK || n_lists > 64)
        return 0;
    gw_assert(part_seal("fuzz", span_of(data, size), &fds[0]) == RC_OK);
    list_parts(n_lists, fds);
    gw_assert(snapshot_open(fds, NULL, &s) == RC_OK);
    ask(s, "10.0.0.9", "x.c.test", "u");
    ask(s, "172.16.0.1", "", "");
    ask(s, "fd00::1", "free.test", "v");
    snapshot_put(s);
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        close(fds[i]);
    return 0;
}
