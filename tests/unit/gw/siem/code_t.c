/* A decision code survives the telephone: every wrong character and every swap is found, every spelling is
 * read. */
#include "gw/siem/code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static enum rc parse(const char *s, unsigned *node, uint64_t *n)
{
    return code_parse(span_str(s), node, n);
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "-",
        "A7K",
        "A7K-2Q9F-XM",
        "A7K-2Q9F-XM44",
        "A7K-2Q9F-XMU",
        "A7K.2Q9F.XM4",
        "\n",
        "A7K-2Q9F-XM\xc3\xa9",
    };
    unsigned node;
    uint64_t n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(bad[i], &node, &n), RC_BAD);
}

/* Positions of the ten characters in the text. */
static const size_t place[10] = {0, 1, 2, 4, 5, 6, 7, 9, 10, 11};

static void every_single_wrong_character_is_found(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 500; n++) {
        char text[CODE_TEXT];
        unsigned node;
        uint64_t got;
        code_format((unsigned)n, n * 1999993, text);
        for (size_t i = 0; i < 10; i++) {
            char was = text[place[i]];
            for (size_t v = 0; v < 32; v++) {
                text[place[i]] = code_alphabet[v];
                assert_int_equal(parse(text, &node, &got), code_alphabet[v] == was ? RC_OK : RC_BAD);
            }
            text[place[i]] = was;
        }
    }
}

static void every_swap_of_two_characters_is_found(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 2000; n++) {
        char text[CODE_TEXT];
        unsigned node;
        uint64_t got;
        code_format((unsigned)n, n * 1999993, text);
        for (size_t i = 0; i < 10; i++) {
            for (size_t k = i + 1; k < 10; k++) {
                char a = text[place[i]], b = text[place[k]];
                text[place[i]] = b;
                text[place[k]] = a;
                assert_int_equal(parse(text, &node, &got), a == b ? RC_OK : RC_BAD);
                text[place[i]] = a;
                text[place[k]] = b;
            }
        }
    }
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const uint64_t edge[] = {0, 1, 31, 32, (UINT64_C(1) << 40) - 1, UINT64_C(1) << 39, 0xa5a5a5a5a5};
    char text[CODE_TEXT];
    unsigned node;
    uint64_t n;
    for (unsigned want = 0; want < 32; want++) {
        for (size_t i = 0; i < sizeof edge / sizeof *edge; i++) {
            code_format(want, edge[i], text);
            assert_int_equal(strlen(text), 12);
            assert_int_equal(parse(text, &node, &n), RC_OK);
            assert_int_equal(node, want);
            assert_int_equal(n, edge[i]);
        }
    }
    code_format(32 + 3, (UINT64_C(1) << 40) + 7, text); /* bits above are ignored, not mixed in */
    assert_int_equal(parse(text, &node, &n), RC_OK);
    assert_int_equal(node, 3);
    assert_int_equal(n, 7);
}

static void any_spelling_is_read(void **state)
{
    (void)state;
    char text[CODE_TEXT], said[32];
    unsigned node;
    uint64_t n, number;
    for (number = 0;; number++) { /* one with a 0 and a 1 in it */
        code_format(1, number, text);
        if (strchr(text, '0') && strchr(text + 1, '1'))
            break;
    }
    static const char *const zero = "oO0", *const one = "iIlL1";
    for (size_t z = 0; z < 3; z++) {
        for (size_t o = 0; o < 5; o++) {
            size_t at = 0;
            for (const char *p = text; *p; p++) {
                char c = *p == '0' ? zero[z] : *p == '1' ? one[o] : (char)ascii_lower((uint8_t)*p);
                if (c != '-')
                    said[at++] = c;
                if (at % 4 == 0)
                    said[at++] = ' ';
            }
            said[at] = '\0';
            assert_int_equal(parse(said, &node, &n), RC_OK);
            assert_int_equal(n, number);
            assert_int_equal(node, 1);
        }
    }
}

static void neighbours_do_not_look_alike(void **state)
{
    (void)state;
    char a[CODE_TEXT], b[CODE_TEXT];
    unsigned same = 0;
    for (uint64_t n = 0; n < 1000; n++) {
        code_format(0, n, a);
        code_format(0, n + 1, b);
        for (size_t i = 1; i < 10; i++)
            same += a[place[i]] == b[place[i]];
    }
    assert_true(same < 9 * 1000 / 10); /* chance alone gives 9000 / 32 = 281 */
}

/* A person must be able to read it out: the first code of a new gateway looks like any other. */
static void the_first_number_does_not_look_like_nothing(void **state)
{
    char text[CODE_TEXT];
    (void)state;
    code_format(0, 0, text);
    assert_string_not_equal(text, "000-0000-000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_number_does_not_look_like_nothing),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(every_single_wrong_character_is_found),
        cmocka_unit_test(every_swap_of_two_characters_is_found),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(any_spelling_is_read),
        cmocka_unit_test(neighbours_do_not_look_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
