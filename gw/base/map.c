/* Open addressing with robin-hood-free linear probing and backward-shift deletion; see map.h. */
#include "gw/base/map.h"

#include <stdlib.h>
#include <sys/random.h>

struct map_slot {
    uint64_t hash;
    uint8_t *key; /* NULL: free */
    size_t key_n;
    void *value;
};

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with 1 and 3 rounds. */
static uint64_t siphash13(const uint64_t k[2], span s)
{
    uint64_t v[4] = {k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261,
                     k[1] ^ 0x7465646279746573};
    size_t whole = s.n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = load_le(s.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)s.n << 56 | (s.n > whole ? load_le(s.p + whole, s.n - whole) : 0);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t map_key[2];

__attribute__((constructor)) static void map_draw_key(void)
{
    if (getrandom(map_key, sizeof map_key, 0) != (ssize_t)sizeof map_key)
        abort();
}

uint64_t map_hash(span key)
{
    return siphash13(map_key, key);
}

void map_init(struct map *m, size_t max)
{
    *m = (struct map){.max = max};
}

void map_fini(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct map){.max = m->max};
}

/* Index of the key, or of the free slot where it would go; cap must not be 0. */
static size_t probe(const struct map *m, span key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].key) {
        const struct map_slot *s = &m->slots[i];
        if (s->hash == hash && span_eq(span_of(s->key, s->key_n), key))
            break;
        i = (i + 1) & (m->cap - 1);
    }
    return i;
}

void *map_find(const struct map *m, span key)
{
    if (m->n == 0)
        return NULL;
    const struct map_slot *s = &m->slots[probe(m, key, map_hash(key))];
    return s->key ? s->value : NULL;
}

static enum rc map_grow(struct map *m)
{
    struct map bigger = {.cap = m->cap ? m->cap * 2 : 16, .n = m->n, .max = m->max};
    bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return RC_NOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        struct map_slot *s = &m->slots[i];
        if (s->key)
            bigger.slots[probe(&bigger, span_of(s->key, s->key_n), s->hash)] = *s;
    }
    free(m->slots);
    *m = bigger;
    return RC_OK;
}

enum rc map_put(struct map *m, span key, void *value)
{
    uint64_t hash = map_hash(key);
    struct map_slot *s = m->cap ? &m->slots[probe(m, key, hash)] : NULL;
    if (s && s->key) { /* needs no memory */
        s->value = value;
        return RC_OK;
    }
    if (m->max && m->n >= m->max)
        return RC_LIMIT;
    if (m->n * 4 >= m->cap * 3) {
        TRY(map_grow(m));
        s = &m->slots[probe(m, key, hash)];
    }
    uint8_t *copy = malloc(key.n ? key.n : 1);
    if (!copy)
        return RC_NOMEM;
    if (key.n)
        memcpy(copy, key.p, key.n);
    *s = (struct map_slot){hash, copy, key.n, value};
    m->n++;
    return RC_OK;
}

static void close_gap(struct map *m, size_t hole)
{
    size_t i = (hole + 1) & (m->cap - 1);
    while (m->slots[i].key) {
        size_t home = m->slots[i].hash & (m->cap - 1);
        if (((i - home) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
            m->slots[hole] = m->slots[i];
            m->slots[i] = (struct map_slot){0};
            hole = i;
        }
        i = (i + 1) & (m->cap - 1);
    }
}

void *map_take(struct map *m, span key)
{
    if (m->n == 0)
        return NULL;
    size_t i = probe(m, key, map_hash(key));
    if (!m->slots[i].key)
        return NULL;
    void *value = m->slots[i].value;
    free(m->slots[i].key);
    m->slots[i] = (struct map_slot){0};
    m->n--;
    close_gap(m, i);
    return value;
}

bool map_next(const struct map *m, size_t *it, span *key, void **value)
{
    while (*it < m->cap) {
        const struct map_slot *s = &m->slots[(*it)++];
        if (s->key) {
            *key = span_of(s->key, s->key_n);
            *value = s->value;
            return true;
        }
    }
    return false;
}
