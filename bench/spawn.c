/* Children: fork, set up (namespace, CPU, log, death signal, clean signal mask), exec. The bench keeps SIGINT
 * and SIGTERM blocked to read them in order (bench/watch.c), so every child unblocks them first. */
#include "bench/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "bench/say.h"
#include "gw/base/obj.h"

enum { WORDS_MAX = 48, LINE_MAX_BYTES = 1024, NOT_STARTED = 127 };

static void sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static bool child_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
}

static bool child_cpu(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((unsigned)cpu, &one);
    return sched_setaffinity(0, sizeof(one), &one) == 0;
}

/* Runs in the child and does not return. */
static _Noreturn void child_exec(const struct spawn *what, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    int in = open("/dev/null", O_RDONLY);
    bool ready = in >= 0 && dup2(in, STDIN_FILENO) >= 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0;
    ready = ready && getppid() == parent; /* else the bench died before the line above */
    ready = ready && (what->netns < 0 || setns(what->netns, CLONE_NEWNET) == 0);
    ready = ready && (what->cpu < 0 || child_cpu(what->cpu));
    ready = ready && (!what->log || child_log(what->log));
    ready = ready && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    if (ready)
        execvp(what->argv[0], (char *const *)(uintptr_t)what->argv);
    _exit(NOT_STARTED);
}

enum rc spawn_start(const struct spawn *what, pid_t *pid)
{
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0)
        child_exec(what, parent);
    return *pid > 0 ? RC_OK : RC_IO;
}

enum rc spawn_run(const struct spawn *what)
{
    pid_t pid;
    int status = 0;
    TRY(spawn_start(what, &pid));
    if (waitpid(pid, &status, 0) != pid)
        return RC_IO;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? RC_OK : RC_IO;
}

enum rc spawn_line(int netns, const char *log, const char *line)
{
    char copy[LINE_MAX_BYTES];
    const char *argv[WORDS_MAX + 1] = {NULL};
    size_t n = 0;
    if (strlen(line) >= sizeof(copy))
        return RC_LIMIT;
    memcpy(copy, line, strlen(line) + 1);
    char *rest = NULL;
    for (char *w = strtok_r(copy, " ", &rest); w && n < WORDS_MAX; w = strtok_r(NULL, " ", &rest))
        argv[n++] = w;
    if (n == 0)
        return RC_BUG;
    enum rc rc = spawn_run(&(struct spawn){argv, netns, SPAWN_ANY_CPU, log});
    if (rc != RC_OK)
        say_error("this command failed: %s", line);
    return rc;
}

bool spawn_alive(pid_t pid)
{
    return pid > 0 && waitpid(pid, NULL, WNOHANG) == 0;
}

void spawn_stop(pid_t pid, int grace_ms)
{
    enum { STEP_MS = 10 };
    if (!spawn_alive(pid))
        return;
    kill(pid, SIGTERM);
    for (int waited = 0; waited < grace_ms; waited += STEP_MS) {
        if (!spawn_alive(pid))
            return;
        sleep_ms(STEP_MS);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

bool spawn_has(const char *name)
{
    char copy[4096], path[4200];
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    const char *dirs = getenv("PATH");
    snprintf(copy, sizeof(copy), "%s", dirs ? dirs : "/usr/sbin:/usr/bin:/sbin:/bin");
    char *rest = NULL;
    for (char *dir = strtok_r(copy, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}
