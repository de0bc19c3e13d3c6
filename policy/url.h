/* The parts of a URL as people write it in `expect` lines and on command lines. Requests of strangers are
 * read by gw/http, never here. */
#ifndef POLICY_URL_H
#define POLICY_URL_H

#include "gw/base/buf.h"

/* The parts of `https://host:port/path?query`. */
struct url {
    bool tls;
    span host,
        path; /* an IPv6 literal without its brackets; the path without its query, "/" when there is none */
    uint16_t port;
};

/* False when it is no http or https URL with a host. Spans point into `text`. */
bool url_split(span text, struct url *out);

#endif
