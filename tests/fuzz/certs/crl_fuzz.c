/* Others' revocation lists as they come off the network. Beyond not crashing: a list that reads well has as
 * many serial numbers as it says at most, sorted and each once, and its spans lie within the bytes. */
#include "certs/crl.h"

#include <stdlib.h>

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(span part, span all)
{
    return part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crl c;
    span in = span_of(data, size);
    if (crl_read(in, &c) != RC_OK) {
        gw_assert(c.why != CRL_FINE && c.why < CRL_WHY_N);
        return 0;
    }
    gw_assert(within(c.tbs, in) && within(c.algorithm, in) && within(c.signature, in) &&
              within(c.issuer, in) && within(c.entries, in) && within(c.point, in));
    gw_assert(c.n <= size / 5);
    uint8_t *serials = malloc(c.n * CRL_SERIAL + 1);
    gw_assert(serials);
    size_t n = crl_serials(&c, serials);
    gw_assert(n <= c.n);
    for (size_t i = 1; i < n; i++)
        gw_assert(memcmp(serials + (i - 1) * CRL_SERIAL, serials + i * CRL_SERIAL, CRL_SERIAL) < 0);
    free(serials);
    return 0;
}
