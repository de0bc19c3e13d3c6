/* Categories' lists to parts; see lists.h. */
#include "policy/lists.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "policy/part.h"
#include "policy/source.h"
#include "signatures/catc.h"
#include "signatures/catexpr.h"
#include "signatures/catfmt.h"

enum { HELD_SAID = 1000 };

/* One list, named by one or more categories. */
struct named_list {
    span name; /* kind, a space, name or path */
    const char *path;
    struct category_source *by; /* who named it first */
    struct named_list *next;
};

struct job {
    struct diag *d;
    const struct compile_opts *opts;
    struct map by_name;
    struct named_list *first;
    struct named_list **sorted;
    uint32_t n;
    bool bad; /* some source has no list */
    struct catc *c;
    const int *before_fds;
    bool has_before; /* and it is whole */
    struct cattext before;
    span before_map;
};

static const char *const kind_word[] = {
#define L(id, word, what) word,
#include "policy/listkind.tbl"
#undef L
};

static const enum list_format kind_format[] = {
    [CAT_UT1] = LIST_PLAIN, [CAT_FILE] = LIST_PLAIN,      [CAT_HOSTS] = LIST_HOSTS,
    [CAT_RPZ] = LIST_RPZ,   [CAT_ADBLOCK] = LIST_ADBLOCK, [CAT_URLS] = LIST_URLS,
};

/* ---- which lists ---- */

static char *join(struct tree *t, const char *a, const char *between, span b)
{
    size_t n = strlen(a), m = strlen(between);
    char *s = arena_alloc(&t->mem, n + m + b.n + 1);
    if (!s)
        return NULL;
    memcpy(s, a, n);
    memcpy(s + n, between, m);
    memcpy(s + n + m, b.p, b.n);
    return s;
}

static const char *list_path(struct job *j, const struct category_source *s)
{
    struct tree *t = j->d->tree;
    if (s->kind != CAT_UT1)
        return source_beside(t, s->w.pos.file, s->w.text);
    const char *dir = source_beside(t, t->set.lists.pos.file, t->set.lists.text);
    return dir ? join(t, dir, "/", s->w.text) : NULL;
}

static bool is_path(span name)
{
    return span_find(name, '/', 0) != SIZE_MAX || name.n == 0 || name.p[0] == '.';
}

static bool ut1_ok(const struct job *j, const struct category_source *s)
{
    return j->d->tree->set.lists.text.n != 0 && !is_path(s->w.text);
}

static void say_ut1(struct job *j, const struct category_source *s)
{
    if (j->d->tree->set.lists.text.n == 0)
        diag_error(j->d, s->w.pos, "add `lists \"/path/to/ut1\"`",
                   "no `lists` setting says where the UT1 tree is");
    else
        diag_error(j->d, s->w.pos, "use `file` for a path", "this is not the name of a list");
}

static enum rc add_source(struct job *j, struct category_source *s)
{
    struct tree *t = j->d->tree;
    if (s->kind == CAT_DOMAIN)
        return RC_OK;
    if (s->kind == CAT_UT1 && !ut1_ok(j, s)) {
        j->bad = true;
        return RC_OK;
    }
    const char *path = list_path(j, s);
    char *name =
        path ? join(t, kind_word[s->kind], " ", s->kind == CAT_UT1 ? s->w.text : span_str(path)) : NULL;
    if (!name)
        return RC_NOMEM;
    struct named_list *l = map_find(&j->by_name, span_str(name));
    if (!l) {
        l = arena_alloc(&t->mem, sizeof *l);
        if (!l)
            return RC_NOMEM;
        *l = (struct named_list){span_str(name), path, s, j->first};
        j->first = l;
        j->n++;
        TRY(map_put(&j->by_name, l->name, l));
    }
    s->named = l->name;
    return RC_OK;
}

static int by_name(const void *a, const void *b)
{
    return span_cmp((*(struct named_list *const *)a)->name, (*(struct named_list *const *)b)->name);
}

