/* `perronctl ca show`: what a person compares with what a client shows, as text or JSON; see ca.h. */
#include <jansson.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "certs/ca_int.h"
#include "gw/base/obj.h"

enum { NAME_TEXT = 512, FP_TEXT = 96, SERIAL_TEXT = 64 };

struct facts {
    char subject[NAME_TEXT], serial[SERIAL_TEXT], sha256[FP_TEXT], from[16], to[16], key[32];
};

static void name_text(const X509_NAME *name, char out[NAME_TEXT])
{
    BIO *b = BIO_new(BIO_s_mem());
    int n = b && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0 ? BIO_read(b, out, NAME_TEXT - 1) : 0;
    out[n > 0 ? n : 0] = '\0';
    BIO_free(b);
}

static void hex_text(span s, char sep, char *out, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 4 <= cap; i++) {
        if (i && sep)
            out[n++] = sep;
        out[n++] = digits[s.p[i] >> 4];
        out[n++] = digits[s.p[i] & 15];
    }
    out[n] = '\0';
}

static enum rc facts_of(X509 *x, struct facts *f)
{
    uint8_t fp[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    if (X509_digest(x, EVP_sha256(), fp, &n) != 1)
        return RC_NOMEM;
    name_text(X509_get_subject_name(x), f->subject);
    hex_text(span_of(fp, n), ':', f->sha256, sizeof f->sha256);
    hex_text(span_of(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)), 0, f->serial,
             sizeof f->serial);
    ca_date_text(ca_time(X509_get0_notBefore(x)), f->from);
    ca_date_text(ca_time(X509_get0_notAfter(x)), f->to);
    EVP_PKEY *key = X509_get0_pubkey(x);
    snprintf(f->key, sizeof f->key, "%s %d", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
    return RC_OK;
}

static enum rc put_text(struct buf *out, const char *what, const struct facts *f)
{
    return buf_printf(out,
                      "%s\n  subject  %s\n  serial   %s\n  valid    %s to %s\n  key      %s\n  SHA-256  %s\n",
                      what, f->subject, f->serial, f->from, f->to, f->key, f->sha256);
}

static json_t *facts_json(const struct facts *f)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "subject", f->subject, "serial", f->serial,
                     "not_before", f->from, "not_after", f->to, "key", f->key, "sha256", f->sha256);
}

static enum rc put_json(struct buf *out, const struct facts *root, const struct facts *issuing, bool root_key)
{
    json_t *j = json_pack("{s:o, s:o, s:b}", "root", facts_json(root), "issuing", facts_json(issuing),
                          "root_key_here", root_key);
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    enum rc rc = text ? buf_printf(out, "%s\n", text) : RC_NOMEM;
    free(text);
    json_decref(j);
    return rc;
}

static enum rc show(const char *dir, bool json, X509 *root, X509 *issuing, struct buf *text)
{
    struct facts r, i;
    struct stat st;
    char key[CA_PATH_BYTES];
    int n = snprintf(key, sizeof key, "%s/root.key", dir);
    bool root_key = n > 0 && n < (int)sizeof key && lstat(key, &st) == 0;
    TRY(facts_of(root, &r));
    TRY(facts_of(issuing, &i));
    if (json)
        return put_json(text, &r, &i, root_key);
    TRY(put_text(text, "root", &r));
    TRY(put_text(text, "issuing CA", &i));
    return root_key ? buf_printf(
                          text,
                          "The root's key is still here (%s). It is needed only for a new issuing CA: keep it"
                          " on paper or on a stick in a safe, and remove it from this machine.\n",
                          key)
                    : RC_OK;
}

enum rc ca_show(const char *state_dir, bool json, struct buf *text, struct buf *err)
{
    char dir[CA_PATH_BYTES];
    X509 *root = NULL, *issuing = NULL;
    buf_clear(text);
    if (ca_dir(state_dir, dir) != RC_OK)
        return ca_fail(err, "the state directory's name is too long");
    enum rc rc = ca_read_cert(dir, "root.crt", &root, err);
    if (rc == RC_OK)
        rc = ca_read_cert(dir, "issuing.crt", &issuing, err);
    if (rc == RC_OK)
        rc = show(dir, json, root, issuing, text);
    X509_free(root);
    X509_free(issuing);
    return rc;
}
