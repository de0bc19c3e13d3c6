/* Keys of rules; see index_dim.h. FNV-1a over what a rule is known by: its name, or else its block, verb and
 * conditions in an order of their own, so that a rule keeps its key when it is moved, relabelled, or its
 * values are written in another order. */
#include "policy/index_dim.h"

#include <stdlib.h>

#include "gw/base/obj.h"

struct fold {
    uint64_t h;
};

static void fold_bytes(struct fold *f, span s)
{
    for (size_t i = 0; i < s.n; i++)
        f->h = image_hash_byte(f->h, s.p[i]);
    f->h = image_hash_byte(f->h, 0xff); /* no text has it: "ab", "c" is not "a", "bc" */
}

static void fold_number(struct fold *f, uint64_t v)
{
    fold_bytes(f, span_of(&v, sizeof v));
}

static uint64_t fold_end(const struct fold *f)
{
    uint64_t h = f->h;
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    return h ? h : 1;
}

static uint64_t value_key(const struct value *v)
{
    struct fold f = {IMG_HASH_START};
    fold_number(&f, (uint64_t)v->kind);
    fold_bytes(&f, v->w.text);
    return fold_end(&f);
}

/* The sum does not depend on the order. */
static uint64_t conds_key(const struct cond *c)
{
    uint64_t sum = 0;
    for (; c; c = c->next) {
        struct fold f = {IMG_HASH_START};
        uint64_t values = 0;
        for (const struct value *v = c->vals; v; v = v->next)
            values += value_key(v);
        fold_bytes(&f, noun_word(c->noun)); /* not its number: that may change from version to version */
        fold_number(&f, c->except);
        fold_number(&f, values);
        sum += fold_end(&f);
    }
    return sum;
}

static uint64_t rule_key(const struct index_item *item)
{
    const struct rule *r = item->rule;
    struct fold f = {IMG_HASH_START};
    if (!r) {
        fold_bytes(&f, SPAN("observe"));
        fold_number(&f, conds_key(item->observe->conds));
        return fold_end(&f);
    }
    if (r->name.text.n) {
        fold_bytes(&f, SPAN("name"));
        fold_bytes(&f, r->name.text);
        return fold_end(&f);
    }
    fold_bytes(&f, block_word(r->block));
    fold_bytes(&f, verb_word(r->verb));
    if (r->delegate)
        fold_bytes(&f, r->delegate->name.text);
    for (const struct set_part *s = r->sets; s; s = s->next) {
        fold_number(&f, (uint64_t)s->kind);
        fold_bytes(&f, s->value.text);
    }
    if (r->block == BLOCK_ON) {
        fold_bytes(&f, event_word(r->event));
        fold_bytes(&f, answer_word(r->answer));
    }
    fold_number(&f, conds_key(r->conds));
    return fold_end(&f);
}

/* The last key that was made of an item's own for one that says the same, and the number it was made with. */
struct again {
    uint64_t key, n;
};

/* A key that none has, from that of the item which says the same: the second, third, ... such one is always
 * given the same. */
static uint64_t next_key(const struct map *seen, struct again *last)
{
    do {
        struct fold f = {last->key};
        fold_number(&f, ++last->n);
        last->key = fold_end(&f);
    } while (map_find(seen, span_of(&last->key, sizeof last->key)));
    return last->key;
}

static enum rc give_key(struct map *seen, struct index_item *items, uint32_t i, struct again *last)
{
    uint64_t key = rule_key(&items[i]);
    const struct index_item *same = map_find(seen, span_of(&key, sizeof key));
    items[i].key = same ? next_key(seen, &last[same - items]) : key;
    last[i] = (struct again){items[i].key, 1};
    return map_put(seen, span_of(&items[i].key, sizeof items[i].key), &items[i]);
}

enum rc index_keys(struct index_order *o)
{
    struct map seen;
    AUTO_FREE struct again *last = calloc((size_t)o->n + 1, sizeof *last);
    enum rc rc = last ? RC_OK : RC_NOMEM;
    map_init(&seen, 0);
    for (uint32_t i = 0; i < o->n && rc == RC_OK; i++)
        rc = give_key(&seen, o->items, i, last);
    map_fini(&seen);
    return rc;
}