/* Lists by name, so that their numbers do not depend on how the policy is written. */
static enum rc gather(struct job *j)
{
    struct tree *t = j->d->tree;
    if (t->categories.n > IMG_CATEGORIES) {
        diag_error(j->d, t->categories.first->name.pos, NULL, "more than %d categories", IMG_CATEGORIES);
        return RC_CONFIG;
    }
    for (struct category_decl *c = t->categories.first; c; c = c->next) {
        for (struct category_source *s = c->sources; s; s = s->next)
            TRY(add_source(j, s));
    }
    if (j->n > CATFMT_LISTS) {
        diag_error(j->d, t->categories.first->name.pos, NULL, "more than %d lists", CATFMT_LISTS);
        return RC_CONFIG;
    }
    j->sorted = arena_alloc(&t->mem, (j->n + 1) * sizeof(struct named_list *));
    if (!j->sorted)
        return RC_NOMEM;
    uint32_t i = 0;
    for (struct named_list *l = j->first; l; l = l->next)
        j->sorted[i++] = l;
    qsort(j->sorted, j->n, sizeof *j->sorted, by_name);
    return RC_OK;
}

/* Every source learns the number of its list. */
static void number(struct job *j)
{
    struct tree *t = j->d->tree;
    t->n_lists = j->n;
    for (struct category_decl *c = t->categories.first; c; c = c->next) {
        for (struct category_source *s = c->sources; s; s = s->next) {
            for (uint32_t i = 0; i < j->n && s->kind != CAT_DOMAIN; i++) {
                if (span_eq(j->sorted[i]->name, s->named))
                    s->list = i;
            }
        }
    }
}

/* ---- their files ---- */

static enum rc add_ut1(struct job *j, const struct named_list *l)
{
    static const struct {
        const char *name;
        enum list_format format;
    } files[] = {{"domains", LIST_PLAIN}, {"urls", LIST_URLS}, {"expressions", LIST_EXPRESSIONS}};
    bool any = false;
    for (unsigned i = 0; i < N_ELEMS(files) + 1; i++) {
        unsigned which = i < N_ELEMS(files) ? i : 0;
        const char *path = join(j->d->tree, l->path, "/", span_str(files[which].name));
        if (!path)
            return RC_NOMEM;
        if (i == N_ELEMS(files) ? any : access(path, F_OK) != 0)
            continue;
        any = true; /* without any of them the first one is missed */
        TRY(catc_file(j->c, path, files[which].format));
    }
    return RC_OK;
}

static enum rc add_lists(struct job *j)
{
    for (uint32_t i = 0; i < j->n; i++) {
        const struct named_list *l = j->sorted[i];
        TRY(catc_list(j->c, l->name));
        if (l->by->kind == CAT_UT1)
            TRY(add_ut1(j, l));
        else
            TRY(catc_file(j->c, l->path, kind_format[l->by->kind]));
    }
    return RC_OK;
}

/* ---- the guard ---- */

static void guard_set_file(struct job *j, enum guard_set set, const struct word *w)
{
    if (w->text.n == 0)
        return;
    const char *path = source_beside(j->d->tree, w->pos.file, w->text);
    enum rc rc = path ? guard_file(catc_guard(j->c), set, path) : RC_NOMEM;
    if (rc == RC_NOTFOUND && set == GUARD_SEEN)
        return; /* the gateway has not written it yet */
    if (rc != RC_OK)
        diag_error(j->d, w->pos, NULL, "%s: %s",
                   rc == RC_NOTFOUND ? "there is no such file" : "this file cannot be read",
                   path ? path : "?");
}

static enum rc set_guard(struct job *j)
{
    const struct guard_decl *g = &j->d->tree->set.guard;
    for (const struct value *v = g->own; v; v = v->next) {
        enum rc rc = guard_own(catc_guard(j->c), v->w.text);
        if (rc == RC_LIMIT)
            diag_error(j->d, v->w.pos, NULL, "at most %d names of our own", GUARD_OWN);
        else if (rc == RC_BAD)
            diag_error(j->d, v->w.pos, NULL, "this is not a host name");
        else
            TRY(rc);
    }
    guard_set_file(j, GUARD_POPULAR, &g->popular);
    guard_set_file(j, GUARD_SEEN, &g->seen);
    guard_set_file(j, GUARD_ACCEPTED, &g->accepted);
    if (g->has_shrink)
        catc_guard(j->c)->shrink = g->shrink;
    return RC_OK;
}

/* ---- what there is to say ---- */

/* Names of lists beside the missing one; or what a folder of that name lacks. */
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
    if (near.best.n && span_eq(near.best, s->w.text))
        return "the folder is there, and has no file `domains`, `urls` or `expressions`";
    return suggest_hint(j->d, &near);
}

enum { REASONS_MOST = 5 }; /* of one file: others want to be read too */

