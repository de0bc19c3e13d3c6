/* What a dying process says: the failed condition or signal, the flow it was working on, its last events.
 * Whoever has something to tell (gw/flow) registers one callback; it must only write(2) to the descriptor. */
#ifndef GW_BASE_PANIC_H
#define GW_BASE_PANIC_H

#include <stdint.h>

void panic_tell(void (*tell)(int fd));
/* For tellers: write(2) and nothing else. */
void panic_put(int fd, const char *s);
void panic_put_number(int fd, uint64_t v);
/* Handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT and SIGSYS that print and re-raise. */
void panic_catch_signals(void);

#endif
