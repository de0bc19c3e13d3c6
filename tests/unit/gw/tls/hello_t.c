/* The ClientHello reader: what it refuses and by which name. What it takes: hello_taken_t.c. */
#include "tests/unit/gw/tls/hello_help.h"

/* ---- what is refused on the wire ---- */

static void what_is_not_tls_is_refused_at_once(void **state)
{
    (void)state;
    expect_wire(SPAN("GET / HTTP/1.1\r\n"), HELLO_NOT_TLS);
    expect_wire(SPAN("SSH-2.0-x"), HELLO_NOT_TLS);
    expect_wire(SPAN("\x15\x03\x01\x00\x02\x02\x28"), HELLO_NOT_TLS);
    expect_wire(SPAN("\x16\x02\x00\x00\x10\x01"), HELLO_NOT_TLS);
    expect_wire(SPAN("\x80\x2e\x07\x03\x01\x00"), HELLO_NOT_TLS);
    assert_int_equal(hello_sniff(SPAN_NONE), RC_MORE);
    assert_int_equal(hello_sniff(SPAN("\x16")), RC_MORE);
    assert_int_equal(hello_sniff(SPAN("\x16\x03")), RC_OK);
    assert_int_equal(hello_sniff(SPAN("\x16\x04")), RC_BAD);
    assert_int_equal(hello_sniff(SPAN("P")), RC_BAD);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e")), RC_MORE);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e\x02")), RC_BAD);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e\x01\x03\x01")), RC_OK);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e\x01\x09\x01")), RC_BAD);
}

static void bad_hellos_in_the_form_of_ssl2_are_refused(void **state)
{
    (void)state;
    expect_wire(SPAN("\x80\x2e\x01\x00\x02\x00\x15\x00\x00"), HELLO_SSLV2); /* SSL 2.0 itself */
    expect_wire(SPAN("\x80\x08\x01\x03\x01\x00\x00\x00\x00\x00"), HELLO_SHORT);
    expect_wire(SPAN("\x80\x0c" V2("\x06", "\x00", "\x00") "\x00\x00\x2f"), HELLO_SHORT);
    expect_wire(SPAN("\x80\x0d" V2("\x03", "\x00", "\x00") "\x00\x00\x2f\x00"), HELLO_REST);
    expect_wire(SPAN("\x80\x09" V2("\x00", "\x00", "\x00")), HELLO_CIPHERS);
    expect_wire(SPAN("\x80\x0b" V2("\x02", "\x00", "\x00") "\x00\x2f"), HELLO_CIPHERS);
    expect_wire(SPAN("\x80\x2d" V2("\x03", "\x21", "\x00") "\x00\x00\x2f"
                                                           "0123456789abcdef0123456789abcdef0"),
                HELLO_SESSION_ID);
}

static void bad_records_are_refused(void **state)
{
    (void)state;
    expect_wire(SPAN("\x16\x03\x01\x00\x00\x16"), HELLO_RECORD_EMPTY);
    expect_wire(SPAN("\x16\x03\x01\x40\x01\x01"), HELLO_RECORD_LONG);
    expect_wire(SPAN("\x16\x03\x01\x00\x04\x02\x00\x00\x20"), HELLO_NOT_HELLO);
    expect_wire(SPAN("\x16\x03\x01\x00\x04\x01\x01\x00\x00"), HELLO_TOO_LONG);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x15\x03\x01\x00\x02\x02\x28"), HELLO_RECORD_TYPE);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x17\x03\x03\x00\x02\x02\x28"), HELLO_RECORD_TYPE);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x16\x02\x01\x00\x02\x02\x28"), HELLO_RECORD_VERSION);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00"), HELLO_RECORD_EMPTY);
}

static void bytes_behind_the_hello_in_its_record_are_refused(void **state)
{
    (void)state;
    struct buf m = {0}, wire = {0};
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    assert_int_equal(buf_put_u8(&m, 0), RC_OK);
    hellos_records(&wire, buf_span(&m), 16384, 16384);
    expect_wire(buf_span(&wire), HELLO_RECORD_REST);
    buf_fini(&m);
    buf_fini(&wire);
}

/* A stranger who sends the hello in records of one byte pays for their headers too. */
static void record_headers_count_against_the_limit(void **state)
{
    (void)state;
    struct buf wire = {0}, m = {0};
    struct hellos_spec spec = hellos_plain();
    struct buf block = {0};
    hellos_must(buf_put(&block, SPAN("\x00\x15")));
    hellos_put_vec(&block, 2, span_of(hellos_zero, 12000));
    spec.block = buf_span(&block);
    hellos_build(&m, &spec);
    hellos_records(&wire, buf_span(&m), 1, 1);
    assert_true(buf_len(&wire) > LIM_HELLO_BYTES);
    expect_wire(buf_span(&wire), HELLO_TOO_LONG);
    hellos_records(&wire, buf_span(&m), 1, 16384);
    expect_wire(buf_span(&wire), HELLO_NONE);
    buf_fini(&block);
    buf_fini(&m);
    buf_fini(&wire);
}

/* ---- what is refused in the message ---- */

