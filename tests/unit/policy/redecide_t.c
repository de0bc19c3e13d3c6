/* Decisions made again: the same under the same snapshot; under another one what it says, and "nobody can
 * tell" wherever the record lacks what the verdict hangs on. */
#include "policy/redecide.h"

#include "policy/image.h"
#include "policy/part.h"
#include "policy/whatif.h"
#include "tests/unit/policy/snap_help.h"

static uint8_t bytes[RECORD_MAX];
static size_t n_bytes;

/* The record of what `s` decides on f. */
static struct verdict record_it(const struct snapshot *s, const struct facts *f)
{
    static struct record r;
    struct verdict v;
    decide(s, f, &v);
    memset(&r, 0, sizeof r);
    record_fill(&r, s, f, &v, f->user.n ? SPAN("u-0123456789") : SPAN_NONE);
    r.number = 77;
    n_bytes = record_encode(&r, bytes);
    return v;
}

static uint64_t again(const struct snapshot *now, const struct snapshot *from, struct verdict *out)
{
    static struct record r;
    struct redecide *d;
    assert_int_equal(record_decode(span_of(bytes, n_bytes), &r), RC_OK);
    assert_int_equal(redecide_new(now, from, &d), RC_OK);
    uint64_t lacks = redecide(d, NULL, &r, out);
    redecide_free(d);
    return lacks;
}

#define WEB "tls { inspect any\n}\nweb {\n"

/* Somebody whom a directory named, not the policy. */
static struct facts somebody(const struct snapshot *s, const char *user, const char *name)
{
    struct facts f = request(s, "10.1.1.1", user, name, "GET");
    f.id_source = ID_LDAP;
    return f;
}

static void its_own_snapshot_says_the_same(void **state)
{
    struct snapshot *s =
        snap_of("group staff user \"anne\", \"bob\"\n" WEB "block domain \"a.example\" for staff\n"
                "block domain \"b.example\" for user \"zoe\"\nallow any\n}\n");
    static const char *const names[] = {"a.example", "c.example"}, *const users[] = {"anne", "carl", ""};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct facts f = somebody(s, users[i % 3], names[i / 3]);
        struct verdict v, w;
        f.id_source = users[i % 3][0] ? ID_LDAP : ID_NONE;
        v = record_it(s, &f);
        assert_int_equal(again(s, s, &w), 0);
        assert_true(v.action == w.action && v.rule == w.rule && v.why == w.why);
        assert_int_equal(v.action, i == 0 ? ACT_BLOCK : ACT_ALLOW);
    }
    snapshot_put(s);
}

/* The record has a pseudonym: a rule that names a user cannot be asked. */
static void a_rule_that_names_a_user_cannot_be_told(void **state)
{
    struct snapshot *s = snap_of(WEB "block domain \"b.example\" for user \"zoe\"\n"
                                     "block domain \"c.example\"\nallow any\n}\n");
    struct verdict w;
    (void)state;
    struct facts f = somebody(s, "zoe", "b.example");
    record_it(s, &f);
    assert_int_equal(again(s, s, &w), FACT_BIT(USER));
    f = somebody(s, "anne", "b.example");
    record_it(s, &f);
    assert_int_equal(again(s, s, &w), FACT_BIT(USER));
    f = somebody(s, "zoe", "c.example"); /* that rule asks for another host */
    record_it(s, &f);
    assert_int_equal(again(s, s, &w), 0);
    assert_int_equal(w.action, ACT_BLOCK);
    f = somebody(s, "", "b.example"); /* nobody is certainly not zoe */
    f.id_source = ID_NONE;
    record_it(s, &f);
    assert_int_equal(again(s, s, &w), 0);
    assert_int_equal(w.action, ACT_ALLOW);
    snapshot_put(s);
}

/* A rule behind the one that decides changes nothing, whoever it names. */
static void what_stands_behind_the_verdict_does_not_count(void **state)
{
    struct snapshot *s = snap_of(WEB "allow domain \"b.example\"\n"
                                     "block domain \"b.example\" for user \"zoe\"\nblock any\n}\n");
    struct verdict w;
    (void)state;
    struct facts f = somebody(s, "zoe", "b.example");
    record_it(s, &f);
    assert_int_equal(again(s, s, &w), 0);
    assert_int_equal(w.action, ACT_ALLOW);
    snapshot_put(s);
}

