/* JA4, the fingerprint of a TLS client over TCP: what a ClientHello offers, without what changes from one
 * connection to the next (GREASE, order of ciphers and extensions). Only JA4 itself, whose method is under
 * the BSD licence; none of the other fingerprints that carry JA4 in their name. Pure; the reader (hello.c)
 * fills the input. */
#ifndef GW_TLS_JA4_H
#define GW_TLS_JA4_H

#include "gw/base/buf.h"

enum { JA4_BYTES = 36 };

/* No list holds GREASE. */
struct ja4_in {
    uint16_t version; /* highest of supported_versions, or the hello's own */
    bool sni;         /* server_name is there, whatever is in it */
    span alpn;        /* first protocol; empty: none */
    const uint16_t *ciphers, *extensions, *sigalgs;
    size_t n_ciphers, n_extensions, n_sigalgs; /* at most JA4_MAX_LIST each */
};
enum { JA4_MAX_LIST = 256 };

/* NOMEM when the digest is not to be had. */
enum rc ja4_make(const struct ja4_in *in, char out[JA4_BYTES + 1]) MUST_USE;
/* The sixteen values of RFC 8701. */
static inline bool tls_is_grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && (v >> 8) == (v & 0xff);
}

#endif
