/* Over all of tests/policy and the shipped policies: what `check -p` prints reads without an error, and to
 * the same tree: every declaration, rule, date and label. */
#include "policy/normal.h"

#include <glob.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/parser.h"
#include "policy/source.h"
#include "tests/unit/policy/snap_help.h"

struct policy {
    struct tree t;
    struct diag d;
    struct buf said;
};

static const struct compile_opts OPTS = {.check_only = true, .time_s = 1790000000};

static void start(struct policy *p)
{
    memset(p, 0, sizeof *p);
    tree_init(&p->t);
    p->d.out = &p->said;
    p->d.tree = &p->t;
}

static void end(struct policy *p)
{
    tree_fini(&p->t);
    buf_fini(&p->said);
}

/* ---- the same tree ---- */

static void same_word(const struct word *a, const struct word *b)
{
    if (!span_eq(a->text, b->text))
        fail_msg("`%.*s` became `%.*s`", SHOW(a->text), SHOW(b->text));
}

static void same_values(const struct value *a, const struct value *b)
{
    for (; a && b; a = a->next, b = b->next) {
        same_word(&a->w, &b->w);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->lo, b->lo);
        assert_int_equal(a->hi, b->hi);
        assert_int_equal(a->proto, b->proto);
        assert_memory_equal(&a->prefix, &b->prefix, sizeof a->prefix);
    }
    assert_true(!a && !b);
}

static void same_conds(const struct cond *a, const struct cond *b)
{
    for (; a && b; a = a->next, b = b->next) {
        assert_int_equal(a->noun, b->noun);
        assert_int_equal(a->except, b->except);
        same_values(a->vals, b->vals);
    }
    assert_true(!a && !b);
}

static void same_rule(const struct rule *a, const struct rule *b)
{
    assert_int_equal(a->verb, b->verb);
    assert_int_equal(a->any, b->any);
    assert_int_equal(a->log, b->log);
    assert_int_equal(a->quic_refuse, b->quic_refuse);
    assert_int_equal(a->event, b->event);
    assert_int_equal(a->answer, b->answer);
    assert_int_equal(a->exempt_s, b->exempt_s);
    assert_int_equal(a->has_since, b->has_since);
    assert_int_equal(a->has_until, b->has_until);
    assert_int_equal(a->has_observe, b->has_observe);
    assert_true(a->since == b->since && a->until == b->until && a->observe_until == b->observe_until);
    same_word(&a->name, &b->name);
    same_word(&a->owner, &b->owner);
    same_word(&a->ticket, &b->ticket);
    same_word(&a->reason, &b->reason);
    same_word(&a->purpose, &b->purpose);
    same_conds(a->conds, b->conds);
    assert_int_equal(a->delegate != NULL, b->delegate != NULL);
    if (a->delegate)
        same_word(&a->delegate->name, &b->delegate->name);
    const struct set_part *s = a->sets, *t = b->sets;
    for (; s && t; s = s->next, t = t->next) {
        assert_int_equal(s->kind, t->kind);
        assert_int_equal(s->limit_s, t->limit_s);
        same_word(&s->value, &t->value);
    }
    assert_true(!s && !t);
}

/* Blocks come in an order of their own; within one the order stays. `on` lines come by event. */
static const struct rule *next_of(const struct rule *r, const struct rule *like)
{
    while (r && (r->block != like->block || r->event != like->event || !r->delegate != !like->delegate))
        r = r->next;
    return r;
}

static void same_rules(const struct tree *a, const struct tree *b)
{
    assert_int_equal(a->rules.n, b->rules.n);
    for (const struct rule *kind = a->rules.first; kind; kind = kind->next) {
        const struct rule *x = next_of(a->rules.first, kind), *y = next_of(b->rules.first, kind);
        for (; x && y; x = next_of(x->next, kind), y = next_of(y->next, kind))
            same_rule(x, y);
        assert_true(!x && !y);
    }
}

static void same_slots(const struct slot *a, const struct slot *b)
{
    for (; a && b; a = a->next, b = b->next) {
        assert_int_equal(a->days, b->days);
        assert_int_equal(a->from_min, b->from_min);
        assert_int_equal(a->to_min, b->to_min);
        assert_int_equal(a->first, b->first);
        assert_int_equal(a->last, b->last);
    }
    assert_true(!a && !b);
}

static void same_people(const struct tree *a, const struct tree *b)
{
    const struct group_decl *g = a->groups.first, *h = b->groups.first;
    for (; g && h; g = g->next, h = h->next) {
        same_word(&g->name, &h->name);
        same_values(g->networks, h->networks);
        same_values(g->users, h->users);
        same_values(g->attrs, h->attrs);
        assert_int_equal(g->stale_s, h->stale_s);
    }
    assert_true(!g && !h);
    assert_int_equal(a->users.n, b->users.n);
    for (const struct user_decl *u = a->users.first; u; u = u->next) {
        struct word *name = map_find(&b->user_map, u->name.text);
        assert_non_null(name);
        same_values(u->addrs, CONTAINER_OF(name, struct user_decl, name)->addrs);
    }
}

