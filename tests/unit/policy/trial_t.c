/* Coverage and mutants: which rules are named, which changes survive, and that each of them really does: the
 * same change made to the text comes out the same. With `=`: a change that no flow can tell. */
#include "policy/trial.h"

#include "tests/unit/policy/snap_help.h"

static const char HEAD[] =
    "zone lan network 10.0.0.0/8\nzone guests network 172.16.0.0/12 ca none\ngroup g user \"u\"\n"
    "category a domain \"a.test\"\ncategory b domain \"b.test\"\nschedule day mon-fri 08:00-17:00\n";

struct seen {
    struct buf text;
    struct trial_count count;
    unsigned calls, last;
    bool mutate;
};

static void note_rule(void *arg, const struct rule *r)
{
    struct seen *s = arg;
    assert_int_equal(buf_printf(&s->text, "%u ", r->pos.line), RC_OK);
}

static void note_mutant(void *arg, const struct trial_mutant *m)
{
    struct seen *s = arg;
    span noun = m->change == TRIAL_DROP ? noun_word(m->cond->noun) : SPAN_NONE;
    if (m->change == TRIAL_FLIP)
        assert_int_equal(m->rule->verb, m->verb);
    assert_int_equal(buf_printf(&s->text, "%u%s%c%.*s%s ", m->rule->pos.line, m->equal ? "=" : "",
                                "-~/"[m->change], (int)noun.n, noun.n ? (const char *)noun.p : "",
                                m->change == TRIAL_DROP && m->cond->except ? "!" : ""),
                     RC_OK);
}

static struct seen *counting;
static void progress(const char *what, unsigned long done, unsigned long total)
{
    if (strcmp(what, "changes") != 0)
        return;
    assert_true(done == counting->last + 1 && done <= total);
    counting->last = (unsigned)done;
    counting->calls++;
}

static void built(void *arg, struct tree *t, const struct snapshot *snap)
{
    struct seen *s = arg;
    uint32_t n = t->rules.n, m = 0;
    counting = s;
    if (s->mutate)
        assert_int_equal(trial_mutate(t, snap, 1790000000, note_mutant, s, progress, &s->count), RC_OK);
    else
        assert_true(trial_coverage(t, snap, 1790000000, note_rule, s, &s->count));
    for (const struct rule *r = t->rules.first; r; r = r->next)
        m++;
    assert_int_equal(t->rules.n, n);
    assert_int_equal(m, n);
    assert_null(*t->rules.last);
}

/* What is named, and the counts behind it: "7 8 |n good unseen". */
static void says(bool mutate, const char *text, const char *want)
{
    static struct compiled c;
    char whole[4096];
    struct seen s = {.mutate = mutate};
    struct compile_opts opts = {.time_s = 1790000000, .check_only = true, .built = built, .arg = &s};
    snprintf(whole, sizeof whole, "%s%s", HEAD, text);
    compile_bytes(span_str(whole), &opts, &c);
    if (c.rc != RC_OK)
        print_error("%s", c.diag);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(buf_printf(&s.text, "|%u %u %u", s.count.n, s.count.good, s.count.unseen), RC_OK);
    if (!span_eq(buf_span(&s.text), span_str(want)))
        print_error("says %.*s\n", (int)buf_len(&s.text), (const char *)s.text.p);
    assert_true(span_eq(buf_span(&s.text), span_str(want)));
    buf_fini(&s.text);
}

static void nothing_to_say(void **state)
{
    (void)state;
    says(false, "web { }\n", "|0 0 0");
    says(true, "web { }\n", "|0 0 0");
    says(true, "web { }\nexpect block get \"http://a.test/\"\n", "|0 0 0");
    says(false, "web { allow any }\n", "7 |1 0 0");
    says(true, "web { allow any }\n", "7- 7~ |2 0 0");
    says(false, "web { allow any }\non journal-full hold\ndns { block category a }\n", "7 |1 0 2");
    says(true, "web { allow any }\non journal-full hold\ndns { block category a }\n", "7- 7~ |2 0 2");
    says(true, "web {\nset safe-search any\nlog any purpose security\nallow any\n}\n", "10- 10~ |2 0 2");
}

