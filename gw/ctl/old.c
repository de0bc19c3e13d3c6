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

/* Behind all others: the first one is the one that was not asked for longest. */
static struct snapshot *move_last(struct old_snapshots *o, size_t i)
{
    struct old_snapshot one = o->one[i];
    memmove(&o->one[i], &o->one[i + 1], (o->n - i - 1) * sizeof one);
    o->one[o->n - 1] = one;
    return one.snap;
}

const struct snapshot *old_find(struct old_snapshots *o, const uint8_t hash[SNAP_HASH])
{
    size_t i = o->n;
    while (i > 0 && memcmp(o->one[i - 1].hash, hash, SNAP_HASH) != 0)
        i--;
    if (i > 0)
        return move_last(o, i - 1);
    if (!o->have)
        return NULL;
    if (o->n == OLD_SNAPSHOTS) {
        snapshot_put(move_last(o, 0));
        o->n--;
    }
    memcpy(o->one[o->n].hash, hash, SNAP_HASH);
    o->one[o->n].snap = open_one(o, hash, false);
    return o->one[o->n++].snap;
}

struct snapshot *old_whole(const struct old_snapshots *o, const uint8_t hash[SNAP_HASH])
{
    return o->have ? open_one(o, hash, true) : NULL;
}
