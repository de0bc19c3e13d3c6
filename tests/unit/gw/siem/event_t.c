/* One event is one line of valid JSON whatever bytes came, and holds no secret. Also: what a line's end says
 * of its writer, and pseudonyms. */
#include "gw/siem/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

static struct event_perron decision(void)
{
    return (struct event_perron){
        .code = "A7K-2Q9F-XM4",
        .action = "block",
        .reason = "policy",
        .detail = SPAN("detail"),
        .rule = SPAN("block category streaming"),
        .rule_at = SPAN("perron.conf:33"),
        .category = SPAN("streaming"),
        .grant = 4294967295,
        .lifted = "clicked",
        .observed = true,
        .set = SPAN("safe-search, youtube strict"),
        .log = SPAN("security"),
        .zone = SPAN("lan"),
        .user = SPAN("u-0123456789"),
        .snapshot = "0123456789ab",
        .way = "transparent",
        .mode = "inspected",
        .node = SPAN("opera"),
        .worker = 3,
        .boot = 0x0123456789abcdef,
        .seq = 77,
        .t_hello = 1,
        .t_decide = 2,
        .t_resolve = 3,
        .t_connect = 4,
        .t_upstream = 5,
        .t_mint = 6,
        .t_client_tls = 7,
        .t_total = 8,
    };
}

static struct event_flow_id flow_id(void)
{
    struct event_flow_id id = {
        .flow_id = 42, .wall_us = 1795514400000001, .src_port = 50000, .dst_port = 443};
    assert_true(addr_parse(SPAN("10.32.1.2"), &id.src) && addr_parse(SPAN("2001:db8::1"), &id.dst));
    return id;
}

static struct event_http http_event(void)
{
    return (struct event_http){
        .id = flow_id(),
        .tx_id = 2,
        .hostname = SPAN("www.example.org"),
        .port = 443,
        .path = SPAN("/a/b"),
        .had_query = true,
        .method = SPAN("GET"),
        .protocol = SPAN("HTTP/1.1"),
        .user_agent = SPAN("curl/7"),
        .referer_host = SPAN("news.example"),
        .content_type = SPAN("text/html"),
        .status = 403,
        .bytes = 100,
        .bytes_up = 10,
        .perron = decision(),
    };
}

static struct event_flow flow_event(void)
{
    return (struct event_flow){
        .id = flow_id(),
        .start_us = 1795514395500000,
        .bytes_toserver = 5,
        .bytes_toclient = 6,
        .tls = true,
        .sni = SPAN("www.example.org"),
        .ja4 = SPAN("t13d1516h2_8daaf6152771_b186095e22b6"),
        .alpn = SPAN("http/1.1"),
        .version = "TLS 1.3",
        .subject = SPAN("CN=www.example.org"),
        .issuer = SPAN("CN=Test CA"),
        .defect = "expired",
        .revocation = "good, good",
        .ech = true,
        .origin_tls = "TLSv1.2 AES128-SHA",
        .client_tls = "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256",
        .exchanges = 3,
        .perron = decision(),
    };
}

static struct event_policy policy_event(void)
{
    return (struct event_policy){
        .wall_us = 1795514400000001,
        .who = SPAN("root"),
        .file = SPAN("/etc/perron/perron.conf"),
        .outcome = SPAN("loaded"),
        .old_hash = "aaaa",
        .new_hash = "bbbb",
        .perron = decision(),
    };
}

static struct event_note note_event(void)
{
    return (struct event_note){
        .wall_us = 1795514400000001, .message = "hello", .process = "logger", .perron = decision()};
}

/* The line as a JSON value; fails unless it is one clean line of at most LIM_EVENT_BYTES. */
static json_t *parsed(const struct buf *b)
{
    json_error_t err;
    span s = buf_span(b);
    assert_true(s.n <= LIM_EVENT_BYTES);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            fail_msg("control byte %02x at %zu", s.p[i], i);
    }
    json_t *j = json_loadb((const char *)s.p, s.n, JSON_REJECT_DUPLICATES, &err);
    if (!j)
        fail_msg("%s at %d: %.*s", err.text, err.position, (int)s.n, (const char *)s.p);
    return j;
}

static json_t *http_json(struct buf *b, const struct event_http *e)
{
    assert_int_equal(event_http_json(b, e), RC_OK);
    return parsed(b);
}

