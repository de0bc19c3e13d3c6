/* How often each rule decided: a table in a memfd that the master keeps, one for each worker, which alone
 * writes it. A rule is known by its key (struct rule_info), so the counts outlive reloads and a killed
 * worker. Counting is a probe and two stores: no lock, no system call. The reader trusts nothing but the
 * size, which is sealed. */
#ifndef GW_IPC_HITS_H
#define GW_IPC_HITS_H

#include "gw/base/buf.h"

struct hits;
struct hit {
    uint64_t key, n;
    int64_t last_s; /* UTC seconds */
};

/* An empty table of LIM_HITS_SLOTS. */
enum rc hits_create(int *fd) MUST_USE;
/* Maps one; BAD when it is none of ours. The caller closes fd. */
enum rc hits_map(int fd, struct hits **out) MUST_USE;
void hits_unmap(struct hits *h); /* NULL is fine */

/* Counts one decision of the rule with this key (never 0). Without room it is counted as lost. */
void hits_add(struct hits *h, uint64_t key, int64_t now_s);

/* Reader. False: never counted. */
bool hits_find(const struct hits *h, uint64_t key, struct hit *out);
/* All of them: start with *it = 0; false at the end. */
bool hits_next(const struct hits *h, size_t *it, struct hit *out);
/* Slots in use, for the owner to give a new table in time. */
size_t hits_used(const struct hits *h);
uint64_t hits_lost(const struct hits *h);

#endif
