/* Lines to entries: every list is read by its format's reader, judged by the guard, and written down as
 * records with their hashes; a list that is kept comes from the part before. See catc.h. */
#include "gw/base/obj.h"
#include "signatures/catc_int.h"

/* ---- one entry ---- */

static enum rc put_key(struct catc *c, const struct catkey_hashes *h, unsigned member)
{
    uint64_t place = catfmt_base(c->seed, h->base);
    struct catc_entry *e = catbins_add(&c->entries, place, sizeof *e);
    if (!e)
        return RC_NOMEM;
    *e = (struct catc_entry){place | (uint16_t)member, h->own};
    c->n_entries++;
    return RC_OK;
}

/* The host of a URL, so that a look-up of it knows that there is one. */
static enum rc put_host(struct catc *c, const struct catkey *url, unsigned list)
{
    struct catkey_hashes h = {0};
    if (url->net.a.family)
        h.own = h.base = catkey_hash_net(c->seed, &url->net);
    else
        catkey_hash_name(c->seed, span_of(url->text, url->host_n), &h);
    return put_key(c, &h, CATFMT_URLS | list);
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

struct entry {
    const struct catkey *key;
    unsigned flags;
    span raw;
    enum hold held;
    struct catkey_hashes h;
    uint16_t file;
    uint32_t line;
};

static enum rc put_record(struct catc *c, const struct entry *e)
{
    const struct catkey *k = e->key;
    span key = span_of(k->text, k->n), raw = span_eq(e->raw, key) ? SPAN_NONE : span_cut(e->raw, 0, 1024);
    uint64_t place = catfmt_key(c->seed, e->h.own).at;
    struct cattext_record r = {.line = e->line,
                               .file = e->file,
                               .key_n = (uint16_t)key.n,
                               .raw_n = (uint16_t)raw.n,
                               .kind = record_kind(k->kind, e->flags),
                               .held = (uint8_t)e->held};
    struct catc_record *to =
        catbins_add(&c->records, place, offsetof(struct catc_record, r) + catc_record_bytes(&r));
    if (!to)
        return RC_NOMEM;
    to->place = place;
    memcpy(&to->r, &r, sizeof r);
    uint8_t *text = (uint8_t *)&to->r + sizeof r;
    memcpy(text, key.p, key.n);
    if (raw.n)
        memcpy(text + key.n, raw.p, raw.n);
    c->n_records++;
    c->record_bytes += catc_record_bytes(&r);
    return RC_OK;
}

static enum rc put_expression(struct catc *c, const struct catc_list *l, const struct entry *e)
{
    struct catexpr_item item = {(uint32_t)buf_len(&c->expr_texts), (uint32_t)e->key->n, e->line,
                                (uint16_t)(l - c->lists), e->file};
    catexpr_add(&c->expr_sum, span_of(e->key->text, e->key->n));
    TRY(buf_put(&c->expr_texts, span_of(e->key->text, e->key->n)));
    return buf_put(&c->expr_items, span_of(&item, sizeof item));
}

static enum rc put_entry(struct catc *c, struct catc_list *l, const struct entry *e)
{
    const struct catkey *k = e->key;
    unsigned list = (unsigned)(l - c->lists);
    TRY(put_record(c, e));
    *(e->held ? &l->n_held : &l->n_live) += 1;
    if (e->held)
        return RC_OK;
    if (k->kind == CATKEY_N)
        return put_expression(c, l, e);
    if (k->net.a.family)
        note_length(c, &k->net);
    TRY(put_key(c, &e->h, list | e->flags));
    return k->kind == CATKEY_URL ? put_host(c, k, list) : RC_OK;
}

/* ---- a list from its files ---- */

struct reading {
    struct catc *c;
    struct catc_list *list;
    struct catc_source *source;
    uint16_t file;
    uint32_t line;
};

/* Whether the entry is new in its list. Of a list that is new altogether none is: somebody put it there, and
 * what it holds is wanted. */
static bool is_fresh(const struct catc *c, const struct catc_list *l, const struct catkey *k)
{
    struct cattext_find f = {0};
    struct cattext_entry e;
    bool fresh = l->before != UINT32_MAX;
    while (fresh && cattext_find(c->before, k, &f, &e))
        fresh = e.list != l->before || e.held != HOLD_NONE;
    return fresh;
}

static enum hold judge(const struct reading *r, const struct catkey *k, unsigned flags,
                       const struct catkey_hashes *h)
{
    enum hold is = guard_judge(&r->c->guard, k, flags, h);
    return (is == HOLD_POPULAR || is == HOLD_SEEN) && !is_fresh(r->c, r->list, k) ? HOLD_NONE : is;
}

static enum rc take(void *arg, const struct catkey *k, unsigned flags, span raw)
{
    struct reading *r = arg;
    char why[CATC_WHY];
    if (k->kind == CATKEY_N && !catexpr_check(&r->c->expr_sum, span_of(k->text, k->n), why)) {
        struct catc_report *report = &r->source->report;
        if (report->n_bad < CATC_BAD_SHOWN) /* count() puts its line there */
            memcpy(report->bad_why[report->n_bad], why, sizeof why);
        return RC_BAD;
    }
    struct entry e = {.key = k, .flags = flags, .raw = raw, .file = r->file, .line = r->line};
    r->source->report.n_entries++;
    if (k->kind == CATKEY_N)
        return put_expression(r->c, r->list, &e); /* settle_expressions() does the rest */
    catkey_hash(r->c->seed, k, &e.h);
    e.held = judge(r, k, flags, &e.h);
    r->source->report.n_held += e.held != HOLD_NONE;
    return put_entry(r->c, r->list, &e);
}

/* Expressions are judged together once their list is read, as each name they are tried on is looked up in one
 * pass for all of them: those from item `first` on. Held ones are taken out again. */
static enum rc settle_expressions(struct catc *c, struct catc_list *l, size_t first)
{
    size_t n = (c->expr_items.w - first) / sizeof(struct catexpr_item), n_live = 0;
    if (n == 0)
        return RC_OK;
    struct catexpr_item *item = (void *)(c->expr_items.p + first);
    AUTO_FREE struct catkey *key = calloc(n, sizeof *key);
    AUTO_FREE span *text = calloc(n, sizeof *text);
    AUTO_FREE bool *fresh = calloc(n, sizeof *fresh);
    AUTO_FREE enum hold *held = calloc(n, sizeof *held);
    if (!key || !text || !fresh || !held)
        return RC_NOMEM;
    for (size_t i = 0; i < n; i++) {
        text[i] = span_of(c->expr_texts.p + item[i].text_at, item[i].text_n);
        catkey_expression(text[i], &key[i]);
        fresh[i] = is_fresh(c, l, &key[i]);
    }
    TRY(guard_judge_expressions(&c->guard, text, fresh, n, held));
    for (size_t i = 0; i < n; i++) {
        struct entry e = {
            .key = &key[i], .raw = text[i], .held = held[i], .file = item[i].file, .line = item[i].line};
        catkey_hash(c->seed, &key[i], &e.h);
        TRY(put_record(c, &e));
        c->sources[e.file].report.n_held += e.held != HOLD_NONE;
        *(e.held ? &l->n_held : &l->n_live) += 1;
        if (!e.held)
            item[n_live++] = item[i];
    }
    c->expr_items.w = first + n_live * sizeof *item;
    return RC_OK;
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
    while (text.n && reader.rc == RC_OK) {
        r->line++;
        count(report, listread_next(&reader, &text), r->line);
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
        catkey_hash(c->seed, &key, &e.h);
        TRY(put_entry(c, l, &e));
    }
    return RC_OK;
}

/* ---- all lists ---- */

/* How far the writing has come, to go back to. */
struct mark {
    struct catbins_mark entries, records;
    uint64_t n_entries, n_records, record_bytes;
    size_t expr_items, expr_texts;
    struct catexpr_sum expr_sum;
};

static void mark(const struct catc *c, struct mark *m)
{
    catbins_mark(&c->entries, &m->entries);
    catbins_mark(&c->records, &m->records);
    m->n_entries = c->n_entries;
    m->n_records = c->n_records;
    m->record_bytes = c->record_bytes;
    m->expr_items = c->expr_items.w;
    m->expr_texts = c->expr_texts.w;
    m->expr_sum = c->expr_sum;
}

static void go_back(struct catc *c, struct catc_list *l, const struct mark *m)
{
    catbins_back(&c->entries, &m->entries);
    catbins_back(&c->records, &m->records);
    c->n_entries = m->n_entries;
    c->n_records = m->n_records;
    c->record_bytes = m->record_bytes;
    c->expr_items.w = m->expr_items;
    c->expr_texts.w = m->expr_texts;
    c->expr_sum = m->expr_sum;
    l->n_live = l->n_held = 0;
}

static enum rc read_list(struct catc *c, struct catc_list *l)
{
    struct mark m;
    mark(c, &m);
    for (size_t i = 0; i < l->n && !l->kept; i++) {
        struct catc_source *s = &c->sources[l->first + i];
        struct reading r = {.c = c, .list = l, .source = s, .file = (uint16_t)(l->first + i)};
        TRY(read_lines(&r));
        s->report.why = stale_lines(c, s);
        l->kept = s->report.why != NULL;
        describe(s);
        catbins_give(&c->records, &s->text); /* everything of it is in the records */
    }
    if (!l->kept)
        return settle_expressions(c, l, m.expr_items);
    go_back(c, l, &m);
    return keep_list(c, l);
}

enum rc catc_entries(struct catc *c)
{
    for (size_t i = 0; i < c->n_lists; i++) {
        TRY(read_list(c, &c->lists[i]));
        catc_tell(c, c->n_sources + c->lists[i].first + c->lists[i].n);
    }
    return RC_OK;
}