static const char *str_at(json_t *j, const char *object, const char *name)
{
    json_t *v = json_object_get(object ? json_object_get(j, object) : j, name);
    return v ? json_string_value(v) : NULL;
}

/* ---- injection ---- */

static const struct {
    const char *in, *out;
} spelled[] = {
    {"a\r\nb", "a\\r\\nb"},
    {"\x01\x1f\x7f", "\\u0001\\u001f\\u007f"},
    {"\b\t\f", "\\b\\t\\f"},
    {"\"}\\{", "\\\"}\\\\{"},
    {"\x1b[31mred", "\\u001b[31mred"},
    {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"\xe2\x80\xae|=\xe2\x81\xa9", "\\u202e|=\\u2069"},
    {"\xc2\x85\xe2\x80\xa8", "\\u0085\\u2028"},
    {"\xef\xbb\xbf", "\\ufeff"},
    {"\xf3\xa0\x80\x81", "\\udb40\\udc01"}, /* a tag character, beyond the basic plane */
    {"\x80\xff", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xc0\xaf\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"</script>", "</script>"},
};

static void each_byte_is_spelled_as_json_wants_it(void **state)
{
    (void)state;
    struct buf b = {0};
    struct event_http nul = http_event();
    nul.user_agent = span_of("a\0b", 3);
    json_t *j = http_json(&b, &nul);
    assert_string_equal(str_at(j, "http", "http_user_agent"), "a\xef\xbf\xbd"
                                                              "b");
    json_decref(j);
    for (size_t i = 0; i < N_ELEMS(spelled); i++) {
        struct event_http e = http_event();
        char want[256];
        e.user_agent = span_str(spelled[i].in);
        json_decref(http_json(&b, &e));
        snprintf(want, sizeof want, "\"http_user_agent\":\"%s\"", spelled[i].out);
        if (!memmem(b.p, buf_len(&b), want, strlen(want)))
            fail_msg("no %s in %.*s", want, (int)buf_len(&b), (const char *)b.p);
    }
    buf_fini(&b);
}

/* Every text of every kind of event filled with the same bytes. */
static void check_all_texts(span s, struct buf *b)
{
    struct event_perron p = decision();
    p.detail = p.rule = p.rule_at = p.category = p.zone = p.user = p.node = p.set = p.log = s;
    struct event_http h = http_event();
    h.perron = p;
    h.hostname = h.path = h.method = h.protocol = h.user_agent = h.referer_host = h.content_type = s;
    json_decref(http_json(b, &h));
    struct event_flow f = flow_event();
    f.perron = p;
    f.sni = f.ja4 = f.alpn = f.subject = f.issuer = s;
    assert_int_equal(event_flow_json(b, &f), RC_OK);
    json_decref(parsed(b));
    struct event_policy o = policy_event();
    o.perron = p;
    o.who = o.file = o.outcome = s;
    assert_int_equal(event_policy_json(b, &o), RC_OK);
    json_decref(parsed(b));
    struct event_note n = note_event();
    n.perron = p;
    assert_int_equal(event_note_json(b, &n), RC_OK);
    json_decref(parsed(b));
}

static void a_megabyte_of_anything_stays_one_short_line(void **state)
{
    (void)state;
    enum { MEGABYTE = 1 << 20 };
    static uint8_t big[MEGABYTE];
    static const char *const fill[] = {"a",
                                       "\"",
                                       "\\",
                                       "\x01",
                                       "\xff",
                                       "\xc3\xa9",
                                       "\xe2\x80\xae",
                                       "\xf3\xa0\x80\x81",
                                       "a\n",
                                       "\xf0\x9f\x98\x80"};
    struct buf b = {0};
    for (size_t k = 0; k < N_ELEMS(fill); k++) {
        size_t n = strlen(fill[k]);
        for (size_t i = 0; i + n <= sizeof big; i += n)
            memcpy(big + i, fill[k], n);
        for (size_t off = 0; off < 7; off++) /* cut at every place within a character */
            check_all_texts(span_of(big + off, sizeof big - off), &b);
    }
    buf_fini(&b);
}

