/* The writer of category images; see catc.h. Sources are read whole, hashed (that gives the seed), then taken
 * apart into (hash, category) entries, and those are put into a table of the right size. */
#include "signatures/catc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "gw/base/addr.h"
#include "gw/base/array.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "signatures/catdb.h"
#include "signatures/catfmt.h"
#include "signatures/catset.h"

struct source {
    char *path; /* NULL: names added one by one */
    struct buf text;
    uint16_t member; /* category, with CATFMT_MEMBER_OUT */
    uint64_t n_names, n_bad, first_bad;
};

struct entry {
    uint64_t hash;
    uint16_t member;
};

struct catc {
    struct source *sources;
    size_t n_sources, cap_sources;
    struct entry *entries;
    size_t n_entries, cap_entries;
    uint64_t n_names; /* different ones, after finish */
    uint64_t seed[4];
};

enum rc catc_new(struct catc **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? RC_OK : RC_NOMEM;
}

void catc_free(struct catc *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_sources; i++) {
        free(c->sources[i].path);
        buf_fini(&c->sources[i].text);
    }
    free(c->sources);
    free(c->entries);
    free(c);
}

static struct source *source_new(struct catc *c, uint16_t member)
{
    struct source *sources = array_room(c->sources, c->n_sources, &c->cap_sources, 16, sizeof *sources);
    if (!sources)
        return NULL;
    c->sources = sources;
    struct source *s = &c->sources[c->n_sources++];
    *s = (struct source){.member = member};
    buf_init(&s->text, LIM_LIST_BYTES);
    return s;
}

/* ---- lines ---- */

static span strip_prefix(span s)
{
    if (s.n >= 2 && s.p[0] == '*' && s.p[1] == '.')
        return span_cut(s, 2, s.n);
    if (s.n >= 1 && s.p[0] == '.')
        return span_cut(s, 1, s.n);
    return s;
}

/* A name or an address in its canonical spelling; 0 when it is neither. */
static size_t canonical(span text, uint8_t *out)
{
    struct addr a;
    char z[ADDR_TEXT];
    size_t n = name_normalise(text, out);
    if (n)
        return n;
    if (!addr_parse(text, &a))
        return 0;
    addr_text(&a, z);
    n = strlen(z);
    memcpy(out, z, n);
    return n;
}

size_t catc_line(span line, uint8_t *out, bool *bad)
{
    line = span_cut(line, 0, span_find(line, '#', 0));
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    line = span_trim(line);
    *bad = false;
    if (line.n == 0)
        return 0;
    size_t n = canonical(strip_prefix(line), out);
    *bad = n == 0;
    return n;
}

/* ---- adding ---- */

enum rc catc_add_name(struct catc *c, span name, uint16_t category, bool take_out)
{
    uint8_t canon[LIM_NAME_BYTES];
    uint16_t member = (uint16_t)(category | (take_out ? CATFMT_MEMBER_OUT : 0));
    size_t n = category < CATDB_CATEGORIES ? canonical(strip_prefix(name), canon) : 0;
    if (n == 0)
        return RC_BAD;
    struct source *s = c->n_sources ? &c->sources[c->n_sources - 1] : NULL;
    if (!s || s->path || s->member != member)
        s = source_new(c, member);
    if (!s)
        return RC_NOMEM;
    TRY(buf_put(&s->text, span_of(canon, n)));
    return buf_put_u8(&s->text, '\n');
}

static enum rc read_all(int fd, struct buf *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return RC_IO;
    if (!S_ISREG(st.st_mode))
        return RC_BAD;
    for (;;) {
        TRY(buf_reserve(out, out->w == 0 ? (size_t)st.st_size + 1 : 65536));
        ssize_t n = read(fd, out->p + out->w, out->cap - out->w);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return RC_IO;
        if (n == 0)
            return RC_OK;
        out->w += (size_t)n;
    }
}

