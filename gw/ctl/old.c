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

static struct snapshot *open_one(const struct old_snapshots *o, const uint8_t hash[SNAP_HASH],
                                 bool with_lists)
{
    struct kept_snapshot found;
    struct snapshot *snap = NULL;
    struct buf err = {0};
    char name[MANIFEST_TEXT];
    hash_text(hash, name);
    if (kept_find(&o->kept, span_str(name), &found, &err) != RC_OK ||
        kept_snapshot(&o->kept, &found, with_lists, &snap, &err) != RC_OK)
        snap = NULL;
    buf_fini(&err);
    return snap;
}

const struct snapshot *old_find(struct old_snapshots *o, const uint8_t hash[SNAP_HASH])
{
    size_t i = 0;
    while (i < o->n && memcmp(o->one[i].hash, hash, SNAP_HASH) != 0)
        i++;
    if (i < o->n)
        return o->one[i].snap;
    if (!o->have || o->n == OLD_SNAPSHOTS)
        return NULL;
    memcpy(o->one[i].hash, hash, SNAP_HASH);
    o->one[i].snap = open_one(o, hash, false);
    o->n++;
    return o->one[i].snap;
}

struct snapshot *old_whole(const struct old_snapshots *o, const uint8_t hash[SNAP_HASH])
{
    return o->have ? open_one(o, hash, true) : NULL;
}
