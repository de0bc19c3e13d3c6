/* TLS sessions that origins gave us, to be resumed by later connections to the same place. Each entry keeps
 * what the origin's certificate said, so that a resumed connection, which shows none, is judged by the same
 * facts afresh. Bounded, least recently used out first.
 *
 * A session of TLS 1.3 is offered once (RFC 8446 appendix C.4). An origin gives two with each connection as a
 * rule, and a gateway has many clients that go there in the same moment: what is not used yet is kept, up to
 * LIM_ORIGIN_TICKETS a place. One of TLS 1.2 is offered as often as it lasts. Only sessions behind a good
 * certificate are kept, for as long as what was verified holds. */
#ifndef GW_FLOW_SESSIONS_H
#define GW_FLOW_SESSIONS_H

#include <openssl/ssl.h>

#include "gw/flow/place.h"

struct sessions;
/* At most so many places, and so many sessions in all of them. */
enum rc sessions_new(size_t max_places, size_t max_sessions, struct sessions **out) MUST_USE;
void sessions_free(struct sessions *s);
/* Trust changed. */
void sessions_clear(struct sessions *s);
size_t sessions_count(const struct sessions *s); /* places */
size_t sessions_kept(const struct sessions *s);  /* sessions in all of them */

/* A session to offer there (SSL_SESSION_free it) and the facts behind it, or NULL. The spans of *facts live
 * until the next call. */
SSL_SESSION *sessions_take(struct sessions *s, const uint8_t place[PLACE_KEY], int64_t now_s,
                           struct origin_facts *facts);
/* Takes the reference to `session` in any case; is it kept? Not with facts that do not hold. Sessions that
 * stand on another certificate go. */
bool sessions_put(struct sessions *s, const uint8_t place[PLACE_KEY], int64_t now_s, SSL_SESSION *session,
                  const struct origin_facts *facts);
/* The origin has shown a certificate that is not acceptable: nothing that it gave before is used any more. */
void sessions_drop(struct sessions *s, const uint8_t place[PLACE_KEY]);

#endif
