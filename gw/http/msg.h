/* The neutral HTTP message: what a decision looks at and what the relay writes out again, the same for HTTP/1
 * and HTTP/2. Spans borrow from the bytes that were parsed (or from an arena); the owner of those bytes
 * outlives the message. */
#ifndef GW_HTTP_MSG_H
#define GW_HTTP_MSG_H

#include "gw/base/limits.h"
#include "gw/base/addr.h"

struct field {
    span name, value; /* value without surrounding white space */
    bool secret;      /* HTTP/2: stays out of every compression table (RFC 7541 section 7.1.3) */
};

enum body_kind {
    BODY_NONE,
    BODY_LENGTH, /* exactly `length` bytes */
    BODY_CHUNKED,
    BODY_CLOSE, /* response only: until the connection ends */
};

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

struct msg {
    bool is_request;
    uint8_t minor; /* HTTP/1.minor: 0 or 1 */
    /* request */
    span method, target; /* target as sent */
    enum target_form form;
    span scheme; /* absolute-form only: "http" or "https", as sent */
    span host; /* from an absolute or authority target, else from Host; a name, or an address literal without
                  brackets; empty only in HTTP/1.0 without Host */
    uint16_t port; /* 0: none given */
    span path,
        query; /* of origin- and absolute-form; path is never empty but for OPTIONS; query without '?' */
    bool has_query;
    /* response */
    uint16_t status;
    span reason;
    /* both */
    struct field fields[LIM_HEAD_FIELDS];
    uint16_t n_fields;
    enum body_kind body;
    uint64_t length; /* of BODY_LENGTH; with has_length and BODY_NONE (HEAD, 304) the length a GET would have
                        had */
    bool has_length;
    bool keep_alive; /* what this message says about persistence */
    bool expect_continue;
    bool upgrade;    /* request: a whole RFC 6455 offer, the only upgrade we take part in (h2c and others are
                        dropped by    the relay and the request goes on without); response: Connection and
                        Upgrade    are there */
    span upgrade_to; /* "websocket" as sent */
};

/* Empties everything but the field array, which n_fields guards: 6 KB a request are not cleared. */
void msg_reset(struct msg *m);

/* First value of a field (case-insensitive), or SPAN_NONE with p == NULL when absent. */
span msg_field(const struct msg *m, span name);
/* Is `token` an element of the comma-separated values of all fields of that name? */
bool msg_has_token(const struct msg *m, span name, span token);
/* Takes the next element off a comma-separated list (trimmed; empty ones are skipped); false at its end. */
bool list_next(span *list, span *element);
/* Host of a Referer's http or https URL, for records that keep no more than that; SPAN_NONE when it is no
 * such URL. */
span referer_host(span referer);

#endif