static void what_is_cut_is_named(void **state)
{
    (void)state;
    static char ua[3000];
    struct buf b = {0};
    struct event_http e = http_event();
    memset(ua, 'x', sizeof ua);
    e.user_agent = span_of(ua, sizeof ua);
    e.perron.category = span_of(ua, 300);
    json_t *j = http_json(&b, &e), *cut = json_object_get(json_object_get(j, "perron"), "cut");
    assert_int_equal(strlen(str_at(j, "http", "http_user_agent")), 1024);
    assert_int_equal(json_array_size(cut), 2);
    assert_string_equal(json_string_value(json_array_get(cut, 0)), "http_user_agent");
    assert_string_equal(json_string_value(json_array_get(cut, 1)), "category");
    json_decref(j);
    e.user_agent = span_of(ua, 1024); /* just fits */
    e.perron.category = SPAN_NONE;
    j = http_json(&b, &e);
    assert_null(json_object_get(json_object_get(j, "perron"), "cut"));
    json_decref(j);
    buf_fini(&b);
}

static void a_query_never_gets_into_a_line(void **state)
{
    (void)state;
    static const char *const paths[] = {"/a?password=hunter2", "/a?", "/a#hunter2", "/a?x#hunter2",
                                        "?hunter2"};
    struct buf b = {0};
    for (size_t i = 0; i < N_ELEMS(paths); i++) {
        struct event_http e = http_event();
        e.path = span_str(paths[i]);
        e.had_query = false;
        json_t *j = http_json(&b, &e);
        assert_null(memmem(b.p, buf_len(&b), "hunter2", 7));
        assert_true(json_is_true(json_object_get(json_object_get(j, "perron"), "query")));
        json_decref(j);
    }
    buf_fini(&b);
}

/* ---- contents ---- */

static void an_exchange_says_what_eve_says(void **state)
{
    (void)state;
    struct buf b = {0};
    struct event_http e = http_event();
    json_t *j = http_json(&b, &e), *h = json_object_get(j, "http"), *p = json_object_get(j, "perron");
    assert_string_equal(str_at(j, NULL, "timestamp"), "2026-11-24T10:00:00.000001+0000");
    assert_string_equal(str_at(j, NULL, "event_type"), "http");
    assert_string_equal(str_at(j, NULL, "src_ip"), "10.32.1.2");
    assert_string_equal(str_at(j, NULL, "dest_ip"), "2001:db8::1");
    assert_string_equal(str_at(j, NULL, "host"), "opera");
    assert_int_equal(json_integer_value(json_object_get(j, "flow_id")), 42);
    assert_int_equal(json_integer_value(json_object_get(j, "tx_id")), 2);
    assert_string_equal(json_string_value(json_object_get(h, "url")), "/a/b");
    assert_int_equal(json_integer_value(json_object_get(h, "status")), 403);
    assert_int_equal(json_integer_value(json_object_get(h, "length")), 100);
    assert_string_equal(json_string_value(json_object_get(p, "boot")), "0123456789abcdef");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(p, "times_us"), "upstream_tls")), 5);
    json_decref(j);
    buf_fini(&b);
}

/* A tunnel may be open for days: 32 bits of microseconds are 71 minutes. */
static void a_long_flow_says_how_long(void **state)
{
    (void)state;
    struct buf b = {0};
    struct event_flow e = flow_event();
    e.perron.t_total = UINT64_C(86400000000) * 30;
    assert_int_equal(event_flow_json(&b, &e), RC_OK);
    json_t *j = parsed(&b), *times = json_object_get(json_object_get(j, "perron"), "times_us");
    assert_true(json_integer_value(json_object_get(times, "total")) == 86400000000 * 30);
    json_decref(j);
    buf_fini(&b);
}

static void the_end_of_a_flow_says_how_it_ended(void **state)
{
    (void)state;
    static const struct {
        const char *reason, *action, *eve;
        bool observed;
    } ends[] = {
        {"done", "allow", NULL},           {"policy", "block", "forced"},
        {"idle", "allow", "timeout"},      {"hello-timeout", NULL, "timeout"},
        {"shutdown", "block", "shutdown"}, {NULL, NULL, NULL},
        {"done", "block", NULL, true},
    };
    struct buf b = {0};
    for (size_t i = 0; i < N_ELEMS(ends); i++) {
        struct event_flow e = flow_event();
        e.perron.reason = ends[i].reason;
        e.perron.action = ends[i].action;
        e.perron.observed = ends[i].observed;
        assert_int_equal(event_flow_json(&b, &e), RC_OK);
        json_t *j = parsed(&b);
        const char *got = str_at(j, "flow", "reason");
        assert_true(ends[i].eve ? got && strcmp(got, ends[i].eve) == 0 : !got);
        assert_non_null(str_at(j, "perron", "reason")); /* exactly one, always */
        assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "flow"), "age")), 4);
        json_decref(j);
    }
    struct event_flow e = flow_event();
    e.start_us = e.id.wall_us + 5; /* a clock that was set back */
    assert_int_equal(event_flow_json(&b, &e), RC_OK);
    json_decref(parsed(&b));
    buf_fini(&b);
}

