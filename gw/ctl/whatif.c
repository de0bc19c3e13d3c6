/* perronctl what-if: recorded decisions under another policy, before it goes live. Nothing is changed. */
#include <inttypes.h>
#include <stdio.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/ctl/check.h"
#include "gw/ctl/old.h"
#include "gw/ctl/record.h"
#include "gw/siem/code.h"
#include "policy/compile.h"
#include "policy/whatif.h"

enum { SHOWN = 20 };

static const struct {
    enum whatif_table table;
    const char *key, *title;
} tables[] = {
    {WHATIF_OUTCOME, "changes", "what changes"},
    {WHATIF_RULE, "by_rule", "by rule of the new policy"},
    {WHATIF_GROUP, "by_group", "by group"},
    {WHATIF_CATEGORY, "by_category", "by category"},
    {WHATIF_CANNOT, "cannot_tell_by", "cannot tell, for the records lack what the new rules ask about"},
};

/* Words of the new policy that change nothing, as nothing acts on them yet: said, for "as before" would
 * mislead. */
struct unheard_words {
    json_t *list; /* with --json */
    struct buf text;
    enum rc rc;
};

static void built(void *arg, struct tree *t, const struct snapshot *snap)
{
    struct unheard_words *u = arg;
    (void)snap;
    u->rc = check_unheard(t, u->list, &u->text);
}

static enum rc compile(const char *path, struct unheard_words *unheard, struct snapshot **out)
{
    struct compile_opts opts = {.time_s = clock_wall_s(), .built = built, .arg = unheard};
    uint8_t hash[SNAP_HASH];
    int fds[SNAP_PARTS];
    struct buf diag = {0};
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        fds[i] = -1;
    enum rc rc = policy_compile(path, &opts, fds, hash, &diag);
    ctl_print(stderr, buf_span(&diag), true);
    ctl_print(stderr, buf_span(&unheard->text), true);
    buf_fini(&unheard->text);
    if (rc == RC_OK)
        rc = unheard->rc;
    if (rc == RC_OK)
        rc = snapshot_open(fds, hash, out);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    buf_fini(&diag);
    return rc;
}

/* ---- what comes out ---- */

static const char *example(uint64_t code, char out[16])
{
    code_format((unsigned)(code >> CODE_NUMBER_BITS), code & ((UINT64_C(1) << CODE_NUMBER_BITS) - 1), out);
    return out;
}

static void print_table(const char *title, const struct whatif_row *row, size_t n)
{
    char code[16];
    if (n == 0)
        return;
    printf("\n%s\n", title);
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        printf("%10" PRIu64 "  ", row[i].n);
        ctl_print(stdout, span_str(row[i].name), false);
        printf("  (");
        for (unsigned k = 0; k < row[i].n_examples; k++)
            printf("%s%s", k ? ", " : "", example(row[i].example[k], code));
        printf(")\n");
    }
    if (n > SHOWN)
        printf("            and %zu more; --json has all\n", n - SHOWN);
}

static void print_text(struct whatif *w)
{
    const struct whatif_counts *c = whatif_counts(w);
    printf("%" PRIu64 " decisions: %" PRIu64 " as before (%" PRIu64 " of them by another rule), %" PRIu64
           " would change, %" PRIu64 " cannot be told\n",
           c->records, c->same, c->other_rule, c->changed, c->cannot);
    if (c->unreadable)
        printf("%" PRIu64 " records are none that this version can read\n", c->unreadable);
    for (size_t i = 0; i < N_ELEMS(tables); i++) {
        size_t n;
        const struct whatif_row *row = whatif_rows(w, tables[i].table, &n);
        print_table(tables[i].title, row, n);
    }
}

static json_t *json_rows(const struct whatif_row *row, size_t n)
{
    json_t *list = json_array();
    char code[16];
    for (size_t i = 0; i < n; i++) {
        json_t *examples = json_array(), *name = json_string(row[i].name);
        for (unsigned k = 0; k < row[i].n_examples; k++)
            json_array_append_new(examples, json_string(example(row[i].example[k], code)));
        json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "name", name ? name : json_string("?"),
                                              "count", (json_int_t)row[i].n, "examples", examples));
    }
    return list;
}

static void print_json(struct whatif *w, json_t *unheard, const struct journal_walk *walk)
{
    const struct whatif_counts *c = whatif_counts(w);
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "records", (json_int_t)c->records, "same",
                          (json_int_t)c->same, "same_by_another_rule", (json_int_t)c->other_rule, "changed",
                          (json_int_t)c->changed, "cannot_tell", (json_int_t)c->cannot, "unreadable",
                          (json_int_t)c->unreadable);
    for (size_t i = 0; o && i < N_ELEMS(tables); i++) {
        size_t n;
        const struct whatif_row *row = whatif_rows(w, tables[i].table, &n);
        json_object_set_new(o, tables[i].key, json_rows(row, n));
    }
    json_object_set(o, "not_in_force", unheard);
    json_object_set_new(o, "broken", journal_broken_json(walk));
    ctl_print_json(o);
    json_decref(o);
}

/* ---- the walk ---- */

static const struct snapshot *open_old(void *arg, const uint8_t hash[SNAP_HASH])
{
    return old_find(arg, hash);
}

_Static_assert((int)WHATIF_AHEAD >= (int)JOURNAL_AHEAD, "all that the walk tells of is kept");

static void expect(const struct journal_frame *f, void *arg)
{
    whatif_expect(arg, f->record);
}

static enum rc take(const struct journal_frame *f, void *arg)
{
    return whatif_take(arg, f->record);
}

static int walk(const struct ctl *ctl, struct whatif *w, json_t *unheard, int dir)
{
    struct journal_walk walk = {.dir = dir, .each = take, .ahead = expect, .arg = w};
    enum rc rc = journal_walk(&walk);
    if (rc != RC_OK)
        return ctl_fail("%s", rc == RC_NOTFOUND ? "there is no journal in that directory" : rc_text(rc));
    if (ctl->json)
        print_json(w, unheard, &walk);
    else
        print_text(w);
    return journal_broken(&walk);
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    static struct old_snapshots old;
    const char *file = NULL, *journal = NULL;
    struct snapshot *now = NULL;
    struct whatif *w = NULL;
    for (int i = 0; i < argc; i++) {
        if (span_eq(span_str(argv[i]), SPAN("--journal")) && i + 1 < argc)
            journal = argv[++i];
        else if (argv[i][0] == '-' || file)
            return ctl_fail("what-if: unexpected %s; perronctl what-if --help", argv[i]);
        else
            file = argv[i];
    }
    if (!file)
        return ctl_fail("what-if: which policy?");
    AUTO_CLOSE int dir = journal_open_dir(ctl, journal);
    if (dir < 0)
        return 1;
    struct unheard_words unheard = {.list = ctl->json ? json_array() : NULL};
    enum rc rc = compile(file, &unheard, &now);
    if (rc != RC_OK) {
        json_decref(unheard.list);
        return ctl_fail("%s: the policy has errors; nothing was asked", file);
    }
    old_init(&old, ctl, journal);
    rc = whatif_new(now, open_old, &old, &w);
    int status = rc == RC_OK ? walk(ctl, w, unheard.list, dir) : ctl_fail("%s", rc_text(rc));
    whatif_free(w);
    json_decref(unheard.list);
    old_fini(&old);
    snapshot_put(now);
    return status;
}

const struct ctl_command ctl_whatif = {
    .name = "what-if",
    .usage = "  what-if POLICY [--journal DIR]\n"
             "                             what that policy would have made of the recorded decisions\n",
    .run = run,
};
