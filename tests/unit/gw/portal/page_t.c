/* Pages that cannot be turned against their reader, in four languages, legible for everybody; one plain line
 * for programs; and a PAC file that leaves no way around. */
#include "gw/portal/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "gw/base/utf8.h"
#include "gw/portal/style.h"
#include "gw/portal/text.h"

#define BROWSER SPAN("text/html,application/xhtml+xml,*/*;q=0.8")

static struct page sample(void)
{
    return (struct page){
        .kind = PAGE_BLOCKED,
        .status = 403,
        .host = SPAN("www.example.org"),
        .path = SPAN("/a/b.html"),
        .category = SPAN("streaming"),
        .rule = SPAN("block category streaming"),
        .rule_reason = SPAN("exam"),
        .what = SPAN("policy"),
        .code = "A7K-2Q9F-XM4",
        .telephone = SPAN("04/279.25.10"),
        .mail = SPAN("helpdesk@province.example"),
        .wall_s = 1795514400,
        .offset_s = 3600,
        .accept = BROWSER,
        .accept_language = SPAN("en"),
        .close = true,
    };
}

struct answer {
    struct buf b;
    span head, body;
};

/* Head and body; Content-Length must tell the truth. */
static struct answer render(const struct page *p)
{
    struct answer a = {0};
    assert_int_equal(page_render(&a.b, p), RC_OK);
    span s = buf_span(&a.b);
    const uint8_t *end = memmem(s.p, s.n, "\r\n\r\n", 4);
    assert_non_null(end);
    size_t at = (size_t)(end - s.p) + 4;
    a.head = span_cut(s, 0, at);
    a.body = span_cut(s, at, s.n);
    return a;
}

static bool has(span s, const char *what)
{
    return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static void check_has(span s, const char *what)
{
    if (!has(s, what))
        fail_msg("no \"%s\" in:\n%.*s", what, (int)s.n, (const char *)s.p);
}

/* ---- strangers ---- */

static const char *const hostile[] = {
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style></head><body onload=alert(1)>",
    "&lt;b&gt;",
    "\xe2\x80\xae"
    "gro.elpmaxe", /* turns the text around */
    "a\xe2\x80\x8b"
    "b\xef\xbb\xbf"
    "c", /* zero width */
    "\x1b[2J\x07\x00x",
    "\xc0\xbcscript\xc0\xbe\xff\xfe\x80", /* overlong and broken UTF-8 */
    "\xed\xa0\x80\xf4\x90\x80\x80",       /* surrogate, beyond Unicode */
    "\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "%0d%0aX: y",
    "${7*7}{{7*7}}`id`",
};

/* Tags of the page with strangers' text equal those of the page without: nothing new has become markup. */
static void count_markup(span body, size_t n[4])
{
    for (size_t i = 0; i < body.n; i++) {
        n[0] += body.p[i] == '<';
        n[1] += body.p[i] == '>';
        n[2] += body.p[i] == '"';
        n[3] += body.p[i] == '\'';
    }
}

static void check_clean(span s, bool one_line)
{
    size_t lines = 0;
    for (size_t i = 0; i < s.n;) {
        uint32_t cp = s.p[i];
        size_t n = cp < 0x80 ? 1 : utf8_at(s, i, &cp);
        assert_true(n > 0 && !utf8_is_invisible(cp) && cp != 0x7f);
        assert_true(cp >= 0x20 || cp == '\n');
        lines += cp == '\n';
        i += n;
    }
    if (one_line)
        assert_true(lines == 1 && s.p[s.n - 1] == '\n');
}

static void fill_with(struct page *p, span s)
{
    p->host = p->path = p->category = p->rule = p->rule_reason = p->what = p->telephone = p->mail = s;
}

static void strangers_text_never_becomes_markup(void **state)
{
    (void)state;
    struct page p = sample();
    size_t want[4] = {0};
    fill_with(&p, SPAN("harmless"));
    struct answer a = render(&p);
    count_markup(a.body, want);
    buf_fini(&a.b);
    for (size_t i = 0; i < N_ELEMS(hostile); i++) {
        size_t got[4] = {0};
        fill_with(&p, span_of(hostile[i], i == 7 ? 7 : strlen(hostile[i])));
        a = render(&p);
        count_markup(a.body, got);
        assert_memory_equal(got, want, sizeof got);
        check_clean(a.body, false);
        assert_false(has(a.head, "Set-Cookie"));
        buf_fini(&a.b);
        p.accept = SPAN("*/*");
        a = render(&p);
        check_clean(a.body, true);
        buf_fini(&a.b);
        p.accept = BROWSER;
    }
}

static void a_hostile_code_stays_out_of_the_head(void **state)
{
    (void)state;
    struct page p = sample();
    p.code = "A\r\nX: y";
    struct answer a = render(&p);
    assert_false(has(a.head, "Perron-Code"));
    assert_false(has(a.b.p ? buf_span(&a.b) : SPAN_NONE, "\nX: y"));
    buf_fini(&a.b);
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    static char path[70000];
    struct page p = sample();
    for (size_t i = 0; i + 2 <= sizeof path; i += 2)
        memcpy(path + i, "\xc3\xa9", 2);
    fill_with(&p, span_of(path, sizeof path));
    struct answer a = render(&p);
    assert_true(a.body.n < 32768);
    check_clean(a.body, false);
    check_has(a.body, "\xc3\xa9\xe2\x80\xa6");
    buf_fini(&a.b);
}

static void the_mail_link_is_percent_encoded(void **state)
{
    (void)state;
    struct page p = sample();
    struct answer a = render(&p);
    check_has(a.body, "href=\"mailto:helpdesk@province.example?subject=Access%20to%20a%20site%20A7K-2Q9F-XM4"
                      "%20%28www.example.org%29\"");
    check_has(a.body, "href=\"tel:042792510\"");
    buf_fini(&a.b);
    p.mail = SPAN("a@b.example?bcc=x@y.example&body=\"");
    p.accept_language = SPAN("fr");
    a = render(&p);
    check_has(a.body, "mailto:a@b.example%3Fbcc%3Dx@y.example%26body%3D%22?subject=Acc%C3%A8s%20");
    buf_fini(&a.b);
}

static void no_room_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct page p = sample();
    struct buf b;
    buf_init(&b, 1000);
    assert_int_equal(buf_put_str(&b, "before"), RC_OK);
    assert_int_equal(page_render(&b, &p), RC_LIMIT);
    assert_true(span_eq(buf_span(&b), SPAN("before")));
    buf_fini(&b);
}

