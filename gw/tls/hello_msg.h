/* Between the two halves of the ClientHello reader (hello.c: bytes to message, hello_msg.c: message to
 * facts). Everybody else includes gw/tls/hello.h. */
#ifndef GW_TLS_HELLO_MSG_H
#define GW_TLS_HELLO_MSG_H

#include "gw/tls/hello.h"

enum { HELLO_TYPE = 1, HELLO_V2_HEAD = 9 };

/* A hello in the form of SSL 2.0 without its two length bytes, as hello_parse does for the form of TLS. */
enum rc hello_parse_v2(span message, struct hello *out, enum hello_why *why) MUST_USE;

#endif
