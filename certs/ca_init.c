/* `perronctl ca init`: a fresh root and issuing CA; see ca.h. Every installation makes its own; there is no
 * default key.
 *
 * All files are written into STATE/ca.new and become STATE/ca in one rename, so that a CA is there as a whole
 * or not at all. The issuing CA is limited by its own certificate: path length 0, serverAuth only, and the
 * names that the operator excluded (nameConstraints), which clients and the signer both honour. */
#include "certs/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "certs/ca_int.h"
#include "certs/ca_token.h"
#include "gw/base/addr.h"
#include "gw/base/obj.h"

enum {
    ROOT_DAYS = 3650,
    ISSUING_DAYS = 1825,
    BACKDATE_S = 86400, /* clients with a slow clock */
    ORG_MAX = 64,       /* X.520 ub-organization-name */
    EXCLUDE_MAX = 64
};

struct pair {
    EVP_PKEY *key;
    X509 *cert;
};

static void pair_fini(struct pair *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
    *p = (struct pair){NULL, NULL};
}

static bool set_serial(X509 *cert)
{
    uint8_t b[16];
    if (RAND_bytes(b, sizeof b) != 1)
        return false;
    b[0] = (uint8_t)((b[0] & 0x7f) | 0x40);
    BIGNUM *n = BN_bin2bn(b, sizeof b, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

static bool set_subject(X509 *cert, span org, const char *cn)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8, org.p, (int)org.n, -1, 0) ==
               1 &&
           X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0) ==
               1;
}