/* ---- the answer ---- */

static void the_head_is_complete(void **state)
{
    (void)state;
    struct page p = sample();
    struct answer a = render(&p);
    char length[64];
    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", a.body.n);
    assert_true(span_has_prefix(a.head, SPAN("HTTP/1.1 403 Forbidden\r\n")));
    check_has(a.head, length);
    static const char *const fields[] = {
        "Date: Tue, 24 Nov 2026 10:00:00 GMT",
        "Content-Type: text/html; charset=utf-8",
        "Content-Language: en",
        "Perron-Code: A7K-2Q9F-XM4",
        "Cache-Control: no-store",
        "Vary: Accept, Accept-Language",
        "Content-Security-Policy: default-src 'none'; style-src 'sha256-",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Connection: close",
    };
    for (size_t i = 0; i < N_ELEMS(fields); i++)
        check_has(a.head, fields[i]);
    buf_fini(&a.b);
    p.close = false;
    p.status = 503;
    p.code = NULL;
    a = render(&p);
    assert_false(has(a.head, "Connection") || has(a.head, "Perron-Code"));
    check_has(a.head, "HTTP/1.1 503 Service Unavailable\r\n");
    check_has(a.head, "Retry-After: ");
    buf_fini(&a.b);
}

static void head_gets_the_same_head_and_no_body(void **state)
{
    (void)state;
    struct page p = sample();
    struct answer a = render(&p);
    p.head = true;
    struct answer b = render(&p);
    assert_true(span_eq(a.head, b.head));
    assert_int_equal(b.body.n, 0);
    buf_fini(&a.b);
    buf_fini(&b.b);
}

