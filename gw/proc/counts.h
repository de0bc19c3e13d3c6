/* Counters of rules in the master: what the file `hits` of the state directory holds from before, and the
 * table of each worker. They are added up when somebody asks, and written down at times and at the end, so
 * that a kill -9 of everything loses LIM_HITS_WRITE_MS of counting and nothing else. */
#ifndef GW_PROC_COUNTS_H
#define GW_PROC_COUNTS_H

#include "gw/base/limits.h"
#include "gw/ipc/hits.h"

struct counts {
    int dir;          /* the state directory, borrowed */
    struct hit *base; /* sorted by key: from the file, and of tables that were replaced */
    size_t n_base;
    int fd[LIM_WORKERS];
    struct hits *now[LIM_WORKERS];
    struct hits *before[LIM_WORKERS]; /* full; its worker is being given `now` */
    uint64_t written;                 /* sum of all counts when the file was written */
};

void counts_init(struct counts *c);
/* Reads the file. A damaged one is put aside under another name with a line in `err` (CONFIG): counting
 * begins anew. OK without a file. */
enum rc counts_open(struct counts *c, int state_dir, struct buf *err) MUST_USE;
void counts_close(struct counts *c);
/* The table of a worker, made at the first call; its descriptor is the counts'. */
enum rc counts_table(struct counts *c, uint32_t worker, int *fd) MUST_USE;
/* A table that fills up is replaced by a new one, and its counts are taken over one turn later. True: give
 * the worker its table again. */
bool counts_turn(struct counts *c, uint32_t worker);
/* All that is known of a rule; false: it never decided. */
bool counts_find(const struct counts *c, uint64_t key, struct hit *out);
/* Writes the file where something was counted since. */
enum rc counts_write(struct counts *c) MUST_USE;

#endif
