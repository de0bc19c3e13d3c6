/* The CA's files on disk: reading and the checks that every start makes; see ca.h. Runs in the master and in
 * perronctl. The key file is opened and looked at from outside (fstat); its content is only ever read by the
 * signer.
 *
 * Every refusal is one line that names the file and says what to do. Nothing is repaired here: a key that
 * others could read has to be replaced by a person, not chmod'ed by a program. */
#include "certs/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "certs/ca_int.h"
#include "certs/ca_token.h"
#include "certs/der.h"
#include "gw/base/obj.h"

enum rc ca_fail(struct buf *err, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    buf_clear(err);
    TRY(buf_put_str(err, line));
    return RC_CONFIG;
}

enum rc ca_dir(const char *state_dir, const char *name, char out[CA_PATH_BYTES])
{
    int n = snprintf(out, CA_PATH_BYTES, "%s/%s", state_dir, name);
    return n > 0 && n < CA_PATH_BYTES ? RC_OK : RC_LIMIT;
}

void ca_date_text(int64_t utc_s, char out[16])
{
    struct der_date t = der_date_of(utc_s);
    snprintf(out, 16, "%04u-%02u-%02u", (unsigned)t.year % 10000, (unsigned)t.month % 100,
             (unsigned)t.day % 100);
}

enum rc ca_read_fd(int fd, size_t max, struct buf *out)
{
    buf_clear(out);
    TRY(buf_reserve(out, max));
    while (out->w < max) {
        ssize_t n = pread(fd, out->p + out->w, max - out->w, (off_t)out->w);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return RC_IO;
        if (n == 0)
            return RC_OK;
        out->w += (size_t)n;
    }
    return RC_LIMIT;
}

enum rc ca_read_cert(const char *dir, const char *name, X509 **out, struct buf *err)
{
    char path[CA_PATH_BYTES];
    *out = NULL;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || n >= (int)sizeof path)
        return RC_LIMIT;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return ca_fail(err, "%s: %s; `perronctl ca init` makes a certification authority", path,
                       errno == ENOENT ? "not there" : strerror(errno));
    struct buf pem;
    buf_init(&pem, 0);
    enum rc rc = ca_read_fd(fd, CA_CERT_BYTES, &pem);
    BIO *bio = rc == RC_OK ? BIO_new_mem_buf(pem.p, (int)pem.w) : NULL;
    if (bio)
        *out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    buf_fini(&pem);
    return *out ? RC_OK : ca_fail(err, "%s: no readable certificate (PEM) in it", path);
}

enum rc ca_put_cert(struct buf *out, X509 *cert)
{
    uint8_t *der = NULL;
    int n = i2d_X509(cert, &der);
    enum rc rc = n > 0 && n <= UINT16_MAX ? buf_put_u16(out, (uint16_t)n) : RC_BAD;
    if (rc == RC_OK)
        rc = buf_put(out, span_of(der, (size_t)n));
    OPENSSL_free(der);
    return rc;
}

int64_t ca_time(const ASN1_TIME *t)
{
    return der_time_read((uint8_t)ASN1_STRING_type(t),
                         span_of(ASN1_STRING_get0_data(t), (size_t)ASN1_STRING_length(t)));
}

static bool key_is_ours_to_use(X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (!key)
        return false;
    return EVP_PKEY_is_a(key, "EC") || (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 2048);
}

const char *ca_unfit(X509 *cert, long min_path)
{
    uint32_t flags = X509_get_extension_flags(cert);
    if (flags & EXFLAG_INVALID)
        return "its extensions are malformed";
    if (!(flags & EXFLAG_BCONS) || !(flags & EXFLAG_CA))
        return "it is not a CA certificate (basicConstraints CA:TRUE is missing)";
    long path = X509_get_pathlen(cert);
    if (path >= 0 && path < min_path)
        return "its path length does not allow an issuing CA below it";
    if (!(flags & EXFLAG_KUSAGE) || !(X509_get_key_usage(cert) & KU_KEY_CERT_SIGN))
        return "its key usage does not include keyCertSign";
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(cert);
    if (!id || ASN1_STRING_length(id) == 0 || ASN1_STRING_length(id) > 64)
        return "it has no usable subject key identifier";
    return key_is_ours_to_use(cert) ? NULL
                                    : "its key is neither elliptic-curve nor RSA of 2048 bits and more";
}

