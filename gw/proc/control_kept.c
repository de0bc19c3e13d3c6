/* `perronctl show snapshots`: what a `reload --to` can go back to, newest first. */
#include <stdlib.h>
#include <sys/stat.h>

#include "gw/base/obj.h"
#include "gw/proc/control_int.h"

struct found {
    struct kept_snapshot *v;
    size_t n, cap;
};

static void note(const struct kept_snapshot *s, void *arg)
{
    struct found *f = arg;
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 64;
        void *more = realloc(f->v, cap * sizeof *f->v);
        if (!more)
            return;
        f->v = more;
        f->cap = cap;
    }
    f->v[f->n++] = *s;
}

static int newest_first(const void *a, const void *b)
{
    const struct kept_snapshot *x = a, *y = b;
    return x->loaded_s < y->loaded_s   ? 1
           : x->loaded_s > y->loaded_s ? -1
                                       : memcmp(x->name, y->name, SNAP_HASH);
}

/* Can one go back to it? Policies are kept for years, lists for the last few loads. */
static bool whole(const struct master *m, const struct kept_snapshot *s)
{
    const struct manifest *now = snapshot_manifest(m->policy.snap);
    for (unsigned i = 0; i < PART_GRANTS; i++) {
        char name[MANIFEST_TEXT];
        struct stat st;
        hash_text(s->manifest.part[i].hash, name);
        int dir = part_is_kept(i) ? m->kept.parts : m->kept.lists;
        if (s->manifest.part[i].size && !part_same(&s->manifest.part[i], &now->part[i]) &&
            fstatat(dir, name, &st, 0) < 0)
            return false;
    }
    return true;
}

static bool in_force(const struct master *m, const struct kept_snapshot *s)
{
    return memcmp(s->name, snapshot_hash(m->policy.snap), SNAP_HASH) == 0;
}

void control_snapshots(struct client *c)
{
    const struct master *m = c->owner->m;
    struct found f = {0};
    unsigned damaged = m->policy.snap ? kept_each(&m->kept, note, &f) : 0;
    if (f.n)
        qsort(f.v, f.n, sizeof *f.v, newest_first);
    for (size_t i = 0; i < f.n && i < LIM_SNAPSHOTS_SHOWN; i++) {
        const struct kept_snapshot *s = &f.v[i];
        char name[MANIFEST_TEXT], grants[MANIFEST_TEXT];
        hash_text(s->name, name);
        hash_text(s->manifest.part[PART_GRANTS].hash, grants);
        client_say(c, json_pack("{s:{s:s, s:I, s:s, s:s, s:b, s:b, s:s}}", "snapshot", "hash", name, "loaded",
                                (json_int_t)s->loaded_s, "who", s->who, "file", s->file, "in_force",
                                in_force(m, s), "whole", whole(m, s), "grants", grants));
    }
    free(f.v);
    if (damaged)
        client_say(c, json_pack("{s:i}", "damaged", (int)damaged));
    client_done(c, NULL);
}