static struct source *source_named(struct catc *c, const char *path, uint16_t category)
{
    struct source *s = source_new(c, category);
    if (!s || !(s->path = strdup(path)))
        return NULL;
    return s;
}

static enum rc check_text(const struct source *s)
{
    span text = buf_span(&s->text);
    return text.n && memchr(text.p, 0, text.n) ? RC_BAD : RC_OK;
}

enum rc catc_add_file(struct catc *c, const char *path, uint16_t category)
{
    if (category >= CATDB_CATEGORIES)
        return RC_BAD;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? RC_NOTFOUND : RC_IO;
    struct source *s = source_named(c, path, category);
    if (!s)
        return RC_NOMEM;
    TRY(read_all(fd, &s->text));
    return check_text(s);
}

enum rc catc_add_text(struct catc *c, const char *name, span text, uint16_t category)
{
    if (category >= CATDB_CATEGORIES)
        return RC_BAD;
    struct source *s = source_named(c, name, category);
    if (!s)
        return RC_NOMEM;
    TRY(buf_put(&s->text, text));
    return check_text(s);
}

/* ---- hashing ---- */

static enum rc draw_seed(struct catc *c)
{
    uint8_t digest[SHA256_BYTES];
    span *parts = calloc(c->n_sources * 2 + 1, sizeof *parts);
    if (!parts)
        return RC_NOMEM;
    for (size_t i = 0; i < c->n_sources; i++) {
        parts[i * 2] = span_of(&c->sources[i].member, sizeof c->sources[i].member);
        parts[i * 2 + 1] = buf_span(&c->sources[i].text);
    }
    enum rc rc = sha256(parts, c->n_sources * 2, digest);
    free(parts);
    TRY(rc);
    memcpy(c->seed, digest, sizeof c->seed);
    return RC_OK;
}

static uint64_t hash_name(const uint64_t seed[4], span name)
{
    uint64_t h = seed[0];
    for (size_t end = name.n;; end--) {
        size_t start = end;
        while (start > 0 && name.p[start - 1] != '.')
            start--;
        h = catfmt_label(seed, h, name.p + start, end - start);
        if (start == 0)
            return h;
        end = start;
    }
}

static enum rc entry_add(struct catc *c, uint64_t hash, uint16_t member)
{
    struct entry *entries = array_room(c->entries, c->n_entries, &c->cap_entries, 4096, sizeof *entries);
    if (!entries)
        return RC_NOMEM;
    c->entries = entries;
    c->entries[c->n_entries++] = (struct entry){hash, member};
    return RC_OK;
}

static enum rc source_entries(struct catc *c, struct source *s)
{
    span text = buf_span(&s->text);
    uint8_t name[LIM_NAME_BYTES];
    uint64_t line_no = 0;
    if (span_has_prefix(text, SPAN("\xef\xbb\xbf")))
        text = span_cut(text, 3, text.n);
    for (size_t at = 0; at < text.n;) {
        const uint8_t *nl = memchr(text.p + at, '\n', text.n - at);
        size_t end = nl ? (size_t)(nl - text.p) : text.n;
        bool bad;
        size_t n = catc_line(span_of(text.p + at, end - at), name, &bad);
        line_no++;
        at = end + 1;
        if (bad && s->n_bad++ == 0)
            s->first_bad = line_no;
        if (n == 0)
            continue;
        TRY(entry_add(c, hash_name(c->seed, span_of(name, n)), s->member));
        s->n_names++;
    }
    return RC_OK;
}

/* ---- the table ---- */

/* Puts one entry; LIMIT when its run of full slots is too long. */
static enum rc table_put(struct catc *c, uint64_t *slots, uint64_t n_slots, const struct entry *e,
                         struct catset *sets)
{
    struct catfmt_key k = catfmt_key(c->seed, e->hash, n_slots);
    for (int i = 0; i < CATFMT_PROBES; i++) {
        uint64_t *slot = &slots[k.at];
        uint16_t set = (uint16_t)(*slot & 0xffff);
        if (*slot == 0 || *slot >> 16 == k.tag) {
            c->n_names += *slot == 0;
            TRY(catset_with(sets, set, e->member, &set));
            *slot = k.tag << 16 | set;
            return RC_OK;
        }
        if (++k.at == n_slots)
            k.at = 0;
    }
    return RC_LIMIT;
}

