/* The snapshots that made the records of a journal, as far as the state directory keeps them. There may be
 * thousands (a grant makes one): the OLD_SNAPSHOTS that were asked for last stay open, which is enough for
 * records in their order. */
#ifndef GW_CTL_OLD_H
#define GW_CTL_OLD_H

#include "gw/ctl/ctl.h"
#include "gw/proc/kept.h"

enum { OLD_SNAPSHOTS = 512 };

struct old_snapshot {
    uint8_t hash[SNAP_HASH];
    struct snapshot *snap; /* NULL: gone, or not readable */
};

struct old_snapshots {
    struct kept kept;
    bool have; /* there is a state directory that keeps any */
    struct old_snapshot one[OLD_SNAPSHOTS];
    size_t n;
};

/* `journal`: directory given with --journal, whose parent may be a state directory; NULL: ctl->dir is the
 * only one. Never fails: without a state directory every snapshot is gone. */
void old_init(struct old_snapshots *o, const struct ctl *ctl, const char *journal);
void old_fini(struct old_snapshots *o);
/* NULL: it is not there any more. Kept until old_fini, or until OLD_SNAPSHOTS others have been asked for
 * since. */
const struct snapshot *old_find(struct old_snapshots *o, const uint8_t hash[SNAP_HASH]);
/* The same with its lists, for what they said; NULL where those are kept no longer. The caller puts it. */
struct snapshot *old_whole(const struct old_snapshots *o, const uint8_t hash[SNAP_HASH]);

#endif
