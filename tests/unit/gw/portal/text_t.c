/* The right tongue for whatever header a browser or a stranger sends, and a page only for those who ask for
 * one. */
#include "gw/portal/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/base/obj.h"

static void check_lang(const char *header, enum page_lang want)
{
    enum page_lang got = lang_choose(span_str(header));
    if (got != want)
        fail_msg("%s: %s instead of %s", header, lang_tag(got), lang_tag(want));
}

static void nonsense_gives_french(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    ",",       ";",      ";;q=1",    "q=1",         "es",     "es, it;q=0.5",
        "*",   "en;q=0",  "en;q=2", "en;q=1.5", "en;q=0.1234", "en;q=x", "en;q=",
        "e n", "english", "-en",    "en_GB",    "\xff\xfe",    "*;q=0",  "fr;q=0, *;q=0",
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        check_lang(bad[i], LANG_FR);
    assert_int_equal(lang_choose(span_of("en\0", 3)), LANG_FR);
}

static void what_browsers_send(void **state)
{
    (void)state;
    check_lang("fr-BE,fr;q=0.9,en-US;q=0.8,en;q=0.7", LANG_FR);
    check_lang("nl-BE,nl;q=0.9,en-US;q=0.8,en;q=0.7", LANG_NL);
    check_lang("de", LANG_DE);
    check_lang("de-AT, en;q=0.1", LANG_DE);
    check_lang("en-US,en;q=0.5", LANG_EN);
    check_lang("en-GB", LANG_EN);
    check_lang("EN", LANG_EN);
    check_lang("zh-Hant-TW, zh;q=0.9, nl;q=0.1", LANG_NL);
    check_lang("it, de;q=0.7, *;q=0.5", LANG_DE);
}

static void quality_decides_then_order(void **state)
{
    (void)state;
    check_lang("en;q=0.5, nl;q=0.6", LANG_NL);
    check_lang("en;q=0.6 , nl;q=0.6", LANG_EN);
    check_lang("nl, en, de", LANG_NL);
    check_lang("de, en", LANG_DE);
    check_lang("en;q=0.001, de;q=0.002", LANG_DE);
    check_lang("en ; q=1.000, de;q=0.999", LANG_EN);
    check_lang("en;q=0.2, en-US;q=0.9, de;q=0.5", LANG_EN);
    check_lang("en;level=1;q=0.2, de;q=0.3", LANG_DE);
    check_lang("en;Q=0.2, de;q=0.3", LANG_DE);
    check_lang("fr;q=0, *", LANG_NL); /* anything but French: the first of ours */
    check_lang("en;q=0.5, *;q=0.7", LANG_FR);
    check_lang("fr;q=0, en;q=0.1, *;q=0", LANG_EN);
}

static void a_long_header_costs_a_bounded_walk(void **state)
{
    (void)state;
    static char header[65536];
    for (size_t i = 0; i + 3 < sizeof header; i += 3)
        memcpy(header + i, "xx,", 3);
    memcpy(header + sizeof header - 6, "nl;q=1", 6);
    assert_int_equal(lang_choose(span_of(header, sizeof header)), LANG_FR);
}

static void programs_get_no_html(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "",
        "*/*",
        "application/json",
        "image/avif,image/webp,*/*;q=0.8",
        "text/plain",
        "text/html;q=0",
        "text/html ;q=0.0",
        "text/html5",
        "atext/html",
        "application/json, */*;q=0.1",
        "text/css,*/*;q=0.1",
    };
    static const char *const html[] = {
        "text/html",
        "TEXT/HTML",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        "text/*",
        "application/json, text/html;q=0.1",
        "text/html;charset=utf-8",
        "application/xhtml+xml",
    };
    for (size_t i = 0; i < N_ELEMS(plain); i++)
        assert_false(accepts_html(span_str(plain[i])));
    for (size_t i = 0; i < N_ELEMS(html); i++)
        assert_true(accepts_html(span_str(html[i])));
}

/* Every defect of a certificate has its sentence in all languages, none of them forgotten or left in another.
 */
static void every_defect_is_translated(void **state)
{
    (void)state;
    static const char *const names[] = {
#define D(id, name, text) name,
#include "certs/defect.tbl"
#undef D
    };
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        for (size_t l = 0; l < LANG_N; l++) {
            const char *s = text_cause(span_str(names[i]), (enum page_lang)l);
            if (!s || strlen(s) < 10)
                fail_msg("%s has no text in %s", names[i], lang_tag((enum page_lang)l));
            for (size_t k = 0; k < l; k++)
                assert_string_not_equal(s, text_cause(span_str(names[i]), (enum page_lang)k));
        }
    }
    assert_null(text_cause(SPAN("no-such-cause"), LANG_FR));
    assert_null(text_cause(SPAN_NONE, LANG_FR));
}

static void texts_hold_nothing_that_needs_escaping(void **state)
{
    (void)state;
    for (size_t t = 0; t < TEXT_N; t++) {
        for (size_t l = 0; l < LANG_N; l++) {
            const char *s = text_of((enum page_text)t, (enum page_lang)l);
            assert_true(s && *s);
            assert_null(strpbrk(s, "<>&\"'\n\r"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_gives_french),
        cmocka_unit_test(programs_get_no_html),
        cmocka_unit_test(a_long_header_costs_a_bounded_walk),
        cmocka_unit_test(what_browsers_send),
        cmocka_unit_test(quality_decides_then_order),
        cmocka_unit_test(every_defect_is_translated),
        cmocka_unit_test(texts_hold_nothing_that_needs_escaping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
