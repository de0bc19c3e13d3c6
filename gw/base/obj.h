/* Asserts that stay in production, and clean-up helpers.
 * gw_assert() is for our own bugs only: no byte from a stranger may be able to reach a failing one. */
#ifndef GW_BASE_OBJ_H
#define GW_BASE_OBJ_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* Prints the failed condition and whatever panic_context() callbacks know, then aborts. gw/base/panic.c */
_Noreturn void gw_panic(const char *file, int line, const char *what);

#define gw_assert(cond)                          \
    do {                                         \
        if (__builtin_expect(!(cond), 0))        \
            gw_panic(__FILE__, __LINE__, #cond); \
    } while (0)

#define N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Cleanup attributes: `AUTO_FREE char *p = NULL;`, `AUTO_CLOSE int fd = -1;` */
static inline void obj_free_p(void *p)
{
    free(*(void **)p);
}

static inline void obj_close_p(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FREE  __attribute__((cleanup(obj_free_p)))
#define AUTO_CLOSE __attribute__((cleanup(obj_close_p)))

#endif
