/* The load client: many HTTPS connections at once from the client's network, by one process of its own
 * (epoll, OpenSSL), pinned to a CPU that the gateway does not use. Every connection makes a full TLS
 * handshake (but with `resume`), verifies the certificate and the name against the given CA, and
 * checks status and length of every answer.
 *
 * With `hold`, connections are opened, ask once, and wait: load_wait_held() returns when all are there,
 * load_go() lets them ask again. So handshakes stay out of what is measured, and idle connections can be
 * weighed. With `pace` too they do not ask all at once and as fast as they can, but one after the other. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "bench/hist.h"
#include "bench/net.h"
#include "gw/base/addr.h"

enum load_error {
#define L(code, text) LOAD_E_##code,
#include "bench/load_error.tbl"
#undef L
    LOAD_E_N
};
const char *load_error_text(enum load_error e);

struct load_plan {
    const char *target; /* address of the origin, or of the explicit proxy */
    uint16_t port;
    bool connect_first; /* explicit proxy: CONNECT name:443 first */
    const char *ca_file;
    uint64_t names;       /* 1: www; else n00001 .. n00500, one connection after the other */
    uint64_t connections; /* 0: until `seconds` are over */
    uint64_t seconds;
    uint64_t parallel;
    uint64_t rate;     /* new connections per second; 0: a new one when one has ended */
    uint64_t requests; /* on each connection; with `hold`: after the go */
    bool resume;       /* offers the session that the connection before to this name was given */
    bool h2;           /* HTTP/2, for a few requests with small answers */
    bool hold;
    uint64_t pace;    /* with `hold`: requests a second by the clock, over all held connections in turn */
    const char *path; /* "/1k" or "/large" */
    uint64_t body_len;
    uint64_t big_every; /* every so many connections ask for big_path; 0: none */
    const char *big_path;
    uint64_t big_len;
};

/* Lies in memory that the bench and the load process share. */
struct load_shared {
    _Atomic bool held, go, cancel;
    _Atomic uint64_t started, ended; /* connections; for the progress line */
    _Atomic uint64_t requests_ok;
    uint64_t resumed;
    uint64_t ok;     /* connections that did all they should */
    uint64_t held_n; /* how many were open when `held` became true */
    uint64_t bytes;  /* of bodies */
    uint64_t errors[LOAD_E_N];
    char first_error[256];
    struct hist latency_us; /* of a connection with its request, or (with hold) of a request after the go */
};

struct load {
    pid_t pid;
    struct load_shared *shared;
};

/* Starts the load process in the client's network. */
enum rc load_start(struct load *l, const struct load_plan *plan, struct net *net, unsigned cpu) MUST_USE;
/* GONE when the load process died, CLOSED when a stop was asked. `what` names the work on the progress line.
 */
enum rc load_wait_held(struct load *l, const char *what) MUST_USE;
void load_go(struct load *l);
enum rc load_wait_end(struct load *l, const char *what) MUST_USE;
/* Has it ended? For callers that do something else meanwhile. */
bool load_ended(struct load *l);
/* Ends the process if it runs, and gives the shared memory back. */
void load_free(struct load *l);
uint64_t load_errors(const struct load_shared *s);

#endif
