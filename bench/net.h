/* The three networks of the bench, each a namespace of its own:
 *
 *   client  cli0 10.32.1.2 --- lan0 10.32.1.1  gateway  wan0 198.51.100.1 --- inet0 198.51.100.10 (origins,
 * DNS)  internet
 *
 * The namespaces have no name: only our descriptors and the processes in them keep them, so they are gone
 * when the bench is, whatever way it ends. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdbool.h>

#include "gw/base/err.h"

enum net_place { NET_CLIENT, NET_GATEWAY, NET_INTERNET, NET_PLACES };

#define NET_LAN         "10.32.1.0/24"
#define NET_GATEWAY_LAN "10.32.1.1"
#define NET_ORIGIN      "198.51.100.10"
#define NET_RESOLVER    "198.51.100.53"

enum { NET_TPROXY_PORT = 3129, NET_EXPLICIT_PORT = 3128 };

struct net {
    int ns[NET_PLACES]; /* descriptors; -1: none */
    int home;
    bool diverted; /* rules of net_divert() are there */
    const char *log;
};

/* Makes the namespaces, links, addresses and routes. On failure nothing is left; net_down() may be called all
 * the same. */
enum rc net_up(struct net *n, const char *log) MUST_USE;
void net_down(struct net *n);
/* Rules and route that bring TCP from the client to a transparent listener on NET_TPROXY_PORT. For HAProxy:
 * Perron sets its own. net_divert(n, false) takes them away again. */
enum rc net_divert(struct net *n, bool on) MUST_USE;
/* Whether the gateway's network forwards packets. Off while a gateway is measured: what it does not take must
 * not reach the origin by itself and look like a success. */
enum rc net_forward(struct net *n, bool on) MUST_USE;
/* Moves the calling thread into a place, or home with NET_PLACES. */
enum rc net_enter(struct net *n, enum net_place place) MUST_USE;

#endif
