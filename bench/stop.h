/* Ctrl-C and its kin: blocked for the whole run and looked at in order, so that whatever the bench made is
 * taken down by the ordinary way out and never from a signal handler. */
#ifndef BENCH_STOP_H
#define BENCH_STOP_H

#include <stdbool.h>

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE from here on. */
void stop_block(void);
/* Did one of them (not SIGPIPE) arrive? Stays true. */
bool stop_asked(void);
/* Sleeps; returns early with true when a stop was asked. */
bool stop_sleep_ms(long ms);
/* Lets them through again: a pending one then ends this process as it would have. */
void stop_release(void);

#endif