static void rules_that_are_touched(void **state)
{
    (void)state;
    says(false,
         "web {\nforbid category a\nset safe-search any\nlog any purpose security\nallow any\n}\n"
         "expect forbid get \"http://a.test/\"\n",
         "9 11 |4 2 0");
    says(false,
         "web {\nforbid category a\nset safe-search any\nlog any purpose security\nallow any\n}\n"
         "expect allow get \"http://b.test/\"\n",
         "8 |4 3 0");
    says(false,
         "web {\nset safe-search any\nset youtube strict any\nlog any purpose security\nlog any purpose "
         "statistics\nallow any\n}\nexpect allow get \"http://b.test/\"\n",
         "|5 5 0");
    says(false,
         "firewall {\nallow from lan\nblock any\n}\ntls {\nexempt category b\nallow certificate expired for "
         "g\n}\n"
         "web { allow any }\ncontent {\nforbid virus\nblock type executable\n}\n"
         "expect exempt get \"https://b.test/\"\n",
         "9 13 17 18 |7 3 0");
    says(false,
         "firewall {\nallow from lan\nblock any\n}\ntls {\nexempt category b\nallow certificate expired for "
         "g\n}\n"
         "web { allow any }\ncontent {\nforbid virus\nblock type executable\n}\n"
         "expect forbid user \"u\" certificate expired virus get \"https://a.test/\"\n",
         "9 12 18 |7 4 0");
}

static void changes_that_are_noticed(void **state)
{
    (void)state;
    says(true, "web {\nblock category a\nallow any\n}\nexpect block get \"http://a.test/\"\n",
         "8/category 9- 9~ |5 2 0");
    says(true,
         "web {\nblock category a\nallow any\n}\nexpect block get \"http://a.test/\"\nexpect allow get "
         "\"http://c.test/\"\n",
         "|5 5 0");
    says(true,
         "web {\nblock category a for g except domain \"x.a.test\"\nallow any\n}\n"
         "expect block user \"u\" get \"http://a.test/\"\nexpect allow user \"u\" get \"http://c.test/\"\n",
         "8/for 8/domain! |7 5 0");
    says(true,
         "web {\nblock category a for g except domain \"x.a.test\"\nallow any\n}\n"
         "expect block user \"u\" get \"http://a.test/\"\nexpect allow user \"u\" get \"http://c.test/\"\n"
         "expect allow user \"u\" get \"http://x.a.test/\"\nexpect allow get \"http://a.test/\"\n",
         "|7 7 0");
    says(true,
         "web {\nblock category a until 2026-01-01\nblock category b since 2030-01-01\nallow any\n}\n"
         "expect allow get \"http://a.test/\"\nexpect allow get \"http://b.test/\"\n",
         "8=- 8=~ 8=/category 9- 9~ 9/category |5 2 0");
    says(true,
         "web {\nblock category a during day\nallow any\n}\nexpect block get \"http://a.test/\" at "
         "2026-09-21 10:00\n"
         "expect allow get \"http://a.test/\" at 2026-09-20 10:00\nexpect allow get \"http://c.test/\" at "
         "2026-09-21 10:00\n",
         "|6 6 0");
    says(true,
         "web {\nwarn category a\nallow any\n}\nexpect warn get \"http://a.test/\"\nexpect allow get "
         "\"http://c.test/\"\n",
         "|5 5 0");
}

