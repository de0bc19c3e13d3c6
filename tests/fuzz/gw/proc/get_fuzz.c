/* URLs out of strangers' certificates. Beyond not crashing: the parts lie in the URL, nothing in them could
 * end a request line, and they put together again give the same parts. */
#include "gw/proc/get.h"

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool visible(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    }
    return s.n > 0;
}

static void again(const struct get_url *u)
{
    struct buf b = {0};
    struct get_url v;
    bool v6 = span_find(u->host, ':', 0) != SIZE_MAX;
    gw_assert(buf_put_str(&b, v6 ? "http://[" : "http://") == RC_OK && buf_put(&b, u->host) == RC_OK &&
              buf_printf(&b, "%s:%u", v6 ? "]" : "", (unsigned)u->port) == RC_OK &&
              buf_put(&b, u->target) == RC_OK);
    if (buf_len(&b) <= 2000) {
        gw_assert(get_url_split(buf_span(&b), &v));
        gw_assert(span_eq(u->host, v.host) && span_eq(u->target, v.target) && u->port == v.port);
    }
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct get_url u;
    if (!get_url_split(span_of(data, size), &u))
        return 0;
    gw_assert(visible(u.host) && visible(u.target) && u.target.p[0] == '/' && u.port != 0);
    again(&u);
    return 0;
}
