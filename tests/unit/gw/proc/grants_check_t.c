/* What can be granted: each refusal has its sentence, and targets come out as decisions look for them. */
#include "gw/proc/grants_check.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "policy/snapshot.h"
#include "tests/unit/policy/snap_help.h"

static const int64_t NOW = 1790000000;
static struct snapshot *s;
static struct buf err;
static uint8_t room[GRANT_ROOM];

static int setup(void **state)
{
    (void)state;
    s = snap_of(
        "category games domain \"casino.test\"\ncategory evil domain \"evil.test\"\n"
        "group pupils user \"u\"\n"
        "web {\n block category games\n forbid category evil\n forbid domain \"bad.test\" for pupils\n"
        " forbid domain \"guest.test\" from guests\n forbid domain \"w.test\" method DELETE\n allow "
        "any\n}\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    snapshot_put(s);
    buf_fini(&err);
    return 0;
}

static struct grant ask_for(const char *kind, const char *target, const char *scope, const char *who)
{
    struct grant g = {.since_s = NOW,
                      .until_s = NOW + 3600,
                      .target = span_str(target),
                      .who = span_str(who),
                      .by = SPAN("chief"),
                      .reason = SPAN("because")};
    assert_true(grant_kind_of(kind, &g.kind));
    assert_true(grant_scope_of(scope, &g.scope));
    return g;
}

static void refused(struct grant g, const char *words)
{
    buf_clear(&err);
    assert_int_equal(grant_check(s, &g, NOW, room, &err), RC_CONFIG);
    if (!memmem(err.p, buf_len(&err), words, strlen(words)))
        fail_msg("`%.*s` lacks `%s`", (int)buf_len(&err), (const char *)err.p, words);
    assert_int_equal(span_find(buf_span(&err), '\n', 0), SIZE_MAX);
}

static void becomes(struct grant g, const char *target)
{
    buf_clear(&err);
    enum rc rc = grant_check(s, &g, NOW, room, &err);
    if (rc != RC_OK)
        fail_msg("%.*s", (int)buf_len(&err), (const char *)err.p);
    assert_true(span_eq(g.target, span_str(target)));
}

static void words_that_are_none(void **state)
{
    enum grant_kind k;
    enum grant_scope sc;
    (void)state;
    assert_false(grant_kind_of("", &k));
    assert_false(grant_kind_of("urls", &k));
    assert_false(grant_scope_of("everybody", &sc));
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    refused(ask_for("category", "game", "all", ""), "no category game");
    refused(ask_for("category", "games", "group", "pupil"), "no group pupil");
    refused(ask_for("category", "games", "zone", "wifi"), "no zone wifi");
    refused(ask_for("exempt", "wifi", "zone", "wifi"), "no zone wifi");
    refused(ask_for("category", "games", "address", "10.0.0"), "not an address");
    refused(ask_for("category", "games", "user", ""), "for whom?");
    refused(ask_for("category", "games", "group", ""), "for whom?");
    refused(ask_for("name", "a..test", "all", ""), "not a host name");
    refused(ask_for("name", "", "all", ""), "not a host name");
    refused(ask_for("url", "ftp://a.test/", "all", ""), "begins with");
    refused(ask_for("url", "https:///x", "all", ""), "not a host name");
    refused(ask_for("url", "https://a.test/x?y", "all", ""), "behind ?");
    refused(ask_for("url", "https://a.test/x#y", "all", ""), "behind ?");
}

/* A terminal obeys some of them, and others turn what a reader sees. */
static void what_cannot_be_seen_is_refused(void **state)
{
    static const char *const hidden[] = {"a\x1b[31m",
                                         "a\x7f",
                                         "\xc2\x9b"
                                         "2J",
                                         "a\xe2\x80\xae"
                                         "b",
                                         "a\xff",
                                         "a\xc3"};
    static char longer[600];
    char url[64];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(hidden); i++) {
        struct grant g = ask_for("category", "games", "user", hidden[i]);
        refused(g, "no name");
        g = ask_for("category", "games", "all", "");
        g.by = span_str(hidden[i]);
        refused(g, "--by");
        g.by = SPAN("x");
        g.reason = span_str(hidden[i]);
        refused(g, "--reason");
        snprintf(url, sizeof url, "https://a.test/%s", hidden[i]);
        refused(ask_for("url", url, "all", ""), "cannot be seen");
    }
    memset(longer, 'a', sizeof longer);
    struct grant g = ask_for("category", "games", "user", "");
    g.who = span_of(longer, sizeof longer);
    refused(g, "no name");
    refused(ask_for("name", "256.1.1.1", "all", ""), "not a host name");
    becomes(ask_for("url", "https://a.test/\xc3\xa9t\xc3\xa9", "all", ""), "a.test/\xc3\xa9t\xc3\xa9");
    becomes(ask_for("category", "games", "user", "Andr\xc3\xa9 \xe2\x80\x99t Hooft"), "games");
}

