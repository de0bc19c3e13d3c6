/* The ClientHello reader: what it takes, and that no cut of the wire changes its answer. Real hellos and
 * captures come from the shared test data and are skipped where that is absent. */
#include "tests/unit/gw/tls/hello_help.h"

static void a_hello_gives_all_its_facts(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_true(span_eq(h.sni, SPAN("www.example")));
    assert_int_equal(h.legacy_version, 0x0303);
    assert_int_equal(h.n_versions, 2);
    assert_int_equal(h.max_version, 0x0304);
    assert_int_equal(h.n_alpn, 2);
    assert_true(h.alpn_h2 && h.alpn_http11);
    assert_int_equal(h.n_groups, 2);
    assert_int_equal(h.groups[0], 0x11ec);
    assert_true(h.post_quantum);
    assert_int_equal(h.n_key_shares, 1);
    assert_int_equal(h.key_shares[0], 0x001d);
    assert_int_equal(h.n_ciphers, 3);
    assert_false(h.ech || h.early_data);
    /* sha256("1301,1302,c02f"), sha256("000a,000d,002b,0033_0403,0804") */
    assert_string_equal(h.ja4, "t13d0306h2_40b44b994229_e12c865f31a5");
    buf_fini(&m);
}

static void an_old_hello_without_extensions_is_taken(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    spec.version = 0x0301;
    spec.session = SPAN_NONE;
    spec.no_block = true;
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_int_equal(h.sni.n, 0);
    assert_int_equal(h.n_versions, 1);
    assert_int_equal(h.versions[0], 0x0301);
    assert_int_equal(h.max_version, 0x0301);
    assert_memory_equal(h.ja4, "t10i030000_", 11);
    assert_string_equal(h.ja4 + 24, "000000000000");
    every_cut(buf_span(&m), 1);
    buf_fini(&m);
}

/* RFC 5246 appendix E.2; SSL 2.0's own cipher (07 00 c0) is no suite. */
static void a_hello_in_the_form_of_ssl2_may_offer_tls(void **state)
{
    (void)state;
    static const uint8_t wire[] = "\x80\x1f" V2("\x06", "\x00", "\x10") "\x07\x00\xc0\x00\x00\x2f"
                                                                        "0123456789abcdef";
    span all = span_of(wire, sizeof wire - 1);
    expect_wire(all, HELLO_NONE);
    struct hello_reader r;
    struct hello h;
    hello_init(&r);
    assert_int_equal(hello_feed(&r, all, &h), RC_OK);
    assert_int_equal(h.max_version, 0x0301);
    assert_int_equal(h.n_ciphers, 1);
    assert_int_equal(h.ciphers[0], 0x002f);
    assert_int_equal(h.wire_len, all.n);
    assert_memory_equal(h.ja4, "t10i010000_", 11);
    struct hello want = h;
    for (size_t cut = 0; cut < all.n; cut++)
        feed_in_two(all, cut, &want);
    feed_bytewise(all, &want);
    hello_fini(&r);
}

static void grease_leaves_no_trace(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h, plain;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &plain, &why), RC_OK);
    char ja4[JA4_BYTES + 1];
    memcpy(ja4, plain.ja4, sizeof ja4);
    spec.ciphers = SPAN("\x2a\x2a\x13\x01\x13\x02\xc0\x2f");
    spec.block = SPAN("\x3a\x3a\x00\x00"
                      "\x00\x00\x00\x10\x00\x0e\x00\x00\x0bwww.example"
                      "\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1"
                      "\x00\x2b\x00\x07\x06\x4a\x4a\x03\x04\x03\x03"
                      "\x00\x0a\x00\x08\x00\x06\x5a\x5a\x11\xec\x00\x1d"
                      "\x00\x33\x00\x0c\x00\x0a\x5a\x5a\x00\x01\x00\x00\x1d\x00\x01K"
                      "\x00\x0d\x00\x08\x00\x06\xda\xda\x04\x03\x08\x04"
                      "\x7a\x7a\x00\x01\x00");
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_string_equal(h.ja4, ja4);
    assert_int_equal(h.n_versions, 2);
    assert_int_equal(h.n_groups, 2);
    assert_int_equal(h.n_key_shares, 1);
    assert_int_equal(h.n_ciphers, 3);
    buf_fini(&m);
}

