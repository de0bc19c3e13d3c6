/* From files to sealed parts: parse, check, build lists and index, open what came out, try the expectations
 * on it. See compile.h. */
#include "policy/compile.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#include "policy/check.h"
#include "policy/index.h"
#include "policy/lists_digest.h"
#include "policy/normal.h"
#include "policy/parse.h"
#include "policy/source.h"
#include "gw/base/obj.h"
#include "signatures/catc.h"

struct job {
    struct diag *d;
    const struct compile_opts *opts;
    struct catc *lists;
    struct category_source **file_of; /* source of the n-th list file */
    size_t n_files, done, total;
    struct compile_made made;
};

/* ---- categories ---- */

/* Names of lists beside the missing one. */
static const char *near_list(struct job *j, const struct category_source *s)
{
    struct suggest near = suggest_for(s->w.text);
    const struct word *root = &j->d->tree->set.lists;
    const char *dir = s->kind == CAT_UT1 ? source_beside(j->d->tree, root->pos.file, root->text) : NULL;
    DIR *open_dir = dir ? opendir(dir) : NULL;
    for (struct dirent *e; open_dir && (e = readdir(open_dir));) {
        if (e->d_name[0] != '.')
            suggest_add(&near, arena_dup(&j->d->tree->mem, span_str(e->d_name)));
    }
    if (open_dir)
        closedir(open_dir);
    return suggest_hint(j->d, &near);
}

static void list_error(struct job *j, const struct category_source *s, const char *path, enum rc rc)
{
    const char *why = rc == RC_NOTFOUND ? "there is no such list"
                      : rc == RC_BAD    ? "this is not a text file"
                      : rc == RC_LIMIT  ? "this list is too large"
                                        : "this list cannot be read";
    diag_error(j->d, s->w.pos, rc == RC_NOTFOUND ? near_list(j, s) : NULL, "%s: %s", why, path);
}

static enum rc add_source(struct job *j, const struct category_decl *c, struct category_source *s)
{
    if (s->kind == CAT_DOMAIN)
        return catc_add_name(j->lists, s->w.text, (uint16_t)c->id, s->except);
    if (s->kind == CAT_UT1 && j->d->tree->set.lists.text.n == 0) {
        diag_error(j->d, s->w.pos, "add `lists \"/path/to/ut1\"`",
                   "no `lists` setting says where the UT1 tree is");
        return RC_OK;
    }
    if (s->kind == CAT_UT1 &&
        (span_find(s->w.text, '/', 0) != SIZE_MAX || s->w.text.n == 0 || s->w.text.p[0] == '.')) {
        diag_error(j->d, s->w.pos, "use `file` for a path", "this is not the name of a list");
        return RC_OK;
    }
    const char *path = lists_path(j->d->tree, s);
    enum rc rc = path ? catc_add_file(j->lists, path, (uint16_t)c->id) : RC_NOMEM;
    if (rc == RC_OK)
        j->file_of[j->n_files++] = s;
    else
        list_error(j, s, path ? path : "?", rc);
    if (j->opts->progress)
        j->opts->progress("lists", ++j->done, j->total);
    return RC_OK;
}

/* One line about all lines of a list that are no names. */
static void report_lists(struct job *j)
{
    for (size_t i = 0; i < j->n_files; i++) {
        struct catc_report r = catc_file(j->lists, i);
        if (r.n_bad)
            diag_warn(j->d, j->file_of[i]->w.pos, NULL,
                      "%s:%llu: not a host name; %llu of %llu lines are left out", r.path,
                      (unsigned long long)r.first_bad, (unsigned long long)r.n_bad,
                      (unsigned long long)(r.n_bad + r.n_names));
    }
}

