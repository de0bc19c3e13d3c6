/* From files to sealed parts: parse, check, build lists and index, open what came out, try the expectations
 * on it. See compile.h. */
#include "policy/compile.h"

#include <fcntl.h>
#include <stdlib.h>

#include "policy/check.h"
#include "policy/index.h"
#include "policy/lists.h"
#include "policy/normal.h"
#include "policy/parse.h"
#include "gw/base/obj.h"

struct job {
    struct diag *d;
    const struct compile_opts *opts;
    struct compile_made made;
    bool fits; /* the lists in force serve this policy as well */
};

/* ---- parts ---- */

static enum rc seal_policy(struct job *j, int *fd)
{
    struct part part;
    struct buf image;
    part_init(&part);
    buf_init(&image, 0);
    enum rc rc = index_build(j->d->tree, &part);
    if (rc == RC_OK)
        rc = part_emit(&part, &image);
    if (rc == RC_OK)
        rc = part_seal("perron-policy", buf_span(&image), fd);
    part_fini(&part);
    buf_fini(&image);
    return rc;
}

/* What was built must open, and do what the policy expects of it. No grant takes part: an expectation is
 * about the policy alone. */
static enum rc prove(struct job *j, const int fds[SNAP_PARTS], const struct manifest *m)
{
    struct snapshot *snap;
    enum rc rc = snapshot_open_as(m, fds, NULL, &snap);
    if (rc == RC_BAD)
        return RC_BUG;
    TRY(rc);
    bool enough = check_built(j->d, snap, j->opts);
    if (j->opts->built && enough && !j->d->errors)
        j->opts->built(j->opts->arg, j->d->tree, snap);
    snapshot_put(snap);
    return !enough ? RC_NOMEM : j->d->errors ? RC_CONFIG : RC_OK;
}

/* ---- lists that are not built anew, or are built and held back ---- */

/* Where the diagnostics stood, so that a failure that is mended does not count. */
struct mark {
    unsigned errors, warnings;
    size_t w;
};

static struct mark mark_of(const struct diag *d)
{
    return (struct mark){d->errors, d->warnings, d->out->w};
}

static void forget_since(struct diag *d, struct mark m)
{
    d->errors = m.errors;
    d->warnings = m.warnings;
    d->out->w = m.w;
}

static enum rc take_prev(struct job *j, int fds[SNAP_PARTS])
{
    const struct compile_prev *p = j->opts->prev;
    for (unsigned i = PART_LISTS; i <= PART_LISTS_TEXT; i++) {
        int fd = fcntl(p->fds[i], F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return RC_IO;
        close(fds[i]);
        fds[i] = fd;
        j->made.manifest.part[i] = p->manifest.part[i];
    }
    j->made.outcome = LISTS_HELD;
    return RC_OK;
}

/* The errors stay readable, but they are not the policy's: it goes into force without the new lists. */
static enum rc hold_back(struct job *j, int fds[SNAP_PARTS], struct mark before)
{
    j->d->errors = before.errors;
    TRY(take_prev(j, fds));
    diag_warn(j->d, j->d->tree->categories.first->name.pos, NULL,
              "the new lists are held back, those in force stay: with them this policy does not do what it "
              "expects");
    return RC_OK;
}

static enum rc make_lists(struct job *j, int fds[SNAP_PARTS])
{
    const struct compile_prev *p = j->opts->prev;
    const int before[2] = {p ? p->fds[PART_LISTS] : -1, p ? p->fds[PART_LISTS_TEXT] : -1};
    struct policy_lists lists;
    enum rc rc = policy_lists(j->d, j->opts, p ? before : NULL, &lists);
    fds[PART_LISTS] = lists.hot;
    fds[PART_LISTS_TEXT] = lists.text;
    TRY(rc);
    j->fits = lists.fits;
    j->made.outcome = lists.same ? LISTS_SAME : lists.kept ? LISTS_KEPT : LISTS_BUILT;
    for (unsigned i = PART_LISTS; i <= PART_LISTS_TEXT; i++) {
        if (lists.same)
            j->made.manifest.part[i] = p->manifest.part[i];
        else
            TRY(part_identify(fds[i], &j->made.manifest.part[i]));
    }
    return RC_OK;
}

/* Do the lists in force do what new ones fail to do? Then the new ones are held back. */
static enum rc prove_or_hold(struct job *j, int fds[SNAP_PARTS])
{
    struct mark before = mark_of(j->d);
    enum rc rc = prove(j, fds, &j->made.manifest);
    if (rc != RC_CONFIG || j->made.outcome == LISTS_SAME || !j->fits)
        return rc;
    struct mark failed = mark_of(j->d);
    struct manifest with_old = j->made.manifest;
    int tried[SNAP_PARTS];
    memcpy(tried, fds, sizeof tried);
    for (unsigned i = PART_LISTS; i <= PART_LISTS_TEXT; i++) {
        with_old.part[i] = j->opts->prev->manifest.part[i];
        tried[i] = j->opts->prev->fds[i];
    }
    j->d->errors = before.errors;
    rc = prove(j, tried, &with_old);
    forget_since(j->d, failed);
    return rc == RC_OK ? hold_back(j, fds, before) : RC_CONFIG;
}

static enum rc compile_tree(struct job *j, const char *path, int fds[SNAP_PARTS])
{
    policy_parse(j->d, path);
    if (j->d->tree->n_files)
        policy_check(j->d, j->opts);
    if (j->d->errors)
        return RC_CONFIG;
    TRY(make_lists(j, fds));
    TRY(seal_policy(j, &fds[PART_POLICY]));
    TRY(part_identify(fds[PART_POLICY], &j->made.manifest.part[PART_POLICY]));
    TRY(part_seal("perron-grants", SPAN_NONE, &fds[PART_GRANTS]));
    TRY(part_identify(fds[PART_GRANTS], &j->made.manifest.part[PART_GRANTS]));
    TRY(prove_or_hold(j, fds));
    return j->opts->print ? policy_normal(j->d->tree, j->d->out) : RC_OK;
}

enum rc policy_compile(const char *path, const struct compile_opts *opts, int fds[SNAP_PARTS],
                       uint8_t hash[SNAP_HASH], struct buf *diag)
{
    struct tree *tree = malloc(sizeof *tree);
    struct diag d = {.out = diag, .tree = tree, .each = opts->said, .arg = opts->arg};
    struct job job = {.d = &d, .opts = opts};
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        fds[i] = -1;
    memset(hash, 0, SNAP_HASH);
    if (!tree)
        return RC_NOMEM;
    tree_init(tree);
    enum rc rc = compile_tree(&job, path, fds);
    if (rc == RC_OK)
        rc = manifest_name(&job.made.manifest, hash);
    if (opts->made)
        *opts->made = job.made;
    if (rc != RC_OK && rc != RC_CONFIG)
        diag_file(&d, path, rc_text(rc));
    diag_end(&d);
    for (unsigned i = 0; i < SNAP_PARTS && (rc != RC_OK || opts->check_only); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
    tree_fini(tree);
    free(tree);
    return rc;
}