static enum rc check_dates(const char *dir, const char *name, X509 *cert, int64_t now_s, struct buf *err)
{
    int64_t from = ca_time(X509_get0_notBefore(cert)), to = ca_time(X509_get0_notAfter(cert));
    char day[16];
    if (from == INT64_MIN || to == INT64_MIN)
        return ca_fail(err, "%s/%s: its dates are malformed", dir, name);
    if (now_s > to) {
        ca_date_text(to, day);
        return ca_fail(err, "%s/%s: expired on %s; make a new one (move %s away, then `perronctl ca init`)",
                       dir, name, day, dir);
    }
    if (now_s < from) {
        ca_date_text(from, day);
        return ca_fail(err, "%s/%s: not valid before %s; is this machine's clock right?", dir, name, day);
    }
    return RC_OK;
}

/* issuing.crt and root.crt in order: fit, in date, and the one signed by the other. */
static enum rc check_certs(const char *dir, int64_t now_s, struct buf *chain_der, struct buf *err)
{
    X509 *issuing = NULL, *root = NULL;
    const char *why = NULL;
    enum rc rc = ca_read_cert(dir, "issuing.crt", &issuing, err);
    if (rc == RC_OK)
        rc = ca_read_cert(dir, "root.crt", &root, err);
    if (rc == RC_OK && (why = ca_unfit(issuing, 0)))
        rc = ca_fail(err, "%s/issuing.crt: %s", dir, why);
    if (rc == RC_OK && (why = ca_unfit(root, 1)))
        rc = ca_fail(err, "%s/root.crt: %s", dir, why);
    if (rc == RC_OK &&
        (X509_check_issued(root, issuing) != X509_V_OK || X509_verify(issuing, X509_get0_pubkey(root)) != 1))
        rc = ca_fail(err, "%s/issuing.crt: not signed by %s/root.crt", dir, dir);
    if (rc == RC_OK)
        rc = check_dates(dir, "issuing.crt", issuing, now_s, err);
    if (rc == RC_OK)
        rc = check_dates(dir, "root.crt", root, now_s, err);
    buf_clear(chain_der);
    if (rc == RC_OK)
        rc = ca_put_cert(chain_der, issuing);
    if (rc == RC_OK)
        rc = ca_put_cert(chain_der, root);
    X509_free(issuing);
    X509_free(root);
    return rc;
}

