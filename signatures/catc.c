/* Lists and their files, and the order of the work; see catc.h. */
#include "signatures/catc_int.h"

#include <errno.h>
#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum rc catc_new(struct catc **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return RC_NOMEM;
    guard_init(&(*out)->guard);
    return RC_OK;
}

void catc_free(struct catc *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_sources; i++) {
        free(c->sources[i].path);
        buf_fini(&c->sources[i].text);
    }
    for (size_t i = 0; i < c->n_lists; i++)
        free(c->lists[i].name);
    free(c->lists);
    free(c->sources);
    catbins_fini(&c->entries);
    catbins_fini(&c->records);
    buf_fini(&c->expr_items);
    buf_fini(&c->expr_texts);
    guard_fini(&c->guard);
    free(c);
}

void catc_before(struct catc *c, const struct cattext *before)
{
    c->before = before;
}

struct guard *catc_guard(struct catc *c)
{
    return &c->guard;
}

void catc_progress(struct catc *c, void (*fn)(const char *what, unsigned long done, unsigned long total))
{
    c->progress = fn;
}

void catc_tell(const struct catc *c, size_t done)
{
    if (c->progress)
        c->progress("lists", done, c->n_sources * 2);
}

/* ---- naming ---- */

enum rc catc_list(struct catc *c, span name)
{
    if (c->n_lists == CATFMT_LISTS)
        return RC_LIMIT;
    struct catc_list *lists = array_room(c->lists, c->n_lists, &c->cap_lists, 16, sizeof *lists);
    uint8_t *copy = malloc(name.n + 1);
    if (lists)
        c->lists = lists;
    if (!lists || !copy) {
        free(copy);
        return RC_NOMEM;
    }
    memcpy(copy, name.p, name.n);
    c->lists[c->n_lists++] = (struct catc_list){
        .name = copy,
        .name_n = name.n,
        .first = c->n_sources,
        .before = c->before ? cattext_list_named(c->before, name) : UINT32_MAX,
    };
    return RC_OK;
}

static enum rc source_new(struct catc *c, const char *path, enum list_format format, struct catc_source **out)
{
    struct catc_source *v = array_room(c->sources, c->n_sources, &c->cap_sources, 16, sizeof *v);
    char *copy = strdup(path);
    if (v)
        c->sources = v;
    if (!v || !copy || c->n_lists == 0) {
        free(copy);
        return c->n_lists ? RC_NOMEM : RC_BUG;
    }
    if (c->n_sources == UINT16_MAX) {
        free(copy);
        return RC_LIMIT;
    }
    *out = &c->sources[c->n_sources++];
    **out = (struct catc_source){.path = copy};
    (*out)->report = (struct catc_report){.path = copy, .list = (uint32_t)(c->n_lists - 1), .format = format};
    buf_init(&(*out)->text, LIM_LIST_BYTES);
    c->lists[c->n_lists - 1].n++;
    return RC_OK;
}

enum rc catc_file(struct catc *c, const char *path, enum list_format format)
{
    struct catc_source *s;
    TRY(source_new(c, path, format, &s));
    s->report.rc = catfile_stat(path, &s->id);
    return RC_OK;
}

enum rc catc_text(struct catc *c, const char *path, enum list_format format, span text)
{
    struct catc_source *s;
    TRY(source_new(c, path, format, &s));
    s->in_memory = true;
    s->id.bytes = text.n;
    return buf_put(&s->text, text);
}

/* ---- whether anything changed ---- */

static bool same_file(const struct catc *c, const struct catc_source *s, const struct cattext_file *f,
                      span path)
{
    return !s->in_memory && s->report.rc == RC_OK && span_eq(path, span_str(s->path)) &&
           !(f->flags & CATTEXT_KEPT) && f->dev == s->id.dev && f->ino == s->id.ino &&
           f->bytes == s->id.bytes && f->mtime_ns == s->id.mtime_ns && f->ctime_ns == s->id.ctime_ns &&
           f->list == s->report.list && c->before->head.n_files == c->n_sources;
}

enum rc catc_unchanged(struct catc *c, bool *same)
{
    const struct cattext *b = c->before;
    *same = false;
    TRY(guard_digest(&c->guard, c->options));
    if (!b || b->head.n_lists != c->n_lists || b->head.n_files != c->n_sources ||
        memcmp(b->head.options, c->options, sizeof c->options) != 0)
        return RC_OK;
    for (uint32_t i = 0; i < c->n_lists; i++) {
        if (!span_eq(cattext_list_name(b, i), span_of(c->lists[i].name, c->lists[i].name_n)))
            return RC_OK;
    }
    for (uint32_t i = 0; i < c->n_sources; i++) {
        if (!same_file(c, &c->sources[i], &b->files[i], cattext_file_path(b, i)))
            return RC_OK;
    }
    *same = true;
    return RC_OK;
}

/* ---- reading ---- */