static void whom_the_policy_ties_to_an_address_is_known_again(void **state)
{
    struct snapshot *s = snap_of("user \"zoe\" address 10.1.1.1\n" WEB
                                 "block domain \"b.example\" for user \"zoe\"\nallow any\n}\n");
    struct snapshot *t = snap_of("user \"zoe\" address 10.1.1.2\n" WEB
                                 "block domain \"b.example\" for user \"zoe\"\nallow any\n}\n");
    struct verdict w;
    (void)state;
    struct facts f = request(s, "10.1.1.1", "zoe", "b.example", "GET");
    f.id_source = ID_POLICY;
    record_it(s, &f);
    assert_int_equal(again(s, s, &w), 0);
    assert_int_equal(w.action, ACT_BLOCK);
    assert_int_equal(again(t, s, &w), 0); /* somebody else sits there now */
    assert_int_equal(w.action, ACT_ALLOW);
    f = request(s, "10.1.1.2", "", "b.example", "GET");
    record_it(s, &f);
    assert_int_equal(again(t, s, &w), 0);
    assert_int_equal(w.action, ACT_BLOCK);
    snapshot_put(s);
    snapshot_put(t);
}

static const char *const staff_only = "group staff user \"anne\", \"bob\"\n" WEB "allow any\n}\n";

static void groups_count_while_they_mean_the_same(void **state)
{
    static const struct {
        const char *policy;
        bool told;
        enum action action;
    } now[] = {
        {"group staff user \"anne\", \"bob\"\n" WEB "block domain \"a.example\" for staff\nallow any\n}\n",
         true, ACT_BLOCK},
        {"group other user \"carl\"\ngroup staff user \"bob\", \"anne\"\n" WEB
         "block domain \"a.example\" for staff\nallow any\n}\n",
         true, ACT_BLOCK},
        /* whom else it holds now nobody can say of a pseudonym */
        {"group staff user \"anne\", \"carl\"\n" WEB "block domain \"a.example\" for staff\nallow any\n}\n",
         false, ACT_BLOCK},
        {"group fresh user \"anne\"\n" WEB "block domain \"a.example\" for fresh\nallow any\n}\n", false,
         ACT_ALLOW},
        {"group fresh ldap \"cn=x\"\n" WEB "block domain \"a.example\" for fresh\nallow any\n}\n", false,
         ACT_ALLOW},
        {"group fresh user \"anne\"\ngroup staff user \"anne\", \"bob\"\n" WEB
         "block domain \"a.example\" for fresh, staff\nallow any\n}\n",
         true, ACT_BLOCK},
        {"group fresh user \"anne\"\ngroup staff user \"anne\", \"bob\"\n" WEB
         "block domain \"a.example\" for staff except for fresh\nallow any\n}\n",
         false, ACT_BLOCK},
        /* no rule for this host hangs on it */
        {"group fresh user \"anne\"\n" WEB "block domain \"z.example\" for fresh\nallow any\n}\n", true,
         ACT_ALLOW},
        /* addresses are in the record */
        {"group fresh network 10.1.0.0/16\n" WEB "block domain \"a.example\" for fresh\nallow any\n}\n", true,
         ACT_BLOCK},
    };
    struct snapshot *then = snap_of(staff_only);
    (void)state;
    for (size_t i = 0; i < sizeof now / sizeof *now; i++) {
        struct snapshot *s = snap_of(now[i].policy);
        struct facts f = somebody(then, "anne", "a.example");
        struct verdict w;
        record_it(then, &f);
        uint64_t lacks = again(s, then, &w);
        if (lacks != (now[i].told ? 0 : FACT_BIT(USER)))
            fail_msg("%zu: lacks %llx", i, (unsigned long long)lacks);
        if (now[i].told)
            assert_int_equal(w.action, now[i].action);
        if (i == 0) { /* without the snapshot that made it nobody knows what `staff` meant */
            assert_int_equal(again(s, NULL, &w), FACT_BIT(USER));
        }
        f = somebody(then, "", "a.example");
        f.id_source = ID_NONE;
        record_it(then, &f);
        assert_int_equal(again(s, then, &w), 0);
        snapshot_put(s);
    }
    snapshot_put(then);
}