static const char *what_is_bad(const struct catc_report *r, size_t i)
{
    if (r->bad_why[i][0])
        return r->bad_why[i];
    if (r->format == LIST_EXPRESSIONS)
        return "this is no expression";
    return r->format == LIST_PLAIN ? "not a host name" : "not an entry of such a list";
}

static void say_file(struct job *j, const struct catc_report *r)
{
    const struct category_source *by = j->sorted[r->list]->by;
    if (r->why && !r->kept)
        diag_error(j->d, by->w.pos, r->rc == RC_NOTFOUND ? near_list(j, by) : NULL, "%s: %s", r->why,
                   r->path);
    if (r->why && r->kept)
        diag_warn(j->d, by->w.pos, "the list that is in force stays as it is", "%s: %s", r->why, r->path);
    if (r->n_bad)
        diag_warn(j->d, by->w.pos, NULL, "%s:%llu: %s; %llu of %llu lines are left out", r->path,
                  (unsigned long long)r->bad[0], what_is_bad(r, 0), (unsigned long long)r->n_bad,
                  (unsigned long long)(r->n_bad + r->n_entries));
    for (size_t i = 1; i < r->n_bad && i < REASONS_MOST && r->bad_why[i][0]; i++)
        diag_warn(j->d, by->w.pos, NULL, "%s:%llu: %s", r->path, (unsigned long long)r->bad[i],
                  r->bad_why[i]);
    if (r->n_other)
        diag_warn(j->d, by->w.pos, NULL,
                  "%s: %llu of %llu rules are not about whole names; they are left out", r->path,
                  (unsigned long long)r->n_other, (unsigned long long)(r->n_other + r->n_entries));
}

/* In the order in which the policy names the lists. */
static void say_source(struct job *j, const struct category_source *s)
{
    if (s->named.n == 0) {
        say_ut1(j, s);
        return;
    }
    for (size_t i = 0; i < catc_n_files(j->c) && j->sorted[s->list]->by == s; i++) {
        if (catc_file_report(j->c, i)->list == s->list)
            say_file(j, catc_file_report(j->c, i));
    }
}

static void say_files(struct job *j)
{
    for (const struct category_decl *c = j->d->tree->categories.first; c; c = c->next) {
        for (const struct category_source *s = c->sources; s; s = s->next) {
            if (s->kind != CAT_DOMAIN)
                say_source(j, s);
        }
    }
}

static void say_entry(struct job *j, const struct cattext *t, const struct cattext_entry *e)
{
    diag_warn(j->d, j->sorted[e->list]->by->w.pos,
              e->kind == CATKEY_N ? "to let it in, write it into the `guard accepted` file"
                                  : "to let it in, name it in the category or in the `guard accepted` file",
              "%.*s:%u: `%.*s` is held back: %s", SHOW(cattext_file_path(t, e->file)), (unsigned)e->line,
              SHOW(e->raw), hold_text(e->held));
}

/* Entries that are held back; so many, the rest is told by the number. */
static void say_held(struct job *j, const struct cattext *t)
{
    struct cattext_entry e;
    for (uint64_t i = 0; i < HELD_SAID && cattext_held(t, i, &e); i++)
        say_entry(j, t, &e);
    if (t->head.n_held > HELD_SAID)
        diag_warn(j->d, j->sorted[0]->by->w.pos, "`perronctl lists held` shows all of them",
                  "%llu more entries are held back", (unsigned long long)(t->head.n_held - HELD_SAID));
}

/* A category that names lists, and to which none of them adds anything. */
static void say_empty(struct job *j, const struct cattext *t, const struct category_decl *c)
{
    uint64_t live = 0, held = 0, lists = 0;
    for (const struct category_source *s = c->sources; s; s = s->next) {
        if (s->kind == CAT_DOMAIN) {
            live += !s->except;
            continue;
        }
        lists++;
        live += t->lists[s->list].n_live;
        held += t->lists[s->list].n_held;
    }
    if (lists && !live)
        diag_warn(j->d, c->name.pos,
                  held ? "`perronctl lists held` shows what is held back"
                       : "nothing is in it, so nothing matches by it",
                  "this category is empty: its lists hold nothing that %s",
                  held ? "is let in" : "is an entry");
}

