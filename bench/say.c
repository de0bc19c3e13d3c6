/* Messages to the person who runs the bench. Progress uses one line that is written over again, and only
 * where somebody can see it: in a pipe or a CI log it would be noise. */
#include "bench/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void say_error(const char *fmt, ...)
{
    va_list ap;
    say_progress_done();
    fputs("perron-bench: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void say_progress(const char *fmt, ...)
{
    va_list ap;
    if (!isatty(STDERR_FILENO))
        return;
    fputs("\r\033[K", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fflush(stderr);
}

void say_progress_done(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}
