/* Host or address, and path -> lists: one compact table in mapped memory, built by signatures/catc.
 *
 * A table of cache lines with seven slots each (48-bit tag, 16-bit number of a set of lists) under a keyed
 * hash that is computed label by label from the right, so that all parent domains of a name cost one walk,
 * and nearly always one line; before it a filter small enough to stay in the processor's cache, so that what
 * is in no list costs no look into the table. A name in a list stands for itself and everything below it
 * unless its list says otherwise; an exception takes it out of its list again. A network is a key like a
 * name, tried once for each length that occurs. A URL is its host's hash continued by the path's segments,
 * tried only for hosts that have one.
 *
 * The view borrows the bytes; a look-up allocates nothing, never reads outside the image whatever its bytes
 * are, and costs at most one bounded probe a label, network length and segment. Two given names have the
 * same tag once in 2^48, to whoever does not know the seed: what is enforced asks the text part too
 * (cattext.h, snapshot_decide). */
#ifndef SIGNATURES_CATDB_H
#define SIGNATURES_CATDB_H

#include "gw/base/addr.h"
#include "signatures/catfmt.h"
#include "signatures/catkeys.h"

/* An open image. */
struct catdb {
    struct catfmt_head head;
    const uint64_t *filter;
    const struct catfmt_line *lines;
    const uint32_t *set_at; /* n_sets + 2 offsets into members */
    const uint16_t *members;
    span expressions; /* for catexpr_open; empty: there are none */
};

/* Lists that hold something, a bit each. Only words whose bit in `used` is set mean anything. */
struct cat_hits {
    uint16_t used;
    uint64_t in[CATFMT_LISTS / 64], out[CATFMT_LISTS / 64];
    /* Lists that the path, which was not known, could add; with words in use of their own. */
    uint16_t may_used;
    uint64_t may[CATFMT_LISTS / 64];
};
static inline void cat_hits_add(struct cat_hits *hits, unsigned list, bool except)
{
    unsigned w = list / 64;
    if (!(hits->used >> w & 1))
        hits->in[w] = hits->out[w] = 0;
    hits->used |= (uint16_t)(1u << w);
    *(except ? &hits->out[w] : &hits->in[w]) |= UINT64_C(1) << (list % 64);
}
static inline void cat_hits_may(struct cat_hits *hits, unsigned list)
{
    unsigned w = list / 64;
    if (!(hits->may_used >> w & 1))
        hits->may[w] = 0;
    hits->may_used |= (uint16_t)(1u << w);
    hits->may[w] |= UINT64_C(1) << (list % 64);
}

/* What is looked up: one of name (normalised: lower case, no trailing dot) and addr. */
struct cat_query {
    span name;
    const struct addr *addr;
    const span *path; /* as in the request; NULL: not known */
};

/* Checks head, sizes and every set; BAD when anything is off. `image` must be 16-byte aligned. */
enum rc catdb_open(span image, struct catdb *out) MUST_USE;
/* False: in no list (hits->used is 0 then; `may` is filled in all the same). A zeroed db holds nothing. */
bool catdb_find(const struct catdb *db, const struct cat_query *q, struct cat_hits *hits);
/* The same in two halves, for whoever knows a name some hundred nanoseconds before asking: the first hashes
 * it and begins to fetch what the second will look at, and does not wait for it. Any bytes may be given; a
 * name that is empty leaves the second to look for q->addr. */
void catdb_expect(const struct catdb *db, span name, struct cat_keys *out);
bool catdb_find_expected(const struct catdb *db, const struct cat_query *q, const struct cat_keys *k,
                         struct cat_hits *hits);
/* Numbers of the lists that hold and do not except it, ascending, at most `cap`. Returns how many. */
size_t cat_hits_lists(const struct cat_hits *hits, uint16_t *out, size_t cap);

/* Adds the lists that have URLs of any host, a bit each. Goes through all sets. */
void catdb_url_lists(const struct catdb *db, uint64_t lists[CATFMT_LISTS / 64]);

/* Walks the keys under which a query may be found, as catdb_find() does: `fn` gets the text of each key, and
 * whether it is the whole name (or address) that was asked for. For the text part. */
typedef void (*cat_key_fn)(void *arg, unsigned kind, span text, bool whole);
void cat_query_keys(const struct catdb *db, const struct cat_query *q, cat_key_fn fn, void *arg);

#endif
