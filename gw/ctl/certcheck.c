/* perronctl cert-check: judges a chain from files by the gateway's own verification (certs/verify), with any
 * clock, root store, revocation lists and staple. Nothing is asked of a gateway and nothing is fetched. Exit
 * status: 0 good, 1 bad, 2 something could not be read. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certs/pointers.h"
#include "certs/verify.h"
#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/ctl/ctl.h"
#include "gw/ctl/moment.h"

#define ROOTS "/etc/ssl/certs/ca-certificates.crt"
enum { UNREADABLE = 2, FILES_MAX = 32, SHOWN_CERT = 600, PIECE = 65536 };

struct words {
    const char *host, *roots, *leaf, *staple;
    const char *chain[FILES_MAX], *crl[FILES_MAX], *own[FILES_MAX];
    size_t n_chain, n_crl, n_own;
    int64_t at_s;
    bool must_know;
};

struct check {
    struct trust *trust;
    STACK_OF(X509) * chain, *path;
    struct revoked *set;
    int set_fd;
    struct buf staple, crl[FILES_MAX];
    const char *crl_why[FILES_MAX]; /* NULL: used */
    uint8_t *serials[LIM_PATH_CERTS];
    struct cert_verdict v;
};

static int unreadable(const char *file, const char *why)
{
    ctl_fail("cert-check: %s: %s", file, why);
    return UNREADABLE;
}

/* ---- files */

static bool read_file(const char *name, size_t most, struct buf *out)
{
    FILE *f = fopen(name, "rbe");
    buf_init(out, most + 1);
    enum rc rc = f ? RC_OK : RC_IO;
    size_t n = 1;
    while (rc == RC_OK && n > 0) {
        size_t room = most + 1 - buf_len(out), want = room < PIECE ? room : PIECE;
        rc = want ? buf_reserve(out, want) : RC_LIMIT;
        n = rc == RC_OK ? fread(out->p + out->w, 1, want, f) : 0;
        out->w += n;
    }
    bool ok = rc == RC_OK && !ferror(f);
    if (f)
        fclose(f);
    return ok;
}

/* All certificates of a file: PEM, one after the other, or one of DER. */
static int read_certs(const char *name, STACK_OF(X509) * into)
{
    struct buf b;
    int had = sk_X509_num(into);
    if (!read_file(name, 16 << 20, &b)) {
        buf_fini(&b);
        return unreadable(name, "cannot be read");
    }
    const uint8_t *p = b.p;
    X509 *x = buf_len(&b) ? d2i_X509(NULL, &p, (long)buf_len(&b)) : NULL;
    BIO *bio = x ? NULL : BIO_new_mem_buf(b.p, (int)buf_len(&b));
    ERR_clear_error();
    if (!x && bio)
        x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    while (x && sk_X509_push(into, x) > 0)
        x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    unsigned long e = ERR_peek_last_error();
    bool broken = bio && ERR_GET_REASON(e) != PEM_R_NO_START_LINE;
    BIO_free(bio);
    buf_fini(&b);
    ERR_clear_error();
    return broken || sk_X509_num(into) == had ? unreadable(name, "no certificate, or one that does not parse")
                                              : 0;
}

static int load_trust(const struct words *w, struct check *c)
{
    struct buf pem, err = {0};
    unsigned n;
    int status = 0;
    enum rc rc =
        read_file(w->roots, 16 << 20, &pem) ? trust_load(buf_span(&pem), &c->trust, &n, &err) : RC_IO;
    if (rc != RC_OK)
        status = unreadable(w->roots, rc == RC_IO ? "cannot be read" : "no trust store");
    buf_fini(&pem);
    buf_fini(&err);
    STACK_OF(X509) *own = sk_X509_new_null();
    for (size_t i = 0; i < w->n_own && status == 0; i++)
        status = read_certs(w->own[i], own);
    for (int i = 0; i < sk_X509_num(own) && status == 0; i++) {
        uint8_t *der = NULL;
        int len = i2d_X509(sk_X509_value(own, i), &der);
        if (len <= 0 || trust_forbid(c->trust, span_of(der, (size_t)len)) != RC_OK)
            status = unreadable("--own-ca", "too many certificates");
        OPENSSL_free(der);
    }
    sk_X509_pop_free(own, X509_free);
    return status;
}

static int load(const struct words *w, struct check *c)
{
    c->chain = sk_X509_new_null();
    int status = load_trust(w, c);
    if (status == 0)
        status = read_certs(w->leaf, c->chain);
    for (size_t i = 0; i < w->n_chain && status == 0; i++)
        status = read_certs(w->chain[i], c->chain);
    for (size_t i = 0; i < w->n_crl && status == 0; i++) {
        if (!read_file(w->crl[i], LIM_CRL_BYTES, &c->crl[i]))
            status = unreadable(w->crl[i], "cannot be read, or larger than 64 MiB");
    }
    if (status == 0 && w->staple && !read_file(w->staple, LIM_STAPLE_BYTES, &c->staple))
        status = unreadable(w->staple, "cannot be read, or larger than 16 KiB");
    return status;
}

/* ---- revocation lists: as the fetcher would take them */

