/* SHA-256 beside the examples of FIPS 180-4. */
#include "gw/base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct sha256_ctx *kept; /* one for all */

static void expect(const span *parts, size_t n, const char *hex)
{
    uint8_t out[SHA256_BYTES], again[SHA256_BYTES];
    char text[65];
    assert_int_equal(sha256(parts, n, out), RC_OK);
    assert_int_equal(sha256_with(kept, parts, n, again), RC_OK);
    assert_memory_equal(out, again, sizeof out);
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", out[i]);
    assert_string_equal(text, hex);
}

static void nothing_and_examples(void **state)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    span parts[] = {SPAN("a"), SPAN_NONE, SPAN("bc")}, whole = SPAN("abc");
    (void)state;
    expect(NULL, 0, empty);
    expect(&parts[1], 1, empty);
    expect(&whole, 1, abc);
    expect(parts, 3, abc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_and_examples)};
    if (sha256_new(&kept) != RC_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sha256_free(kept);
    return failed;
}
