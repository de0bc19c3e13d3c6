/* One side of a flow: a connected socket with or without TLS on it, non-blocking.
 *
 * The socket is watched level-triggered. Interest in reading is switched off while the other side cannot take
 * more (stream_pause), interest in writing is on only while bytes wait. TLS runs on a BIO of ours that hands
 * out bytes which were read before (the kept ClientHello) and then reads the socket: no memory BIO, which
 * would cost 22 KB a connection.
 *
 * Writing: stream_queue() appends to the waiting bytes, stream_write() sends past them when it can,
 * stream_flush() tries to empty them. The owner stops its producer when stream_pending() exceeds what it
 * wants to hold. */
#ifndef GW_TLS_STREAM_H
#define GW_TLS_STREAM_H

#include <openssl/ssl.h>

#include "gw/base/buf.h"
#include "gw/base/ev.h"

struct stream {
    struct ev_io io; /* first: callbacks get from io to the stream */
    struct ev *ev;
    SSL *ssl;             /* NULL: plain */
    struct buf out;       /* waiting to be written */
    struct buf kept;      /* read from the socket, to be read again by TLS or HTTP first */
    uint64_t n_in, n_out; /* bytes of the socket */
    bool
        ready; /* epoll said readable and no read since found the socket empty; set by the owner's callback */
    bool drained;   /* the last read found nothing more */
    bool shared;    /* somebody else may hold the same socket: epoll must be told before it is closed */
    bool paused;    /* the owner wants no more input now */
    bool in_eof;    /* the peer has finished sending */
    bool clean_eof; /* ... with close_notify, or on a plain socket */
    bool out_shut;  /* we have finished sending */
    bool failed;    /* the socket is unusable; `why` says how */
    bool handshaking;
    bool leaving;    /* what is sent now is the last */
    bool asked;      /* the origin asked for a certificate, or to negotiate anew, after the handshake: reads
                        say DENIED */
    bool want_write; /* TLS cannot read on before the socket is writable */
    uint8_t reads_left; /* of the socket, within this call of OpenSSL */
    int sys_errno;
    unsigned long tls_error; /* ERR_get_error() of the failure */
    int alert_in;            /* last fatal alert received, -1: none */
};

/* Takes fd (may be -1 for a side that is not connected yet; see stream_attach). */
void stream_init(struct stream *s, struct ev *ev, int fd, void (*cb)(struct ev_io *, uint32_t));
void stream_attach(struct stream *s, int fd);
/* Closes; safe on an initialised stream in any state. */
void stream_fini(struct stream *s);
/* Ready for another connection, with the same callback, after stream_fini(). */
void stream_renew(struct stream *s);
static inline bool stream_open(const struct stream *s)
{
    return s->io.fd >= 0;
}

/* The connection of `from`, on which nothing waits to be written or read again, moves to `to`, which has
 * none; nobody watches it then. */
void stream_move(struct stream *to, struct stream *from);

/* Puts TLS on the socket: `ssl` is taken. The side (connect or accept) is set on it. */
enum rc stream_tls(struct stream *s, SSL *ssl) MUST_USE;
/* OK: done; AGAIN; TLS: failed (tls_error, alert_in). */
enum rc stream_handshake(struct stream *s) MUST_USE;

/* Reads at most n bytes. OK: *got > 0. AGAIN; CLOSED: end of stream (clean_eof says how); IO, TLS;
 * DENIED: `asked`. */
enum rc stream_read(struct stream *s, uint8_t *p, size_t n, size_t *got) MUST_USE;
/* May there be more to read that the socket will not tell of (inside TLS, or kept)? false after a read said
 * AGAIN. */
bool stream_has_buffered(const struct stream *s);
enum rc stream_queue(struct stream *s, span bytes) MUST_USE;
enum rc stream_write(struct stream *s, span bytes) MUST_USE;
/* OK: nothing waits any more; AGAIN; IO, TLS. */
enum rc stream_flush(struct stream *s) MUST_USE;
static inline size_t stream_pending(const struct stream *s)
{
    return buf_len(&s->out);
}
/* What epoll told of its socket; call first thing in the owner's callback. */
void stream_event(struct stream *s, uint32_t events);
/* Says that nothing more will be sent (close_notify where TLS, then FIN); call with nothing pending. */
void stream_shut(struct stream *s, bool clean);
/* The same for a socket that is closed next: TLS's goodbye leaves in one packet with the FIN of close(). */
void stream_bye(struct stream *s);
/* Sets the socket's linger so that closing sends RST: the reader must not take what it got for the whole. */
void stream_abort(struct stream *s);
/* Brings epoll in line with paused, pending and handshaking. IO when epoll fails. */
enum rc stream_watch(struct stream *s) MUST_USE;
/* Gives back OpenSSL's read and write buffers of an idle connection (16 KiB each). */
void stream_trim(struct stream *s);

#endif