/* What only shows when everything was read. */
static enum rc say_whole(struct job *j, int fd)
{
    struct cattext t;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return RC_IO;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return RC_NOMEM;
    bool whole = cattext_open(span_of(p, (size_t)st.st_size), &t) == RC_OK;
    if (whole)
        say_held(j, &t);
    for (const struct category_decl *c = j->d->tree->categories.first; whole && c; c = c->next)
        say_empty(j, &t, c);
    munmap(p, (size_t)st.st_size);
    return whole ? RC_OK : RC_BUG;
}

/* ---- the part in force ---- */

static void open_before(struct job *j)
{
    struct stat st;
    if (!j->before_fds || fstat(j->before_fds[1], &st) != 0 || st.st_size <= 0)
        return;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, j->before_fds[1], 0);
    if (p == MAP_FAILED)
        return;
    j->before_map = span_of(p, (size_t)st.st_size);
    j->has_before = cattext_open(j->before_map, &j->before) == RC_OK;
    if (j->has_before)
        catc_before(j->c, &j->before);
}

static enum rc hand_on(struct job *j, int *hot, int *text)
{
    *hot = fcntl(j->before_fds[0], F_DUPFD_CLOEXEC, 3);
    *text = fcntl(j->before_fds[1], F_DUPFD_CLOEXEC, 3);
    return *hot >= 0 && *text >= 0 ? RC_OK : RC_IO;
}

/* ---- all of it ---- */

static enum rc write_text(void *arg, span bytes)
{
    return part_write(*(const int *)arg, bytes);
}

static enum rc finish(struct job *j, struct buf *hot, int text)
{
    enum rc rc = catc_finish(j->c, hot, (struct catc_sink){write_text, &text});
    if (rc != RC_LIMIT)
        return rc;
    diag_error(j->d, j->sorted[0]->by->w.pos, "name fewer lists",
               "these lists overlap in more than %d ways, or their expressions take more than %d bytes "
               "compiled",
               CATFMT_SETS, CATEXPR_ALL_BYTES);
    return RC_CONFIG;
}

static enum rc make(struct job *j, int *hot, int *text)
{
    struct buf h = {0};
    AUTO_CLOSE int t = -1;
    TRY(part_begin("perron-lists-text", &t));
    enum rc rc = catc_read(j->c);
    if (rc == RC_OK && (j->bad || j->d->errors))
        rc = RC_CONFIG; /* what the files have to say is said too */
    if (rc == RC_OK)
        rc = finish(j, &h, t);
    if (rc == RC_OK || rc == RC_CONFIG)
        say_files(j);
    if (rc == RC_OK)
        rc = say_whole(j, t);
    if (rc == RC_OK)
        rc = part_end(t);
    if (rc == RC_OK)
        rc = part_seal_table("perron-lists", buf_span(&h), hot);
    buf_fini(&h);
    if (rc == RC_OK) {
        *text = t;
        t = -1;
    }
    return rc;
}

/* Are lists of these names in the part in force, and no others? Their numbers are the same then. */
static bool same_names(const struct job *j)
{
    bool same = j->has_before && j->before.head.n_lists == j->n;
    for (uint32_t i = 0; i < j->n && same; i++)
        same = span_eq(cattext_list_name(&j->before, i), j->sorted[i]->name);
    return same;
}

static enum rc build(struct job *j, struct policy_lists *out)
{
    bool same;
    TRY(gather(j));
    number(j);
    open_before(j);
    out->fits = same_names(j);
    catc_progress(j->c, j->opts->progress);
    TRY(add_lists(j));
    TRY(set_guard(j));
    TRY(catc_unchanged(j->c, &same));
    out->same = same && !j->bad && j->d->errors == 0;
    if (out->same)
        return hand_on(j, &out->hot, &out->text);
    TRY(make(j, &out->hot, &out->text));
    for (size_t i = 0; i < catc_n_files(j->c); i++)
        out->kept = out->kept || catc_file_report(j->c, i)->kept;
    return RC_OK;
}

enum rc policy_lists(struct diag *d, const struct compile_opts *opts, const int before[2],
                     struct policy_lists *out)
{
    struct job j = {.d = d, .opts = opts, .before_fds = before};
    *out = (struct policy_lists){-1, -1, false, false, false};
    map_init(&j.by_name, 0);
    enum rc rc = catc_new(&j.c);
    if (rc == RC_OK)
        rc = build(&j, out);
    catc_free(j.c);
    map_fini(&j.by_name);
    if (j.before_map.p)
        munmap((void *)(uintptr_t)j.before_map.p, j.before_map.n);
    return rc;
}