static bool take_list(struct check *c, span der, int at, int64_t now_s, struct revoked_source *out,
                      const char **why)
{
    X509 *cert = sk_X509_value(c->path, at), *issuer = sk_X509_value(c->path, at + 1);
    struct pointer url;
    struct crl crl;
    pointer_of_crl(cert, &url);
    struct crl_want want = {.issuer = issuer,
                            .url = pointer_span(&url),
                            .authorities = (X509_get_extension_flags(cert) & EXFLAG_CA) != 0,
                            .now_s = now_s};
    enum rc rc = crl_read(der, &crl);
    if (rc == RC_OK)
        rc = url.n ? crl_verify(&crl, &want) : RC_DENIED;
    if (rc != RC_OK) {
        *why = url.n ? crl_why_name(crl.why) : "the certificate points to no list";
        return false;
    }
    uint8_t *serials = malloc(crl.n * CRL_SERIAL + 1);
    if (!serials)
        return false;
    free(c->serials[at]); /* the last list counts */
    c->serials[at] = serials;
    size_t n = crl_serials(&crl, serials);
    *out = (struct revoked_source){
        .this_s = crl.this_s, .next_s = crl_good_until(&crl, n), .serials = span_of(serials, n * CRL_SERIAL)};
    return revoked_source_id(issuer, want.url, want.authorities, out->id) == RC_OK;
}

static enum rc take_lists(const struct words *w, struct check *c)
{
    struct revoked_source src[LIM_PATH_CERTS];
    bool have[LIM_PATH_CERTS] = {0};
    size_t n = 0;
    for (size_t k = 0; k < w->n_crl; k++) {
        c->crl_why[k] = "another-issuer";
        for (int i = 0; i < c->v.n_path; i++) {
            struct revoked_source one;
            const char *why = NULL;
            if (take_list(c, buf_span(&c->crl[k]), i, w->at_s, &one, &why)) {
                src[i] = one;
                have[i] = true;
                c->crl_why[k] = NULL;
            } else if (c->crl_why[k] && why && strcmp(why, "another-issuer") != 0) {
                c->crl_why[k] = why;
            }
        }
    }
    for (int i = 0; i < c->v.n_path; i++) {
        if (have[i])
            src[n++] = src[i];
    }
    if (n == 0)
        return RC_OK;
    TRY(revoked_build(src, n, &c->set_fd));
    return revoked_map(c->set_fd, &c->set);
}

static enum rc judge(const struct words *w, struct check *c)
{
    struct addr ip;
    uint8_t name[LIM_NAME_BYTES];
    bool is_ip = addr_parse(span_str(w->host), &ip);
    size_t n = is_ip ? 0 : name_normalise(span_str(w->host), name);
    struct verify_ask ask = {.trust = c->trust,
                             .chain = c->chain,
                             .name = span_of(name, n),
                             .ip = is_ip ? &ip : NULL,
                             .now_s = w->at_s};
    if (!is_ip && n == 0)
        return RC_BAD;
    TRY(verify_path(&ask, &c->v, &c->path));
    verify_staple(buf_span(&c->staple), c->path, w->at_s, &c->v);
    TRY(take_lists(w, c));
    verify_revocation(c->set, &c->v, w->at_s);
    return RC_OK;
}

/* ---- answers */

static const char *revocation_word(const struct cert_verdict *v)
{
    return v->defects & DEFECT_BIT(REVOKED) ? "revoked" : v->revocation_known ? "good" : "unknown";
}

