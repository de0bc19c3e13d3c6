/* Lines to entries: every list is read by its format's reader, judged by the guard, and written down as
 * records with their hashes; a list that is kept comes from the part before. See catc.h. */
#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/obj.h"
#include "signatures/catc_int.h"
#include "signatures/catexpr.h"

/* ---- one entry ---- */

static enum rc push(struct catc *c, uint64_t hash, uint64_t base, uint64_t at)
{
    struct catc_entry *v = array_room(c->entries, c->n_entries, &c->cap_entries, 4096, sizeof *v);
    if (!v)
        return RC_NOMEM;
    c->entries = v;
    c->entries[c->n_entries++] = (struct catc_entry){hash, base, at};
    return RC_OK;
}

static void note_length(struct catc *c, const struct prefix *net)
{
    uint64_t *lengths = net->a.family == 4 ? &c->v4_lengths : c->v6_lengths;
    lengths[net->bits / 64] |= UINT64_C(1) << (net->bits % 64);
}

static uint8_t record_kind(enum catkey_kind kind, unsigned flags)
{
    return (uint8_t)(kind | (flags & CATFMT_MEMBER_OUT ? CATTEXT_OUT : 0) |
                     (flags & CATFMT_EXACT ? CATTEXT_EXACT : 0) | (flags & CATFMT_BELOW ? CATTEXT_BELOW : 0));
}

static enum rc put_record(struct catc *c, const struct cattext_record *r, span key, span raw)
{
    TRY(buf_reserve(&c->records, sizeof *r + key.n + raw.n));
    uint8_t *p = c->records.p + c->records.w;
    memcpy(p, r, sizeof *r);
    memcpy(p + sizeof *r, key.p, key.n);
    if (raw.n)
        memcpy(p + sizeof *r + key.n, raw.p, raw.n);
    c->records.w += sizeof *r + key.n + raw.n;
    c->n_records++;
    return RC_OK;
}

struct entry {
    const struct catkey *key;
    unsigned flags;
    span raw;
    enum hold held;
    uint64_t hash, base;
    uint16_t file;
    uint32_t line;
};

static enum rc put_entry(struct catc *c, struct catc_list *l, const struct entry *e)
{
    const struct catkey *k = e->key;
    span key = span_of(k->text, k->n), raw = span_eq(e->raw, key) ? SPAN_NONE : span_cut(e->raw, 0, 1024);
    struct cattext_record r = {.line = e->line,
                               .file = e->file,
                               .key_n = (uint16_t)key.n,
                               .raw_n = (uint16_t)raw.n,
                               .kind = record_kind(k->kind, e->flags),
                               .held = (uint8_t)e->held};
    TRY(push(c, e->hash, e->base, c->records.w));
    TRY(put_record(c, &r, key, raw));
    *(e->held ? &l->n_held : &l->n_live) += 1;
    if (e->held)
        return RC_OK;
    if (k->net.a.family)
        note_length(c, &k->net);
    if (k->kind != CATKEY_URL)
        return RC_OK;
    uint64_t base, host = k->net.a.family ? catkey_hash_net(c->seed, &k->net)
                                          : catkey_hash_name(c->seed, span_of(k->text, k->host_n), &base);
    return push(c, host, k->net.a.family ? host : base, CATC_AT_URLS + (uint64_t)(l - c->lists));
}

/* ---- a list from its files ---- */

struct reading {
    struct catc *c;
    struct catc_list *list;
    struct catc_source *source;
    uint16_t file;
    uint32_t line;
};

/* Whether the entry was live in the same list of the part before. */
static bool was_live(const struct reading *r, const struct catkey *k)
{
    struct cattext_find f = {0};
    struct cattext_entry e;
    while (cattext_find(r->c->before, k, &f, &e)) {
        if (e.list == r->list->before && e.held == HOLD_NONE)
            return true;
    }
    return false;
}