static enum rc build_lists(struct job *j, struct buf *out)
{
    struct tree *t = j->d->tree;
    size_t n = 0;
    for (const struct category_decl *c = t->categories.first; c; c = c->next) {
        for (const struct category_source *s = c->sources; s; s = s->next) {
            n++;
            j->total += s->kind != CAT_DOMAIN;
        }
    }
    if (t->categories.n > CATDB_CATEGORIES) {
        diag_error(j->d, t->categories.first->name.pos, NULL, "more than %d categories", CATDB_CATEGORIES);
        return RC_CONFIG;
    }
    j->file_of = arena_alloc(&t->mem, (n + 1) * sizeof(struct category_source *));
    if (!j->file_of)
        return RC_NOMEM;
    for (const struct category_decl *c = t->categories.first; c; c = c->next) {
        for (struct category_source *s = c->sources; s; s = s->next)
            TRY(add_source(j, c, s));
    }
    if (j->d->errors)
        return RC_CONFIG;
    TRY(catc_finish(j->lists, (uint16_t)t->categories.n, out));
    report_lists(j);
    return RC_OK;
}

/* ---- parts ---- */

static enum rc seal_lists(struct job *j, int *fd)
{
    struct buf image;
    buf_init(&image, 0);
    enum rc rc = catc_new(&j->lists);
    if (rc == RC_OK)
        rc = build_lists(j, &image);
    if (rc == RC_OK)
        rc = part_seal("perron-lists", buf_span(&image), fd);
    catc_free(j->lists);
    j->lists = NULL;
    buf_fini(&image);
    return rc;
}

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

/* The lists in force serve the declarations of this policy as well. */
static bool prev_fits(const struct job *j)
{
    const struct compile_prev *p = j->opts->prev;
    return p && memcmp(p->lists.shape, j->made.lists.shape, SNAP_HASH) == 0;
}

static enum rc take_prev(struct job *j, int fds[SNAP_PARTS], enum lists_outcome outcome)
{
    const struct compile_prev *p = j->opts->prev;
    for (unsigned i = PART_LISTS; i <= PART_LISTS_TEXT; i++) {
        int fd = fcntl(p->fds[i], F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return RC_IO;
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = fd;
        j->made.manifest.part[i] = p->manifest.part[i];
    }
    j->made.lists = p->lists;
    j->made.outcome = outcome;
    return RC_OK;
}

/* The errors stay readable, but they are not the policy's: it goes into force without the new lists. */
static enum rc hold_back(struct job *j, int fds[SNAP_PARTS], struct mark before, const char *why)
{
    j->d->errors = before.errors;
    TRY(take_prev(j, fds, LISTS_HELD));
    diag_warn(j->d, j->d->tree->categories.first->name.pos, NULL,
              "the new lists are held back, those in force stay: %s", why);
    return RC_OK;
}

static enum rc make_lists(struct job *j, int fds[SNAP_PARTS])
{
    struct mark before = mark_of(j->d);
    TRY(lists_identify(j->d->tree, &j->made.lists));
    if (prev_fits(j) && memcmp(&j->opts->prev->lists, &j->made.lists, sizeof j->made.lists) == 0)
        return take_prev(j, fds, LISTS_SAME);
    enum rc rc = seal_lists(j, &fds[PART_LISTS]);
    if (rc == RC_CONFIG && prev_fits(j))
        return hold_back(j, fds, before, "a list cannot be read");
    TRY(rc);
    TRY(part_seal("perron-lists-text", SPAN_NONE, &fds[PART_LISTS_TEXT]));
    TRY(part_identify(fds[PART_LISTS], &j->made.manifest.part[PART_LISTS]));
    return part_identify(fds[PART_LISTS_TEXT], &j->made.manifest.part[PART_LISTS_TEXT]);
}

/* Do the lists in force do what new ones fail to do? Then the new ones are held back. */
static enum rc prove_or_hold(struct job *j, int fds[SNAP_PARTS])
{
    struct mark before = mark_of(j->d);
    enum rc rc = prove(j, fds, &j->made.manifest);
    if (rc != RC_CONFIG || j->made.outcome != LISTS_BUILT || !prev_fits(j))
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
    return rc == RC_OK ? hold_back(j, fds, before, "with them this policy does not do what it expects")
                       : RC_CONFIG;
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
