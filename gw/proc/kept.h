/* Parts and snapshots that are kept in the state directory, so that a decision of last month can be repeated
 * and a policy rolled back: parts/HASH (policy, grants: for as long as a record may name them), lists/HASH
 * (the last few), snapshots/HASH (a few lines of JSON: which parts, when in force, who loaded it from where).
 *
 * Every file is written under another name, synced and renamed, so that a name stands for whole content or
 * does not exist; and what is read back is believed only when its hash is its name. Nothing here is on a
 * flow's way. A failure is one clear line in `err` (CONFIG). */
#ifndef GW_PROC_KEPT_H
#define GW_PROC_KEPT_H

#include "policy/compile.h"

struct kept {
    int parts, lists, snapshots; /* directories, -1: not open */
};

enum { KEPT_WHO = 64, KEPT_FILE = 1024 };

struct kept_snapshot {
    uint8_t name[SNAP_HASH];
    struct manifest manifest;
    int64_t loaded_s;
    char who[KEPT_WHO], file[KEPT_FILE];
};

/* Makes the three directories in the state directory where they are missing. */
enum rc kept_open(struct kept *k, int state_dir, struct buf *err) MUST_USE;
/* The same of a state directory that is another's: nothing is made. */
enum rc kept_look(struct kept *k, int state_dir, struct buf *err) MUST_USE;
void kept_close(struct kept *k);
/* Writes down what is not there yet; s->name is set from the manifest. */
enum rc kept_put(const struct kept *k, struct kept_snapshot *s, const int fds[SNAP_PARTS],
                 struct buf *err) MUST_USE;
/* The one snapshot whose name begins with `prefix` (hex digits). CONFIG where there is none or more than one.
 */
enum rc kept_find(const struct kept *k, span prefix, struct kept_snapshot *out, struct buf *err) MUST_USE;
/* The snapshot that was in force last. NOTFOUND: none is kept, or it is damaged. */
enum rc kept_latest(const struct kept *k, struct kept_snapshot *out) MUST_USE;
/* The part's bytes in a sealed memfd. CONFIG, and said, where it is gone or damaged. */
enum rc kept_part(const struct kept *k, enum snap_part p, const struct part_id *id, int *fd,
                  struct buf *err) MUST_USE;
/* The snapshot itself. Without its lists (snapshot_open_old) it repeats recorded decisions; with them it is
 * CONFIG, and said, where they are kept no longer. */
enum rc kept_snapshot(const struct kept *k, const struct kept_snapshot *s, bool with_lists,
                      struct snapshot **out, struct buf *err) MUST_USE;
/* Every snapshot that is kept, in no order; damaged ones are left out and counted. */
unsigned kept_each(const struct kept *k, void (*each)(const struct kept_snapshot *s, void *arg), void *arg);
/* This snapshot is in force now: counts from here when it comes to forgetting. */
void kept_touch(const struct kept *k, const uint8_t name[SNAP_HASH]);
/* Forgets what was last in force so many days (LIM_SNAPSHOT_KEPT_DAYS) before now_s, and before the oldest
 * record of the journal in that directory: whatever the clock says, what a record names stays. Returns how
 * many files went. */
unsigned kept_forget(const struct kept *k, int journal_dir, int64_t now_s);
/* Forgets snapshots that were last in force before `oldest_s`, and parts that none names any more. Records
 * older than that must be gone: a record names no snapshot that was not in force when it was made. Returns
 * how many files went. */
unsigned kept_purge(const struct kept *k, int64_t oldest_s);

#endif
