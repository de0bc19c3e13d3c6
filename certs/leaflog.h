/* The register of leaves: one line of JSON for every certificate that the signer made, each with the SHA-256
 * of the line before it, so that none can be taken out or changed unseen. It answers what a certificate
 * authority must be able to answer: was there ever a leaf for this name?
 *
 * The signer itself appends, by a descriptor that the master opened for appending only, and hands a leaf out
 * when its line is written (in the page cache: it survives the death of every process here). The logger syncs
 * the file once a second (gw/proc/synced.h), so a power cut takes a second of it, and no leaf waits for a
 * disk. The line does not go through the logger: nobody less trusted than the signer can then hold one back
 * or slip one in, and no leaf waits for another process. In return the signer gets a power that is none: it
 * can open nothing, and has neither lseek, ftruncate nor pwrite (gw/proc/call.tbl).
 *
 * A line that was cut short (power, full disk) stays where it is and is closed with a newline; the next line
 * chains to the last whole one. Format, one line each, this order, no spaces:
 *   {"n":12,"time":"2026-11-28T19:02:11Z","serial":"4A..","names":["a.example"],"sha256":"..","not_before":"..",
 *    "not_after":"..","worker":0,"ca":"<first 8 bytes of SHA-256 of the issuing certificate>","prev":"<64
 * digits>"} Files are STATE/leaves/NNNNNN.jsonl; the chain goes from each to the next. */
#ifndef CERTS_LEAFLOG_H
#define CERTS_LEAFLOG_H

#include "certs/mint.h"
#include "gw/base/sha256.h"

enum { LEAFLOG_CA = 8, LEAFLOG_SERIAL_MAX = 20, LEAFLOG_LINE_MAX = 32768 };

struct leaflog_entry {
    uint64_t n; /* 1 for the first */
    int64_t time_s, not_before, not_after;
    uint8_t serial_n, serial[LEAFLOG_SERIAL_MAX];
    uint8_t sha256[SHA256_BYTES], prev[SHA256_BYTES], ca[LEAFLOG_CA];
    uint32_t worker;
    uint16_t n_names;
    span names[LIM_LEAF_NAMES]; /* as text; borrowed */
};
/* One line without its newline. LIMIT: longer than LEAFLOG_LINE_MAX. */
enum rc leaflog_emit(const struct leaflog_entry *e, struct buf *out) MUST_USE;
/* Exactly what leaflog_emit() writes; anything else is BAD. Names borrow from `line`. */
enum rc leaflog_parse(span line, struct leaflog_entry *out) MUST_USE;
/* Did this leaf stand for `name` (normalised, or the text of an address)? Its names themselves, those that
 * its wildcards cover, and for a question that begins with "*." whatever lies below it. */
bool leaflog_names(const struct leaflog_entry *e, span name);

/* ---- writing: the signer */

struct leaflog {
    int fd; /* append only; -1: none */
    uint64_t n;
    uint8_t prev[SHA256_BYTES];
    struct buf rest; /* of a line that did not go out whole: written before anything else */
};
/* Where the chain goes on: the last whole line in `fd` (a file of the register opened for reading; -1: the
 * register is empty). `torn`: after it comes the beginning of a line that was cut. IO. The descriptor stays
 * the caller's. */
enum rc leaflog_resume(struct leaflog *l, int fd, bool *torn) MUST_USE;
/* Another file to append to (taken). `torn`: its last line is closed first. */
enum rc leaflog_target(struct leaflog *l, int fd, bool torn) MUST_USE;
/* Writes the entry of a leaf (`der`, made for `req` by the CA whose SHA-256 starts with `ca`); n, time and
 * prev are filled in here. IO with errno: not written, do not hand out the leaf. */
struct leaflog_who {
    int64_t now_s;
    uint32_t worker;
    const uint8_t *ca;
};
enum rc leaflog_append(struct leaflog *l, const struct mint_request *req, span der,
                       const struct leaflog_who *who) MUST_USE;
void leaflog_fini(struct leaflog *l);

/* ---- reading: perronctl */

struct leaflog_walk {
    int dir; /* STATE/leaves */
    /* For every entry; anything but OK ends the walk with it. May be NULL. */
    enum rc (*each)(const struct leaflog_entry *e, span line, void *arg);
    void *arg;
    /* What was found. */
    uint64_t n_entries, n_torn, first; /* first: number of the first entry that is there */
    uint8_t head[SHA256_BYTES];        /* of the last entry */
    /* BAD: the place of the first broken link and what is wrong with it, a literal. */
    uint32_t file;
    uint64_t line;
    const char *why;
};
/* OK: every link holds. NOTFOUND: there is no register. BAD: broken, see above. IO. */
enum rc leaflog_walk(struct leaflog_walk *w) MUST_USE;
/* The number in a file's name; false: not one of ours. */
bool leaflog_file_number(const char *name, uint64_t *number);
enum { LEAFLOG_NAME = 16 };
void leaflog_file_name(uint32_t number, char out[LEAFLOG_NAME]);

#endif
