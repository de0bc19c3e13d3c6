/* Entries to the two parts; see catfmt.h for their layout. */
#include <stdlib.h>

#include "gw/base/obj.h"
#include "signatures/catc_int.h"
#include "signatures/catexpr.h"
#include "signatures/catset.h"

/* ---- the hot part ---- */

struct table {
    const struct catc *c;
    uint64_t n_words, n_lines, n_names;
    uint64_t *filter;
    struct catfmt_line *lines;
    struct catset sets;
};

static uint16_t member_of(const struct catc *c, const struct catc_entry *e, bool *held)
{
    struct cattext_record r;
    *held = false;
    if (e->at >= CATC_AT_URLS)
        return (uint16_t)(CATFMT_URLS | (e->at - CATC_AT_URLS));
    memcpy(&r, c->records.p + e->at, sizeof r);
    *held = r.held != 0 || (r.kind & CATTEXT_KIND) == CATKEY_N; /* expressions are no keys */
    unsigned flags = (r.kind & CATTEXT_OUT ? (unsigned)CATFMT_MEMBER_OUT : 0) |
                     (r.kind & CATTEXT_EXACT ? (unsigned)CATFMT_EXACT : 0) |
                     (r.kind & CATTEXT_BELOW ? (unsigned)CATFMT_BELOW : 0);
    return (uint16_t)(c->sources[r.file].report.list | flags);
}

/* The slot in this line that has the tag, or else the first free one; CATFMT_SLOTS: neither. */
static unsigned slot_for(const struct catfmt_line *l, uint64_t tag)
{
    unsigned slot = 0;
    while (slot < CATFMT_SLOTS && l->set[slot] != 0 &&
           (l->low[slot] != (uint16_t)tag || l->high[slot] != (uint32_t)(tag >> 16)))
        slot++;
    return slot;
}

/* Puts one entry; LIMIT when its run of full lines is too long. */
static enum rc put(struct table *t, uint64_t tag, uint64_t base, uint16_t member)
{
    uint64_t at = catfmt_place(base, t->n_lines);
    t->filter[catfmt_place(base, t->n_words)] |= catfmt_filter(base);
    for (int i = 0; i <= CATFMT_PROBES; i++) {
        struct catfmt_line *l = &t->lines[at];
        unsigned slot = slot_for(l, tag);
        if (slot < CATFMT_SLOTS) {
            t->n_names += l->set[slot] == 0;
            l->low[slot] = (uint16_t)tag;
            l->high[slot] = (uint32_t)(tag >> 16);
            return catset_with(&t->sets, l->set[slot], member, &l->set[slot]);
        }
        l->passed |= catfmt_passed(tag);
        at = i == 0 ? catfmt_place(tag, t->n_lines) : at + 1 == t->n_lines ? 0 : at + 1;
    }
    return RC_LIMIT;
}

enum { AHEAD = 12 }; /* entries whose lines are fetched before they are put */

static void fetch(const struct table *t, size_t i)
{
    if (i >= t->c->n_entries)
        return;
    const struct catc_entry *e = &t->c->entries[i];
    uint64_t base = catfmt_key(t->c->seed, e->base).at;
    __builtin_prefetch(&t->lines[catfmt_place(base, t->n_lines)], 1);
    __builtin_prefetch(&t->filter[catfmt_place(base, t->n_words)], 1);
}

static enum rc fill(struct table *t)
{
    for (size_t i = 0; i < t->c->n_entries; i++) {
        const struct catc_entry *e = &t->c->entries[i];
        bool held;
        fetch(t, i + AHEAD);
        uint16_t member = member_of(t->c, e, &held);
        if (!held)
            TRY(put(t, e->hash, catfmt_key(t->c->seed, e->base).at, member));
    }
    return RC_OK;
}

static enum rc put_sets(const struct catset *sets, struct buf *out)
{
    static const uint8_t zeros[8];
    uint32_t at = 0;
    size_t start = out->w;
    TRY(buf_put(out, span_of(&at, sizeof at)));
    for (uint32_t i = 0; i <= sets->n_sets; i++) {
        at += catset_size(sets, i);
        TRY(buf_put(out, span_of(&at, sizeof at)));
    }
    TRY(buf_put(out, span_of(zeros, catfmt_align(out->w - start) - (out->w - start))));
    start = out->w;
    for (uint32_t i = 1; i <= sets->n_sets; i++)
        TRY(buf_put(out, span_of(catset_members(sets, i), catset_size(sets, i) * sizeof(uint16_t))));
    return buf_put(out, span_of(zeros, catfmt_align(out->w - start) - (out->w - start)));
}

