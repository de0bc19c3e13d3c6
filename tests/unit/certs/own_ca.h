/* A CA of our own in a temporary folder, loaded as the signer loads it, and leaves from it. */
#ifndef TESTS_OWN_CA_H
#define TESTS_OWN_CA_H

#include <stdio.h>
#include <unistd.h>

#include "certs/mint.h"
#include "gw/base/obj.h"
#include "tests/unit/certs/make_cert.h"

struct own_ca {
    char dir[64];
    struct ca *ca;
    EVP_PKEY *leaf_key;
    uint8_t point[65];
    struct buf chain; /* as ca_open_files() gives it */
};

static inline void own_ca_open(struct own_ca *o)
{
    struct buf err = {0};
    int fd;
    size_t n;
    *o = (struct own_ca){.dir = "/tmp/perron-own-ca-XXXXXX"};
    assert_non_null(mkdtemp(o->dir));
    assert_int_equal(ca_init(o->dir, SPAN("Tests"), geteuid(), NOW, &err), RC_OK);
    assert_int_equal(ca_open_files(o->dir, geteuid(), NOW, &fd, &o->chain, &err), RC_OK);
    assert_int_equal(ca_load_key(fd, buf_span(&o->chain), SPAN("http://gw.test/perron.crl"), &o->ca, &err),
                     RC_OK);
    close(fd);
    o->leaf_key = EVP_EC_gen("P-256");
    assert_int_equal(EVP_PKEY_get_octet_string_param(o->leaf_key, "encoded-pub-key", o->point, 65, &n), 1);
    buf_fini(&err);
}

static inline void own_ca_close(struct own_ca *o)
{
    static const char *const names[] = {"ca/root.crt",    "ca/root.key", "ca/issuing.crt",
                                        "ca/issuing.key", "ca",          ""};
    char path[128];
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        snprintf(path, sizeof path, "%s/%s", o->dir, names[i]);
        remove(path);
    }
    ca_free(o->ca);
    EVP_PKEY_free(o->leaf_key);
    buf_fini(&o->chain);
}

static inline struct mint_request own_ca_ask(const char *name)
{
    struct mint_request req = {.n_sans = 1, .sans = {{SAN_DNS, span_str(name)}}};
    mint_dates(&req, INT64_MIN, INT64_MAX, NOW);
    return req;
}

/* Replaces `der` with a leaf. */
static inline void own_ca_mint(struct own_ca *o, const struct mint_request *req, struct buf *der)
{
    const char *why;
    buf_clear(der);
    assert_int_equal(mint_leaf(o->ca, o->point, req, der, &why), RC_OK);
}

#endif
