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
    gw_assert(catc_read(c) == RC_OK && catc_finish(c, &hot, catc_to(&text)) == RC_OK);
    gw_assert(part_seal("fuzz", buf_span(&hot), &fds[PART_LISTS]) == RC_OK);
    gw_assert(part_seal("fuzz", buf_span(&text), &fds[PART_LISTS_TEXT]) == RC_OK);
    catc_free(c);
    buf_fini(&hot);
    buf_fini(&text);
}

/* Facts of every kind. */
static void fill(const struct snapshot *s, struct facts *f, const char *src, const char *name,
                 const char *user)
{
    *f = (struct facts){.dst_port = 443,
                        .tls = true,
                        .name = span_str(name),
                        .user = span_str(user),
                        .method = SPAN("GET"),
                        .path = SPAN("/a/b/c"),
                        .app = SPAN("tor"),
                        .type = SPAN("executable"),
                        .virus = SPAN("v"),
                        .severity = 1,
                        .patterns = {SPAN("iban")},
                        .n_patterns = 1,
                        .attrs = {SPAN("ldap:CN=l, dc=test"), SPAN("radius:class=r")},
                        .n_attrs = 2,
                        .defects = ~UINT32_C(0)};
    gw_assert(addr_parse(span_str(src), &f->src));
    f->dst = f->src;
    f->zone = snapshot_zone_of(s, &f->src);
    snapshot_categories(s, f);
}

static void look(const struct snapshot *s, const struct facts *f, const struct verdict *v)
{
    gw_assert(v->n_trail <= TRAIL_MAX && v->n_mods <= VERDICT_MAX_MODS && v->n_logs <= VERDICT_MAX_LOGS);
    gw_assert(v->rule == RULE_NONE || v->rule < snapshot_n_rules(s));
    (void)snapshot_rule(s, v->rule);
    (void)decide_why_not(s, f, v->rule);
    (void)snapshot_category_name(s, v->category);
}

static void ask(const struct snapshot *s, const char *src, const char *name, const char *user)
{
    struct facts f;
    struct verdict v;
    struct group_hit hits[4];
    struct category_hit cat_hits[16];
    int64_t until;
    fill(s, &f, src, name, user);
    gw_assert(snapshot_category_hits(s, &f, cat_hits, 16) <= 16);
    (void)snapshot_categories_confirm(s, &f);
    for (unsigned i = 0; i < 12; i++) {
        f.step = (enum step)(i % STEP_N);
        f.known = i < 4 ? FACT_BIT(SRC) : ~UINT64_C(0) >> (64 - FACT_N);
        f.upload = i > 8;
        f.proto = i == 8 ? 17 : 6;
        f.vpn = i == 9 ? SPAN("far") : SPAN_NONE;
        f.time_s = 1795510800 + (int64_t)i * 86400 * 30;
        decide(s, &f, &v);
        look(s, &f, &v);
        decide_dns(s, &f, &v);
        look(s, &f, &v);
        (void)snapshot_on(s, (enum on_event)(i % ON_N), i % 2 ? &f : NULL);
        (void)snapshot_schedule_active(s, i, f.time_s, &until);
    }
    (void)snapshot_groups_of(s, &f, hits, 4);
    (void)snapshot_zone_of_vpn(s, SPAN("far"));
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
    gw_assert(part_seal("fuzz", SPAN_NONE, &fds[PART_GRANTS]) == RC_OK);
    gw_assert(snapshot_open(fds, NULL, &s) == RC_OK);
    ask(s, "10.0.0.9", "x.c.test", "u");
    ask(s, "172.16.0.1", "", "");
    ask(s, "fd00::1", "free.test", "v");
    snapshot_put(s);
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        close(fds[i]);
    return 0;
}
