/* An origin's response head: first byte chooses the request's method, two more where the wire is cut. */
#include "tests/fuzz/gw/http/h1_both.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "CONNECT", "POST"};
    if (size < 3)
        return 0;
    span in = span_of(data + 3, size - 3);
    check_head(in, span_str(methods[data[0] & 3]), ((size_t)data[1] << 8 | data[2]) % (in.n + 1));
    return 0;
}
