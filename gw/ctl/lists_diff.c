/* perronctl lists diff: what an update adds to each list and takes away, those entries first that the guard
 * would hold back. */
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/obj.h"
#include "gw/ctl/lists.h"

/* An entry of one side that the other has not. */
struct change {
    uint64_t at; /* in the records of its side */
    uint32_t file, line;
    bool added;
    enum hold flag;
};

struct diff {
    const struct cattext *old, *new;
    struct guard guard;
    uint64_t seed[4];
    struct change *v;
    size_t n, cap;
};

/* Whether a list of that name in `t` has the entry, meaning the same. */
static bool has(const struct cattext *t, uint32_t list, const struct catkey *key, unsigned flags)
{
    struct cattext_find f = {0};
    struct cattext_entry e;
    while (cattext_find(t, key, &f, &e)) {
        if (e.list == list && e.flags == flags)
            return true;
    }
    return false;
}

static enum rc flag_of(const struct diff *d, const struct cattext_entry *e, const struct catkey *key,
                       enum hold *out)
{
    static const bool fresh = true;
    struct catkey_hashes h;
    span expr = span_of(key->text, key->n);
    *out = e->held;
    if (e->held != HOLD_NONE)
        return RC_OK;
    if (key->kind == CATKEY_N)
        return guard_judge_expressions(&d->guard, &expr, &fresh, 1, out);
    catkey_hash(d->seed, key, &h);
    *out = guard_judge(&d->guard, key, e->flags, &h);
    return RC_OK;
}

static enum rc note(struct diff *d, uint64_t at, const struct cattext_entry *e, const struct catkey *key,
                    bool added)
{
    struct change *v = array_room(d->v, d->n, &d->cap, 256, sizeof *v);
    if (!v)
        return RC_NOMEM;
    d->v = v;
    enum hold flag = HOLD_NONE;
    if (added)
        TRY(flag_of(d, e, key, &flag));
    d->v[d->n++] = (struct change){at, e->file, e->line, added, flag};
    return RC_OK;
}

static enum rc one_way(struct diff *d, bool added)
{
    const struct cattext *from = added ? d->new : d->old, *in = added ? d->old : d->new;
    uint32_t other[CATFMT_LISTS];
    struct cattext_entry e;
    struct catkey key;
    for (uint32_t i = 0; i < from->head.n_lists; i++)
        other[i] = cattext_list_named(in, cattext_list_name(from, i));
    for (uint64_t at = 0, start = 0; cattext_next(from, &at, &e); start = at) {
        if (!catkey_again(e.kind, e.key, &key))
            continue;
        if (other[e.list] == UINT32_MAX || !has(in, other[e.list], &key, e.flags))
            TRY(note(d, start, &e, &key, added));
    }
    return RC_OK;
}

/* Flagged ones first, then by file and line, added before removed. */
static int by_weight(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if ((x->flag != HOLD_NONE) != (y->flag != HOLD_NONE))
        return x->flag != HOLD_NONE ? -1 : 1;
    if (x->added != y->added)
        return x->added ? -1 : 1;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static void print_change(const struct ctl *ctl, const struct diff *d, const struct change *c)
{
    const struct cattext *t = c->added ? d->new : d->old;
    struct cattext_entry e;
    uint64_t at = c->at;
    if (!cattext_next(t, &at, &e))
        return;
    if (ctl->json) {
        json_t *o = lists_entry_json(t, &e);
        json_object_set_new(o, "change", json_string(c->added ? "added" : "removed"));
        json_object_set_new(o, "flag", c->flag ? json_string(hold_text(c->flag)) : json_null());
        ctl_print_json(o);
        json_decref(o);
        return;
    }
    printf("%c ", c->added ? '+' : '-');
    ctl_print(stdout, e.raw, false);
    printf("  (");
    ctl_print(stdout, cattext_list_name(t, e.list), false);
    printf(", ");
    ctl_print(stdout, cattext_file_path(t, e.file), false);
    printf(":%u)", (unsigned)e.line);
    printf(c->flag ? "  LOOK: %s\n" : "\n", hold_text(c->flag));
}

static int report(const struct ctl *ctl, struct diff *d)
{
    size_t added = 0, flagged = 0;
    if (d->n)
        qsort(d->v, d->n, sizeof *d->v, by_weight);
    for (size_t i = 0; i < d->n; i++) {
        print_change(ctl, d, &d->v[i]);
        added += d->v[i].added;
        flagged += d->v[i].flag != HOLD_NONE;
    }
    if (ctl->json) {
        json_t *o = json_pack("{s:I, s:I, s:I}", "added", (json_int_t)added, "removed",
                              (json_int_t)(d->n - added), "flagged", (json_int_t)flagged);
        ctl_print_json(o);
        json_decref(o);
    } else {
        printf("%zu added, %zu removed, %zu to look at\n", added, d->n - added, flagged);
    }
    return flagged ? 2 : 0;
}

static int compare(const struct ctl *ctl, const struct lists_options *o, struct diff *d)
{
    if (lists_guard(o, &d->guard) != 0)
        return 1;
    enum rc rc = guard_prepare(&d->guard, d->seed, d->new->records.n);
    if (rc == RC_OK)
        rc = one_way(d, true);
    if (rc == RC_OK)
        rc = one_way(d, false);
    return rc == RC_OK ? report(ctl, d) : ctl_fail("comparing: %s", rc_text(rc));
}

int lists_diff(const struct ctl *ctl, int argc, char **argv)
{
    struct lists_options o = {0}, plain = {0};
    struct lists_parts old = {0}, new = {0};
    if (lists_options(&o, "diff", argc, argv) != 0)
        return 1;
    if (o.n_sources != 2)
        return ctl_fail("lists diff: OLD and NEW are both needed");
    struct diff d = {.old = &old.text, .new = &new.text};
    guard_init(&d.guard);
    int status = lists_load(&plain, &o.source[0], 1, &old);
    if (status == 0)
        status = lists_load(&plain, &o.source[1], 1, &new);
    if (status == 0)
        status = compare(ctl, &o, &d);
    free(d.v);
    guard_fini(&d.guard);
    lists_fini(&old);
    lists_fini(&new);
    return status;
}
