/* Heads and trailer sections of HTTP/2 (RFC 9113 section 8) as neutral messages: fields come one by one out
 * of HPACK, are copied, and are held to the rules of RFC 9113 and to those that HTTP/1 heads are held to, so
 * that nothing passes in HTTP/2 that is refused in HTTP/1. Pure. A head is large, so a worker keeps some for
 * the next ones. */
#ifndef GW_HTTP_H2_HEAD_H
#define GW_HTTP_H2_HEAD_H

#include "gw/http/msg.h"

/* Reasons, from h2_why.tbl: W(ID, "name-in-logs", "sentence", status). */
enum h2_why {
#define W(id, name, text, status) H2_##id,
#include "gw/http/h2_why.tbl"
#undef W
    H2_WHY_N
};
const char *h2_why_text(enum h2_why why);

/* What is wrong with a head or a session: a row of h2_why.tbl or of h1_why.tbl. No name: nothing. */
struct h2_fault {
    const char *name; /* static */
    unsigned status;  /* to answer a request with; 0: it is the connection that is wrong */
};
struct h2_fault h2_fault(enum h2_why why);

enum h2_kind { H2_REQUEST, H2_RESPONSE, H2_TRAILERS };

struct h2_head {
    struct h2_head *next; /* of the queue or pool that it is in */
    struct msg m; /* valid once h2_head_end() has found no fault; its spans live as long as the head */
    struct h2_fault fault;
    enum h2_kind kind;
    bool end;             /* the message ends with it */
    bool seen_field;      /* an ordinary one: no pseudo-header field may follow */
    bool trailers_wanted; /* te: trailers */
    unsigned pseudo;      /* which have been seen, bits of enum in h2_head.c */
    span scheme, authority, protocol, status;
    char number[DEC_MOST + 1], code[4]; /* texts of content-length and status on their way out */
    size_t list_size; /* as SETTINGS_MAX_HEADER_LIST_SIZE counts, also of what was not kept */
    uint8_t *bytes;
    size_t used, cap;
};

enum { H2_PIECE_SIZES = 40 }; /* in steps of 16 bytes */

/* Spare heads of a worker. Zero-initialised is valid and empty. */
struct h2_pool {
    struct h2_head *spare;
    unsigned n;
    /* of sessions, see h2_mem.c */
    void *frame;           /* that every one writes into */
    void **cores, **slabs; /* their pages that are free, and all of them */
    size_t n_cores, n_slabs;
    struct h2_model *models[2]; /* towards servers, towards clients; h2_rest.c */
    struct {
        struct h2_piece *first;
        size_t bytes;
    } pieces[H2_PIECE_SIZES]; /* given back by the library, for the next that asks */
};
void h2_cores_fini(struct h2_pool *p);
void h2_models_fini(struct h2_pool *p);
void h2_pieces_fini(struct h2_pool *p);
void h2_pool_fini(struct h2_pool *p); /* sessions that use it have gone */
/* An empty head, or NULL without memory; given back by h2_head_put (NULL is nothing). */
struct h2_head *h2_head_get(struct h2_pool *p, enum h2_kind kind);
void h2_head_put(struct h2_pool *p, struct h2_head *h);

/* One field as it came. What is wrong is noted in h->fault; later fields are then only counted. */
void h2_head_field(struct h2_head *h, span name, span value, bool secret);
/* The head is whole; `end`: END_STREAM came with it. `method` of the request that a response answers. */
void h2_head_end(struct h2_head *h, bool end, span method);
/* Makes room for n more bytes, so that the next copies move nothing. */
bool h2_head_room(struct h2_head *h, size_t n);
/* A copy of bytes that lives as long as the head; SPAN_NONE without memory. Spans of the head itself may
 * move. */
span h2_head_keep(struct h2_head *h, span s);
/* Is it part of the head's own bytes? */
bool h2_head_holds(const struct h2_head *h, span s);
/* Fields of an answer of ours, names in lower case. false: no memory. */
bool h2_head_copy(struct h2_head *h, const struct msg *m);

#endif
