/* Layout of the two list parts, shared by their readers (catdb, cattext) and their writer (catc). Little
 * endian, every section 8-byte aligned and placed by the counts in the head.
 *
 * `lists` (hot):  head, filter, lines of the table, set offsets, members, expressions.
 * `lists-text`:   head, lists, files, records, bucket offsets, offsets of held records, texts. */
#ifndef SIGNATURES_CATFMT_H
#define SIGNATURES_CATFMT_H

#include "gw/base/sha256.h"
#include "signatures/catsimd.h"

#define CATFMT_MAGIC   UINT64_C(0x3254414345525250) /* "PRRECAT2" */
#define CATTEXT_MAGIC  UINT64_C(0x3254585445525250) /* "PRRETXT2" */
#define CATFMT_VERSION 8

enum {
    CATFMT_LISTS = 1024,        /* lists that the parts can number */
    CATFMT_SETS = 65535,        /* different sets of members; number 0 means "free slot" */
    CATFMT_LIST = 0x03ff,       /* a member: number of the list, and ... */
    CATFMT_MEMBER_OUT = 0x8000, /* takes the name out of this list */
    CATFMT_EXACT = 0x4000,      /* the name itself alone */
    CATFMT_BELOW = 0x2000,      /* what is below the name alone */
    CATFMT_URLS = 0x1000,       /* the host itself is not meant: the list has URLs of it */
    CATFMT_SPARE = 0x0c00,      /* never set */
    CATFMT_SEGMENTS = 64,       /* of a path; entries have no more, look-ups stop there */
    CATFMT_SLOTS = 7,           /* of a line */
    CATFMT_PROBES = 64,         /* a table with a longer run of full lines is refused at build */
    CATFMT_LINE_NAMES = 9,      /* two lines for so many names: 14.2 bytes each */
    CATFMT_WORD_NAMES = 8,      /* a word of the filter for so many names: a byte each */
    CATFMT_BUCKET_NAMES = 4,    /* records in a bucket of the text part, on average */
    CATFMT_SEGMENT = 256,       /* marks of what is no name begin here: see catfmt_chunk() */
};

struct catfmt_head {
    uint64_t magic;
    uint32_t version, n_lists;
    uint64_t size;                      /* of the part */
    uint64_t n_names, n_words, n_lines; /* n_words: of the filter, a multiple of 8 */
    uint32_t n_sets;                    /* sets 1..n_sets; set_at has n_sets + 2 entries, set 0 is empty */
    uint32_t n_members;
    uint64_t seed[4];
    uint64_t v4_lengths, v6_lengths[3]; /* bit n: there is a network of n bits */
    uint8_t digest[SHA256_BYTES];       /* of everything that the parts were made from */
    uint64_t expr_bytes;                /* the last section: see catexpr.h */
    uint64_t none[4];                   /* so that lines begin with cache lines */
};

struct cattext_head {
    uint64_t magic;
    uint32_t version, n_lists;
    uint64_t size;
    uint32_t n_files, n_buckets;
    uint64_t n_records, n_held, record_bytes, text_bytes;
    uint64_t seed[4];
    uint8_t digest[SHA256_BYTES];
    uint8_t options[SHA256_BYTES]; /* of what beside the files decided what is in it */
};

/* A piece of TEXTS. */
struct cattext_run {
    uint32_t at, n;
};

struct cattext_list {
    struct cattext_run name; /* kind, a space, name or path: `ut1 gambling` */
    uint32_t first_file, n_files;
    uint64_t n_live, n_held;
};

struct cattext_file {
    struct cattext_run path;
    uint32_t list;
    uint32_t flags; /* CATTEXT_KEPT, CATTEXT_ENDED */
    uint64_t dev, ino, bytes;
    int64_t mtime_ns, ctime_ns;
    uint64_t lines, n_bad, first_bad, n_other; /* other: understood as text, but nothing we can look up */
    uint64_t serial;                           /* of an RPZ zone; 0: none */
    uint8_t digest[SHA256_BYTES];
};

enum {
    CATTEXT_KEPT = 1,  /* of an earlier part: the file that is there now was not taken */
    CATTEXT_ENDED = 2, /* its last line ended with a newline */
};

/* One entry, followed by its key and, where that is written otherwise in the list, the text as written. */
struct cattext_record {
    uint32_t line;
    uint16_t file, key_n, raw_n; /* raw_n 0: as the key */
    uint8_t kind;                /* enum catkey_kind, with CATTEXT_... in the upper bits */
    uint8_t held;                /* enum hold: 0 is live */
};

