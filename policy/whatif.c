/* Recorded decisions under another policy; see whatif.h. */
#include "policy/whatif.h"

#include <stdio.h>
#include <stdlib.h>

#include "gw/base/map.h"
#include "gw/base/obj.h"
#include "gw/base/utf8.h"
#include "policy/redecide.h"

enum { ROWS = 4096, OLD_MOST = 256, FACT_NAMES = 120 };

struct table {
    struct whatif_row *row; /* ROWS */
    size_t n;
    struct map by_name; /* name -> row */
};

/* How records of one snapshot are decided. */
struct old {
    uint8_t hash[SNAP_HASH];
    struct redecide *d;
};

/* The name of a record that is expected. */
struct expected {
    const uint8_t *record; /* NULL: none */
    struct cat_keys keys;
};

struct whatif {
    const struct snapshot *now;
    const struct snapshot *(*open_old)(void *arg, const uint8_t hash[SNAP_HASH]);
    void *arg;
    struct old old[OLD_MOST];
    size_t n_old, last; /* last: where the record before was from */
    struct table table[WHATIF_TABLES];
    struct whatif_counts counts;
    struct record r; /* scratch */
    struct expected ahead[WHATIF_AHEAD];
    uint64_t n_told, n_taken;
};

static const char *const actions[] = {"allow", "block", "exempt", "inspect", "warn"};

enum rc whatif_new(const struct snapshot *now,
                   const struct snapshot *(*open_old)(void *arg, const uint8_t hash[SNAP_HASH]), void *arg,
                   struct whatif **out)
{
    struct whatif *w = calloc(1, sizeof *w);
    bool ok = w != NULL;
    for (size_t t = 0; ok && t < WHATIF_TABLES; t++) {
        w->table[t].row = calloc(ROWS, sizeof *w->table[t].row);
        map_init(&w->table[t].by_name, ROWS);
        ok = w->table[t].row != NULL;
    }
    if (!ok) {
        whatif_free(w);
        return RC_NOMEM;
    }
    w->now = now;
    w->open_old = open_old;
    w->arg = arg;
    *out = w;
    return RC_OK;
}

void whatif_free(struct whatif *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_old; i++)
        redecide_free(w->old[i].d);
    for (size_t t = 0; t < WHATIF_TABLES; t++) {
        map_fini(&w->table[t].by_name);
        free(w->table[t].row);
    }
    free(w);
}

const struct whatif_counts *whatif_counts(const struct whatif *w)
{
    return &w->counts;
}

/* ---- tables ---- */

static enum rc new_row(struct table *t, span name, struct whatif_row **out)
{
    bool full = t->n + 1 >= ROWS;
    struct whatif_row *row = &t->row[full ? ROWS - 1 : t->n];
    if (full)
        name = SPAN("others");
    if (row->n == 0) {
        memcpy(row->name, name.p, name.n);
        t->n++;
    }
    *out = row;
    return full ? RC_OK : map_put(&t->by_name, name, row);
}

static enum rc count(struct whatif *w, enum whatif_table which, span name)
{
    struct table *t = &w->table[which];
    span key = utf8_cut(name.n ? name : SPAN("(none)"), WHATIF_NAME - 1);
    struct whatif_row *row = map_find(&t->by_name, key);
    if (!row)
        TRY(new_row(t, key, &row));
    row->n++;
    if (row->n_examples < WHATIF_EXAMPLES)
        row->example[row->n_examples++] = (uint64_t)w->r.node << RECORD_CODE_BITS | w->r.number;
    return RC_OK;
}

static int most_first(const void *a, const void *b)
{
    const struct whatif_row *x = a, *y = b;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    return strcmp(x->name, y->name);
}

const struct whatif_row *whatif_rows(struct whatif *w, enum whatif_table t, size_t *n)
{
    struct table *table = &w->table[t];
    map_fini(&table->by_name); /* rows move; nothing is counted any more */
    *n = table->n;
    if (table->n)
        qsort(table->row, table->n, sizeof *table->row, most_first);
    return table->row;
}

/* ---- one record ---- */

static enum rc redecide_of(struct whatif *w, const struct redecide **out)
{
    size_t i = w->last;
    if (i >= w->n_old || memcmp(w->old[i].hash, w->r.snapshot, SNAP_HASH) != 0) {
        for (i = 0; i < w->n_old && memcmp(w->old[i].hash, w->r.snapshot, SNAP_HASH) != 0; i++)
            continue;
    }
    if (i == OLD_MOST) { /* the oldest makes room */
        redecide_free(w->old[0].d);
        memmove(w->old, w->old + 1, (--i, --w->n_old) * sizeof *w->old);
    }
    if (i == w->n_old) {
        TRY(redecide_new(w->now, w->open_old(w->arg, w->r.snapshot), &w->old[i].d));
        memcpy(w->old[i].hash, w->r.snapshot, SNAP_HASH);
        w->n_old++;
    }
    w->last = i;
    *out = w->old[i].d;
    return RC_OK;
}

static unsigned mods_of(const struct verdict *v)
{
    unsigned kinds = 0;
    for (unsigned i = 0; i < v->n_mods; i++)
        kinds |= 1u << v->mods[i].kind;
    return kinds;
}

static bool is_same(const struct verdict *a, const struct verdict *b)
{
    return a->action == b->action && a->observed == b->observed && a->n_mods == b->n_mods &&
           mods_of(a) == mods_of(b);
}

