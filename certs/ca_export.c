/* `perronctl ca export --for KIND`: the root in the form that each kind of client takes, and what to do with
 * it; see ca.h. Only the root's certificate leaves; a file that is there already is never overwritten. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "certs/ca_int.h"
#include "gw/base/obj.h"

#define JAVA_PASSWORD "changeit" /* Java's own default; the file holds nothing secret */

struct root {
    X509 *cert;
    struct buf der;
    uint8_t sha256[32];
};

static enum rc put_pem(const struct root *r, struct buf *out)
{
    BIO *b = BIO_new(BIO_s_mem());
    const uint8_t *p = NULL;
    long n = b && PEM_write_bio_X509(b, r->cert) == 1 ? BIO_get_mem_data(b, &p) : 0;
    enum rc rc = n > 0 ? buf_put(out, span_of(p, (size_t)n)) : RC_NOMEM;
    BIO_free(b);
    return rc;
}

static enum rc put_der(const struct root *r, struct buf *out)
{
    return buf_put(out, buf_span(&r->der));
}

/* https://mozilla.github.io/policy-templates/#certificates */
static enum rc put_firefox(const struct root *r, struct buf *out)
{
    (void)r;
    return buf_put_str(
        out, "{\n  \"policies\": {\n    \"Certificates\": {\n      \"ImportEnterpriseRoots\": true,\n"
             "      \"Install\": [\"perron-root.pem\"]\n    }\n  }\n}\n");
}

static enum rc put_base64(span s, struct buf *out)
{
    size_t max = (s.n + 2) / 3 * 4 + 1;
    TRY(buf_reserve(out, max));
    int n = EVP_EncodeBlock(out->p + out->w, s.p, (int)s.n);
    out->w += (size_t)n;
    return RC_OK;
}

/* The same root always yields the same identifiers, so that a profile installed again replaces itself. */
static void uuid_text(const uint8_t b[16], char out[40])
{
    snprintf(out, 40, "%02X%02X%02X%02X-%02X%02X-8%01X%02X-8%01X%02X-%02X%02X%02X%02X%02X%02X", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6] & 15, b[7], b[8] & 15, b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

static enum rc put_ios(const struct root *r, struct buf *out)
{
    char inner[40], outer[40];
    uuid_text(r->sha256, inner);
    uuid_text(r->sha256 + 16, outer);
    TRY(buf_printf(out,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
                   "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
                   "<plist version=\"1.0\">\n<dict>\n"
                   "<key>PayloadType</key><string>Configuration</string>\n<key>PayloadVersion</"
                   "key><integer>1</integer>\n"
                   "<key>PayloadIdentifier</key><string>perron.root</string>\n<key>PayloadUUID</"
                   "key><string>%s</string>\n"
                   "<key>PayloadDisplayName</key><string>Perron root certificate</string>\n"
                   "<key>PayloadContent</key>\n<array>\n<dict>\n"
                   "<key>PayloadType</key><string>com.apple.security.root</string>\n"
                   "<key>PayloadVersion</key><integer>1</integer>\n"
                   "<key>PayloadIdentifier</key><string>perron.root.certificate</string>\n"
                   "<key>PayloadUUID</key><string>%s</string>\n"
                   "<key>PayloadDisplayName</key><string>Perron root certificate</string>\n"
                   "<key>PayloadContent</key>\n<data>",
                   outer, inner));
    TRY(put_base64(buf_span(&r->der), out));
    return buf_put_str(out, "</data>\n</dict>\n</array>\n</dict>\n</plist>\n");
}

/* Java takes a certificate in a PKCS#12 for a trust anchor only with Oracle's attribute "trusted key usage"
 * on its bag; the value is anyExtendedKeyUsage. */
static bool java_bag(STACK_OF(PKCS12_SAFEBAG) * *bags, X509 *cert)
{
    static const char trusted_key_usage[] = "2.16.840.1.113894.746875.1.1";
    const uint8_t *any = (const uint8_t *)OBJ_nid2obj(NID_anyExtendedKeyUsage);
    PKCS12_SAFEBAG *bag = PKCS12_add_cert(bags, cert);
    return bag && PKCS12_add_friendlyname_utf8(bag, "perron-root", -1) == 1 &&
           PKCS12_add1_attr_by_txt(bag, trusted_key_usage, V_ASN1_OBJECT, any, -1) == 1;
}

static enum rc put_java(const struct root *r, struct buf *out)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    STACK_OF(PKCS7) *safes = NULL;
    PKCS12 *p12 = NULL;
    uint8_t *der = NULL;
    int n = 0;
    if (java_bag(&bags, r->cert) && PKCS12_add_safe(&safes, bags, -1, 0, NULL) == 1)
        p12 = PKCS12_add_safes(safes, 0);
    if (p12 && PKCS12_set_mac(p12, JAVA_PASSWORD, -1, NULL, 0, 2048, EVP_sha256()) == 1)
        n = i2d_PKCS12(p12, &der);
    enum rc rc = n > 0 ? buf_put(out, span_of(der, (size_t)n)) : RC_NOMEM;
    OPENSSL_free(der);
    PKCS12_free(p12);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return rc;
}

