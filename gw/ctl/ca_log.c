/* perronctl ca log: the register of leaves (certs/leaflog.h). Looks at every link of its chain, each time,
 * whatever was asked; was there ever a leaf for a name? Works on the files, with or without a gateway. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs/leaflog.h"
#include "gw/base/addr.h"
#include "gw/base/obj.h"
#include "gw/ctl/ca.h"

enum { SHOWN_LAST = 20, NAMES_SHOWN = 3 };

struct log {
    const struct ctl *ctl;
    const char *dir;
    uint8_t name[LIM_NAME_BYTES + 2];
    char ip[ADDR_TEXT];
    span wanted; /* empty: every entry */
    uint64_t last, skip, found;
};

static void print_names(const struct leaflog_entry *e)
{
    for (size_t i = 0; i < e->n_names && i < NAMES_SHOWN; i++)
        printf("%s%.*s", i ? ", " : "", (int)e->names[i].n, (const char *)e->names[i].p);
    if (e->n_names > NAMES_SHOWN)
        printf(" and %d more", e->n_names - NAMES_SHOWN);
}

/* The line itself is the JSON; for people, what they compare with a certificate. */
static enum rc show(const struct leaflog_entry *e, span line, void *arg)
{
    struct log *l = arg;
    if (l->wanted.n && !leaflog_names(e, l->wanted))
        return RC_OK;
    l->found++;
    if (l->skip > 0) {
        l->skip--;
        return RC_OK;
    }
    if (l->ctl->json) {
        printf("%.*s\n", (int)line.n, (const char *)line.p);
        return RC_OK;
    }
    size_t at = span_find(line, ':', strlen("{\"n\":")); /* the time stands behind it */
    printf("%8" PRIu64 "  %.20s  ", e->n, (const char *)line.p + at + 2);
    print_names(e);
    printf("  serial ");
    for (size_t i = 0; i < e->serial_n; i++)
        printf("%02X", e->serial[i]);
    printf("  worker %u\n", (unsigned)e->worker);
    return RC_OK;
}

static void head_text(const struct leaflog_walk *w, char out[2 * SHA256_BYTES + 1])
{
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", w->head[i]);
}

static int broken(const struct leaflog_walk *w)
{
    char name[LEAFLOG_NAME];
    leaflog_file_name(w->file, name);
    return w->line ? ctl_fail("the register of leaves is broken at %s, line %" PRIu64 ": %s", name, w->line,
                              w->why)
                   : ctl_fail("the register of leaves is broken at %s: %s", name, w->why);
}

static int report_json(const struct log *l, const struct leaflog_walk *w, bool ok)
{
    char head[2 * SHA256_BYTES + 1], name[LEAFLOG_NAME];
    head_text(w, head);
    json_t *o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:s}", "ok", ok, "entries", (json_int_t)w->n_entries,
                          "first", (json_int_t)w->first, "found", (json_int_t)l->found, "torn",
                          (json_int_t)w->n_torn, "head", head);
    leaflog_file_name(w->file, name);
    if (o && !ok)
        json_object_set_new(
            o, "broken",
            json_pack("{s:s, s:I, s:s}", "file", name, "line", (json_int_t)w->line, "why", w->why));
    ctl_print_json(o);
    json_decref(o);
    return ok ? 0 : 1;
}

static int report(const struct log *l, const struct leaflog_walk *w, bool ok)
{
    char head[2 * SHA256_BYTES + 1];
    if (l->ctl->json)
        return report_json(l, w, ok);
    if (!ok)
        return broken(w);
    head_text(w, head);
    if (l->wanted.n)
        printf("%s: %" PRIu64 " of %" PRIu64 " leaves\n", l->found ? "yes" : "never", l->found, w->n_entries);
    printf("whole: %" PRIu64 " entries, the last one's SHA-256 is %s\n", w->n_entries, head);
    if (w->first > 1)
        printf("it begins with entry %" PRIu64 ": files before it were taken away\n", w->first);
    if (w->n_torn)
        printf("%" PRIu64 " lines were cut short while they were written; nobody was given those leaves\n",
               w->n_torn);
    return 0;
}

/* How many entries are there before the last ones? */
static enum rc find_start(struct log *l, int dir)
{
    struct leaflog_walk count = {.dir = dir};
    enum rc rc = leaflog_walk(&count);
    if ((rc == RC_OK || rc == RC_BAD) && l->last && count.n_entries > l->last)
        l->skip = count.n_entries - l->last;
    return rc == RC_BAD ? RC_OK : rc;
}

/* A name in the form in which leaves have it; "*." stays before it. An address stays as its text. */
static bool take_name(struct log *l, const char *text)
{
    struct addr a;
    span s = span_str(text), rest = span_has_prefix(s, SPAN("*.")) ? span_cut(s, 2, s.n) : s;
    if (addr_parse(s, &a)) {
        l->wanted = span_str(addr_text(&a, l->ip));
        return true;
    }
    size_t head = s.n - rest.n, n = name_normalise(rest, l->name + head);
    memcpy(l->name, "*.", head);
    l->wanted = span_of(l->name, head + n);
    return n > 0;
}

static bool read_words(struct log *l, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--name") == 0 && more && take_name(l, argv[i + 1]))
            i++;
        else if (strcmp(argv[i], "--last") == 0 && more &&
                 span_to_u64(span_str(argv[i + 1]), UINT64_MAX, &l->last))
            i++;
        else if (strcmp(argv[i], "--register") == 0 && more)
            l->dir = argv[++i];
        else
            return false;
    }
    return true;
}

int ca_log(const struct ctl *ctl, int argc, char **argv)
{
    char path[4096];
    struct log l = {.ctl = ctl, .last = SHOWN_LAST};
    if (!read_words(&l, argc, argv))
        return ctl_fail("ca log: cannot read these words (--name takes a host name, *.DOMAIN or an address); "
                        "perronctl ca --help");
    int n =
        l.dir ? snprintf(path, sizeof path, "%s", l.dir) : snprintf(path, sizeof path, "%s/leaves", ctl->dir);
    AUTO_CLOSE int dir = n > 0 && n < (int)sizeof path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir < 0)
        return ctl_fail(
            "%s: %s; --register names a folder of the register, -d a state directory that has one", path,
            strerror(errno));
    struct leaflog_walk w = {.dir = dir, .each = show, .arg = &l};
    enum rc rc = l.wanted.n ? RC_OK : find_start(&l, dir);
    if (rc == RC_OK)
        rc = leaflog_walk(&w);
    if (rc == RC_NOTFOUND)
        return ctl_fail("%s: there is no register of leaves", path);
    if (rc != RC_OK && rc != RC_BAD)
        return ctl_fail("%s: the register of leaves cannot be read: %s", path, rc_text(rc));
    return report(&l, &w, rc == RC_OK);
}