/* Signatures with SHA-1 in any place of the list; a certificate after the handshake only with an empty body.
 */
static void sha_1_and_late_certificates_are_seen(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    spec.block = SPAN("\x00\x0d\x00\x06\x00\x04\x04\x03\x02\x03"
                      "\x00\x31\x00\x00");
    hellos_build(&m, &spec);
    assert_int_equal(hello_parse(buf_span(&m), &h, &why), RC_OK);
    assert_true(h.sha1_signatures && h.post_handshake_auth);
    buf_clear(&m);
    spec.block = SPAN("\x00\x0d\x00\x06\x00\x04\x04\x03\x08\x04");
    hellos_build(&m, &spec);
    assert_int_equal(hello_parse(buf_span(&m), &h, &why), RC_OK);
    assert_false(h.sha1_signatures || h.post_handshake_auth);
    buf_clear(&m);
    spec.block = SPAN("\x00\x31\x00\x01\x00");
    hellos_build(&m, &spec);
    assert_int_equal(hello_parse(buf_span(&m), &h, &why), RC_BAD);
    buf_fini(&m);
}

static void ech_early_data_and_drafts_are_seen(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    spec.block = SPAN("\xfe\x0d\x00\x02\x00\x01"
                      "\x00\x2a\x00\x00"
                      "\x00\x2b\x00\x05\x04\x7f\x1c\x03\x03");
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_true(h.ech && h.early_data);
    assert_false(h.post_quantum);
    assert_int_equal(h.max_version, 0x0303);
    assert_memory_equal(h.ja4, "t00i0303", 8); /* JA4 takes the highest number, which is the draft's */
    buf_fini(&m);
}

static void expect_ja4_alpn(span alpn, const char *two)
{
    struct ja4_in in = {.alpn = alpn};
    char ja4[JA4_BYTES + 1];
    assert_int_equal(ja4_make(&in, ja4), RC_OK);
    assert_memory_equal(ja4 + 8, two, 2);
}

static void ja4_shows_only_letters_and_digits_of_alpn(void **state)
{
    (void)state;
    expect_ja4_alpn(SPAN_NONE, "00");
    expect_ja4_alpn(SPAN("h2"), "h2");
    expect_ja4_alpn(SPAN("http/1.1"), "h1");
    expect_ja4_alpn(SPAN("x"), "xx");
    expect_ja4_alpn(SPAN("\xab\xcd"), "99");
    expect_ja4_alpn(SPAN("\n\""), "99");
}

static void ja4_counts_stop_at_99(void **state)
{
    (void)state;
    uint16_t list[JA4_MAX_LIST];
    for (uint16_t i = 0; i < JA4_MAX_LIST; i++)
        list[i] = (uint16_t)(0x8000 + i);
    struct ja4_in in = {.ciphers = list, .extensions = list, .sigalgs = list, .n_ciphers = 99};
    char ja4[JA4_BYTES + 1];
    in.n_extensions = in.n_sigalgs = JA4_MAX_LIST;
    assert_int_equal(ja4_make(&in, ja4), RC_OK);
    assert_memory_equal(ja4, "t00i999900_", 11);
    in.n_ciphers = JA4_MAX_LIST;
    assert_int_equal(ja4_make(&in, ja4), RC_OK);
    assert_memory_equal(ja4, "t00i999900_", 11);
}

static void what_follows_the_hello_is_left_alone(void **state)
{
    (void)state;
    struct buf m = {0}, wire = {0};
    struct hello h;
    struct hello_reader r;
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    hellos_records(&wire, buf_span(&m), 16384, 16384);
    size_t len = buf_len(&wire);
    hellos_must(buf_put(&wire, SPAN("\x14\x03\x03\x00\x01\x01")));
    hello_init(&r);
    assert_int_equal(hello_feed(&r, buf_span(&wire), &h), RC_OK);
    assert_int_equal(h.wire_len, len);
    assert_int_equal(r.fed, len);
    hello_fini(&r);
    buf_fini(&m);
    buf_fini(&wire);
}

