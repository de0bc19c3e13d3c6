/* decide() beside a model of it that knows nothing of bit sets: rules of every block drawn at random, each
 * asked in turn as DESIGN section 4 says it, schedules looked up minute by minute. Whatever differs is a bug
 * in one of the two. And what a verdict says of time: nothing changes before valid_until. The draw is seeded:
 * a failure comes again. */
#include "gw/base/obj.h"
#include "tests/unit/policy/model.h"

/* ---- facts ---- */

static void draw_who(const struct snapshot *s, struct facts *f)
{
    static const char *const src[] = {"10.0.0.1",   "10.64.0.1",  "10.65.1.1", "10.200.0.1",
                                      "172.16.0.9", "172.16.0.8", "fd00::1",   "fd01::1"};
    static const char *const users[] = {"", "u0", "u1", "u2", "u3"};
    static const char *const attrs[] = {"radius:class=eleve", "RADIUS:Class = ELEVE", "ldap:cn=x,dc=y",
                                        "ldap:CN=Staff , DC=test", "ldap:cn=staff2,dc=test"};
    f->src = addr_of(src[draw(8)]);
    f->zone = snapshot_zone_of(s, &f->src);
    f->vpn = draw(10) ? SPAN_NONE : draw(4) ? SPAN("site") : SPAN("elsewhere");
    f->user = span_str(users[draw(5)]);
    f->id_age_s = draw(3) ? draw(3600) : 3598 + draw(5);
    f->n_attrs = (uint16_t)draw(3);
    for (unsigned i = 0; i < f->n_attrs; i++)
        f->attrs[i] = span_str(attrs[draw(5)]);
}

static void draw_what(struct facts *f)
{
    static const char *const names[] = {
        "",           "example",   "b.example", "x.b.example", "a.b.example", "y.a.b.example",
        "other.test", "free.test", "notexample"};
    static const char *const methods[] = {"GET", "POST", "PUT"};
    static const char *const paths[] = {"/", "/a",    "/a/b",    "/ab",          "/a/bc/d",
                                        "*", "/a//b", "/A/%62/", "/x/..//a;k/b", "/a/../%2561b"};
    static const uint16_t ports[] = {80, 443, 450, 1000, 1001, 8443, 53};
    static const uint8_t protos[] = {0, 6, 6, 6, 6, 6, 17, 1, 58};
    f->name = span_str(names[draw(9)]);
    f->dst = addr_of(draw(2) ? "198.51.100.7" : draw(2) ? "10.0.0.9" : "198.51.100.8");
    f->proto = protos[draw(9)];
    f->dst_port = ports[draw(7)];
    f->tls = draw(4) != 0;
    f->method = span_str(methods[draw(3)]);
    f->upload = draw(2);
    f->path = span_str(paths[draw(N_ELEMS(paths))]);
}

static void draw_content(struct facts *f)
{
    static const char *const types[] = {"", "executable", "archive", "pdf"};
    static const char *const apps[] = {"", "tor", "bittorrent", "dns"};
    f->type = span_str(types[draw(4)]);
    f->severity = (uint8_t)draw(4);
    f->virus = draw(3) ? SPAN_NONE : SPAN("Eicar");
    f->n_patterns = (uint16_t)draw(3);
    f->patterns[0] = SPAN("iban");
    f->patterns[1] = SPAN("belgian-national-number");
    f->app = span_str(apps[draw(4)]);
    f->quota_used_s = draw(2) ? draw(7200) : 3599 + draw(3);
}

static void draw_facts(const struct model *m, struct facts *f)
{
    static const enum step steps[] = {STEP_CONNECT, STEP_CONNECT, STEP_REQUEST, STEP_REQUEST, STEP_CONTENT};
    *f = (struct facts){.step = steps[draw(5)]};
    for (unsigned i = 0; i < FACT_N; i++) {
        bool late = i == FACT_METHOD || i == FACT_PATH;
        if (late ? f->step != STEP_CONNECT || draw(10) == 0 : draw(8) != 0)
            f->known |= UINT64_C(1) << i;
    }
    f->known |= FACT_BIT(SRC) | FACT_BIT(TLS);
    f->time_s = TIME_FIRST + draw(TIME_SPAN);
    draw_who(m->snap, f);
    draw_what(f);
    draw_content(f);
    if (f->known & FACT_BIT(DST))
        f->dst = f->name.n || draw(2) ? f->dst : addr_of("198.51.100.7");
    else
        f->dst = (struct addr){0};
    for (unsigned i = 0; i < m->web.n && f->n_clicked < FACTS_MAX_CLICKED; i++) {
        if (m->web.rule[i].verb == WARN && draw(2))
            f->clicked[f->n_clicked++] = snapshot_rule(m->snap, m->web.first + i).key;
    }
    snapshot_categories(m->snap, f);
}

/* ---- comparing ---- */

static void show(const struct facts *f, const struct verdict *v, const struct outcome *w)
{
    print_error(
        "step %d at %lld known %llx: action %d/%d rule %u/%u why %d/%d waits %llx/%llx observed %d/%d "
        "logs %u/%u mods %u/%u\n",
        (int)f->step, (long long)f->time_s, (unsigned long long)f->known, (int)v->action, (int)w->action,
        v->rule, w->rule, (int)v->why, (int)w->why, (unsigned long long)v->waits_for,
        (unsigned long long)w->waits, v->observed, w->observed, v->n_logs, w->n_logs, v->n_mods, w->n_mods);
}

