/* The log file: whole lines appended to NAME in one directory, synced, rotated to NAME.YYYYMMDD-HHMMSS. It
 * owns the directory's descriptor and touches nothing outside it. A file that ends within a line (power cut,
 * kill -9 in the middle of a write) is mended when it is opened: the torn piece is overwritten in place by
 * one whole line that reports it, so every line of a file is one JSON object and a reader that follows the
 * file never sees it shrink. After a failure nothing is lost but time: the caller keeps its bytes and tries
 * again. */
#ifndef GW_SIEM_SPOOL_H
#define GW_SIEM_SPOOL_H

#include <sys/types.h>

#include "gw/base/buf.h"

enum { SPOOL_NAME = 200 };

struct spool {
    int dir, fd; /* -1: none */
    char name[SPOOL_NAME + 1];
    uint64_t size, max_bytes; /* of the current file; where a new one begins */
    uint64_t boot;            /* for the lines it writes itself */
    int last_errno;           /* of the last failure; 0 when the last attempt went well */
    bool suspect;             /* a sync failed: what the file holds is uncertain, a new one must be begun */
    uint32_t torn;            /* torn lines mended */
    /* The calls that a bad disk answers; tests put their own here. */
    ssize_t (*write)(int fd, const void *p, size_t n);
    int (*start)(int fd);
    int (*sync)(int fd);
    int (*sync_dir)(int fd);
};

void spool_init(struct spool *s, uint64_t boot);
void spool_fini(struct spool *s);
/* Takes the directory. BAD: no plain file name (then the directory is closed). The file is opened by
 * spool_ready. */
enum rc spool_target(struct spool *s, int dir, span name) MUST_USE;
/* Opens, mends and syncs the file if there is none open: what a killed writer left counts as written from
 * then on. IO: see last_errno; where the sync failed the next call begins a new file. NOTFOUND: no target
 * yet. */
enum rc spool_ready(struct spool *s) MUST_USE;
/* The whole lines among the last `bytes` of the current file. Needs spool_ready. */
enum rc spool_last(const struct spool *s, size_t bytes, struct buf *out) MUST_USE;
/* Appends lines from *done on and moves *done; OK when all are written. IO may have written a part. */
enum rc spool_write(struct spool *s, span lines, size_t *done) MUST_USE;
/* What was written goes on its way to the disk. A failure is one of spool_sync, which need not be told of it
 * again; where the file system knows no such call nothing happens. */
enum rc spool_start(struct spool *s) MUST_USE;
/* After a failure the same file is never trusted again: rotate and write once more. */
enum rc spool_sync(struct spool *s) MUST_USE;
/* Renames the current file and begins a new one. Only between whole lines. After IO the file is the old one
 * or, where it was renamed already, none is open. */
enum rc spool_rotate(struct spool *s) MUST_USE;
/* Full, or found wanting by spool_sync. */
bool spool_wants_rotation(const struct spool *s, size_t more);
/* Somebody else moved or removed the file: closes it, so that spool_ready makes a new one. */
void spool_check_name(struct spool *s);

#endif