static const struct {
    const char *kind;
    enum rc (*put)(const struct root *, struct buf *);
    const char *what_to_do;
} kinds[] = {
    {"pem", put_pem,
     "Debian, Ubuntu: copy it to /usr/local/share/ca-certificates/perron-root.crt and run "
     "update-ca-certificates.\n"
     "Fedora, RHEL: copy it to /etc/pki/ca-trust/source/anchors/ and run update-ca-trust.\n"
     "Python requests, curl and Node.js with stores of their own: REQUESTS_CA_BUNDLE, --cacert, "
     "NODE_EXTRA_CA_CERTS.\n"},
    {"gpo", put_der,
     "Group Policy Management: Computer Configuration, Policies, Windows Settings, Security Settings, Public "
     "Key"
     " Policies,\nTrusted Root Certification Authorities: Import this .cer. Edge and Chrome use it; Firefox "
     "does with"
     " ImportEnterpriseRoots\n(`--for firefox`). One machine: certutil -addstore -f Root FILE.\n"},
    {"firefox", put_firefox,
     "Put it as policies.json into Firefox's `distribution` folder (Linux: /etc/firefox/policies/), and the "
     "root as\n"
     "perron-root.pem (`perronctl ca export --for pem`) into /usr/lib/mozilla/certificates (Linux),\n"
     "%LOCALAPPDATA%\\Mozilla\\Certificates (Windows) or /Library/Application Support/Mozilla/Certificates "
     "(macOS).\n"},
    {"ios", put_ios,
     "Roll it out by MDM, or open it on the device (Settings, General, VPN & Device Management, Install), "
     "then switch it"
     " on\nunder Settings, General, About, Certificate Trust Settings. macOS takes the same profile.\n"},
    {"android", put_der,
     "Roll it out by MDM as a CA certificate, or on the device: Settings, Security, Encryption & "
     "credentials, Install a"
     " certificate,\nCA certificate. Browsers use it; most other apps do not trust CAs that a user "
     "installed.\n"},
    {"java", put_java,
     "Start programs with -Djavax.net.ssl.trustStore=FILE -Djavax.net.ssl.trustStorePassword=" JAVA_PASSWORD
     " -Djavax.net.ssl.trustStoreType=PKCS12,\nor add it to the machine's store: keytool -importkeystore "
     "-srckeystore"
     " FILE -destkeystore $JAVA_HOME/lib/security/cacerts.\n"},
};

static enum rc write_out(const char *path, span s, struct buf *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 && errno == EEXIST)
        return ca_fail(err, "%s: is there already; remove it or choose another name", path);
    if (fd < 0)
        return ca_fail(err, "%s: %s", path, strerror(errno));
    ssize_t n = write(fd, s.p, s.n);
    if (n >= 0 && (size_t)n == s.n)
        return RC_OK;
    enum rc rc = ca_fail(err, "%s: %s", path, n < 0 ? strerror(errno) : "disk full");
    unlink(path);
    return rc;
}

static enum rc load_root(const char *state_dir, const char *name, struct root *r, struct buf *err)
{
    char dir[CA_PATH_BYTES];
    unsigned n = 0;
    uint8_t *der = NULL;
    if (ca_dir(state_dir, name, dir) != RC_OK)
        return ca_fail(err, "the state directory's name is too long");
    TRY(ca_read_cert(dir, "root.crt", &r->cert, err));
    int len = i2d_X509(r->cert, &der);
    enum rc rc = len > 0 && X509_digest(r->cert, EVP_sha256(), r->sha256, &n) == 1
                     ? buf_put(&r->der, span_of(der, (size_t)len))
                     : RC_NOMEM;
    OPENSSL_free(der);
    return rc;
}

static enum rc export_as(size_t kind, const struct root *r, const char *out_path, struct buf *text,
                         struct buf *err)
{
    struct buf content = {0};
    enum rc rc = kinds[kind].put(r, &content);
    if (rc == RC_OK)
        rc = write_out(out_path, buf_span(&content), err);
    if (rc == RC_OK)
        rc = buf_put_str(text, kinds[kind].what_to_do);
    buf_fini(&content);
    return rc;
}

enum rc ca_export(const char *state_dir, const char *name, span kind, const char *out_path, struct buf *text,
                  struct buf *err)
{
    struct root r = {0};
    size_t k = 0;
    buf_clear(text);
    while (k < N_ELEMS(kinds) && !span_eq(kind, span_str(kinds[k].kind)))
        k++;
    if (k == N_ELEMS(kinds))
        return ca_fail(err, "--for takes pem, gpo, firefox, ios, android or java");
    enum rc rc = load_root(state_dir, name, &r, err);
    if (rc == RC_OK)
        rc = export_as(k, &r, out_path, text, err);
    X509_free(r.cert);
    buf_fini(&r.der);
    return rc;
}
