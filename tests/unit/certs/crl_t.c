/* Others' revocation lists: what is not taken, then what is. Threats A 26. */
#include "certs/crl.h"
#include "certs/derin.h"

#include <time.h>
#include <unistd.h>

#include "certs/revoked.h"

#include "tests/unit/certs/make_crl.h"

static struct made issuer, other;

static int setup(void **state)
{
    (void)state;
    issuer = mk_cert(&(struct mk){.cn = "Lists", .exts = ROOT_EXTS}, NULL);
    other = mk_cert(&(struct mk){.cn = "Others", .exts = ROOT_EXTS}, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mk_free(&issuer);
    mk_free(&other);
    return 0;
}

static enum crl_why judge(const struct crl_mk *m, const struct crl_want *how)
{
    uint8_t *bytes;
    struct crl c;
    struct crl_mk mk = *m;
    struct crl_want want = {.issuer = issuer.cert, .url = SPAN("http://a.test/l.crl"), .now_s = NOW};
    if (how)
        want = *how;
    if (!mk.by)
        mk.by = &issuer;
    span der = crl_mk(&mk, &bytes);
    if (crl_read(der, &c) == RC_OK && crl_verify(&c, &want) == RC_OK)
        assert_int_equal(c.why, CRL_FINE);
    free(bytes);
    return c.why;
}

/* Identifier, critical or not, contents; each an extension in DER. */
#define EXT_DELTA        SPAN("\x30\x0d\x06\x03\x55\x1d\x1b\x01\x01\xff\x04\x03\x02\x01\x01")
#define EXT_UNKNOWN      SPAN("\x30\x0c\x06\x03\x2a\x03\x04\x01\x01\xff\x04\x02\x05\x00")
#define EXT_OTHER        SPAN("\x30\x09\x06\x03\x2a\x03\x04\x04\x02\x05\x00")
#define POINT(len, tail) SPAN("\x30" len "\x06\x03\x55\x1d\x1c\x01\x01\xff\x04" tail)
#define EXT_USERS        POINT("\x0f", "\x05\x30\x03\x81\x01\xff")
#define EXT_CAS          POINT("\x0f", "\x05\x30\x03\x82\x01\xff")
#define EXT_REASONS      POINT("\x10", "\x06\x30\x04\x83\x02\x06\x40")
#define EXT_INDIRECT     POINT("\x0f", "\x05\x30\x03\x84\x01\xff")
#define EXT_ATTRS        POINT("\x0f", "\x05\x30\x03\x85\x01\xff")
#define EXT_BROKEN       POINT("\x0f", "\x05\x30\x03\x86\x01\xff")
#define EXT_HERE         POINT("\x25", "\x1b\x30\x19\xa0\x17\xa0\x15\x86\x13http://a.test/l.crl")
#define EXT_THERE        POINT("\x25", "\x1b\x30\x19\xa0\x17\xa0\x15\x86\x13http://a.test/m.crl")
#define ENTRY_ISSUER     SPAN("\x30\x0e\x06\x03\x55\x1d\x1d\x01\x01\xff\x04\x04\x30\x02\xa4\x00")

static void lists_that_may_not_count_have_a_reason(void **state)
{
    (void)state;
    const struct {
        const char *label;
        struct crl_mk mk;
        enum crl_why want;
    } rows[] = {
        {"of another issuer", {.by = &other}, CRL_ISSUER},
        {"wrong signature", {.spoil = true, .n = 3}, CRL_SIGNATURE},
        {"out of date", {.from = -9 * DAY, .to = -DAY}, CRL_EXPIRED},
        {"ends before it begins", {.from = -DAY, .to = -2 * DAY}, CRL_EXPIRED},
        {"of tomorrow", {.from = DAY, .to = 5 * DAY}, CRL_NOT_YET_VALID},
        {"version 1", {.v1 = true}, CRL_VERSION},
        {"without an end", {.no_next = true}, CRL_MALFORMED},
        {"two algorithms", {.other_inner = true}, CRL_MALFORMED},
        {"signed by another digest than it says", {.md = "SHA384"}, CRL_SIGNATURE},
        {"delta", {.exts = EXT_DELTA}, CRL_DELTA},
        {"unknown critical", {.exts = EXT_UNKNOWN}, CRL_EXTENSION},
        {"authorities only", {.exts = EXT_CAS}, CRL_SCOPE},
        {"some reasons", {.exts = EXT_REASONS}, CRL_REASONS},
        {"indirect", {.exts = EXT_INDIRECT}, CRL_INDIRECT},
        {"attribute certificates", {.exts = EXT_ATTRS}, CRL_SCOPE},
        {"a scope that does not parse", {.exts = EXT_BROKEN}, CRL_MALFORMED},
        {"another shard", {.exts = EXT_THERE}, CRL_SCOPE},
        {"an entry of another issuer", {.n = 2, .entry_exts = ENTRY_ISSUER}, CRL_INDIRECT},
        {"an entry with an unknown critical extension", {.n = 2, .entry_exts = EXT_UNKNOWN}, CRL_EXTENSION},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum crl_why got = judge(&rows[i].mk, NULL);
        if (got != rows[i].want)
            fail_msg("%s: %s", rows[i].label, crl_why_name(got));
    }
}

static void lists_that_count_are_taken(void **state)
{
    (void)state;
    const struct crl_mk rows[] = {
        {.n = 0},
        {.n = 5, .number = 7},
        {.exts = EXT_OTHER},
        {.exts = EXT_USERS},
        {.exts = EXT_HERE},
        {.n = 4, .entry_exts = EXT_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(judge(&rows[i], NULL), CRL_FINE);
    struct crl_want of_authorities = {
        .issuer = issuer.cert, .url = SPAN("http://a.test/l.crl"), .now_s = NOW, .authorities = true};
    assert_int_equal(judge(&(struct crl_mk){.exts = EXT_CAS}, &of_authorities), CRL_FINE);
    assert_int_equal(judge(&(struct crl_mk){.exts = EXT_USERS}, &of_authorities), CRL_SCOPE);
}

/* Identifiers as above; a CRL number that is critical, and a scope with a host name beside its URL. */
#define EXT_NUMBER_CRITICAL SPAN("\x30\x0d\x06\x03\x55\x1d\x14\x01\x01\xff\x04\x03\x02\x01\x07")
#define EXT_MIXED                                                                   \
    POINT("\x2d", "\x23\x30\x21\xa0\x1f\xa0\x1d\x86\x13http://a.test/l.crl\x82\x06" \
                  "a.test")

static int64_t good_until(const struct crl_mk *m)
{
    uint8_t *bytes, *serials;
    struct crl c;
    struct crl_mk mk = *m;
    struct crl_want want = {.issuer = issuer.cert, .url = SPAN("http://a.test/l.crl"), .now_s = NOW};
    mk.by = &issuer;
    span der = crl_mk(&mk, &bytes);
    assert_int_equal(crl_read(der, &c), RC_OK);
    assert_int_equal(crl_verify(&c, &want), RC_OK);
    serials = malloc(c.n * CRL_SERIAL + 1);
    int64_t until = crl_good_until(&c, crl_serials(&c, serials));
    free(serials);
    free(bytes);
    return until;
}

static void a_list_out_of_form_revokes_and_proves_nobody_good(void **state)
{
    (void)state;
    const struct crl_mk odd[] = {
        {.n = 3},
        {.n = 3, .exts = EXT_NUMBER_CRITICAL},
        {.n = 3, .exts = EXT_MIXED, .number = 7},
        {.n = 3, .serial = "1002", .number = 7},
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_int_equal(judge(&odd[i], NULL), CRL_FINE);
        assert_int_equal(good_until(&odd[i]), NOW - DAY);
    }
    assert_int_equal(good_until(&(struct crl_mk){.n = 3, .number = 7}), NOW + 6 * DAY);
    assert_int_equal(good_until(&(struct crl_mk){.n = 3, .number = 7, .exts = EXT_HERE}), NOW + 6 * DAY);
}

static void an_issuer_that_may_not_sign_lists_signs_none(void **state)
{
    (void)state;
    struct made ca =
        mk_cert(&(struct mk){.cn = "No lists",
                             .exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                                      "subjectKeyIdentifier=hash"}},
                NULL);
    struct crl_want want = {.issuer = ca.cert, .now_s = NOW};
    assert_int_equal(judge(&(struct crl_mk){.by = &ca}, &want), CRL_NO_CRL_SIGN);
    mk_free(&ca);
}

static void serials_come_sorted_once_and_right_aligned(void **state)
{
    (void)state;
    uint8_t *bytes, *serials;
    struct crl c;
    static const char huge[] = "1461501637330902918203684832716283019655932542975"; /* 2^160 - 1 */
    span der = crl_mk(&(struct crl_mk){.by = &issuer, .n = 300, .serial = huge, .number = 300}, &bytes);
    assert_int_equal(crl_read(der, &c), RC_OK);
    assert_int_equal(c.n, 301);
    assert_int_equal(c.number[CRL_NUMBER - 1], 300 & 0xff);
    serials = malloc(c.n * CRL_SERIAL);
    size_t n = crl_serials(&c, serials);
    assert_int_equal(n, 301);
    for (size_t i = 1; i < n; i++)
        assert_true(memcmp(serials + (i - 1) * CRL_SERIAL, serials + i * CRL_SERIAL, CRL_SERIAL) < 0);
    assert_int_equal(serials[CRL_SERIAL - 2] << 8 | serials[CRL_SERIAL - 1], 1000);
    for (size_t i = 0; i < CRL_SERIAL; i++)
        assert_int_equal(serials[300 * CRL_SERIAL + i], 0xff);
    free(serials);
    free(bytes);
    /* longer than a certificate's may be: nobody's, and left out */
    der = crl_mk(&(struct crl_mk){.by = &issuer,
                                  .n = 2,
                                  .serial = "1461501637330902918203684832716283019655932542976"},
                 &bytes);
    uint8_t room[3 * CRL_SERIAL];
    assert_int_equal(crl_read(der, &c), RC_OK);
    assert_int_equal(c.n, 3);
    assert_int_equal(crl_serials(&c, room), 2);
    free(bytes);
}

static void a_certificates_serial_has_the_same_form(void **state)
{
    (void)state;
    uint8_t a[CRL_SERIAL], *bytes, b[CRL_SERIAL];
    struct crl c;
    struct made leaf = mk_cert(&(struct mk){.cn = "x", .serial = "255"}, &issuer);
    assert_true(crl_serial(leaf.cert, a));
    span der = crl_mk(&(struct crl_mk){.by = &issuer, .serial = "255"}, &bytes);
    assert_int_equal(crl_read(der, &c), RC_OK);
    assert_int_equal(crl_serials(&c, b), 1);
    assert_memory_equal(a, b, CRL_SERIAL);
    free(bytes);
    mk_free(&leaf);
}

/* Cut anywhere, or with a byte more, it is no list. */
static void no_part_of_a_list_is_a_list(void **state)
{
    (void)state;
    uint8_t *bytes, more[4096];
    struct crl c;
    span der = crl_mk(&(struct crl_mk){.by = &issuer, .n = 5, .exts = EXT_HERE, .number = 3}, &bytes);
    assert_int_equal(crl_read(der, &c), RC_OK);
    for (size_t n = 0; n < der.n; n++) {
        assert_int_equal(crl_read(span_cut(der, 0, n), &c), RC_BAD);
        assert_int_equal(c.why, CRL_MALFORMED);
    }
    memcpy(more, der.p, der.n);
    more[der.n] = 0;
    assert_int_equal(crl_read(span_of(more, der.n + 1), &c), RC_BAD);
    free(bytes);
}

static void lengths_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        bool ok;
    } rows[] = {
        {"\x04\x00", 2, true},
        {"\x04\x01", 2, false},
        {"\x04\x80\x00\x00", 4, false},
        {"\x04\x81\x01z", 4, false},
        {"\x04\x82\x00\x01z", 5, false},
        {"\x1f\x00\x00", 3, false},
        {"\x04\x85\x00\x00\x00\x00\x01z", 8, false},
        {"\x04", 1, false},
        {"", 0, false},
        {"\x05\x00", 2, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct derin d = derin_of(span_of(rows[i].bytes, rows[i].n));
        span body;
        assert_int_equal(derin_take(&d, DER_OCTETS, &body, NULL), rows[i].ok);
        assert_int_equal(d.bad, !rows[i].ok);
        assert_int_equal(derin_peek(&d), 0);
    }
    uint8_t big[200] = {DER_OCTETS, 0x81, 197};
    struct derin d = derin_of(span_of(big, sizeof big));
    span body, whole;
    assert_true(derin_take(&d, DER_OCTETS, &body, &whole));
    assert_int_equal(body.n, 197);
    assert_int_equal(whole.n, 200);
    assert_true(derin_end(&d));
}

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* ENTRIES=1000000 in the environment for larger ones. */
static void a_large_list_takes_a_moment(void **state)
{
    (void)state;
    const char *wanted = getenv("ENTRIES");
    size_t n = wanted ? strtoul(wanted, NULL, 10) : 100000;
    uint8_t *bytes;
    struct crl c;
    struct crl_want want = {.issuer = issuer.cert, .now_s = NOW};
    span der = crl_mk(&(struct crl_mk){.by = &issuer, .n = n}, &bytes);
    uint8_t *serials = malloc(n * CRL_SERIAL);
    int fd = -1;
    int64_t a = cpu_us();
    assert_int_equal(crl_read(der, &c), RC_OK);
    assert_int_equal(crl_verify(&c, &want), RC_OK);
    int64_t b = cpu_us();
    assert_int_equal(crl_serials(&c, serials), n);
    struct revoked_source src = {.id = {1}, .next_s = c.next_s, .serials = span_of(serials, n * CRL_SERIAL)};
    assert_int_equal(revoked_build(&src, 1, &fd), RC_OK);
    int64_t d = cpu_us();
    print_message(
        "%zu entries, %zu bytes: read and verified in %lld us of CPU, sorted and sealed in %lld us\n", n,
        der.n, (long long)(b - a), (long long)(d - b));
    assert_true(d - a < (int64_t)n * 20);
    close(fd);
    free(serials);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_have_one_form),
        cmocka_unit_test(lists_that_may_not_count_have_a_reason),
        cmocka_unit_test(an_issuer_that_may_not_sign_lists_signs_none),
        cmocka_unit_test(no_part_of_a_list_is_a_list),
        cmocka_unit_test(lists_that_count_are_taken),
        cmocka_unit_test(a_list_out_of_form_revokes_and_proves_nobody_good),
        cmocka_unit_test(serials_come_sorted_once_and_right_aligned),
        cmocka_unit_test(a_certificates_serial_has_the_same_form),
        cmocka_unit_test(a_large_list_takes_a_moment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
