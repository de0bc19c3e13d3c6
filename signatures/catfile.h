/* Reading list files from disk: what a file is (to see whether it changed), and its bytes. Only the compiler
 * process does this. */
#ifndef SIGNATURES_CATFILE_H
#define SIGNATURES_CATFILE_H

#include "gw/base/buf.h"

/* What says that a file is the one that was read before. */
struct catfile {
    uint64_t dev, ino, bytes;
    int64_t mtime_ns, ctime_ns;
};

/* NOTFOUND; IO: see errno; BAD: not a regular file. */
enum rc catfile_stat(const char *path, struct catfile *out) MUST_USE;
/* The whole file, and what it was (`id` may be NULL). LIMIT above out->max. */
enum rc catfile_read(const char *path, struct buf *out, struct catfile *id) MUST_USE;
/* Whether `path`.sha256 (as sha256sum writes it) is absent or names this digest. */
bool catfile_checksum_ok(const char *path, const uint8_t digest[32]);

#endif