enum { CATTEXT_KIND = 3, CATTEXT_OUT = 0x80, CATTEXT_EXACT = 0x40, CATTEXT_BELOW = 0x20 };

static inline uint64_t catfmt_align(uint64_t n)
{
    return (n + 7) & ~UINT64_C(7);
}

/* Where a name lives: slot and bucket follow from `at`; `tag` is compared. */
struct catfmt_key {
    uint64_t at, tag;
};

static inline uint64_t catfmt_mum(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* One chunk of at most 16 bytes, right-aligned behind zeros. `mark` says what it is: 0 a piece within a name,
 * up to LIM_NAME_BYTES the last piece of a name of so many bytes, from CATFMT_SEGMENT on one of
 * catfmt_label(). Each side of the product has a secret of its own. That of a mark is added, not xored: x * n
 * xor x * m is often of few forms, but y + x * n and y + x * m are as two secrets, so whoever does not know
 * the seed finds no bytes that make up for another mark. Nothing is added to the product: a difference there
 * may be one of bits that are not compared. */
static inline uint64_t catfmt_chunk(const uint64_t seed[4], uint64_t h, const uint64_t v[2], uint64_t mark)
{
    return catfmt_mum(h ^ v[1], v[0] ^ (seed[1] + mark * (seed[3] | 1)));
}

/* State of the hash after an address, or after one more segment of a path: chunks of 16 bytes from the end,
 * the last one marked with its length so that boundaries are part of what is hashed. Names: catname.h. */
static inline uint64_t catfmt_label(const uint64_t seed[4], uint64_t h, const uint8_t *p, size_t n)
{
    uint64_t v[2];
    for (; n > 16; n -= 16) {
        memcpy(v, p + n - 16, 16);
        h = catfmt_chunk(seed, h, v, CATFMT_SEGMENT + 17);
    }
    v[0] = v[1] = 0;
    memcpy((uint8_t *)v + 16 - n, p, n);
    return catfmt_chunk(seed, h, v, CATFMT_SEGMENT + n);
}

static inline struct catfmt_key catfmt_key(const uint64_t seed[4], uint64_t h)
{
    return (struct catfmt_key){catfmt_mum(h ^ seed[2], UINT64_C(0x9fb21c651e98df25)), h};
}

/* `at` scaled to [0, n). */
static inline uint64_t catfmt_place(uint64_t at, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)at * n) >> 64);
}

/* The table is lines of one cache line each. A name and all below it have one first line, and one word of
 * the filter before it, both chosen by the hash of its last labels (the base), so that a look-up of a name
 * and all its parents costs one word and, where anything of that base is listed, one line. The base is two
 * labels, or three where the second is as short as in co.uk; a shorter name is its own. What finds its first
 * line full goes to a line of its own, and from there on to the next; each full line that it passed has a bit
 * of it. */
struct catfmt_line {
    uint16_t low[CATFMT_SLOTS + 1]; /* the tag: bits 0-15, and ... The last one is not used */
    uint32_t high[CATFMT_SLOTS];    /* bits 16-47 */
    uint32_t passed;
    uint16_t set[CATFMT_SLOTS]; /* 0: free */
    uint16_t nothing;
};
_Static_assert(sizeof(struct catfmt_line) == 64, "a cache line");

/* Where the line and the word of a base are: 48 bits, the upper ones. */
static inline uint64_t catfmt_base(const uint64_t seed[4], uint64_t h)
{
    return catfmt_key(seed, h).at & ~UINT64_C(0xffff);
}

static inline bool catfmt_is_base(size_t level, size_t label_n)
{
    return level == 2 || (level == 1 && label_n > 3);
}

/* Bits of a base in its word of the filter. */
static inline uint64_t catfmt_filter(uint64_t base)
{
    return UINT64_C(1) << (base >> 16 & 63) | UINT64_C(1) << (base >> 22 & 63) |
           UINT64_C(1) << (base >> 28 & 63) | UINT64_C(1) << (base >> 34 & 63);
}

static inline uint32_t catfmt_passed(uint64_t tag)
{
    return UINT32_C(1) << (tag >> 32 & 31);
}

/* Bit 2 * i for each slot i of the line that has the low part of this tag. The line is 16-byte aligned. */
static inline uint64_t catfmt_match(const struct catfmt_line *l, uint64_t tag)
{
    return cat_same(l->low, (uint16_t)tag) & ((1u << (2 * CATFMT_SLOTS)) - 1);
}

#endif
