/* `perronctl ca show`: what a person compares with what a client shows, as text or JSON; see ca.h. */
#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "certs/ca_int.h"
#include "certs/untrusted.h"
#include "gw/base/obj.h"

enum { NAME_TEXT = 512, FP_TEXT = 96, SERIAL_TEXT = 64 };

struct facts {
    char subject[NAME_TEXT], serial[SERIAL_TEXT], sha256[FP_TEXT], from[16], to[16], key[32];
    int64_t days_left; /* negative: it ended so long ago */
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

static enum rc facts_of(X509 *x, int64_t now_s, struct facts *f)
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
    f->days_left = (ca_time(X509_get0_notAfter(x)) - now_s) / 86400;
    EVP_PKEY *key = X509_get0_pubkey(x);
    snprintf(f->key, sizeof f->key, "%s %d", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
    return RC_OK;
}

static enum rc put_text(struct buf *out, const char *what, const struct facts *f)
{
    return buf_printf(out,
                      "%s\n  subject  %s\n  serial   %s\n  valid    %s to %s, %" PRId64
                      " days from now\n  key      %s\n  SHA-256  %s\n",
                      what, f->subject, f->serial, f->from, f->to, f->days_left, f->key, f->sha256);
}

static json_t *facts_json(const struct facts *f)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "subject", f->subject, "serial", f->serial,
                     "not_before", f->from, "not_after", f->to, "days_left", (json_int_t)f->days_left, "key",
                     f->key, "sha256", f->sha256);
}

struct shown {
    int64_t now_s;
    struct facts root, issuing;
    bool root_key;
    char where[64]; /* "ca", "ca.next", "ca.old/ID" */
    const char *key_in;
};

static json_t *shown_json(const struct shown *s)
{
    return json_pack("{s:o, s:o, s:b, s:s, s:s}", "root", facts_json(&s->root), "issuing",
                     facts_json(&s->issuing), "root_key_here", s->root_key, "where", s->where, "issuing_key",
                     s->key_in);
}

static enum rc put_shown(const char *dir, const struct shown *s, struct buf *text)
{
    TRY(put_text(text, "root", &s->root));
    TRY(put_text(text, "issuing CA", &s->issuing));
    if (strcmp(s->key_in, "token") == 0)
        TRY(buf_put_str(text, "  its key is in a token (issuing.token)\n"));
    return s->root_key
               ? buf_printf(
                     text,
                     "The root's key is still here (%s/root.key). It is needed only for a new issuing CA: "
                     "keep it on paper or on a stick in a safe, and remove it from this machine.\n",
                     dir)
               : RC_OK;
}

static bool is_there(const char *dir, const char *name)
{
    char path[CA_PATH_BYTES];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    return n > 0 && n < (int)sizeof path && lstat(path, &st) == 0;
}

static enum rc look(const char *dir, struct shown *s, struct buf *err)
{
    X509 *root = NULL, *issuing = NULL;
    enum rc rc = ca_read_cert(dir, "root.crt", &root, err);
    if (rc == RC_OK)
        rc = ca_read_cert(dir, "issuing.crt", &issuing, err);
    if (rc == RC_OK)
        rc = facts_of(root, s->now_s, &s->root);
    if (rc == RC_OK)
        rc = facts_of(issuing, s->now_s, &s->issuing);
    s->root_key = is_there(dir, "root.key");
    s->key_in = is_there(dir, "issuing.token") ? "token" : is_there(dir, "issuing.key") ? "file" : "nowhere";
    X509_free(root);
    X509_free(issuing);
    return rc;
}

/* One of the others, into the list or, where there is none, as text: what cannot be read is said and is no
 * failure. */
