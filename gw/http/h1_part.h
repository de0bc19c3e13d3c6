/* What the files of the HTTP/1 reader share among themselves; h2_head.c, which judges by the
 * same rules, is the only other one to include this.
 * Order of reading: h1.c finds lines and start lines, h1_target.c takes targets and hosts apart, h1_field.c
 * reads field lines and what they say about framing, h1_body.c walks bodies. */
#ifndef GW_HTTP_H1_PART_H
#define GW_HTTP_H1_PART_H

#include "gw/http/h1.h"

/* One field line at in[*at], which ends in CRLF; *at moves behind it. H1_NONE or what is wrong with it. */
enum h1_why h1_field_line(span in, size_t *at, struct field *f) MUST_USE;
/* The reason for a byte that may not stand where it does: NUL, bare CR or LF, or `other`. */
enum h1_why h1_byte_why(uint8_t c, enum h1_why other);

/* Is the name one that some servers take for Content-Length or Transfer-Encoding, though it is another? */
bool h1_is_twin(span name);

/* What the fields of one head say about framing and connection. Counts, because twice is already too often.
 */
struct h1_seen {
    uint16_t n_host, n_length, n_coding, n_expect, n_upgrade, n_ws_key, n_options;
    span host, length, coding, expect, upgrade, ws_key;
    bool close, keep, switches; /* options of Connection */
};
void h1_note(struct h1_seen *seen, const struct field *f);
/* Content-Length and Transfer-Encoding (RFC 9112 section 6): fills body (NONE, LENGTH, CHUNKED), length,
 * has_length. */
enum h1_why h1_framing(const struct h1_seen *seen, struct msg *m) MUST_USE;
/* Takes the target apart; method and target are set. */
enum h1_why h1_target(struct msg *m) MUST_USE;

#endif
