/* ClientHellos for tests: a builder whose parts can be replaced one by one, records in any cut, and real
 * hellos from the shared test data. Header only. */
#ifndef TESTS_TOOLS_HELLOS_H
#define TESTS_TOOLS_HELLOS_H

#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/tls/hello.h"

/* What a hello is built from; hellos_plain() is a sound one. */
struct hellos_spec {
    uint16_t version;
    span session, ciphers, methods;
    bool no_block; /* no extension block at all, as before RFC 3546 */
    span block;    /* the extensions, each with type and length */
    span behind;   /* bytes after the block */
};

static const uint8_t hellos_zero[32768];

/* server_name www.example, ALPN h2 and http/1.1, versions 1.3 and 1.2, groups, one key share, signature
 * algorithms */
static const uint8_t hellos_block[] = "\x00\x00\x00\x10\x00\x0e\x00\x00\x0bwww.example"
                                      "\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1"
                                      "\x00\x2b\x00\x05\x04\x03\x04\x03\x03"
                                      "\x00\x0a\x00\x06\x00\x04\x11\xec\x00\x1d"
                                      "\x00\x33\x00\x07\x00\x05\x00\x1d\x00\x01K"
                                      "\x00\x0d\x00\x06\x00\x04\x04\x03\x08\x04";

static inline struct hellos_spec hellos_plain(void)
{
    return (struct hellos_spec){
        .version = 0x0303,
        .session = span_of(hellos_zero, 32),
        .ciphers = SPAN("\x13\x01\x13\x02\xc0\x2f"),
        .methods = SPAN("\x00"),
        .block = span_of(hellos_block, sizeof hellos_block - 1),
    };
}

static inline void hellos_must(enum rc rc)
{
    gw_assert(rc == RC_OK);
}

static inline void hellos_put_vec(struct buf *b, unsigned bytes, span s)
{
    for (unsigned i = bytes; i-- > 0;)
        hellos_must(buf_put_u8(b, (uint8_t)(s.n >> 8 * i)));
    hellos_must(buf_put(b, s));
}

/* The handshake message. */
static inline void hellos_build(struct buf *out, const struct hellos_spec *s)
{
    struct buf body = {0};
    hellos_must(buf_put_u16(&body, s->version));
    hellos_must(buf_put(&body, span_of(hellos_zero, 32)));
    hellos_put_vec(&body, 1, s->session);
    hellos_put_vec(&body, 2, s->ciphers);
    hellos_put_vec(&body, 1, s->methods);
    if (!s->no_block)
        hellos_put_vec(&body, 2, s->block);
    hellos_must(buf_put(&body, s->behind));
    buf_clear(out);
    hellos_must(buf_put_u8(out, 1));
    hellos_put_vec(out, 3, buf_span(&body));
    buf_fini(&body);
}

static inline void hellos_put_record(struct buf *out, span payload)
{
    hellos_must(buf_put(out, SPAN("\x16\x03\x01")));
    hellos_put_vec(out, 2, payload);
}

/* The message in records: the first of `first` bytes, the others of `then`. */
static inline void hellos_records(struct buf *out, span message, size_t first, size_t then)
{
    buf_clear(out);
    for (size_t at = 0, n = first; at < message.n; at += n, n = then) {
        if (n > message.n - at)
            n = message.n - at;
        hellos_put_record(out, span_cut(message, at, at + n));
    }
}

static inline unsigned hellos_nibble(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

static inline void hellos_from_hex(struct buf *out, const char *hex)
{
    buf_clear(out);
    for (; hex[0] && hex[1]; hex += 2)
        hellos_must(buf_put_u8(out, (uint8_t)(hellos_nibble(hex[0]) << 4 | hellos_nibble(hex[1]))));
}

#endif