/* What keeps bytes from being a text list; NULL: nothing. */
static const char *not_text(span t)
{
    if (span_has_prefix(t, SPAN("\xff\xfe")) || span_has_prefix(t, SPAN("\xfe\xff")))
        return "this is UTF-16; a list is UTF-8 text";
    if (t.n && memchr(t.p, 0, t.n))
        return "this is not a text file";
    for (size_t at = 0; at < t.n;) {
        const uint8_t *nl = memchr(t.p + at, '\n', t.n - at);
        size_t end = nl ? (size_t)(nl - t.p) : t.n;
        if (end - at > LIM_POLICY_LINE_BYTES)
            return "a line of it is longer than 65536 bytes: this is no list";
        at = end + 1;
    }
    return NULL;
}

static enum rc read_source(struct catc_source *s)
{
    struct catc_report *r = &s->report;
    if (r->rc == RC_OK && !s->in_memory)
        r->rc = catfile_read(s->path, &s->text, &s->id);
    span text = buf_span(&s->text);
    if (r->rc == RC_NOMEM)
        return r->rc;
    r->why = r->rc == RC_OK         ? not_text(text)
             : r->rc == RC_NOTFOUND ? "there is no such list"
             : r->rc == RC_BAD      ? "this is not a text file"
             : r->rc == RC_LIMIT    ? "this list is too large"
                                    : "this list cannot be read";
    if (r->why)
        return RC_OK;
    TRY(sha256(&text, 1, s->out.digest));
    if (!s->in_memory && !catfile_checksum_ok(s->path, s->out.digest))
        r->why = "this list is not what its .sha256 file says";
    s->out.bytes = s->id.bytes;
    s->out.dev = s->id.dev;
    s->out.ino = s->id.ino;
    s->out.mtime_ns = s->id.mtime_ns;
    s->out.ctime_ns = s->id.ctime_ns;
    s->out.flags = text.n && text.p[text.n - 1] == '\n' ? CATTEXT_ENDED : 0;
    return RC_OK;
}

enum rc catc_read(struct catc *c)
{
    bool bad = false;
    for (size_t i = 0; i < c->n_sources; i++) {
        struct catc_source *s = &c->sources[i];
        struct catc_list *l = &c->lists[s->report.list];
        TRY(read_source(s));
        if (!s->report.why)
            s->report.why = catc_stale(c, s);
        if (s->report.why) {
            l->kept = l->before != UINT32_MAX;
            bad = bad || !l->kept;
        }
        catc_tell(c, i + 1);
    }
    return bad ? RC_CONFIG : RC_OK;
}

/* Whether the part before has a say in what this one holds. */
static bool before_counts(const struct catc *c)
{
    bool any = buf_len(&c->guard.set[GUARD_POPULAR].text) || buf_len(&c->guard.set[GUARD_SEEN].text);
    for (size_t i = 0; i < c->n_lists; i++)
        any = any || c->lists[i].kept;
    return c->before && any;
}

/* Everything that decides what the parts hold. */
static enum rc draw_seed(struct catc *c)
{
    struct buf all = {0};
    bool by_before = before_counts(c);
    enum rc rc = buf_put(&all, span_of(c->options, sizeof c->options));
    for (size_t i = 0; i < c->n_lists && rc == RC_OK; i++) {
        rc = buf_put(&all, span_of(c->lists[i].name, c->lists[i].name_n));
        if (rc == RC_OK)
            rc = buf_put_u8(&all, c->lists[i].kept);
        for (size_t k = 0; k < c->lists[i].n && rc == RC_OK; k++) {
            const struct catc_source *s = &c->sources[c->lists[i].first + k];
            rc = buf_put_u32(&all, s->report.format);
            if (rc == RC_OK)
                rc = buf_put(&all, span_of(s->out.digest, sizeof s->out.digest));
        }
    }
    if (rc == RC_OK && by_before)
        rc = buf_put(&all, span_of(c->before->head.digest, SHA256_BYTES));
    span parts[] = {buf_span(&all), by_before ? buf_span(&c->guard.set[GUARD_POPULAR].text) : SPAN_NONE,
                    by_before ? buf_span(&c->guard.set[GUARD_SEEN].text) : SPAN_NONE};
    if (rc == RC_OK)
        rc = sha256(parts, N_ELEMS(parts), c->digest);
    buf_fini(&all);
    memcpy(c->seed, c->digest, sizeof c->seed);
    return rc;
}

static enum rc append(void *arg, span bytes)
{
    return buf_put(arg, bytes);
}

struct catc_sink catc_to(struct buf *out)
{
    return (struct catc_sink){append, out};
}

enum rc catc_finish(struct catc *c, struct buf *hot, struct catc_sink text)
{
    uint64_t bytes = 0;
    if (hot->w % 8 != 0)
        return RC_BUG;
    for (size_t i = 0; i < c->n_sources; i++)
        bytes += c->sources[i].id.bytes;
    TRY(guard_digest(&c->guard, c->options));
    TRY(draw_seed(c));
    TRY(guard_prepare(&c->guard, c->seed, bytes));
    TRY(catc_entries(c));
    TRY(catc_emit_hot(c, hot));
    return catc_emit_text(c, &text);
}

/* ---- reports ---- */

size_t catc_n_files(const struct catc *c)
{
    return c->n_sources;
}

const struct catc_report *catc_file_report(const struct catc *c, size_t i)
{
    return &c->sources[i].report;
}

uint64_t catc_n_names(const struct catc *c)
{
    return c->n_names;
}
