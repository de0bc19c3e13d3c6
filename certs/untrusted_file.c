/* The second CA's file; see untrusted.h. Runs in the master and in perronctl.
 *
 * Key and certificate are one file, written under another name, synced and renamed: it is there as a whole or
 * not at all, and a start that was interrupted makes it anew. */
#include "certs/untrusted.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/ca_int.h"
#include "gw/base/obj.h"

enum { DAYS = 3650, BACKDATE_S = 86400, ORG_MAX = 64 };
static const char file_name[] = "untrusted.pem";

/* ---- making ---- */

/* The organisation that the interception CA names, or our own name where that cannot be read. */
static void organisation(const char *state_dir, char out[ORG_MAX + 1])
{
    char dir[CA_PATH_BYTES];
    X509 *root = NULL;
    struct buf ignored = {0};
    snprintf(out, ORG_MAX + 1, "Perron");
    if (ca_dir(state_dir, "ca", dir) == RC_OK && ca_read_cert(dir, "root.crt", &root, &ignored) == RC_OK)
        X509_NAME_get_text_by_NID(X509_get_subject_name(root), NID_organizationName, out, ORG_MAX + 1);
    buf_fini(&ignored);
    X509_free(root);
}

static bool set_names(X509 *x, const char *org)
{
    unsigned char b[16];
    char cn[64];
    if (RAND_bytes(b, sizeof b) != 1)
        return false;
    b[0] = (unsigned char)((b[0] & 0x7f) | 0x40);
    snprintf(cn, sizeof cn, "Perron untrusted %02x%02x%02x%02x: site not verified", b[0], b[1], b[2], b[3]);
    X509_NAME *name = X509_get_subject_name(x);
    BIGNUM *n = BN_bin2bn(b, sizeof b, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) &&
              X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                         (const unsigned char *)org, -1, -1, 0) == 1 &&
              X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn, -1,
                                         -1, 0) == 1 &&
              X509_set_issuer_name(x, name) == 1;
    BN_free(n);
    return ok;
}

static bool add_ext(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool make(EVP_PKEY *key, X509 *x, const char *org, int64_t now_s)
{
    return X509_set_version(x, X509_VERSION_3) == 1 && set_names(x, org) &&
           ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_s - BACKDATE_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now_s + (int64_t)DAYS * 86400)) &&
           X509_set_pubkey(x, key) == 1 && add_ext(x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_ext(x, NID_key_usage, "critical,keyCertSign") &&
           add_ext(x, NID_subject_key_identifier, "hash") &&
           add_ext(x, NID_name_constraints,
                   "critical,permitted;DNS:invalid,excluded;IP:0.0.0.0/0.0.0.0,"
                   "excluded;IP:::/::") &&
           X509_sign(x, key, EVP_sha256()) > 0;
}

static enum rc make_pem(const char *state_dir, int64_t now_s, BIO *pem)
{
    char org[ORG_MAX + 1];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    organisation(state_dir, org);
    bool ok = key && x && make(key, x, org, now_s) &&
              PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_bio_X509(pem, x) == 1;
    EVP_PKEY_free(key);
    X509_free(x);
    return ok ? RC_OK : RC_NOMEM;
}

static enum rc write_file(int dir, BIO *pem)
{
    static const char fresh[] = "untrusted.pem.new";
    const uint8_t *p = NULL;
    long n = BIO_get_mem_data(pem, &p);
    unlinkat(dir, fresh, 0);
    AUTO_CLOSE int fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0 || n <= 0 || write(fd, p, (size_t)n) != n || fchmod(fd, 0400) != 0 || fsync(fd) != 0)
        return RC_IO;
    return renameat(dir, fresh, dir, file_name) == 0 && fsync(dir) == 0 ? RC_OK : RC_IO;
}

static enum rc make_file(const char *state_dir, int dir, int64_t now_s, struct buf *err)
{
    BIO *pem = BIO_new(BIO_s_secmem());
    enum rc rc = pem ? make_pem(state_dir, now_s, pem) : RC_NOMEM;
    if (rc == RC_OK)
        rc = write_file(dir, pem);
    if (rc != RC_OK)
        rc = ca_fail(err, "%s/%s: cannot be made: %s", state_dir, file_name, strerror(errno));
    BIO_free(pem);
    return rc;
}

/* ---- reading ---- */

static enum rc check_file(const char *state_dir, int fd, struct buf *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return RC_IO;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return ca_fail(err, "%s/%s: not a regular file of uid %u", state_dir, file_name, geteuid());
    if (st.st_mode & 0077)
        return ca_fail(err, "%s/%s: others can read or write it (mode %04o, must be 0400)", state_dir,
                       file_name, st.st_mode & 07777);
    return RC_OK;
}

static enum rc read_file(const char *state_dir, int fd, struct buf *pem, struct buf *err)
{
    struct untrusted *u = NULL;
    TRY(check_file(state_dir, fd, err));
    enum rc rc = ca_read_fd(fd, UNTRUSTED_PEM_BYTES, pem);
    if (rc == RC_OK)
        rc = untrusted_load(buf_span(pem), 1, &u);
    untrusted_free(u);
    if (rc != RC_OK)
        return ca_fail(err, "%s/%s: no key with its certificate in it; remove it and another is made",
                       state_dir, file_name);
    return RC_OK;
}

enum rc untrusted_open(const char *state_dir, int64_t now_s, struct buf *pem, struct buf *err)
{
    AUTO_CLOSE int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return ca_fail(err, "%s: %s", state_dir, strerror(errno));
    for (bool made = false;; made = true) {
        AUTO_CLOSE int fd = openat(dir, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0)
            return read_file(state_dir, fd, pem, err);
        if (errno != ENOENT || made)
            return ca_fail(err, "%s/%s: %s", state_dir, file_name, strerror(errno));
        TRY(make_file(state_dir, dir, now_s, err));
    }
}

enum rc untrusted_look(const char *state_dir, X509 **cert, struct buf *err)
{
    struct untrusted *u = NULL;
    struct buf pem = {0};
    AUTO_CLOSE int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int fd = dir < 0 ? -1 : openat(dir, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *cert = NULL;
    if (fd < 0 && errno == ENOENT)
        return RC_NOTFOUND;
    if (fd < 0)
        return ca_fail(err, "%s/%s: %s", state_dir, file_name, strerror(errno));
    enum rc rc = read_file(state_dir, fd, &pem, err);
    if (rc == RC_OK)
        rc = untrusted_load(buf_span(&pem), 1, &u);
    if (rc == RC_OK && X509_up_ref(untrusted_cert(u)) == 1)
        *cert = untrusted_cert(u);
    untrusted_free(u);
    OPENSSL_cleanse(pem.p, pem.w);
    buf_fini(&pem);
    return rc;
}