static void a_path_that_was_not_kept_cannot_be_told(void **state)
{
    struct snapshot *then = snap_of(WEB "allow any\n}\n");
    struct snapshot *now = snap_of(WEB "block domain \"a.example\" path \"/x\"\nallow any\n}\n");
    struct verdict w;
    (void)state;
    struct facts f = request(then, "10.1.1.1", "", "www.a.example", "GET");
    record_it(then, &f);
    assert_int_equal(again(now, then, &w), FACT_BIT(PATH));
    f = request(then, "10.1.1.1", "", "b.example", "GET");
    record_it(then, &f);
    assert_int_equal(again(now, then, &w), 0);
    assert_int_equal(w.action, ACT_ALLOW);
    f = request(now, "10.1.1.1", "", "www.a.example", "GET"); /* this one keeps it */
    f.path = SPAN("/x/y");
    record_it(now, &f);
    assert_int_equal(again(now, now, &w), 0);
    assert_int_equal(w.action, ACT_BLOCK);
    snapshot_put(then);
    snapshot_put(now);
}

/* A list with URLs of the host looks at the path: then it is kept, and where it was not, nobody can tell. */
static void a_list_of_urls_looks_at_the_path(void **state)
{
    char list[] = "/tmp/perron-urls-XXXXXX", text[400];
    static const char urls[] = "a.example/games\n";
    int fd = mkstemp(list);
    struct verdict w;
    (void)state;
    assert_true(fd >= 0 && write(fd, urls, sizeof urls - 1) == sizeof urls - 1);
    close(fd);
    snprintf(text, sizeof text, "category games urls \"%s\"\n" WEB "block category games\nallow any\n}\n",
             list);
    struct snapshot *then = snap_of(WEB "allow any\n}\n"), *now = snap_of(text);
    unlink(list);
    struct facts f = request(then, "10.1.1.1", "", "a.example", "GET");
    f.path = SPAN("/games/1");
    record_it(then, &f);
    assert_int_equal(again(now, then, &w), FACT_BIT(PATH));
    f = request(then, "10.1.1.1", "", "b.example", "GET");
    record_it(then, &f);
    assert_int_equal(again(now, then, &w), 0);
    f = request(now, "10.1.1.1", "", "a.example", "GET");
    f.path = SPAN("/games/1");
    snapshot_categories(now, &f);
    assert_int_equal(record_it(now, &f).action, ACT_BLOCK);
    assert_int_equal(again(now, now, &w), 0);
    assert_int_equal(w.action, ACT_BLOCK);
    assert_int_equal(again(now, NULL, &w), 0); /* looked up anew: the path is there */
    assert_int_equal(w.action, ACT_BLOCK);
    snapshot_put(then);
    snapshot_put(now);
}

