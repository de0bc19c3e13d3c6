/* Progress on a terminal: one line, written over and over, gone when the work is done. */
#include "gw/proc/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool written;

/* `total` 0: nobody knows how much there is. */
static void show(const char *what, unsigned long done, unsigned long total)
{
    static unsigned long last = ~0UL; /* hundredths: a terminal is slower than a compiler */
    unsigned long now = total ? done * 100 / total : done;
    if (written && now == last)
        return;
    last = now;
    written = true;
    fprintf(stderr, "\r%s: %lu%s\033[K", what, now, total ? " %" : "");
    fflush(stderr);
}

progress_fn progress_shown(void)
{
    return isatty(STDERR_FILENO) ? show : NULL;
}

void progress_over(void)
{
    if (written)
        fprintf(stderr, "\r\033[K");
    written = false;
}
