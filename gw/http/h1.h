/* HTTP/1 reader and writer (RFC 9112), strict: one parse decides, and only what it understood is written out again.
 * Pure: bytes in, messages out; never logs. Anything RFC 9112 section 6 calls ambiguous is BAD, with its reason:
 * Content-Length beside Transfer-Encoding, several or odd Content-Lengths, any coding but a single final `chunked`,
 * white space before a colon, obs-fold, bare CR or LF, NUL and control bytes, more than one Host, a Host that is no
 * authority, and so on (threats.md rows 63-76). */
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
    size_t scanned;
    enum h1_why why;
};
void h1_head_init(struct h1_head *h);
/* `in` holds all bytes since the start of the head. OK: *m is filled (spans into `in`) and *used bytes belong to the
 * head; MORE; BAD: h->why. One empty line before a request is skipped (RFC 9112 section 2.2). */
enum rc h1_request(struct h1_head *h, span in, struct msg *m, size_t *used) MUST_USE;
/* `request_method` decides about bodies (HEAD, CONNECT). 1xx come out like any response, with BODY_NONE. */
enum rc h1_response(struct h1_head *h, span in, span request_method, struct msg *m, size_t *used) MUST_USE;

/* Body framing. Feed bytes, get spans of content. */
struct h1_body {
    enum body_kind kind;
    uint64_t left;      /* of the body (LENGTH) or of the chunk */
    uint64_t total;     /* content bytes seen */
    uint8_t state;
    uint16_t line_n;    /* bytes of the chunk line or trailer line so far */
    uint64_t size;
    struct buf trailer; /* trailer section as received, capped; parsed when whole */
    enum h1_why why;
};
void h1_body_init(struct h1_body *b, const struct msg *m);
void h1_body_fini(struct h1_body *b);
/* Takes bytes from `in`: *used is what was consumed, *data the content among them (one span; may be empty). OK: the body
 * is complete (the rest of `in` belongs to the next message); MORE: call again with the rest; BAD: b->why. */
enum rc h1_body_read(struct h1_body *b, span in, size_t *used, span *data) MUST_USE;
/* The connection ended: OK if that completes this body, else BAD. */
enum rc h1_body_eof(struct h1_body *b) MUST_USE;
/* Trailer fields of a complete chunked body, those that RFC 9110 section 6.5.1 forbids left out. */
size_t h1_body_trailers(const struct h1_body *b, struct field *out, size_t max);

/* ---- writing (gw/http/relay.c) ---- */
struct relay_opts {
    bool to_proxy;        /* absolute-form target towards a parent; else origin-form */
    bool close;           /* say Connection: close */
    bool strip_alt_svc;   /* remove Alt-Svc from responses */
    const struct field *extra; /* fields to add */
    size_t n_extra;
    const span *drop;     /* names of fields to leave out */
    size_t n_drop;
};
/* Head as it leaves: request line or status line, Host made from msg.host and port, every end-to-end field as parsed,
 * hop-by-hop fields (Connection and what it names, Proxy-*, Keep-Alive, TE, Upgrade unless m->upgrade) removed, framing
 * fields written afresh from m->body. */
enum rc relay_request(struct buf *out, const struct msg *m, const struct relay_opts *o) MUST_USE;
enum rc relay_response(struct buf *out, const struct msg *m, const struct relay_opts *o) MUST_USE;
/* Chunk framing of one span of content (n > 0): "SIZE CRLF" goes to out, content and final CRLF are the caller's:
 * write head, then content, then RELAY_CRLF. */
size_t relay_chunk_head(uint8_t out[20], size_t n);
/* Last chunk with trailers. */
enum rc relay_last_chunk(struct buf *out, const struct field *trailers, size_t n) MUST_USE;

#endif