static void the_style_is_the_one_that_the_policy_allows(void **state)
{
    (void)state;
    struct page p = sample();
    uint8_t digest[SHA256_BYTES];
    char want[80];
    unsigned char b64[64];
    span style = span_str(style_text);
    assert_int_equal(sha256(&style, 1, digest), RC_OK);
    EVP_EncodeBlock(b64, digest, sizeof digest);
    snprintf(want, sizeof want, "sha256-%s", (const char *)b64);
    assert_string_equal(style_hash, want); /* after a change of the style: this is the new one */
    struct answer a = render(&p);
    check_has(a.head, want);
    check_has(a.body, "<style>:root{");
    assert_null(strpbrk(style_text, "<&"));
    buf_fini(&a.b);
}

static void nothing_is_fetched_and_nothing_runs(void **state)
{
    (void)state;
    static const char *const never[] = {"<script", "src=",    "url(",  "@import", "http:",       "https:",
                                        "<link",   "<iframe", "<form", " style=", "javascript:", " on"};
    for (size_t k = 0; k < PAGE_KINDS; k++) {
        struct page p = sample();
        p.kind = (enum page_kind)k;
        p.accept_language = SPAN("de");
        struct answer a = render(&p);
        for (size_t i = 0; i < N_ELEMS(never); i++)
            assert_false(has(a.body, never[i]));
        buf_fini(&a.b);
    }
}

static void every_kind_in_every_language(void **state)
{
    (void)state;
    static const char *const langs[] = {"fr", "nl", "de", "en"};
    for (size_t k = 0; k < PAGE_KINDS; k++) {
        for (size_t l = 0; l < LANG_N; l++) {
            char html[32];
            struct page p = sample();
            p.kind = (enum page_kind)k;
            p.accept_language = span_str(langs[l]);
            struct answer a = render(&p);
            snprintf(html, sizeof html, "<html lang=\"%s\">", langs[l]);
            check_has(a.body, html);
            check_has(a.body, "<main>");
            check_has(a.body, "<h1>");
            check_has(a.body, "</h1>");
            check_has(a.body, "A7K-2Q9F-XM4");
            check_has(a.body, "www.example.org");
            check_has(a.body, text_of(TEXT_HELP, (enum page_lang)l));
            buf_fini(&a.b);
        }
    }
}

static void the_block_page_says_what_and_why(void **state)
{
    (void)state;
    struct page p = sample();
    struct answer a = render(&p);
    check_has(a.body, "<strong>www.example.org</strong>/a/b.html");
    check_has(a.body, "<dt>Category</dt><dd><bdi>streaming</bdi>");
    check_has(a.body, "<dt>Rule applied</dt><dd><code>block category streaming</code>");
    check_has(a.body, "<dt>Reason</dt><dd><bdi>exam</bdi>");
    check_has(a.body, "<time datetime=\"2026-11-24T11:00:00+01:00\">24/11/2026 11:00 (UTC+01:00)</time>");
    assert_false(has(a.body, "Cause")); /* "policy" says nothing that the page does not */
    buf_fini(&a.b);
}

static void a_time_is_told_with_its_distance_from_utc(void **state)
{
    static const struct {
        int32_t offset_s;
        const char *want;
    } rows[] = {{0, ">24/11/2026 10:00 (UTC+00:00)<"},
                {-12600, "T06:30:00-03:30\">24/11/2026 06:30 (UTC-03:30)<"},
                {50400, "2026-11-25T00:00:00+14:00\">25/11/2026 00:00 (UTC+14:00)<"},
                {1050, ">24/11/2026 10:17 (UTC+00:17)<"}}; /* as clocks once were: to the minute */
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct page p = sample();
        p.offset_s = rows[i].offset_s;
        struct answer a = render(&p);
        check_has(a.body, rows[i].want);
        check_has(a.head, "Date: Tue, 24 Nov 2026 10:00:00 GMT\r\n");
        buf_fini(&a.b);
    }
}

static void a_defect_is_named_in_the_readers_language(void **state)
{
    (void)state;
    struct page p = sample();
    p.kind = PAGE_CERTIFICATE;
    p.what = SPAN("The certificate has expired.");
    p.defect = "expired";
    p.accept_language = SPAN("nl");
    struct answer a = render(&p);
    check_has(a.body, "Het certificaat van de site is verlopen.");
    buf_fini(&a.b);
    p.defect = "brand-new-defect"; /* not translated yet: the sentence that came with it */
    a = render(&p);
    check_has(a.body, "The certificate has expired.");
    buf_fini(&a.b);
}