/* What a path may add is in the record: lists are not kept, and the verdict is the same without them. */
static void what_a_path_may_add_is_recorded(void **state)
{
    char list[] = "/tmp/perron-urls-XXXXXX", text[400];
    static const char urls[] = "a.example/games\n";
    int fd = mkstemp(list);
    struct verdict w;
    (void)state;
    assert_true(fd >= 0 && write(fd, urls, sizeof urls - 1) == sizeof urls - 1);
    close(fd);
    snprintf(text, sizeof text,
             "category games urls \"%s\"\n" WEB "allow category games\nblock domain \"a.example\"\n"
             "block domain \"b.example\"\nallow any\n}\n",
             list);
    struct snapshot *s = snap_of(text);
    unlink(list);
    static const struct {
        const char *name;
        enum action action;
        uint64_t waits;
    } rows[] = {{"a.example", ACT_INSPECT, FACT_BIT(PATH)}, {"b.example", ACT_BLOCK, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct facts f = request(s, "10.1.1.1", "", rows[i].name, "GET");
        f.step = STEP_CONNECT;
        f.known &= ~(FACT_BIT(METHOD) | FACT_BIT(PATH));
        snapshot_categories(s, &f);
        struct verdict v = record_it(s, &f);
        assert_int_equal(v.action, rows[i].action);
        assert_int_equal(v.waits_for & FACT_BIT(PATH), rows[i].waits);
        assert_int_equal(again(s, s, &w), 0);
        assert_int_equal(w.action, rows[i].action);
        assert_int_equal(w.waits_for, v.waits_for);
        assert_int_equal(again(s, NULL, &w), 0); /* looked up anew */
        assert_int_equal(w.action, rows[i].action);
    }
    snapshot_put(s);
}

static void zones_and_categories_are_those_of_the_new_policy(void **state)
{
    struct snapshot *then =
        snap_of("category games domain \"games.example\"\n" WEB "block category games\nallow any\n}\n");
    struct snapshot *now =
        snap_of("category fun domain \"other.example\"\n"
                "category games domain \"more.example\"\n" WEB "block category games\nallow any\n}\n");
    struct verdict w;
    (void)state;
    struct facts f = request(then, "10.1.1.1", "", "games.example", "GET");
    assert_int_equal(record_it(then, &f).action, ACT_BLOCK);
    assert_int_equal(again(now, then, &w), 0);
    assert_int_equal(w.action, ACT_ALLOW);
    f = request(then, "10.1.1.1", "", "www.more.example", "GET");
    assert_int_equal(record_it(then, &f).action, ACT_ALLOW);
    assert_int_equal(again(now, then, &w), 0);
    assert_int_equal(w.action, ACT_BLOCK);
    snapshot_put(then);
    snapshot_put(now);
}

/* ---- grants ---- */

static struct snapshot *granted(const char *text, const struct grant *v, size_t n)
{
    static struct compiled c;
    static char whole[4096];
    struct snapshot *s = NULL;
    struct manifest m;
    struct buf part = {0};
    snprintf(whole, sizeof whole, "%s%s", ZONES, text);
    compile_text(whole, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(grants_build(v, n, &part), RC_OK);
    close(c.fds[PART_GRANTS]);
    assert_int_equal(part_seal("t", buf_span(&part), &c.fds[PART_GRANTS]), RC_OK);
    assert_int_equal(manifest_of(c.fds, &m), RC_OK);
    assert_int_equal(snapshot_open_as(&m, c.fds, NULL, &s), RC_OK);
    compiled_close(&c);
    buf_fini(&part);
    return s;
}

#define GRANT(i, k, s, t, w)                                                                             \
    {                                                                                                    \
        .id = (i), .kind = GRANT_##k, .scope = GRANT_FOR_##s, .since_s = 0, .until_s = INT64_C(1) << 40, \
        .target = SPAN(t), .who = SPAN(w), .by = SPAN("b"), .reason = SPAN("r")                          \
    }

#define GOES_ON "tls { inspect any\n}\nweb {\n allow domain \"free.example\"\n"

/* Another policy with the grants of the record's time; whose a grant for a user was, the record does not say.
 */
static void grants_of_that_time_count(void **state)
{
    static const struct grant g[] = {GRANT(1, NAME, USER, "mine.example", "anne"),
                                     GRANT(2, NAME, ALL, "all.example", ""),
                                     GRANT(3, NAME, USER, "free.example", "anne")};
    static const struct {
        const char *user, *name, *now;
        uint64_t lacks;
        enum action action;
    } rows[] = {
        {"anne", "all.example", "block any\n", 0, ACT_ALLOW},
        {"anne", "mine.example", "block any\n", 0, ACT_ALLOW}, /* it lifted it then: it was his */
        {"bob", "mine.example", "block any\n", 0, ACT_BLOCK},  /* it did not lift it: it was not */
        {"anne", "free.example", "block domain \"free.example\"\n", FACT_BIT(USER), 0},
        {"bob", "free.example", "block domain \"free.example\"\n", FACT_BIT(USER), 0},
        {"bob", "free.example", "forbid domain \"free.example\"\n", 0, ACT_BLOCK},
        {"", "free.example", "block domain \"free.example\"\n", 0, ACT_BLOCK},
        {"bob", "other.example", "block any\n", 0, ACT_BLOCK},
        {"bob", "barred.example", "block domain \"barred.example\"\n", 0, ACT_BLOCK},
    };
    struct snapshot *then = granted(GOES_ON "block any\n}\n", g, 3);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[400];
        struct verdict w;
        snprintf(text, sizeof text, "tls { inspect any\n}\nweb {\n%s}\n", rows[i].now);
        struct snapshot *now = snap_of(text);
        struct facts f = somebody(then, rows[i].user, rows[i].name);
        f.id_source = rows[i].user[0] ? ID_LDAP : ID_NONE;
        record_it(then, &f);
        uint64_t lacks = again(now, then, &w);
        if (lacks != rows[i].lacks || (!lacks && w.action != rows[i].action))
            fail_msg("%zu: lacks %llx, action %d", i, (unsigned long long)lacks, (int)w.action);
        snapshot_put(now);
    }
    snapshot_put(then);
}

/* A `forbid` that barred a grant is gone: whether it was his, the block then does not say. */
static void a_grant_that_was_barred_is_not_known(void **state)
{
    static const struct grant g[] = {GRANT(1, NAME, USER, "a.example", "anne")};
    struct snapshot *then = granted(WEB "block domain \"a.example\"\nforbid method GET\n}\n", g, 1);
    struct snapshot *now = snap_of(WEB "block domain \"a.example\"\n}\n");
    struct verdict w;
    (void)state;
    struct facts f = somebody(then, "anne", "a.example");
    assert_int_equal(record_it(then, &f).action, ACT_BLOCK);
    assert_int_equal(again(now, then, &w), FACT_BIT(USER));
    snapshot_put(then);
    snapshot_put(now);
}

/* Their snapshot is gone, and their grants with it. */
static void grants_that_nobody_kept_are_lacked(void **state)
{
    static const struct grant g[] = {GRANT(1, NAME, ALL, "a.example", "")};
    struct snapshot *then = granted(WEB "block any\n}\n", g, 1), *now = snap_of(WEB "block any\n}\n");
    struct verdict w;
    (void)state;
    struct facts f = somebody(then, "", "a.example");
    f.id_source = ID_NONE;
    assert_int_equal(record_it(then, &f).action, ACT_ALLOW);
    assert_int_equal(again(now, NULL, &w), FACT_BIT(GRANTS));
    f.name = SPAN("b.example");
    assert_int_equal(record_it(then, &f).action, ACT_BLOCK);
    assert_int_equal(again(now, NULL, &w), 0);
    assert_int_equal(w.action, ACT_BLOCK);
    snapshot_put(then);
    snapshot_put(now);
}

/* ---- what-if ---- */

static const struct snapshot *old_one;
static const struct snapshot *open_old(void *arg, const uint8_t hash[SNAP_HASH])
{
    (void)arg;
    return memcmp(hash, snapshot_hash(old_one), SNAP_HASH) == 0 ? old_one : NULL;
}

static const struct whatif_row *row_of(struct whatif *w, enum whatif_table t, const char *name)
{
    size_t n;
    const struct whatif_row *row = whatif_rows(w, t, &n);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(row[i].name, name, strlen(name)) == 0)
            return &row[i];
    }
    return NULL;
}