static enum rc add_expression(const struct catc *c, uint64_t at, struct buf *items, struct buf *texts)
{
    struct cattext_record r;
    memcpy(&r, c->records.p + at, sizeof r);
    if ((r.kind & CATTEXT_KIND) != CATKEY_N)
        return RC_OK;
    struct catexpr_item e = {(uint32_t)buf_len(texts), r.key_n, r.line,
                             (uint16_t)c->sources[r.file].report.list, r.file};
    TRY(buf_put(texts, span_of(c->records.p + at + sizeof r, r.key_n)));
    return buf_put(items, span_of(&e, sizeof e));
}

static enum rc put_expressions(const struct catc *c, struct buf *out)
{
    struct buf items = {0}, texts = {0};
    enum rc rc = RC_OK;
    for (size_t i = 0; i < c->n_entries && rc == RC_OK; i++) {
        if (c->entries[i].at < CATC_AT_URLS)
            rc = add_expression(c, c->entries[i].at, &items, &texts);
    }
    if (rc == RC_OK)
        rc = catexpr_build((const void *)items.p, (uint32_t)(buf_len(&items) / sizeof(struct catexpr_item)),
                           buf_span(&texts), out);
    buf_fini(&items);
    buf_fini(&texts);
    return rc;
}

/* Room for a head, the filter and the table, zeroed. */
static enum rc room(struct table *t, struct buf *out, size_t start, uint64_t names)
{
    t->n_lines = names * 2 / CATFMT_LINE_NAMES + 8;
    t->n_words = (names / CATFMT_WORD_NAMES + 8) & ~UINT64_C(7);
    t->n_names = 0;
    uint64_t bytes = t->n_words * 8 + t->n_lines * sizeof *t->lines;
    out->w = start + sizeof(struct catfmt_head);
    TRY(buf_reserve(out, bytes));
    memset(out->p + out->w, 0, bytes);
    t->filter = (void *)(out->p + out->w);
    t->lines = (void *)(t->filter + t->n_words);
    out->w += bytes;
    return RC_OK;
}

static enum rc build(struct table *t, struct buf *out)
{
    const struct catc *c = t->c;
    size_t start = out->w;
    TRY(buf_reserve(out, sizeof(struct catfmt_head)));
    TRY(room(t, out, start, c->n_entries));
    TRY(fill(t));
    if (t->n_names < c->n_entries - c->n_entries / 8) { /* many stand in several lists */
        TRY(room(t, out, start, t->n_names));
        TRY(fill(t));
    }
    TRY(put_sets(&t->sets, out));
    size_t expressions = out->w;
    TRY(put_expressions(c, out));
    struct catfmt_head head = {.magic = CATFMT_MAGIC,
                               .version = CATFMT_VERSION,
                               .n_lists = (uint32_t)c->n_lists,
                               .size = out->w - start,
                               .n_names = t->n_names,
                               .n_words = t->n_words,
                               .n_lines = t->n_lines,
                               .n_sets = t->sets.n_sets,
                               .n_members = catset_total(&t->sets),
                               .expr_bytes = out->w - expressions,
                               .v4_lengths = c->v4_lengths};
    memcpy(head.seed, c->seed, sizeof head.seed);
    memcpy(head.v6_lengths, c->v6_lengths, sizeof head.v6_lengths);
    memcpy(head.digest, c->digest, sizeof head.digest);
    memcpy(out->p + start, &head, sizeof head);
    return RC_OK;
}

enum rc catc_emit_hot(struct catc *c, struct buf *out)
{
    struct table t = {.c = c};
    TRY(catset_init(&t.sets));
    enum rc rc = build(&t, out);
    c->n_names = t.n_names;
    catset_fini(&t.sets);
    return rc;
}

/* ---- the text part ---- */

static enum rc put_text(struct buf *texts, const void *p, size_t n, struct cattext_run *out)
{
    *out = (struct cattext_run){(uint32_t)buf_len(texts), (uint32_t)n};
    return buf_put(texts, span_of(p, n));
}