static void without_a_help_line_no_empty_link(void **state)
{
    (void)state;
    struct page p = sample();
    p.telephone = p.mail = p.category = p.rule = p.rule_reason = SPAN_NONE;
    p.code = NULL;
    struct answer a = render(&p);
    assert_false(has(a.body, "href=") || has(a.body, "<ul") || has(a.body, "class=\"code\"") ||
                 has(a.body, "<code>"));
    buf_fini(&a.b);
}

static void a_program_gets_one_line(void **state)
{
    (void)state;
    struct page p = sample();
    p.accept = SPAN("*/*");
    struct answer a = render(&p);
    check_has(a.head, "Content-Type: text/plain; charset=utf-8\r\n");
    assert_true(span_eq(
        a.body, SPAN("This page is not available on this network: www.example.org/a/b.html; Category: "
                     "streaming; Reason: exam; Rule applied: block category streaming; Decision code: "
                     "A7K-2Q9F-XM4; help desk: 04/279.25.10; Email: helpdesk@province.example\n")));
    buf_fini(&a.b);
}

/* ---- warnings ---- */

static struct page warning(void)
{
    struct page p = sample();
    p.kind = PAGE_WARNED;
    p.click_token = SPAN("AgEtoken");
    p.click_to = SPAN("/a?b=\"c\"&d='<e>'");
    p.click_minutes = 15;
    return p;
}

static void a_warning_has_a_way_on_and_nothing_else_to_follow(void **state)
{
    (void)state;
    static const char *const button[LANG_N] = {"Continuer vers le site", "Verder naar de site",
                                               "Weiter zur Website", "Continue to the site"};
    static const char *const langs[] = {"fr", "nl", "de", "en"};
    for (size_t l = 0; l < LANG_N; l++) {
        struct page p = warning();
        p.accept_language = span_str(langs[l]);
        struct answer a = render(&p);
        check_has(a.head, "HTTP/1.1 403 ");
        check_has(a.head, "form-action 'self'");
        check_has(a.body, "<form method=\"get\" action=\"/.perron/continue\">");
        check_has(a.body, "<input type=\"hidden\" name=\"t\" value=\"AgEtoken\">");
        check_has(a.body, "name=\"to\" value=\"/a?b=&quot;c&quot;&amp;d=&#39;&lt;e&gt;&#39;\">");
        check_has(a.body, button[l]);
        check_has(a.body, "15 min.");
        assert_false(has(a.body, text_of(TEXT_CLICK_RESEND, (enum page_lang)l)));
        buf_fini(&a.b);
        p.resend = true;
        a = render(&p);
        check_has(a.body, text_of(TEXT_CLICK_RESEND, (enum page_lang)l));
        buf_fini(&a.b);
    }
}

static void only_a_warning_with_a_token_has_a_button(void **state)
{
    (void)state;
    for (size_t k = 0; k < PAGE_KINDS; k++) {
        struct page p = warning();
        p.kind = (enum page_kind)k;
        if (k == PAGE_WARNED)
            p.click_token = SPAN_NONE;
        else
            p.resend = true;
        struct answer a = render(&p);
        assert_false(has(a.body, "<form") || has(a.body, "<button"));
        if (k != PAGE_WARNED)
            check_has(a.head, "form-action 'none'");
        buf_fini(&a.b);
    }
}

static void a_program_gets_no_token(void **state)
{
    (void)state;
    struct page p = warning();
    p.accept = SPAN("*/*");
    struct answer a = render(&p);
    assert_true(span_has_prefix(a.body, SPAN("Before you open this page: www.example.org/a/b.html; ")));
    assert_false(has(a.body, "AgEtoken"));
    assert_true(a.body.p[a.body.n - 1] == '\n' && memchr(a.body.p, '\n', a.body.n - 1) == NULL);
    buf_fini(&a.b);
}

/* ---- contrast (WCAG 2.1, definition of relative luminance) ---- */

struct color {
    const char *name, *value[2]; /* light, dark */
};
static const struct color colors[] = {
#define K(name, light, dark) {#name, {light, dark}},
#include "gw/portal/color.tbl"
#undef K
};