static void a_hello_of_40_kib_in_any_cut_gives_one_answer(void **state)
{
    (void)state;
    struct buf m = {0}, block = {0};
    struct hellos_spec spec = hellos_plain();
    hellos_must(buf_put(&block, spec.block));
    hellos_must(buf_put(&block, SPAN("\x00\x15")));
    hellos_put_vec(&block, 2, span_of(hellos_zero, 30000));
    hellos_must(buf_put(&block, SPAN("\xab\xcd")));
    hellos_put_vec(&block, 2, span_of(hellos_zero, 10000));
    spec.block = buf_span(&block);
    hellos_build(&m, &spec);
    every_cut(buf_span(&m), 37);
    buf_fini(&m);
    buf_fini(&block);
}

static void every_reason_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HELLO_WHY_N; i++) {
        assert_true(strlen(hello_why_name((enum hello_why)i)) > 2);
        assert_true(strlen(hello_why_text((enum hello_why)i)) > 10);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(hello_why_name((enum hello_why)i), hello_why_name((enum hello_why)j));
    }
    assert_string_equal(hello_why_name(HELLO_WHY_N), "none");
}

/* ---- real ones ---- */

/* As it came, in every cut; and its message, recorded anew in every way. One of them is in the form of
 * SSL 2.0. */
static void check_real(const json_t *entry)
{
    struct buf wire = {0};
    struct hello_reader r;
    struct hello h;
    hellos_from_hex(&wire, json_string_value(json_object_get(entry, "client_hello_record_hex")));
    hello_init(&r);
    enum rc rc = hello_feed(&r, buf_span(&wire), &h);
    if (rc != RC_OK)
        print_error("%s: %s\n", json_string_value(json_object_get(entry, "name")), hello_why_name(r.why));
    assert_int_equal(rc, RC_OK);
    for (size_t cut = 0; cut < buf_len(&wire); cut++)
        feed_in_two(buf_span(&wire), cut, &h);
    feed_bytewise(buf_span(&wire), &h);
    if (!r.v2_len)
        every_cut(buf_span(&r.msg), 1);
    hello_fini(&r);
    buf_fini(&wire);
}

static void every_real_hello_parses_in_any_cut(void **state)
{
    (void)state;
    char path[512];
    json_t *all = json_load_file(data_path("tls/client-hellos/client_hellos.json", path), 0, NULL);
    if (!all) {
        print_message("no shared test data at %s\n", path);
        skip();
    }
    assert_int_equal(json_array_size(all), 81);
    for (size_t i = 0; i < json_array_size(all); i++)
        check_real(json_array_get(all, i));
    json_decref(all);
}

/* The hellos at the start of a client's stream: the first, and the second one after a HelloRetryRequest
 * (behind a change_cipher_spec record). Returns how many. */
static size_t stream_hellos(span bytes, char ja4[2][JA4_BYTES + 1])
{
    size_t n = 0;
    while (n < 2) {
        struct hello_reader r;
        struct hello h;
        if (span_has_prefix(bytes, SPAN("\x14\x03\x03\x00\x01\x01")))
            bytes = span_cut(bytes, 6, bytes.n);
        hello_init(&r);
        bool ok = hello_feed(&r, bytes, &h) == RC_OK;
        if (ok) {
            memcpy(ja4[n++], h.ja4, sizeof h.ja4);
            every_cut(buf_span(&r.msg), 1);
            bytes = span_cut(bytes, h.wire_len, bytes.n);
        }
        hello_fini(&r);
        if (!ok)
            break;
    }
    return n;
}

static const struct capture_stream *stream_of_port(const struct capture *c, long port)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->s[i].src_port == port)
            return &c->s[i];
    }
    return NULL;
}

