/* From one CA to the next without an outage. `perronctl ca prepare` makes STATE/ca.next beside the CA in
 * force: its root goes to the clients while the old one still signs. `perronctl ca switch` then puts it into
 * force: one exchange of two folders, so that a whole CA is there at every moment. The old one goes to
 * STATE/ca.old/ID (ID: the first 16 digits of its issuing certificate's SHA-256) with a last CRL that
 * outlives its leaves; the gateway goes on to answer that CRL, and to refuse origins that show certificates
 * of it. */
#ifndef CERTS_CA_SWITCH_H
#define CERTS_CA_SWITCH_H

#include "certs/ca_token.h"

/* Looks at STATE/ca.next as a start would, uses its key once (in a token too), and exchanges it with
 * STATE/ca. One line in `err` otherwise (CONFIG), and nothing has changed. `text`: what a person should know.
 * `back_to` (an ID; empty: none): an old CA becomes ca.next first. */
enum rc ca_switch(const char *state_dir, uid_t signer_uid, int64_t now_s, span back_to, struct buf *text,
                  struct buf *err) MUST_USE;
/* One CA that was in force, as MSG_OLD_CA: its CRL's pointer (u8 length; empty: the plain one), then issuing
 * certificate, root and last CRL (u16 length each; no CRL: 0). The newest LIM_OLD_CAS, newest first; a folder
 * that is not whole is passed over with a line in `err`. Only IO and NOMEM fail. */
enum rc ca_each_old(const char *state_dir, void (*each)(void *arg, span payload), void *arg,
                    struct buf *err) MUST_USE;

#endif
