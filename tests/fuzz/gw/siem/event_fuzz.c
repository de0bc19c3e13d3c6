/* Whatever bytes stand in an event, one clean line of JSON comes out, at most LIM_EVENT_BYTES long, with the
 * identity that was put in. Input: a byte for the kind of event, a byte of flags, then the texts, each with
 * its length (u16). */
#include <jansson.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/siem/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill_perron(struct rd *r, struct event_perron *p)
{
    p->reason = "done";
    p->worker = rd_u32(r);
    p->boot = rd_u64(r);
    p->seq = rd_u64(r) >> 1;
    p->detail = rd_vec16(r);
    p->rule = rd_vec16(r);
    p->rule_at = rd_vec16(r);
    p->category = rd_vec16(r);
    p->zone = rd_vec16(r);
    p->user = rd_vec16(r);
    p->node = rd_vec16(r);
}

static void fill_id(struct rd *r, uint8_t flags, struct event_flow_id *id)
{
    span a = rd_bytes(r, 16);
    id->flow_id = rd_u64(r) >> 11; /* as the engine gives them */
    id->wall_us = (int64_t)rd_u64(r);
    id->src.family = flags & 1 ? 6 : flags & 2 ? 4 : 0;
    if (a.n)
        memcpy(id->src.b, a.p, a.n);
}

static enum rc http(struct rd *r, uint8_t flags, struct buf *out, struct event_perron *p)
{
    struct event_http e = {0};
    fill_perron(r, &e.perron);
    fill_id(r, flags, &e.id);
    e.hostname = rd_vec16(r);
    e.path = rd_vec16(r);
    e.method = rd_vec16(r);
    e.protocol = rd_vec16(r);
    e.user_agent = rd_vec16(r);
    e.referer_host = rd_vec16(r);
    e.content_type = rd_vec16(r);
    *p = e.perron;
    return event_http_json(out, &e);
}

static enum rc flow(struct rd *r, uint8_t flags, struct buf *out, struct event_perron *p)
{
    struct event_flow e = {.tls = flags & 4};
    fill_perron(r, &e.perron);
    fill_id(r, flags, &e.id);
    e.start_us = (int64_t)rd_u64(r);
    e.sni = rd_vec16(r);
    e.ja4 = rd_vec16(r);
    e.alpn = rd_vec16(r);
    e.subject = rd_vec16(r);
    e.issuer = rd_vec16(r);
    *p = e.perron;
    return event_flow_json(out, &e);
}

static enum rc policy(struct rd *r, struct buf *out, struct event_perron *p)
{
    struct event_policy e = {0};
    fill_perron(r, &e.perron);
    e.who = rd_vec16(r);
    e.file = rd_vec16(r);
    e.outcome = rd_vec16(r);
    *p = e.perron;
    return event_policy_json(out, &e);
}

static void check_line(span s, const struct event_perron *p)
{
    json_t *j = json_loadb((const char *)s.p, s.n, JSON_REJECT_DUPLICATES, NULL);
    gw_assert(j && s.n <= LIM_EVENT_BYTES);
    json_decref(j);
    for (size_t i = 0; i < s.n; i++)
        gw_assert(s.p[i] >= 0x20 && s.p[i] != 0x7f);
    uint64_t boot, seq;
    uint32_t worker;
    gw_assert(event_identity(s, &boot, &worker, &seq) && boot == p->boot && worker == p->worker &&
              seq == p->seq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(span_of(data, size));
    struct buf out = {0};
    struct event_perron p = {0};
    uint8_t kind = rd_u8(&r), flags = rd_u8(&r);
    enum rc rc = kind % 3 == 0   ? http(&r, flags, &out, &p)
                 : kind % 3 == 1 ? flow(&r, flags, &out, &p)
                                 : policy(&r, &out, &p);
    gw_assert(rc == RC_OK);
    check_line(buf_span(&out), &p);
    uint64_t boot, seq; /* and the reader of a line's end on any bytes */
    uint32_t worker;
    (void)event_identity(span_of(data, size), &boot, &worker, &seq);
    buf_fini(&out);
    return 0;
}
