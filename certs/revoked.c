/* The revocation set; see revoked.h. In the file: header, rows of sources in order of their ids, serial
 * numbers source after source, then the text (URLs, issuers' certificates) that only the fetcher reads. Made
 * and read on one machine, so numbers are in its own order. */
#include "certs/revoked.h"

#include <fcntl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/pointers.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"

#define MAGIC "PRNREVK1"
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

struct head {
    char magic[8];
    uint64_t n_sources, n_serials, n_text;
};

struct row {
    uint8_t id[REVOKED_SOURCE];
    int64_t this_s, next_s;
    uint64_t first; /* serial number */
    uint32_t n, text;
    uint16_t n_url, n_issuer;
    uint8_t number[CRL_NUMBER], authorities, unused[7];
};

struct revoked {
    span map;
    bool ours;
    const struct row *rows;
    const uint8_t *serials, *text;
    uint64_t n_rows, n_serials, n_text;
};

/* ---- names */

static bool add(EVP_MD_CTX *md, span s)
{
    uint32_t n = (uint32_t)s.n;
    return EVP_DigestUpdate(md, &n, sizeof n) == 1 && EVP_DigestUpdate(md, s.p, s.n) == 1;
}

enum rc revoked_source_id(X509 *issuer, span url, bool authorities, uint8_t out[REVOKED_SOURCE])
{
    uint8_t sum[32], kind = authorities;
    const uint8_t *name = NULL;
    size_t n_name = 0;
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(issuer);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && key && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              X509_NAME_get0_der(X509_get_subject_name(issuer), &name, &n_name) == 1 &&
              add(md, span_of(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key))) &&
              add(md, span_of(name, n_name)) && add(md, url) && add(md, span_of(&kind, 1)) &&
              EVP_DigestFinal_ex(md, sum, NULL) == 1;
    EVP_MD_CTX_free(md);
    memcpy(out, sum, ok ? REVOKED_SOURCE : 0);
    return ok ? RC_OK : RC_NOMEM;
}

enum rc revoked_id_of(X509 *cert, X509 *issuer, struct revoked_id *out)
{
    struct pointer url;
    *out = (struct revoked_id){0};
    pointer_of_crl(cert, &url);
    if (url.n == 0 || !crl_serial(cert, out->serial))
        return RC_OK;
    bool authority = X509_get_extension_flags(cert) & EXFLAG_CA;
    out->no_proof = url.mixed;
    return revoked_source_id(issuer, pointer_span(&url), authority, out->source);
}

/* ---- making one */

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct revoked_source *)a)->id, ((const struct revoked_source *)b)->id,
                  REVOKED_SOURCE);
}

static enum rc measure(const struct revoked_source *src, size_t n, struct head *h)
{
    *h = (struct head){.magic = MAGIC, .n_sources = n};
    for (size_t i = 0; i < n; i++) {
        if (src[i].url.n > UINT16_MAX || src[i].issuer.n > UINT16_MAX)
            return RC_LIMIT;
        h->n_serials += src[i].serials.n / CRL_SERIAL;
        h->n_text += src[i].url.n + src[i].issuer.n;
    }
    return n <= LIM_REVOKED_SOURCES && h->n_serials <= LIM_REVOKED_SERIALS ? RC_OK : RC_LIMIT;
}

