/* From files to sealed parts: parse, check, build lists and index, open what came out, try the expectations
 * on it. See compile.h. */
#include "policy/compile.h"

#include <stdlib.h>

#include "policy/check.h"
#include "policy/expect.h"
#include "policy/index.h"
#include "policy/lists.h"
#include "policy/normal.h"
#include "policy/parse.h"
#include "gw/base/obj.h"

struct job {
    struct diag *d;
    const struct compile_opts *opts;
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

/* What was built must open, and do what the policy expects of it. */
static enum rc prove(struct job *j, int fds[SNAP_PARTS], uint8_t hash[SNAP_HASH])
{
    struct snapshot *snap;
    enum rc rc = snapshot_open(fds, NULL, &snap);
    if (rc == RC_BAD)
        return RC_BUG;
    TRY(rc);
    memcpy(hash, snapshot_hash(snap), SNAP_HASH);
    policy_expect(j->d, snap, j->opts->time_s);
    snapshot_put(snap);
    return j->d->errors ? RC_CONFIG : RC_OK;
}

static enum rc compile_tree(struct job *j, const char *path, int fds[SNAP_PARTS], uint8_t hash[SNAP_HASH])
{
    policy_parse(j->d, path);
    if (j->d->tree->n_files)
        policy_check(j->d, j->opts);
    if (j->d->errors)
        return RC_CONFIG;
    struct policy_lists lists;
    enum rc rc = policy_lists(j->d, j->opts, j->opts->before, &lists);
    fds[SNAP_LISTS] = lists.hot;
    fds[SNAP_LISTS_TEXT] = lists.text;
    TRY(rc);
    TRY(seal_policy(j, &fds[SNAP_POLICY]));
    TRY(prove(j, fds, hash));
    return j->opts->print ? policy_normal(j->d->tree, j->d->out) : RC_OK;
}

enum rc policy_compile(const char *path, const struct compile_opts *opts, int fds[SNAP_PARTS],
                       uint8_t hash[SNAP_HASH], struct buf *diag)
{
    struct tree *tree = malloc(sizeof *tree);
    struct diag d = {.out = diag, .tree = tree};
    struct job job = {.d = &d, .opts = opts};
    for (unsigned i = 0; i < SNAP_PARTS; i++)
        fds[i] = -1;
    memset(hash, 0, SNAP_HASH);
    if (!tree)
        return RC_NOMEM;
    tree_init(tree);
    enum rc rc = compile_tree(&job, path, fds, hash);
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