static bool same(const struct verdict *v, const struct outcome *w)
{
    if (v->action != w->action || v->rule != w->rule || v->why != w->why || v->waits_for != w->waits ||
        v->observed != w->observed || v->forbid != w->forbid || v->n_logs != w->n_logs ||
        v->n_mods != w->n_mods)
        return false;
    for (unsigned i = 0; i < v->n_logs; i++) {
        if (v->logs[i] != w->logs[i])
            return false;
    }
    for (unsigned i = 0; i < v->n_mods; i++) {
        if (v->mods[i].rule != w->mods[i])
            return false;
    }
    return true;
}

/* The trail: rules that match or may match, in order; the last one decided where a rule did. */
static void check_trail(const struct verdict *v)
{
    assert_true(v->n_trail <= TRAIL_MAX);
    for (unsigned i = 0; i < v->n_trail; i++) {
        assert_true(v->trail[i].match == 1 || v->trail[i].match == 2);
        assert_int_equal(v->trail[i].match == 2, v->trail[i].waits_for != 0);
    }
}

/* Nothing changes before valid_until, and something of the time does then. */
static void check_until(const struct model *m, const struct facts *f, const struct verdict *v)
{
    assert_true(v->valid_until > f->time_s);
    int64_t most = v->valid_until - f->time_s;
    struct facts later = *f;
    for (unsigned i = 0; i < 4; i++) {
        int64_t step = i == 3 ? most - 1 : (int64_t)draw(most > 86400 ? 86400 : (unsigned)most);
        later.time_s = f->time_s + (step > 2 * 86400 ? 2 * 86400 : step);
        later.id_age_s = f->id_age_s + (uint32_t)(later.time_s - f->time_s);
        struct outcome w = model_decide(m, &later);
        if (!same(v, &w)) {
            print_error("valid until %lld, but at %lld:\n", (long long)v->valid_until,
                        (long long)later.time_s);
            show(&later, v, &w);
        }
        assert_true(same(v, &w));
    }
    if (v->valid_until != INT64_MAX)
        assert_true(model_turns(m, f, v->valid_until));
}

static void compare(const struct model *m, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        struct facts f;
        draw_facts(m, &f);
        struct outcome want = model_decide(m, &f);
        struct verdict v = ask(m->snap, &f);
        if (!same(&v, &want))
            show(&f, &v, &want);
        assert_true(same(&v, &want));
        check_trail(&v);
        check_until(m, &f, &v);
    }
}

static void few_rules(void **state)
{
    static struct model m;
    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        draw_seed(i);
        model_draw(&m, 12);
        compare(&m, 400);
        model_free(&m);
    }
}

/* Tables of about one word: what is at most that is kept in another way. */
static void rules_about_a_word(void **state)
{
    static struct model m;
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        draw_seed(3300 + i);
        model_draw(&m, 110);
        compare(&m, 100);
        model_free(&m);
    }
}

/* More than one block of words, lists and bit sets side by side. Most of the time goes by with the proof of
 * what is reached, which grows with the square: one of them is large. */
static void many_rules(void **state)
{
    static struct model m;
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        draw_seed(7700 + i);
        model_draw(&m, i ? 700 : 1400);
        compare(&m, 1000);
        model_free(&m);
    }
}

/* A record holds the facts by value: from a copy with its own strings comes the same verdict. */
static void the_record_alone_gives_the_same(void **state)
{
    static struct model m;
    (void)state;
    draw_seed(31);
    model_draw(&m, 40);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t name[64], path[64];
        struct facts f, copy;
        draw_facts(&m, &f);
        copy = f;
        memcpy(name, f.name.p, f.name.n);
        memcpy(path, f.path.p, f.path.n);
        copy.name = span_of(name, f.name.n);
        copy.path = span_of(path, f.path.n);
        struct verdict a = ask(m.snap, &f), b = ask(m.snap, &copy);
        struct outcome w = model_decide(&m, &f);
        assert_true(same(&a, &w) && same(&b, &w));
        assert_int_equal(a.valid_until, b.valid_until);
        assert_int_equal(a.n_trail, b.n_trail);
        for (unsigned k = 0; k < a.n_trail; k++)
            assert_int_equal(a.trail[k].rule, b.trail[k].rule);
    }
    model_free(&m);
}

static void names_are_asked_about_too(void **state)
{
    static struct model m;
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        draw_seed(600 + i);
        model_draw(&m, 6);
        for (unsigned k = 0; k < 200; k++) {
            struct facts f;
            struct verdict v;
            draw_facts(&m, &f);
            struct outcome w = model_dns(&m, &f);
            decide_dns(m.snap, &f, &v);
            if (!same(&v, &w))
                show(&f, &v, &w);
            assert_true(same(&v, &w));
        }
        model_free(&m);
    }
}

/* What decide_why_not() says of each rule is what the model says. */
static void every_rule_says_why_not(void **state)
{
    static struct model m;
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        draw_seed(900 + i);
        model_draw(&m, 12);
        for (unsigned k = 0; k < 100; k++) {
            struct facts f;
            draw_facts(&m, &f);
            for (unsigned r = 0; r < m.web.n; r++) {
                uint64_t waits;
                struct why_not w = decide_why_not(m.snap, &f, m.web.first + r);
                int want = model_match(&m, &m.web.rule[r], &f, &waits);
                bool off = w.refuses || w.not_yet || w.over;
                assert_int_equal(off ? NO : w.waits ? OPEN : YES, want);
                assert_int_equal(w.refuses & ~w.asks, 0);
                assert_int_equal(w.excepts & ~w.refuses, 0);
            }
        }
        model_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_rules),
        cmocka_unit_test(rules_about_a_word),
        cmocka_unit_test(many_rules),
        cmocka_unit_test(the_record_alone_gives_the_same),
        cmocka_unit_test(names_are_asked_about_too),
        cmocka_unit_test(every_rule_says_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