static enum rc put_sets(const struct catset *sets, struct buf *out)
{
    uint32_t at = 0;
    TRY(buf_put(out, span_of(&at, sizeof at)));
    for (uint32_t i = 0; i <= sets->n_sets; i++) {
        at += catset_size(sets, i);
        TRY(buf_put(out, span_of(&at, sizeof at)));
    }
    for (uint32_t i = 1; i <= sets->n_sets; i++)
        TRY(buf_put(out, span_of(catset_members(sets, i), catset_size(sets, i) * sizeof(uint16_t))));
    return RC_OK;
}

/* At most two thirds full: 12 bytes a name. */
static uint64_t slots_for(uint64_t names)
{
    return names + names / 2 + 64;
}

/* All entries into an empty table behind `table` bytes of `out`. */
static enum rc fill(struct catc *c, uint64_t n_slots, struct catset *sets, struct buf *out, size_t table)
{
    out->w = table;
    TRY(buf_reserve(out, n_slots * 8));
    memset(out->p + table, 0, n_slots * 8);
    out->w = table + n_slots * 8;
    c->n_names = 0;
    for (size_t i = 0; i < c->n_entries; i++)
        TRY(table_put(c, (uint64_t *)(void *)(out->p + table), n_slots, &c->entries[i], sets));
    return RC_OK;
}

static enum rc emit(struct catc *c, uint16_t n_categories, struct catset *sets, struct buf *out)
{
    uint64_t n_slots = slots_for(c->n_entries);
    size_t start = out->w, table = start + sizeof(struct catfmt_head);
    TRY(buf_reserve(out, sizeof(struct catfmt_head)));
    TRY(fill(c, n_slots, sets, out, table));
    if (slots_for(c->n_names) < n_slots - n_slots / 8) { /* many names stand in several lists */
        n_slots = slots_for(c->n_names);
        TRY(fill(c, n_slots, sets, out, table));
    }
    struct catfmt_head head = {
        .magic = CATFMT_MAGIC,
        .version = CATFMT_VERSION,
        .n_categories = n_categories,
        .n_names = c->n_names,
        .n_slots = n_slots,
        .n_sets = sets->n_sets,
        .n_members = catset_total(sets),
    };
    memcpy(head.seed, c->seed, sizeof head.seed);
    memcpy(out->p + start, &head, sizeof head);
    return put_sets(sets, out);
}

enum rc catc_finish(struct catc *c, uint16_t n_categories, struct buf *out)
{
    struct catset sets;
    if (out->w % 8 != 0 || n_categories > CATDB_CATEGORIES)
        return RC_BUG;
    TRY(draw_seed(c));
    c->n_entries = 0;
    c->n_names = 0;
    for (size_t i = 0; i < c->n_sources; i++)
        TRY(source_entries(c, &c->sources[i]));
    TRY(catset_init(&sets));
    enum rc rc = emit(c, n_categories, &sets, out);
    catset_fini(&sets);
    return rc;
}

uint64_t catc_n_names(const struct catc *c)
{
    return c->n_names;
}

size_t catc_n_files(const struct catc *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_sources; i++)
        n += c->sources[i].path != NULL;
    return n;
}

struct catc_report catc_file(const struct catc *c, size_t i)
{
    for (size_t k = 0; k < c->n_sources; k++) {
        const struct source *s = &c->sources[k];
        if (s->path && i-- == 0)
            return (struct catc_report){s->path, s->n_names, s->n_bad, s->first_bad};
    }
    return (struct catc_report){0};
}
