/* A line of the register: any bytes. What parses is written back as the same line. */
#include "certs/leaflog.h"

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leaflog_entry e;
    struct buf again = {0};
    span line = span_of(data, size);
    if (leaflog_parse(line, &e) != RC_OK)
        return 0;
    gw_assert(leaflog_emit(&e, &again) == RC_OK && span_eq(buf_span(&again), line));
    bool own = leaflog_names(&e, e.names[0]);
    gw_assert(own);
    buf_fini(&again);
    return 0;
}