static enum rc put_tables(const struct catc *c, struct buf *out, struct buf *texts)
{
    for (size_t i = 0; i < c->n_lists; i++) {
        const struct catc_list *l = &c->lists[i];
        struct cattext_list o = {.first_file = (uint32_t)l->first,
                                 .n_files = (uint32_t)l->n,
                                 .n_live = l->n_live,
                                 .n_held = l->n_held};
        TRY(put_text(texts, l->name, l->name_n, &o.name));
        TRY(buf_put(out, span_of(&o, sizeof o)));
    }
    for (size_t i = 0; i < c->n_sources; i++) {
        struct cattext_file o = c->sources[i].out;
        o.list = c->sources[i].report.list;
        TRY(put_text(texts, c->sources[i].path, strlen(c->sources[i].path), &o.path));
        TRY(buf_put(out, span_of(&o, sizeof o)));
    }
    return RC_OK;
}

static size_t record_size(const struct catc *c, uint64_t at)
{
    struct cattext_record r;
    memcpy(&r, c->records.p + at, sizeof r);
    return sizeof r + r.key_n + r.raw_n;
}

static bool is_held(const struct catc *c, uint64_t at)
{
    struct cattext_record r;
    memcpy(&r, c->records.p + at, sizeof r);
    return r.held != 0;
}

static uint64_t n_held(const struct catc *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_lists; i++)
        n += c->lists[i].n_held;
    return n;
}

/* Records by bucket: count, add up, put. */
static void sort_records(const struct catc *c, uint64_t *buckets, uint32_t n_buckets, uint64_t *held)
{
    uint8_t *to = (uint8_t *)(held + n_held(c));
    memset(buckets, 0, ((size_t)n_buckets + 1) * 8);
    for (size_t i = 0; i < c->n_entries; i++) {
        const struct catc_entry *e = &c->entries[i];
        if (e->at < CATC_AT_URLS)
            buckets[catfmt_place(catfmt_key(c->seed, e->hash).at, n_buckets) + 1] += record_size(c, e->at);
    }
    for (uint32_t b = 0; b < n_buckets; b++)
        buckets[b + 1] += buckets[b];
    for (size_t i = 0; i < c->n_entries; i++) { /* each bucket's start moves on to its end */
        const struct catc_entry *e = &c->entries[i];
        if (e->at >= CATC_AT_URLS)
            continue;
        uint64_t *at = &buckets[catfmt_place(catfmt_key(c->seed, e->hash).at, n_buckets)];
        size_t n = record_size(c, e->at);
        memcpy(to + *at, c->records.p + e->at, n);
        if (is_held(c, e->at))
            *held++ = *at;
        *at += n;
    }
    memmove(buckets + 1, buckets, (size_t)n_buckets * 8);
    buckets[0] = 0;
}

static enum rc emit_text(struct catc *c, struct buf *out, struct buf *texts)
{
    size_t start = out->w;
    uint64_t record_bytes = buf_len(&c->records);
    struct cattext_head head = {.magic = CATTEXT_MAGIC,
                                .version = CATFMT_VERSION,
                                .n_lists = (uint32_t)c->n_lists,
                                .n_files = (uint32_t)c->n_sources,
                                .n_buckets = (uint32_t)(c->n_records / CATFMT_BUCKET_NAMES + 1),
                                .n_records = c->n_records,
                                .n_held = n_held(c),
                                .record_bytes = record_bytes};
    memcpy(head.seed, c->seed, sizeof head.seed);
    memcpy(head.digest, c->digest, sizeof head.digest);
    memcpy(head.options, c->options, sizeof head.options);
    TRY(buf_put(out, span_of(&head, sizeof head)));
    TRY(put_tables(c, out, texts));
    size_t buckets = out->w, bytes = ((size_t)head.n_buckets + 1) * 8, held = head.n_held * 8;
    head.text_bytes = buf_len(texts);
    head.size = buckets - start + bytes + held + catfmt_align(record_bytes) + catfmt_align(head.text_bytes);
    TRY(buf_reserve(out, bytes + held + catfmt_align(record_bytes) + catfmt_align(head.text_bytes)));
    sort_records(c, (void *)(out->p + buckets), head.n_buckets, (void *)(out->p + buckets + bytes));
    uint8_t *end = out->p + buckets + bytes + held + record_bytes;
    memset(end, 0, catfmt_align(record_bytes) - record_bytes);
    end += catfmt_align(record_bytes) - record_bytes;
    memset(end, 0, catfmt_align(head.text_bytes));
    if (head.text_bytes)
        memcpy(end, texts->p, head.text_bytes);
    out->w = start + head.size;
    memcpy(out->p + start, &head, sizeof head);
    return RC_OK;
}

enum rc catc_emit_text(struct catc *c, struct buf *out)
{
    struct buf texts = {0};
    enum rc rc = emit_text(c, out, &texts);
    buf_fini(&texts);
    return rc;
}
