/* What a captured worker may send as MINT: any bytes. A request that decodes encodes to the same bytes again;
 * a leaf that is made parses, is no CA, and names exactly what was asked. */
#include "certs/mint.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t point[65] = {4};

static void add_ext(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    gw_assert(ext && X509_add_ext(x, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static X509 *make_issuer(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"CA", -1, -1,
                               0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    ASN1_TIME_set(X509_getm_notBefore(x), 1700000000);
    ASN1_TIME_set(X509_getm_notAfter(x), 2000000000);
    X509_set_pubkey(x, key);
    add_ext(x, NID_basic_constraints, "critical,CA:TRUE");
    add_ext(x, NID_key_usage, "critical,keyCertSign");
    add_ext(x, NID_subject_key_identifier, "hash");
    add_ext(x, NID_name_constraints, "critical,excluded;DNS:bank.example");
    gw_assert(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static struct ca *make_ca(void)
{
    struct buf chain = {0}, err = {0};
    struct ca *ca = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = make_issuer(key);
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der), fd = memfd_create("key", MFD_CLOEXEC);
    FILE *f = fdopen(dup(fd), "w");
    gw_assert(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(f);
    gw_assert(buf_put_u16(&chain, (uint16_t)n) == RC_OK && buf_put(&chain, span_of(der, (size_t)n)) == RC_OK);
    gw_assert(ca_load_key(fd, buf_span(&chain), SPAN("http://gw.test/crl"), &ca, &err) == RC_OK);
    close(fd);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    X509_free(x);
    buf_fini(&chain);
    buf_fini(&err);
    return ca;
}

static void check_leaf(span der, const struct mint_request *req)
{
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    gw_assert(x && p == der.p + der.n && X509_check_ca(x) == 0);
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    gw_assert(sk_GENERAL_NAME_num(names) == req->n_sans);
    for (int i = 0; i < req->n_sans; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        gw_assert(g->type == (req->sans[i].kind == SAN_DNS ? GEN_DNS : GEN_IPADD));
        gw_assert(span_eq(req->sans[i].value,
                          span_of(ASN1_STRING_get0_data(g->d.ia5), (size_t)ASN1_STRING_length(g->d.ia5))));
    }
    GENERAL_NAMES_free(names);
    X509_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ca *ca;
    struct mint_request req;
    struct buf again = {0}, leaf = {0};
    const char *why = NULL;
    if (!ca)
        ca = make_ca();
    if (mint_decode(span_of(data, size), &req) != RC_OK)
        return 0;
    gw_assert(mint_encode(&again, &req) == RC_OK);
    gw_assert(span_eq(buf_span(&again), span_of(data, size)));
    enum rc rc = mint_leaf(ca, point, &req, &leaf, &why);
    gw_assert((rc == RC_OK && !why) || (rc == RC_DENIED && why));
    if (rc == RC_OK)
        check_leaf(buf_span(&leaf), &req);
    buf_fini(&again);
    buf_fini(&leaf);
    return 0;
}