static uint8_t *put(uint8_t *p, span s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

static void fill(uint8_t *p, const struct head *h, const struct revoked_source *src)
{
    struct row *rows = (struct row *)(p + sizeof *h);
    uint8_t *serials = (uint8_t *)(rows + h->n_sources), *text = serials + h->n_serials * CRL_SERIAL;
    uint8_t *const text0 = text;
    uint64_t first = 0;
    memcpy(p, h, sizeof *h);
    for (size_t i = 0; i < h->n_sources; i++) {
        const struct revoked_source *s = &src[i];
        struct row *r = &rows[i];
        r->this_s = s->this_s;
        r->next_s = s->next_s;
        r->first = first;
        r->n = (uint32_t)(s->serials.n / CRL_SERIAL);
        r->text = (uint32_t)(text - text0);
        r->n_url = (uint16_t)s->url.n;
        r->n_issuer = (uint16_t)s->issuer.n;
        r->authorities = s->authorities;
        memcpy(r->id, s->id, sizeof r->id);
        memcpy(r->number, s->number, sizeof r->number);
        first += r->n;
        serials = put(serials, span_cut(s->serials, 0, (size_t)r->n * CRL_SERIAL));
        text = put(put(text, s->url), s->issuer);
    }
}

enum rc revoked_build(struct revoked_source *src, size_t n, int *fd)
{
    struct head h;
    TRY(measure(src, n, &h));
    qsort(src, n, sizeof *src, by_id);
    size_t size = sizeof h + n * sizeof(struct row) + h.n_serials * CRL_SERIAL + h.n_text;
    AUTO_CLOSE int f = memfd_create("perron-revoked", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (f < 0 || ftruncate(f, (off_t)size) < 0)
        return RC_IO;
    uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    if (p == MAP_FAILED)
        return RC_NOMEM;
    fill(p, &h, src);
    munmap(p, size);
    if (fcntl(f, F_ADD_SEALS, SEALS) < 0)
        return RC_IO;
    *fd = f;
    f = -1;
    return RC_OK;
}

/* ---- reading one */

static bool rows_ok(const struct revoked *r)
{
    uint64_t first = 0;
    for (uint64_t i = 0; i < r->n_rows; i++) {
        const struct row *row = &r->rows[i];
        uint64_t text_end = (uint64_t)row->text + row->n_url + row->n_issuer;
        if (row->first != first || row->n > r->n_serials - first || text_end > r->n_text)
            return false;
        if (i > 0 && memcmp(r->rows[i - 1].id, row->id, REVOKED_SOURCE) >= 0)
            return false;
        first += row->n;
    }
    return first == r->n_serials;
}

static bool structure_ok(struct revoked *r)
{
    struct head h;
    if (r->map.n < sizeof h || (uintptr_t)r->map.p % sizeof(uint64_t) != 0)
        return false;
    memcpy(&h, r->map.p, sizeof h);
    if (memcmp(h.magic, MAGIC, sizeof h.magic) != 0 || h.n_sources > LIM_REVOKED_SOURCES ||
        h.n_serials > LIM_REVOKED_SERIALS || h.n_text > UINT32_MAX)
        return false;
    uint64_t want = sizeof h + h.n_sources * sizeof(struct row) + h.n_serials * CRL_SERIAL + h.n_text;
    if (want != r->map.n)
        return false;
    r->n_rows = h.n_sources;
    r->n_serials = h.n_serials;
    r->n_text = h.n_text;
    r->rows = (const struct row *)(r->map.p + sizeof h);
    r->serials = (const uint8_t *)(r->rows + r->n_rows);
    r->text = r->serials + r->n_serials * CRL_SERIAL;
    return rows_ok(r);
}

enum rc revoked_over(span bytes, struct revoked **out)
{
    struct revoked *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r)
        return RC_NOMEM;
    r->map = bytes;
    if (!structure_ok(r)) {
        free(r);
        return RC_BAD;
    }
    *out = r;
    return RC_OK;
}

enum rc revoked_map(int fd, struct revoked **out)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    *out = NULL;
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size <= 0)
        return RC_BAD;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return RC_NOMEM;
    enum rc rc = revoked_over(span_of(p, (size_t)st.st_size), out);
    if (rc == RC_OK)
        (*out)->ours = true;
    else
        munmap(p, (size_t)st.st_size);
    return rc;
}

void revoked_free(struct revoked *r)
{
    if (r && r->ours)
        munmap((void *)(uintptr_t)r->map.p, r->map.n);
    free(r);
}

static const struct row *find_row(const struct revoked *r, const uint8_t id[REVOKED_SOURCE])
{
    uint64_t lo = 0, hi = r->n_rows;
    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;
        int c = memcmp(r->rows[mid].id, id, REVOKED_SOURCE);
        if (c == 0)
            return &r->rows[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static bool has_serial(const uint8_t *serials, size_t n, const uint8_t serial[CRL_SERIAL])
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = memcmp(serials + mid * CRL_SERIAL, serial, CRL_SERIAL);
        if (c == 0)
            return true;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

enum revocation revoked_find(const struct revoked *r, const struct revoked_id *id, int64_t now_s)
{
    const struct row *row = r ? find_row(r, id->source) : NULL;
    if (!row)
        return REVOCATION_UNKNOWN;
    if (has_serial(r->serials + row->first * CRL_SERIAL, row->n, id->serial))
        return REVOCATION_REVOKED;
    return now_s < row->next_s && !id->no_proof ? REVOCATION_GOOD : REVOCATION_UNKNOWN;
}

size_t revoked_n_sources(const struct revoked *r)
{
    return r ? r->n_rows : 0;
}

size_t revoked_n_serials(const struct revoked *r)
{
    return r ? r->n_serials : 0;
}

void revoked_source_at(const struct revoked *r, size_t i, struct revoked_source *out)
{
    const struct row *row = &r->rows[i];
    const uint8_t *text = r->text + row->text;
    *out = (struct revoked_source){
        .this_s = row->this_s,
        .next_s = row->next_s,
        .serials = span_of(r->serials + row->first * CRL_SERIAL, (size_t)row->n * CRL_SERIAL),
        .url = span_of(text, row->n_url),
        .issuer = span_of(text + row->n_url, row->n_issuer),
        .authorities = row->authorities,
    };
    memcpy(out->id, row->id, sizeof out->id);
    memcpy(out->number, row->number, sizeof out->number);
}
