/* HTTP/1 reader and writer (RFC 9112), strict: one parse decides, and only what it understood is written out
 * again. Pure: bytes in, messages out; never logs. Anything RFC 9112 section 6 calls ambiguous is BAD, with
 * its reason: Content-Length beside Transfer-Encoding, several or odd Content-Lengths, any coding but a
 * single final `chunked`, white space before a colon, obs-fold, bare CR or LF, NUL and control bytes, more
 * than one Host, a Host that is no authority, and so on (threats.md rows 63-76). */
#ifndef GW_HTTP_H1_H
#define GW_HTTP_H1_H

#include "gw/http/msg.h"

/* Reasons, from h1_why.tbl: W(ID, "name-in-logs", "sentence", status to answer a request with). */
enum h1_why {
#define W(id, name, text, status) H1_##id,
#include "gw/http/h1_why.tbl"
#undef W
    H1_WHY_N
};
const char *h1_why_name(enum h1_why why);
const char *h1_why_text(enum h1_why why);
unsigned h1_why_status(enum h1_why why);

/* Progress of one head: where the search for its end stands, so that slow bytes cost linear time. */
struct h1_head {
    size_t start;   /* of the start line */
    size_t line;    /* start of the line that is not yet whole */
    size_t scanned; /* no LF in in[line, scanned) */
    size_t fields;  /* where the first field line begins; 0: the start line is not yet whole */
    enum h1_why why;
};
void h1_head_init(struct h1_head *h);
/* `in` holds all bytes since the start of the head. OK: *m is filled (spans into `in`) and *used bytes belong
 * to the head; MORE (*m is scratch); BAD: h->why, for good. The answer does not depend on how the bytes were
 * cut. A wrong start line is BAD as soon as it is whole. One empty line before a request is skipped (RFC 9112
 * section 2.2). */
enum rc h1_request(struct h1_head *h, span in, struct msg *m, size_t *used) MUST_USE;
/* `request_method` decides about bodies (HEAD, CONNECT). 1xx come out like any response, with BODY_NONE.
 * Bytes behind a response without body (1xx, 204, 304, to HEAD) are not part of it: the caller may read a
 * head out of them only where another answer is due, else it closes. A 204 that speaks of a body, and 101,
 * have keep_alive false. */
enum rc h1_response(struct h1_head *h, span in, span request_method, struct msg *m, size_t *used) MUST_USE;
/* Does this 101 fit its request (m->upgrade of the request)? H1_NONE or why not.  */
enum h1_why h1_switch_fits(bool asked, const struct msg *response) MUST_USE;
/* "host", "host:port", "[v6]:port"; host comes without brackets, port 0 when none is given. H1_NONE or a
 * HOST_ reason. */
enum h1_why h1_authority(span in, span *host, uint16_t *port) MUST_USE;

/* Body framing. Feed bytes, get spans of content. */
struct h1_body {
    enum body_kind kind;
    uint64_t left;  /* of the body (LENGTH) or of the chunk */
    uint64_t total; /* content bytes seen */
    uint8_t state;
    uint8_t digits;     /* of the chunk size so far */
    uint16_t line_n;    /* bytes of the chunk line so far */
    struct buf trailer; /* trailer section as received, capped; checked when whole */
    struct buf hops;    /* names in Connection, each with a comma */
    enum h1_why why;
};
void h1_body_init(struct h1_body *b, const struct msg *m);
void h1_body_fini(struct h1_body *b);
/* Takes bytes from `in`: *used is what was consumed, *data the content among them (one span; may be empty).
 * OK: the body is complete (the rest of `in` belongs to the next message); MORE: call again with the rest;
 * BAD: b->why. */
enum rc h1_body_read(struct h1_body *b, span in, size_t *used, span *data) MUST_USE;
/* The connection ended: OK if that completes this body, else BAD. */
enum rc h1_body_eof(struct h1_body *b) MUST_USE;
/* Trailer fields of a complete chunked body, without those that RFC 9110 section 6.5.1 forbids and those that
 * Connection named in the head. */
size_t h1_body_trailers(const struct h1_body *b, struct field *out, size_t max);

/* ---- writing (gw/http/relay.c) ---- */
struct relay_opts {
    bool to_proxy; /* absolute-form target towards a parent; else origin-form */
    bool close;    /* say Connection: close */
    bool http10; /* response to an HTTP/1.0 client: no chunks (relay_response_body), keep-alive is said aloud
                  */
    bool strip_alt_svc;        /* Alt-Svc of responses without HTTP/3 and QUIC (modify_alt_svc) */
    const struct field *extra; /* fields to add */
    size_t n_extra;
    const span *drop; /* names of fields to leave out */
    size_t n_drop;
};
/* Head as it leaves: request line or status line in HTTP/1.1, Host made from msg.host and port, every
 * end-to-end field as parsed, hop-by-hop fields removed (field.tbl: Connection, what it names unless that is
 * end-to-end by nature, Proxy-*, Keep-Alive, TE, Upgrade unless m->upgrade), framing fields written afresh
 * from m->body, so a caller that changes the body changes m->body and m->length first. For HTTP/1.0 without
 * Host the caller fills m->host in. */
enum rc relay_request(struct buf *out, const struct msg *m, const struct relay_opts *o) MUST_USE;
enum rc relay_response(struct buf *out, const struct msg *m, const struct relay_opts *o) MUST_USE;
/* Does a field of this name go on to the other side, in whatever version? */
bool relay_keeps(const struct relay_opts *o, span name);
/* ... and this one with what modify_alt_svc() leaves of it. */
bool relay_filters(const struct msg *m, const struct relay_opts *o, span name);
/* How the body of that response leaves: as m->body says, but BODY_CLOSE (content bytes bare, then the end of
 * the connection; trailers are lost) where an HTTP/1.0 client would get chunks. 1xx are not for HTTP/1.0
 * clients at all. */
enum body_kind relay_response_body(const struct msg *m, const struct relay_opts *o);
/* Chunk framing of one span of content (n > 0): "SIZE CRLF" goes to out, content and final CRLF are the
 * caller's: write head, then content, then RELAY_CRLF. */
#define RELAY_CRLF SPAN("\r\n")
size_t relay_chunk_head(uint8_t out[20], size_t n);
/* Last chunk with trailers. */
enum rc relay_last_chunk(struct buf *out, const struct field *trailers, size_t n) MUST_USE;

#endif
