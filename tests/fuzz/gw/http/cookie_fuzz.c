/* Whatever a Cookie field holds: without our cookie it is no longer than before, holds no cookie of that name
 * and still every other one, in order. */
#include "gw/base/obj.h"
#include "gw/http/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OURS SPAN("perron-warn")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[65536];
    if (size > sizeof out)
        return 0;
    span in = span_of(data, size), n, v, n2, v2;
    span less = span_of(out, cookie_without(in, OURS, out));
    gw_assert(less.n <= size && !cookie_has(less, OURS));
    while (cookie_next(&in, &n, &v)) {
        if (!span_ieq(n, OURS))
            gw_assert(cookie_next(&less, &n2, &v2) && span_eq(n, n2) && span_eq(v, v2));
    }
    gw_assert(!cookie_next(&less, &n2, &v2));
    return 0;
}
