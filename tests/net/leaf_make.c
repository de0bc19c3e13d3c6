/* For tests/net/test_leaf_clients.py: leaf_make FOLDER NAME...
 * Makes a CA in FOLDER and one leaf for each NAME (a host name, a wildcard, an address), as the signer would,
 * and writes FOLDER/<number>.pem (leaf, issuing CA), FOLDER/key.pem, FOLDER/root.pem, FOLDER/issuing.pem and
 * FOLDER/crl.der. */
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "certs/mint.h"
#include "gw/base/addr.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"

struct maker {
    const char *folder;
    struct ca *ca;
    X509 *issuing, *root;
    EVP_PKEY *key;
    uint8_t point[65];
};

static void give_up(const char *what, const struct buf *err)
{
    fprintf(stderr, "leaf_make: %s: %.*s\n", what, err ? (int)buf_len(err) : 0,
            err && buf_len(err) ? (const char *)buf_span(err).p : "");
    exit(1);
}

static FILE *create(const struct maker *m, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", m->folder, name);
    FILE *f = fopen(path, "w");
    if (!f)
        give_up(path, NULL);
    return f;
}

static X509 *next_cert(struct rd *r)
{
    span der = rd_vec16(r);
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    if (!x)
        give_up("chain", NULL);
    return x;
}

static void make_ca(struct maker *m)
{
    struct buf err = {0}, chain = {0};
    int fd;
    if (ca_init(m->folder, SPAN("Laboratory"), geteuid(), clock_wall_s(), &err) != RC_OK ||
        ca_open_files(m->folder, geteuid(), clock_wall_s(), &fd, &chain, &err) != RC_OK ||
        ca_load_key(fd, buf_span(&chain), SPAN("http://192.0.2.7/perron.crl"), &m->ca, &err) != RC_OK)
        give_up("CA", &err);
    close(fd);
    struct rd r = rd_of(buf_span(&chain));
    m->issuing = next_cert(&r);
    m->root = next_cert(&r);
    buf_fini(&chain);
    buf_fini(&err);
}

static void write_public(struct maker *m)
{
    struct buf crl = {0};
    FILE *f = create(m, "root.pem");
    PEM_write_X509(f, m->root);
    fclose(f);
    f = create(m, "issuing.pem");
    PEM_write_X509(f, m->issuing);
    fclose(f);
    f = create(m, "key.pem");
    PEM_write_PrivateKey(f, m->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    if (mint_crl(m->ca, clock_wall_s(), 7, &crl) != RC_OK)
        give_up("CRL", NULL);
    f = create(m, "crl.der");
    fwrite(crl.p, 1, buf_len(&crl), f);
    fclose(f);
    buf_fini(&crl);
}

static void make_leaf(struct maker *m, int number, const char *name)
{
    struct mint_request req = {.n_sans = 1, .sans = {{SAN_DNS, span_str(name)}}};
    struct buf der = {0};
    struct addr a;
    char file[32];
    const char *why = NULL;
    if (addr_parse(span_str(name), &a))
        req.sans[0] = (struct san){SAN_IP, span_of(a.b, a.family == 4 ? 4 : 16)};
    mint_dates(&req, INT64_MIN, INT64_MAX, clock_wall_s());
    if (mint_leaf(m->ca, m->point, &req, &der, &why) != RC_OK)
        give_up(name, NULL);
    const uint8_t *p = der.p;
    X509 *leaf = d2i_X509(NULL, &p, (long)buf_len(&der));
    snprintf(file, sizeof file, "%d.pem", number);
    FILE *f = create(m, file);
    PEM_write_X509(f, leaf);
    PEM_write_X509(f, m->issuing);
    fclose(f);
    X509_free(leaf);
    buf_fini(&der);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"gpo", "firefox", "ios", "android", "java"};
    struct maker m = {.folder = argc > 1 ? argv[1] : ""};
    struct buf text = {0}, err = {0};
    size_t n;
    if (argc < 3)
        give_up("usage: leaf_make FOLDER NAME...", NULL);
    make_ca(&m);
    m.key = EVP_EC_gen("P-256");
    if (!m.key ||
        EVP_PKEY_get_octet_string_param(m.key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, m.point, 65, &n) != 1)
        give_up("key", NULL);
    write_public(&m);
    for (int i = 2; i < argc; i++)
        make_leaf(&m, i - 2, argv[i]);
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/export.%s", m.folder, kinds[i]);
        if (ca_export(m.folder, "ca", span_str(kinds[i]), path, &text, &err) != RC_OK)
            give_up("export", &err);
    }
    ca_free(m.ca);
    X509_free(m.issuing);
    X509_free(m.root);
    EVP_PKEY_free(m.key);
    buf_fini(&text);
    buf_fini(&err);
    return 0;
}
