/* Files of the state directory that are whole or not there: written under a second name, synced, renamed. Of
 * an attempt that fails nothing stays, save that a new file whose name could not be synced may be there. */
#ifndef GW_PROC_KEPT_FILE_H
#define GW_PROC_KEPT_FILE_H

#include "gw/base/buf.h"

/* IO with errno otherwise. */
enum rc kept_file_write(int dir, const char *name, span bytes) MUST_USE;
/* `size` bytes of a descriptor, from its start; `sync`: safe against a power cut before it has its name. */
enum rc kept_file_copy(int dir, const char *name, int from, uint64_t size, bool sync) MUST_USE;
/* Exactly `size` bytes of one descriptor to another; BAD when there are less or more. */
enum rc kept_file_bytes(int from, int to, uint64_t size) MUST_USE;
/* NOTFOUND, IO, LIMIT when it holds more than `cap`. */
enum rc kept_file_read(int dir, const char *name, uint8_t *out, size_t cap, size_t *n) MUST_USE;
/* Removes files last changed before `oldest_s`, unless `stays` says otherwise; returns how many. */
unsigned kept_file_go(int dir, int64_t oldest_s, bool (*stays)(const char *name, void *arg), void *arg);
/* Removes the oldest files until `most` are left. */
void kept_file_oldest_go(int dir, unsigned most);

#endif
