/* Where the list parts of `perronctl lists` come from; see lists.h. */
#include "gw/ctl/lists.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/proc/progress.h"
#include "policy/compile.h"
#include "signatures/catexpr.h"
#include "signatures/catfmt.h"
#include "signatures/listtree.h"

int lists_options(struct lists_options *o, const char *command, int argc, char **argv)
{
    struct {
        const char *word, **to;
    } files[] = {{"-o", &o->out},
                 {"--popular", &o->popular},
                 {"--seen", &o->seen},
                 {"--accepted", &o->accepted},
                 {"--before", &o->before}};
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        while (k < N_ELEMS(files) && strcmp(argv[i], files[k].word) != 0)
            k++;
        if (k < N_ELEMS(files) && i + 1 < argc)
            *files[k].to = argv[++i];
        else if (strcmp(argv[i], "--own") == 0 && i + 1 < argc && o->n_own < LISTS_OWN)
            o->own[o->n_own++] = argv[++i];
        else if (argv[i][0] == '-' || o->n_sources == LISTS_SOURCES)
            return ctl_fail("lists %s: cannot read %s; perronctl lists --help", command, argv[i]);
        else
            o->source[o->n_sources++] = argv[i];
    }
    return 0;
}

int lists_guard(const struct lists_options *o, struct guard *g)
{
    const char *const file[GUARD_SETS] = {o->accepted, o->popular, o->seen};
    for (size_t i = 0; i < o->n_own; i++) {
        if (guard_own(g, span_str(o->own[i])) != RC_OK)
            return ctl_fail("--own %s: this is not a host name", o->own[i]);
    }
    for (unsigned i = 0; i < GUARD_SETS; i++) {
        enum rc rc = file[i] ? guard_file(g, (enum guard_set)i, file[i]) : RC_OK;
        if (rc != RC_OK)
            return ctl_fail("%s: %s", file[i], rc == RC_NOTFOUND ? "there is no such file" : rc_text(rc));
    }
    return 0;
}

static int add_sources(const char *const *sources, size_t n, struct catc *c)
{
    for (size_t i = 0; i < n; i++) {
        enum rc rc = listtree_add(c, sources[i]);
        if (rc == RC_BAD)
            return ctl_fail("%s: there is no list in this folder", sources[i]);
        if (rc == RC_IO)
            return ctl_fail("%s: %s", sources[i], strerror(errno));
        if (rc != RC_OK)
            return ctl_fail("%s: %s", sources[i], rc == RC_NOTFOUND ? "there is no such list" : rc_text(rc));
    }
    return 0;
}

/* The one clear line about the first file that cannot be used. */
static int first_bad(const struct catc *c)
{
    for (size_t i = 0; i < catc_n_files(c); i++) {
        const struct catc_report *r = catc_file_report(c, i);
        if (r->why && !r->kept)
            return ctl_fail("%s: %s", r->path, r->why);
    }
    return ctl_fail("the lists cannot be read");
}

static int build_from(const struct lists_options *o, const char *const *sources, size_t n,
                      const struct cattext *before, struct lists_parts *out)
{
    if (catc_new(&out->c) != RC_OK)
        return ctl_fail("%s", rc_text(RC_NOMEM));
    catc_before(out->c, before);
    catc_progress(out->c, progress_shown());
    if (add_sources(sources, n, out->c) != 0 || lists_guard(o, catc_guard(out->c)) != 0)
        return 1;
    enum rc rc = catc_read(out->c);
    if (rc == RC_OK)
        rc = catc_finish(out->c, &out->hot_buf, catc_to(&out->text_buf));
    progress_over();
    if (rc == RC_CONFIG)
        return first_bad(out->c);
    if (rc == RC_OK)
        rc = cattext_open(buf_span(&out->text_buf), &out->text);
    if (rc == RC_LIMIT)
        return ctl_fail("building: these lists overlap in more than %d ways, or their expressions take more "
                        "than %d bytes compiled; name fewer",
                        CATFMT_SETS, CATEXPR_ALL_BYTES);
    return rc == RC_OK ? 0 : ctl_fail("building: %s", rc_text(rc));
}

int lists_build(const struct lists_options *o, const struct cattext *before, struct lists_parts *out)
{
    return build_from(o, o->source, o->n_sources, before, out);
}

/* ---- built files, policies ---- */

/* 1: mapped; 0: not a built file; -1: after the one clear line. */
static int map_text(int fd, const char *name, struct lists_parts *out)
{
    struct stat st;
    uint64_t magic = 0;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || pread(fd, &magic, 8, 0) != 8 ||
        magic != CATTEXT_MAGIC)
        return 0;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        ctl_fail("%s: %s", name, strerror(errno));
        return -1;
    }
    out->mapped = span_of(p, (size_t)st.st_size);
    if (cattext_open(out->mapped, &out->text) == RC_OK)
        return 1;
    ctl_fail("%s: damaged, or built by another version", name);
    return -1;
}

static int load_built(const char *path, struct lists_parts *out)
{
    char beside[4096];
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int is = map_text(fd, path, out);
    if (is != 0 || snprintf(beside, sizeof beside, "%s.text", path) >= (int)sizeof beside)
        return is;
    AUTO_CLOSE int text = open(beside, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return map_text(text, beside, out);
}

static int load_policy(const char *path, struct lists_parts *out)
{
    struct compile_opts opts = {.time_s = clock_wall_s(), .progress = progress_shown()};
    struct buf diag = {0};
    uint8_t hash[SNAP_HASH];
    int fds[SNAP_PARTS], status = 1;
    enum rc rc = policy_compile(path, &opts, fds, hash, &diag);
    progress_over();
    if (rc == RC_OK && map_text(fds[PART_LISTS_TEXT], path, out) == 1)
        status = 0;
    else
        ctl_print(stderr, buf_span(&diag), true);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    buf_fini(&diag);
    return status ? ctl_fail("%s: this policy has no lists to show", path) : 0;
}

int lists_load(const struct lists_options *o, const char *const *sources, size_t n, struct lists_parts *out)
{
    *out = (struct lists_parts){0};
    if (n == 1 && span_has_suffix(span_str(sources[0]), SPAN(".policy")))
        return load_policy(sources[0], out);
    int built = n == 1 ? load_built(sources[0], out) : 0;
    if (built != 0)
        return built == 1 ? 0 : 1;
    return build_from(o, sources, n, NULL, out);
}

void lists_fini(struct lists_parts *p)
{
    catc_free(p->c);
    buf_fini(&p->hot_buf);
    buf_fini(&p->text_buf);
    if (p->mapped.p)
        munmap((void *)(uintptr_t)p->mapped.p, p->mapped.n);
    *p = (struct lists_parts){0};
}

/* ---- as JSON ---- */

json_t *lists_text(span s)
{
    json_t *text = json_stringn(s.n ? (const char *)s.p : "", s.n);
    AUTO_FREE char *plain = text ? NULL : malloc(s.n + 1);
    if (text || !plain)
        return text ? text : json_string("");
    for (size_t i = 0; i < s.n; i++)
        plain[i] = s.p[i] < 0x80 ? (char)s.p[i] : '?';
    return json_stringn(plain, s.n);
}

json_t *lists_entry_json(const struct cattext *t, const struct cattext_entry *e)
{
    return json_pack("{s:o, s:o, s:i, s:o}", "list", lists_text(cattext_list_name(t, e->list)), "file",
                     lists_text(cattext_file_path(t, e->file)), "line", (int)e->line, "entry",
                     lists_text(e->raw));
}