/* One stream as the python implementation printed it: JA4.1 and, after a HelloRetryRequest, JA4.2. */
static size_t check_stream(const struct capture *c, const json_t *want)
{
    char ja4[2][JA4_BYTES + 1] = {""};
    const char *first = json_string_value(json_object_get(want, "JA4.1"));
    const char *second = json_string_value(json_object_get(want, "JA4.2"));
    if (!first || first[0] != 't')
        return 0;
    const struct capture_stream *s =
        stream_of_port(c, strtol(json_string_value(json_object_get(want, "srcport")), NULL, 10));
    assert_non_null(s);
    size_t n = stream_hellos(buf_span(&s->bytes), ja4);
    assert_int_equal(n, second ? 2 : 1);
    assert_string_equal(ja4[0], first);
    if (second)
        assert_string_equal(ja4[1], second);
    return n;
}

static size_t check_python(const struct capture *c, const char *name)
{
    char rest[256], path[512];
    size_t n = 0;
    snprintf(rest, sizeof rest, "tls/ja4/expected-python/%s.json", name);
    json_t *all = json_load_file(data_path(rest, path), 0, NULL);
    assert_non_null(all);
    for (size_t i = 0; i < json_array_size(all); i++)
        n += check_stream(c, json_array_get(all, i));
    json_decref(all);
    return n;
}

/* Snapshot lines of the rust implementation: "src_port: N" comes before "ja4: t..." of the same stream. */
static size_t check_rust(const struct capture *c, const char *name)
{
    char rest[256], path[512], line[512], got[2][JA4_BYTES + 1], want[JA4_BYTES + 1];
    long port = 0;
    size_t n = 0;
    snprintf(rest, sizeof rest, "tls/ja4/expected-rust/%s.snap", name);
    FILE *f = fopen(data_path(rest, path), "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        sscanf(line, " src_port: %ld", &port);
        if (sscanf(line, " ja4: %36s", want) != 1 || want[0] != 't')
            continue;
        const struct capture_stream *s = stream_of_port(c, port);
        assert_non_null(s);
        assert_true(stream_hellos(buf_span(&s->bytes), got) >= 1);
        assert_string_equal(got[0], want);
        n++;
    }
    fclose(f);
    return n;
}

static void ja4_equals_the_published_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t python, rust;
    } captures[] = {
        {"browsers-x509.pcapng", 3, 3},
        {"chrome-cloudflare-quic-with-secrets.pcapng", 1, 1},
        {"macos_tcp_flags.pcap", 1, 1},
        {"ssh2.pcapng", 5, 5},
        {"tls-non-ascii-alpn.pcapng", 1, 1},
        {"tls-sni.pcapng", 64, 59},
        {"tls12.pcap", 1, 1},
        {"dhcp.pcapng", 0, 0},
        {"v6.pcap", 0, 0},
        {"gre-erspan-vxlan.pcap", 0, 0},
    };
    for (size_t i = 0; i < N_ELEMS(captures); i++) {
        char rest[256], path[512];
        snprintf(rest, sizeof rest, "tls/ja4/pcap/%s", captures[i].name);
        struct capture *c = capture_open(data_path(rest, path));
        if (!c) {
            print_message("no shared test data at %s\n", path);
            skip();
        }
        size_t python = check_python(c, captures[i].name), rust = check_rust(c, captures[i].name);
        print_message("%s: %zu hellos against python, %zu against rust\n", captures[i].name, python, rust);
        assert_int_equal(python, captures[i].python);
        assert_int_equal(rust, captures[i].rust);
        capture_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_gives_all_its_facts),
        cmocka_unit_test(an_old_hello_without_extensions_is_taken),
        cmocka_unit_test(a_hello_in_the_form_of_ssl2_may_offer_tls),
        cmocka_unit_test(grease_leaves_no_trace),
        cmocka_unit_test(sha_1_and_late_certificates_are_seen),
        cmocka_unit_test(ech_early_data_and_drafts_are_seen),
        cmocka_unit_test(ja4_shows_only_letters_and_digits_of_alpn),
        cmocka_unit_test(ja4_counts_stop_at_99),
        cmocka_unit_test(what_follows_the_hello_is_left_alone),
        cmocka_unit_test(a_hello_of_40_kib_in_any_cut_gives_one_answer),
        cmocka_unit_test(every_reason_has_a_name_and_a_sentence),
        cmocka_unit_test(every_real_hello_parses_in_any_cut),
        cmocka_unit_test(ja4_equals_the_published_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