static void every_truncation_of_a_hello_is_refused(void **state)
{
    (void)state;
    struct buf m = {0}, cut = {0};
    struct hellos_spec spec = hellos_plain();
    struct hello h;
    enum hello_why why;
    hellos_build(&m, &spec);
    for (size_t n = 0; n < buf_len(&m); n++) { /* length fields left as they were */
        assert_int_equal(hello_parse(span_cut(buf_span(&m), 0, n), &h, &why), RC_BAD);
        assert_int_equal(why, HELLO_SHORT);
    }
    size_t no_block = 4 + 2 + 32 + 33 + 8 + 2;
    for (size_t n = 0; n + 4 < buf_len(&m); n++) { /* outer length mended */
        buf_clear(&cut);
        hellos_must(buf_put_u8(&cut, 1));
        hellos_put_vec(&cut, 3, span_cut(buf_span(&m), 4, 4 + n));
        enum rc rc = hello_parse(buf_span(&cut), &h, &why);
        assert_int_equal(rc, n + 4 == no_block ? RC_OK : RC_BAD);
    }
    buf_fini(&m);
    buf_fini(&cut);
}

static void wrong_fixed_fields_are_refused(void **state)
{
    (void)state;
    struct hellos_spec s = hellos_plain();
    s.version = 0x0200;
    expect_spec(&s, HELLO_VERSION);
    s = hellos_plain();
    s.session = span_of(hellos_zero, 33);
    expect_spec(&s, HELLO_SESSION_ID);
    s = hellos_plain();
    s.ciphers = SPAN_NONE;
    expect_spec(&s, HELLO_CIPHERS);
    s.ciphers = SPAN("\x13\x01\x13");
    expect_spec(&s, HELLO_CIPHERS);
    s.ciphers = span_of(hellos_zero, 2 * 257);
    expect_spec(&s, HELLO_TOO_MANY);
    s.ciphers = span_of(hellos_zero, 2 * 256);
    expect_spec(&s, HELLO_NONE);
    s = hellos_plain();
    s.methods = SPAN_NONE;
    expect_spec(&s, HELLO_COMPRESSION);
    s.methods = SPAN("\x01");
    expect_spec(&s, HELLO_COMPRESSION);
    s.methods = SPAN("\x01\x00"); /* sound up to TLS 1.2, and this one offers 1.3 */
    expect_spec(&s, HELLO_COMPRESSION);
    s.block = SPAN_NONE;
    expect_spec(&s, HELLO_NONE);
    s = hellos_plain();
    s.behind = SPAN("\x00");
    expect_spec(&s, HELLO_REST);
}

static void bad_extension_blocks_are_refused(void **state)
{
    (void)state;
    expect_block(SPAN("\x00\x17\x00"), HELLO_SHORT);
    expect_block(SPAN("\x00\x17\x00\x01"), HELLO_SHORT);
    expect_block(SPAN("\x00\x17\x00\x00\x00\x17\x00\x00"), HELLO_EXT_DUPLICATE);
    expect_block(SPAN("\xab\xcd\x00\x00\x00\x17\x00\x00\xab\xcd\x00\x00"), HELLO_EXT_DUPLICATE); /* unknown */
    expect_block(SPAN("\x1a\x1a\x00\x00\x00\x17\x00\x00\x1a\x1a\x00\x00"), HELLO_EXT_DUPLICATE); /* GREASE */
    expect_block(SPAN("\x00\x29\x00\x00\x00\x17\x00\x00"), HELLO_PSK_NOT_LAST);
    expect_block(SPAN("\x00\x17\x00\x00\x00\x29\x00\x00"), HELLO_NONE);
    struct buf many = {0};
    for (uint16_t i = 0; i < 129; i++)
        hellos_must(buf_put_u32(&many, (uint32_t)(0x7000u + i) << 16));
    expect_block(buf_span(&many), HELLO_TOO_MANY);
    expect_block(span_cut(buf_span(&many), 0, 4 * 128), HELLO_NONE);
    buf_fini(&many);
}

static void expect_long_sni(size_t len, enum hello_why want)
{
    struct buf b = {0}, name = {0};
    for (size_t i = 0; i < len; i++)
        hellos_must(buf_put_u8(&name, 'a'));
    hellos_must(buf_put_u16(&b, 0));
    hellos_must(buf_put_u16(&b, (uint16_t)(len + 5)));
    hellos_must(buf_put_u16(&b, (uint16_t)(len + 3)));
    hellos_must(buf_put_u8(&b, 0));
    hellos_put_vec(&b, 2, buf_span(&name));
    expect_block(buf_span(&b), want);
    buf_fini(&b);
    buf_fini(&name);
}

