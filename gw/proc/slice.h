/* How long this process means to run at a time. The kernel's fair scheduler (from 6.12 on) lets one that
 * wakes up and asks for short turns in before one that runs a long one, without giving it a larger share: so
 * a worker need not wait until the logger, on the same processor, has done. An older kernel takes the wish
 * and does nothing with it. */
#ifndef GW_PROC_SLICE_H
#define GW_PROC_SLICE_H

#include <stdint.h>

#include "gw/base/err.h"

/* Asks for turns of `us` microseconds; policy and nice value stay. Before the sandbox closes. IO: errno; the
 * caller does without. */
enum rc slice_ask(uint32_t us) MUST_USE;

#endif
