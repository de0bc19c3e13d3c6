/* Large pages; see pages.h. */
#include "gw/base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

void pages_large(void *p, size_t n)
{
    size_t before = (LARGE_PAGE - (uintptr_t)p % LARGE_PAGE) % LARGE_PAGE;
    if (n >= before + LARGE_PAGE)
        (void)madvise((char *)p + before, (n - before) / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
}
