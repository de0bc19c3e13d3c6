/* What all workers know together about connections that break: which devices accept our CA, at which place (a
 * name, asked for by one kind of client: JA4) clients that do accept it fail all the same, and which places
 * are exempt for a while. One table in a memfd that the master makes and every worker writes: hashes under a
 * random key and numbers, and in words what is exempt, for review and for the next start
 * (gw/proc/broken_file.h). No lock: what two workers write at once may cost a count, never more. Whoever
 * cannot be trusted with it (a captured worker) gains an exemption that policy's `on broken` line allows, and
 * nothing else. */
#ifndef GW_IPC_BROKEN_H
#define GW_IPC_BROKEN_H

#include "gw/base/addr.h"
#include "gw/base/limits.h"

struct broken;

enum rc broken_create(int *fd) MUST_USE;
/* BAD when it is none of ours. The caller closes fd. */
enum rc broken_map(int fd, struct broken **out) MUST_USE;
void broken_unmap(struct broken *b); /* NULL is fine */

/* Numbers of a device, a client that is counted and a place; never 0. 0: they could not be made (no memory).
 * A device is an address: none speaks for another. Clients are counted by IPv4 address or IPv6 /64, for one
 * device has many addresses there (RFC 8981). */
uint64_t broken_device(const struct broken *b, const struct addr *client);
uint64_t broken_client(const struct broken *b, const struct addr *client);
uint64_t broken_place(const struct broken *b, span name, span ja4);

/* The device has finished a handshake with a leaf of ours and gone on. */
void broken_accepts(struct broken *b, uint64_t device, int64_t now_s);
/* Did it within LIM_BROKEN_TRUST_S? */
bool broken_trusts(const struct broken *b, uint64_t device, int64_t now_s);
/* A client whose device trusts us failed at this place: how many different ones have within
 * LIM_BROKEN_WINDOW_S; at most BROKEN_CLIENTS. */
enum { BROKEN_CLIENTS = 3 };
unsigned broken_fails(struct broken *b, uint64_t place, uint64_t client, int64_t now_s);
/* Was a failure ever counted? Then broken_works() may have something to clear. */
bool broken_counts(const struct broken *b);
/* A client took our leaf at this place: what failed there before counts no longer. An exemption stays. */
void broken_works(struct broken *b, uint64_t place);
/* A name for one kind of client: text of lower case and digits, as name_normalise() and JA4 have it. */
enum { BROKEN_JA4 = 36 };
struct broken_exemption {
    int64_t since_s, until_s; /* UTC */
    char name[LIM_NAME_BYTES + 1], ja4[BROKEN_JA4 + 1];
};
/* Exempt until then, and no longer than LIM_BROKEN_EXEMPT_S from `since_s`. False: LIM_BROKEN_EXEMPT others
 * are, it is over already, or the words are none. */
bool broken_exempt(struct broken *b, const struct broken_exemption *e, int64_t now_s) MUST_USE;
/* What is exempt now, one after the other; *it is 0 at first. False: no more. Its words are those of a
 * worker: checked, and not to be believed further. */
bool broken_next(const struct broken *b, size_t *it, int64_t now_s, struct broken_exemption *out);
/* Grows with every exemption. */
uint64_t broken_changes(const struct broken *b);
/* Was anything ever exempt? Then broken_until() is worth a look. */
bool broken_any(const struct broken *b);
/* 0: not exempt. `most_s`: no longer than that from its start, whatever was meant then. */
int64_t broken_until(const struct broken *b, uint64_t place, int64_t most_s, int64_t now_s);

#endif
