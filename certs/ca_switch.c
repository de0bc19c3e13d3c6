/* The CA in force changes places with the prepared one; see ca_switch.h. Runs in perronctl, and the reading
 * of old ones in the master. */
#include "certs/ca_switch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/ca_int.h"
#include "certs/mint.h"
#include "gw/base/obj.h"
#include "gw/base/sha256.h"

enum { ID_BYTES = 8, ID_TEXT = 2 * ID_BYTES + 1 };

/* ---- one CA, opened and its key used ---- */

struct whole {
    struct ca *ca;
    struct buf chain;
    char id[ID_TEXT];
};

static void whole_fini(struct whole *w)
{
    ca_free(w->ca);
    buf_fini(&w->chain);
}

static enum rc load_source(const struct ca_source *s, span chain, struct ca **ca, struct buf *err)
{
    struct ca_token t;
    enum token_state said;
    if (!s->token)
        return ca_load_key(s->fds[0], chain, SPAN_NONE, ca, err);
    TRY(ca_token_get(buf_span(&s->spec), &t));
    return ca_load_token(&t, s->fds[0], chain, SPAN_NONE, ca, &said, err);
}

static enum rc id_of(span chain, char id[ID_TEXT])
{
    struct rd r = rd_of(chain);
    span issuing = rd_vec16(&r);
    uint8_t hash[SHA256_BYTES];
    TRY(sha256(&issuing, 1, hash));
    for (size_t i = 0; i < ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", hash[i]);
    return RC_OK;
}

static enum rc open_whole(const char *state_dir, const char *name, uid_t signer_uid, int64_t now_s,
                          struct whole *w, struct buf *err)
{
    struct ca_source s;
    *w = (struct whole){.ca = NULL};
    TRY(ca_open(state_dir, name, signer_uid, now_s, &s, &w->chain, err));
    enum rc rc = load_source(&s, buf_span(&w->chain), &w->ca, err);
    if (rc == RC_OK)
        rc = id_of(buf_span(&w->chain), w->id);
    ca_source_close(&s);
    return rc;
}

/* A signature with the key: a token may show a key and not let it be used. */
static enum rc try_key(const struct whole *w, int64_t now_s, int days, struct buf *crl, struct buf *err)
{
    enum rc rc = mint_crl(w->ca, now_s, days, crl);
    return rc == RC_OK ? RC_OK : ca_fail(err, "the CA's key does not sign: %s", rc_text(rc));
}

/* ---- the switch ---- */

static enum rc path_of(const char *state_dir, const char *rest, char out[CA_PATH_BYTES], struct buf *err)
{
    int n = snprintf(out, CA_PATH_BYTES, "%s/%s", state_dir, rest);
    return n > 0 && n < CA_PATH_BYTES ? RC_OK : ca_fail(err, "the state directory's name is too long");
}

/* Beside the certificates of the one that goes, before it goes. */
static enum rc write_last_crl(const char *state_dir, span crl)
{
    char dir[CA_PATH_BYTES];
    TRY(ca_dir(state_dir, "ca", dir));
    AUTO_CLOSE int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (at >= 0)
        unlinkat(at, "last.crl", 0);
    AUTO_CLOSE int fd =
        at < 0 ? -1 : openat(at, "last.crl", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0 || write(fd, crl.p, crl.n) != (ssize_t)crl.n || fsync(fd) != 0)
        return RC_IO;
    return fsync(at) == 0 ? RC_OK : RC_IO;
}

/* The key of the old one may be what is lost: that must not keep the new one out. */
static enum rc last_words(const char *state_dir, uid_t signer_uid, int64_t now_s, char id[ID_TEXT],
                          struct buf *text)
{
    struct whole old;
    struct buf err = {0}, crl = {0};
    enum rc rc = open_whole(state_dir, "ca", signer_uid, now_s, &old, &err);
    if (rc == RC_OK)
        rc = try_key(&old, now_s, LEAF_DAYS_MAX + 1, &crl, &err);
    if (rc == RC_OK)
        rc = write_last_crl(state_dir, buf_span(&crl));
    enum rc told = RC_OK;
    if (rc != RC_OK)
        told = buf_printf(
            text,
            "No last CRL of the old CA (%.*s): strict clients may refuse a leaf that they were just "
            "given by it.\n",
            buf_len(&err) ? (int)buf_len(&err) : (int)strlen(rc_text(rc)),
            buf_len(&err) ? (const char *)buf_span(&err).p : rc_text(rc));
    if (old.id[0])
        memcpy(id, old.id, ID_TEXT);
    else
        snprintf(id, ID_TEXT, "%016llx", (unsigned long long)now_s);
    whole_fini(&old);
    buf_fini(&err);
    buf_fini(&crl);
    return told;
}

static enum rc exchange(const char *state_dir, const char *id, struct buf *err)
{
    char now[CA_PATH_BYTES], next[CA_PATH_BYTES], olds[CA_PATH_BYTES], old[CA_PATH_BYTES + ID_TEXT];
    TRY(path_of(state_dir, "ca", now, err));
    TRY(path_of(state_dir, "ca.next", next, err));
    TRY(path_of(state_dir, "ca.old", olds, err));
    snprintf(old, sizeof old, "%s/%s", olds, id);
    if (mkdir(olds, 0700) != 0 && errno != EEXIST)
        return ca_fail(err, "%s: %s", olds, strerror(errno));
    if (renameat2(AT_FDCWD, next, AT_FDCWD, now, RENAME_EXCHANGE) != 0)
        return ca_fail(err, "%s: cannot change places with %s: %s", next, now, strerror(errno));
    AUTO_CLOSE int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rename(next, old) != 0 || dir < 0 || fsync(dir) != 0)
        return ca_fail(err, "%s: the new CA is in force, but the old one could not be moved to %s: %s", next,
                       old, strerror(errno));
    return RC_OK;
}

