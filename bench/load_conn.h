/* One connection of the load client: connect, (CONNECT), handshake, request, answer. Driven by load_loop.c;
 * everything is non-blocking and edge-triggered. Private to the load process. */
#ifndef BENCH_LOAD_CONN_H
#define BENCH_LOAD_CONN_H

#include <openssl/ssl.h>

#include "bench/load.h"
#include "bench/load_h2.h"

enum load_state { LS_FREE, LS_CONNECT, LS_PROXY, LS_HANDSHAKE, LS_SEND, LS_HEAD, LS_BODY, LS_HELD };
enum { LOAD_HEAD_BYTES = 2048, LOAD_READ_BYTES = 16384, LOAD_DEADLINE_MS = 30000, LOAD_SESSIONS = 64 };

struct load_conn {
    enum load_state state;
    int fd;
    SSL *ssl;
    uint64_t number;   /* which connection of the run */
    int64_t begun_us;  /* scheduled start */
    int64_t asked_us;  /* start of the present request */
    int64_t late_us;   /* paced: when it was due, if no connection was free then; else 0 */
    uint64_t requests; /* still to ask, the present one included */
    uint64_t body_left;
    bool released; /* past the go */
    uint16_t head_len;
    char head[LOAD_HEAD_BYTES];
    struct load_h2 h2;
};

/* Sessions of one name, the newest last. */
struct load_sessions {
    unsigned n;
    SSL_SESSION *kept[LOAD_SESSIONS];
};

/* The load process. */
struct load_client {
    const struct load_plan *plan;
    struct load_shared *shared;
    SSL_CTX *ctx;
    int epoll;
    struct sockaddr_storage target;
    socklen_t target_len;
    struct load_conn *conns;
    uint64_t n_conns, active, held;
    uint64_t n_sessions;
    struct load_sessions *sessions; /* of each name; NULL: none is kept */
    uint8_t scratch[LOAD_READ_BYTES];
};

/* OpenSSL's callback: the gateway gave a session. */
int load_conn_session(SSL *ssl, SSL_SESSION *session);
/* Opens connection `number` in a free slot. */
void load_conn_open(struct load_client *lc, struct load_conn *c, uint64_t number, int64_t begun_us);
/* The descriptor is ready: goes on as far as it can. */
void load_conn_ready(struct load_client *lc, struct load_conn *c);
/* A held connection asks again: all it has to, or (paced) once. */
void load_conn_release(struct load_client *lc, struct load_conn *c);
/* A held connection is needed no longer. */
void load_conn_close(struct load_client *lc, struct load_conn *c);
/* Counts the failure and closes. */
void load_conn_fail(struct load_client *lc, struct load_conn *c, enum load_error why);

#endif
