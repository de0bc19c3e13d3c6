/* A time zone file from anybody: refused, or a list of changes in order that answers in both directions. */
#include "policy/tz.h"

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tz z;
    if (tz_parse(span_of(data, size), &z) == RC_OK) {
        gw_assert(z.n >= 1 && z.v[0].at == INT64_MIN);
        for (size_t i = 1; i < z.n; i++)
            gw_assert(z.v[i].at > z.v[i - 1].at);
        for (int64_t t = 0; t < INT64_C(4200000000); t += 7654321) {
            int64_t utc = tz_utc(&z, t);
            gw_assert(utc >= t - 26 * 3600 * 2 && utc <= t + 26 * 3600 * 2);
        }
    }
    tz_fini(&z);
    return 0;
}