static void changes_are_counted_by_rule_group_and_category(void **state)
{
    static const char text[] =
        "group staff user \"anne\"\ncategory games domain \"games.example\"\n" WEB "%s}\n";
    static char policy[1000];
    struct whatif *w;
    (void)state;
    snprintf(policy, sizeof policy, text, "allow any\n");
    struct snapshot *then = snap_of(policy);
    snprintf(policy, sizeof policy, text,
             "block category games for staff\nblock domain \"p.example\" path \"/x\"\n"
             "block method POST\nallow domain \"same.example\"\nallow any\n");
    struct snapshot *now = snap_of(policy);
    old_one = then;
    assert_int_equal(whatif_new(now, open_old, NULL, &w), RC_OK);
    static const struct {
        const char *user, *name, *method;
        unsigned times;
    } asked[] = {{"anne", "games.example", "GET", 5}, {"carl", "games.example", "GET", 7},
                 {"anne", "p.example", "GET", 2},     {"", "same.example", "GET", 3},
                 {"carl", "x.example", "POST", 4},    {"", "y.example", "GET", 6}};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct facts f = somebody(then, asked[i].user, asked[i].name);
        f.method = span_str(asked[i].method);
        f.id_source = asked[i].user[0] ? ID_LDAP : ID_NONE;
        record_it(then, &f);
        for (unsigned k = 0; k < asked[i].times; k++) {
            if (i % 2)
                whatif_expect(w, span_of(bytes, n_bytes));
            assert_int_equal(whatif_take(w, span_of(bytes, n_bytes)), RC_OK);
        }
    }
    assert_int_equal(whatif_take(w, SPAN("no record")), RC_OK);
    const struct whatif_counts *c = whatif_counts(w);
    assert_int_equal(c->records, 28);
    assert_int_equal(c->changed, 9);
    assert_int_equal(c->cannot, 2);
    assert_int_equal(c->same, 16);
    assert_int_equal(c->other_rule, 3);
    assert_int_equal(c->unreadable, 1);
    assert_int_equal(row_of(w, WHATIF_OUTCOME, "allow -> block")->n, 9);
    assert_int_equal(row_of(w, WHATIF_RULE, "block category games for staff (")->n, 5);
    assert_int_equal(row_of(w, WHATIF_RULE, "block method POST (")->n, 4);
    assert_int_equal(row_of(w, WHATIF_GROUP, "staff")->n, 5);
    assert_int_equal(row_of(w, WHATIF_GROUP, "(in no group)")->n, 4);
    assert_int_equal(row_of(w, WHATIF_CATEGORY, "games")->n, 5);
    assert_int_equal(row_of(w, WHATIF_CANNOT, "request path")->n, 2);
    const struct whatif_row *row = row_of(w, WHATIF_GROUP, "staff");
    assert_int_equal(row->n_examples, 3);
    assert_int_equal(row->example[0], 77);
    whatif_free(w);
    snapshot_put(then);
    snapshot_put(now);
}

