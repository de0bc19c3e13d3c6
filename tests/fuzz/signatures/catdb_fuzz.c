/* A category image from anybody: refused, or safe to search. The last 32 bytes are the name that is looked
 * for. */
#include <stdlib.h>

#include "gw/base/obj.h"
#include "signatures/catdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catdb db;
    uint16_t cats[64];
    if (size < 32)
        return 0;
    uint64_t *aligned = malloc(size);
    gw_assert(aligned);
    memcpy(aligned, data, size - 32);
    if (catdb_open(span_of(aligned, size - 32), &db) == RC_OK) {
        size_t n = catdb_find(&db, span_of(data + size - 32, 32), cats, 64);
        for (size_t i = 0; i < n; i++)
            gw_assert(cats[i] < db.n_categories && (i == 0 || cats[i] > cats[i - 1]));
        gw_assert(catdb_find(&db, SPAN("x.b.test"), cats, 2) <= 2);
    }
    free(aligned);
    return 0;
}
