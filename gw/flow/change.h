/* From a verdict to what it changes in a request (gw/http/modify.h), before its head leaves. */
#ifndef GW_FLOW_CHANGE_H
#define GW_FLOW_CHANGE_H

#include "gw/http/msg.h"

struct txn;

/* Applies the verdict's modifiers and the setting `forwarded`; t->changed says which modifiers applied. What
 * is observed changes nothing. NOMEM: the message must not be relayed. Of HTTP/1 and HTTP/2, just before the
 * head is written; a head that was parsed again is changed again. */
enum rc change_request(struct txn *t, struct msg *m) MUST_USE;
/* What a request's trailer section carries: a name that a `set` rule sets is left out, for an origin that
 * merges trailers into the head would have the client's value too. The number of fields that stay. */
size_t change_trailers(const struct txn *t, struct field *fields, size_t n);

#endif