static bool add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* A key that is there already stays: it is in a token. */
static bool new_cert(struct pair *p, const char *cn, span org, int64_t now_s, int days)
{
    if (!p->key)
        p->key = EVP_EC_gen("P-256");
    p->cert = X509_new();
    return p->key && p->cert && X509_set_version(p->cert, X509_VERSION_3) == 1 && set_serial(p->cert) &&
           ASN1_TIME_set(X509_getm_notBefore(p->cert), (time_t)(now_s - BACKDATE_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(p->cert), (time_t)(now_s + (int64_t)days * 86400)) &&
           set_subject(p->cert, org, cn) && X509_set_pubkey(p->cert, p->key) == 1;
}

static bool make_root(struct pair *root, const struct ca_plan *plan, const char *tag)
{
    char cn[64];
    snprintf(cn, sizeof cn, "Perron root %s", tag);
    return new_cert(root, cn, plan->org, plan->now_s, ROOT_DAYS) &&
           X509_set_issuer_name(root->cert, X509_get_subject_name(root->cert)) == 1 &&
           add_ext(root->cert, root->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:1") &&
           add_ext(root->cert, root->cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_ext(root->cert, root->cert, NID_subject_key_identifier, "hash") &&
           X509_sign(root->cert, root->key, EVP_sha256()) > 0;
}

/* "critical,excluded;DNS:a,excluded;DNS:b"; the names are normalised, so no comma or colon can be in them. */
static bool add_exclusions(X509 *cert, X509 *issuer, const struct ca_plan *plan)
{
    struct buf b;
    buf_init(&b, 0);
    bool ok = buf_put_str(&b, "critical") == RC_OK;
    for (size_t i = 0; i < plan->n_exclude && ok; i++) {
        uint8_t name[LIM_NAME_BYTES];
        size_t n = name_normalise(plan->exclude[i], name);
        ok = n && buf_put_str(&b, ",excluded;DNS:") == RC_OK && buf_put(&b, span_of(name, n)) == RC_OK;
    }
    ok = ok && buf_put_u8(&b, 0) == RC_OK && add_ext(cert, issuer, NID_name_constraints, (const char *)b.p);
    buf_fini(&b);
    return ok;
}

static bool make_issuing(struct pair *ca, const struct pair *root, const struct ca_plan *plan,
                         const char *tag)
{
    char cn[64];
    snprintf(cn, sizeof cn, "Perron issuing CA %s", tag);
    return new_cert(ca, cn, plan->org, plan->now_s, ISSUING_DAYS) &&
           X509_set_issuer_name(ca->cert, X509_get_subject_name(root->cert)) == 1 &&
           add_ext(ca->cert, root->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_ext(ca->cert, root->cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_ext(ca->cert, root->cert, NID_ext_key_usage, "serverAuth") &&
           add_ext(ca->cert, root->cert, NID_subject_key_identifier, "hash") &&
           add_ext(ca->cert, root->cert, NID_authority_key_identifier, "keyid:always") &&
           (plan->n_exclude == 0 || add_exclusions(ca->cert, root->cert, plan)) &&
           X509_sign(ca->cert, root->key, EVP_sha256()) > 0;
}

/* A new file with exactly this owner and mode, on disk before its name counts. */
static enum rc write_file(int dir, const char *name, mode_t mode, uid_t uid, BIO *content)
{
    AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    const uint8_t *p = NULL;
    long n = BIO_get_mem_data(content, &p);
    if (fd < 0 || n <= 0 || write(fd, p, (size_t)n) != n || fchmod(fd, mode) != 0)
        return RC_IO;
    if (uid != geteuid() && fchown(fd, uid, (gid_t)-1) != 0)
        return RC_IO;
    return fsync(fd) == 0 ? RC_OK : RC_IO;
}

static enum rc write_cert(int dir, const char *name, X509 *cert)
{
    BIO *pub = BIO_new(BIO_s_mem());
    enum rc rc = RC_NOMEM;
    if (pub && PEM_write_bio_X509(pub, cert) == 1)
        rc = write_file(dir, name, 0444, geteuid(), pub);
    BIO_free(pub);
    return rc;
}

static enum rc write_key(int dir, const char *name, uid_t uid, EVP_PKEY *key)
{
    BIO *priv = BIO_new(BIO_s_secmem());
    enum rc rc = RC_NOMEM;
    if (priv && PEM_write_bio_PKCS8PrivateKey(priv, key, NULL, NULL, 0, NULL, NULL) == 1)
        rc = write_file(dir, name, 0400, uid, priv);
    BIO_free(priv);
    return rc;
}

static enum rc write_text(int dir, const char *name, span text)
{
    BIO *mem = BIO_new(BIO_s_mem());
    enum rc rc = RC_NOMEM;
    if (mem && BIO_write(mem, text.p, (int)text.n) == (int)text.n)
        rc = write_file(dir, name, 0400, geteuid(), mem);
    BIO_free(mem);
    return rc;
}

static void remove_half_made(const char *dir)
{
    static const char *const names[] = {"root.crt",    "root.key",      "issuing.crt",
                                        "issuing.key", "issuing.token", "pointer"};
    AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    for (size_t i = 0; fd >= 0 && i < N_ELEMS(names); i++)
        unlinkat(fd, names[i], 0);
    rmdir(dir);
}

/* Each CA after the first has a CRL pointer of its own: the old one's goes on to be asked for. */
static enum rc write_pointer(int dir, X509 *cert)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char text[CA_POINTER_MAX];
    if (X509_digest(cert, EVP_sha256(), hash, &n) != 1)
        return RC_NOMEM;
    snprintf(text, sizeof text, "ca=%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
    return write_text(dir, "pointer", span_str(text));
}

static enum rc write_files(const char *tmp, const char *dir, const struct ca_plan *plan,
                           const struct pair *root, const struct pair *ca)
{
    remove_half_made(tmp);
    if (mkdir(tmp, 0700) != 0 || chmod(tmp, 0700) != 0)
        return RC_IO;
    AUTO_CLOSE int fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return RC_IO;
    TRY(write_cert(fd, "root.crt", root->cert));
    TRY(write_key(fd, "root.key", geteuid(), root->key));
    TRY(write_cert(fd, "issuing.crt", ca->cert));
    if (plan->token.n)
        TRY(write_text(fd, "issuing.token", plan->token));
    else
        TRY(write_key(fd, "issuing.key", plan->signer_uid, ca->key));
    if (plan->next)
        TRY(write_pointer(fd, ca->cert));
    return fsync(fd) == 0 && rename(tmp, dir) == 0 ? RC_OK : RC_IO;
}

static enum rc check_plan(const struct ca_plan *plan, struct buf *err)
{
    uint8_t name[LIM_NAME_BYTES];
    if (plan->org.n == 0 || plan->org.n > ORG_MAX)
        return ca_fail(err, "the organisation's name must be 1 to %d bytes of UTF-8", ORG_MAX);
    for (size_t i = 0; i < plan->org.n; i++) {
        if (plan->org.p[i] < 0x20 || plan->org.p[i] == 0x7f)
            return ca_fail(err, "the organisation's name has a control character in it");
    }
    if (plan->n_exclude > EXCLUDE_MAX)
        return ca_fail(err, "at most %d names can be excluded", EXCLUDE_MAX);
    for (size_t i = 0; i < plan->n_exclude; i++) {
        if (name_normalise(plan->exclude[i], name) == 0)
            return ca_fail(err, "excluded name number %zu is not a host name", i + 1);
    }
    return RC_OK;
}

/* The root in force, with its key. */
static enum rc read_root(const char *state_dir, struct pair *root, struct buf *err)
{
    char dir[CA_PATH_BYTES - 16], path[CA_PATH_BYTES];
    int n = snprintf(dir, sizeof dir, "%s/ca", state_dir);
    if (n < 0 || n >= (int)sizeof dir)
        return RC_LIMIT;
    TRY(ca_read_cert(dir, "root.crt", &root->cert, err));
    snprintf(path, sizeof path, "%s/root.key", dir);
    BIO *bio = BIO_new_file(path, "r");
    root->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!root->key || X509_check_private_key(root->cert, root->key) != 1)
        return ca_fail(
            err,
            "%s: the root's key is not here, or not the root's: put it back for this step, or make a new "
            "root (without --keep-root)",
            path);
    return RC_OK;
}

/* The issuing key, where it is in a token: from there, by the same way as the signer will take. */
static enum rc take_token(const struct ca_plan *plan, struct pair *ca, struct buf *err)
{
    struct ca_token t;
    int fds[CA_TOKEN_FDS];
    enum token_state said;
    void *key = NULL;
    TRY(ca_token_parse(plan->token, "issuing.token", &t, err));
    TRY(ca_token_open(&t, plan->signer_uid, fds, err));
    enum rc rc = ca_token_key(&t, fds[0], &key, &said, err);
    for (size_t i = 0; i < CA_TOKEN_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    ca->key = key;
    return rc;
}

static enum rc make_both(const char *state_dir, struct pair *root, struct pair *ca,
                         const struct ca_plan *plan, struct buf *err)
{
    uint8_t r[4];
    char tag[9];
    if (RAND_bytes(r, sizeof r) != 1)
        return RC_NOMEM;
    snprintf(tag, sizeof tag, "%02x%02x%02x%02x", r[0], r[1], r[2], r[3]);
    if (plan->token.n)
        TRY(take_token(plan, ca, err));
    if (plan->keep_root)
        TRY(read_root(state_dir, root, err));
    else if (!make_root(root, plan, tag))
        return ca_fail(err, "the certificates cannot be made: is the organisation's name valid UTF-8?");
    if (!make_issuing(ca, root, plan, tag))
        return ca_fail(err,
                       "the issuing certificate cannot be made: is the organisation's name valid UTF-8?");
    return RC_OK;
}

enum rc ca_init_plan(const char *state_dir, const struct ca_plan *plan, struct buf *err)
{
    char dir[CA_PATH_BYTES - 8], tmp[CA_PATH_BYTES];
    struct stat st;
    struct pair root = {0}, ca = {0};
    int n = snprintf(dir, sizeof dir, "%s/%s", state_dir, plan->next ? "ca.next" : "ca");
    if (n < 0 || n >= (int)sizeof dir)
        return ca_fail(err, "the state directory's name is too long");
    snprintf(tmp, sizeof tmp, "%s.new", dir);
    TRY(check_plan(plan, err));
    if (lstat(dir, &st) == 0)
        return ca_fail(err, "%s: there is a certification authority already; move it away first", dir);
    if (!ca_lock_memory())
        return ca_fail(
            err, "no locked memory for the new keys: raise the limit on locked memory (RLIMIT_MEMLOCK)");
    enum rc rc = make_both(state_dir, &root, &ca, plan, err);
    if (rc == RC_OK)
        rc = write_files(tmp, dir, plan, &root, &ca);
    if (rc == RC_IO) {
        rc = ca_fail(err, "%s: %s", dir, strerror(errno));
        remove_half_made(tmp);
    }
    pair_fini(&root);
    pair_fini(&ca);
    return rc;
}

enum rc ca_init(const char *state_dir, span org, uid_t signer_uid, int64_t now_s, struct buf *err)
{
    struct ca_plan plan = {.org = org, .signer_uid = signer_uid, .now_s = now_s};
    return ca_init_plan(state_dir, &plan, err);
}
