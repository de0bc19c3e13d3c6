/* A text part from anybody: refused, or safe to walk and to search. */
#include <stdlib.h>

#include "gw/base/obj.h"
#include "signatures/cattext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t look(const struct cattext *t, const struct cattext_entry *e)
{
    return cattext_file_path(t, e->file).n + cattext_list_name(t, e->list).n + strlen(hold_text(e->held)) +
           (e->raw.n ? e->raw.p[e->raw.n - 1] : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cattext t;
    struct cattext_entry e;
    struct catkey key;
    size_t sum = 0;
    uint64_t *aligned = malloc(size + 8);
    gw_assert(aligned);
    memcpy(aligned, data, size);
    if (cattext_open(span_of(aligned, size), &t) == RC_OK) {
        for (uint64_t at = 0; cattext_next(&t, &at, &e);) {
            sum += look(&t, &e);
            struct cattext_find f = {0};
            if (catkey_again(e.kind, e.key, &key) && cattext_find(&t, &key, &f, &e))
                sum += look(&t, &e);
        }
        for (uint64_t i = 0; i < 100 && cattext_held(&t, i, &e); i++)
            sum += look(&t, &e);
        sum += cattext_list_named(&t, SPAN("file x"));
    }
    gw_assert(sum < SIZE_MAX);
    free(aligned);
    return 0;
}