/* Every third of 60 hosts is in a list. */
static struct snapshot *snap_with_list(void)
{
    char path[] = "/tmp/perron-list-XXXXXX", text[256];
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(f);
    for (unsigned i = 0; i < 60; i += 3)
        fprintf(f, "h%u.example\n", i);
    fclose(f);
    snprintf(text, sizeof text, "category c file \"%s\"\n" WEB "block category c\nallow any\n}\n", path);
    struct snapshot *s = snap_of(text);
    unlink(path);
    return s;
}

/* What is expected, and what is not, is decided the same, and each by its own name. */
static void expected_records_are_decided_by_their_own_names(void **state)
{
    static uint8_t record[60][512];
    size_t n[60], told = 0;
    struct whatif *w;
    (void)state;
    struct snapshot *then = snap_of(WEB "allow any\n}\n"), *now = snap_with_list();
    old_one = then;
    for (unsigned i = 0; i < 60; i++) {
        char name[32];
        snprintf(name, sizeof name, "www.h%u.example", i);
        struct facts f = request(then, "10.1.1.1", "", name, "GET");
        record_it(then, &f);
        assert_true(n_bytes <= sizeof record[i]);
        memcpy(record[i], bytes, n[i] = n_bytes);
    }
    for (size_t ahead = 0; ahead <= WHATIF_AHEAD; ahead++, told = 0) {
        assert_int_equal(whatif_new(now, open_old, NULL, &w), RC_OK);
        for (size_t i = 0; i < 60; i++) {
            for (; told < 60 && told < i + ahead; told++)
                whatif_expect(w, span_of(record[told], n[told]));
            assert_int_equal(whatif_take(w, span_of(record[i], n[i])), RC_OK);
            assert_int_equal(whatif_counts(w)->changed, i / 3 + 1);
        }
        whatif_free(w);
    }
    snapshot_put(then);
    snapshot_put(now);
}

static void more_kinds_than_a_table_holds_are_others(void **state)
{
    static char text[1 << 20];
    struct whatif *w;
    size_t at = 0, n;
    (void)state;
    struct snapshot *then = snap_of(WEB "allow any\n}\n");
    at += (size_t)snprintf(text + at, sizeof text - at, WEB);
    for (unsigned i = 0; i < 5000; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "block domain \"h%u.example\"\n", i);
    snprintf(text + at, sizeof text - at, "allow any\n}\n");
    struct snapshot *now = snap_of(text);
    old_one = then;
    assert_int_equal(whatif_new(now, open_old, NULL, &w), RC_OK);
    for (unsigned i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof name, "h%u.example", i);
        struct facts f = request(then, "10.1.1.1", "", name, "GET");
        record_it(then, &f);
        assert_int_equal(whatif_take(w, span_of(bytes, n_bytes)), RC_OK);
    }
    const struct whatif_row *row = whatif_rows(w, WHATIF_RULE, &n);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += row[i].n;
    assert_int_equal(sum, 5000);
    assert_int_equal(n, 4096);
    assert_string_equal(row[0].name, "others");
    assert_int_equal(row[0].n, 5000 - 4095);
    whatif_free(w);
    snapshot_put(then);
    snapshot_put(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_snapshot_says_the_same),
        cmocka_unit_test(a_rule_that_names_a_user_cannot_be_told),
        cmocka_unit_test(what_stands_behind_the_verdict_does_not_count),
        cmocka_unit_test(whom_the_policy_ties_to_an_address_is_known_again),
        cmocka_unit_test(groups_count_while_they_mean_the_same),
        cmocka_unit_test(a_path_that_was_not_kept_cannot_be_told),
        cmocka_unit_test(a_list_of_urls_looks_at_the_path),
        cmocka_unit_test(what_a_path_may_add_is_recorded),
        cmocka_unit_test(zones_and_categories_are_those_of_the_new_policy),
        cmocka_unit_test(grants_of_that_time_count),
        cmocka_unit_test(a_grant_that_was_barred_is_not_known),
        cmocka_unit_test(grants_that_nobody_kept_are_lacked),
        cmocka_unit_test(changes_are_counted_by_rule_group_and_category),
        cmocka_unit_test(expected_records_are_decided_by_their_own_names),
        cmocka_unit_test(more_kinds_than_a_table_holds_are_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
