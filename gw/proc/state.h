/* The state directory (-d DIR) and the few system files that the master reads for its children: lock, numbers
 * for decision codes, secret of the pseudonyms, log directory, trust bundle, resolvers. Every failure is one
 * clear line in `err` with the place and the remedy (CONFIG). Nothing here is fast and nothing here is on a
 * flow's way. */
#ifndef GW_PROC_STATE_H
#define GW_PROC_STATE_H

#include <sys/types.h>

#include "gw/base/addr.h"

enum { STATE_SECRET = 32, STATE_RESOLVERS = 4 };

struct state {
    const char *path;
    int dir, lock; /* descriptors */
    uint64_t code_next,
        code_taken; /* numbers [code_next, code_taken) are written down as used and still free */
};

/* Makes the directory where it is missing and locks it: one gateway per directory. */
enum rc state_open(struct state *s, const char *path, struct buf *err) MUST_USE;
void state_close(struct state *s);
/* A range of decision numbers that nobody had before, written down before it is returned. */
enum rc state_codes(struct state *s, uint64_t *from, uint64_t *to, struct buf *err) MUST_USE;
/* The secret that day keys of pseudonyms come from; made at the first start, 0400. */
enum rc state_secret(struct state *s, uint8_t secret[STATE_SECRET], struct buf *err) MUST_USE;
/* `path`, or "log" in the state directory where it is NULL: made, given to `owner` (0750), opened. */
enum rc state_log_dir(struct state *s, const char *path, uid_t owner, int *fd, struct buf *err) MUST_USE;
/* "journal" in the state directory: made, given to `owner` (0700), opened. */
enum rc state_journal_dir(struct state *s, uid_t owner, int *fd, struct buf *err) MUST_USE;
/* "seen" in the state directory: made, given to `owner` (0750), opened; the compiler reads there by its
 * capability. */
enum rc state_seen_dir(struct state *s, uid_t owner, int *fd, struct buf *err) MUST_USE;
/* Directory of the CA, opened by path only (O_PATH); -1 where there is none. */
int state_ca_dir(const struct state *s);

/* A file's bytes in a sealed memfd. */
enum rc state_file_memfd(const char *path, size_t max, int *fd, struct buf *err) MUST_USE;
/* nameserver lines of a resolv.conf; returns how many were found. */
unsigned state_resolvers(const char *path, struct addr out[STATE_RESOLVERS]);

#endif
