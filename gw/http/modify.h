/* What `set` rules and the setting `forwarded` change in a request before it leaves: the neutral message
 * alone is changed, so HTTP/1 and HTTP/2 share it. What a request is judged by (method, host, path) is never
 * touched. Rows: search.tbl (search engines), tenant.tbl (fields that concern one service). Pure. */
#ifndef GW_HTTP_MODIFY_H
#define GW_HTTP_MODIFY_H

#include "gw/base/arena.h"
#include "gw/http/msg.h"

/* Fields by which somebody before us tells who is behind him: Via, Forwarded, X-Forwarded-* and their kin. */
enum forwarded {
    FORWARDED_REMOVE, /* an origin learns of no address and no proxy inside */
    FORWARDED_KEEP,   /* as the client sent them */
    FORWARDED_ADD,    /* what the client sent is taken out; its address and ours stand there instead */
};
enum youtube { YOUTUBE_OPEN, YOUTUBE_MODERATE, YOUTUBE_STRICT };

enum { MODIFY_HEADERS = 16 };

struct modify {
    bool safe_search;
    enum youtube youtube;
    enum forwarded forwarded;
    struct addr client;                   /* of FORWARDED_ADD */
    struct field headers[MODIFY_HEADERS]; /* borrowed */
    uint16_t n_headers;
};

/* What did apply: a search engine was asked, a field was set. */
struct modified {
    bool safe_search, youtube;
    uint32_t headers; /* bit i: headers[i] */
};

/* `host`: the name that the request was judged by, normalised; empty for an address. What is written anew is
 * in `mem`. NOMEM: the message is half changed and must not be relayed. */
enum rc modify_request(struct msg *m, span host, const struct modify *how, struct arena *mem,
                       struct modified *did) MUST_USE;
/* Is it the same name to an origin? In any case of letters, and many take `_` for `-`. */
bool modify_same_name(span a, span b);
/* Alt-Svc without what leads past TCP: HTTP/3 and QUIC alternatives (RFC 7838). Writes at most in.n bytes to
 * `out` (which may be in.p) and returns the length, 0 when nothing is left or the value is not understood. */
size_t modify_alt_svc(span in, uint8_t *out);

#endif