static enum rc check_dir(const char *dir, struct buf *err)
{
    struct stat st;
    if (lstat(dir, &st) != 0 && errno == ENOENT)
        return ca_fail(err, "%s: no certification authority yet; `perronctl ca init` makes one", dir);
    if (lstat(dir, &st) != 0)
        return ca_fail(err, "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return ca_fail(err, "%s: not a directory", dir);
    if ((st.st_mode & 07777) != 0700)
        return ca_fail(err, "%s: its mode is %04o, it must be 0700", dir, st.st_mode & 07777);
    if (st.st_uid != geteuid())
        return ca_fail(err, "%s: belongs to uid %u, it must belong to uid %u", dir, st.st_uid, geteuid());
    return RC_OK;
}

static enum rc check_key_file(const char *path, const struct stat *st, uid_t signer_uid, struct buf *err)
{
    if (!S_ISREG(st->st_mode))
        return ca_fail(err, "%s: not a regular file", path);
    if (st->st_mode & 0077)
        return ca_fail(
            err,
            "%s: others can read it (mode %04o, must be 0400); replace this key, it may have been copied",
            path, st->st_mode & 07777);
    if ((st->st_mode & 07777) != 0400)
        return ca_fail(err, "%s: its mode is %04o, it must be 0400", path, st->st_mode & 07777);
    if (st->st_uid != signer_uid)
        return ca_fail(err, "%s: belongs to uid %u, it must belong to the signer's uid %u", path, st->st_uid,
                       signer_uid);
    if (st->st_nlink != 1)
        return ca_fail(err, "%s: has a second name (hard link); remove it", path);
    if (st->st_size == 0 || st->st_size >= CA_KEY_BYTES)
        return ca_fail(err, "%s: %lld bytes are not a private key", path, (long long)st->st_size);
    return RC_OK;
}

static enum rc open_key(const char *dir, uid_t signer_uid, int *key_fd, struct buf *err)
{
    char path[CA_PATH_BYTES];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/issuing.key", dir);
    if (n < 0 || n >= (int)sizeof path)
        return RC_LIMIT;
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return ca_fail(err,
                       "%s: the CA key is missing; put it back or move %s away and run `perronctl ca init`",
                       path, dir);
    if (fd < 0)
        return ca_fail(err, "%s: %s", path,
                       errno == ELOOP ? "a symbolic link; must be the file itself" : strerror(errno));
    if (fstat(fd, &st) != 0)
        return RC_IO;
    TRY(check_key_file(path, &st, signer_uid, err));
    *key_fd = fd;
    fd = -1;
    return RC_OK;
}

enum rc ca_read_pointer(const char *dir, char out[CA_POINTER_MAX + 1], struct buf *err)
{
    char name[CA_PATH_BYTES];
    int n = snprintf(name, sizeof name, "%s/pointer", dir);
    memset(out, 0, CA_POINTER_MAX + 1);
    if (n < 0 || n >= CA_PATH_BYTES)
        return RC_LIMIT;
    AUTO_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? RC_OK : ca_fail(err, "%s: %s", name, strerror(errno));
    ssize_t got = read(fd, out, CA_POINTER_MAX);
    bool good = got == 11 && memcmp(out, "ca=", 3) == 0 && strspn(out + 3, "0123456789abcdef") == 8;
    return good ? RC_OK : ca_fail(err, "%s: holds no pointer like ca=1a2b3c4d", name);
}

/* NOTFOUND: the key is in a file. */
static enum rc read_token_file(const char *dir, struct buf *text, char name[CA_PATH_BYTES], struct buf *err)
{
    struct stat st;
    int n = snprintf(name, CA_PATH_BYTES, "%s/issuing.token", dir);
    if (n < 0 || n >= CA_PATH_BYTES)
        return RC_LIMIT;
    AUTO_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return RC_NOTFOUND;
    if (fd < 0 || fstat(fd, &st) != 0)
        return ca_fail(err, "%s: %s", name, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return ca_fail(err, "%s: must be a file of uid %u that nobody else can write", name, geteuid());
    enum rc rc = ca_read_fd(fd, CA_TOKEN_BYTES, text);
    return rc == RC_LIMIT ? ca_fail(err, "%s: longer than %d bytes", name, CA_TOKEN_BYTES) : rc;
}

static enum rc open_token(span text, const char *name, uid_t signer_uid, struct ca_source *out,
                          struct buf *err)
{
    struct ca_token t;
    struct stat st;
    TRY(ca_token_parse(text, name, &t, err));
    TRY(ca_token_open(&t, signer_uid, out->fds, err));
    out->token = true;
    out->n_fds = 1 + t.n_paths;
    if (fstat(out->fds[0], &st) != 0)
        return RC_IO;
    out->pin[0] = (uint64_t)st.st_dev;
    out->pin[1] = (uint64_t)st.st_ino;
    out->pin[2] = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    out->pin[3] = (uint64_t)st.st_size;
    return ca_token_put(&out->spec, &t);
}

static enum rc open_source(const char *dir, uid_t signer_uid, struct ca_source *out, struct buf *err)
{
    char name[CA_PATH_BYTES];
    struct buf text;
    buf_init(&text, 0);
    enum rc rc = read_token_file(dir, &text, name, err);
    if (rc == RC_OK)
        rc = open_token(buf_span(&text), name, signer_uid, out, err);
    else if (rc == RC_NOTFOUND)
        rc = open_key(dir, signer_uid, &out->fds[0], err);
    buf_fini(&text);
    return rc;
}

void ca_source_close(struct ca_source *s)
{
    for (size_t i = 0; i < CA_TOKEN_FDS; i++) {
        if (s->fds[i] >= 0)
            close(s->fds[i]);
        s->fds[i] = -1;
    }
    buf_fini(&s->spec);
}

enum rc ca_open(const char *state_dir, const char *name, uid_t signer_uid, int64_t now_s,
                struct ca_source *out, struct buf *chain_der, struct buf *err)
{
    char dir[CA_PATH_BYTES];
    *out = (struct ca_source){.fds = {-1, -1, -1}, .n_fds = 1};
    if (ca_dir(state_dir, name, dir) != RC_OK)
        return ca_fail(err, "the state directory's name is too long");
    TRY(check_dir(dir, err));
    TRY(check_certs(dir, now_s, chain_der, err));
    TRY(ca_read_pointer(dir, out->pointer, err));
    enum rc rc = open_source(dir, signer_uid, out, err);
    if (rc != RC_OK)
        ca_source_close(out);
    return rc;
}

enum rc ca_open_files(const char *state_dir, uid_t signer_uid, int64_t now_s, int *key_fd,
                      struct buf *chain_der, struct buf *err)
{
    struct ca_source s;
    *key_fd = -1;
    TRY(ca_open(state_dir, "ca", signer_uid, now_s, &s, chain_der, err));
    if (!s.token) {
        *key_fd = s.fds[0];
        s.fds[0] = -1;
    }
    enum rc rc = s.token ? ca_fail(err, "the CA's key is in a token, not in a file") : RC_OK;
    ca_source_close(&s);
    return rc;
}
