/* From a verdict to what it changes in a request (gw/http/modify.h), before its head leaves. */
#ifndef GW_FLOW_CHANGE_H
#define GW_FLOW_CHANGE_H

#include "gw/http/msg.h"

struct txn;

/* Applies the verdict's modifiers and the setting `forwarded`; t->changed says which modifiers applied. What
 * is observed changes nothing. NOMEM: the message must not be relayed. Of HTTP/1 and HTTP/2, just before the
 * head is written; a head that was parsed again is changed again. */
enum rc change_request(struct txn *t, struct msg *m) MUST_USE;

#endif