static void the_least_event_is_still_a_line(void **state)
{
    (void)state;
    struct buf b = {0};
    struct event_http h = {0};
    struct event_flow f = {0};
    struct event_policy p = {0};
    struct event_note n = {0};
    json_decref(http_json(&b, &h));
    assert_int_equal(event_flow_json(&b, &f), RC_OK);
    json_decref(parsed(&b));
    assert_int_equal(event_policy_json(&b, &p), RC_OK);
    json_decref(parsed(&b));
    assert_int_equal(event_note_json(&b, &n), RC_OK);
    json_decref(parsed(&b));
    buf_fini(&b);
}

/* Marks the fields of event.tbl that stand in j. */
static void mark_fields(json_t *j, const char *prefix, bool *seen)
{
    const char *key;
    json_t *v;
    json_object_foreach(j, key, v)
    {
        char name[128];
        snprintf(name, sizeof name, "%s%s", prefix, key);
        for (enum event_field f = 0; f < EVENT_FIELDS; f++)
            seen[f] |= strcmp(event_field_name(f), name) == 0;
        if (json_is_object(v)) {
            snprintf(name, sizeof name, "%s%s.", prefix, key);
            mark_fields(v, name, seen);
        }
    }
}

static void every_field_of_the_table_is_written(void **state)
{
    (void)state;
    bool seen[EVENT_FIELDS] = {0};
    struct buf b = {0};
    struct event_http h = http_event();
    struct event_flow f = flow_event();
    struct event_policy p = policy_event();
    struct event_note n = note_event();
    f.perron.reason = "idle";
    json_t *j[4] = {http_json(&b, &h)};
    assert_int_equal(event_flow_json(&b, &f), RC_OK);
    j[1] = parsed(&b);
    assert_int_equal(event_policy_json(&b, &p), RC_OK);
    j[2] = parsed(&b);
    assert_int_equal(event_note_json(&b, &n), RC_OK);
    j[3] = parsed(&b);
    for (size_t i = 0; i < N_ELEMS(j); i++) {
        mark_fields(j[i], "", seen);
        json_decref(j[i]);
    }
    for (enum event_field i = 0; i < EVENT_FIELDS; i++) {
        if (!seen[i])
            fail_msg("%s is in no line", event_field_name(i));
        assert_true(strlen(event_field_text(i)) > 2);
    }
    assert_null(event_field_name(EVENT_FIELDS));
    assert_null(event_field_text(EVENT_FIELDS));
    buf_fini(&b);
}

/* ---- numbers ---- */

static void times_are_those_of_the_calendar(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int64_t day = 0; day < 60000;
         day += 13) { /* to the year 2134, over leap years and the end of February */
        int64_t s = day * 86400 + (day * 7919) % 86400;
        struct event_http e = {.id.wall_us = s * 1000000 + day};
        char want[40], micro[16];
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(micro, sizeof micro, ".%06d+0000", (int)day);
        strncat(want, micro, sizeof want - strlen(want) - 1);
        json_t *j = http_json(&b, &e);
        assert_string_equal(str_at(j, NULL, "timestamp"), want);
        json_decref(j);
    }
    static const struct {
        int64_t us;
        const char *text;
    } edge[] = {{-5, "1970-01-01T00:00:00.000000+0000"},
                {INT64_MIN, "1970-01-01T00:00:00.000000+0000"},
                {INT64_MAX, "9999-12-31T23:59:59.999999+0000"},
                {951782400000000, "2000-02-29T00:00:00.000000+0000"}};
    for (size_t i = 0; i < N_ELEMS(edge); i++) {
        struct event_http e = {.id.wall_us = edge[i].us};
        json_t *j = http_json(&b, &e);
        assert_string_equal(str_at(j, NULL, "timestamp"), edge[i].text);
        json_decref(j);
    }
    buf_fini(&b);
}

