/* Framing fields under every spelling: whatever is done to the name, the colon or the value, either the
 * message is refused or what leaves holds nothing that a lenient server could take for another framing
 * (threats.md rows 63 to 65). */
#include "tests/unit/gw/http/h1_help.h"

static struct msg m;
static unsigned n_refused, n_clean, n_other;

/* How a lenient server might read a name: letters and digits only, lower case. */
static size_t squeeze(span in, uint8_t *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n && n < max; i++) {
        uint8_t c = ascii_lower(in.p[i]);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = c;
    }
    return n;
}

static bool looks_like(span line, const char *letters)
{
    uint8_t name[32];
    size_t colon = span_find(line, ':', 0);
    size_t n = squeeze(span_cut(line, 0, colon), name, sizeof name);
    return span_eq(span_of(name, n), span_str(letters));
}

static bool is_plain_length(span line)
{
    uint64_t n;
    span digits = span_cut(line, 16, line.n);
    return span_has_prefix(line, SPAN("Content-Length: ")) && span_to_u64(digits, INT64_MAX, &n) &&
           n == m.length;
}

/* Every line of what leaves is plain, and at most one frames, in its one spelling. */
static void assert_clean(span head, span in)
{
    unsigned framing = 0;
    for (size_t at = 0; at < head.n;) {
        size_t lf = span_find(head, '\n', at);
        assert_true(lf != SIZE_MAX && lf > at && head.p[lf - 1] == '\r');
        span line = span_cut(head, at, lf - 1);
        for (size_t i = 0; i < line.n; i++)
            assert_true(line.p[i] >= 0x20 || line.p[i] == '\t');
        if (looks_like(line, "transferencoding") || looks_like(line, "contentlength")) {
            framing++;
            if (!span_eq(line, SPAN("Transfer-Encoding: chunked")) && !is_plain_length(line))
                fail_msg("%.*s left, of:\n%.*s", (int)line.n, line.p, (int)in.n, in.p);
        }
        at = lf + 1;
    }
    assert_true(framing <= 1);
}

static void check(span name, span colon, span value, const char *method)
{
    struct buf in = {0}, out = {0};
    struct h1_head h;
    struct relay_opts o = {0};
    size_t used;
    const char *start = method ? "HTTP/1.1 200 OK\r\nX: y\r\n" : "POST / HTTP/1.1\r\nHost: a\r\n";
    assert_int_equal(buf_put_str(&in, start), RC_OK);
    assert_int_equal(buf_put(&in, name), RC_OK);
    assert_int_equal(buf_put(&in, colon), RC_OK);
    assert_int_equal(buf_put(&in, value), RC_OK);
    assert_int_equal(buf_put_str(&in, "\r\n\r\n"), RC_OK);
    h1_head_init(&h);
    span s = buf_span(&in);
    enum rc rc = method ? h1_response(&h, s, span_str(method), &m, &used) : h1_request(&h, s, &m, &used);
    if (rc == RC_OK) {
        assert_int_equal(method ? relay_response(&out, &m, &o) : relay_request(&out, &m, &o), RC_OK);
        assert_clean(buf_span(&out), s);
        n_clean += m.body == BODY_CHUNKED || m.body == BODY_LENGTH;
        n_other += m.body != BODY_CHUNKED && m.body != BODY_LENGTH;
    } else {
        n_refused++;
    }
    buf_fini(&in);
    buf_fini(&out);
}

/* `word` with byte c put in, put over, or (c < 0) left out at `at`. */
static span variant(span word, size_t at, int c, bool over, uint8_t out[64])
{
    size_t n = 0;
    for (size_t i = 0; i <= word.n; i++) {
        if (i == at && c >= 0)
            out[n++] = (uint8_t)c;
        if (i < word.n && !(i == at && (over || c < 0)))
            out[n++] = word.p[i];
    }
    return span_of(out, n);
}

