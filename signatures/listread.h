/* Readers of list files, one a format, all fed line by line: what a line says becomes keys with flags. Pure
 * but for their small state (an RPZ zone has an origin). Nothing in a line can stop them: a line is an entry,
 * nothing, bad (not of this format), or other (of this format, but of a kind that a filter cannot look up).
 */
#ifndef SIGNATURES_LISTREAD_H
#define SIGNATURES_LISTREAD_H

#include "gw/base/limits.h"
#include "signatures/catkey.h"

enum list_format {
    LIST_PLAIN,       /* a name, address, network or URL a line; `#` begins a comment */
    LIST_URLS,        /* the same (UT1 `urls`) */
    LIST_HOSTS,       /* address, then names */
    LIST_RPZ,         /* response policy zone: QNAME and rpz-ip triggers */
    LIST_ADBLOCK,     /* `||name^` and `@@||name^` */
    LIST_EXPRESSIONS, /* a regular expression a line over host and path (UT1 `expressions`) */
    LIST_FORMATS,
};

enum list_line { LINE_NOTHING, LINE_ENTRY, LINE_BAD, LINE_OTHER };

/* Takes one entry (BAD: it cannot be used, and counts as a bad line): `flags` are CATFMT_MEMBER_OUT, _EXACT,
 * _BELOW; `raw` is what names it in the line. */
typedef enum rc (*list_entry_fn)(void *arg, const struct catkey *key, unsigned flags, span raw);

struct listread {
    enum list_format format;
    list_entry_fn entry;
    void *arg;
    enum rc rc;         /* the first failure of `entry` */
    struct catkey key;  /* being made */
    uint64_t serial;    /* RPZ: of its SOA, +1; 0: none yet */
    unsigned brackets;  /* RPZ: open parentheses */
    bool soa;           /* RPZ: inside an SOA record that goes over lines */
    unsigned soa_field; /* RPZ: next number of it */
    uint8_t apex[LIM_NAME_BYTES + 1], sub[LIM_NAME_BYTES + 1], owner[LIM_NAME_BYTES + 1];
    size_t apex_n, sub_n, owner_n;
};

void listread_init(struct listread *r, enum list_format format, list_entry_fn entry, void *arg);
/* Reads the first line of `rest` (to its newline, or to the end), which is not empty, and moves behind it. */
enum list_line listread_next(struct listread *r, span *rest);
/* One line without its newline. */
enum list_line listread_line(struct listread *r, span line);

/* ---- for the readers of one format each ---- */
enum list_line listread_hosts(struct listread *r, span line);
enum list_line listread_rpz(struct listread *r, span line);
enum list_line listread_adblock(struct listread *r, span line);
/* Hands on r->key. */
enum list_line listread_emit(struct listread *r, unsigned flags, span raw);
/* The next word of *rest, empty at the end. */
span listread_word(span *rest);

#endif
