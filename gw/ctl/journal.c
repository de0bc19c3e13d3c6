/* perronctl journal: the record of a code, the latest records, and whether the journal is whole. Works on a
 * directory of segments, with or without a gateway that is writing there. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/ctl/record.h"
#include "gw/siem/code.h"

enum { SHOW_LAST = 20 };

struct words {
    const char *journal, *code;
    uint64_t last, flow;
    bool one_flow;
};

int journal_open_dir(const struct ctl *ctl, const char *dir)
{
    char path[4096];
    int n =
        dir ? snprintf(path, sizeof path, "%s", dir) : snprintf(path, sizeof path, "%s/journal", ctl->dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        ctl_fail("%s: the name is too long", dir ? dir : ctl->dir);
        return -1;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        ctl_fail("%s: %s; --journal names a directory of the journal, -d a state directory that has one",
                 path, strerror(errno));
    return fd;
}

int journal_broken(const struct journal_walk *w)
{
    return w->broken ? ctl_fail("segment %012" PRIu64 ", byte %" PRIu64 ": %s; what can be read is read",
                                w->segment, w->at, w->broken)
                     : 0;
}

json_t *journal_broken_json(const struct journal_walk *w)
{
    return w->broken ? json_pack("{s:I, s:I, s:s}", "segment", (json_int_t)w->segment, "offset",
                                 (json_int_t)w->at, "why", w->broken)
                     : json_null();
}

static int no_journal(enum rc rc)
{
    return rc == RC_NOTFOUND ? ctl_fail("there is no journal in that directory")
                             : ctl_fail("the journal cannot be read: %s", rc_text(rc));
}

/* ---- find ---- */

static int show_found(const struct ctl *ctl, const struct journal_frame *f, unsigned n_more)
{
    static struct record r;
    if (record_decode(f->record, &r) != RC_OK)
        return ctl_fail("the record of that code (segment %" PRIu64 ", byte %" PRIu64
                        ") is none that this version can read",
                        f->segment, f->at);
    if (n_more)
        fprintf(stderr, "perronctl: %u other records claim this code: a worker wrote what is not its own\n",
                n_more);
    if (!ctl->json) {
        record_print(&r, f);
        return 0;
    }
    json_t *o = record_json(&r, f);
    json_object_set_new(o, "others_of_this_code", json_integer(n_more));
    ctl_print_json(o);
    json_decref(o);
    return 0;
}

static int find(const struct ctl *ctl, const struct words *w)
{
    struct journal_frame f;
    struct buf bytes = {0};
    unsigned node, n_more;
    uint64_t number;
    if (!w->code)
        return ctl_fail("journal find: which code?");
    if (!record_code_read("journal find: ", w->code, &node, &number))
        return 1;
    AUTO_CLOSE int dir = journal_open_dir(ctl, w->journal);
    if (dir < 0)
        return 1;
    enum rc rc = journal_find(dir, journal_code(node, number), &bytes, &f, &n_more);
    int status = 0;
    if (rc == RC_OK)
        status = show_found(ctl, &f, n_more);
    else if (rc == RC_NOTFOUND)
        status = ctl_fail("no record has the code %s; an error that came before any decision has its line in "
                          "the log alone",
                          w->code);
    else
        status = no_journal(rc);
    buf_fini(&bytes);
    return status;
}

/* ---- show ---- */

struct show {
    const struct ctl *ctl;
    const struct words *w;
    uint64_t skip, unreadable;
};

static enum rc show_one(const struct journal_frame *f, void *arg)
{
    static struct record r;
    struct show *s = arg;
    if (s->skip > 0) {
        s->skip--;
        return RC_OK;
    }
    if (record_decode(f->record, &r) != RC_OK) {
        s->unreadable++;
        return RC_OK;
    }
    if (s->w->one_flow && r.flow != s->w->flow)
        return RC_OK;
    if (s->ctl->json) {
        json_t *o = record_json(&r, f);
        ctl_print_json(o);
        json_decref(o);
    } else {
        record_line(&r);
    }
    return RC_OK;
}