/* A list that is new altogether was put there by somebody: what it holds is wanted. */
static enum hold judge(const struct reading *r, const struct catkey *k, unsigned flags, uint64_t hash)
{
    enum hold h = guard_judge(&r->c->guard, k, flags, hash);
    if ((h == HOLD_POPULAR || h == HOLD_SEEN) && (r->list->before == UINT32_MAX || was_live(r, k)))
        return HOLD_NONE;
    return h;
}

static enum rc take(void *arg, const struct catkey *k, unsigned flags, span raw)
{
    struct reading *r = arg;
    char why[128];
    if (k->kind == CATKEY_N && !catexpr_check(span_of(k->text, k->n), why)) {
        struct catc_report *report = &r->source->report;
        if (!report->refused[0])
            memcpy(report->refused, why, sizeof why);
        return RC_BAD;
    }
    uint64_t base, hash = catkey_hash(r->c->seed, k, &base);
    struct entry e = {.key = k,
                      .flags = flags,
                      .raw = raw,
                      .held = judge(r, k, flags, hash),
                      .hash = hash,
                      .base = base,
                      .file = r->file,
                      .line = r->line};
    r->source->report.n_entries++;
    r->source->report.n_held += e.held != HOLD_NONE;
    return put_entry(r->c, r->list, &e);
}

static void count(struct catc_report *report, enum list_line is, uint64_t line)
{
    if (is == LINE_OTHER)
        report->n_other++;
    if (is == LINE_BAD && report->n_bad++ < CATC_BAD_SHOWN)
        report->bad[report->n_bad - 1] = line;
}

static enum rc read_lines(struct reading *r)
{
    struct catc_report *report = &r->source->report;
    span text = buf_span(&r->source->text);
    struct listread reader;
    listread_init(&reader, report->format, take, r);
    if (span_has_prefix(text, SPAN("\xef\xbb\xbf")))
        text = span_cut(text, 3, text.n);
    for (size_t at = 0; at < text.n && reader.rc == RC_OK;) {
        const uint8_t *nl = memchr(text.p + at, '\n', text.n - at);
        size_t end = nl ? (size_t)(nl - text.p) : text.n;
        r->line++;
        count(report, listread_line(&reader, span_of(text.p + at, end - at)), r->line);
        at = end + 1;
    }
    report->n_lines = r->line;
    r->source->out.serial = reader.serial;
    return reader.rc;
}

static void describe(struct catc_source *s)
{
    struct cattext_file *f = &s->out;
    f->lines = s->report.n_lines;
    f->n_bad = s->report.n_bad;
    f->first_bad = s->report.n_bad ? s->report.bad[0] : 0;
    f->n_other = s->report.n_other;
    buf_fini(&s->text); /* everything of it is in the records */
}

/* ---- what is wrong with a file, beside the one in force ---- */

enum { SHRINK_FROM = 100 }; /* bytes: of shorter lists half is nothing */

static const struct cattext_file *file_before(const struct catc *c, const struct catc_source *s)
{
    const struct catc_list *l = &c->lists[s->report.list];
    if (l->before == UINT32_MAX)
        return NULL;
    const struct cattext_list *b = &c->before->lists[l->before];
    for (uint32_t i = b->first_file; i < b->first_file + b->n_files; i++) {
        if (span_eq(cattext_file_path(c->before, i), span_str(s->path)))
            return &c->before->files[i];
    }
    return NULL;
}

const char *catc_stale(const struct catc *c, const struct catc_source *s)
{
    const struct cattext_file *b = file_before(c, s);
    if (!b || memcmp(b->digest, s->out.digest, SHA256_BYTES) == 0)
        return NULL;
    if (s->out.bytes * 100 < b->bytes * (100 - c->guard.shrink) && b->bytes >= SHRINK_FROM)
        return "this list is much shorter than the one in force: cut off?";
    if (b->flags & CATTEXT_ENDED && !(s->out.flags & CATTEXT_ENDED))
        return "the last line of this list has no end: cut off?";
    if (!s->in_memory && s->out.mtime_ns < b->mtime_ns)
        return "this list is older than the one in force";
    return NULL;
}

