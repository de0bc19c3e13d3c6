/* Writes DER from the back to the front, so that every length is known when its header is written. For the
 * few structures that the signer makes by the thousand (RFC 5280 leaves); everything rare goes through
 * OpenSSL's own types.
 *
 * The buffer is the caller's and fixed. Once it is full the writer stays failed: der_done() then yields an
 * empty span, and nobody has to look at every step. */
#ifndef CERTS_DER_H
#define CERTS_DER_H

#include "gw/base/buf.h"

enum der_tag {
    DER_INTEGER = 0x02,
    DER_BITS = 0x03,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_UTCTIME = 0x17,
    DER_GENTIME = 0x18,
    DER_SEQ = 0x30,
    DER_SET = 0x31,
    DER_URI = 0x86,   /* GeneralName: uniformResourceIdentifier */
    DER_CTX_0 = 0xa0, /* constructed, context-specific */
    DER_CTX_3 = 0xa3
};

struct der {
    uint8_t *p;
    size_t at; /* first byte written; goes down */
    size_t cap;
    bool full;
};

static inline struct der der_of(uint8_t *p, size_t cap)
{
    return (struct der){p, cap, cap, false};
}
/* Puts bytes before what is there. */
void der_put(struct der *d, span s);
void der_put_u8(struct der *d, uint8_t v);
/* Puts tag and length before everything written since der_mark() gave `mark`. */
static inline size_t der_mark(const struct der *d)
{
    return d->at;
}
void der_wrap(struct der *d, uint8_t tag, size_t mark);
/* A whole element. */
void der_elem(struct der *d, uint8_t tag, span value);
/* UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). Years 1950 to 9999. */
void der_time(struct der *d, int64_t utc_s);
/* The other way, strictly: "YYMMDDHHMMSSZ" for UTCTime (1950 to 2049), "YYYYMMDDHHMMSSZ" for GeneralizedTime,
 * and a date that exists. INT64_MIN for anything else. */
int64_t der_time_read(uint8_t tag, span text);
/* What was written; empty when it did not fit. Borrowed from the caller's buffer. */
span der_done(const struct der *d);

/* Broken-down UTC of a moment, without the C library's time zone files (a sandboxed process cannot open
 * them). */
struct der_date {
    int year, month, day, hour, min, sec;
};
struct der_date der_date_of(int64_t utc_s);

#endif