static void bad_server_names_are_refused(void **state)
{
    (void)state;
    expect_block(SPAN("\x00\x00\x00\x00"), HELLO_SNI_EMPTY);
    expect_block(SPAN("\x00\x00\x00\x02\x00\x00"), HELLO_SNI_EMPTY);
    expect_block(SPAN("\x00\x00\x00\x05\x00\x03\x00\x00\x00"), HELLO_SNI_EMPTY);
    expect_block(SPAN("\x00\x00\x00\x01\x00"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x00\x00\x07\x00\x04\x00\x00\x01"
                      "a\x00"),
                 HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x00\x00\x06\x00\x04\x00\x00\x02"
                      "a"),
                 HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x00\x00\x0a\x00\x08\x00\x00\x01"
                      "a\x00\x00\x01"
                      "b"),
                 HELLO_SNI_TWO);
    expect_block(SPAN("\x00\x00\x00\x08\x00\x06\x00\x00\x03"
                      "a\x00"
                      "b"),
                 HELLO_SNI_NUL);
    expect_long_sni(255, HELLO_NONE);
    expect_long_sni(256, HELLO_SNI_LONG);
    expect_long_sni(9000, HELLO_SNI_LONG);
    /* a name of another type beside the host name is passed over */
    expect_block(SPAN("\x00\x00\x00\x0a\x00\x08\x07\x00\x01"
                      "x\x00\x00\x01"
                      "a"),
                 HELLO_NONE);
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    expect_block(SPAN("\x00\x10\x00\x02\x00\x00"), HELLO_ALPN_EMPTY);
    expect_block(SPAN("\x00\x10\x00\x03\x00\x01\x00"), HELLO_ALPN_EMPTY);
    expect_block(SPAN("\x00\x10\x00\x04\x00\x02\x02h"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x10\x00\x06\x00\x03\x02h2x"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x2b\x00\x01\x00"), HELLO_VERSIONS_EMPTY);
    expect_block(SPAN("\x00\x2b\x00\x03\x02\x1a\x1a"), HELLO_VERSIONS_EMPTY);
    expect_block(SPAN("\x00\x2b\x00\x04\x03\x03\x04\x03"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x2b\x00\x04\x02\x03\x04\x03"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x0a\x00\x02\x00\x00"), HELLO_GROUPS_EMPTY);
    expect_block(SPAN("\x00\x0a\x00\x03\x00\x01\x00"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x0d\x00\x02\x00\x00"), HELLO_SIGALGS_EMPTY);
    expect_block(SPAN("\x00\x0d\x00\x05\x00\x03\x04\x03\x08"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x33\x00\x06\x00\x04\x00\x1d\x00\x00"), HELLO_KEY_SHARE_EMPTY);
    expect_block(SPAN("\x00\x33\x00\x06\x00\x04\x00\x1d\x00\x01"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x33\x00\x0c\x00\x0a\x00\x1d\x00\x01K\x00\x1d\x00\x01K"), HELLO_KEY_SHARE_TWICE);
    expect_block(SPAN("\x00\x33\x00\x02\x00\x00"), HELLO_NONE); /* asks for a HelloRetryRequest */
    expect_block(SPAN("\x00\x2a\x00\x01\x00"), HELLO_EARLY_DATA);
}

static void expect_list_of(uint16_t type, size_t n, size_t item, enum hello_why want)
{
    struct buf list = {0}, b = {0};
    for (size_t i = 0; i < n; i++) {
        hellos_must(buf_put_u16(&list, (uint16_t)(0x0100 + i))); /* as ALPN: one byte of name */
        if (item > 2)
            hellos_must(buf_put(&list, SPAN("\x00\x01K")));
    }
    hellos_must(buf_put_u16(&b, type));
    hellos_must(buf_put_u16(&b, (uint16_t)(buf_len(&list) + 2)));
    hellos_put_vec(&b, 2, buf_span(&list));
    expect_block(buf_span(&b), want);
    buf_fini(&list);
    buf_fini(&b);
}

static void lists_have_an_end(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        size_t item;
    } lists[] = {{16, 2}, {10, 2}, {13, 2}, {51, 5}};
    for (size_t i = 0; i < N_ELEMS(lists); i++) {
        expect_list_of(lists[i].type, HELLO_MAX_LIST, lists[i].item, HELLO_NONE);
        expect_list_of(lists[i].type, HELLO_MAX_LIST + 1, lists[i].item, HELLO_TOO_MANY);
    }
}

static void another_message_is_no_hello(void **state)
{
    (void)state;
    struct hello h;
    enum hello_why why;
    assert_int_equal(hello_parse(SPAN("\x02\x00\x00\x01x"), &h, &why), RC_BAD);
    assert_int_equal(why, HELLO_NOT_HELLO);
    assert_int_equal(hello_parse(SPAN("\x01\x00\x00\x01xy"), &h, &why), RC_BAD);
    assert_int_equal(why, HELLO_RECORD_REST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_tls_is_refused_at_once),
        cmocka_unit_test(bad_hellos_in_the_form_of_ssl2_are_refused),
        cmocka_unit_test(bad_records_are_refused),
        cmocka_unit_test(bytes_behind_the_hello_in_its_record_are_refused),
        cmocka_unit_test(record_headers_count_against_the_limit),
        cmocka_unit_test(every_truncation_of_a_hello_is_refused),
        cmocka_unit_test(wrong_fixed_fields_are_refused),
        cmocka_unit_test(bad_extension_blocks_are_refused),
        cmocka_unit_test(bad_server_names_are_refused),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(another_message_is_no_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
