/* A leaf of our own signer taken apart without OpenSSL: where its fields lie in its DER. For the register
 * (serial, dates) and for recycling certificate objects (certs/leafcache.c), where d2i_X509 would cost 100
 * us, nearly all of it for a public key that is always the same. Reads strict DER of the shape that
 * certs/mint.c writes (RFC 5280 section 4.1) and nothing else; whoever meets another shape goes by OpenSSL.
 * Pure. */
#ifndef CERTS_LEAFPARTS_H
#define CERTS_LEAFPARTS_H

#include "gw/base/buf.h"

/* Spans borrow from the certificate. */
struct leaf_parts {
    span tbs;             /* TBSCertificate, with its header: what the signature is over */
    span serial;          /* INTEGER's content */
    span issuer, subject; /* names, with header */
    span common_name;     /* text of the subject's only CN; empty: an empty subject */
    int64_t from, to;     /* UTC seconds */
    span names;           /* subjectAltName: GeneralNames, with header */
    bool names_critical;
    span authority; /* authorityKeyIdentifier, with header */
    span signature; /* bits */
};
/* False: not one certificate of this shape from the first byte to the last; *out then means nothing. */
bool leaf_parts_read(span der, struct leaf_parts *out) MUST_USE;

#endif