static void vary(span name, span colon, span value, const char *method)
{
    uint8_t out[64];
    span parts[3] = {name, colon, value};
    for (size_t which = 0; which < 3; which++) {
        for (size_t at = 0; at <= parts[which].n; at++) {
            for (int c = -1; c < 256; c++) {
                for (int over = 0; over < 2; over++) {
                    span v = variant(parts[which], at, c, over == 1, out);
                    check(which == 0 ? v : name, which == 1 ? v : colon, which == 2 ? v : value, method);
                }
            }
        }
    }
}

static void test_no_spelling_of_a_framing_field_gets_through_unclean(void **state)
{
    (void)state;
    vary(SPAN("Transfer-Encoding"), SPAN(": "), SPAN("chunked"), NULL);
    vary(SPAN("Content-Length"), SPAN(": "), SPAN("5"), NULL);
    vary(SPAN("Transfer-Encoding"), SPAN(": "), SPAN("chunked"), "GET");
    vary(SPAN("Content-Length"), SPAN(": "), SPAN("5"), "GET");
    print_message("%u refused, %u normalised, %u are other fields\n", n_refused, n_clean, n_other);
    assert_true(n_refused > 20000);
}

static void test_two_framing_fields_in_any_spelling(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "Transfer-Encoding: chunked",  "transfer-encoding:chunked", "Transfer-Encoding: identity",
        "Transfer-Encoding:",          "Content-Length: 5",         "content-length:5",
        "Content-Length: 6",           "Content-Length:",           "TRANSFER-ENCODING: x",
        "Transfer-Encoding: chunked,", "Content-Length: 5,5",       "Content-Length: +5",
    };
    const size_t n = sizeof lines / sizeof lines[0];
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            struct buf b = {0};
            struct h1_head h;
            size_t used;
            assert_int_equal(
                buf_printf(&b, "POST / HTTP/1.1\r\n%s\r\nHost: a\r\n%s\r\nX: 1\r\n\r\n", lines[i], lines[j]),
                RC_OK);
            h1_head_init(&h);
            assert_int_equal(h1_request(&h, buf_span(&b), &m, &used), RC_BAD);
            assert_true(h.why == H1_CL_AND_TE || h.why == H1_CL_TWO || h.why == H1_TE_TWO);
            buf_fini(&b);
        }
    }
}

/* The spellings that are right, and mean one thing. */
static void test_right_spellings_are_taken(void **state)
{
    (void)state;
    static const char *const right[] = {"Transfer-Encoding: chunked", "transfer-encoding:chunked",
                                        "TRANSFER-ENCODING: CHUNKED", "Transfer-Encoding:\t chunked \t",
                                        "tRANSFER-eNCODING:          chunKed"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        struct buf b = {0};
        struct h1_head h;
        size_t used;
        assert_int_equal(buf_printf(&b, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", right[i]), RC_OK);
        h1_head_init(&h);
        assert_int_equal(h1_request(&h, buf_span(&b), &m, &used), RC_OK);
        assert_int_equal(m.body, BODY_CHUNKED);
        assert_false(m.has_length);
        buf_fini(&b);
    }
}

/* Names that only share letters with the framing ones are nobody's business. */
static void test_neighbouring_names_are_other_fields(void **state)
{
    (void)state;
    static const char *const names[] = {"X-Content-Length",    "Content-Lengths",    "Content-Lengt",
                                        "Content-Language",    "Transfer-Encodings", "Content-Encoding",
                                        "X-Transfer-Encoding", "Accept-Encoding"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct buf b = {0};
        struct h1_head h;
        size_t used;
        assert_int_equal(buf_printf(&b, "GET / HTTP/1.1\r\nHost: a\r\n%s: 7\r\n\r\n", names[i]), RC_OK);
        h1_head_init(&h);
        assert_int_equal(h1_request(&h, buf_span(&b), &m, &used), RC_OK);
        assert_int_equal(m.body, BODY_NONE);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_spelling_of_a_framing_field_gets_through_unclean),
        cmocka_unit_test(test_two_framing_fields_in_any_spelling),
        cmocka_unit_test(test_right_spellings_are_taken),
        cmocka_unit_test(test_neighbouring_names_are_other_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
