/* perronctl replay: every recorded decision once more under the snapshot that made it. They must come out the
 * same; the first that does not ends it. */
#include <inttypes.h>
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/ctl/old.h"
#include "gw/ctl/record.h"
#include "policy/redecide.h"

struct replay {
    struct old_snapshots old;
    struct known {
        uint8_t hash[SNAP_HASH];
        struct redecide *d; /* NULL: its snapshot is gone */
    } known[OLD_SNAPSHOTS];
    size_t n_known, last; /* last: of the record before */
    uint64_t same, gone, cannot, unreadable;
    const char *differs; /* what, of the record below */
    struct record was;
    struct verdict now;
    struct journal_frame frame;
    uint8_t hash[JOURNAL_HASH];
};

/* NULL: the snapshot is gone. Those that old_find() has closed meanwhile are forgotten here before. */
static struct redecide *find(struct replay *p, const uint8_t hash[SNAP_HASH])
{
    size_t i = p->last;
    if (i >= p->n_known || memcmp(p->known[i].hash, hash, SNAP_HASH) != 0) {
        for (i = 0; i < p->n_known && memcmp(p->known[i].hash, hash, SNAP_HASH) != 0; i++)
            continue;
    }
    if (i == OLD_SNAPSHOTS) { /* the one met first makes room */
        redecide_free(p->known[0].d);
        memmove(p->known, p->known + 1, (--i, --p->n_known) * sizeof *p->known);
    }
    if (i == p->n_known) {
        const struct snapshot *snap = old_find(&p->old, hash);
        struct known *k = &p->known[p->n_known];
        k->d = NULL;
        if (snap && redecide_new(snap, snap, &k->d) != RC_OK)
            k->d = NULL; /* without memory it is as good as gone */
        memcpy(k->hash, hash, SNAP_HASH);
        p->n_known++;
    }
    p->last = i;
    return p->known[i].d;
}

static bool same_mods(const struct verdict *a, const struct verdict *b)
{
    if (a->n_mods != b->n_mods)
        return false;
    for (unsigned i = 0; i < a->n_mods; i++) {
        if (a->mods[i].kind != b->mods[i].kind || a->mods[i].rule != b->mods[i].rule)
            return false;
    }
    return true;
}

static bool same_logs(const struct verdict *a, const struct verdict *b)
{
    return a->n_logs == b->n_logs && memcmp(a->logs, b->logs, a->n_logs * sizeof *a->logs) == 0;
}

/* NULL: nothing differs. */
static const char *difference(const struct verdict *a, const struct verdict *b)
{
    if (a->action != b->action)
        return "action";
    if (a->rule != b->rule || a->layer != b->layer || a->why != b->why)
        return "rule";
    if (a->forbid != b->forbid || a->observed != b->observed)
        return "whether it may be lifted or is only observed";
    if (a->category != b->category)
        return "category";
    if (a->grant != b->grant)
        return "grant";
    if (a->valid_until != b->valid_until)
        return "until when it holds";
    if (a->waits_for != b->waits_for)
        return "facts that it waits for";
    if (!same_mods(a, b))
        return "modifiers";
    return same_logs(a, b) ? NULL : "log rules";
}

static enum rc one(const struct journal_frame *f, void *arg)
{
    struct replay *p = arg;
    static struct record r;
    if (record_decode(f->record, &r) != RC_OK) {
        p->unreadable++;
        return RC_OK;
    }
    struct redecide *d = find(p, r.snapshot);
    if (!d) {
        p->gone++;
        return RC_OK;
    }
    if (redecide(d, NULL, &r, &p->now)) {
        p->cannot++;
        return RC_OK;
    }
    p->differs = difference(&r.verdict, &p->now);
    if (!p->differs) {
        p->same++;
        return RC_OK;
    }
    p->was = r;
    p->frame = *f;
    memcpy(p->hash, f->hash, sizeof p->hash);
    p->frame.hash = p->hash;
    return RC_DENIED; /* enough */
}

/* ---- what came out ---- */

static int say_difference(const struct ctl *ctl, const struct replay *p)
{
    char code[16];
    record_code(&p->was, code);
    if (ctl->json) {
        json_t *o =
            json_pack("{s:b, s:s, s:s, s:I, s:I, s:s, s:s}", "ok", 0, "code", code, "differs", p->differs,
                      "segment", (json_int_t)p->frame.segment, "offset", (json_int_t)p->frame.at, "was",
                      record_action(p->was.verdict.action), "now", record_action(p->now.action));
        ctl_print_json(o);
        json_decref(o);
        return 1;
    }
    return ctl_fail("%s (segment %012" PRIu64 ", byte %" PRIu64
                    "): the %s differs: was %s by rule %d, is %s by "
                    "rule %d; %" PRIu64 " records before it came out the same",
                    code, p->frame.segment, p->frame.at, p->differs, record_action(p->was.verdict.action),
                    (int)p->was.verdict.rule, record_action(p->now.action), (int)p->now.rule, p->same);
}

/* As far as the journal can be read. */
static int say_same(const struct ctl *ctl, const struct replay *p, const struct journal_walk *w)
{
    uint64_t left = p->gone + p->cannot + p->unreadable;
    if (ctl->json) {
        json_t *o =
            json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "ok", w->broken == NULL, "same", (json_int_t)p->same,
                      "not_checked", (json_int_t)left, "snapshot_gone", (json_int_t)p->gone, "cannot_tell",
                      (json_int_t)p->cannot, "unreadable", (json_int_t)p->unreadable);
        if (o && w->broken)
            json_object_set_new(o, "broken", journal_broken_json(w));
        ctl_print_json(o);
        json_decref(o);
        return journal_broken(w);
    }
    printf("%" PRIu64 " decisions came out the same", p->same);
    if (left)
        printf("; %" PRIu64 " could not be checked (%" PRIu64 " snapshot gone, %" PRIu64
               " hang on what is not kept, %" PRIu64 " cannot be read)",
               left, p->gone, p->cannot, p->unreadable);
    putchar('\n');
    return journal_broken(w);
}

static int replay(const struct ctl *ctl, struct replay *p, int dir)
{
    struct journal_walk walk = {.dir = dir, .each = one, .arg = p};
    enum rc rc = journal_walk(&walk);
    if (p->differs)
        return say_difference(ctl, p);
    if (rc != RC_OK)
        return ctl_fail("%s", rc == RC_NOTFOUND ? "there is no journal in that directory" : rc_text(rc));
    return say_same(ctl, p, &walk);
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    static struct replay p;
    const char *journal = NULL;
    for (int i = 0; i < argc; i++) {
        if (span_eq(span_str(argv[i]), SPAN("--journal")) && i + 1 < argc)
            journal = argv[++i];
        else
            return ctl_fail("replay: unexpected %s; perronctl replay --help", argv[i]);
    }
    AUTO_CLOSE int dir = journal_open_dir(ctl, journal);
    if (dir < 0)
        return 1;
    old_init(&p.old, ctl, journal);
    int status = replay(ctl, &p, dir);
    for (size_t i = 0; i < p.n_known; i++)
        redecide_free(p.known[i].d);
    old_fini(&p.old);
    return status;
}

const struct ctl_command ctl_replay = {
    .name = "replay",
    .usage =
        "  replay [--journal DIR]     every recorded decision once more under its own policy; exit status "
        "1 and\n"
        "                             the first that comes out otherwise\n",
    .run = run,
};
