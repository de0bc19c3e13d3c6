/* A small reader of packet captures (pcap and pcapng, Ethernet, IPv4 and IPv6, TCP) for tests: gives the
 * bytes that each client sent, in order, for connections whose first bytes are in the capture. No IP
 * fragments, no out-of-order segments: a stream ends at the first gap. Header only, so that any test can
 * include it. */
#ifndef TESTS_TOOLS_CAPTURE_H
#define TESTS_TOOLS_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "gw/base/buf.h"

enum { CAPTURE_STREAMS = 512 };

struct capture_stream {
    span src, dst; /* address and port as they stand in the packet; point into the file */
    uint16_t src_port, dst_port;
    uint32_t next_seq;
    struct buf bytes;
};

struct capture {
    struct buf file;
    struct capture_stream s[CAPTURE_STREAMS];
    size_t n;
};

static inline uint32_t capture_u32(span s, size_t at, bool swap)
{
    uint32_t v = 0;
    if (s.n >= 4 && at <= s.n - 4)
        memcpy(&v, s.p + at, 4);
    return swap ? __builtin_bswap32(v) : v;
}

static inline struct capture_stream *capture_find(struct capture *c, const struct capture_stream *key)
{
    for (size_t i = 0; i < c->n; i++) {
        struct capture_stream *s = &c->s[i];
        if (s->src_port == key->src_port && s->dst_port == key->dst_port && span_eq(s->src, key->src) &&
            span_eq(s->dst, key->dst))
            return s;
    }
    return NULL;
}

static inline void capture_tcp(struct capture *c, span src, span dst, span tcp)
{
    struct rd r = rd_of(tcp);
    struct capture_stream key = {.src = src, .dst = dst};
    key.src_port = rd_u16(&r);
    key.dst_port = rd_u16(&r);
    uint32_t seq = rd_u32(&r);
    rd_u32(&r);
    size_t head = (size_t)(rd_u8(&r) >> 4) * 4;
    span data = span_cut(tcp, head, tcp.n);
    if (r.bad || data.n == 0)
        return;
    struct capture_stream *s = capture_find(c, &key);
    if (!s && c->n < CAPTURE_STREAMS) {
        s = &c->s[c->n++];
        *s = key;
        s->next_seq = seq;
    }
    if (!s || s->next_seq != seq)
        return;
    if (buf_put(&s->bytes, data) == RC_OK)
        s->next_seq += (uint32_t)data.n;
}

static inline void capture_frame(struct capture *c, span frame)
{
    struct rd r = rd_of(frame);
    rd_bytes(&r, 12);
    uint16_t type = rd_u16(&r);
    while (type == 0x8100 || type == 0x88a8) {
        rd_u16(&r);
        type = rd_u16(&r);
    }
    span ip = span_cut(frame, r.at, frame.n);
    if (r.bad || ip.n < 40)
        return;
    if (type == 0x0800 && ip.p[9] == 6) {
        size_t len = (size_t)ip.p[2] << 8 | ip.p[3];
        span tcp = span_cut(ip, (size_t)(ip.p[0] & 15) * 4, len ? len : ip.n); /* 0: segmentation offload */
        capture_tcp(c, span_cut(ip, 12, 16), span_cut(ip, 16, 20), tcp);
    } else if (type == 0x86dd && ip.p[6] == 6) {
        size_t len = 40 + ((size_t)ip.p[4] << 8 | ip.p[5]);
        capture_tcp(c, span_cut(ip, 8, 24), span_cut(ip, 24, 40), span_cut(ip, 40, len));
    }
}

static inline void capture_pcap(struct capture *c, span f, bool swap)
{
    for (size_t at = 24; at + 16 <= f.n;) {
        size_t len = capture_u32(f, at + 8, swap);
        capture_frame(c, span_cut(f, at + 16, at + 16 + len));
        at += 16 + len;
    }
}

/* Section header blocks say the byte order; enhanced packet blocks hold the frames. */
static inline void capture_pcapng(struct capture *c, span f)
{
    bool swap = false;
    for (size_t at = 0; at + 12 <= f.n;) {
        if (capture_u32(f, at, false) == 0x0a0d0d0a)
            swap = capture_u32(f, at + 8, false) != 0x1a2b3c4d;
        size_t len = capture_u32(f, at + 4, swap);
        if (len < 12)
            return;
        if (capture_u32(f, at, swap) == 6) {
            size_t n = capture_u32(f, at + 20, swap);
            capture_frame(c, span_cut(f, at + 28, at + 28 + n));
        }
        at += len;
    }
}

static inline bool capture_slurp(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t chunk[65536];
    size_t n;
    if (!f)
        return false;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        if (buf_put(out, span_of(chunk, n)) != RC_OK)
            break;
    }
    fclose(f);
    return true;
}

/* NULL when the file is not there; free with capture_close. */
static inline struct capture *capture_open(const char *path)
{
    struct capture *c = calloc(1, sizeof *c);
    if (!c || !capture_slurp(path, &c->file)) {
        free(c);
        return NULL;
    }
    span f = buf_span(&c->file);
    uint32_t magic = capture_u32(f, 0, false);
    if (magic == 0x0a0d0d0a)
        capture_pcapng(c, f);
    else
        capture_pcap(c, f, magic == 0xd4c3b2a1);
    return c;
}

static inline void capture_close(struct capture *c)
{
    for (size_t i = 0; i < c->n; i++)
        buf_fini(&c->s[i].bytes);
    buf_fini(&c->file);
    free(c);
}

#endif
