/* Block pages: FR, NL, DE or EN by Accept-Language (RFC 9110 section 12.5.4), default FR. HTML for those who
 * accept it, one plain line for others. Everything from strangers is escaped; no script, no outside resource,
 * WCAG AA, readable without style sheets. Pure: fills a buffer with a whole HTTP/1.1 answer. Texts: page.tbl
 * and cause.tbl. */
#ifndef GW_PORTAL_PAGE_H
#define GW_PORTAL_PAGE_H

#include "gw/base/buf.h"

enum page_kind {
    PAGE_BLOCKED,     /* a rule */
    PAGE_CERTIFICATE, /* origin's certificate is not acceptable; `what` names the defect */
    PAGE_UNREACHABLE, /* DNS or connection failed */
    PAGE_UNAVAILABLE, /* something of ours is missing (signer, journal) */
    PAGE_BAD_REQUEST, /* the client's own HTTP was malformed */
    PAGE_BAD_ANSWER,  /* the origin's HTTP was malformed */
    PAGE_WARNED,      /* a rule warns; with click_token there is a button to go on */
    PAGE_CLICK_OVER,  /* the token of such a button does not hold (any longer) */
    PAGE_KINDS
};

struct page {
    enum page_kind kind;
    unsigned status; /* 403, 502, 503, 400 ... */
    span host, path; /* what was asked for (path without query) */
    span category, rule, rule_reason;
    span what; /* reason name (translated where cause.tbl has it, else shown as it is) or a sentence */
    const char *defect;   /* name from certs/defect.tbl, goes before `what`, or NULL */
    const char *code;     /* decision code or NULL */
    span telephone, mail; /* the policy's help line */
    int64_t wall_s;
    int32_t offset_s;             /* clocks of the page's reader are so far ahead of UTC */
    span accept, accept_language; /* of the request */
    bool head;                    /* HEAD: no body */
    bool close;                   /* Connection: close */
    span method;
    /* PAGE_WARNED: the button leads to /.perron/continue on the same host, with these two as `t` and `to` */
    span click_token, click_to;
    unsigned click_minutes; /* how long the choice counts */
    bool resend;            /* the request was no GET: what it carried is to be sent again after the click */
};

/* Appends a whole HTTP/1.1 response; on failure *out is as it was. */
enum rc page_render(struct buf *out, const struct page *p) MUST_USE;
/* Appends the body of the PAC file for an explicit proxy at host (name or address) and port: everything goes
 * through it but names without a dot and the machine itself. There is no DIRECT to fall back to: that would
 * be a way around. BAD: the host is neither. */
enum rc page_pac(struct buf *out, span proxy_host, uint16_t port) MUST_USE;

#endif
