/* The conversation about parts; see parts.h. */
#include "gw/proc/parts.h"

static enum rc get_manifest(struct rd *r, struct manifest *m)
{
    span bytes = rd_bytes(r, MANIFEST_BYTES);
    return r->bad ? RC_BAD : manifest_get(bytes, m);
}

enum rc parts_ask_put(struct buf *b, const struct parts_ask *a)
{
    TRY(buf_put_u8(b, a->prev));
    TRY(buf_put_u8(b, a->ca));
    TRY(manifest_put(b, &a->manifest));
    return buf_put(b, a->path);
}

enum rc parts_ask_get(span in, struct parts_ask *a)
{
    struct rd r = rd_of(in);
    *a = (struct parts_ask){.prev = rd_u8(&r) != 0, .ca = rd_u8(&r) != 0};
    TRY(get_manifest(&r, &a->manifest));
    a->path = rd_bytes(&r, rd_left(&r));
    return a->path.n ? RC_OK : RC_BAD;
}

enum rc parts_answer_put(struct buf *b, const struct parts_answer *a)
{
    TRY(buf_put_u32(b, (uint32_t)a->rc));
    TRY(buf_put_u32(b, (uint32_t)a->outcome));
    TRY(buf_put_u32(b, a->made));
    return manifest_put(b, &a->manifest);
}

enum rc parts_answer_get(span in, struct parts_answer *a)
{
    struct rd r = rd_of(in);
    *a = (struct parts_answer){
        .rc = (enum rc)rd_u32(&r), .outcome = (enum lists_outcome)rd_u32(&r), .made = rd_u32(&r)};
    TRY(get_manifest(&r, &a->manifest));
    bool known = (unsigned)a->outcome <= LISTS_HELD && a->made < 1u << SNAP_PARTS;
    return known && rd_left(&r) == 0 ? RC_OK : RC_BAD;
}