static void ends_and_words_are_bounded(void **state)
{
    static char longer[600];
    struct grant g = ask_for("category", "games", "all", "");
    (void)state;
    g.until_s = NOW;
    refused(g, "has passed");
    g.until_s = NOW + LIM_GRANT_DAYS * INT64_C(86400) + 1;
    refused(g, "366 days");
    g = ask_for("exempt", "lan", "zone", "lan");
    g.until_s = NOW + LIM_EXEMPT_HOURS * INT64_C(3600) + 1;
    refused(g, "24 hours");
    g = ask_for("category", "games", "all", "");
    g.by = SPAN(" ");
    refused(g, "--by");
    g.by = SPAN("x");
    g.reason = SPAN("two\nlines");
    refused(g, "--reason");
    memset(longer, 'a', sizeof longer);
    g.reason = span_of(longer, sizeof longer);
    refused(g, "--reason");
}

static void a_forbid_refuses_by_name(void **state)
{
    (void)state;
    refused(ask_for("category", "evil", "all", ""), "rule `forbid category evil` (");
    refused(ask_for("name", "www.evil.test", "user", "v"), "forbid category evil");
    refused(ask_for("url", "https://evil.test/page", "all", ""), "does not allow grants");
    refused(ask_for("name", "bad.test", "group", "pupils"), "forbid domain");
    refused(ask_for("name", "bad.test", "user", "u"), "forbid domain");
    refused(ask_for("name", "guest.test", "zone", "guests"), "from guests");
    refused(ask_for("name", "guest.test", "all", ""), "from guests");
    /* Others may have it. */
    becomes(ask_for("name", "bad.test", "user", "v"), "bad.test");
    becomes(ask_for("name", "guest.test", "zone", "lan"), "guest.test");
    /* Hangs on more than name and person: it beats the grant when it matches. */
    becomes(ask_for("name", "w.test", "all", ""), "w.test");
}

static void targets_come_out_as_decisions_look_for_them(void **state)
{
    (void)state;
    becomes(ask_for("category", "games", "all", ""), "games");
    becomes(ask_for("name", "CASINO.Test.", "all", ""), "casino.test");
    becomes(ask_for("name", "2001:DB8::1", "all", ""), "2001:db8::1");
    becomes(ask_for("url", "https://CASINO.test", "all", ""), "casino.test/");
    becomes(ask_for("url", "http://casino.test/A/b", "all", ""), "casino.test/A/b");
    becomes(ask_for("exempt", "lan", "zone", "lan"), "lan");
    struct grant g = ask_for("category", "games", "address", "FD00::0:1");
    assert_int_equal(grant_check(s, &g, NOW, room, &err), RC_OK);
    assert_true(span_eq(g.who, SPAN("fd00::1")));
}

static void descriptions_are_sentences(void **state)
{
    struct grant g = ask_for("category", "games", "group", "pupils");
    (void)state;
    buf_clear(&err);
    assert_int_equal(grant_describe(&g, &err), RC_OK);
    assert_true(span_eq(buf_span(&err), SPAN("grant category games for group pupils")));
    g = ask_for("exempt", "lan", "zone", "lan");
    buf_clear(&err);
    assert_int_equal(grant_describe(&g, &err), RC_OK);
    assert_true(span_eq(buf_span(&err), SPAN("exempt zone lan")));
    g = ask_for("name", "a.test", "all", "");
    buf_clear(&err);
    assert_int_equal(grant_describe(&g, &err), RC_OK);
    assert_true(span_eq(buf_span(&err), SPAN("grant name a.test for all")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_are_none),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(what_cannot_be_seen_is_refused),
        cmocka_unit_test(ends_and_words_are_bounded),
        cmocka_unit_test(a_forbid_refuses_by_name),
        cmocka_unit_test(targets_come_out_as_decisions_look_for_them),
        cmocka_unit_test(descriptions_are_sentences),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
