/* Prints log lines of every kind, one a line, for test_eve_schema.py: full ones, the least ones, and ones in
 * which every text is a stranger's worst. */
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/siem/event.h"

static struct buf line;

static void show(enum rc rc)
{
    gw_assert(rc == RC_OK);
    fwrite(line.p + line.r, 1, buf_len(&line), stdout);
    putchar('\n');
}

static void show_all(span s, bool tls, const char *reason)
{
    struct event_perron p = {
        .code = "A7K-2Q9F-XM4", .action = "block", .reason = reason, .detail = s, .rule = s};
    p.rule_at = p.category = p.zone = p.user = p.node = s;
    p.set = p.log = s;
    p.lifted = "clicked";
    p.observed = true;
    p.snapshot = "0123456789ab";
    p.t_hello = p.t_total = 1;
    p.worker = 1;
    p.boot = p.seq = 7;
    struct event_flow_id id = {
        .flow_id = 42, .wall_us = 1795514400000001, .src_port = 50000, .dst_port = 443};
    gw_assert(addr_parse(SPAN("10.32.1.2"), &id.src) && addr_parse(SPAN("2001:db8::1"), &id.dst));
    struct event_http h = {
        .id = id, .tx_id = 1, .hostname = s, .port = 443, .path = s, .method = s, .protocol = s};
    h.user_agent = h.referer_host = h.content_type = s;
    h.status = 200;
    h.perron = p;
    show(event_http_json(&line, &h));
    struct event_flow f = {.id = id, .tls = tls, .sni = s, .ja4 = s, .alpn = s, .subject = s, .issuer = s};
    f.version = "TLS 1.3";
    f.defect = "expired";
    f.perron = p;
    show(event_flow_json(&line, &f));
    struct event_policy o = {.who = s, .file = s, .outcome = SPAN("refused"), .old_hash = "a", .perron = p};
    show(event_policy_json(&line, &o));
    struct event_note n = {.message = "hello", .process = tls ? "logger" : NULL, .perron = p};
    show(event_note_json(&line, &n));
}

int main(void)
{
    static uint8_t big[100000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + i / 256);
    show_all(SPAN("plain"), true, "policy");
    show_all(SPAN("plain"), false, "idle");
    show_all(SPAN_NONE, true, "done");
    show_all(SPAN_NONE, false, NULL);
    show_all(span_of(big, sizeof big), true, "shutdown");
    show_all(SPAN("\r\n\x1b[2J\"}{|=\xe2\x80\xae\xff/?password=hunter2"), true, "done");
    struct event_http h = {0};
    show(event_http_json(&line, &h));
    buf_fini(&line);
    return 0;
}
