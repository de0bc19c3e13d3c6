/* What each kind of process may do, in two steps. sandbox_drop() comes first in a child's life: uid,
 * capabilities, limits, not dumpable, no new privileges. sandbox_close() comes when the role has its
 * descriptors: Landlock and the system call filter; from then on there is no way back. The table is in
 * sandbox.c. */
#ifndef GW_PROC_SANDBOX_H
#define GW_PROC_SANDBOX_H

#include <sys/types.h>

#include "gw/ipc/msg.h"

/* The numbers need no entry in the password file and no package gives them to anybody else (Debian
 * policy 9.2.2 leaves 60000-64999 to static allocation on demand). */
enum { SANDBOX_UID_BASE = 64800, SANDBOX_UID_WORKER = 64816 };

/* uid and gid of a role; each worker has its own, so that one cannot look into another. */
uid_t sandbox_uid(enum role r, uint32_t index);
enum rc sandbox_drop(enum role r, uint32_t index) MUST_USE;
/* `dirs`: for a signer whose key is in a token the folders or sockets of the token (the second profile: what
 * such a module needs while it signs; without them the signer opens nothing); for logger and granter those
 * beneath which they may make and open files; for the compiler the first is the one that it may not look
 * into; -1: none. */
enum { SANDBOX_DIRS = 3 };
enum rc sandbox_close(enum role r, const int dirs[SANDBOX_DIRS]) MUST_USE;
/* Instead of ending the process, refused system calls are written to the kernel's audit log; a sanitizer
 * build also looks for leaks at its end, for which files and processes stay open to it. For development. */
void sandbox_log_only(void);
bool sandbox_logs_only(void);

#endif
