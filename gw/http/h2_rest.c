/* What an idle session of libnghttp2 keeps of its core (h2_mem.c).
 *
 * The core is pages of which a session without streams uses some 140 words; the others are zero. Of those in
 * turn most are the same in every session of its side (callbacks, settings, sizes of tables), or point into
 * the session itself. So the first session that rests in a worker becomes the model of its side, and of each
 * only the words that are not as the model lets one expect are kept; the pages go back to the system.
 *
 * The model is a guess and nothing else. Nobody says which word is what: each that is not as expected is kept
 * as it is, so a session that is unlike its model, with another peer's settings or whatever, only keeps more.
 * What the model had from its own session never comes out in another: where they differ the other's own word
 * is kept. A model never changes, and goes with the pool. When a session wakes, a sum over all its words says
 * that they are what they were. */
#include <stdlib.h>
#include <sys/mman.h>

#include "gw/base/obj.h"
#include "gw/http/h2_int.h"

enum { WORDS = H2_CORE_BYTES / 8 };

/* What an expected value is counted from: addresses within a session are not the same in another. */
enum base { BASE_NONE, BASE_CORE, BASE_SESSION, BASE_N };

struct h2_model {
    size_t n;
    struct {
        uint16_t at, base;
        uint64_t value;
    } words[]; /* that are not zero, in order */
};

/* Words that are not as expected, and behind them where each belongs. */
struct h2_packed {
    uint64_t sum;
    size_t n;
    uint64_t words[];
};

static uint64_t *core_words(const struct h2 *s)
{
    return (uint64_t *)(void *)s->core->at;
}

static uint16_t *places(struct h2_packed *p)
{
    return (uint16_t *)(void *)(p->words + p->n);
}

static void bases_of(const struct h2 *s, uint64_t base[BASE_N])
{
    base[BASE_NONE] = 0;
    base[BASE_CORE] = (uintptr_t)s->core->at;
    base[BASE_SESSION] = (uintptr_t)s;
}

/* It tells words that have changed places too. */
static uint64_t sum_of(const uint64_t *words)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < WORDS; i++)
        sum += words[i] * (2 * i + 1);
    return sum;
}

/* ---- the model ---- */

static enum base base_of(uint64_t word, const uint64_t base[BASE_N])
{
    if (word - base[BASE_CORE] < H2_CORE_BYTES)
        return BASE_CORE;
    return word - base[BASE_SESSION] < sizeof(struct h2) ? BASE_SESSION : BASE_NONE;
}

static struct h2_model *model_of(const struct h2 *s)
{
    const uint64_t *words = core_words(s);
    uint64_t base[BASE_N];
    size_t n = 0;
    for (size_t i = 0; i < WORDS; i++)
        n += words[i] != 0;
    struct h2_model *m = malloc(sizeof *m + n * sizeof *m->words);
    if (!m)
        return NULL;
    bases_of(s, base);
    m->n = 0;
    for (size_t i = 0; i < WORDS; i++) {
        if (words[i] == 0)
            continue;
        enum base from = base_of(words[i], base);
        m->words[m->n].at = (uint16_t)i;
        m->words[m->n].base = (uint16_t)from;
        m->words[m->n++].value = words[i] - base[from];
    }
    return m;
}

void h2_models_fini(struct h2_pool *p)
{
    for (size_t i = 0; i < N_ELEMS(p->models); i++) {
        free(p->models[i]);
        p->models[i] = NULL;
    }
}

/* ---- rest ---- */

/* How many words are not as expected; they go to `to`, where it is given with that number. */
static size_t pack(const struct h2 *s, const struct h2_model *m, struct h2_packed *to)
{
    const uint64_t *words = core_words(s);
    uint64_t base[BASE_N];
    size_t n = 0;
    bases_of(s, base);
    for (size_t i = 0, k = 0; i < WORDS; i++) {
        uint64_t expected = 0;
        if (k < m->n && m->words[k].at == i) {
            expected = base[m->words[k].base] + m->words[k].value;
            k++;
        }
        if (words[i] == expected)
            continue;
        if (to) {
            to->words[n] = words[i];
            places(to)[n] = (uint16_t)i;
        }
        n++;
    }
    return n;
}

void h2_rest(struct h2 *s)
{
    struct h2_core *c = s->core;
    if (c->packed || s->busy || h2_wants_write(s))
        return;
    struct h2_model **m = &s->pool->models[s->server];
    if (!*m)
        *m = model_of(s);
    size_t n = *m ? pack(s, *m, NULL) : 0;
    struct h2_packed *to = *m ? malloc(sizeof *to + n * (sizeof(uint64_t) + sizeof(uint16_t))) : NULL;
    if (!to)
        return;
    to->sum = sum_of(core_words(s));
    to->n = n;
    pack(s, *m, to);
    if (madvise(c->at, H2_CORE_BYTES, MADV_DONTNEED) != 0) {
        free(to);
        return;
    }
    c->packed = to;
}

/* The pages are zero now. */
void h2_wake(const struct h2 *s)
{
    const struct h2_model *m = s->pool->models[s->server];
    struct h2_packed *from = s->core->packed;
    uint64_t *words = core_words(s);
    uint64_t base[BASE_N];
    bases_of(s, base);
    for (size_t k = 0; k < m->n; k++)
        words[m->words[k].at] = base[m->words[k].base] + m->words[k].value;
    for (size_t k = 0; k < from->n; k++)
        words[places(from)[k]] = from->words[k];
    gw_assert(sum_of(words) == from->sum);
    free(from);
    s->core->packed = NULL;
}
