/* A text that reads as a code reads as the same one when it is written again. */
#include "gw/base/obj.h"
#include "gw/siem/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned node, node2;
    uint64_t n, n2;
    char text[CODE_TEXT];
    if (code_parse(span_of(data, size), &node, &n) != RC_OK)
        return 0;
    gw_assert(node < 32 && n >> CODE_NUMBER_BITS == 0);
    code_format(node, n, text);
    gw_assert(code_parse(span_str(text), &node2, &n2) == RC_OK && node2 == node && n2 == n);
    return 0;
}