static enum rc add_other(const char *state_dir, const char *where, int64_t now_s, json_t *list,
                         struct buf *text)
{
    char dir[CA_PATH_BYTES];
    struct shown s = {.now_s = now_s};
    struct buf err = {0};
    snprintf(s.where, sizeof s.where, "%s", where);
    TRY(ca_dir(state_dir, where, dir));
    enum rc rc = look(dir, &s, &err);
    if (rc == RC_OK && list) {
        rc = json_array_append_new(list, shown_json(&s)) == 0 ? RC_OK : RC_NOMEM;
    } else if (!list) {
        enum rc head = buf_printf(text, "\n%s%s%.*s\n", where, rc == RC_OK ? "" : ": ", (int)buf_len(&err),
                                  buf_len(&err) ? (const char *)buf_span(&err).p : "");
        rc = rc == RC_OK && head == RC_OK ? put_shown(dir, &s, text) : head;
    } else {
        rc = RC_OK;
    }
    buf_fini(&err);
    return rc;
}

static enum rc add_others(const char *state_dir, int64_t now_s, json_t *list, struct buf *text)
{
    char path[CA_PATH_BYTES], where[64];
    enum rc rc = RC_OK;
    if (is_there(state_dir, "ca.next"))
        rc = add_other(state_dir, "ca.next", now_s, list, text);
    TRY(rc);
    TRY(ca_dir(state_dir, "ca.old", path));
    DIR *d = opendir(path);
    for (struct dirent *e; d && rc == RC_OK && (e = readdir(d));) {
        if (e->d_name[0] == '.' || strlen(e->d_name) > 32)
            continue;
        snprintf(where, sizeof where, "ca.old/%.32s", e->d_name);
        rc = add_other(state_dir, where, now_s, list, text);
    }
    if (d)
        closedir(d);
    return rc;
}

/* The one that nobody is to trust; `why` there is none to be shown is said, and is no failure. */
static enum rc put_second(const struct facts *f, const char *why, json_t *j, struct buf *text)
{
    if (j)
        return json_object_set_new(j, "untrusted", f ? facts_json(f) : json_null()) == 0 ? RC_OK : RC_NOMEM;
    return f ? put_text(text, "untrusted CA (signs for origins with allowed defects; belongs in no store)", f)
             : buf_printf(text, "untrusted CA\n  %s\n", why);
}

static enum rc add_second(const char *state_dir, int64_t now_s, json_t *j, struct buf *text)
{
    X509 *cert = NULL;
    struct facts f;
    struct buf err = {0};
    enum rc rc = untrusted_look(state_dir, &cert, &err);
    if (rc == RC_OK) {
        rc = facts_of(cert, now_s, &f);
        rc = rc == RC_OK ? put_second(&f, NULL, j, text) : rc;
    } else if (rc == RC_NOTFOUND) {
        rc = put_second(NULL, "not made yet: the next start makes it", j, text);
    } else {
        rc = buf_put_u8(&err, 0);
        rc = rc == RC_OK ? put_second(NULL, (const char *)buf_span(&err).p, j, text) : rc;
    }
    X509_free(cert);
    buf_fini(&err);
    return rc;
}

static enum rc put_json(const char *state_dir, const struct shown *s, struct buf *text)
{
    json_t *j = shown_json(s), *others = json_array();
    enum rc rc = j && others ? add_others(state_dir, s->now_s, others, text) : RC_NOMEM;
    if (rc == RC_OK)
        rc = add_second(state_dir, s->now_s, j, NULL);
    if (j && others)
        json_object_set(j, "others", others);
    char *out = rc == RC_OK ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (rc == RC_OK)
        rc = out ? buf_printf(text, "%s\n", out) : RC_NOMEM;
    free(out);
    json_decref(others);
    json_decref(j);
    return rc;
}

enum rc ca_show(const char *state_dir, int64_t now_s, bool json, struct buf *text, struct buf *err)
{
    char dir[CA_PATH_BYTES];
    struct shown s = {.now_s = now_s, .where = "ca"};
    buf_clear(text);
    if (ca_dir(state_dir, "ca", dir) != RC_OK)
        return ca_fail(err, "the state directory's name is too long");
    TRY(look(dir, &s, err));
    if (json)
        return put_json(state_dir, &s, text);
    TRY(put_shown(dir, &s, text));
    TRY(add_second(state_dir, now_s, NULL, text));
    return add_others(state_dir, now_s, NULL, text);
}
