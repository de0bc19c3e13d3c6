/* What all workers know together about connections that break: which devices accept our CA, at which place (a
 * name, asked for by one kind of client: JA4) devices that do accept it fail all the same, and which places
 * are exempt for a while. One table in a memfd that the master makes and every worker writes; hashes under a
 * random key and numbers, no strings. No lock: what two workers write at once may cost a count, never more.
 * Whoever cannot be trusted with it (a captured worker) gains an exemption that policy's `on broken` line
 * allows, and nothing else. */
#ifndef GW_IPC_BROKEN_H
#define GW_IPC_BROKEN_H

#include "gw/base/addr.h"

struct broken;

enum rc broken_create(int *fd) MUST_USE;
/* BAD when it is none of ours. The caller closes fd. */
enum rc broken_map(int fd, struct broken **out) MUST_USE;
void broken_unmap(struct broken *b); /* NULL is fine */

/* Numbers of a device and of a place; never 0. 0: they could not be made (no memory). */
uint64_t broken_device(const struct broken *b, const struct addr *client);
uint64_t broken_place(const struct broken *b, span name, span ja4);

/* The device has finished a handshake with a leaf of ours and gone on. */
void broken_accepts(struct broken *b, uint64_t device, int64_t now_s);
/* Did it within LIM_BROKEN_TRUST_S? */
bool broken_trusts(const struct broken *b, uint64_t device, int64_t now_s);
/* A device that trusts us failed at this place: how many different ones have within LIM_BROKEN_WINDOW_S; at
 * most BROKEN_DEVICES. */
enum { BROKEN_DEVICES = 3 };
unsigned broken_fails(struct broken *b, uint64_t place, uint64_t device, int64_t now_s);
/* Was a failure ever counted? Then broken_works() may have something to clear. */
bool broken_counts(const struct broken *b);
/* A client took our leaf at this place: what failed there before counts no longer. An exemption stays. */
void broken_works(struct broken *b, uint64_t place);
/* Exempt until then (UTC seconds). */
void broken_exempt(struct broken *b, uint64_t place, int64_t until_s, int64_t now_s);
/* Was anything ever exempt? Then broken_until() is worth a look. */
bool broken_any(const struct broken *b);
/* 0: not exempt. */
int64_t broken_until(const struct broken *b, uint64_t place, int64_t now_s);

#endif