static void addresses_read_as_rfc_5952_wants(void **state)
{
    (void)state;
    static const char *const text[] = {
        "2001:db8::1",
        "::1",
        "fe80::1:0:0:1",
        "2001:db8:0:1:1:1:1:1",
        "1:0:0:2::3",
        "::",
        "1::",
        "ff02::1:ff00:1",
        "2001:db8:1:2:3:4:5:6",
        "a:b:c:d:e:f:0:0",
        "0:0:1::",
        "255.255.255.255",
        "0.0.0.0",
        "10.0.0.1",
    };
    struct buf b = {0};
    for (size_t i = 0; i < N_ELEMS(text); i++) {
        struct event_http e = {0};
        char want[ADDR_TEXT];
        assert_true(addr_parse(span_str(text[i]), &e.id.src));
        json_t *j = http_json(&b, &e);
        assert_string_equal(str_at(j, NULL, "src_ip"), addr_text(&e.id.src, want));
        json_decref(j);
    }
    uint32_t rnd = 1;
    for (int i = 0; i < 5000; i++) {
        struct event_http e = {.id.src.family = 6};
        char want[ADDR_TEXT];
        for (size_t k = 0; k < 16; k += 2) {
            rnd = rnd * 1664525 + 1013904223;
            if (rnd >> 31) { /* half of the groups are zero */
                e.id.src.b[k] = (uint8_t)(rnd >> 20);
                e.id.src.b[k + 1] = (uint8_t)(rnd >> 12);
            }
        }
        e.id.src.b[0] = 0x20;
        json_t *j = http_json(&b, &e);
        assert_string_equal(str_at(j, NULL, "src_ip"), addr_text(&e.id.src, want));
        json_decref(j);
    }
    buf_fini(&b);
}

/* ---- identity ---- */

static void a_lines_end_names_its_writer(void **state)
{
    (void)state;
    static const uint64_t seqs[] = {0, 1, 9, 10, INT64_MAX};
    static const uint32_t workers[] = {0, 7, UINT32_MAX};
    struct buf b = {0};
    for (size_t i = 0; i < N_ELEMS(seqs); i++) {
        for (size_t k = 0; k < N_ELEMS(workers); k++) {
            struct event_http e = http_event();
            uint64_t boot, seq;
            uint32_t worker;
            e.perron.seq = seqs[i];
            e.perron.worker = workers[k];
            e.user_agent = SPAN("\"worker\":1,\"boot\":\"0123456789abcdef\",\"seq\":5}}");
            assert_int_equal(event_http_json(&b, &e), RC_OK);
            assert_true(event_identity(buf_span(&b), &boot, &worker, &seq));
            assert_int_equal(boot, e.perron.boot);
            assert_int_equal(worker, workers[k]);
            assert_int_equal(seq, seqs[i]);
        }
    }
    struct event_note n = note_event();
    uint64_t boot, seq;
    uint32_t worker;
    assert_int_equal(event_note_json(&b, &n), RC_OK);
    assert_false(event_identity(buf_span(&b), &boot, &worker, &seq)); /* the logger's own */
    buf_fini(&b);
}

static void no_prefix_of_a_line_has_an_identity(void **state)
{
    (void)state;
    struct buf b = {0};
    struct event_http e = http_event();
    uint64_t boot, seq;
    uint32_t worker;
    e.perron.seq = 1234567;
    assert_int_equal(event_http_json(&b, &e), RC_OK);
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_false(event_identity(span_cut(buf_span(&b), 0, n), &boot, &worker, &seq));
    for (size_t n = 1; n < buf_len(&b); n++) { /* and no suffix shorter than the identity */
        span s = span_cut(buf_span(&b), n, buf_len(&b));
        if (event_identity(s, &boot, &worker, &seq))
            assert_true(span_find(s, 'w', 0) != SIZE_MAX && seq == 1234567 && worker == 3);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_is_spelled_as_json_wants_it),
        cmocka_unit_test(a_megabyte_of_anything_stays_one_short_line),
        cmocka_unit_test(what_is_cut_is_named),
        cmocka_unit_test(a_query_never_gets_into_a_line),
        cmocka_unit_test(no_prefix_of_a_line_has_an_identity),
        cmocka_unit_test(a_lines_end_names_its_writer),
        cmocka_unit_test(an_exchange_says_what_eve_says),
        cmocka_unit_test(the_end_of_a_flow_says_how_it_ended),
        cmocka_unit_test(a_long_flow_says_how_long),
        cmocka_unit_test(the_least_event_is_still_a_line),
        cmocka_unit_test(every_field_of_the_table_is_written),
        cmocka_unit_test(times_are_those_of_the_calendar),
        cmocka_unit_test(addresses_read_as_rfc_5952_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
