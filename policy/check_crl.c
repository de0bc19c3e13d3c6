/* Where clients fetch our CRL when the policy does not say it with `crl`. Every leaf names that place, and
 * Windows clients do not trust a leaf whose CRL they cannot fetch, so it must be reached from every zone,
 * without DNS.
 *
 * An explicit listener's own address where the policy names one. Otherwise an address that nobody has
 * (RFC 5737, RFC 3849): clients send what goes there to their router, the transparent way diverts it on its
 * way, a client with a proxy asks the proxy for it, and the flow answers it by host and path
 * (gw/flow/proxy.c) before anything leaves upstream. */
#include <stdio.h>

#include "gw/base/obj.h"
#include "policy/checker.h"

enum { CRL_URL_BYTES = 96, HTTP_PORT = 80 };

static const struct set_listen *named_proxy(const struct settings_decl *s, uint8_t family)
{
    for (unsigned i = 0; i < s->n_listen; i++) {
        const struct set_listen *l = &s->listen[i];
        if (l->kind == LISTEN_EXPLICIT && l->addr.family == family && !addr_is_local(&l->addr))
            return l;
    }
    return NULL;
}

/* Are there clients, and all of them with IPv6 addresses? */
static bool only_v6(const struct tree *t)
{
    bool some = false;
    for (const struct zone_decl *z = t->zones.first; z; z = z->next) {
        for (const struct value *v = z->internet ? NULL : z->networks; v; v = v->next) {
            if (v->prefix.a.family == 4)
                return false;
            some = true;
        }
    }
    return some;
}

/* A port that comes to us: plain HTTP is answered on any of those that are diverted. */
static uint16_t diverted_port(const struct settings_decl *s)
{
    for (unsigned i = 0; i < s->n_ports; i++) {
        if (s->port[i] == HTTP_PORT)
            return HTTP_PORT;
    }
    return s->n_ports ? s->port[0] : HTTP_PORT;
}

void check_crl(struct diag *d)
{
    struct settings_decl *s = &d->tree->set;
    char url[CRL_URL_BYTES], ip[ADDR_TEXT];
    const struct set_listen *l = named_proxy(s, 4);
    if (s->crl.text.n)
        return;
    if (!l)
        l = named_proxy(s, 6);
    bool v6 = l ? l->addr.family == 6 : only_v6(d->tree);
    const char *host = l ? addr_text(&l->addr, ip) : v6 ? CRL_ADDRESS_V6 : CRL_ADDRESS_V4;
    uint16_t port = l ? l->port : diverted_port(s);
    int n = snprintf(url, sizeof url, v6 ? "http://[%s]" : "http://%s", host);
    if (port != HTTP_PORT)
        n += snprintf(url + n, sizeof url - (size_t)n, ":%u", (unsigned)port);
    n += snprintf(url + n, sizeof url - (size_t)n, "/perron.crl");
    s->crl.text = arena_dup(&d->tree->mem, span_of(url, (size_t)n));
    if (s->crl.text.n == 0)
        diag_error(d, s->crl.pos, NULL, "the policy is too large");
}