static double channel(const char *hex)
{
    char two[3] = {hex[0], hex[1], '\0'};
    double c = (double)strtoul(two, NULL, 16) / 255;
    return c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double luminance(const char *name, int mode)
{
    for (size_t i = 0; i < N_ELEMS(colors); i++) {
        const char *v = colors[i].value[mode];
        if (strcmp(colors[i].name, name) == 0) {
            assert_int_equal(strlen(v), 7);
            return 0.2126 * channel(v + 1) + 0.7152 * channel(v + 3) + 0.0722 * channel(v + 5);
        }
    }
    fail_msg("no colour %s", name);
    return 0;
}

static double contrast(const char *a, const char *b, int mode)
{
    double x = luminance(a, mode), y = luminance(b, mode);
    return x > y ? (x + 0.05) / (y + 0.05) : (y + 0.05) / (x + 0.05);
}

static void every_pair_of_colours_has_contrast(void **state)
{
    (void)state;
    static const struct {
        const char *fore, *back;
        double least;
    } pairs[] = {
        {"text", "paper", 7},     {"text", "soft", 7},         {"muted", "paper", 4.5},
        {"muted", "soft", 4.5},   {"muted", "ground", 4.5},    {"link", "paper", 4.5},
        {"blocked", "paper", 3},  {"certificate", "paper", 3}, {"other", "paper", 3},
        {"blocked", "ground", 3}, {"other", "ground", 3},      {"certificate", "ground", 3},
        {"link", "soft", 4.5},
    };
    for (size_t i = 0; i < N_ELEMS(pairs); i++) {
        for (int mode = 0; mode < 2; mode++) {
            double c = contrast(pairs[i].fore, pairs[i].back, mode);
            if (c < pairs[i].least)
                fail_msg("%s on %s (%s): %.2f", pairs[i].fore, pairs[i].back, mode ? "dark" : "light", c);
        }
    }
}

/* ---- the PAC file ---- */

static void a_pac_file_names_a_host_and_nothing_else(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a b", "x\";alert(1)//", "[::1]", "a/b", "x\n", "1.2.3"};
    struct buf b = {0};
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        assert_int_equal(page_pac(&b, span_str(bad[i]), 3128), RC_BAD);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(page_pac(&b, SPAN("10.32.0.1"), 3128), RC_OK);
    check_has(buf_span(&b), "return \"PROXY 10.32.0.1:3128\";");
    check_has(buf_span(&b), "function FindProxyForURL(url, host) {");
    buf_clear(&b);
    assert_int_equal(page_pac(&b, SPAN("2001:db8::1"), 8080), RC_OK);
    check_has(buf_span(&b), "return \"PROXY [2001:db8::1]:8080\";");
    buf_clear(&b);
    assert_int_equal(page_pac(&b, SPAN("proxy.province.example"), 3128), RC_OK);
    check_has(buf_span(&b), "\"PROXY proxy.province.example:3128\"");
    assert_false(has(buf_span(&b), "; DIRECT"));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_text_never_becomes_markup),
        cmocka_unit_test(a_hostile_code_stays_out_of_the_head),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(the_mail_link_is_percent_encoded),
        cmocka_unit_test(no_room_leaves_the_buffer_as_it_was),
        cmocka_unit_test(the_head_is_complete),
        cmocka_unit_test(head_gets_the_same_head_and_no_body),
        cmocka_unit_test(the_style_is_the_one_that_the_policy_allows),
        cmocka_unit_test(nothing_is_fetched_and_nothing_runs),
        cmocka_unit_test(every_kind_in_every_language),
        cmocka_unit_test(the_block_page_says_what_and_why),
        cmocka_unit_test(a_defect_is_named_in_the_readers_language),
        cmocka_unit_test(a_time_is_told_with_its_distance_from_utc),
        cmocka_unit_test(without_a_help_line_no_empty_link),
        cmocka_unit_test(a_program_gets_one_line),
        cmocka_unit_test(a_warning_has_a_way_on_and_nothing_else_to_follow),
        cmocka_unit_test(only_a_warning_with_a_token_has_a_button),
        cmocka_unit_test(a_program_gets_no_token),
        cmocka_unit_test(every_pair_of_colours_has_contrast),
        cmocka_unit_test(a_pac_file_names_a_host_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
