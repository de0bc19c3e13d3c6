/* A stranger's request head: first two bytes say where the wire is cut, the rest is what comes. */
#include "tests/fuzz/gw/http/h1_both.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    span in = span_of(data + 2, size - 2);
    check_head(in, SPAN_NONE, ((size_t)data[0] << 8 | data[1]) % (in.n + 1));
    return 0;
}
