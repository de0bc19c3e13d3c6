/* A child process: this program executed again with a role, its channel on descriptor 3, nothing else open,
 * no environment. Lowering privileges is the child's first act (gw/proc/role.c). */
#ifndef GW_PROC_SPAWN_H
#define GW_PROC_SPAWN_H

#include <sys/types.h>

#include "gw/ipc/msg.h"

struct spawned {
    pid_t pid;
    int fd; /* our end of the channel, the caller's */
};

/* `cpu`: the processor a worker is pinned to, -1 for the others. IO with errno when the system refuses a
 * process. */
enum rc spawn_role(enum role r, uint32_t index, int cpu, struct spawned *out) MUST_USE;
/* What stands in `ps` behind the program: "--role NAME [--index N]". Tests put their own program here. */
void spawn_program(const char *path);

#endif
