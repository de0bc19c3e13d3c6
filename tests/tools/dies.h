/* For tests of assertions: does this end the process by abort()? Run in a child, whose words are thrown away.
 */
#ifndef TESTS_TOOLS_DIES_H
#define TESTS_TOOLS_DIES_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool dies(void (*what)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        signal(SIGABRT, SIG_DFL); /* not cmocka's */
        if (null >= 0)
            dup2(null, STDERR_FILENO);
        what();
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
