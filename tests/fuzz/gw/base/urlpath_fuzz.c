/* A path from anybody: its normal form is no longer than it, has no dot segments, empty ones or parameters,
 * and is its own normal form. */
#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/base/urlpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *out = malloc(size + 1), *again = malloc(size + 2);
    gw_assert(out && again);
    size_t n = urlpath_normalise(span_of(data, size), out);
    gw_assert(n <= size + 1 && n != 1);
    bool whole = true;
    for (size_t i = 0; i < n; i++) {
        bool last = i + 1 == n;
        gw_assert(out[i] != ';' && out[i] != '\\' && (out[i] < 'A' || out[i] > 'Z'));
        gw_assert(!(out[i] == '/' && (last || out[i + 1] == '/')));
        whole =
            whole && out[i] != '?' && out[i] != '#'; /* encoded ones, which would end it the second time */
    }
    gw_assert(n == 0 || out[0] == '/');
    if (whole) {
        size_t m = urlpath_normalise(span_of(out, n), again);
        gw_assert(m == n && memcmp(out, again, n) == 0);
    }
    free(out);
    free(again);
    return 0;
}