/* What only shows when the lines were read. */
static const char *stale_lines(const struct catc *c, const struct catc_source *s)
{
    const struct cattext_file *b = file_before(c, s);
    if (!b || memcmp(b->digest, s->out.digest, SHA256_BYTES) == 0)
        return NULL;
    /* serial numbers go round (RFC 1982) */
    if (b->serial && s->out.serial && (int32_t)(uint32_t)(s->out.serial - b->serial) < 0)
        return "the serial of this zone is older than the one in force";
    if (s->report.n_bad > s->report.n_entries && s->report.n_bad > b->n_bad)
        return "most lines of this list are no entries";
    return NULL;
}

/* ---- a list from the part before ---- */

/* Its files as they were take the places of those that are there now, as far as they go. */
static void keep_files(struct catc *c, struct catc_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct catc_source *s = &c->sources[l->first + i];
        const struct cattext_file *b = file_before(c, s);
        s->report.kept = true;
        s->out = b ? *b : (struct cattext_file){0};
        s->out.flags |= CATTEXT_KEPT;
        s->report.n_entries = s->report.n_held = s->report.n_bad = s->report.n_other = 0;
        buf_fini(&s->text);
    }
}

/* The source whose path an old file has, else the first one of the list. */
static uint16_t file_now(const struct catc *c, const struct catc_list *l, uint32_t old)
{
    span path = cattext_file_path(c->before, old);
    for (size_t i = 0; i < l->n; i++) {
        if (span_eq(path, span_str(c->sources[l->first + i].path)))
            return (uint16_t)(l->first + i);
    }
    return (uint16_t)l->first;
}

static enum rc keep_list(struct catc *c, struct catc_list *l)
{
    struct cattext_entry old;
    struct catkey key;
    keep_files(c, l);
    for (uint64_t at = 0; cattext_next(c->before, &at, &old);) {
        if (old.list != l->before || !catkey_again(old.kind, old.key, &key))
            continue;
        struct entry e = {.key = &key,
                          .flags = old.flags,
                          .raw = old.raw,
                          .held = old.held,
                          .file = file_now(c, l, old.file),
                          .line = old.line};
        c->sources[e.file].report.n_entries++;
        c->sources[e.file].report.n_held += e.held != HOLD_NONE;
        e.hash = catkey_hash(c->seed, &key, &e.base);
        TRY(put_entry(c, l, &e));
    }
    return RC_OK;
}

/* ---- all lists ---- */

/* How far the writing has come, to go back to. */
struct mark {
    size_t n_entries, records;
    uint64_t n_records;
};

static void go_back(struct catc *c, struct catc_list *l, const struct mark *m)
{
    c->n_entries = m->n_entries;
    c->records.w = m->records;
    c->n_records = m->n_records;
    l->n_live = l->n_held = 0;
}

static enum rc read_list(struct catc *c, struct catc_list *l)
{
    struct mark m = {c->n_entries, c->records.w, c->n_records};
    for (size_t i = 0; i < l->n && !l->kept; i++) {
        struct catc_source *s = &c->sources[l->first + i];
        struct reading r = {.c = c, .list = l, .source = s, .file = (uint16_t)(l->first + i)};
        TRY(read_lines(&r));
        s->report.why = stale_lines(c, s);
        l->kept = s->report.why != NULL;
        describe(s);
    }
    if (!l->kept)
        return RC_OK;
    go_back(c, l, &m);
    return keep_list(c, l);
}

enum rc catc_entries(struct catc *c)
{
    size_t bytes = 0;
    for (size_t i = 0; i < c->n_sources; i++)
        bytes += buf_len(&c->sources[i].text);
    TRY(buf_reserve(&c->records, bytes * 2)); /* about what it will be */
    for (size_t i = 0; i < c->n_lists; i++) {
        TRY(read_list(c, &c->lists[i]));
        catc_tell(c, c->n_sources + c->lists[i].first + c->lists[i].n);
    }
    return RC_OK;
}