static void cert_text(X509 *x, char out[SHOWN_CERT])
{
    BIO *mem = BIO_new(BIO_s_mem());
    int n = 0;
    if (mem) {
        X509_NAME_print_ex(mem, X509_get_subject_name(x), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
        n = BIO_read(mem, out, SHOWN_CERT - 1);
    }
    BIO_free(mem);
    out[n > 0 ? n : 0] = '\0';
}

static json_t *defects_json(const struct cert_verdict *v)
{
    json_t *list = json_array();
    for (enum defect d = 0; d < DEFECT_N; d++) {
        if (v->defects & (UINT32_C(1) << d))
            json_array_append_new(list, json_string(defect_name(d)));
    }
    return list;
}

static void answer_json(const struct words *w, const struct check *c, bool good, const char *reason)
{
    json_t *path = json_array(), *lists = json_array();
    char text[SHOWN_CERT];
    for (int i = 0; i < sk_X509_num(c->path); i++) {
        cert_text(sk_X509_value(c->path, i), text);
        json_array_append_new(path, json_stringn_nocheck(text, strlen(text)));
    }
    for (size_t i = 0; i < w->n_crl; i++)
        json_array_append_new(lists, json_pack("{s:s, s:s}", "file", w->crl[i], "taken",
                                               c->crl_why[i] ? c->crl_why[i] : "yes"));
    json_t *o = json_pack("{s:b, s:s, s:s, s:I, s:s, s:o, s:s, s:s, s:o, s:o}", "ok", good, "verdict",
                          good ? "good" : "bad", "host", w->host, "at", (json_int_t)w->at_s, "reason", reason,
                          "defects", defects_json(&c->v), "revocation", revocation_word(&c->v), "staple",
                          staple_name(c->v.staple), "path", path, "crl", lists);
    ctl_print_json(o);
    json_decref(o);
}

static void answer_text(const struct words *w, const struct check *c, bool good, const char *reason)
{
    char text[SHOWN_CERT], at[MOMENT_TEXT];
    moment_text(w->at_s, at);
    printf("%s: %s for %s at %s\n", good ? "good" : "bad", reason, w->host, at);
    for (enum defect d = 0; d < DEFECT_N; d++) {
        if (c->v.defects & (UINT32_C(1) << d))
            printf("  %-16s %s\n", defect_name(d), defect_text(d));
    }
    printf("  revocation       %s (staple: %s)\n", revocation_word(&c->v), staple_name(c->v.staple));
    for (size_t i = 0; i < w->n_crl; i++)
        printf("  list             %s: %s\n", w->crl[i], c->crl_why[i] ? c->crl_why[i] : "taken");
    for (int i = 0; i < sk_X509_num(c->path); i++) {
        cert_text(sk_X509_value(c->path, i), text);
        printf("  %-16s ", i == 0 ? "path" : "");
        ctl_print(stdout, span_str(text), false);
        printf("\n");
    }
}

static int answer(const struct ctl *ctl, const struct words *w, const struct check *c)
{
    bool unknown = w->must_know && !c->v.revocation_known;
    bool good = c->v.defects == 0 && !unknown;
    const char *reason = c->v.defects ? defect_name(defect_first(c->v.defects))
                         : unknown    ? "revocation-unknown"
                                      : "acceptable";
    if (ctl->json)
        answer_json(w, c, good, reason);
    else
        answer_text(w, c, good, reason);
    return good ? 0 : 1;
}

static void drop(struct check *c)
{
    trust_free(c->trust);
    sk_X509_pop_free(c->chain, X509_free);
    sk_X509_pop_free(c->path, X509_free);
    revoked_free(c->set);
    if (c->set_fd >= 0)
        close(c->set_fd);
    buf_fini(&c->staple);
    for (size_t i = 0; i < FILES_MAX; i++)
        buf_fini(&c->crl[i]);
    for (size_t i = 0; i < LIM_PATH_CERTS; i++)
        free(c->serials[i]);
}

/* ---- words */

static bool add_file(const char **list, size_t *n, const char *name)
{
    if (*n == FILES_MAX)
        return false;
    list[(*n)++] = name;
    return true;
}

/* Seconds since 1970 too, for scripts. */
static bool take_time(const char *text, int64_t *out)
{
    uint64_t s;
    if (span_to_u64(span_str(text), INT32_MAX * UINT64_C(4), &s)) {
        *out = (int64_t)s;
        return true;
    }
    return moment_parse(text, *out, out);
}

static bool take_option(struct words *w, const char *name, const char *value)
{
    if (strcmp(name, "--at") == 0)
        return take_time(value, &w->at_s);
    if (strcmp(name, "--chain") == 0)
        return add_file(w->chain, &w->n_chain, value);
    if (strcmp(name, "--crl") == 0)
        return add_file(w->crl, &w->n_crl, value);
    if (strcmp(name, "--own-ca") == 0)
        return add_file(w->own, &w->n_own, value);
    const char **one = strcmp(name, "--host") == 0     ? &w->host
                       : strcmp(name, "--roots") == 0  ? &w->roots
                       : strcmp(name, "--staple") == 0 ? &w->staple
                                                       : NULL;
    if (one)
        *one = value;
    return one != NULL;
}

static int not_understood(const char *word, const char *value)
{
    ctl_fail("cert-check: cannot read %s %s; perronctl cert-check --help", word, value);
    return UNREADABLE;
}

static int run(const struct ctl *ctl, int argc, char **argv)
{
    struct words w = {.roots = ROOTS, .at_s = clock_wall_s()};
    struct check c = {.set_fd = -1};
    for (int i = 0; i < argc; i++) {
        bool option = argv[i][0] == '-';
        if (strcmp(argv[i], "--must-know") == 0)
            w.must_know = true;
        else if (!option && !w.leaf)
            w.leaf = argv[i];
        else if (!option || i + 1 == argc || !take_option(&w, argv[i], argv[i + 1]))
            return not_understood(argv[i], i + 1 == argc ? "" : argv[i + 1]);
        else
            i++;
    }
    if (!w.host || !w.leaf)
        return unreadable("--host NAME and the file of the certificate", "both needed");
    int status = load(&w, &c);
    enum rc rc = status == 0 ? judge(&w, &c) : RC_OK;
    if (rc != RC_OK)
        status = unreadable(w.host, rc == RC_BAD ? "not a host name or address" : rc_text(rc));
    else if (status == 0)
        status = answer(ctl, &w, &c);
    drop(&c);
    return status;
}

const struct ctl_command ctl_certcheck = {
    "cert-check",
    "  cert-check --host NAME [--at TIME] [--roots FILE] [--chain FILE]... [--crl FILE]... [--staple FILE]\n"
    "             [--own-ca FILE]... [--must-know] LEAF\n",
    run};
