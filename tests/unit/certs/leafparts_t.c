/* Taking a leaf of our signer apart: every field where OpenSSL finds it, and nothing from what is not a leaf.
 */
#include "certs/leafparts.h"

#include <openssl/x509v3.h>

#include "certs/ca_int.h"
#include "tests/unit/certs/own_ca.h"

static void cut_or_longer_certificates_are_refused(void **state)
{
    struct own_ca o;
    struct buf der = {0};
    struct leaf_parts p;
    (void)state;
    own_ca_open(&o);
    struct mint_request req = own_ca_ask("www.site.example");
    own_ca_mint(&o, &req, &der);
    span all = buf_span(&der);
    assert_true(leaf_parts_read(all, &p));
    for (size_t i = 0; i < all.n; i++)
        assert_false(leaf_parts_read(span_cut(all, 0, i), &p));
    assert_int_equal(buf_put_u8(&der, 0), RC_OK);
    assert_false(leaf_parts_read(buf_span(&der), &p));
    own_ca_close(&o);
    buf_fini(&der);
}

/* Whatever byte changes: no crash, and what is found lies inside. */
static void changed_bytes_are_safe(void **state)
{
    struct own_ca o;
    struct buf der = {0};
    struct leaf_parts p;
    unsigned refused = 0;
    (void)state;
    own_ca_open(&o);
    struct mint_request req = own_ca_ask("www.site.example");
    own_ca_mint(&o, &req, &der);
    for (size_t i = 0; i < buf_len(&der); i++) {
        der.p[i] ^= 0x91;
        bool read = leaf_parts_read(buf_span(&der), &p);
        refused += !read;
        if (read)
            assert_true(p.names.p >= der.p && p.names.p + p.names.n <= der.p + buf_len(&der));
        der.p[i] ^= 0x91;
    }
    assert_true(refused > 60); /* every tag and length */
    own_ca_close(&o);
    buf_fini(&der);
}

static void a_certificate_of_another_shape_is_refused(void **state)
{
    struct made no_names = mk_cert(&(struct mk){.cn = "x"}, NULL);
    struct leaf_parts p;
    uint8_t *der = NULL;
    (void)state;
    int n = i2d_X509(no_names.cert, &der);
    assert_false(leaf_parts_read(span_of(der, (size_t)n), &p));
    OPENSSL_free(der);
    mk_free(&no_names);
}

static void every_field_is_where_openssl_finds_it(void **state)
{
    struct own_ca o;
    struct buf der = {0};
    struct leaf_parts p;
    (void)state;
    own_ca_open(&o);
    struct mint_request req = own_ca_ask("www.site.example");
    req.not_after = NOW + 300 * DAY;
    own_ca_mint(&o, &req, &der);
    assert_true(leaf_parts_read(buf_span(&der), &p));
    const uint8_t *at = der.p;
    X509 *x = d2i_X509(NULL, &at, (long)buf_len(&der));
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    assert_int_equal(p.serial.n, ASN1_STRING_length(serial));
    assert_memory_equal(p.serial.p, ASN1_STRING_get0_data(serial), p.serial.n);
    assert_int_equal(p.from, ca_time(X509_get0_notBefore(x)));
    assert_int_equal(p.to, ca_time(X509_get0_notAfter(x)));
    assert_true(span_eq(p.common_name, SPAN("www.site.example")));
    assert_false(p.names_critical);
    assert_true(p.authority.n > 20);
    const ASN1_BIT_STRING *sig;
    X509_get0_signature(&sig, NULL, x);
    assert_int_equal(p.signature.n, ASN1_STRING_length(sig));
    assert_memory_equal(p.signature.p, ASN1_STRING_get0_data(sig), p.signature.n);
    X509_free(x);
    req.sans[0] = (struct san){SAN_IP, SPAN("\x0a\x01\x02\x03")};
    own_ca_mint(&o, &req, &der);
    assert_true(leaf_parts_read(buf_span(&der), &p));
    assert_int_equal(p.common_name.n, 0);
    assert_true(p.names_critical);
    own_ca_close(&o);
    buf_fini(&der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_or_longer_certificates_are_refused),
        cmocka_unit_test(changed_bytes_are_safe),
        cmocka_unit_test(a_certificate_of_another_shape_is_refused),
        cmocka_unit_test(every_field_is_where_openssl_finds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