static int show(const struct ctl *ctl, const struct words *w)
{
    struct show s = {.ctl = ctl, .w = w};
    AUTO_CLOSE int dir = journal_open_dir(ctl, w->journal);
    if (dir < 0)
        return 1;
    struct journal_walk count = {.dir = dir};
    enum rc rc = journal_walk(&count);
    if (rc == RC_OK && !w->one_flow && w->last && count.n_records > w->last)
        s.skip = count.n_records - w->last;
    struct journal_walk walk = {.dir = dir, .each = show_one, .arg = &s};
    if (rc == RC_OK)
        rc = journal_walk(&walk);
    if (rc != RC_OK)
        return no_journal(rc);
    if (s.unreadable)
        return ctl_fail("%" PRIu64 " records are none that this version can read", s.unreadable);
    return journal_broken(&walk);
}

/* ---- verify ---- */

static enum rc can_be_read(const struct journal_frame *f, void *arg)
{
    static struct record r;
    uint64_t *unreadable = arg;
    *unreadable += record_decode(f->record, &r) != RC_OK;
    return RC_OK;
}

static int report(const struct ctl *ctl, const struct journal_walk *w, uint64_t unreadable)
{
    if (ctl->json) {
        json_t *o =
            json_pack("{s:b, s:I, s:I, s:I, s:b, s:I}", "ok", w->broken == NULL, "segments",
                      (json_int_t)w->n_segments, "records", (json_int_t)w->n_records, "bytes",
                      (json_int_t)w->n_bytes, "open_end", w->open_end, "unreadable", (json_int_t)unreadable);
        if (o && w->broken)
            json_object_set_new(o, "broken", journal_broken_json(w));
        ctl_print_json(o);
        json_decref(o);
        return w->broken ? 1 : 0;
    }
    if (w->broken)
        return ctl_fail("segment %012" PRIu64 ", byte %" PRIu64 ": %s", w->segment, w->at, w->broken);
    printf("whole: %" PRIu64 " records in %" PRIu64 " segments%s\n", w->n_records, w->n_segments,
           w->open_end ? "; the last one is being written" : "");
    if (unreadable)
        printf("%" PRIu64 " of them are none that this version can read\n", unreadable);
    return 0;
}

static int verify(const struct ctl *ctl, const struct words *w)
{
    uint64_t unreadable = 0;
    AUTO_CLOSE int dir = journal_open_dir(ctl, w->journal);
    if (dir < 0)
        return 1;
    struct journal_walk walk = {.dir = dir, .verify = true, .each = can_be_read, .arg = &unreadable};
    enum rc rc = journal_walk(&walk);
    return rc == RC_OK ? report(ctl, &walk, unreadable) : no_journal(rc);
}

/* ---- words ---- */

static bool read_words(struct words *w, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        span a = span_str(argv[i]);
        bool more = i + 1 < argc;
        if (span_eq(a, SPAN("--journal")) && more)
            w->journal = argv[++i];
        else if (span_eq(a, SPAN("--last")) && more &&
                 span_to_u64(span_str(argv[i + 1]), UINT64_MAX, &w->last))
            i++;
        else if (span_eq(a, SPAN("--flow")) && more &&
                 span_to_u64(span_str(argv[i + 1]), UINT64_MAX, &w->flow))
            i++, w->one_flow = true;
        else if (a.n && a.p[0] != '-' && !w->code)
            w->code = argv[i];
        else
            return false;
    }
    return true;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    struct words w = {.last = SHOW_LAST};
    span verb = span_str(argc ? argv[0] : "");
    if (argc && !read_words(&w, argc, argv))
        return ctl_fail("journal: cannot read these words; perronctl journal --help");
    if (span_eq(verb, SPAN("find")))
        return find(ctl, &w);
    if (span_eq(verb, SPAN("show")) && !w.code)
        return show(ctl, &w);
    if (span_eq(verb, SPAN("verify")) && !w.code)
        return verify(ctl, &w);
    return ctl_fail("journal: find CODE, show or verify; perronctl journal --help");
}

const struct ctl_command ctl_journal = {
    .name = "journal",
    .usage =
        "  journal find CODE [--journal DIR]\n"
        "                             the record of the decision that has this code\n"
        "  journal show [--last N] [--flow ID] [--journal DIR]\n"
        "                             the latest records, a line each; N 0: all\n"
        "  journal verify [--journal DIR]\n"
        "                             is every record there and as it was written? exit status 1 and the "
        "first\n"
        "                             break where not\n",
    .run = run,
};