static void same_zones(const struct tree *a, const struct tree *b)
{
    const struct zone_decl *z = a->zones.first, *y = b->zones.first;
    for (; z && y; z = z->next, y = y->next) {
        same_word(&z->name, &y->name);
        same_word(&z->interface, &y->interface);
        same_word(&z->vpn, &y->vpn);
        same_values(z->networks, y->networks);
        assert_int_equal(z->vpn_remote, y->vpn_remote);
        assert_int_equal(z->ca_none, y->ca_none);
        assert_int_equal(z->internet, y->internet);
        assert_int_equal(z->source_keep, y->source_keep);
    }
    assert_true(!z && !y);
    assert_int_equal(a->nodes.n, b->nodes.n);
}

static void same_things(const struct tree *a, const struct tree *b)
{
    const struct host_decl *h = a->hosts.first, *i = b->hosts.first;
    for (; h && i; h = h->next, i = i->next)
        same_values(h->addrs, i->addrs);
    assert_true(!h && !i);
    const struct service_decl *s = a->services.first, *t = b->services.first;
    for (; s && t; s = s->next, t = t->next)
        same_values(s->ports, t->ports);
    assert_true(!s && !t);
    const struct schedule_decl *c = a->schedules.first, *d = b->schedules.first;
    for (; c && d; c = c->next, d = d->next) {
        same_word(&c->name, &d->name);
        same_word(&c->zone, &d->zone);
        same_slots(c->slots, d->slots);
        same_slots(c->except, d->except);
    }
    assert_true(!c && !d);
}

static void same_rest(const struct tree *a, const struct tree *b)
{
    const struct observe_decl *o = a->observes.first, *p = b->observes.first;
    for (; o && p; o = o->next, p = p->next) {
        assert_true(o->until == p->until);
        same_conds(o->conds, p->conds);
    }
    assert_true(!o && !p);
    const struct delegate_decl *d = a->delegates.first, *f = b->delegates.first;
    for (; d && f; d = d->next, f = f->next) {
        same_word(&d->name, &f->name);
        same_conds(d->who, f->who);
        same_conds(d->ceiling, f->ceiling);
    }
    assert_true(!d && !f);
    assert_int_equal(a->expects.n, b->expects.n);
    assert_int_equal(a->categories.n, b->categories.n);
    same_word(&a->set.time_zone, &b->set.time_zone);
    same_word(&a->set.mail, &b->set.mail);
    assert_int_equal(a->set.n_listen, b->set.n_listen);
    assert_int_equal(a->set.workers, b->set.workers);
}

/* ---- over files ---- */

static bool read_policy(struct policy *p, const char *path)
{
    start(p);
    policy_parse(&p->d, path);
    if (p->t.n_files)
        policy_check(&p->d, &OPTS);
    return p->d.errors == 0;
}

/* As if the text stood where `path` does: includes and lists are found beside it. */
static void read_normal(struct policy *p, const char *path, span text)
{
    start(p);
    assert_true(source_text(&p->d, path, text));
    p_file(&p->d, 0, false, NULL);
    policy_check(&p->d, &OPTS);
    if (p->d.errors)
        fail_msg("%.*s of\n%.*s", (int)buf_len(&p->said), (const char *)p->said.p, (int)text.n,
                 (const char *)text.p);
}

static unsigned n_compared;

static void one_policy(const char *path)
{
    static struct policy a, b;
    struct buf text = {0}, again = {0};
    if (read_policy(&a, path)) {
        assert_int_equal(policy_normal(&a.t, &text), RC_OK);
        read_normal(&b, path, buf_span(&text));
        same_zones(&a.t, &b.t);
        same_things(&a.t, &b.t);
        same_people(&a.t, &b.t);
        same_rules(&a.t, &b.t);
        same_rest(&a.t, &b.t);
        assert_int_equal(policy_normal(&b.t, &again), RC_OK);
        assert_true(span_eq(buf_span(&text), buf_span(&again)));
        n_compared++;
        end(&b);
    }
    end(&a);
    buf_fini(&text);
    buf_fini(&again);
}

static void in_folder(const char *pattern)
{
    glob_t found = {0};
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        one_policy(found.gl_pathv[i]);
    globfree(&found);
}

static void the_normal_form_is_the_same_tree(void **state)
{
    (void)state;
    in_folder("tests/policy/*.policy");
    assert_true(n_compared >= 10);
    in_folder("policy/examples/*.policy");
    in_folder("policy/*.policy");
    assert_true(n_compared >= 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_normal_form_is_the_same_tree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
