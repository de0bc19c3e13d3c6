/* Snapshots of records, opened once each; see old.h. */
#include "gw/ctl/old.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "gw/base/obj.h"

static bool look(struct old_snapshots *o, const char *path)
{
    struct buf err = {0};
    AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = dir >= 0 && kept_look(&o->kept, dir, &err) == RC_OK;
    buf_fini(&err);
    return ok;
}

void old_init(struct old_snapshots *o, const struct ctl *ctl, const char *journal)
{
    char path[4096];
    memset(o, 0, sizeof *o);
    if (journal && snprintf(path, sizeof path, "%s/..", journal) < (int)sizeof path)
        o->have = look(o, path);
    if (!o->have)
        o->have = look(o, ctl->dir);
}

void old_fini(struct old_snapshots *o)
{
    for (size_t i = 0; i < o->n; i++)
        snapshot_put(o->one[i].snap);
    if (o->have)
        kept_close(&o->kept);
}

const struct snapshot *old_find(struct old_snapshots *o, const uint8_t hash[SNAP_HASH])
{
    struct buf err = {0};
    size_t i = 0;
    while (i < o->n && memcmp(o->one[i].hash, hash, SNAP_HASH) != 0)
        i++;
    if (i < o->n)
        return o->one[i].snap;
    if (!o->have || o->n == OLD_SNAPSHOTS)
        return NULL;
    memcpy(o->one[i].hash, hash, SNAP_HASH);
    if (kept_snapshot_open(&o->kept, hash, &o->one[i].snap, &err) != RC_OK)
        o->one[i].snap = NULL;
    buf_fini(&err);
    o->n++;
    return o->one[i].snap;
}