static const char *outcome(const struct verdict *v)
{
    return (size_t)v->action < N_ELEMS(actions) ? actions[v->action] : "?";
}

static enum rc count_outcome(struct whatif *w, const struct verdict *now)
{
    char text[WHATIF_NAME];
    const struct verdict *then = &w->r.verdict;
    snprintf(text, sizeof text, "%s%s -> %s%s%s", outcome(then), then->observed ? " (observed)" : "",
             outcome(now), now->observed ? " (observed)" : "",
             then->action == now->action && then->observed == now->observed ? ", modifiers" : "");
    return count(w, WHATIF_OUTCOME, span_str(text));
}

static enum rc count_rule(struct whatif *w, const struct verdict *now)
{
    char text[WHATIF_NAME];
    if (now->rule == RULE_NONE) {
        span was = w->r.rule.n ? utf8_cut(w->r.rule, 100) : SPAN("none");
        snprintf(text, sizeof text, "no rule any more (was: %.*s)", (int)was.n, (const char *)was.p);
        return count(w, WHATIF_RULE, span_str(text));
    }
    struct rule_info i = snapshot_rule(w->now, now->rule);
    span name = utf8_cut(i.name.n ? i.name : i.text, 90), file = utf8_cut(i.file, 50);
    snprintf(text, sizeof text, "%.*s (%.*s:%u)", (int)name.n, (const char *)name.p, (int)file.n,
             (const char *)file.p, i.line);
    return count(w, WHATIF_RULE, span_str(text));
}

/* Groups by address are those of the new policy; they count by the rules alone. */
static enum rc count_groups(struct whatif *w)
{
    const struct record *r = &w->r;
    struct group_hit hits[FACTS_MAX_GROUPS];
    unsigned n = snapshot_groups_of(w->now, &r->facts, hits, FACTS_MAX_GROUPS);
    enum rc rc = RC_OK;
    for (unsigned i = 0; rc == RC_OK && r->facts.regroup && i < r->facts.n_groups; i++)
        rc = count(w, WHATIF_GROUP, snapshot_group_name(w->now, r->facts.groups[i]));
    for (unsigned i = 0; rc == RC_OK && i < n && i < FACTS_MAX_GROUPS; i++)
        rc = count(w, WHATIF_GROUP, snapshot_group_name(w->now, hits[i].group));
    bool none = n == 0 && (!r->facts.regroup || r->facts.n_groups == 0);
    if (rc == RC_OK && none)
        rc = count(w, WHATIF_GROUP, r->facts.user.n ? SPAN("(in no group)") : SPAN("(unidentified)"));
    return rc;
}

static enum rc count_category(struct whatif *w, const struct verdict *now, span then)
{
    const struct facts *f = &w->r.facts;
    if (now->category != CATEGORY_NONE)
        return count(w, WHATIF_CATEGORY, snapshot_category_name(w->now, now->category));
    if (then.n)
        return count(w, WHATIF_CATEGORY, then);
    return count(w, WHATIF_CATEGORY, f->n_cats ? snapshot_category_name(w->now, f->cats[0]) : SPAN_NONE);
}

static enum rc count_cannot(struct whatif *w, uint64_t lacks)
{
    static const char *const names[] = {
#define F(id, text) text,
#include "policy/fact.tbl"
#undef F
    };
    char text[FACT_NAMES];
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < FACT_N; i++) {
        if ((lacks >> i & 1) && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "", names[i]);
    }
    return count(w, WHATIF_CANNOT, span_str(text));
}

/* The category of the rule that decided then. */
static span category_then(const struct record *r)
{
    for (unsigned i = 0; i < r->facts.n_cats; i++) {
        if (r->hits[i].category == r->verdict.category)
            return r->hits[i].name;
    }
    return SPAN_NONE;
}

void whatif_expect(struct whatif *w, span record)
{
    struct expected *e = &w->ahead[w->n_told++ % WHATIF_AHEAD];
    e->record = record.p;
    snapshot_expect(w->now, record_name(record), &e->keys);
}

/* NULL: it was not expected. */
static const struct cat_keys *keys_of(struct whatif *w, span record)
{
    struct expected *e = &w->ahead[w->n_taken % WHATIF_AHEAD];
    if (w->n_taken == w->n_told || e->record != record.p)
        return NULL;
    w->n_taken++;
    return &e->keys;
}

enum rc whatif_take(struct whatif *w, span bytes)
{
    const struct cat_keys *keys = keys_of(w, bytes);
    const struct redecide *d;
    struct verdict now;
    w->counts.records++;
    if (record_decode(bytes, &w->r) != RC_OK) {
        w->counts.unreadable++;
        return RC_OK;
    }
    TRY(redecide_of(w, &d));
    span then = category_then(&w->r);
    uint64_t rule_then = w->r.rule_key, lacks = redecide(d, keys, &w->r, &now);
    if (lacks) {
        w->counts.cannot++;
        return count_cannot(w, lacks);
    }
    if (is_same(&w->r.verdict, &now)) {
        w->counts.same++;
        w->counts.other_rule +=
            rule_then != (now.rule == RULE_NONE ? 0 : snapshot_rule(w->now, now.rule).key);
        return RC_OK;
    }
    w->counts.changed++;
    TRY(count_outcome(w, &now));
    TRY(count_rule(w, &now));
    TRY(count_groups(w));
    return count_category(w, &now, then);
}
