/* Answers of our own: pages, small files, and TLS alerts where nothing was decrypted. */
#include "gw/flow/h2.h"

#include <sys/socket.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/portal/page.h"

/* Which page and status a reason gets. */
static const struct {
    enum page_kind kind;
    uint16_t status;
} pages[REASON_N] = {
    [REASON_POLICY] = {PAGE_BLOCKED, 403},          [REASON_NO_ZONE] = {PAGE_BLOCKED, 403},
    [REASON_POLICY_CHANGED] = {PAGE_BLOCKED, 403},  [REASON_TIME_IS_UP] = {PAGE_BLOCKED, 403},
    [REASON_WARNED] = {PAGE_WARNED, 403},           [REASON_CLICK] = {PAGE_CLICK_OVER, 403},
    [REASON_PRIVATE] = {PAGE_BLOCKED, 403},         [REASON_FORBIDDEN_DST] = {PAGE_BLOCKED, 403},
    [REASON_CERTIFICATE] = {PAGE_CERTIFICATE, 403}, [REASON_UPSTREAM_TLS] = {PAGE_UNREACHABLE, 502},
    [REASON_ASKS_LATE] = {PAGE_UNREACHABLE, 502},   [REASON_DNS] = {PAGE_UNREACHABLE, 502},
    [REASON_CONNECT] = {PAGE_UNREACHABLE, 502},     [REASON_ORIGIN_CLOSED] = {PAGE_UNREACHABLE, 502},
    [REASON_TIMEOUT] = {PAGE_UNREACHABLE, 504},     [REASON_ORIGIN_HTTP] = {PAGE_BAD_ANSWER, 502},
    [REASON_CLIENT_HTTP] = {PAGE_BAD_REQUEST, 400}, [REASON_NOT_PROXIED] = {PAGE_BAD_REQUEST, 400},
    [REASON_SIGNER_DOWN] = {PAGE_UNAVAILABLE, 503}, [REASON_JOURNAL_FULL] = {PAGE_UNAVAILABLE, 503},
    [REASON_LIMIT] = {PAGE_UNAVAILABLE, 503},       [REASON_SHUTDOWN] = {PAGE_UNAVAILABLE, 503},
    [REASON_INTERNAL] = {PAGE_UNAVAILABLE, 503},
};

static span keep_text(struct txn *t, const char *text)
{
    return arena_dup(&t->arena, span_str(text));
}

static void rule_texts(const struct txn *t, struct page *p)
{
    if (t->verdict.rule != RULE_NONE && t->verdict.made) {
        struct rule_info rule = snapshot_rule(t->snap, t->verdict.rule);
        p->rule = rule.name.n ? rule.name : rule.shown;
        p->rule_reason = rule.reason;
    }
    if (t->verdict.made && t->verdict.category != CATEGORY_NONE)
        p->category = snapshot_category_name(t->snap, t->verdict.category);
}

static void fill_page(struct txn *t, enum reason why, span detail, struct page *p)
{
    const struct flow *f = t->f;
    const struct settings *set = snapshot_settings(t->snap);
    char ip[ADDR_TEXT];
    int64_t now_s = clock_wall_s();
    enum defect d = why == REASON_CERTIFICATE ? defect_find(detail) : DEFECT_N;
    *p = (struct page){.kind = pages[why].kind,
                       .status = t->status           ? t->status
                                 : pages[why].status ? pages[why].status
                                                     : 503,
                       .host = t->host,
                       .path = t->path,
                       .what = d < DEFECT_N ? span_str(defect_text(d))
                               : detail.n   ? detail
                                            : span_str(reason_name(why)),
                       .defect = d < DEFECT_N ? defect_name(d) : NULL,
                       .code = t->code,
                       .telephone = set->help_telephone,
                       .mail = set->help_mail,
                       .wall_s = now_s,
                       .offset_s = snapshot_offset_s(t->snap, now_s),
                       .accept = t->accept,
                       .accept_language = t->accept_language,
                       .head = span_eq(t->method, SPAN("HEAD")),
                       .close = true,
                       .method = t->method};
    if (p->host.n == 0 && (t->ip.family || f->dst.family))
        p->host = keep_text(t, addr_text(t->ip.family ? &t->ip : &f->dst, ip));
    rule_texts(t, p);
    if (why == REASON_WARNED)
        warn_offer(t, p);
}

/* HTTP/1 has nothing behind an answer of ours: the connection ends. */
void answer_whole(struct txn *t, span bytes, enum reason why, span detail)
{
    struct flow *f = t->f;
    if (f->h2) {
        exchange_answer(t, bytes, why, detail);
        return;
    }
    t->answered = true;
    t->waiting = false;
    t->bytes_down = bytes.n;
    if (stream_queue(&f->client, bytes) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("page"));
    else
        pump_finish(f, why, detail);
}

void answer_page(struct txn *t, enum reason why, span detail)
{
    struct engine *e = t->f->e;
    struct page p;
    if (t->f->ended)
        return;
    if (!t->open)
        txn_open(t);
    fill_page(t, why, detail, &p);
    e->n.warned += why == REASON_WARNED;
    t->status = (uint16_t)p.status;
    buf_clear(&e->page);
    if (page_render(&e->page, &p) != RC_OK)
        flow_end(t->f, REASON_LIMIT, SPAN("page"));
    else
        answer_whole(t, buf_span(&e->page), why, detail);
}

void answer_bytes(struct txn *t, span type, span body)
{
    struct buf *out = &t->f->e->page;
    bool head = span_eq(t->method, SPAN("HEAD"));
    buf_clear(out);
    t->status = 200;
    enum rc rc = buf_printf(out,
                            "HTTP/1.1 200 OK\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n"
                            "Cache-Control: max-age=3600\r\nConnection: close\r\n\r\n",
                            (int)type.n, (const char *)type.p, body.n);
    if (rc == RC_OK && !head)
        rc = buf_put(out, body);
    if (rc != RC_OK)
        flow_end(t->f, REASON_LIMIT, SPAN("memory"));
    else
        answer_whole(t, buf_span(out), REASON_DONE, SPAN_NONE);
}

void answer_alert(struct flow *f, uint8_t alert)
{
    /* RFC 8446 sections 5.1 and 6: record type 21, level fatal */
    const uint8_t record[7] = {21, 3, 3, 0, 2, 2, alert};
    if (f->client.ssl || f->client.io.fd < 0)
        return;
    ssize_t ignored = send(f->client.io.fd, record, sizeof record, MSG_NOSIGNAL);
    (void)ignored;
    shutdown(f->client.io.fd, SHUT_WR);
}