static void changes_of_tls_and_content(void **state)
{
    (void)state;
    says(true,
         "tls {\nexempt category a\nallow certificate expired for g\ninspect any\n}\nweb { allow any }\n"
         "expect exempt get \"https://a.test/\"\n",
         "8/category 9- 9~ 9/for 10=- 10~ |9 4 0");
    says(true,
         "tls {\nexempt category a\nallow certificate expired for g\ninspect any\n}\nweb { allow any }\n"
         "expect allow user \"u\" certificate expired get \"https://b.test/\"\nexpect block certificate "
         "expired get \"https://b.test/\"\n",
         "8- 8~ 10=- |9 7 0");
    says(true,
         "web { allow any }\ncontent {\nforbid virus\nblock type executable for g\n}\n"
         "expect block virus get \"http://a.test/\"\n",
         "7- 7~ 9/virus 10- 10~ 10/type 10/for |9 2 0");
    says(true,
         "firewall {\nallow from lan to internet tcp 443\nblock any\n}\nweb { allow any }\n"
         "expect allow from lan to internet tcp 443\nexpect block from lan to internet tcp 22\n",
         "8/from 8/to 9=- 11- 11~ |8 4 0");
}

/* Changes that no flow can tell: of rules that never decide, and of what a table does by itself. A `forbid`
 * keeps grants out wherever it stands, and what lets through keeps others waiting while it is open. */
static void changes_that_cannot_matter(void **state)
{
    (void)state;
    says(true, "web {\nblock category a\nblock category a for g\nallow any\n}\n",
         "8- 8~ 8/category 9=- 9=~ 9/category 9=/for 10- 10~ |6 0 0");
    says(true, "web {\nblock category a\nforbid category a for g\nallow any\n}\n",
         "8- 8~ 8/category 9- 9~ 9/category 9/for 10- 10~ |9 0 0");
    says(true, "web {\nblock path \"/a\"\nallow path \"/a/b\"\nallow any\n}\n",
         "8- 8~ 8/path 9- 9~ 9/path 10- 10~ |8 0 0");
    says(true, "web {\nblock path \"/a\"\nblock path \"/a/b\"\nallow any\n}\n",
         "8- 8~ 8/path 9=- 9~ 9/path 10- 10~ |7 0 0");
    says(true, "web {\nblock method POST category a\nblock category a\nallow any\n}\n",
         "8=- 8~ 8/method 8/category 9- 9~ 9/category 10- 10~ |8 0 0");
    says(true, "web {\nallow category b\nblock category a\nblock any\n}\n",
         "8- 8~ 8/category 9=- 9~ 9=/category 10=- 10~ |5 0 0");
    says(true, "firewall {\nblock from lan\n}\nweb { allow any }\n", "8- 8~ 8/from 10=- 10~ |4 0 0");
}

/* What a certificate rule can become, and what it cannot. */
static void changes_of_certificate_rules(void **state)
{
    (void)state;
    says(true,
         "tls {\nblock certificate expired for g\nexempt certificate asks-client-certificate for g\nblock "
         "category a\n}\n"
         "web { allow any }\n",
         "8- 8~ 8/for 9- 9/for 10- 10/category 12- 12~ |9 0 0");
    says(true,
         "tls {\nblock certificate expired for g\nallow certificate expired\n}\nweb { allow any }\n"
         "expect block user \"u\" certificate expired get \"https://a.test/\"\n",
         "8/for 9- 9~ 11- 11~ |7 2 0");
}

/* Rules of a delegated file stand ahead, and are counted as what they are. */
static void rules_of_delegated_files(void **state)
{
    char text[1024], path[] = "/tmp/perron-part-XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0 && dprintf(fd, "web {\nblock category b\n}\n") > 0);
    close(fd);
    snprintf(text, sizeof text,
             "web {\nblock category a\nallow any\n}\ndelegate \"%s\" to \"D\" for group g may narrow\n"
             "expect block user \"u\" get \"http://b.test/\"\nexpect allow get \"http://b.test/\"\n",
             path);
    says(false, text, "8 |3 2 0");
    says(true, text, "8- 8~ 2/category |8 5 0");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_to_say),
                                       cmocka_unit_test(rules_that_are_touched),
                                       cmocka_unit_test(changes_that_are_noticed),
                                       cmocka_unit_test(changes_of_tls_and_content),
                                       cmocka_unit_test(changes_that_cannot_matter),
                                       cmocka_unit_test(changes_of_certificate_rules),
                                       cmocka_unit_test(rules_of_delegated_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
