/* Large pages for what is written once and in no order: of small ones every access would miss the processor's
 * table of pages. */
#ifndef GW_BASE_PAGES_H
#define GW_BASE_PAGES_H

#include <stddef.h>

/* Asks for large pages where n bytes at p hold whole ones; before they are touched. Without them small ones
 * do. */
void pages_large(void *p, size_t n);

#endif
