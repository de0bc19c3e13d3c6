/* The reader of the cold list part; see cattext.h. */
#include "signatures/cattext.h"

#include "gw/base/obj.h"

const char *hold_text(enum hold h)
{
    static const char *const text[] = {
#define H(id, text) text,
#include "signatures/hold.tbl"
#undef H
    };
    return (unsigned)h < HOLD_N ? text[h] : "?";
}

/* ---- opening ---- */

static bool run_ok(const struct cattext *t, struct cattext_run r)
{
    return r.at <= t->texts.n && r.n <= t->texts.n - r.at;
}

static bool tables_ok(const struct cattext *t)
{
    for (uint32_t i = 0; i < t->head.n_lists; i++) {
        const struct cattext_list *l = &t->lists[i];
        if (!run_ok(t, l->name) || l->first_file > t->head.n_files ||
            l->n_files > t->head.n_files - l->first_file)
            return false;
    }
    for (uint32_t i = 0; i < t->head.n_files; i++) {
        if (!run_ok(t, t->files[i].path) || t->files[i].list >= t->head.n_lists)
            return false;
    }
    return true;
}

/* Bytes that a part with this head must have; 0 when the counts are absurd. */
static uint64_t part_bytes(const struct cattext_head *h)
{
    if (h->n_lists > CATFMT_LISTS || h->n_files > UINT16_MAX || h->n_buckets == 0 ||
        h->record_bytes > UINT64_C(1) << 40 || h->n_held > h->record_bytes ||
        h->text_bytes > UINT64_C(1) << 32)
        return 0;
    return sizeof *h + h->n_lists * sizeof(struct cattext_list) + h->n_files * sizeof(struct cattext_file) +
           ((uint64_t)h->n_buckets + 1 + h->n_held) * 8 + catfmt_align(h->record_bytes) +
           catfmt_align(h->text_bytes);
}

enum rc cattext_open(span part, struct cattext *out)
{
    struct cattext_head *h = &out->head;
    if (part.n < sizeof *h || (uintptr_t)part.p % 8 != 0)
        return RC_BAD;
    memcpy(h, part.p, sizeof *h);
    uint64_t want = part_bytes(h);
    if (h->magic != CATTEXT_MAGIC || h->version != CATFMT_VERSION || want == 0 || want != part.n ||
        h->size != want)
        return RC_BAD;
    const uint8_t *at = part.p + sizeof *h;
    out->lists = (const void *)at;
    at += h->n_lists * sizeof(struct cattext_list);
    out->files = (const void *)at;
    at += h->n_files * sizeof(struct cattext_file);
    out->records = span_of(at, h->record_bytes);
    at += catfmt_align(h->record_bytes);
    out->buckets = (const void *)at;
    at += ((uint64_t)h->n_buckets + 1) * 8;
    out->held = (const void *)at;
    at += h->n_held * 8;
    out->texts = span_of(at, h->text_bytes);
    return tables_ok(out) ? RC_OK : RC_BAD;
}

static span text_of(const struct cattext *t, struct cattext_run r)
{
    return span_cut(t->texts, r.at, (size_t)r.at + r.n);
}

span cattext_list_name(const struct cattext *t, uint32_t list)
{
    return list < t->head.n_lists ? text_of(t, t->lists[list].name) : SPAN_NONE;
}

span cattext_file_path(const struct cattext *t, uint32_t file)
{
    return file < t->head.n_files ? text_of(t, t->files[file].path) : SPAN_NONE;
}

uint32_t cattext_list_named(const struct cattext *t, span name)
{
    uint32_t i = 0;
    while (i < t->head.n_lists && !span_eq(cattext_list_name(t, i), name))
        i++;
    return i < t->head.n_lists ? i : UINT32_MAX;
}

/* ---- records ---- */

static unsigned flags_of(uint8_t kind)
{
    return (kind & CATTEXT_OUT ? (unsigned)CATFMT_MEMBER_OUT : 0) |
           (kind & CATTEXT_EXACT ? (unsigned)CATFMT_EXACT : 0) |
           (kind & CATTEXT_BELOW ? (unsigned)CATFMT_BELOW : 0);
}

bool cattext_next(const struct cattext *t, uint64_t *at, struct cattext_entry *out)
{
    struct cattext_record r;
    uint64_t left = *at <= t->records.n ? t->records.n - *at : 0;
    if (left < sizeof r)
        return false;
    const uint8_t *p = t->records.p + *at;
    memcpy(&r, p, sizeof r);
    if (left - sizeof r < (uint64_t)r.key_n + r.raw_n || r.file >= t->head.n_files || r.held >= HOLD_N ||
        r.key_n > CATKEY_BYTES)
        return false;
    span key = span_of(p + sizeof r, r.key_n);
    *out = (struct cattext_entry){.kind = (enum catkey_kind)(r.kind & CATTEXT_KIND),
                                  .key = key,
                                  .raw = r.raw_n ? span_of(key.p + key.n, r.raw_n) : key,
                                  .flags = flags_of(r.kind),
                                  .held = (enum hold)r.held,
                                  .list = (uint16_t)t->files[r.file].list,
                                  .file = r.file,
                                  .line = r.line};
    *at += sizeof r + r.key_n + r.raw_n;
    return true;
}

bool cattext_held(const struct cattext *t, uint64_t i, struct cattext_entry *out)
{
    uint64_t at = i < t->head.n_held ? t->held[i] : UINT64_MAX;
    return cattext_next(t, &at, out);
}

bool cattext_find(const struct cattext *t, const struct catkey *key, struct cattext_find *f,
                  struct cattext_entry *out)
{
    if (t->head.n_buckets == 0)
        return false; /* of a snapshot without its lists */
    if (!f->begun) {
        struct catfmt_key k = catfmt_key(t->head.seed, catkey_hash(t->head.seed, key, NULL));
        uint64_t bucket = catfmt_place(k.at, t->head.n_buckets);
        f->begun = true;
        f->at = t->buckets[bucket];
        f->end = t->buckets[bucket + 1];
    }
    while (f->at < f->end && cattext_next(t, &f->at, out)) {
        if (out->kind == key->kind && span_eq(out->key, span_of(key->text, key->n)))
            return true;
    }
    return false;
}
