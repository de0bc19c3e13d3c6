/* Makes the bench's certificates with OpenSSL: strict enough for every verifier (SKI, AKI, KU, EKU, BC; RFC
 * 5280), short lived, and fresh for each run, so that no key of a bench is ever worth stealing. */
#include "bench/pki.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "bench/say.h"
#include "gw/base/obj.h"

struct issuer {
    X509 *crt;
    EVP_PKEY *key;
};

struct cert_plan {
    const char *subject;
    const char *dns;             /* one name in SAN; NULL for a CA */
    const struct issuer *issuer; /* NULL: signs itself */
    EVP_PKEY *key;
};

void pki_name(unsigned long i, char out[PKI_NAME_MAX])
{
    if (i == 0)
        snprintf(out, PKI_NAME_MAX, "www.%s", PKI_DOMAIN);
    else
        snprintf(out, PKI_NAME_MAX, "n%05lu.%s", i, PKI_DOMAIN);
}

static bool add_ext(X509 *crt, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, crt, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(crt, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool add_all_ext(X509 *crt, X509 *issuer, const char *dns)
{
    char san[PKI_NAME_MAX + 16];
    bool ok = add_ext(crt, issuer, NID_subject_key_identifier, "hash");
    if (issuer != crt)
        ok = ok && add_ext(crt, issuer, NID_authority_key_identifier, "keyid:always");
    if (!dns)
        return ok && add_ext(crt, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
               add_ext(crt, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    snprintf(san, sizeof(san), "DNS:%s", dns);
    return ok && add_ext(crt, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_ext(crt, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_ext(crt, issuer, NID_ext_key_usage, "serverAuth") &&
           add_ext(crt, issuer, NID_subject_alt_name, san);
}

static bool set_serial(X509 *crt)
{
    unsigned char raw[16];
    if (RAND_bytes(raw, sizeof(raw)) != 1)
        return false;
    raw[0] = (raw[0] & 0x7f) | 0x40; /* positive, full length */
    BIGNUM *bn = BN_bin2bn(raw, sizeof(raw), NULL);
    bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(crt));
    BN_free(bn);
    return ok;
}

static bool set_names(X509 *crt, X509 *issuer, const char *subject)
{
    X509_NAME *name = X509_get_subject_name(crt);
    bool ok = X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Perron bench", -1,
                                         -1, 0) &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0);
    return ok && X509_set_issuer_name(crt, X509_get_subject_name(issuer));
}

static X509 *make_cert(const struct cert_plan *plan)
{
    enum { HOUR_S = 3600, MONTH_S = 30 * 24 * HOUR_S };
    X509 *crt = X509_new();
    if (!crt)
        return NULL;
    X509 *issuer = plan->issuer ? plan->issuer->crt : crt;
    EVP_PKEY *signer = plan->issuer ? plan->issuer->key : plan->key;
    bool ok = X509_set_version(crt, X509_VERSION_3) && set_serial(crt) &&
              set_names(crt, issuer, plan->subject) && X509_gmtime_adj(X509_getm_notBefore(crt), -HOUR_S) &&
              X509_gmtime_adj(X509_getm_notAfter(crt), MONTH_S) && X509_set_pubkey(crt, plan->key) &&
              add_all_ext(crt, issuer, plan->dns) && X509_sign(crt, signer, EVP_sha256()) > 0;
    if (ok)
        return crt;
    X509_free(crt);
    return NULL;
}

/* Key (when given), then up to two certificates, into one PEM file. */
static enum rc write_pem(const char *dir, const char *file, EVP_PKEY *key, X509 *const crt[2])
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        obj_close_p(&fd);
        return RC_IO;
    }
    bool ok = !key || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    for (int i = 0; i < 2 && crt[i]; i++)
        ok = ok && PEM_write_X509(f, crt[i]);
    return fclose(f) == 0 && ok ? RC_OK : RC_IO;
}

/* Origin leaves: all share one key, which changes nothing for those who verify them. */
static enum rc make_leaves(const char *dir, unsigned long n_names, const struct issuer *by, X509 *sent_with)
{
    X509 *const no_cert[2] = {NULL, NULL};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    enum rc rc = key ? write_pem(dir, "origin.key", key, no_cert) : RC_NOMEM;
    for (unsigned long i = 0; i <= n_names && rc == RC_OK; i++) {
        char name[PKI_NAME_MAX], file[PKI_NAME_MAX + 8];
        pki_name(i, name);
        snprintf(file, sizeof(file), "%s.pem", name);
        X509 *leaf = make_cert(&(struct cert_plan){name, name, by, key});
        X509 *const chain[2] = {leaf, sent_with};
        rc = leaf ? write_pem(dir, file, NULL, chain) : RC_NOMEM;
        X509_free(leaf);
    }
    EVP_PKEY_free(key);
    return rc;
}

/* As Perron's: a leaf and its issuing CA are sent. */
static enum rc make_fixed(const char *dir, const struct issuer *by)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = key ? make_cert(&(struct cert_plan){"fixed", "*." PKI_DOMAIN, by, key}) : NULL;
    X509 *const chain[2] = {leaf, by->crt};
    enum rc rc = leaf ? write_pem(dir, "haproxy.pem", key, chain) : RC_NOMEM;
    X509_free(leaf);
    EVP_PKEY_free(key);
    return rc;
}

static enum rc make_with(const char *dir, unsigned long n_names, bool intermediate, const struct issuer ca[2])
{
    X509 *const root[2] = {ca[0].crt, NULL};
    TRY(write_pem(dir, "root.pem", NULL, root));
    TRY(make_fixed(dir, &ca[1]));
    return make_leaves(dir, n_names, &ca[intermediate ? 1 : 0], intermediate ? ca[1].crt : NULL);
}

enum rc pki_make(const char *dir, unsigned long n_names, bool intermediate)
{
    struct issuer ca[2] = {{NULL, EVP_EC_gen("P-256")}, {NULL, EVP_EC_gen("P-256")}};
    if (ca[0].key)
        ca[0].crt = make_cert(&(struct cert_plan){"Bench root", NULL, NULL, ca[0].key});
    if (ca[0].crt && ca[1].key)
        ca[1].crt = make_cert(&(struct cert_plan){"Bench issuing CA", NULL, &ca[0], ca[1].key});
    enum rc rc = ca[1].crt ? make_with(dir, n_names, intermediate, ca) : RC_NOMEM;
    for (int i = 0; i < 2; i++) {
        X509_free(ca[i].crt);
        EVP_PKEY_free(ca[i].key);
    }
    if (rc != RC_OK)
        say_error("cannot make the bench's certificates in %s: %s", dir, rc_text(rc));
    return rc;
}
