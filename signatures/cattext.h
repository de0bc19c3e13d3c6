/* The cold list part: every entry of every list with its file, line and spelling. Asked when a hit must be
 * certain, when somebody wants to know which line it was, when a part is compared with an earlier one, and as
 * the source of a list whose file went bad. Never touched by a request that hits nothing. */
#ifndef SIGNATURES_CATTEXT_H
#define SIGNATURES_CATTEXT_H

#include "signatures/catfmt.h"
#include "signatures/catkey.h"

/* Why an entry is held back: from hold.tbl. 0: it is live. */
enum hold {
#define H(id, text) HOLD_##id,
#include "signatures/hold.tbl"
#undef H
    HOLD_N
};
const char *hold_text(enum hold h);

struct cattext {
    struct cattext_head head;
    const struct cattext_list *lists;
    const struct cattext_file *files;
    const uint64_t *buckets; /* n_buckets + 1 offsets into records */
    const uint64_t *held;    /* n_held offsets into records, by file and line */
    span records, texts;
};

/* One entry; spans point into the part. */
struct cattext_entry {
    enum catkey_kind kind;
    span key, raw;
    unsigned flags; /* CATFMT_MEMBER_OUT, _EXACT, _BELOW */
    enum hold held;
    uint16_t list, file;
    uint32_t line;
};

/* Checks head, sizes, lists and files; BAD when anything is off. Records are checked as they are read. `part`
 * must be 8-byte aligned; the view borrows it. */
enum rc cattext_open(span part, struct cattext *out) MUST_USE;
span cattext_list_name(const struct cattext *t, uint32_t list);
span cattext_file_path(const struct cattext *t, uint32_t file);
/* Number of the list of that name, or UINT32_MAX. */
uint32_t cattext_list_named(const struct cattext *t, span name);

/* Walks records: *at starts at 0; false at the end, or where the part is damaged. */
bool cattext_next(const struct cattext *t, uint64_t *at, struct cattext_entry *out);
/* Entry i of those that are held back; false at the end. */
bool cattext_held(const struct cattext *t, uint64_t i, struct cattext_entry *out);
/* Walks the entries with this key: start with {0}. */
struct cattext_find {
    uint64_t at, end;
    bool begun;
};
bool cattext_find(const struct cattext *t, const struct catkey *key, struct cattext_find *f,
                  struct cattext_entry *out);

#endif
