/* Fork and exec of ourselves; see spawn.h. Between the two only calls that are safe in a child of any
 * process: dup2, close_range, execve. The program is opened as /proc/self/exe, so that a child is of the
 * master's version also after an upgrade of the file on disk. */
#include "gw/proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/peer.h"
#include "gw/proc/role.h"
#include "gw/proc/sandbox.h"

static const char *program = "/proc/self/exe";

void spawn_program(const char *path)
{
    program = path;
}

static _Noreturn void child(int channel, int cpu, char *const argv[])
{
    static char *const no_env[] = {NULL};
    sigset_t none;
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        _exit(126);
    if (channel != ROLE_FD && dup2(channel, ROLE_FD) < 0)
        _exit(126);
    if (channel == ROLE_FD && fcntl(channel, F_SETFD, 0) < 0)
        _exit(126);
    if (syscall(SYS_close_range, ROLE_FD + 1, ~0U, 0) < 0)
        _exit(126);
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        sched_setaffinity(0, sizeof set, &set); /* an advice: a processor may be offline */
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(program, argv, no_env);
    _exit(127);
}

enum rc spawn_role(enum role r, uint32_t index, int cpu, struct spawned *out)
{
    int pair[2];
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)index);
    char *argv[8] = {(char *)"perrond", (char *)"--role", (char *)role_name(r)};
    size_t n = 3;
    if (r == ROLE_WORKER) {
        argv[n++] = (char *)"--index";
        argv[n++] = number;
    }
    if (sandbox_logs_only())
        argv[n++] = (char *)"--sandbox-log";
    TRY(peer_pair(pair));
    pid_t pid = fork();
    if (pid == 0)
        child(pair[1], cpu, argv);
    close(pair[1]);
    if (pid < 0) {
        log_error("%s cannot be started: errno %d", role_name(r), errno);
        close(pair[0]);
        return RC_IO;
    }
    *out = (struct spawned){pid, pair[0]};
    return RC_OK;
}
