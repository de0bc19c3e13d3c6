/* A file that another process appends to, and that is to be on disk within a moment: the logger syncs the
 * register of leaves so, for the signer has flows waiting and must not wait for a disk. The descriptor is
 * open for reading, so it gives the right to nothing but to sync and to read. */
#ifndef GW_PROC_SYNCED_H
#define GW_PROC_SYNCED_H

#include <sys/types.h>

#include "gw/base/err.h"

struct synced {
    int fd[2]; /* the newest and the one before, to which lines may still be under way; -1: none */
    off_t on_disk[2];
    int (*sync)(int fd);
};

void synced_init(struct synced *s);
/* What is left is synced. IO with errno: some of it is not on disk. */
enum rc synced_fini(struct synced *s) MUST_USE;
/* The next file (taken). The one before the last is synced and closed: IO with errno when some of that is not
 * on disk. */
enum rc synced_target(struct synced *s, int fd) MUST_USE;
/* Syncs what has grown since the last turn. IO with errno: some of it is not on disk; it is tried again. */
enum rc synced_turn(struct synced *s) MUST_USE;

#endif
