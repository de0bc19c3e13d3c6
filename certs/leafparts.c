/* Where the fields of a leaf lie; see leafparts.h. */
#include "certs/leafparts.h"

#include "certs/der.h"

enum { DER_BOOLEAN = 0x01, LONG_FORM = 0x80 };

/* The element's content; `whole`, where wanted, is header and content. Lengths in their shortest form only.
 */
static span take(struct rd *r, uint8_t tag, span *whole)
{
    struct rd start = *r;
    uint8_t t = rd_u8(r), first = rd_u8(r);
    size_t n = first;
    if (first == (LONG_FORM | 1)) {
        n = rd_u8(r);
        r->bad |= n < LONG_FORM;
    } else if (first == (LONG_FORM | 2)) {
        n = rd_u16(r);
        r->bad |= n < 256;
    } else {
        r->bad |= first >= LONG_FORM;
    }
    r->bad |= t != tag;
    span content = rd_bytes(r, r->bad ? 0 : n);
    if (whole)
        *whole = r->bad ? SPAN_NONE : rd_bytes(&start, rd_left(&start) - rd_left(r));
    return r->bad ? SPAN_NONE : content;
}

static bool next_is(const struct rd *r, uint8_t tag)
{
    struct rd look = *r;
    return rd_left(r) > 0 && rd_u8(&look) == tag;
}

static bool at_end(const struct rd *r)
{
    return !r->bad && rd_left(r) == 0;
}

static int64_t take_time(struct rd *r)
{
    uint8_t tag = next_is(r, DER_UTCTIME) ? DER_UTCTIME : DER_GENTIME;
    int64_t t = der_time_read(tag, take(r, tag, NULL));
    r->bad |= t == INT64_MIN;
    return t;
}

/* Nothing, or one CN as UTF8String. */
static bool read_subject(span name, span *cn)
{
    static const uint8_t oid[] = {0x55, 0x04, 0x03};
    struct rd r = rd_of(name);
    *cn = SPAN_NONE;
    if (name.n == 0)
        return true;
    struct rd set = rd_of(take(&r, DER_SET, NULL));
    struct rd pair = rd_of(take(&set, DER_SEQ, NULL));
    bool is_cn = span_eq(take(&pair, DER_OID, NULL), span_of(oid, sizeof oid));
    *cn = take(&pair, DER_UTF8, NULL);
    return is_cn && at_end(&r) && at_end(&set) && at_end(&pair) && cn->n > 0;
}

static void read_extension(span ext, struct leaf_parts *p, bool *bad)
{
    static const uint8_t san[] = {0x55, 0x1d, 0x11}, aki[] = {0x55, 0x1d, 0x23};
    struct rd r = rd_of(ext);
    span oid = take(&r, DER_OID, NULL);
    bool critical = next_is(&r, DER_BOOLEAN);
    if (critical)
        take(&r, DER_BOOLEAN, NULL);
    span value = take(&r, DER_OCTETS, NULL);
    if (!at_end(&r)) {
        *bad = true;
    } else if (span_eq(oid, span_of(san, sizeof san))) {
        *bad |= p->names.n > 0;
        p->names = value;
        p->names_critical = critical;
    } else if (span_eq(oid, span_of(aki, sizeof aki))) {
        p->authority = value;
    }
}

static bool read_extensions(span wrapped, struct leaf_parts *p)
{
    bool bad = false;
    struct rd r = rd_of(wrapped);
    struct rd list = rd_of(take(&r, DER_SEQ, NULL));
    if (!at_end(&r))
        return false;
    while (rd_left(&list) && !list.bad && !bad)
        read_extension(take(&list, DER_SEQ, NULL), p, &bad);
    return at_end(&list) && !bad && p->names.n > 0;
}

static bool read_tbs(span tbs, struct leaf_parts *p)
{
    struct rd r = rd_of(tbs);
    take(&r, DER_CTX_0, NULL); /* version */
    p->serial = take(&r, DER_INTEGER, NULL);
    take(&r, DER_SEQ, NULL); /* algorithm */
    take(&r, DER_SEQ, &p->issuer);
    struct rd validity = rd_of(take(&r, DER_SEQ, NULL));
    p->from = take_time(&validity);
    p->to = take_time(&validity);
    span subject = take(&r, DER_SEQ, &p->subject);
    take(&r, DER_SEQ, NULL); /* key */
    span extensions = take(&r, DER_CTX_3, NULL);
    return at_end(&r) && at_end(&validity) && p->serial.n > 0 && read_subject(subject, &p->common_name) &&
           read_extensions(extensions, p);
}

bool leaf_parts_read(span der, struct leaf_parts *out)
{
    struct rd r = rd_of(der);
    struct rd cert = rd_of(take(&r, DER_SEQ, NULL));
    *out = (struct leaf_parts){.tbs = SPAN_NONE};
    span tbs = take(&cert, DER_SEQ, &out->tbs);
    take(&cert, DER_SEQ, NULL); /* algorithm */
    out->signature = take(&cert, DER_BITS, NULL);
    if (!at_end(&r) || !at_end(&cert) || out->signature.n < 2 || out->signature.p[0] != 0)
        return false;
    out->signature = span_cut(out->signature, 1, out->signature.n);
    return read_tbs(tbs, out);
}
