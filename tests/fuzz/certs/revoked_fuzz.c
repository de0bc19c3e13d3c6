/* A revocation set as a captured fetcher might make it. Beyond not crashing: whatever is taken gives spans
 * within its bytes, and a serial number that stands first in a source of one entry is found. */
#include "certs/revoked.h"

#include <stdlib.h>

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct revoked *r, span all)
{
    for (size_t i = 0; i < revoked_n_sources(r); i++) {
        struct revoked_source s;
        struct revoked_id id = {0};
        revoked_source_at(r, i, &s);
        gw_assert(s.serials.p >= all.p && s.serials.p + s.serials.n <= all.p + all.n);
        gw_assert(s.url.p >= all.p && s.issuer.p + s.issuer.n <= all.p + all.n);
        memcpy(id.source, s.id, sizeof id.source);
        if (s.serials.n)
            memcpy(id.serial, s.serials.p, sizeof id.serial);
        enum revocation got = revoked_find(r, &id, 0);
        gw_assert(s.serials.n != CRL_SERIAL || got == REVOCATION_REVOKED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct revoked *r;
    uint8_t *copy = aligned_alloc(8, (size + 8) & ~(size_t)7);
    gw_assert(copy);
    if (size)
        memcpy(copy, data, size);
    if (revoked_over(span_of(copy, size), &r) == RC_OK) {
        look(r, span_of(copy, size));
        revoked_free(r);
    }
    free(copy);
    return 0;
}