static bool is_id(const char *name)
{
    return strlen(name) == ID_TEXT - 1 && strspn(name, "0123456789abcdef") == ID_TEXT - 1;
}

static enum rc fetch_back(const char *state_dir, span id, struct buf *err)
{
    char old[CA_PATH_BYTES], next[CA_PATH_BYTES], rest[64];
    struct stat st;
    snprintf(rest, sizeof rest, "ca.old/%.*s", (int)(id.n < ID_TEXT ? id.n : ID_TEXT), (const char *)id.p);
    if (!is_id(rest + strlen("ca.old/")))
        return ca_fail(err, "an old CA is named by 16 digits; perronctl ca show lists them");
    TRY(path_of(state_dir, rest, old, err));
    TRY(path_of(state_dir, "ca.next", next, err));
    if (lstat(next, &st) == 0)
        return ca_fail(err, "%s: there is a prepared CA already; move it away first", next);
    return rename(old, next) == 0 ? RC_OK : ca_fail(err, "%s: %s", old, strerror(errno));
}

enum rc ca_switch(const char *state_dir, uid_t signer_uid, int64_t now_s, span back_to, struct buf *text,
                  struct buf *err)
{
    struct whole next;
    struct buf crl = {0};
    struct stat st;
    char id[ID_TEXT], path[CA_PATH_BYTES];
    if (back_to.n)
        TRY(fetch_back(state_dir, back_to, err));
    TRY(path_of(state_dir, "ca.next", path, err));
    if (lstat(path, &st) != 0)
        return ca_fail(err, "%s: no CA is prepared; `perronctl ca prepare` makes one", path);
    enum rc rc = open_whole(state_dir, "ca.next", signer_uid, now_s, &next, err);
    if (rc == RC_OK)
        rc = try_key(&next, now_s, 1, &crl, err);
    if (rc == RC_OK)
        rc = last_words(state_dir, signer_uid, now_s, id, text);
    if (rc == RC_OK)
        rc = exchange(state_dir, id, err);
    if (rc == RC_OK)
        rc = buf_printf(text,
                        "in force: CA %s\nthe one before: %s/ca.old/%s (`perronctl ca switch --back %s`)\n",
                        next.id, state_dir, id, id);
    whole_fini(&next);
    buf_fini(&crl);
    return rc;
}

/* ---- old ones ---- */

struct old {
    char id[ID_TEXT];
    int64_t since;
};

static int newest_first(const void *a, const void *b)
{
    const struct old *x = a, *y = b;
    return x->since == y->since ? strcmp(x->id, y->id) : x->since < y->since ? 1 : -1;
}

static enum rc find_old(const char *dir, struct buf *out)
{
    DIR *d = opendir(dir);
    enum rc rc = RC_OK;
    if (!d)
        return errno == ENOENT ? RC_OK : RC_IO;
    for (struct dirent *e; rc == RC_OK && (e = readdir(d));) {
        struct stat st;
        struct old o = {.since = 0};
        if (!is_id(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISDIR(st.st_mode))
            continue;
        memcpy(o.id, e->d_name, ID_TEXT);
        o.since = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec; /* its rename */
        rc = buf_put(out, span_of(&o, sizeof o));
    }
    closedir(d);
    if (rc == RC_OK && buf_len(out))
        qsort(out->p + out->r, buf_len(out) / sizeof(struct old), sizeof(struct old), newest_first);
    return rc;
}

static enum rc put_file(struct buf *out, const char *dir, const char *name, size_t max)
{
    struct buf content;
    AUTO_CLOSE int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    AUTO_CLOSE int fd = at < 0 ? -1 : openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    buf_init(&content, max);
    enum rc rc = fd < 0 ? RC_OK : ca_read_fd(fd, max, &content);
    if (rc == RC_OK)
        rc = max > UINT8_MAX ? buf_put_u16(out, (uint16_t)buf_len(&content))
                             : buf_put_u8(out, (uint8_t)buf_len(&content));
    if (rc == RC_OK)
        rc = buf_put(out, buf_span(&content));
    buf_fini(&content);
    return rc;
}

static enum rc put_old(const char *dir, struct buf *out, struct buf *err)
{
    static const char *const names[] = {"issuing.crt", "root.crt"};
    TRY(put_file(out, dir, "pointer", CA_POINTER_MAX));
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        X509 *x = NULL;
        TRY(ca_read_cert(dir, names[i], &x, err));
        enum rc rc = ca_put_cert(out, x);
        X509_free(x);
        TRY(rc);
    }
    return put_file(out, dir, "last.crl", CA_CERT_BYTES);
}

enum rc ca_each_old(const char *state_dir, void (*each)(void *arg, span payload), void *arg, struct buf *err)
{
    char dir[CA_PATH_BYTES - ID_TEXT], one[CA_PATH_BYTES];
    struct buf found = {0}, payload = {0};
    struct old o;
    if (snprintf(dir, sizeof dir, "%s/ca.old", state_dir) >= (int)sizeof dir)
        return RC_LIMIT;
    enum rc rc = find_old(dir, &found);
    for (size_t i = 0; rc == RC_OK && i < LIM_OLD_CAS && (i + 1) * sizeof o <= buf_len(&found); i++) {
        memcpy(&o, buf_span(&found).p + i * sizeof o, sizeof o);
        snprintf(one, sizeof one, "%s/%s", dir, o.id);
        buf_clear(&payload);
        if (put_old(one, &payload, err) == RC_OK)
            each(arg, buf_span(&payload));
    }
    buf_fini(&found);
    buf_fini(&payload);
    return rc;
}
